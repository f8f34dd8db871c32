"""Periods, entries, draws and proofs over HTTP: who may ask, and translation. No decisions."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lottery import selectors
from lottery.entered import entered
from lottery.entries import EntryRequest, entry_place
from lottery.models import Period
from lottery.proof import period_proof
from lottery.serializers import (
    AcceptedEntrySerializer,
    EntryRequestSerializer,
    EntrySerializer,
    PeriodSerializer,
    PeriodsQuery,
    WinnerSerializer,
)
from shop.accounts.authentication import TrustedTokenAuthentication
from shop.accounts.rates import client_address
from shop.api.idempotency import request_key
from shop.api.pagination import Keyset, PageNumbers
from shop.errors import (
    Ended,
    InsufficientBalance,
    InsufficientStock,
    NotFound,
    PermissionDenied,
    PurchaseLimit,
    SoldOut,
)


class TimedPages(PageNumbers):
    timed = True


class TimedKeyset(Keyset):
    timed = True


class PublicList(ListAPIView[Period]):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    pagination_class = TimedPages
    queryset = Period.objects.none()  # `get` asks the selectors; the schema asks here


class PeriodsView(PublicList):
    """Periods, newest first."""

    serializer_class = PeriodSerializer

    @extend_schema(parameters=[PeriodsQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = PeriodsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = self.paginate_queryset(selectors.periods_page(**query.validated_data))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class WinnersView(PublicList):
    """Draws, the last one first."""

    serializer_class = WinnerSerializer

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(selectors.winners())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class PeriodView(GenericAPIView[Period]):
    """One period."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PeriodSerializer

    def get(self, request: Request, period_id: int) -> Response:
        return Response(self.get_serializer(selectors.period_get(period_id)).data)


class ProofView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, period_id: int) -> HttpResponse:
        """The transcript of a draw, as docs/draw.md specifies it: the same bytes each time. There
        is none before the draw."""
        return HttpResponse(period_proof(period_id), content_type="application/json")


class EntriesView(APIView):
    authentication_classes = (TrustedTokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    idempotent = True
    refusals = (
        NotFound,
        Ended,
        SoldOut,
        InsufficientStock,
        PurchaseLimit,
        InsufficientBalance,
        PermissionDenied,
    )

    @extend_schema(
        request=EntryRequestSerializer,
        responses={201: EntrySerializer, 202: AcceptedEntrySerializer},
    )
    def post(self, request: Request, period_id: int) -> Response:
        """Buys shares from the wallet. 201 has them; 202 is in the queue, and its entry says soon
        whether it got them."""
        key = request_key(request, route="entries")
        body = EntryRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        answer = entry_place(
            key=key,
            wanted=EntryRequest(
                period_id=period_id,
                shares=body.validated_data["shares"],
                allow_partial=body.validated_data.get("allow_partial", False),
                client_address=client_address(request),
            ),
        )
        found = entered(answer)
        return Response(found.data, status=found.status, headers=found.headers)


class MyEntriesView(APIView):
    permission_classes = (IsAuthenticated,)
    pagination_class = TimedKeyset

    @extend_schema(operation_id="entries_mine", responses=EntrySerializer(many=True))
    def get(self, request: Request, period_id: int) -> Response:
        """What the shopper has in this period, newest first."""
        pages = TimedKeyset()
        entries = selectors.entries_of(request.user, period_id=period_id)
        page = pages.paginate_queryset(entries, request, view=self)
        return pages.get_paginated_response(EntrySerializer(page, many=True).data)


class EntryView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=EntrySerializer)
    def get(self, request: Request, entry_no: str) -> Response:
        """One entry as it stands now."""
        return Response(EntrySerializer(selectors.entry_of(request.user.pk, entry_no)).data)
