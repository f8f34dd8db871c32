"""The page itself: what a browser may do with it, and how long its files may be kept."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import Client, override_settings

from tests.kit.marks import once
from tests.ops.processes import ROOT

pytestmark = once
MODULES = ROOT / "shop" / "storefront" / "static" / "storefront"


def test_the_page_is_the_same_for_everybody_and_asked_for_again():
    answer = Client().get("/", headers={"Accept-Language": "en"})

    assert answer.status_code == 200
    assert answer.content == Client().get("/").content
    assert answer["Cache-Control"] == "no-cache"
    assert not answer.cookies


def test_nothing_inline_and_nothing_of_elsewhere_may_run():
    answer = Client().get("/")

    policy = dict(rule.split(" ", 1) for rule in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    html = answer.content.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style|\bon\w+=|\bstyle=", html)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)


def test_the_page_only_shows():
    assert Client().post("/").status_code == 405


def test_no_module_makes_markup_of_text():
    for path in MODULES.rglob("*.js"):
        words = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
        assert not [word for word in words if word in path.read_text()], path


@pytest.fixture(scope="class")
def collected(tmp_path_factory) -> Iterator[Path]:
    """The folder of static files as production has them, and the settings that know it."""
    folder = tmp_path_factory.mktemp("static")
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "shop.storefront.assets.HashedStorage"},
    }
    with override_settings(STATIC_ROOT=folder, STORAGES=storages):
        call_command("collectstatic", "--no-input", verbosity=0)
        yield folder


class TestHashedNames:
    """As production collects them."""

    def test_every_file_is_asked_for_by_what_is_in_it(self, collected):
        html = Client().get("/").content.decode()
        waiting = [Path(name) for name in re.findall(r"static/([^\"]+)\"", html)]
        seen: set[Path] = set()

        while waiting:
            file = waiting.pop()
            if file in seen:
                continue
            seen.add(file)
            assert re.search(r"\.[0-9a-f]{12}\.(js|css|svg)$", file.name), file
            assert (collected / f"{file}.gz").exists()
            imports = re.findall(r"from \"(\.[^\"]+)\"", (collected / file).read_text())
            waiting += [
                (collected / file.parent / name).resolve().relative_to(collected)
                for name in imports
            ]

        modules = {path.relative_to(MODULES.parent) for path in MODULES.rglob("*.js")}
        plain = {Path(re.sub(r"\.[0-9a-f]{12}\.js$", ".js", str(file))) for file in seen}
        assert modules <= plain

    def test_other_people_s_scripts_stay_as_they_came(self, collected):
        name = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
        hashed = collected / staticfiles_storage.stored_name(name)

        assert hashed.read_bytes() == Path(str(finders.find(name))).read_bytes()


def test_without_collecting_the_names_are_plain_and_work():
    """As `make run` serves them."""
    assert b"/static/storefront/main.js" in Client().get("/").content
    assert Client().get("/static/storefront/main.js").status_code == 200
