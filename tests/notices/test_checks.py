"""Half a configuration is said before the shop starts, not found out by a shopper."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from orders.notices import PAID
from shop.notices.checks import check_notices
from shop.notices.events import EVENTS
from tests.ops.processes import ROOT

APP = "wx1"
DATA = {"thing1": "title", "time2": "time"}
TERMS = {"template": "T", "page": "p", "data": DATA}


def found(settings: Settings, channels: list[str], templates: dict[str, Any]) -> list[str]:
    settings.WECHAT_APPS = {APP: "secret"}
    settings.NOTICE_CHANNELS = channels
    settings.WECHAT_TEMPLATES = templates
    return [str(message.id) for message in check_notices()]


@pytest.mark.parametrize("channels", [[], ["log"], ["wechat"], ["log", "wechat"]])
def test_a_whole_configuration_is_fine(settings: Settings, channels: list[str]) -> None:
    templates = {APP: {PAID.name: TERMS}} if "wechat" in channels else {}
    assert found(settings, channels, templates) == []


@pytest.mark.parametrize(
    ("channels", "templates", "code"),
    [
        (["sms"], {}, "E001"),
        (["wechat"], {}, "E002"),
        (["log"], {APP: {PAID.name: TERMS}}, "W001"),
        (["wechat"], {"wx2": {PAID.name: TERMS}}, "E003"),
        (["wechat"], {APP: {"order_payed": TERMS}}, "E004"),
        (["wechat"], {APP: {PAID.name: {"data": DATA}}}, "E005"),
        (["wechat"], {APP: {PAID.name: {"template": "T"}}}, "E005"),
        (["wechat"], {APP: {PAID.name: {**TERMS, "path": "p"}}}, "E005"),
        (["wechat"], {APP: {PAID.name: {**TERMS, "data": {"thing1": "phone"}}}}, "E005"),
        (["wechat"], {APP: {PAID.name: "T"}}, "E005"),
    ],
)
def test_half_a_configuration_is_said(
    settings: Settings, channels: list[str], templates: dict[str, Any], code: str
) -> None:
    assert found(settings, channels, templates) == [f"notices.{code}"]


def test_every_event_and_its_facts_are_explained_to_operators() -> None:
    table = {
        line.split("`")[1]: line
        for line in (ROOT / "docs" / "operations.md").read_text().splitlines()
        if line.startswith("| `") and line.split("`")[1] in EVENTS
    }
    assert set(table) == set(EVENTS) > {"order_paid", "period_won"}
    for name, event in EVENTS.items():
        whole = table[name] if "the same" not in table[name] else table[name] + table["order_paid"]
        assert {fact for fact in event.facts if f"`{fact}`" not in whole} == set()
