"""Red packets on the wire. Shapes only."""

from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from lottery.packets.models import MOST_GREETING, Grab, Packet, Slot, Split
from lottery.packets.shown import ShownPacket, Status
from orders.serializers import FailureSerializer
from shop.api.fields import BIGINT_MAX, StrictCharField, StrictIntegerField

# The most slots that a setting may allow: what a packet's own column holds.
MOST_COUNT = 2**31 - 1


def greeting_of(packet: Packet) -> str:
    """The sender's words, or the shop's in the language of whoever reads now."""
    return packet.greeting or gettext("Best wishes, and good luck!")


class PacketRequestSerializer(serializers.Serializer[Any]):
    """The shop's settings bound both numbers further; each slot has at least 1 fen."""

    total_fen = StrictIntegerField(min_value=1, max_value=BIGINT_MAX)
    count = StrictIntegerField(min_value=1, max_value=MOST_COUNT)
    split = serializers.ChoiceField(choices=Split.values)
    greeting = StrictCharField(max_length=MOST_GREETING, required=False, allow_blank=True)


# Named, because more than one schema has them.
@extend_schema_field(
    {"type": "string", "enum": [status.value for status in Status]},
    component_name="RedPacketStatusEnum",
)
class StatusField(serializers.CharField):
    """A packet's state, as it holds now."""


@extend_schema_field({"type": "string", "enum": Grab.State.values}, component_name="GrabStatusEnum")
class GrabStatusField(serializers.CharField):
    """A grab's state."""


class SenderSerializer(serializers.Serializer[Any]):
    nickname = serializers.CharField()


class MyGrabSerializer(serializers.Serializer[Any]):
    status = GrabStatusField()
    amount_fen = serializers.IntegerField(
        allow_null=True, help_text="null unless `status` is confirmed."
    )
    failure = serializers.SerializerMethodField()

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_failure(self, mine: Any) -> dict[str, str] | None:
        return {"code": mine.failure} if mine.failure else None


class GrabSerializer(serializers.Serializer[Any]):
    nickname = serializers.CharField()
    amount_fen = serializers.IntegerField()
    at = serializers.DateTimeField()
    is_best = serializers.BooleanField(
        help_text="The largest one, the first of equals; known once nothing more can be grabbed."
    )


class PacketSerializer(serializers.Serializer[ShownPacket]):
    """A packet to whoever knows its id; `grabs` in the order of taking, at most as many as it has
    slots."""

    id = serializers.CharField(source="packet.public_id")
    greeting = serializers.SerializerMethodField(help_text="Text as it was typed, never markup.")
    sender = SenderSerializer(source="packet.user")
    total_fen = serializers.IntegerField(source="packet.total_fen")
    count = serializers.IntegerField(source="packet.count")
    split = serializers.ChoiceField(source="packet.split", choices=Split.values)
    grabbed_count = serializers.IntegerField()
    grabbed_fen = serializers.IntegerField()
    status = StatusField()
    created_at = serializers.DateTimeField(source="packet.created_at")
    expires_at = serializers.DateTimeField(source="packet.expires_at")
    mine = MyGrabSerializer(allow_null=True)
    grabs = serializers.SerializerMethodField()
    server_time = serializers.DateTimeField(source="read_at")

    def get_greeting(self, shown: ShownPacket) -> str:
        return greeting_of(shown.packet)

    @extend_schema_field(GrabSerializer(many=True))
    def get_grabs(self, shown: ShownPacket) -> list[dict[str, Any]]:
        """By hand: hundreds of them, and a serializer costs more than the query."""
        return [
            {
                "nickname": grab.nickname,
                "amount_fen": grab.amount_fen,
                "at": localtime(grab.at).isoformat(),
                "is_best": grab.is_best,
            }
            for grab in shown.grabs
        ]


class GrabbedSerializer(serializers.Serializer[Any]):
    amount_fen = serializers.IntegerField()


class PendingGrabSerializer(serializers.Serializer[Any]):
    status = GrabStatusField(help_text="pending")


class SentPacketSerializer(serializers.Serializer[Packet]):
    id = serializers.CharField(source="public_id")
    greeting = serializers.SerializerMethodField()
    total_fen = serializers.IntegerField()
    count = serializers.IntegerField()
    grabbed_count = serializers.IntegerField(source="pool.taken")
    refunded_fen = serializers.IntegerField()
    status = StatusField(source="status_now")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    def get_greeting(self, packet: Packet) -> str:
        return greeting_of(packet)


class ReceivedPacketSerializer(serializers.Serializer[Slot]):
    id = serializers.CharField(source="grab.packet.public_id")
    greeting = serializers.SerializerMethodField()
    sender = SenderSerializer(source="grab.packet.user")
    amount_fen = serializers.IntegerField()
    at = serializers.DateTimeField(source="grab.created_at")

    def get_greeting(self, slot: Slot) -> str:
        return greeting_of(slot.grab.packet)


class SentPacketsSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    sum_fen = serializers.IntegerField()
    results = SentPacketSerializer(source="newest", many=True, help_text="The newest 20.")


class ReceivedPacketsSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    sum_fen = serializers.IntegerField()
    results = ReceivedPacketSerializer(source="newest", many=True, help_text="The newest 20.")


class MyPacketsSerializer(serializers.Serializer[Any]):
    sent = SentPacketsSerializer()
    received = ReceivedPacketsSerializer()
    server_time = serializers.DateTimeField()
