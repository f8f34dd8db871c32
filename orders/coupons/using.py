"""How orders use coupons: looked at by a quote, used in the transaction that settles the order, and
given back in the one that ends it.

One order uses a coupon by a conditional UPDATE; a batch locks its coupons in ascending order and
decides in memory, together with the units, so that of any number of orders with one coupon one gets
it. A coupon is locked under its order's lock and before the pools. Time is the request's to judge:
an order that was accepted in time may be settled later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import BigIntegerField, Case, Value, When
from django.db.models.functions import Now

from orders.coupons.models import IssuedCoupon
from shop.errors import CouponUnusable, NotFound, Refusal
from shop.pools.batch import Grant
from shop.pools.services import Claim

USED, EXPIRED, NOT_YET = "used", "expired", "not_yet"


class Uses(Protocol):
    """An order, as far as its coupon is concerned."""

    pk: int
    user_id: int
    coupon_id: int | None


def coupon_held(*, coupon_id: int, user_id: int) -> IssuedCoupon:
    """The user's issued coupon, to be priced with. Raises NotFound, also when it is somebody
    else's, and CouponUnusable when an order has it."""
    issued = (
        IssuedCoupon.objects.select_related("coupon").filter(pk=coupon_id, user_id=user_id).first()
    )
    if issued is None:
        raise NotFound(coupon=coupon_id)
    if issued.status != IssuedCoupon.Status.ISSUED:
        raise CouponUnusable(reason=USED)
    return issued


def coupon_use(order: Uses) -> None:
    """Makes the coupon that `order` names its own, in the transaction that settles the order.

    Raises CouponUnusable when another order has it; the caller rolls back.
    """
    free = IssuedCoupon.objects.filter(
        pk=order.coupon_id or 0, user_id=order.user_id, status=IssuedCoupon.Status.ISSUED
    )
    if not free.update(status=IssuedCoupon.Status.USED, order_id=order.pk, used_at=Now()):
        raise CouponUnusable(reason=USED)


def coupons_return(orders: Sequence[Uses]) -> None:
    """Gives back the coupons that `orders`, which the caller has locked and ended, have used; as
    valid as they were. One that its order has not, or no longer, is left alone."""
    coupon_ids = sorted(order.coupon_id for order in orders if order.coupon_id is not None)
    if not coupon_ids:
        return
    # By primary key, in the order in which a batch locks them.
    locked = IssuedCoupon.objects.select_for_update().filter(pk__in=coupon_ids).order_by("pk")
    list(locked.values_list("pk"))
    IssuedCoupon.objects.filter(
        pk__in=coupon_ids, order_id__in=[order.pk for order in orders]
    ).update(status=IssuedCoupon.Status.ISSUED, order_id=None, used_at=None)


@dataclass(frozen=True, slots=True)
class Wish:
    """The order that wants a coupon, and which."""

    order_id: int
    coupon_id: int


class CouponCondition:
    """`shop.pools.batch.Condition`: claims that want a coupon get it together with their units, or
    neither. `wishes`: by the claims' references."""

    def __init__(self, wishes: Mapping[str, Wish]) -> None:
        self._wishes = wishes
        # Coupon id -> whose it is, while no order has it; and -> the order that gets it.
        self._free: dict[int, int] = {}
        self._used: dict[int, int] = {}

    def lock(self, claims: Sequence[Claim]) -> None:
        wanted = sorted({wish.coupon_id for wish in self._wishes.values()})
        locked = IssuedCoupon.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
        for pk, user_id, status in locked.values_list("pk", "user_id", "status"):
            if status == IssuedCoupon.Status.ISSUED:
                self._free[pk] = user_id

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        wish = self._wishes.get(claim.reference)
        if wish is None:
            return None
        if self._free.get(wish.coupon_id) != claim.user_id:
            return CouponUnusable(reason=USED)
        del self._free[wish.coupon_id]
        self._used[wish.coupon_id] = wish.order_id
        return None

    def write(self, reference: str) -> None:
        if not self._used:
            return
        order_id = Case(
            *(When(pk=pk, then=Value(order_id)) for pk, order_id in self._used.items()),
            output_field=BigIntegerField(),
        )
        IssuedCoupon.objects.filter(pk__in=list(self._used)).update(
            status=IssuedCoupon.Status.USED, order_id=order_id, used_at=Now()
        )
