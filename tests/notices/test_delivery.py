"""A notice is sent once as a rule, twice where somebody died over it, and not for ever."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.notices import delivery, services
from shop.notices.delivery import ATTEMPTS, CLAIM_SECONDS, notices_deliver
from shop.notices.models import Notice
from shop.notices.undelivered import Fate, Undelivered
from tests.faults.deaths import dying_at
from tests.kit.barrier import race
from tests.notices.conftest import Told
from tests.notices.outbox import pass_time, standing, write

pytestmark = pytest.mark.django_db


def failing(fate: Fate, why: str = "broken 1") -> Any:
    def before(_notice: Notice) -> None:
        raise Undelivered(fate, why)

    return before


def test_what_is_due_is_sent_and_marked(told: Told, shopper: User) -> None:
    notices = [write(shopper) for _ in range(3)]
    assert notices_deliver() == 3
    assert told.keys == [f"order_paid:{notice.subject}" for notice in notices]
    for notice in notices:
        assert standing(notice) == ("delivered", 1, "")
        assert notice.delivered_at is not None
    assert notices_deliver() == 0


def test_the_log_says_what_was_told_and_not_to_whom(
    settings: Settings, shopper: User, caplog: pytest.LogCaptureFixture
) -> None:
    settings.NOTICE_CHANNELS = ["log"]
    caplog.set_level(logging.INFO)
    notice = write(shopper, title="茶")
    notices_deliver()
    assert standing(notice)[0] == "delivered"
    assert [record.getMessage() for record in caplog.records] == [
        f"notice order_paid:{notice.subject}"
    ]


@pytest.mark.usefixtures("deadly")
def test_a_death_after_the_sending_has_it_sent_twice_and_no_more(told: Told, shopper: User) -> None:
    notice = write(shopper)
    with dying_at("notice.sent"):
        notices_deliver()
    assert (told.keys, standing(notice)) == ([notice.key], ("waiting", 1, ""))
    notices_deliver()  # it is claimed yet, by somebody who is dead
    assert told.keys == [notice.key]

    pass_time(CLAIM_SECONDS)
    notices_deliver()
    pass_time(CLAIM_SECONDS)
    notices_deliver()
    assert (told.keys, standing(notice)) == ([notice.key] * 2, ("delivered", 2, ""))


@pytest.mark.usefixtures("deadly")
def test_what_kills_whoever_sends_it_is_given_up(told: Told, shopper: User) -> None:
    notice = write(shopper)
    Notice.objects.update(attempts=ATTEMPTS - 1)
    with dying_at("notice.sent"):
        notices_deliver()
    pass_time(CLAIM_SECONDS)
    notices_deliver()
    assert told.keys == [notice.key]
    assert standing(notice) == ("dead", ATTEMPTS, "interrupted")


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_notice_once(
    told: Told, shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH", 3)
    notices = [write(shopper) for _ in range(12)]
    both = threading.Barrier(2)
    met = threading.local()

    def together(_notice: Notice) -> None:
        # Neither is done with its first before the other has one.
        if not hasattr(met, "is_done"):
            met.is_done = True
            both.wait(120)

    told.before = together
    outcomes = race([notices_deliver] * 2)
    assert sum(outcome.result() for outcome in outcomes) == 12
    assert sorted(told.keys) == sorted(notice.key for notice in notices)
    assert set(Notice.objects.values_list("state", "attempts")) == {("delivered", 1)}


def test_each_further_attempt_waits_twice_as_long_until_it_is_given_up(
    told: Told, shopper: User, caplog: pytest.LogCaptureFixture
) -> None:
    told.before = failing(Fate.LATER, "timeout")
    notice = write(shopper)
    waits = []
    while standing(notice)[0] == "waiting":
        assert notices_deliver() == 1
        assert notices_deliver() == 0  # not due
        notice.refresh_from_db()
        waits.append((notice.due_at - told.seen[-1].db_now).total_seconds())
        pass_time(3600)
    assert waits[:-1] == [10 * 2**n for n in range(9)] + [3600] * (ATTEMPTS - 10)
    assert (len(told.seen), told.keys) == (ATTEMPTS, [])
    assert standing(notice) == ("dead", ATTEMPTS, "timeout")
    assert [record.getMessage() for record in caplog.records] == ["notices: 1 given up: timeout"]


def test_what_will_never_be_taken_is_given_up_at_once(told: Told, shopper: User) -> None:
    told.before = failing(Fate.HOPELESS)
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("dead", 1, "broken 1")


def test_what_nobody_wants_is_over_without_an_alarm(
    told: Told, shopper: User, caplog: pytest.LogCaptureFixture
) -> None:
    told.before = failing(Fate.UNWANTED)
    notice = write(shopper)
    notices_deliver()
    pass_time(24 * 3600)
    notices_deliver()
    assert standing(notice) == ("unwanted", 1, "broken 1")
    assert (len(told.seen), caplog.records) == (1, [])


def test_a_channel_that_rests_costs_no_attempt_and_holds_up_no_other(
    told: Told, settings: Settings, shopper: User
) -> None:
    told.before = failing(Fate.RESTING)
    settings.NOTICE_CHANNELS = ["told", "log"]
    for _ in range(3):
        write(shopper)
    notices_deliver()
    assert len(told.seen) == 1
    assert set(Notice.objects.values_list("channel", "state", "attempts")) == {
        ("told", "waiting", 0),
        ("log", "delivered", 1),
    }
    assert notices_deliver() == 0
    pass_time(delivery.REST_SECONDS)
    told.before = lambda notice: None
    assert notices_deliver() == 3


def test_a_bug_of_a_channel_is_one_notices_and_its_text_nobodys(
    told: Told, shopper: User, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = write(shopper), write(shopper)

    def before(notice: Notice) -> None:
        if notice.pk == first.pk:
            raise KeyError("o-an-openid")

    told.before = before
    notices_deliver()
    assert standing(first) == ("waiting", 1, "KeyError")
    assert standing(second) == ("delivered", 1, "")
    assert caplog.messages == [f"notice {first.pk}: unforeseen KeyError"]
    assert "o-an-openid" not in caplog.text


def test_who_has_no_time_left_gives_back_what_it_claimed(
    told: Told, shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SENDING_SECONDS", -1.0)
    notice = write(shopper)
    assert notices_deliver() == 0
    assert standing(notice) == ("waiting", 0, "")
    monkeypatch.setattr(delivery, "SENDING_SECONDS", 60.0)
    assert notices_deliver() == 1


def test_a_worker_so_slow_that_another_took_over_says_only_what_it_knows(
    told: Told, shopper: User
) -> None:
    """The one that was sent is delivered, whatever else was made of it; the one that was not is
    whoever's has it now."""
    sent, failed = write(shopper), write(shopper)

    def taken_over(notice: Notice) -> None:
        mine = Notice.objects.filter(pk=notice.pk)
        if notice.pk == sent.pk:
            mine.update(state=Notice.State.DEAD)
        else:
            mine.update(attempts=F("attempts") + 1, due_at=F("due_at") + timedelta(seconds=60))
            raise Undelivered(Fate.HOPELESS, "broken")

    told.before = taken_over
    notices_deliver()
    assert standing(sent)[0] == "delivered"
    assert standing(failed) == ("waiting", 2, "")


def test_a_channel_that_was_switched_off_leaves_nothing_waiting(
    told: Told, settings: Settings, shopper: User
) -> None:
    notice = write(shopper)
    settings.NOTICE_CHANNELS = []
    notices_deliver()
    assert (standing(notice), told.seen) == (("unwanted", 1, "channel is off"), [])


def test_what_is_over_is_removed_after_its_days_and_what_is_not_stays(
    told: Told, settings: Settings, shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PRUNED_AT_ONCE", 2)
    settings.NOTICE_DAYS = 30
    states = list(Notice.State)
    old = [(state, write(shopper).pk) for state in states for _ in range(3)]
    Notice.objects.update(created_at=F("created_at") - timedelta(days=30, seconds=1))
    young = [(state, write(shopper).pk) for state in states]
    for state, pk in old + young:
        Notice.objects.filter(pk=pk).update(state=state)

    assert services.notices_prune() == 6
    left = set(Notice.objects.values_list("state", "pk"))
    assert left == {(s, pk) for s, pk in old if s in ("waiting", "dead")} | set(young)
    assert services.notices_prune() == 0
