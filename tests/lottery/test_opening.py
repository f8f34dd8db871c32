"""Opening periods: terms that make no sense, prizes, references, and the one that follows."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from lottery.closing import periods_sweep
from lottery.draws.terms import commitment
from lottery.models import Period
from lottery.opening import PeriodPlan, period_open, period_renew
from lottery.proof import terms_of
from shop.errors import InsufficientStock, Invalid
from shop.pools.audit import audit
from shop.pools.models import Pool, PoolMovement, Queue
from shop.pools.services import adjust
from shop.transactions import run
from tests.factories import make_period, make_sku
from tests.kit.hows import code_of
from tests.kit.periods import let_pass, sell_out
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
# Terms are made when tests are collected, hours before some of them run.
MONTH = timedelta(days=30)
CLASSIC = {"scheme": "classic", "public_number_source": "the index of that day"}

SENSELESS: dict[str, tuple[str, dict[str, Any]]] = {
    "no title": ("prize_title", {"prize_title": " "}),
    "no price": ("share_price", {"share_price": 0}),
    "a price beyond all wallets": ("share_price", {"share_price": 10**9 + 1}),
    "no shares": ("total_shares", {"total_shares": 0}),
    "too many shares": ("total_shares", {"total_shares": 10**9 + 1}),
    "no least": ("minimum_shares", {"minimum_shares": 0}),
    "more sold than there are": ("minimum_shares", {"minimum_shares": 11}),
    "a limit below one": ("per_user_limit", {"per_user_limit": -1}),
    "numbers from nothing": ("first_number", {"first_number": 0}),
    "an end in the past": ("ends_at", {"ends_at": timezone.now() - HOUR}),
    "classic with an end": ("scheme", {**CLASSIC, "ends_at": timezone.now() + MONTH}),
    "classic without a source": ("public_number_source", {"scheme": "classic"}),
    "a beacon nobody knows": ("beacon", {"beacon": "dice"}),
    "money": ("currency", {"currency": "cny"}),
}


@pytest.mark.parametrize(("field", "terms"), SENSELESS.values(), ids=list(SENSELESS))
def test_terms_that_make_no_sense_open_nothing(field: str, terms: dict[str, Any]) -> None:
    coin = make_sku(stock=1)

    with pytest.raises(Invalid) as refused:
        make_period(sku=coin, **terms)

    assert [error["field"] for error in refused.value.data["errors"]] == [field]
    assert counters(coin.pool) == (1, 0)
    assert not Period.objects.exists()


def test_a_gate_needs_a_redis(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"]}

    with pytest.raises(Invalid) as refused:
        make_period(gated=True)

    assert refused.value.data["errors"][0]["field"] == "gated"


def test_what_is_committed_to_is_what_is_stored() -> None:
    ends_at = timezone.now() + HOUR
    period = make_period(total_shares=7, minimum_shares=3, per_user_limit=2, ends_at=ends_at)

    terms = terms_of(period)

    assert commitment(bytes.fromhex(period.seed), terms) == period.commitment
    assert (terms.total_shares, terms.minimum_shares, terms.per_user_limit) == (7, 3, 2)
    assert json.loads(period.terms)["beacon"]["name"] == "local"
    assert period.seed not in period.terms


def test_seeds_are_each_periods_own() -> None:
    assert len({make_period().seed for _ in range(5)}) == 5


def test_a_prize_is_one_unit_of_its_stock_as_long_as_the_period_runs() -> None:
    coin = make_sku(stock=2)
    for left in (1, 0):
        make_period(sku=coin)
        assert counters(coin.pool) == (left, 2 - left)

    with pytest.raises(InsufficientStock) as gone:
        make_period(sku=coin)

    assert gone.value.data == {"sku": coin.pk, "available": 0}
    assert Period.objects.count() == 2
    # Nothing of the third is left behind.
    assert Queue.objects.filter(kind="entries").count() == 2
    assert Pool.objects.filter(kind="period").count() == 2
    assert audit().broken == {}


def test_a_repeat_under_one_reference_finds_the_first_although_its_prize_is_gone() -> None:
    coin = make_sku(stock=1)
    plan = PeriodPlan("银币", share_price=1, total_shares=5, sku=coin, beacon="local")

    first, again = (period_open(plan, reference="form-7") for _ in range(2))

    assert first == again
    assert PoolMovement.objects.filter(reference="form-7", kind="take").count() == 1


# --- the next one


def test_the_next_one_has_the_same_terms_and_as_much_time(settings: Settings) -> None:
    period = make_period(
        total_shares=3,
        minimum_shares=2,
        per_user_limit=2,
        share_price=4,
        first_number=11,
        ends_at=timezone.now() + HOUR,
        auto_renew=True,
        placement="direct",
        strategy="pessimistic",
        prize_title_en="Coin",
        prize_image="coin.png",
    )
    let_pass(period, hours=2)
    before = timezone.now()
    periods_sweep()
    lasted = timezone.now() - before

    following = Period.objects.select_related("pool").get(previous=period)

    same = ("total_shares", "minimum_shares", "share_price", "first_number", "placement")
    same += ("prize_title", "prize_title_en", "prize_image", "currency", "scheme", "beacon")
    assert [getattr(following, name) for name in same] == [getattr(period, name) for name in same]
    assert (following.pool.strategy, following.pool.per_user_limit) == ("pessimistic", 2)
    assert (following.serial, following.auto_renew) == (2, True)
    was = period.ends_at - period.created_at
    assert abs((following.ends_at - following.created_at) - was) <= lasted
    assert terms_of(following).serial == "2"
    assert following.commitment != period.commitment


def test_a_period_is_followed_once() -> None:
    period = make_period(total_shares=1, auto_renew=True)
    sell_out(period)
    periods_sweep()

    first, again = (period_renew(Period.objects.get(pk=period.pk)) for _ in range(2))

    assert first == again
    assert Period.objects.count() == 2


def test_one_for_money_is_followed_by_none_where_money_is_not_allowed_any_more(
    settings: Settings,
) -> None:
    settings.LOTTERY_FOR_MONEY = True
    period = make_period(currency="cny", auto_renew=True, ends_at=timezone.now() + HOUR)
    let_pass(period, hours=2)
    settings.LOTTERY_FOR_MONEY = False

    periods_sweep()

    assert Period.objects.get().status == "cancelled"


def test_a_chain_whose_prizes_are_gone_goes_on_when_there_are_new_ones() -> None:
    coin = make_sku(stock=1)
    period = make_period(total_shares=1, sku=coin, auto_renew=True)
    sell_out(period)
    periods_sweep()
    assert Period.objects.count() == 1
    assert code_of(lambda: period_renew(Period.objects.get())) == ""
    assert Period.objects.count() == 1

    run(lambda: adjust({coin.pool_id: 1}, reference="restocked"))
    periods_sweep()

    assert Period.objects.get(previous=period).serial == 2
    assert counters(coin.pool) == (0, 2)
    assert audit().broken == {}
