"""Draws that wait for their beacon: who asks it, how often, and what is said of it meanwhile."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from lottery.drawing import periods_draw
from lottery.figures import Wait, standings
from lottery.health import backlog
from lottery.models import Entry, Period
from lottery.tasks import draw_periods
from tests.factories import enter, make_period
from tests.kit.clock import Age
from tests.kit.periods import close, let_round_come, rich, sell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_answers(settings):
    settings.LOTTERY_DRAND_RELAYS = ["http://127.0.0.1:1"]


def undrawn(beacon="drand"):
    """A period whose round is out."""
    period = make_period(total_shares=2, beacon=beacon)
    sell(period)
    close(period)
    let_round_come(period)
    return period


def notes():
    rows = Period.objects.order_by("pk").values_list("draw_tried_at", "draw_problem")
    return [(at is not None, problem[:26]) for at, problem in rows]


def test_a_beacon_that_did_not_answer_is_left_alone_by_beat_for_a_while():
    undrawn()
    draw_periods()
    [tried_at] = Period.objects.values_list("draw_tried_at", flat=True)

    draw_periods()
    assert Period.objects.get().draw_tried_at == tried_at
    Period.objects.update(draw_tried_at=tried_at - timedelta(seconds=31))
    draw_periods()

    assert Period.objects.get().draw_tried_at > tried_at


def test_whoever_asks_by_hand_need_not_wait():
    undrawn()
    draw_periods()
    # Databases tell moments apart by milliseconds.
    Period.objects.update(draw_tried_at=F("draw_tried_at") - timedelta(seconds=1))
    [tried_at] = Period.objects.values_list("draw_tried_at", flat=True)

    periods_draw()

    assert Period.objects.get().draw_tried_at > tried_at


def test_one_asks_for_all_and_leaves_at_the_first_that_has_no_answer(caplog):
    for _ in range(2):
        undrawn()

    draw_periods()

    asked = [record for record in caplog.records if "no draw yet" in record.getMessage()]
    assert len(asked) == 1
    assert [tried for tried, _problem in notes()] == [True, True]
    assert all("http://127.0.0.1:1" in row.draw_problem for row in Period.objects.all())


def test_while_another_asks_nobody_else_does():
    undrawn()
    Period.objects.update(draw_tried_at=timezone.now())

    draw_periods()

    assert notes() == [(True, "")]


def test_the_other_beacons_periods_are_drawn_meanwhile():
    undrawn()
    local = undrawn("local")

    draw_periods()

    assert Period.objects.get(pk=local.pk).status == "drawn"


def test_a_draw_forgets_what_was_in_its_way():
    period = undrawn("local")
    Period.objects.update(draw_problem="its secret is shorter than 16 bytes")

    draw_periods()

    assert Period.objects.get(pk=period.pk).draw_problem == ""


# --- what is told of it


def test_how_long_each_kind_has_waited_is_told():
    undrawn()
    Period.objects.update(beacon_round=Period.objects.get().beacon_round - 100)
    pending, unclosed, undecided = Age(70), Age(200), Age(295, within=20)
    enter(rich(), make_period())
    Entry.objects.filter(status="pending").update(created_at=timezone.now() - timedelta(seconds=70))
    sold_out = make_period(total_shares=1)
    sell(sold_out)
    Entry.objects.filter(period=sold_out).update(created_at=timezone.now() - timedelta(seconds=200))

    ages = backlog()

    assert ages["oldest_pending_seconds"] == pending
    assert ages["oldest_unclosed_seconds"] == unclosed
    assert ages["oldest_undrawn_seconds"] == undecided
    assert ages["oldest_unnumbered_seconds"] == 0
    assert ages["oldest_unreturned_seconds"] == 0


def test_a_classic_period_waits_for_people_and_not_for_its_draw():
    period = make_period(
        total_shares=1, scheme="classic", beacon="", public_number_source="that of the day"
    )
    sell(period)
    close(period)
    unnumbered = Age(500)
    Period.objects.update(closed_at=timezone.now() - timedelta(seconds=500))

    ages = backlog()

    assert ages["oldest_unnumbered_seconds"] == unnumbered
    assert ages["oldest_undrawn_seconds"] == 0


def test_money_that_is_not_back_grows_old():
    period = make_period(minimum_shares=5, ends_at=timezone.now() + timedelta(hours=1))
    sell(period, 1)
    unreturned = Age(400)
    cancelled_at = timezone.now() - timedelta(seconds=400)
    Period.objects.update(status="cancelled", closed_at=cancelled_at)

    assert backlog()["oldest_unreturned_seconds"] == unreturned
    [(_period, standing)] = standings()
    assert standing.wait is Wait.MONEY


def test_nothing_waits_where_all_is_well():
    make_period(ends_at=timezone.now() + timedelta(hours=1))
    make_period()

    assert set(backlog().values()) == {0}
    assert standings() == []
