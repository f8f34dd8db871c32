"""Cart, checkout, orders and payments over HTTP: who may ask, and translation. No decisions."""

from typing import Any

from rest_framework import status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders import cart, checkout, lifecycle, selectors
from orders.basket import quote
from orders.models import ShippingMethod
from orders.payments import services as payments
from orders.payments.models import Payment
from orders.serializers import (
    CartItemRequestSerializer,
    CartSerializer,
    OrderRequestSerializer,
    OrderSerializer,
    PaymentSerializer,
    PayRequestSerializer,
    QuoteRequestSerializer,
    QuoteSerializer,
    RefundSerializer,
    ShippingMethodSerializer,
    merged,
)
from orders.states import State
from shop.accounts.models import Address
from shop.api.idempotency import keyed_response, request_key
from shop.api.pagination import Keyset
from shop.errors import Invalid, NotFound


def validated(serializer_class: type[Any], request: Request) -> dict[str, Any]:
    """The checked body. Raises ValidationError."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


class ShippingMethodsView(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        offered = ShippingMethod.objects.filter(is_active=True)
        return Response(ShippingMethodSerializer(offered, many=True).data)


class ShopperView(APIView):
    """For a logged-in shopper, about what is theirs."""

    permission_classes = [IsAuthenticated]


class CartView(ShopperView):
    def get(self, request: Request) -> Response:
        return _cart(request)


class CartItemView(ShopperView):
    def put(self, request: Request, sku: int) -> Response:
        body = validated(CartItemRequestSerializer, request)
        cart.cart_item_set(user=request.user, sku_id=sku, count=body["count"])
        return _cart(request)

    def delete(self, request: Request, sku: int) -> Response:
        cart.cart_item_remove(user=request.user, sku_id=sku)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _cart(request: Request) -> Response:
    lines = cart.cart_view(request.user)
    total_fen = sum(line.subtotal_fen for line in lines if line.on_sale)
    return Response(CartSerializer({"items": lines, "total_fen": total_fen}).data)


class QuoteView(ShopperView):
    def post(self, request: Request) -> Response:
        body = validated(QuoteRequestSerializer, request)
        address = body.get("address")
        if address and not Address.objects.filter(pk=address, user=request.user).exists():
            raise NotFound(address=address)
        basket = quote(merged(body["items"]), shipping_method_id=body.get("shipping_method"))
        return Response(QuoteSerializer(basket).data)


class OrderPages(Keyset):
    timed = True


class OrdersView(ShopperView):
    pagination_class = OrderPages

    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("status")
        if wanted is not None and wanted not in set(State):
            raise Invalid(
                errors=[{"field": "status", "code": "invalid_choice", "message": "No such state."}]
            )
        orders = selectors.orders_of(request.user, status=wanted)
        pages = self.pagination_class()
        page = pages.paginate_queryset(orders, request, self)
        return pages.get_paginated_response(OrderSerializer(page, many=True).data)

    def post(self, request: Request) -> Response:
        key = request_key(request, route="orders")
        body = validated(OrderRequestSerializer, request)
        answer = checkout.order_place(
            user=request.user,
            key=key,
            checkout=checkout.Checkout(
                items=None if body.get("from_cart") else merged(body["items"]),
                address_id=body["address"],
                shipping_method_id=body.get("shipping_method"),
                remark=body.get("remark", ""),
                expected_total_fen=body.get("expected_total_fen"),
            ),
        )
        order = answer.row
        if answer.replayed:
            order = selectors.order_of(request.user, order.order_no)
        return keyed_response(OrderSerializer(order).data, answer)


class OrderView(ShopperView):
    def get(self, request: Request, order_no: str) -> Response:
        return Response(OrderSerializer(selectors.order_of(request.user, order_no)).data)


class OrderCancelView(ShopperView):
    def post(self, request: Request, order_no: str) -> Response:
        lifecycle.order_cancel(user=request.user, order_no=order_no)
        return Response(OrderSerializer(selectors.order_of(request.user, order_no)).data)


class OrderConfirmReceiptView(ShopperView):
    def post(self, request: Request, order_no: str) -> Response:
        lifecycle.order_confirm_receipt(user=request.user, order_no=order_no)
        return Response(OrderSerializer(selectors.order_of(request.user, order_no)).data)


class OrderPayView(ShopperView):
    def post(self, request: Request, order_no: str) -> Response:
        key = request_key(request, route="order-pay")
        body = validated(PayRequestSerializer, request)
        answer = payments.payment_start(
            user=request.user, order_no=order_no, key=key, provider=body["provider"]
        )
        return keyed_response(PaymentSerializer(answer.row).data, answer)


class OrderRefundsView(ShopperView):
    def get(self, request: Request, order_no: str) -> Response:
        order = selectors.order_of(request.user, order_no)
        return Response(RefundSerializer(order.refunds.order_by("pk"), many=True).data)


class SandboxSucceedView(ShopperView):
    """Plays the provider: takes the money, then tells the shop."""

    def post(self, request: Request, payment_no: str) -> Response:
        payment = Payment.objects.filter(
            payment_no=payment_no, user=request.user, provider="sandbox"
        ).first()
        if payment is None or "sandbox" not in payments.providers():
            raise NotFound
        payments.sandbox_succeed(payment)
        payment.refresh_from_db()
        return Response(PaymentSerializer(payment).data)
