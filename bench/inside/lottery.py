"""Periods to race for, and what became of their entries and of the points for them, as the rows
say."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from bench.inside import shop
from bench.inside.proofs import verified
from bench.inside.sales import settled_after
from bench.load import Answers, Purchases
from bench.lottery import Entered
from bench.sales import Settling, Way
from bench.verdict import Tally
from lottery.draws.identity import LOCAL
from lottery.entries import EntryRequest, entry_place
from lottery.models import Entry, Period, Shares
from lottery.numbers import numbers_of
from lottery.opening import PeriodPlan, period_open
from lottery.proof import period_proof
from shop.accounts.models import User
from shop.api.idempotency import RequestKey
from shop.errors import Refusal
from shop.pools.models import Placement, Pool, Strategy
from shop.transactions import run, snapshot
from shop.wallet.models import Currency, House, Posting, Transaction
from shop.wallet.selectors import house_sums
from shop.wallet.services import Book

SHARE_PRICE = 3
# More than a shopper can spend here; and enough for all that is left of every period.
SHOPPER_POINTS, RICH = 1_000_000, 10**12
GRANTED_AT_ONCE = 500
BUYING_ATTEMPTS = 5


def grant(user_ids: Sequence[int], *, amount: int, currency: Currency = Currency.POINTS) -> None:
    """Gives each of them points, or fen, in bulk, by the ledger."""
    for start in range(0, len(user_ids), GRANTED_AT_ONCE):
        some = user_ids[start : start + GRANTED_AT_ONCE]
        reference = f"bench-{uuid4().hex}"

        def write(some: Sequence[int] = some, reference: str = reference) -> None:
            book = Book(currency, House.GRANTS, "bench")
            book.lock(some)
            for user_id in some:
                book.credit(user_id, amount, reference)
            book.write(reference)

        run(write)


def rich_user() -> int:
    """A user who can buy whatever is left of any period, and send any red packet."""
    user = User.objects.create(username=f"bench-{uuid4().hex}")
    for currency in Currency:
        grant([user.pk], amount=RICH, currency=currency)
    return user.pk


def fresh_period(way: Way, *, shares: int, limit: int) -> Period:
    """An open period, drawn by the shop's own beacon: nobody outside is asked."""
    return period_open(
        PeriodPlan(
            prize_title="杯",
            share_price=SHARE_PRICE,
            total_shares=shares,
            per_user_limit=limit,
            beacon=LOCAL,
            placement=Placement(way.placement),
            strategy=Strategy(way.strategy),
            gated=way.gated,
        )
    )


@dataclass(frozen=True, slots=True)
class Selling:
    """A period, as what shoppers race for (`bench.measuring.cells.Race`). `buyer`: who buys what is
    left of it in the end, so that it is sold out and drawn like any other; `is_hot`: of so many
    entries that its draw would cost what is measured next."""

    period: Period
    way: Way
    buyer: int
    is_hot: bool

    def requests(
        self, shoppers: Path, *, run: str, acknowledged: Path, clicks: int = 1
    ) -> Purchases:
        path = f"/api/v1/lottery/periods/{self.period.pk}/entries"
        return Purchases(
            shoppers, path, '{"shares":1}', run, acknowledged, clicks, number="entry_no"
        )

    def wait_settled(self) -> int:
        return shop.wait_until_none(Entry.objects.filter(queue_id=self.period.queue_id))

    def outcome(self, sent: Purchases) -> Entered:
        pending = self.wait_settled()
        # Requests that wrk has given up may still be on their way, and change what is read.
        with snapshot():
            return self._outcome(pending, given=sent.numbers())

    def _outcome(self, pending: int, *, given: Sequence[str]) -> Entered:
        entries = Entry.objects.filter(period=self.period).order_by()
        keys = entries.aggregate(rows=Count("pk"), keys=Count("idempotency_key", distinct=True))
        held = self._shares().values("entry__user").annotate(held=Sum("count"))
        limit = self.period.pool.per_user_limit
        return Entered(
            sold=self._tally(),
            pending=pending,
            failed=entries.filter(status=Entry.State.FAILED).count(),
            breaches=held.filter(held__gt=limit).count(),
            duplicates=keys["rows"] - keys["keys"] + len(given) - len(set(given)),
            lost=shop.not_stored(set(given), entries, "entry_no"),
            gaps=self._gaps(),
            unpaid=self._unpaid(),
            misnumbered=self._misnumbered(),
        )

    def settling(self, sent: Purchases, run: Answers) -> Settling:
        """An entry's moment is when the gate admitted it (without a gate: when the terms were
        read), that of its shares when the drain wrote the wallets' transaction, a few statements
        before its COMMIT; all by one machine's clock."""
        if not self.way.queued:
            return Settling(run.accepted, 0.0, run.p50_ms, run.p99_ms)
        shares = self._shares().filter(entry__idempotency_key__startswith=f"{sent.run}-")
        paid_at = self._paid_at()
        rows = shares.values_list("entry__created_at", "reference")
        return settled_after([(bought_at, paid_at[by]) for bought_at, by in rows], run)

    def last_settled(self, run: Answers) -> float:
        last = max(self._paid_at().values(), default=None)
        return last.timestamp() - run.started_at if last else run.seconds

    def end(self) -> None:
        """Sells what is left, and waits for the draw of a hot one."""
        # What is on its way takes a share meanwhile.
        for attempt in range(BUYING_ATTEMPTS):
            with suppress(Refusal):
                self._buy_the_rest(f"{self.period.reference}-{attempt}")
            self.wait_settled()
        if self.is_hot:
            self.is_late()

    def _buy_the_rest(self, key: str) -> None:
        left = Pool.objects.values_list("available", flat=True).get(pk=self.period.pool_id)
        if left:
            entry_place(
                key=RequestKey(self.buyer, "entries", key, ""),
                wanted=EntryRequest(self.period.pk, shares=left, allow_partial=True),
            )

    def is_late(self) -> bool:
        """Waits for its draw; whether it has not come, for all the waiting."""
        return bool(shop.wait_until_none(self._undrawn()))

    def has_faulty_proof(self, folder: Path) -> bool:
        """Whether the verifier finds fault with its draw; `folder`: where it finds the proof."""
        proof = folder / f"period-{self.period.pk}.json"
        proof.write_bytes(period_proof(self.period.pk))
        return verified(proof, commitment=self.period.commitment).is_faulty

    def _undrawn(self) -> QuerySet[Period]:
        return Period.objects.filter(pk=self.period.pk).exclude(status=Period.State.DRAWN)

    def _shares(self) -> QuerySet[Shares]:
        return Shares.objects.filter(pool=self.period.pool_id).order_by()

    def _tally(self) -> Tally:
        """What became of its shares, read in one statement, so in one snapshot."""
        got = Shares.objects.filter(pool=OuterRef("pk")).order_by().values("pool")
        available, entries, shares = (
            Pool.objects.filter(pk=self.period.pool_id)
            .values_list(
                "available",
                Coalesce(Subquery(got.annotate(n=Count("pk")).values("n")), 0),
                Coalesce(Subquery(got.annotate(n=Sum("count")).values("n")), 0),
            )
            .get()
        )
        loaded = self.period.total_shares
        return Tally(loaded=loaded, available=available, orders=entries, units=int(shares))

    def _gaps(self) -> int:
        gaps = end = 0
        for first, count in self._shares().order_by("first").values_list("first", "count"):
            gaps += first != end
            end = first + count
        return gaps

    def _unpaid(self) -> int:
        """By the postings of the transactions that shares name; one more where the house's account
        is not the sum of all shares, which it is not either if somebody paid for none."""
        postings = Posting.objects.filter(
            transaction__reference__in=self._shares().values("reference"),
            account__user__isnull=False,
            account__currency=self.period.currency,
        )
        moved: Counter[tuple[str, int]] = Counter()
        for reference, user_id, amount in postings.values_list(
            "reference", "account__user_id", "amount"
        ):
            moved[reference, user_id] += amount
        due = {
            (entry_no, user_id): -cost
            for entry_no, user_id, cost in self._shares().values_list(
                "entry__entry_no", "entry__user_id", "cost"
            )
        }
        of_all = Shares.objects.filter(entry__period__currency=self.period.currency, returned="")
        total = of_all.aggregate(cost=Sum("cost"))["cost"] or 0
        held = house_sums().get((House.LOTTERY, Currency(self.period.currency)), 0)
        differing = sum(moved[key] != due.get(key, 0) for key in moved.keys() | due.keys())
        return differing + (held != total)

    def _misnumbered(self) -> int:
        """Shares beyond the last one have no number at all."""
        held = list(self._shares().values_list("first", "count"))
        total = self.period.total_shares
        numbers = {
            number
            for first, count in held
            if first + count <= total
            for number in numbers_of(self.period).numbers(first, count)
        }
        return sum(count for _, count in held) - len(numbers)

    def _paid_at(self) -> dict[str, datetime]:
        """Reference -> when its transaction was written."""
        paid = Transaction.objects.filter(reference__in=self._shares().values("reference"))
        return dict(paid.values_list("reference", "created_at"))
