"""Accounts over HTTP: views that translate, and nothing else."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.accounts import services
from shop.accounts.selectors import address_of, addresses_of
from shop.accounts.serializers import (
    AddressRequestSerializer,
    AddressSerializer,
    LoginRequestSerializer,
    MeSerializer,
    RefreshRequestSerializer,
    RegisterRequestSerializer,
    SessionSerializer,
    TokensSerializer,
)
from shop.api.pagination import PageNumbers
from shop.errors import AuthenticationFailed, RateLimited


class PublicView(APIView):
    """For whoever has no token yet, or an expired one that must not stand in the way."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class RegisterView(PublicView):
    refusals = (RateLimited,)

    @extend_schema(request=RegisterRequestSerializer, responses={201: SessionSerializer})
    def post(self, request: Request) -> Response:
        """Registers a shopper and logs them in."""
        fields = valid_fields(RegisterRequestSerializer, request)
        session = services.register(request._request, **fields)
        return Response(SessionSerializer(session).data, status=201)


class LoginView(PublicView):
    refusals = (AuthenticationFailed, RateLimited)

    @extend_schema(request=LoginRequestSerializer, responses={200: SessionSerializer})
    def post(self, request: Request) -> Response:
        """Logs in by user name and password."""
        fields = valid_fields(LoginRequestSerializer, request)
        session = services.log_in(request._request, **fields)
        return Response(SessionSerializer(session).data)


class RefreshView(PublicView):
    refusals = (AuthenticationFailed,)

    @extend_schema(request=RefreshRequestSerializer, responses={200: TokensSerializer})
    def post(self, request: Request) -> Response:
        """A new pair of tokens for a refresh token, which is good for one use."""
        fields = valid_fields(RefreshRequestSerializer, request)
        session = services.refresh(token=fields["refresh"])
        return Response(TokensSerializer(session).data)


class MeView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={200: MeSerializer})
    def get(self, request: Request) -> Response:
        """Who is logged in, and whether the shop knows their phone number."""
        return Response(MeSerializer(request.user).data)


class AddressListView(APIView):
    permission_classes = (IsAuthenticated,)
    pagination_class = PageNumbers

    @extend_schema(responses={200: AddressSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The shopper's addresses, the default first."""
        pages = self.pagination_class()
        addresses = pages.paginate_queryset(addresses_of(request.user), request, self)
        return pages.get_paginated_response(AddressSerializer(addresses, many=True).data)

    @extend_schema(request=AddressRequestSerializer, responses={201: AddressSerializer})
    def post(self, request: Request) -> Response:
        """A new address; the first one is the default."""
        fields = valid_fields(AddressRequestSerializer, request)
        is_default = fields.pop("is_default")
        address = services.address_create(user=request.user, text=fields, is_default=is_default)
        return Response(AddressSerializer(address).data, status=201)


class AddressView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={200: AddressSerializer})
    def get(self, request: Request, address_id: int) -> Response:
        address = address_of(request.user, address_id=address_id)
        return Response(AddressSerializer(address).data)

    @extend_schema(request=AddressRequestSerializer, responses={200: AddressSerializer})
    def put(self, request: Request, address_id: int) -> Response:
        """Replaces an address. The default one stays it until another is made the default."""
        fields = valid_fields(AddressRequestSerializer, request)
        is_default = fields.pop("is_default")
        address = services.address_update(
            user=request.user, address_id=address_id, text=fields, is_default=is_default
        )
        return Response(AddressSerializer(address).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, address_id: int) -> Response:
        """Deletes an address; orders keep what they were sent to."""
        services.address_delete(user=request.user, address_id=address_id)
        return Response(status=204)


def valid_fields(serializer: type[Any], request: Request) -> dict[str, Any]:
    """What the body says, checked. Raises REST framework's ValidationError."""
    fields = serializer(data=request.data)
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)
