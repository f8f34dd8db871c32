"""Finding coupons from anywhere in the console."""

from django.db.models import QuerySet

from orders.coupons.models import Coupon, IssuedCoupon
from shop.backoffice.search import ID, NUMBER, finder


@finder("coupons.issuedcoupon", NUMBER)
def by_number(term: str) -> QuerySet[IssuedCoupon]:
    """A piece, as somebody has claimed it, by its number."""
    return IssuedCoupon.objects.filter(coupon_no=term)


@finder("coupons.coupon", ID)
def by_id(term: str) -> QuerySet[Coupon]:
    """An issue by its id."""
    return Coupon.objects.filter(pk=term)
