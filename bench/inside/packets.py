"""Red packets to grab from, and what became of their money, as the rows say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from django.db.models import Count, QuerySet, Sum
from django.test.utils import override_settings

from bench.inside import shop
from bench.inside.sales import settled_after
from bench.load import Answers, Grabs
from bench.lottery import Grabbed
from bench.sales import Settling, Way
from bench.verdict import Tally
from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.services import PacketPlan, packet_end, packet_send
from shop.api.idempotency import RequestKey
from shop.pools.models import Pool
from shop.wallet.models import Currency, Posting, Transaction

# What a slot is worth in the middle.
MEAN_FEN = 100
NEVER_GATED = 2**31 - 1


def fresh_packet(way: Way, *, slots: int, sender: int) -> Packet:
    """A packet from a user who has the money, grabbed in this way by the shop's own strategy."""
    with override_settings(
        RED_PACKET_PLACEMENT=way.placement, RED_PACKET_GATED_FROM=1 if way.gated else NEVER_GATED
    ):
        return packet_send(
            key=RequestKey(sender, "red-packets", uuid4().hex, ""),
            plan=PacketPlan(total_fen=slots * MEAN_FEN, count=slots),
        ).row


@dataclass(slots=True)
class Crowd:
    """Packets in turn, `packets` of `slots` each for every run, as what shoppers race for
    (`bench.measuring.cells.Race`): one grab for each user leaves no other way to grab for long."""

    way: Way
    sender: int
    slots: int
    packets: int
    of_run: dict[str, list[Packet]] = field(default_factory=dict)

    def requests(self, shoppers: Path, *, run: str, acknowledged: Path, clicks: int = 1) -> Grabs:
        # Those of the run before would go on costing the gates' keeper time.
        self.end()
        fresh = [
            fresh_packet(self.way, slots=self.slots, sender=self.sender)
            for _ in range(self.packets)
        ]
        self.of_run[run] = fresh
        paths = acknowledged.with_name(f"{run}.paths")
        paths.write_text(
            "".join(f"/api/v1/red-packets/{packet.public_id}/grab\n" for packet in fresh)
        )
        return Grabs(shoppers, paths, run, acknowledged, clicks)

    def wait_settled(self) -> int:
        return shop.wait_until_none(self._grabs().filter(queue__isnull=False))

    def outcome(self, sent: Grabs) -> Grabbed:
        """Ends the packets, so that all their money is somewhere."""
        pending = self.wait_settled()
        # Not those that were still on their way when wrk had given them up: they find it ended.
        failed = self._grabs().filter(status=Grab.State.FAILED).count()
        self.end()
        for packet in self._all():
            packet.refresh_from_db()
        of_one = self._grabs().values("packet", "user").annotate(rows=Count("pk"))
        lost, doubled = self._told(sent)
        return Grabbed(
            sold=self._tally(),
            pending=pending,
            failed=failed,
            breaches=of_one.filter(rows__gt=1).count(),
            duplicates=doubled,
            lost=lost,
            unequal=self._unequal(),
            unpaid=self._unpaid(),
        )

    def settling(self, sent: Grabs, run: Answers) -> Settling:
        """As with entries: from the gate (or the database's clock) to the wallets' transaction."""
        if not self.way.queued:
            return Settling(run.accepted, 0.0, run.p50_ms, run.p99_ms)
        slots = self._slots(self.of_run[sent.run])
        paid_at = self._paid_at(slots)
        rows = slots.values_list("grab__created_at", "reference")
        return settled_after([(grabbed_at, paid_at[by]) for grabbed_at, by in rows], run)

    def last_settled(self, run: Answers) -> float:
        last = max(self._paid_at(self._slots()).values(), default=None)
        return last.timestamp() - run.started_at if last else run.seconds

    def end(self) -> None:
        for packet in self._all():
            packet_end(packet)

    def _all(self) -> list[Packet]:
        return [packet for some in self.of_run.values() for packet in some]

    def _grabs(self) -> QuerySet[Grab]:
        return Grab.objects.filter(packet__in=self._all()).order_by()

    def _slots(self, packets: Sequence[Packet] | None = None) -> QuerySet[Slot]:
        pools = [packet.pool_id for packet in (self._all() if packets is None else packets)]
        return Slot.objects.filter(pool__in=pools).order_by()

    def _tally(self) -> Tally:
        pools = Pool.objects.filter(packet__in=self._all())
        slots = self._slots().count()
        return Tally(
            loaded=sum(packet.count for packet in self._all()),
            available=pools.aggregate(available=Sum("available"))["available"] or 0,
            orders=slots,
            units=slots,
        )

    def _told(self, sent: Grabs) -> tuple[int, int]:
        """Of what clients were told: grabs that are not there, or hold something else; and users of
        a packet who were told two amounts."""
        users = shop.users_of(sent.shoppers)
        told: dict[tuple[int, int], set[int | None]] = {}
        for run, turn, amount in sent.got():
            packets = self.of_run[run]
            packet = packets[turn // len(users) % len(packets)]
            told.setdefault((packet.pk, users[turn % len(users)]), set()).add(amount)
        held = {
            (packet_id, user_id): amount
            for packet_id, user_id, amount in self._grabs().values_list(
                "packet_id", "user_id", "slot__amount_fen"
            )
        }
        lost = sum(
            grab not in held or bool(amounts - {None, held[grab]}) for grab, amounts in told.items()
        )
        return lost, sum(len(amounts - {None}) > 1 for amounts in told.values())

    def _unequal(self) -> int:
        """Packets whose grabs and refund are not their total, or in which somebody got nothing, or
        the places of which do not follow each other."""
        wrong = 0
        for packet in self._all():
            slots = sorted(self._slots([packet]).values_list("place", "amount_fen"))
            fen = [amount for _, amount in slots]
            wrong += (
                sum(fen) + packet.refunded_fen != packet.total_fen
                or min(fen, default=1) < 1
                or [place for place, _ in slots] != list(range(len(slots)))
            )
        return wrong

    def _unpaid(self) -> int:
        """Slots, and refunds, that wallets have not got, or have got something else of."""
        due: Counter[tuple[str, int]] = Counter()
        ids = {packet.pool_id: packet.public_id for packet in self._all()}
        for pool_id, user_id, amount in self._slots().values_list("pool", "user", "amount_fen"):
            due[ids[pool_id], user_id] += amount
        for packet in self._all():
            due[packet.public_id, packet.user_id] += packet.refunded_fen - packet.total_fen
        postings = Posting.objects.filter(
            reference__in=list(ids.values()),
            account__user__isnull=False,
            account__currency=Currency.CNY,
        )
        moved: Counter[tuple[str, int]] = Counter()
        for public_id, user_id, amount in postings.values_list(
            "reference", "account__user", "amount"
        ):
            moved[public_id, user_id] += amount
        return sum(moved[key] != due[key] for key in moved.keys() | due.keys())

    def _paid_at(self, slots: QuerySet[Slot]) -> dict[str, datetime]:
        """Reference -> when its transaction was written."""
        paid = Transaction.objects.filter(reference__in=slots.values("reference"))
        return dict(paid.values_list("reference", "created_at"))
