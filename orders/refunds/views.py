"""Refunds of a shopper's own order over HTTP: translation only, no decisions."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders import selectors
from orders.refunds import services
from orders.refunds.selectors import refunds_of, shown
from orders.refunds.serializers import RefundRequestSerializer, RefundSerializer
from orders.views import ShopperView
from shop.api.idempotency import keyed_response, request_key
from shop.errors import Ended, OrderState


class OrderRefundsView(ShopperView):
    idempotent = True
    refusals = (OrderState, Ended)

    @extend_schema(responses=RefundSerializer(many=True))
    def get(self, request: Request, order_no: str) -> Response:
        """What of this order's money goes back, or went, or is asked for; the oldest first."""
        order = selectors.order_of(request.user, order_no)
        return Response(RefundSerializer(refunds_of(order), many=True).data)

    @extend_schema(request=RefundRequestSerializer, responses={201: RefundSerializer})
    def post(self, request: Request, order_no: str) -> Response:
        """Asks for the money of a paid order, or of some of its units; the merchant decides. The
        amount follows from what was paid; freight goes back with a whole order only."""
        key = request_key(request, route="order-refunds")
        body = RefundRequestSerializer()
        fields = body.run_validation(request.data)
        answer = services.refund_request(
            user=request.user,
            order_no=order_no,
            key=key,
            items=fields.get("items"),
            reason=fields["reason"],
        )
        return keyed_response(RefundSerializer(shown(answer.row)).data, answer)
