"""Operators see what was given up, send it again or lay it aside, and it is known who did."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.notices.delivery import notices_deliver
from shop.notices.health import backlog
from shop.notices.models import Notice
from shop.notices.undelivered import Fate, Undelivered
from tests.kit.desk import listed, logged, page_of, said, shown
from tests.notices.conftest import Told
from tests.notices.outbox import standing, write

pytestmark = pytest.mark.django_db

LIST = "admin:notices_notice_changelist"


@pytest.fixture(autouse=True)
def _english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def dead(told: Told, shopper: User) -> Notice:
    """A notice that was given up; from now on the channel takes what it is told."""

    def before(_notice: Notice) -> None:
        raise Undelivered(Fate.HOPELESS, "bad_message 47003")

    told.before = before
    notice = write(shopper)
    notices_deliver()
    told.before = lambda notice: None
    return notice


def act(desk: Client, action: str, *notices: Notice) -> Any:
    ticked = {"action": action, "_selected_action": [notice.pk for notice in notices]}
    return desk.post(reverse(LIST), ticked)


def test_what_was_given_up_is_found_by_its_state_and_its_number(
    desk: Client, dead: Notice, shopper: User
) -> None:
    other = write(shopper)
    assert listed(desk, Notice, state__exact="dead") == [dead.pk]
    assert listed(desk, Notice, q=other.subject) == [other.pk]
    assert listed(desk, Notice, q="shopper") == [other.pk, dead.pk]
    facts = shown(desk, dead)
    assert (facts["event_shown"], facts["failure"]) == ("order paid", "bad_message 47003")


def test_it_is_sent_again_as_often_as_a_new_one(
    desk: Client, operator: User, dead: Notice, told: Told
) -> None:
    response = act(desk, "replay_ticked", dead)
    assert standing(dead) == ("waiting", 0, "bad_message 47003")
    assert logged(dead) == [(operator.pk, CHANGE, "replayed")]
    assert said(response) == ["1 notice is due again."]
    notices_deliver()
    assert (standing(dead), told.keys) == (("delivered", 1, ""), [dead.key])

    response = act(desk, "replay_ticked", dead)
    assert said(response)[-1] == f"{dead} was not given up: nothing is to be done."
    notices_deliver()
    assert (len(logged(dead)), told.keys) == (1, [dead.key])


def test_it_is_laid_aside(desk: Client, operator: User, dead: Notice, told: Told) -> None:
    response = act(desk, "drop_ticked", dead)
    assert standing(dead)[0] == "unwanted"
    assert logged(dead) == [(operator.pk, CHANGE, "dropped")]
    assert said(response) == ["1 notice is laid aside."]
    notices_deliver()
    assert told.keys == []


@pytest.mark.parametrize("action", ["replay_ticked", "drop_ticked"])
def test_who_may_only_look_does_neither(
    desk_of: Callable[..., Client], dead: Notice, action: str
) -> None:
    desk = desk_of("view_notice")
    assert listed(desk, Notice) == [dead.pk]
    act(desk, action, dead)
    assert (standing(dead)[0], logged(dead)) == ("dead", [])
    act(desk_of("change_notice"), action, dead)
    assert (standing(dead)[0], len(logged(dead))) != ("dead", 0)


def test_nobody_writes_a_notice_by_hand(desk: Client, dead: Notice) -> None:
    assert desk.get(reverse("admin:notices_notice_add")).status_code == 403
    assert desk.post(page_of(dead), {"state": "waiting"}).status_code == 403
    assert standing(dead)[0] == "dead"


@pytest.mark.django_db(transaction=True)
def test_what_waits_and_what_was_given_up_are_figures(
    client: Client, dead: Notice, shopper: User
) -> None:
    assert backlog() == {"waiting": 0, "oldest_waiting_seconds": 0, "dead": 1}
    notice = write(shopper)
    Notice.objects.filter(pk=notice.pk).update(created_at="2026-01-01T00:00:00Z")
    write(shopper)
    assert backlog()["waiting"] == 2
    assert backlog()["oldest_waiting_seconds"] > 24 * 3600
    metrics = client.get("/metrics").content.decode()
    assert "shop_notices_dead 1.0" in metrics
    assert "shop_notices_waiting 2.0" in metrics
    assert re.search(r'shop_notices_sent_total\{channel="told",outcome="dead"\} [1-9]', metrics)
