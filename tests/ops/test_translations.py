"""Whoever reads Chinese reads Chinese everywhere, and what is compiled is what is written."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog
from django.test import Client
from django.utils.translation import override

from shop.errors import Refusal
from shop.locale.messages import compiled, load, translations, untranslated, updated

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for refusal in of.__subclasses__():
        yield refusal
        yield from refusals(refusal)


@pytest.fixture(params=list(translations()), ids=lambda po: po.parents[1].name)
def po(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def ids(catalog: Catalog) -> set[str]:
    return {str(message.id) for message in catalog if message.id}


def test_the_shop_speaks_simplified_chinese() -> None:
    assert [po.parents[1].name for po in translations()] == ["zh_Hans"]


def test_the_compiled_file_is_the_written_one(po: Path) -> None:
    assert po.with_suffix(".mo").read_bytes() == compiled(load(po))


def test_every_marked_text_is_translated_and_no_other(po: Path) -> None:
    # If this fails: python -m shop.locale.messages, then translate what it names.
    assert ids(load(po)) == ids(updated(po))
    assert untranslated(load(po)) == []


def test_translations_keep_the_placeholders(po: Path) -> None:
    catalog = load(po)
    assert [error for message in catalog for error in message.check(catalog)] == []


@pytest.mark.parametrize("refusal", list(refusals()), ids=lambda refusal: refusal.__name__)
def test_every_refusal_says_why_in_both_languages(refusal: type[Refusal]) -> None:
    with override("zh-hans"):
        assert CHINESE.search(str(refusal.detail))
    with override("en"):
        assert str(refusal.detail).isascii()


@pytest.mark.parametrize(
    ("language", "detail"),
    [
        ("zh-CN,zh;q=0.9", "请先登录，并以 `Authorization: Bearer ...` 发送访问令牌。"),
        ("zh", "请先登录，并以 `Authorization: Bearer ...` 发送访问令牌。"),
        ("en-GB", "Log in first and send the access token as `Authorization: Bearer ...`."),
        ("fr", "请先登录，并以 `Authorization: Bearer ...` 发送访问令牌。"),
    ],
)
def test_an_answer_is_in_the_language_that_was_asked_for(
    client: Client, language: str, detail: str
) -> None:
    answer = client.get("/api/v1/orders", headers={"Accept-Language": language})
    assert answer.status_code == 401
    assert answer.json()["detail"] == detail
