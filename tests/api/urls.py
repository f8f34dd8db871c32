"""A small shop of views that fail, or echo, each in one way."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.api.fields import StrictIntegerField
from shop.errors import Busy, InsufficientStock

handler400 = "shop.api.problems.handler400"
handler403 = "shop.api.problems.handler403"
handler404 = "shop.api.problems.handler404"
handler500 = "shop.api.problems.handler500"

FAILURES: dict[str, Exception] = {
    "refusal": InsufficientStock(sku=7, available=2),
    "busy": Busy(retry_after=3),
    "bug": ZeroDivisionError("secret of the house"),
    "throttled": exceptions.Throttled(wait=4.2),
    "lock-wait": OperationalError(1205, "Lock wait timeout exceeded"),
    "deadlock": OperationalError(1213, "Deadlock found"),
    "sqlite-busy": OperationalError("database is locked"),
    "lost": OperationalError(2013, "Lost connection to server during query"),
    "closed": InterfaceError(0, ""),
    "syntax": OperationalError(1054, "Unknown column"),
    "too-deep": RecursionError(),
}


class Item(serializers.Serializer[Any]):
    count = StrictIntegerField(min_value=1)


class Basket(serializers.Serializer[Any]):
    items = Item(many=True)
    numbers = serializers.ListField(child=StrictIntegerField(), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["items"] == []:
            raise serializers.ValidationError("An empty basket.", code="empty")
        return attrs


class Open(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Fail(Open):
    def get(self, request: Request, name: str) -> Response:
        raise FAILURES[name]


class Check(Open):
    def post(self, request: Request) -> Response:
        basket = Basket(data=request.data)
        basket.is_valid(raise_exception=True)
        return Response(basket.validated_data)


class Echo(Open):
    def post(self, request: Request) -> Response:
        return Response({"body": request.data})

    def get(self, request: Request) -> Response:
        return Response({"query": request.query_params.dict()})


class Unrenderable(Open):
    def get(self, request: Request) -> Response:
        return Response({"price": float("nan")})


class Operators(APIView):
    permission_classes = (IsAdminUser,)

    def get(self, request: Request) -> Response:
        return Response({})


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("no")


urlpatterns = [
    path("api/v1/fail/<str:name>", Fail.as_view()),
    path("api/v1/check", Check.as_view()),
    path("api/v1/echo", Echo.as_view()),
    path("api/v1/unrenderable", Unrenderable.as_view()),
    path("api/v1/operators", Operators.as_view()),
    path("api/v1/suspicious", suspicious),
]
