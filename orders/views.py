"""Cart, checkout, orders and payments over HTTP: who may ask, and translation. No decisions."""

from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders import cart, checkout, lifecycle, selectors
from orders.basket import CouponOf, quote
from orders.models import Order, ShippingMethod
from orders.payments import services as payments
from orders.payments.offered import SANDBOX, methods, providers
from orders.payments.selectors import payment_of
from orders.payments.starting import payment_start, top_up_start
from orders.placed import placed
from orders.sale_orders import SaleRequest, sale_order_place
from orders.serializers import (
    AcceptedOrderSerializer,
    CartItemRequestSerializer,
    CartSerializer,
    OrderAddressRequestSerializer,
    OrderRequestSerializer,
    OrderSerializer,
    OrdersQuery,
    PaymentMethodSerializer,
    PaymentSerializer,
    PayRequestSerializer,
    QuoteRequestSerializer,
    QuoteSerializer,
    SaleOrderRequestSerializer,
    ShippingMethodSerializer,
    TopUpRequestSerializer,
)
from shop.accounts.authentication import TrustedTokenAuthentication
from shop.accounts.rates import client_address
from shop.accounts.selectors import address_snapshot
from shop.api.idempotency import Answer, keyed_response, request_key
from shop.api.pagination import Keyset
from shop.errors import (
    CouponUnusable,
    Ended,
    InsufficientBalance,
    InsufficientStock,
    NotFound,
    NotStarted,
    OrderState,
    Paused,
    PermissionDenied,
    PriceChanged,
    PurchaseLimit,
    RateLimited,
    SoldOut,
    TokenRequired,
)

# One of each for all requests: an instance copies every field of its class, which costs more than
# the validation, and `run_validation` leaves nothing behind on it.
_serializer = cache(lambda serializer_class: serializer_class())


def _valid(serializer_class: type[Any], data: Any) -> dict[str, Any]:
    """The checked body or query. Raises ValidationError."""
    fields: dict[str, Any] = _serializer(serializer_class).run_validation(data)
    return fields


class ShippingMethodsView(APIView):
    """How parcels can be sent; public."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=ShippingMethodSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The methods on offer, the default first."""
        offered = ShippingMethod.objects.filter(is_active=True)
        return Response(ShippingMethodSerializer(offered, many=True).data)


class PaymentMethodsView(APIView):
    """How orders can be paid here; public."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=PaymentMethodSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The ways to pay that this shop offers, the wallet first."""
        return Response(PaymentMethodSerializer(methods(), many=True).data)


class ShopperView(APIView):
    """For a logged-in shopper, about what is theirs."""

    permission_classes = (IsAuthenticated,)


class CartView(ShopperView):
    @extend_schema(responses=CartSerializer)
    def get(self, request: Request) -> Response:
        """The cart with prices and stock as they are now. It reserves nothing."""
        return _cart(request)


class CartItemView(ShopperView):
    refusals = (NotFound,)

    @extend_schema(request=CartItemRequestSerializer, responses=CartSerializer)
    def put(self, request: Request, sku: int) -> Response:
        """Puts `count` units of a SKU into the cart, whatever was there of it."""
        fields = _valid(CartItemRequestSerializer, request.data)
        cart.cart_item_set(user=request.user, sku_id=sku, count=fields["count"])
        return _cart(request)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, sku: int) -> Response:
        """Takes a SKU out of the cart."""
        cart.cart_item_remove(user=request.user, sku_id=sku)
        return Response(status=204)


def _cart(request: Request) -> Response:
    lines = cart.cart_view(request.user)
    total_fen = sum(line.subtotal_fen for line in lines if line.on_sale)
    return Response(CartSerializer({"items": lines, "total_fen": total_fen}).data)


class QuoteView(ShopperView):
    refusals = (NotFound, CouponUnusable)

    @extend_schema(request=QuoteRequestSerializer, responses=QuoteSerializer)
    def post(self, request: Request) -> Response:
        """What an order would cost now. Reserves nothing."""
        fields = _valid(QuoteRequestSerializer, request.data)
        region = ""
        if "address" in fields:
            address = address_snapshot(address_id=fields["address"], user_id=request.user.pk)
            region = address["region"]
        basket = quote(
            fields["items"],
            shipping_method_id=fields.get("shipping_method"),
            region=region,
            coupon=CouponOf(request.user.pk, fields["coupon"]) if "coupon" in fields else None,
        )
        return Response(QuoteSerializer(basket).data)


class OrderPages(Keyset):
    timed = True


class OrdersView(ShopperView):
    idempotent = True
    pagination_class = OrderPages
    refusals = (NotFound, SoldOut, InsufficientStock, Ended, PriceChanged, CouponUnusable)

    @extend_schema(
        operation_id="orders_list",
        parameters=[OrdersQuery],
        responses=OrderSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The shopper's orders, newest first."""
        wanted = _valid(OrdersQuery, request.query_params)
        pages = OrderPages()
        orders = selectors.orders_of(request.user, status=wanted.get("status"))
        page = pages.paginate_queryset(orders, request, view=self)
        return pages.get_paginated_response(OrderSerializer(page, many=True).data)

    @extend_schema(
        request=OrderRequestSerializer, responses={201: OrderSerializer, 202: OrderSerializer}
    )
    def post(self, request: Request) -> Response:
        """Places an order: all lines or none. Unpaid, it holds its units until `expires_at`."""
        key = request_key(request, route="orders")
        fields = _valid(OrderRequestSerializer, request.data)
        answer = checkout.order_place(
            user=request.user,
            key=key,
            checkout=checkout.Checkout(
                items=fields.get("items"),
                address_id=fields["address"],
                shipping_method_id=fields.get("shipping_method"),
                coupon_id=fields.get("coupon"),
                remark=fields.get("remark", ""),
                expected_total_fen=fields.get("expected_total_fen"),
            ),
        )
        return _placed(answer)


def _placed(answer: Answer[Order]) -> Response:
    found = placed(answer)
    return Response(found.data, status=found.status, headers=found.headers)


class SaleOrdersView(APIView):
    authentication_classes = (TrustedTokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    idempotent = True
    refusals = (
        NotFound,
        NotStarted,
        Paused,
        Ended,
        SoldOut,
        InsufficientStock,
        PurchaseLimit,
        TokenRequired,
        PermissionDenied,
        RateLimited,
    )

    @extend_schema(
        request=SaleOrderRequestSerializer,
        responses={201: OrderSerializer, 202: AcceptedOrderSerializer},
    )
    def post(self, request: Request, sale_id: int) -> Response:
        """Orders from a flash sale. 201 holds its units; 202 is in the queue, and its order says
        soon whether it got them."""
        key = request_key(request, route="sale-orders")
        fields = _valid(SaleOrderRequestSerializer, request.data)
        answer = sale_order_place(
            key=key,
            wanted=SaleRequest(
                sale_id=sale_id,
                count=fields["count"],
                address_id=fields.get("address"),
                token=fields.get("token", ""),
                client_address=client_address(request),
            ),
        )
        return _placed(answer)


class OrderAddressView(ShopperView):
    refusals = (NotFound, OrderState)

    @extend_schema(request=OrderAddressRequestSerializer, responses=OrderSerializer)
    def put(self, request: Request, order_no: str) -> Response:
        """Where an order goes that was placed without an address; later it stands."""
        fields = _valid(OrderAddressRequestSerializer, request.data)
        lifecycle.order_set_address(
            user=request.user, order_no=order_no, address_id=fields["address"]
        )
        return _order(request, order_no)


class OrderView(ShopperView):
    @extend_schema(responses=OrderSerializer)
    def get(self, request: Request, order_no: str) -> Response:
        """One order as it stands now."""
        return _order(request, order_no)


def _order(request: Request, order_no: str) -> Response:
    return Response(OrderSerializer(selectors.order_of(request.user, order_no)).data)


class OrderCancelView(ShopperView):
    refusals = (OrderState,)

    @extend_schema(request=None, responses=OrderSerializer)
    def post(self, request: Request, order_no: str) -> Response:
        """Cancels an order that is not paid; a repeat is harmless."""
        lifecycle.order_cancel(user=request.user, order_no=order_no)
        return _order(request, order_no)


class OrderConfirmReceiptView(ShopperView):
    refusals = (OrderState,)

    @extend_schema(request=None, responses=OrderSerializer)
    def post(self, request: Request, order_no: str) -> Response:
        """The shopper has the parcel; a repeat is harmless."""
        lifecycle.order_confirm_receipt(user=request.user, order_no=order_no)
        return _order(request, order_no)


class OrderPayView(ShopperView):
    idempotent = True
    refusals = (OrderState, InsufficientBalance)

    @extend_schema(request=PayRequestSerializer, responses=PaymentSerializer)
    def post(self, request: Request, order_no: str) -> Response:
        """Opens a payment of the whole order; `params` is for the provider's own front end. The
        `wallet` pays at once."""
        key = request_key(request, route="order-pay")
        fields = _valid(PayRequestSerializer, request.data)
        answer = payment_start(
            user=request.user, order_no=order_no, key=key, provider=fields["provider"]
        )
        return keyed_response(PaymentSerializer(answer.row).data, answer)


class TopUpsView(ShopperView):
    idempotent = True

    @extend_schema(request=TopUpRequestSerializer, responses=PaymentSerializer)
    def post(self, request: Request) -> Response:
        """Opens a payment that fills the shopper's wallet as soon as its money is there."""
        key = request_key(request, route="top-ups")
        fields = _valid(TopUpRequestSerializer, request.data)
        answer = top_up_start(key=key, **fields)
        return keyed_response(PaymentSerializer(answer.row).data, answer)


class SandboxSucceedView(ShopperView):
    """Where the sandbox is on, for whoever pays."""

    refusals = (OrderState, Ended)

    @extend_schema(request=None, responses=PaymentSerializer)
    def post(self, request: Request, payment_no: str) -> Response:
        """Plays the provider: takes the money, then tells the shop."""
        if SANDBOX not in providers():
            raise NotFound
        payment = payment_of(request.user, payment_no=payment_no, provider="sandbox")
        payments.sandbox_succeed(payment)
        payment.refresh_from_db()
        return Response(PaymentSerializer(payment).data)
