"""GET /categories, /goods and /goods/{id}: public, in the reader's language."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from goods import selectors
from goods.models import Category, Goods
from goods.serializers import CategorySerializer, GoodsQuery, GoodsSerializer


class CategoriesView(ListAPIView[Category]):
    """All categories."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = CategorySerializer
    queryset = selectors.categories()


class GoodsListView(ListAPIView[Goods]):
    """Goods on the shelf, filtered, searched and ordered."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = GoodsSerializer
    queryset = Goods.objects.none()  # `get` asks the selectors; the schema asks here

    @extend_schema(parameters=[GoodsQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = GoodsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        ids = self.paginate_queryset(selectors.goods_ids(**query.validated_data))
        page = selectors.goods_page(ids or [])
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class GoodsView(GenericAPIView[Goods]):
    """One goods on the shelf."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = GoodsSerializer

    def get(self, request: Request, goods_id: int) -> Response:
        return Response(self.get_serializer(selectors.goods_get(goods_id)).data)
