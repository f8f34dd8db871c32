"""Coupons as they stand now, by the database's clock: those on offer, and a shopper's own."""

from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.db.models.functions import Now

from orders.coupons.models import Coupon, IssuedCoupon

if TYPE_CHECKING:
    from shop.accounts.models import User


class Offer(StrEnum):
    """Whether a coupon can be claimed."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    SOLD_OUT = "sold_out"
    ENDED = "ended"


class Standing(StrEnum):
    """How an issued coupon stands."""

    ISSUED = "issued"
    USED = "used"
    EXPIRED = "expired"


def has_ended() -> Q:
    """Claimed no more: its time is up, or it was stopped."""
    return Q(ends_at__lte=Now()) | Q(pool__open=False)


def coupons_now() -> QuerySet[Coupon]:
    """All coupons, each with `status_now` and `db_now`."""
    return Coupon.objects.select_related("pool").annotate(
        db_now=Now(),
        status_now=Case(
            When(has_ended(), then=Value(Offer.ENDED.value)),
            When(starts_at__gt=Now(), then=Value(Offer.SCHEDULED.value)),
            When(pool__available__lte=0, then=Value(Offer.SOLD_OUT.value)),
            default=Value(Offer.OPEN.value),
            output_field=CharField(),
        ),
    )


def coupons_offered() -> QuerySet[Coupon]:
    """Those that can be claimed now or later, and those that ran out; newest first."""
    return coupons_now().exclude(has_ended()).order_by("-pk")


def issued_now() -> QuerySet[IssuedCoupon]:
    """All issued coupons, each with `status_now` and `db_now`."""
    return IssuedCoupon.objects.annotate(
        db_now=Now(),
        status_now=Case(
            When(status=IssuedCoupon.Status.USED, then=Value(Standing.USED.value)),
            When(expires_at__lte=Now(), then=Value(Standing.EXPIRED.value)),
            default=Value(Standing.ISSUED.value),
            output_field=CharField(),
        ),
    )


def issued_of(user: "User", *, status: str | None = None) -> QuerySet[IssuedCoupon]:
    """A shopper's coupons, newest first; `status` keeps those that stand so."""
    issued = issued_now().filter(user=user).select_related("coupon", "order").order_by("-pk")
    return issued.filter(status_now=status) if status else issued  # type: ignore[misc]
