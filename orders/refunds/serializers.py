"""How refunds look on the wire. Shapes only; the services decide."""

from typing import Any

from rest_framework import serializers

from orders.payments.models import Refund
from orders.refunds.models import RefundRequest
from orders.refunds.selectors import Shown
from orders.serializers import ItemsField
from shop.api.fields import StrictCharField

# What a refund may be called: undecided, declined, or what its money is.
STATUSES = [
    RefundRequest.Status.REQUESTED.value,
    RefundRequest.Status.DECLINED.value,
    *Refund.Status.values,
]


class RefundRequestSerializer(serializers.Serializer[Any]):
    items = ItemsField(required=False, help_text="None: all that is left of the order.")
    reason = StrictCharField(max_length=200)


class RefundItemSerializer(serializers.Serializer[Any]):
    sku = serializers.IntegerField()
    count = serializers.IntegerField()


class RefundSerializer(serializers.Serializer[Shown]):
    """`items` is empty where money goes back that came twice or too late."""

    refund_no = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    amount_fen = serializers.IntegerField(
        help_text="Of one that is not decided yet: what it would be now."
    )
    items = RefundItemSerializer(many=True)
    reason = serializers.CharField()
    answer = serializers.CharField(help_text="Why it was declined.")
    created_at = serializers.DateTimeField()
