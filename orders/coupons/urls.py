"""Addresses of coupons, below /api/v1."""

from django.urls import path

from orders.coupons import views
from shop.api import converters  # noqa: F401  # registers <id:>

urlpatterns = [
    path("coupons", views.CouponsView.as_view(), name="coupons"),
    path("coupons/<id:coupon_id>/claim", views.CouponClaimView.as_view(), name="coupon-claim"),
    path("me/coupons", views.MyCouponsView.as_view(), name="my-coupons"),
]
