"""The demo's red packet: ten parts, of which friends have had all but the last."""

from django.db.models.functions import Now

from lottery.packets.grabbing import packet_grab
from lottery.packets.models import Packet
from lottery.packets.services import PacketPlan, packet_send
from shop.accounts.models import User
from shop.api.idempotency import RequestKey
from shop.demo.people import OPERATOR
from shop.transactions import run
from shop.wallet.models import Currency, House, Transaction
from shop.wallet.services import credit

PARTS = 10
TOTAL_FEN = 6_600
# Their nicknames; each has a part.
FRIENDS = ("阿青", "老周", "小鱼", "十三", "大米", "秋白", "南枝", "阿福", "云起")


def seed_packet() -> list[str]:
    """A packet of the operator's that a newcomer can take the last part of, unless there is one:
    taken or over, it is followed by another."""
    sender = User.objects.get(username=OPERATOR[0])
    sent = Packet.objects.filter(user=sender)
    if sent.filter(pool__available__gt=0, ended_at=None, expires_at__gt=Now()).exists():
        return []
    # Counted before it looks, so that of two that seed at once the second sends none.
    name = f"demo-packet-{sent.count()}"
    run(lambda: _fund(sender, name))
    key = RequestKey.of(user_id=sender.pk, route="red-packets", key=name, path="demo", body={})
    packet = packet_send(key=key, plan=PacketPlan(TOTAL_FEN, PARTS, greeting="手慢无")).row
    for number, nickname in enumerate(FRIENDS, start=1):
        user, _ = User.objects.get_or_create(
            username=f"friend-{number}", defaults={"nickname": nickname}
        )
        packet_grab(user_id=user.pk, public_id=packet.public_id)
    return [f"red packet {packet.public_id}: {PARTS} parts, the last one is left"]


def _fund(sender: User, reference: str) -> None:
    if Transaction.objects.filter(reference=reference).exists():
        return
    credit(
        user_id=sender.pk,
        currency=Currency.CNY,
        amount=TOTAL_FEN,
        house=House.GRANTS,
        reference=reference,
        kind="grant",
    )
