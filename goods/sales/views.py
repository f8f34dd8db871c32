"""Flash sales over HTTP: public lists, and the token that an order of a protected sale needs."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from goods.sales import selectors
from goods.sales.admission import token_for
from goods.sales.captcha import captcha_issue
from goods.sales.models import FlashSale
from goods.sales.serializers import (
    CaptchaSerializer,
    FlashSaleSerializer,
    SalesQuery,
    TokenRequestSerializer,
    TokenSerializer,
)
from shop.api.pagination import PageNumbers
from shop.errors import CaptchaFailed, Ended, NotStarted, Paused, RateLimited


class TimedPages(PageNumbers):
    timed = True


class FlashSalesView(ListAPIView[FlashSale]):
    """Flash sales, those that end last first."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class = TimedPages
    serializer_class = FlashSaleSerializer
    queryset = FlashSale.objects.none()  # `get` asks the selectors; the schema asks here

    @extend_schema(parameters=[SalesQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = SalesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = self.paginate_queryset(selectors.sales_page(**query.validated_data))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class FlashSaleView(GenericAPIView[FlashSale]):
    """One flash sale."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = FlashSaleSerializer

    def get(self, request: Request, sale_id: int) -> Response:
        return Response(self.get_serializer(selectors.sale_get(sale_id)).data)


class SaleTokenView(APIView):
    permission_classes = (IsAuthenticated,)
    refusals = (NotStarted, Ended, Paused, CaptchaFailed, RateLimited)

    @extend_schema(request=TokenRequestSerializer, responses=TokenSerializer)
    def post(self, request: Request, sale_id: int) -> Response:
        """A one-time token for one order of this sale by this shopper, once it has started."""
        body = TokenRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        issued = token_for(sale_id=sale_id, user_id=request.user.pk, **body.validated_data)
        return Response(TokenSerializer(issued).data, headers={"Cache-Control": "no-store"})


class CaptchaView(APIView):
    """A new picture each time; public."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=CaptchaSerializer)
    def get(self, request: Request) -> Response:
        """A picture with letters to read, and the id to send along with them."""
        return Response(
            CaptchaSerializer(captcha_issue()).data, headers={"Cache-Control": "no-store"}
        )
