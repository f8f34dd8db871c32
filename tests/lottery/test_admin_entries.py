"""Operators' pages of entries: finding one, and what they do with those that the drain gave up."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lottery.closing import periods_sweep
from lottery.models import Entry, Period, Shares
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.models import Pool
from shop.wallet.models import Currency, Posting
from shop.wallet.selectors import balances_of
from tests.factories import enter, make_period
from tests.kit.desk import listed, logged, offered, page_of, said, shown
from tests.kit.periods import rich, sell, sell_and_draw

pytestmark = pytest.mark.django_db

LIST = reverse("admin:lottery_entry_changelist")
ACTIONS = {"retry": "retry_ticked", "drop": "drop_ticked"}


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"
    settings.DRAIN_ATTEMPTS = 2


@pytest.fixture
def period():
    """10 shares at 5 points."""
    return make_period(gated=False)


@pytest.fixture
def given_up(period):
    """An entry of 2 shares that the drain gave up; the cause is mended since."""
    entry = enter(rich(100), period, 2)
    give_up(entry)
    return Entry.objects.get(pk=entry.pk)


def give_up(entry):
    """Settling it fails, as often as the settings allow: its shares are there already."""
    cause = Shares.objects.create(
        entry=entry, pool_id=entry.period.pool_id, first=10**9, count=1, cost=0, reference="spoilt"
    )
    for _ in range(2):
        drain(entry.period.queue_id)
    cause.delete()


def facts():
    """Everything that is stored of entries and of what they take."""
    models = (Entry, Shares, Pool, Posting)
    return [list(model.objects.order_by("pk").values()) for model in models]


def points_of(entry):
    return balances_of(entry.user)[Currency.POINTS]


# --- seeing them


def test_entries_are_found_by_number_shopper_and_period(desk, period):
    first, second = sell(period, 1), sell(period, 2)
    elsewhere = sell(make_period())

    assert listed(desk, Entry) == [elsewhere.pk, second.pk, first.pk]
    assert listed(desk, Entry, q=first.entry_no) == [first.pk]
    assert listed(desk, Entry, q=second.user.username) == [second.pk]
    assert listed(desk, Entry, q=second.user.username[:-1]) == []
    assert listed(desk, Entry, period=period.pk) == [second.pk, first.pk]
    assert listed(desk, Entry, period=period.pk, status="failed") == []


def test_the_list_costs_the_same_for_many_and_counts_no_table(desk, period):
    def statements():
        desk.get(LIST)  # sessions, permissions and content types are warm
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(LIST).status_code == 200
        return [query["sql"] for query in captured]

    sell(period, 1)
    few = statements()
    for _ in range(3):
        sell(period, 1)
    many = statements()

    assert len(many) == len(few)
    counts = [sql for sql in many if "COUNT(" in sql.upper() and "lottery_entry" in sql]
    assert all("LIMIT 5000" in sql for sql in counts)


def test_the_page_names_numbers_only_after_the_draw(desk, period):
    entry = sell(period, 2)
    assert shown(desk, entry)["numbers"] == "-"

    drawn = sell_and_draw(Period.objects.select_related("pool").get(pk=period.pk))

    seen = shown(desk, entry)
    assert (seen["got"], seen["cost"]) == ("2", "10 points")
    numbers = {int(number) for number in seen["numbers"].split(", ")}
    assert len(numbers) == 2
    assert (drawn.number in numbers) == (drawn.winner_id == entry.pk)


def test_many_numbers_are_named_in_part(desk):
    period = make_period(total_shares=25)
    entry = sell(period, 23)
    sell_and_draw(Period.objects.select_related("pool").get(pk=period.pk))

    assert shown(desk, entry)["numbers"].endswith(" and 3 more")


def test_what_the_drain_gave_up_is_listed_to_look_after_while_its_period_is_open(
    desk, period, given_up
):
    sell(period, 1, to=rich(1))
    assert listed(desk, Entry, look="failed") == [given_up.pk]
    assert offered(desk, given_up) == ["retry", "drop"]
    assert shown(desk, given_up)["failure_shown"].startswith("error of ours (internal); given up")

    sell(period)
    periods_sweep()

    assert listed(desk, Entry, look="failed") == []
    assert offered(desk, given_up) == ["drop"]


# --- trying them again


def test_one_tried_again_gets_its_shares_and_pays_for_them(desk, operator, period, given_up):
    assert points_of(given_up) == 100

    response = desk.post(page_of(given_up, "retry"))

    waiting = Entry.objects.get(pk=given_up.pk)
    assert (waiting.status, waiting.failure, waiting.attempts) == ("pending", "", 0)
    assert said(response) == [f"{given_up} is back in its queue."]
    assert logged(given_up) == [(operator.pk, CHANGE, "tried again")]
    drain(period.queue_id)
    settled = Entry.objects.select_related("shares").get(pk=given_up.pk)
    assert (settled.status, settled.shares.count, points_of(settled)) == ("confirmed", 2, 90)
    assert listed(desk, Entry, look="failed") == []
    assert audit().broken == {}


def test_one_tried_again_when_its_period_is_over_fails_of_that(desk, period, given_up):
    sell(period)
    periods_sweep()

    desk.post(page_of(given_up, "retry"))
    drain(period.queue_id)

    again = Entry.objects.get(pk=given_up.pk)
    assert (again.status, again.failure, points_of(again)) == ("failed", "ended", 100)
    assert shown(desk, again)["failure_shown"] == "period was over (ended)"
    assert audit().broken == {}


def test_one_tried_again_has_waited_only_since_then(desk, given_up):
    long_ago = given_up.created_at - timedelta(hours=1)
    Entry.objects.filter(pk=given_up.pk).update(created_at=long_ago)
    desk.post(page_of(given_up, "retry"))
    assert audit().ok

    Entry.objects.filter(pk=given_up.pk).update(retried_at=long_ago)

    [broken] = audit().broken[2]
    assert broken.startswith(f"entry {given_up.entry_no}: is pending, 36")


# --- dropping them


def test_one_dropped_stays_failed_and_is_listed_no_more(desk, operator, given_up):
    desk.post(page_of(given_up, "drop"))
    desk.post(page_of(given_up, "drop"))

    assert Entry.objects.get(pk=given_up.pk).failure == "internal"
    assert logged(given_up) == [(operator.pk, CHANGE, "dropped")]
    assert listed(desk, Entry, look="failed") == []
    assert shown(desk, given_up)["failure_shown"].endswith("; dropped by an operator")
    assert audit().broken == {}


# --- what neither may do


@pytest.mark.parametrize("name", ACTIONS)
def test_what_failed_of_anything_else_and_what_did_not_fail_stays_as_it_is(desk, period, name):
    settled, poor = sell(period, 1), sell(period, 1, to=rich(1))
    before = facts()

    for entry in (settled, poor):
        response = desk.post(page_of(entry, name))
        errors = response.context["form"].non_field_errors()
        assert errors == ["This did not fail of an error of ours."]

    assert facts() == before
    assert offered(desk, poor) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("retry", "1 entry is back in its queue."), ("drop", "1 entry is dropped.")],
)
def test_ticked_entries_are_each_a_step_of_its_own(desk, period, given_up, name, words):
    settled = sell(period, 1)
    ticked = {"action": ACTIONS[name], "_selected_action": [given_up.pk, settled.pk]}

    response = desk.post(LIST, ticked)

    assert said(response) == [f"{settled}: This did not fail of an error of ours.", words]
    assert listed(desk, Entry, look="failed") == []


@pytest.mark.parametrize("name", ACTIONS)
def test_who_may_only_look_is_refused(desk_of, given_up, name):
    desk = desk_of("view_entry")
    before = facts()

    assert offered(desk, given_up) == []
    assert desk.post(page_of(given_up, name)).status_code == 403
    desk.post(LIST, {"action": ACTIONS[name], "_selected_action": [given_up.pk]})
    assert facts() == before


def test_no_page_writes_a_fact_of_an_entry(desk, period):
    entry = sell(period, 2)
    before = facts()

    assert desk.post(page_of(entry), {"wanted": "9", "_save": "Save"}).status_code == 403
    assert desk.post(page_of(entry, "delete"), {"post": "yes"}).status_code == 403
    assert desk.get(reverse("admin:lottery_entry_add")).status_code == 403
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert facts() == before
