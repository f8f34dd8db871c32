"""deploy/compose.yaml and deploy/Containerfile name what is there, and run what the units run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.up import WORKERS_NICE
from tests.deploy.units import Unit
from tests.ops.processes import ROOT
from tests.ops.test_docs import settings_read

FOLDER = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SHOP = ["web", "worker-drains", "worker-sweepers", "beat"]
DOCUMENTATION = (ROOT / "docs" / "deployment.md").read_text()
STARTS = """
import shop.wsgi, shop.celery
from django.core.management import call_command
shop.celery.app.finalize()
call_command("check")
"""
GOING_LIVE = (ROOT / "docs" / "wechat.md").read_text()
KEYS = "/etc/scarce/wechat-pay"
# ${NAME:?}, ${NAME:-default}
VARIABLE = re.compile(r"\$\{(\w+):([?-])([^}]*)\}")
# Not of the shop's settings: read by a library before the settings are.
OTHERS = {"PROMETHEUS_MULTIPROC_DIR", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED"}
GRANIAN = {"GRANIAN_HOST", "GRANIAN_PORT", "GRANIAN_WORKERS", "GRANIAN_BLOCKING_THREADS"}


def filled(text: str) -> str:
    """As compose fills it in, where the file of settings says `given` to everything."""
    return VARIABLE.sub(lambda found: "given" if found[2] == "?" else found[3], text)


def documented() -> dict[str, str]:
    """The file of settings as docs/deployment.md shows it, each empty value filled in."""
    found = re.search(r"```sh\n(SECRET_KEY=.*?)```", DOCUMENTATION, re.DOTALL)
    assert found
    pairs = [line.split("#")[0].strip().split("=", 1) for line in found[1].splitlines()]
    return {name: value or "given" for name, value in pairs}


def starts_in_production(folder: Path, variables: dict[str, str]) -> None:
    """Raises CalledProcessError where web and worker do not load with exactly these, or where
    `manage.py check` finds a fault."""
    subprocess.run(
        [sys.executable, "-c", STARTS],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )


@pytest.mark.parametrize("name", SHOP)
def test_each_process_runs_the_command_of_its_unit(name: str) -> None:
    assert shlex.split(SERVICES[name]["command"]) == Unit.read(f"scarce-{name}.service").line()
    tuned = Unit.read(f"scarce-{name}.service").tuning()
    # In its container it must listen to nginx outside of that.
    tuned |= {"GRANIAN_HOST": "0.0.0.0"} if tuned else {}
    given = {key: filled(str(value)) for key, value in SERVICES[name]["environment"].items()}
    assert {key: value for key, value in given.items() if key in GRANIAN} == tuned


@pytest.mark.parametrize("name", SHOP)
def test_workers_give_way_to_the_web_as_their_units_do(name: str) -> None:
    unit, share = Unit.read(f"scarce-{name}.service"), SERVICES[name].get("cpu_shares")
    if not name.startswith("worker"):
        assert (unit.values("CPUWeight"), unit.values("Nice"), share) == ([], [], None)
        return
    # Of systemd's 100 and of the kernel's 1024.
    [weight] = unit.values("CPUWeight")
    assert share == round(1024 * int(weight) / 100)
    assert unit.values("Nice") == [str(WORKERS_NICE)]


@pytest.mark.parametrize("name", [*SHOP, "prepare"])
def test_what_is_set_is_read_by_the_settings(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= settings_read() | OTHERS | GRANIAN


def test_units_set_what_is_read_by_the_settings() -> None:
    for name in SHOP:
        assert set(Unit.read(f"scarce-{name}.service").environment()) <= (
            settings_read() | OTHERS | GRANIAN
        )
    assert set(documented()) <= settings_read()


def test_what_going_live_with_wechat_names_reaches_every_process() -> None:
    named = set(re.findall(r"`((?:WECHAT|NOTICE)_[A-Z0-9_]+)[`=]", GOING_LIVE))
    assert {"WECHAT_APPS", "WECHAT_PAY_MCHID", "WECHAT_TEMPLATES"} <= named <= settings_read()
    for name in [*SHOP, "prepare"]:
        assert named <= set(SERVICES[name]["environment"]), name
        assert f"{KEYS}:{KEYS}:ro" in SERVICES[name]["volumes"], name
    assert f"`{KEYS}/`" in DOCUMENTATION


def test_what_must_be_given_is_in_the_documented_file() -> None:
    found = VARIABLE.findall((FOLDER / "compose.yaml").read_text())
    required = {name for name, kind, _ in found if kind == "?"}
    assert required
    assert required <= set(documented())


def test_production_starts_on_what_a_unit_sets(tmp_path: Path) -> None:
    unit = Unit.read("scarce-worker-drains.service").environment()
    folders = {"SCARCE_VAR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    starts_in_production(ROOT, {**unit, **documented(), **folders})


def test_production_starts_in_the_image_on_what_compose_sets(tmp_path: Path) -> None:
    recipe = (FOLDER / "Containerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", recipe, re.MULTILINE)
    ignored = (FOLDER / "Containerfile.dockerignore").read_text().splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for names, target in copied:
        for name in names.split():
            assert any(fnmatch(name, pattern) for pattern in sent), name
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, tmp_path / target / ("" if source.is_dir() else name))
    image = dict(re.findall(r"^(?:ENV|   ) (\w+)=(\S+)", recipe, re.MULTILINE))
    given = {key: filled(str(value)) for key, value in SERVICES["beat"]["environment"].items()}
    folders = {"SCARCE_VAR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    starts_in_production(tmp_path, {**image, **given, **folders})


def test_what_compose_names_is_there() -> None:
    for name, service in SERVICES.items():
        if build := service.get("build"):
            assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"]), name
        for volume in service.get("volumes", []):
            source = filled(volume).split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).is_file(), volume
            elif not source.startswith("/"):
                assert source in COMPOSE["volumes"], volume
    assert "./nginx.conf:/etc/nginx/nginx.conf:ro" in SERVICES["nginx"]["volumes"]


def test_nobody_reaches_the_shop_or_its_servers_but_through_nginx() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name: ports for name, ports in published.items() if ports} == {
        "web": ["127.0.0.1:8000:8000"]
    }
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("mariadb", "redis", "redis-gates"):
        assert SERVICES[name]["networks"] == ["inside"], name


def test_gates_are_never_dropped_and_are_written_down() -> None:
    def options(name: str) -> dict[str, str]:
        words = shlex.split(SERVICES[name]["command"])[1:]
        return dict(zip(words[::2], words[1::2], strict=True))

    gates, other = options("redis-gates"), options("redis")
    assert (gates["--appendonly"], gates["--appendfsync"]) == ("yes", "everysec")
    assert gates["--maxmemory-policy"] == "noeviction"
    # Celery's messages have no end of life, so these are never among what makes room.
    assert other["--maxmemory-policy"].startswith("volatile-")
    environment = SERVICES["web"]["environment"]
    assert "//redis-gates:" in environment["GATE_REDIS_URL"]
    assert "//redis:" in environment["REDIS_URL"]
