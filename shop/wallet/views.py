"""The shopper's own wallet over HTTP, to read. What fills it is a payment (`orders.payments`)."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.api.pagination import Keyset
from shop.wallet import selectors
from shop.wallet.serializers import PostingSerializer, PostingsQuery, WalletSerializer


class WalletView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=WalletSerializer)
    def get(self, request: Request) -> Response:
        """What the shopper has."""
        return Response(WalletSerializer(selectors.balances_of(request.user)).data)


class PostingsView(APIView):
    permission_classes = (IsAuthenticated,)
    pagination_class = Keyset

    @extend_schema(
        operation_id="wallet_postings_list",
        parameters=[PostingsQuery],
        responses=PostingSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What came into the wallet and went out of it, newest first."""
        query = PostingsQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        postings = selectors.postings_of(request.user, **query.validated_data)
        pages = self.pagination_class()
        page = pages.paginate(postings, request)
        return pages.get_paginated_response(PostingSerializer(page, many=True).data)
