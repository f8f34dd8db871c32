"""Coupons over HTTP: who may ask, and translation. No decisions."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.coupons import selectors
from orders.coupons.models import Coupon
from orders.coupons.serializers import (
    CouponSerializer,
    IssuedCouponSerializer,
    IssuedCouponsQuery,
)
from orders.coupons.services import coupon_claim
from shop.api.idempotency import keyed_response, request_key
from shop.api.pagination import Keyset, PageNumbers
from shop.errors import Ended, NotFound, NotStarted, PurchaseLimit, SoldOut


class TimedPages(PageNumbers):
    timed = True


class OwnPages(Keyset):
    timed = True


class CouponsView(ListAPIView[Coupon]):
    """Coupons on offer; public."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class = TimedPages
    serializer_class = CouponSerializer
    queryset = Coupon.objects.none()  # `get` asks the selectors; the schema asks here

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Coupons that can be claimed now or later, and those that ran out, newest first."""
        page = self.paginate_queryset(selectors.coupons_offered())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class CouponClaimView(APIView):
    """For a logged-in shopper."""

    permission_classes = (IsAuthenticated,)
    idempotent = True
    refusals = (NotFound, NotStarted, Ended, SoldOut, PurchaseLimit)

    @extend_schema(request=None, responses={201: IssuedCouponSerializer})
    def post(self, request: Request, coupon_id: int) -> Response:
        """Claims one. It is the shopper's until an order uses it, or it expires."""
        key = request_key(request, route="coupon-claims")
        answer = coupon_claim(key=key, coupon_id=coupon_id)
        issued = selectors.issued_of(request.user).get(pk=answer.row.pk)
        return keyed_response(IssuedCouponSerializer(issued).data, answer)


class MyCouponsView(APIView):
    """For a logged-in shopper, about what is theirs."""

    permission_classes = (IsAuthenticated,)
    pagination_class = OwnPages

    @extend_schema(
        operation_id="me_coupons_list",
        parameters=[IssuedCouponsQuery],
        responses=IssuedCouponSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The shopper's coupons, newest first."""
        wanted = IssuedCouponsQuery(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        pages = OwnPages()
        issued = selectors.issued_of(request.user, **wanted.validated_data)
        page = pages.paginate_queryset(issued, request, view=self)
        return pages.get_paginated_response(IssuedCouponSerializer(page, many=True).data)
