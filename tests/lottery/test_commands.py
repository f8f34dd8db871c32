"""`open_period` and `draw_due`."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from lottery.models import Entry, Period
from shop.pools import gate
from shop.pools.audit import audit
from tests.factories import make_period, make_sku
from tests.kit.periods import close, let_pass, let_round_come, sell
from tests.kit.units import counters

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def command(name, *arguments):
    out = io.StringIO()
    call_command(name, *(str(argument) for argument in arguments), stdout=out)
    return out.getvalue()


def open_period(*arguments):
    return command("open_period", "银币", "--price", 5, "--shares", 10, *arguments)


# --- open_period


def test_a_period_that_is_open_until_it_is_sold_out():
    printed = open_period()

    period = Period.objects.select_related("pool").get()
    assert (period.share_price, period.total_shares, period.currency) == (5, 10, "points")
    assert (period.ends_at, period.sku, period.auto_renew) == (None, None, False)
    assert (period.pool.available, period.pool.gated) == (10, gate.configured())
    lines = [line.strip() for line in printed.splitlines()]
    assert lines[0] == f"Period {period.pk}: 银币 第1期"
    assert lines[1] == "10 shares at 5 points, open until it is sold out"
    assert lines[3:] == [
        f"commitment {period.commitment}",
        f"/api/v1/lottery/periods/{period.pk}",
    ]
    assert period.seed not in printed


def test_every_term_can_be_said(settings):
    settings.LOTTERY_FOR_MONEY = True
    coin = make_sku(stock=2)

    open_period(
        *("--sku", coin.code, "--title-en", "Silver coin", "--image", "/coin.png"),
        *("--minimum", 2, "--limit", 3, "--first-number", 500, "--serial", 7, "--renew"),
        *("--currency", "cny", "--ends", "2031-01-01T20:00", "--beacon", "local"),
        *("--placement", "direct", "--strategy", "pessimistic", "--gate", "off"),
    )

    period = Period.objects.select_related("pool").get()
    assert (period.sku, period.prize_title_en, period.prize_image) == (
        coin,
        "Silver coin",
        "/coin.png",
    )
    assert (period.minimum_shares, period.pool.per_user_limit) == (2, 3)
    assert (period.first_number, period.serial, period.auto_renew) == (500, 7, True)
    # Without an offset in the shop's time zone, which is eight hours before UTC.
    assert period.ends_at == datetime(2031, 1, 1, 12, 0, tzinfo=UTC)
    assert (period.currency, period.beacon, period.placement) == ("cny", "local", "direct")
    assert (period.pool.strategy, period.pool.gated) == ("pessimistic", False)
    assert counters(coin.pool) == (1, 1)


def test_a_classic_one_says_which_number_it_will_use():
    open_period("--scheme", "classic", "--public-number-source", "the lottery of that day")

    period = Period.objects.get()
    assert (period.scheme, period.beacon) == ("classic", "")
    assert period.public_number_source == "the lottery of that day"


def test_machines_are_told_in_json_and_the_same_reference_finds_the_same_period(api):
    first = json.loads(open_period("--json", "--reference", "autumn", "--for", 60))
    again = json.loads(open_period("--json", "--reference", "autumn", "--for", 60))

    period = Period.objects.get()
    assert first == again
    assert (first["id"], first["prize_title"], first["share_price"]) == (period.pk, "银币", 5)
    assert first["commitment"] == period.commitment
    assert datetime.fromisoformat(first["ends_at"]) > timezone.now() + timedelta(minutes=59)
    assert api.get(first["address"]).json()["id"] == period.pk


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--shares", 0), "--shares: From 1 to 1000000000. Nothing was changed."),
        (("--price", 0), "--price: From 1 to"),
        (("--minimum", 11), "--minimum: From 1 to 10."),
        (("--limit", 0), "--limit: From 1 to"),
        (("--serial", 0), "--serial: From 1 to"),
        (("--title-en", "x" * 121), "--title-en: At most 120 characters."),
        (("--image", "x" * 501), "--image: At most 500 characters."),
        (("--ends", "9999-12-31T23:59"), "--ends: A year up to 9000."),
        (("--currency", "cny"), "--currency: This shop sells shares for points only."),
        (("--currency", "usd"), "--currency: invalid choice"),
        (("--ends", "2001-01-01T20:00"), "--ends is over"),
        (("--ends", "tonight"), "tonight is not a moment such as"),
        (("--for", 0), "--for is a number of minutes above 0"),
        (("--scheme", "classic"), "--public-number-source: Say, before anybody can know it"),
        (
            ("--scheme", "classic", "--public-number-source", "x", "--for", 5),
            "--scheme: The classic formula is for periods that are sold out",
        ),
        (("--beacon", "moon"), "--beacon: invalid choice"),
        (("--sku", "TEA-0"), "No SKU has the code TEA-0"),
        (("--reference", "x" * 65), "--reference is up to 64 printable characters"),
    ],
)
def test_what_cannot_be_meant_is_named_and_opens_nothing(arguments, problem):
    with pytest.raises(CommandError) as refusal:
        open_period(*arguments)

    assert problem in str(refusal.value)
    assert not Period.objects.exists()


def test_a_title_of_nothing_and_a_prize_that_is_gone_are_named():
    gone = make_sku(stock=0)

    with pytest.raises(CommandError, match=f"{gone.code} is out of stock. Nothing was changed."):
        open_period("--sku", gone.code)
    with pytest.raises(CommandError, match="TITLE: Say what can be won"):
        command("open_period", " ", "--price", 5, "--shares", 10)


# --- draw_due


def test_what_is_due_is_done_and_told():
    decided = make_period(total_shares=1)
    winner = sell(decided)
    close(decided)
    let_round_come(decided)
    ended = make_period(
        minimum_shares=5, auto_renew=True, ends_at=timezone.now() + timedelta(hours=1)
    )
    entry = sell(ended, 2)
    let_pass(ended, hours=2)
    sold_out = make_period(total_shares=2)
    sell(sold_out)

    printed = command("draw_due").splitlines()

    drawn, following = Period.objects.get(pk=decided.pk), Period.objects.get(previous=ended)
    assert printed[:4] == [
        f"Period {decided.pk} is drawn: number {drawn.number}, of entry {winner.entry_no}.",
        f"Period {ended.pk} is cancelled.",
        f"Period {sold_out.pk} is closed.",
        f"Period {following.pk} is open; it follows period {ended.pk}.",
    ]
    assert printed[4].startswith(f"Period {sold_out.pk}: waits for round")
    assert printed[5:] == ["Drawn: 1. Still waiting: 1."]
    assert Entry.objects.get(pk=entry.pk).status == "refunded"
    assert audit().broken == {}
    assert command("draw_due").splitlines()[1:] == ["Drawn: 0. Still waiting: 1."]


def test_a_beacon_that_does_not_answer_is_named(settings):
    settings.LOTTERY_DRAND_RELAYS = ["http://127.0.0.1:1"]
    period = make_period(total_shares=1, beacon="drand")
    sell(period)
    close(period)
    let_round_come(period)

    [waiting, summary] = command("draw_due").splitlines()

    assert waiting.startswith(f"Period {period.pk}: can't be drawn for ")
    assert "http://127.0.0.1:1: ClientConnectorError" in waiting
    assert summary == "Drawn: 0. Still waiting: 1."


def test_there_may_be_nothing_to_do():
    make_period()
    assert command("draw_due") == "Drawn: 0. Still waiting: 0.\n"
