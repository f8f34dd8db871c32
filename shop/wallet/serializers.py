"""How wallets look on the wire. Shapes only."""

from typing import Any

from rest_framework import serializers

from shop.wallet.models import Currency, Posting


class WalletSerializer(serializers.Serializer[Any]):
    cny_fen = serializers.IntegerField(source="cny")
    points = serializers.IntegerField()


class PostingsQuery(serializers.Serializer[Any]):
    currency = serializers.ChoiceField(choices=Currency.values, required=False)


class PostingSerializer(serializers.Serializer[Posting]):
    """`amount`: fen or points by `currency`, negative for what was paid; `reference`: the order,
    entry, packet or payment that it is for."""

    id = serializers.IntegerField()
    amount = serializers.IntegerField()
    currency = serializers.ChoiceField(choices=Currency.values, source="account.currency")
    kind = serializers.CharField(source="transaction.kind")
    reference = serializers.CharField()
    created_at = serializers.DateTimeField(source="transaction.created_at")
