"""Operators' pages of periods: opening one, looking at it, its few steps, and the verifier."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from lottery.closing import period_cancel, periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, PublicNumber, Shares
from lottery.opening import period_renew, period_stop_renewal
from shop.errors import Ended, Invalid
from shop.pools import services as pools
from shop.pools.audit import audit
from shop.pools.models import Pool, PoolMovement
from shop.transactions import run
from tests.factories import enter, make_period, make_sku, make_user
from tests.kit.desk import listed, logged, offered, page_of, said, shown
from tests.kit.periods import close, let_pass, let_round_come, rich, sell, sell_and_draw
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

LIST = reverse("admin:lottery_period_changelist")
OPEN = reverse("admin:lottery_period_add")
STEPS = {"number": {"number": "00042"}, "stop": {}, "cancel": {}, "rebuild": {}}


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"
    # Who is asked otherwise is a matter of its own (test_second_person.py).
    settings.SECOND_PERSON_FOR = []


@pytest.fixture
def coin():
    return make_sku(stock=3)


@pytest.fixture
def period(coin):
    """Open; 10 shares at 5 points, 4 a shopper, for a coin."""
    return make_period(sku=coin, per_user_limit=4, minimum_shares=2, gated=False)


def make_classic(**terms):
    return make_period(
        total_shares=4,
        scheme="classic",
        beacon="",
        public_number_source="the lottery of that day",
        **terms,
    )


def read(period):
    return Period.objects.select_related("pool").get(pk=period.pk)


def facts():
    """Everything that is stored of periods and of units."""
    models = (Period, Entry, Shares, PublicNumber, Pool, PoolMovement, LogEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


# --- opening


def form(desk, **values):
    """The form as the page shows it now, filled in."""
    page = desk.get(OPEN).content.decode()
    [reference] = re.findall(r'name="reference" value="([^"]+)"', page)
    return {
        "prize_title": "银币",
        "currency": "points",
        "share_price": "5",
        "total_shares": "10",
        "minimum_shares": "1",
        "first_number": "1000002",
        "serial": "1",
        "scheme": "commit-beacon",
        "placement": "queued",
        "reference": reference,
        **values,
    }


def test_an_operator_opens_a_period_on_the_terms_that_were_said(desk, operator, coin):
    terms = {
        "prize_title_en": "Silver coin",
        "sku": coin.code,
        "minimum_shares": "2",
        "per_user_limit": "3",
        "first_number": "500",
        "serial": "7",
        "ends_at": "2031-01-01T20:00",
        "auto_renew": "on",
        "beacon": "local",
        "placement": "direct",
        "strategy": "pessimistic",
    }

    response = desk.post(OPEN, form(desk, **terms))

    period = Period.objects.select_related("pool").get()
    assert response.url == page_of(period)
    assert said(response) == [f"Period {period.pk}: 银币 第7期 is open."]
    assert (period.share_price, period.total_shares, period.minimum_shares) == (5, 10, 2)
    assert (period.sku, period.currency, period.first_number) == (coin, "points", 500)
    # Eight in the evening in the shop's time zone, which is eight hours before UTC.
    assert period.ends_at == datetime(2031, 1, 1, 12, 0, tzinfo=UTC)
    assert (period.auto_renew, period.beacon, period.placement) == (True, "local", "direct")
    assert (period.pool.per_user_limit, period.pool.strategy) == (3, "pessimistic")
    assert counters(coin.pool) == (2, 1)
    assert logged(period) == [(operator.pk, ADDITION, "Opened 银币 第7期")]
    assert audit().broken == {}


def test_the_same_form_sent_twice_opens_one_period(desk, coin):
    sent = form(desk, sku=coin.code)

    first, again = desk.post(OPEN, sent), desk.post(OPEN, sent)

    assert again.url == first.url == page_of(Period.objects.get())
    assert counters(coin.pool) == (2, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prize_title", ""),
        ("sku", "no-such-code"),
        ("currency", "cny"),
        ("share_price", "0"),
        ("share_price", "1" + "0" * 30),
        ("total_shares", "0"),
        ("minimum_shares", "11"),
        ("per_user_limit", "0"),
        ("ends_at", "2001-01-01T20:00"),
        ("scheme", "hope"),
        ("beacon", "moon"),
        ("public_number_source", ""),
        ("reference", ""),
    ],
)
def test_a_bad_form_is_shown_again_and_changes_nothing(desk, field, value):
    sent = form(desk, **{field: value})
    if field == "public_number_source":
        sent["scheme"] = "classic"
    before = facts()

    response = desk.post(OPEN, sent)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert facts() == before


def test_a_prize_that_is_gone_is_told_at_its_field(desk):
    gone = make_sku(stock=0)

    response = desk.post(OPEN, form(desk, sku=gone.code))

    assert response.context["form"].errors == {"sku": ["None of it is in stock."]}
    assert not Period.objects.exists()


@pytest.mark.parametrize(("for_money", "choices"), [(False, ["points"]), (True, ["cny", "points"])])
def test_money_is_offered_only_where_the_settings_allow_it(desk, settings, for_money, choices):
    settings.LOTTERY_FOR_MONEY = for_money

    currency = desk.get(OPEN).context["form"].fields["currency"]

    assert [value for value, _label in currency.choices] == choices


def test_who_may_not_add_periods_opens_none(desk_of):
    desk = desk_of("view_period", "change_period")

    assert (desk.get(OPEN).status_code, desk.post(OPEN, {}).status_code) == (403, 403)
    assert OPEN not in desk.get(LIST).content.decode()


# --- what operators see


def test_the_page_shows_what_is_sold_what_waits_and_what_failed(desk, period):
    sell(period, 2)
    sell(period, 1, to=rich(4))
    enter(rich(), period)

    seen = shown(desk, period)

    assert (seen["status_shown"], seen["waits"]) == ("open", "open until it is sold out")
    assert (seen["total_shares"], seen["sold"], seen["left"]) == ("10", "2", "8")
    assert (seen["price_shown"], seen["takings"]) == ("5 points", "10 points")
    assert (seen["pending"], seen["failed"]) == ("1", "not enough in the wallet: 1")
    assert (seen["per_user_limit"], seen["gate"]) == ("4", "off")
    assert seen["commitment"] == period.commitment
    assert offered(desk, period) == []


def test_periods_are_found_by_state_id_and_prize(desk, period, coin):
    other = sell_and_draw(make_period())

    assert listed(desk, Period) == [other.pk, period.pk]
    assert listed(desk, Period, status="open") == [period.pk]
    assert listed(desk, Period, status="drawn") == [other.pk]
    assert listed(desk, Period, q=period.pk) == [period.pk]
    assert listed(desk, Period, q=coin.code) == [period.pk]
    assert listed(desk, Period, q="nothing") == []


def statements(desk, address):
    desk.get(address)  # sessions, permissions and content types are warm
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(address).status_code == 200
    return len(captured)


def test_the_list_and_the_page_cost_the_same_however_much_there_is(desk, period):
    few = statements(desk, LIST), statements(desk, page_of(period))
    for _ in range(3):
        make_period()
        enter(rich(), period)
    assert (statements(desk, LIST), statements(desk, page_of(period))) == few


def test_each_wait_on_the_way_to_the_draw_is_told_in_words(desk, coin):
    period = make_period(sku=coin, ends_at=timezone.now() + timedelta(hours=1))

    assert shown(desk, period)["waits"].startswith("open until 20")
    sell(period)
    assert shown(desk, period)["waits"].startswith("over for 0 s; beat")
    closed = close(period)
    assert shown(desk, period)["waits"].startswith(f"waits for round {closed.beacon_round}, due at")
    let_round_come(period)
    assert shown(desk, period)["waits"].startswith("all is known for ")
    periods_draw()
    seen = shown(desk, period)
    drawn = Period.objects.select_related("winner", "prize_order").get(pk=period.pk)
    assert (seen["waits"], seen["number"]) == ("-", str(drawn.number))
    assert seen["winner_shown"].startswith(drawn.winner.entry_no)
    assert seen["prize_order_shown"] == drawn.prize_order.order_no


def test_a_beacon_that_does_not_answer_is_told_on_the_page(desk, settings):
    settings.LOTTERY_DRAND_RELAYS = ["http://127.0.0.1:1"]
    period = make_period(beacon="drand")
    sell(period)
    close(period)
    let_round_come(period)

    assert periods_draw() == 0

    words = shown(desk, period)["waits"]
    assert words.startswith("can&#x27;t be drawn for ")
    assert "http://127.0.0.1:1: ClientConnectorError" in words


def test_rows_that_are_not_those_that_were_published_are_told_on_the_page(desk):
    period = make_period(total_shares=2)
    sell(period)
    close(period)
    let_round_come(period)
    Entry.objects.update(nonce="00" * 16)

    assert periods_draw() == 0

    assert "its rows are not those that were published" in shown(desk, period)["waits"]


def test_a_cancelled_period_tells_whether_its_money_is_back(desk, coin):
    period = make_period(
        sku=coin, minimum_shares=5, ends_at=timezone.now() + timedelta(hours=1), auto_renew=True
    )
    sell(period, 2)
    let_pass(period, hours=2)
    periods_sweep()
    assert shown(desk, period)["takings"] == "10 points, gone back"

    Entry.objects.update(status="confirmed")

    seen = shown(desk, period)
    assert seen["takings"] == "10 points, going back"
    assert seen["waits"] == "cancelled; its money goes back, some is not there yet"
    assert seen["neighbours"] == str(Period.objects.get(previous=period).pk)


# --- the public number


@pytest.fixture
def classic():
    period = make_classic()
    sell(period)
    return close(period)


@pytest.fixture
def second_desk():
    """The browser of another operator."""
    client = Client()
    client.force_login(make_user("second", is_staff=True, is_superuser=True))
    return client


def test_the_public_number_stands_when_two_operators_have_typed_in_the_same(
    desk, operator, second_desk, classic
):
    assert shown(desk, classic)["waits"] == "waits for the public number, from two operators"
    first = desk.post(page_of(classic, "number"), {"number": "00042"})
    assert said(first)[0].startswith("Noted. It stands as soon as another operator")
    assert read(classic).public_number is None
    assert shown(desk, classic)["waits"].endswith("from another operator than operator")

    # The other one must have read it, not seen it here.
    for address in (page_of(classic), page_of(classic, "number"), page_of(classic, "history")):
        assert "00042" not in second_desk.get(address).content.decode()
    wrong = second_desk.post(page_of(classic, "number"), {"number": "00043"})
    assert said(wrong)[0].startswith("Noted.")
    assert shown(desk, classic)["waits"].endswith("operator, second have typed in different ones")
    right = second_desk.post(page_of(classic, "number"), {"number": "00042"})

    assert said(right)[-1] == "The public number stands; the draw follows at once."
    assert read(classic).public_number == 42
    assert [message for _who, _flag, message in logged(classic)] == [
        "Public number typed in",
        "Public number typed in",
        "Public number 00042 stands",
    ]
    assert periods_draw() == 1
    assert audit().broken == {}


@pytest.mark.parametrize("number", ["", "42", "123456", "1234x", "-0042", "１２３４５"])
def test_a_public_number_has_five_digits(desk, classic, number):
    response = desk.post(page_of(classic, "number"), {"number": number})

    assert list(response.context["form"].errors) == ["number"]
    assert not PublicNumber.objects.exists()


def test_a_period_that_is_open_takes_no_public_number(desk):
    period = make_classic()

    assert "number" not in offered(desk, period)
    response = desk.post(page_of(period, "number"), {"number": "00042"})

    assert response.context["form"].errors == {
        "number": ["This period waits for no public number."]
    }


# --- no more after it


def test_a_chain_is_stopped_at_its_last_period_whatever_is_sold(desk, operator, coin):
    first = make_period(total_shares=1, sku=coin, auto_renew=True)
    sell(first)
    periods_sweep()
    second = Period.objects.get(previous=first)
    sell(second, to=rich())

    response = desk.post(page_of(first, "stop"))
    periods_sweep()

    assert said(response) == ["No period follows."]
    assert not Period.objects.filter(previous=second).exists()
    assert logged(second) == [(operator.pk, CHANGE, "No period follows")]
    again = desk.post(page_of(first, "stop"))
    assert said(again)[-1] == "None was to follow; nothing changed now."
    assert len(logged(second)) == 1


def test_a_chain_without_a_prize_is_left_until_there_is_one():
    coin = make_sku(stock=1)
    period = make_period(total_shares=1, sku=coin, auto_renew=True)
    sell(period)
    periods_sweep()
    assert periods_sweep() == 0

    run(lambda: pools.adjust({coin.pool_id: 1}, reference="more"))

    assert periods_sweep() == 1
    assert Period.objects.get(previous=period).status == "open"


def test_a_renewal_that_was_under_way_when_it_was_stopped_opens_nothing(operator):
    seen_by_a_sweeper = make_period(total_shares=1, auto_renew=True)
    period_stop_renewal(seen_by_a_sweeper, operator=operator)

    assert period_renew(seen_by_a_sweeper) is None
    assert Period.objects.count() == 1


def test_periods_for_money_are_followed_by_none_once_the_settings_forbid_it(settings):
    settings.LOTTERY_FOR_MONEY = True
    period = make_period(
        total_shares=2,
        minimum_shares=2,
        currency="cny",
        auto_renew=True,
        ends_at=timezone.now() + timedelta(hours=1),
    )
    settings.LOTTERY_FOR_MONEY = False
    let_pass(period, hours=2)

    periods_sweep()

    assert read(period).status == "cancelled"
    assert period_renew(period) is None
    assert Period.objects.count() == 1
    assert periods_sweep() == 0


# --- cancelling


def test_a_period_without_shares_is_cancelled_and_its_prize_is_back(desk, operator, coin):
    period = make_period(sku=coin, auto_renew=True, gated=False)
    assert offered(desk, period) == ["stop", "cancel"]

    response = desk.post(page_of(period, "cancel"))
    periods_sweep()

    assert said(response) == ["The period is cancelled."]
    cancelled = read(period)
    assert (cancelled.status, cancelled.shares_sold, cancelled.pool.open) == ("cancelled", 0, False)
    assert counters(coin.pool) == (3, 0)
    assert Period.objects.count() == 1
    with pytest.raises(Ended):
        enter(rich(), period)
    desk.post(page_of(period, "cancel"))
    assert logged(period) == [(operator.pk, CHANGE, "Cancelled")]
    assert counters(coin.pool) == (3, 0)
    assert audit().broken == {}


def test_what_waits_is_settled_first_and_keeps_the_period(desk, period, coin):
    waiting = enter(rich(), period, 2)

    response = desk.post(page_of(period, "cancel"))

    refusal = ["Shares of it are sold: only its draw ends it now."]
    assert response.context["form"].non_field_errors() == refusal
    assert read(period).status == "open"
    assert Entry.objects.get(pk=waiting.pk).status == "confirmed"
    assert counters(coin.pool) == (2, 1)
    assert "cancel" not in offered(desk, period)
    assert logged(period) == []


@pytest.mark.parametrize("state", ["closed", "drawn"])
def test_a_period_that_is_over_is_not_cancelled(operator, state):
    period = make_period(total_shares=2)
    sell(period)
    close(period)
    if state == "drawn":
        let_round_come(period)
        periods_draw()
    before = facts()

    with pytest.raises(Invalid):
        period_cancel(period, operator=operator)

    assert facts() == before


# --- verifying


def test_the_verifier_says_on_a_page_what_it_would_say_to_a_stranger(desk_of, coin):
    period = sell_and_draw(make_period(sku=coin))
    desk = desk_of("view_period")
    before = facts()

    response = desk.get(page_of(period, "verify"))

    verdicts = {step.name: step.verdict for step in response.context["checked"]}
    assert verdicts.pop("beacon's signature") == "NOT CHECKED"  # the shop's own beacon
    assert verdicts.pop("your receipt") == "NOT CHECKED"
    assert set(verdicts.values()) == {"ok"}
    assert {"saved commitment", "saved root", "saved round", "announced number"} <= set(verdicts)
    page = response.content.decode()
    proof = f"http://testserver/api/v1/lottery/periods/{period.pk}/proof"
    assert f"python lottery/verify_draw.py {proof} --commitment {period.commitment}" in page
    assert facts() == before


def test_who_may_not_look_at_periods_is_refused_the_verifier(desk_of):
    period = sell_and_draw(make_period())
    assert desk_of("view_entry").get(page_of(period, "verify")).status_code == 403


def test_a_draw_that_was_tampered_with_shows(desk):
    period = sell_and_draw(make_period())
    Period.objects.filter(pk=period.pk).update(root="0" * 64)

    checked = desk.get(page_of(period, "verify")).context["checked"]

    assert [step.name for step in checked if step.verdict == "WRONG"] == ["saved root"]


def test_a_large_proof_is_left_to_the_command(desk, monkeypatch):
    period = sell_and_draw(make_period())
    monkeypatch.setattr("lottery.checking.MOST_ENTRIES", 0)

    response = desk.get(page_of(period, "verify"))

    assert response.context["checked"] is None
    assert "Run the verifier on it:" in response.content.decode()


def test_there_is_nothing_to_verify_before_the_draw(desk, period):
    response = desk.get(page_of(period, "verify"))

    assert response.url == page_of(period)
    assert said(response) == ["There is no proof before the draw."]


# --- what no page does


@pytest.mark.parametrize("state", ["open", "closed", "classic", "drawn"])
def test_no_page_shows_the_seed(desk, state):
    period = make_classic() if state == "classic" else make_period(total_shares=4, auto_renew=True)
    entry = sell(period)
    if state != "open":
        close(period)
    if state == "drawn":
        let_round_come(period)
        periods_draw()
    steps = [page_of(period, name) for name in ("change", "history", "verify", *STEPS)]
    entries = reverse("admin:lottery_entry_changelist")
    pages = [LIST, OPEN, *steps, entries, page_of(entry), page_of(entry, "history")]

    for address in pages:
        page = desk.get(address, follow=True).content.decode()
        assert period.seed not in page
        assert entry.nonce not in page


def test_no_page_writes_a_fact_of_a_period(desk, period):
    sell(period, 2)
    before = facts()
    forged = {
        **{"seed": "00" * 32, "root": "0" * 64, "beacon_round": "1", "status": "drawn"},
        **{"number": "1000002", "winner": "1", "share_price": "1", "_save": "Save"},
    }

    assert desk.post(page_of(period), forged).status_code == 403
    assert desk.post(page_of(period, "delete"), {"post": "yes"}).status_code == 403
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [period.pk], "post": "yes"})
    assert facts() == before
    desk.post(page_of(period, "stop"), forged)
    assert facts()[:-1] == before[:-1]


@pytest.mark.parametrize("name", STEPS)
def test_who_may_only_look_is_refused_each_step(desk_of, period, name):
    desk = desk_of("view_period")
    before = facts()

    assert offered(desk, period) == []
    assert desk.get(page_of(period, name)).status_code == 403
    assert desk.post(page_of(period, name), STEPS[name]).status_code == 403
    assert facts() == before


@pytest.mark.parametrize("name", STEPS)
def test_looking_at_a_step_does_nothing(desk, period, name):
    before = facts()
    assert desk.get(page_of(period, name)).status_code == 200
    assert facts() == before


def test_a_period_without_a_gate_has_none_to_rebuild(desk, period):
    response = desk.post(page_of(period, "rebuild"))
    assert response.context["form"].non_field_errors() == ["There is no gate to rebuild."]
