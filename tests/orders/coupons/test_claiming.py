"""Claiming coupons: their issue is a pool, limits hold, and what was created stands."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from orders.coupons.models import Coupon, IssuedCoupon, Scope
from orders.coupons.services import coupon_add, coupon_create, coupon_stop
from shop.errors import (
    Ended,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    NotStarted,
    PurchaseLimit,
    SoldOut,
)
from shop.pools.audit import audit
from shop.pools.models import PoolMovement
from tests.factories import make_user
from tests.kit.coupons import claim, make_coupon, make_plan
from tests.kit.units import counters, held_by

pytestmark = [pytest.mark.django_db]


def test_a_claim_takes_one_of_the_issue_and_is_valid_from_then_on(shopper):
    coupon = make_coupon(total=3, use_days=2)
    issued = claim(shopper, coupon)
    assert counters(coupon.pool) == (2, 1)
    assert held_by(shopper.pk, coupon.pool) == 1
    assert issued.status == "issued"
    assert issued.valid_from == issued.claimed_at
    assert issued.expires_at - issued.claimed_at == timedelta(days=2)
    assert audit().broken == {}


def test_a_coupon_with_a_window_of_its_own_is_valid_in_it_whenever_it_was_claimed(shopper):
    start = timezone.now().replace(microsecond=0) + timedelta(days=3)
    until = start + timedelta(days=4)
    issued = claim(shopper, make_coupon(use_from=start, use_until=until))
    assert (issued.valid_from, issued.expires_at) == (start, until)
    later = claim(shopper, make_coupon(use_from=start, use_days=1))
    assert (later.valid_from, later.expires_at) == (start, start + timedelta(days=1))


def test_a_claim_repeated_with_its_key_is_the_same_claim(shopper):
    coupon, other = make_coupon(), make_coupon()
    first = claim(shopper, coupon, key="k")
    assert claim(shopper, coupon, key="k").pk == first.pk
    with pytest.raises(IdempotencyKeyReused):
        claim(shopper, other, key="k")
    assert counters(coupon.pool) == (9, 1)


@pytest.mark.parametrize("limit", [1, 2, None])
def test_no_shopper_claims_more_than_the_limit(shopper, limit):
    coupon = make_coupon(total=3, per_user_limit=limit)
    for _ in range(limit or 3):
        claim(shopper, coupon)
    with pytest.raises(PurchaseLimit if limit else SoldOut):
        claim(shopper, coupon)
    assert IssuedCoupon.objects.count() == (limit or 3)
    assert audit().broken == {}


def test_what_is_not_there_not_yet_or_no_more_can_t_be_claimed(shopper, operator):
    now = timezone.now()
    early = make_coupon(starts_at=now + timedelta(minutes=1))
    late = make_coupon(starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1))
    stopped = make_coupon()
    assert coupon_stop(stopped, operator=operator) is True
    assert coupon_stop(stopped, operator=operator) is False
    for coupon, refusal in ((early, NotStarted), (late, Ended), (stopped, Ended)):
        with pytest.raises(refusal):
            claim(shopper, coupon)
    with pytest.raises(NotFound):
        claim(shopper, Coupon(pk=10**6))
    assert not IssuedCoupon.objects.exists()
    assert not PoolMovement.objects.filter(kind="take").exists()


def test_a_stop_between_look_and_take_is_an_end(shopper, operator, monkeypatch):
    coupon = make_coupon()
    monkeypatch.setattr(
        "orders.coupons.services._refuse_early",
        lambda *_: coupon_stop(coupon, operator=operator),
    )
    with pytest.raises(Ended):
        claim(shopper, coupon)
    assert counters(coupon.pool) == (10, 0)
    assert not IssuedCoupon.objects.exists()


def test_an_issue_is_added_to_through_the_ledger_once_for_its_reference(shopper, operator):
    coupon = make_coupon(total=1)
    claim(shopper, coupon)
    add = {"count": 5, "operator": operator, "reference": "r"}
    assert [coupon_add(coupon, **add), coupon_add(coupon, **add)] == [True, False]
    coupon.refresh_from_db()
    assert coupon.total == 6
    assert counters(coupon.pool) == (5, 1)
    moved = PoolMovement.objects.filter(pool=coupon.pool).order_by("pk")
    assert list(moved.values_list("kind", "delta")) == [("load", 1), ("take", -1), ("adjust", 5)]
    claim(make_user(), coupon)
    coupon_stop(coupon, operator=operator)
    with pytest.raises(Ended):
        coupon_add(coupon, **add | {"reference": "s"})
    assert audit().broken == {}


def test_a_coupon_created_twice_under_one_reference_is_one(operator):
    first, second = (
        coupon_create(make_plan(), operator=operator, reference="admin-1") for _ in range(2)
    )
    assert first.pk == second.pk
    assert Coupon.objects.count() == 1
    assert counters(first.pool) == (10, 0)


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("title", {"title": " "}),
        ("off_fen", {"off_fen": 0}),
        ("off_fen", {"off_fen": -1}),
        ("off_fen", {"off_fen": 10**12 + 1}),
        ("percent", {"kind": "percent", "percent": 0}),
        ("percent", {"kind": "percent", "percent": 101}),
        ("most_fen", {"kind": "percent", "most_fen": None}),
        ("minimum_fen", {"minimum_fen": -1}),
        ("total", {"total": 0}),
        ("per_user_limit", {"per_user_limit": 0}),
        ("category", {"scope": Scope.CATEGORY}),
        ("skus", {"scope": Scope.SKUS}),
        ("use_days", {"use_days": 0}),
        ("use_until", {"use_days": None}),
        ("use_until", {"use_until": timezone.now() + timedelta(minutes=1)}),
        ("ends_at", {"ends_at": timezone.now() - timedelta(days=1)}),
    ],
)
def test_terms_that_make_no_sense_create_nothing(db, field, terms):
    with pytest.raises(Invalid) as refused:
        make_coupon(**terms)
    assert [fault["field"] for fault in refused.value.data["errors"]] == [field]
    assert not Coupon.objects.exists()
    assert not PoolMovement.objects.exists()


def test_a_coupon_keeps_the_numbers_of_its_kind_only(db):
    plan = replace(make_plan(kind="freight"), off_fen=5, percent=5, most_fen=5)
    coupon = coupon_create(plan)
    assert (coupon.off_fen, coupon.percent, coupon.most_fen) == (0, 0, None)
