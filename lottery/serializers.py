"""Periods, entries and winners on the wire. Shapes only."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from lottery.models import Entry, Period, Scheme
from lottery.numbers import leaf_of, numbers_of
from lottery.selectors import draw_due_at, prize_image, shares_of, winner_name
from shop.api.fields import StrictBooleanField, StrictIntegerField
from shop.wallet.models import Currency

# Shares of one request: its answer names the number of each.
MAX_SHARES = 1_000


class EntryRequestSerializer(serializers.Serializer[Any]):
    shares = StrictIntegerField(min_value=1, max_value=MAX_SHARES)
    allow_partial = StrictBooleanField(
        required=False, help_text="Take what is left where fewer are left."
    )


class PeriodsQuery(serializers.Serializer[Any]):
    """What GET /lottery/periods understands."""

    status = serializers.ChoiceField(choices=Period.State.values, required=False)


class PrizeSerializer(serializers.Serializer[Period]):
    title = serializers.CharField(source="reader_title")
    image = serializers.SerializerMethodField(help_text='"" where there is none.')
    sku = serializers.IntegerField(source="sku_id", allow_null=True, help_text="A SKU's id.")

    def get_image(self, period: Period) -> str:
        return prize_image(period)


class BeaconSerializer(serializers.Serializer[Period]):
    """What will decide, or has decided, the draw; `round` and `root` once the period is closed."""

    name = serializers.CharField(source="beacon")
    round = serializers.IntegerField(source="beacon_round", allow_null=True)
    due_at = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_due_at(self, period: Period) -> str | None:
        due_at = draw_due_at(period)
        return None if due_at is None else timezone.localtime(due_at).isoformat()


class DrawSerializer(serializers.Serializer[Period]):
    number = serializers.IntegerField()
    winner = serializers.SerializerMethodField(help_text="A nickname, shortened.")
    drawn_at = serializers.DateTimeField()
    scheme = serializers.ChoiceField(choices=Scheme.values)

    def get_winner(self, period: Period) -> str:
        return winner_name(period)


class PeriodSerializer(serializers.Serializer[Period]):
    """A period as shoppers see it. Save `commitment` (and `root`, once it is there): the proof
    binds against what you had before the draw."""

    id = serializers.IntegerField()
    serial = serializers.IntegerField()
    prize = PrizeSerializer(source="*")
    currency = serializers.ChoiceField(choices=Currency.values)
    share_price = serializers.IntegerField(help_text="In fen or points, by `currency`.")
    total_shares = serializers.IntegerField()
    sold_shares = serializers.IntegerField(source="pool.taken")
    minimum_shares = serializers.IntegerField(help_text="Fewer sold: cancelled, money back.")
    per_user_limit = serializers.IntegerField(
        source="pool.per_user_limit", allow_null=True, help_text="null: no limit."
    )
    first_number = serializers.IntegerField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="null: when it is sold out.")
    status = serializers.ChoiceField(source="status_now", choices=Period.State.values)
    scheme = serializers.ChoiceField(choices=Scheme.values)
    commitment = serializers.CharField()
    terms = serializers.CharField(help_text="The canonical text that `commitment` binds.")
    root = serializers.CharField(help_text='Of its entries, once it is closed; before that "".')
    closed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the root was published; the round follows from it."
    )
    beacon = serializers.SerializerMethodField()
    draw = serializers.SerializerMethodField()
    next_period = serializers.IntegerField(source="next_id", allow_null=True)
    server_time = serializers.DateTimeField(source="db_now")

    @extend_schema_field(BeaconSerializer(allow_null=True))
    def get_beacon(self, period: Period) -> Any:
        return BeaconSerializer(period).data if period.beacon else None

    @extend_schema_field(DrawSerializer(allow_null=True))
    def get_draw(self, period: Period) -> Any:
        return DrawSerializer(period).data if period.status == Period.State.DRAWN else None


class WinnerSerializer(DrawSerializer):
    """A draw, with the period it was of."""

    period = serializers.IntegerField(source="pk")
    serial = serializers.IntegerField()
    prize = PrizeSerializer(source="*")


class EntryFailureSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()


class EntrySerializer(serializers.Serializer[Entry]):
    """What a user asked for in a period and, once it is confirmed, got. Keep `receipt`: it proves
    that the entry is among those drawn from."""

    entry_no = serializers.CharField()
    period = serializers.IntegerField(source="period_id")
    status = serializers.ChoiceField(choices=Entry.State.values)
    failure = serializers.SerializerMethodField()
    shares = serializers.SerializerMethodField(help_text="Wanted, until it is confirmed.")
    cost = serializers.SerializerMethodField(help_text="In `currency`; 0 where nothing was paid.")
    currency = serializers.ChoiceField(source="period.currency", choices=Currency.values)
    numbers = serializers.SerializerMethodField(help_text="One for each share.")
    receipt = serializers.SerializerMethodField(help_text='"" until it is confirmed.')
    created_at = serializers.DateTimeField()

    @extend_schema_field(EntryFailureSerializer(allow_null=True))
    def get_failure(self, entry: Entry) -> Any:
        return {"code": entry.failure} if entry.failure else None

    def get_shares(self, entry: Entry) -> int:
        shares = shares_of(entry)
        return shares.count if shares else entry.wanted

    def get_cost(self, entry: Entry) -> int:
        shares = shares_of(entry)
        return shares.cost if shares else 0

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_numbers(self, entry: Entry) -> list[int]:
        shares = shares_of(entry)
        if shares is None:
            return []
        return numbers_of(entry.period).numbers(shares.first, shares.count)

    def get_receipt(self, entry: Entry) -> str:
        shares = shares_of(entry)
        if shares is None:
            return ""
        return leaf_of(entry.entry_no, shares.first, shares.count, entry.nonce).receipt


class AcceptedEntrySerializer(serializers.Serializer[Entry]):
    """In the queue: `GET /lottery/entries/{entry_no}` says soon what became of it."""

    entry_no = serializers.CharField()
    status = serializers.ChoiceField(choices=Entry.State.values)
