"""A day's account: what a provider's bill says beside what the shop has, in both directions.

Amounts are exact, and every payment and refund of the day must be on both sides. What is not is a
difference: it stands in the day's row and is an alarm, and money that the shop did not know of is
asked about and recorded as if it had been told of. Comparing a day again writes its row anew; a
difference that is still there is the same alarm.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from orders.payments.models import Payment, Refund
from orders.payments.offered import billed
from orders.payments.oversight.alarms import alarm_raise
from orders.payments.oversight.models import PaymentAlarm, Reconciliation
from orders.payments.providers import BillLine
from orders.payments.refunding import refund_ask
from orders.payments.services import payment_ask
from orders.payments.wechat.provider import CHINA, MADE_AT_HOUR
from shop import transactions

# Days that are looked back at for one that was not compared.
LOOK_BACK = 7
# Differences that are alarms of their own; all of them stand in the day's row.
MOST_ALARMS = 100
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """`ours` and `theirs`: fen, or a word; None where there is nothing on that side."""

    what: str
    number: str
    ours: int | str | None
    theirs: int | str | None

    def document(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "number": self.number,
            "ours": self.ours,
            "theirs": self.theirs,
        }


def reconcile(*, provider: str, day: date) -> Reconciliation | None:
    """Compares a day, and stores what came of it; None while the provider has no bill of it.

    Raises KeyError for a provider that has no bills, ProviderUnavailable.
    """
    lines = billed()[provider].bill(day)
    if lines is None:
        return None
    paid = [line for line in lines if not line.refund_no]
    back = [line for line in lines if line.refund_no]
    found = [
        *_twice([line.payment_no for line in paid]),
        *_twice([line.refund_no for line in back]),
        *_payments(provider, paid),
        *_refunds(provider, back),
        *_missing(provider, day, {line.payment_no for line in paid}, {r.refund_no for r in back}),
    ]
    row = transactions.run(lambda: _write(provider, day, paid, back, found))
    for difference in found[:MOST_ALARMS]:
        alarm_raise(
            PaymentAlarm.Kind.BILL,
            provider=provider,
            number=difference.number,
            day=day.isoformat(),
            what=difference.what,
            ours=difference.ours,
            theirs=difference.theirs,
        )
    return row


def days_due(*, provider: str, now: datetime) -> list[date]:
    """The last days whose bill is made and that were not compared yet, oldest first."""
    here = now.astimezone(CHINA)
    newest = here.date() - timedelta(days=1 if here.hour >= MADE_AT_HOUR else 2)
    days = [newest - timedelta(days=back) for back in range(LOOK_BACK)]
    done = set(
        Reconciliation.objects.filter(provider=provider, day__in=days).values_list("day", flat=True)
    )
    return sorted(set(days) - done)


def reconcile_due() -> int:
    """Compares the days that are due; returns how many it did. What can't be had comes again."""
    done = 0
    for provider in billed():
        for day in days_due(provider=provider, now=timezone.now()):
            done += reconcile(provider=provider, day=day) is not None
    return done


def _twice(numbers: Sequence[str]) -> Iterator[Difference]:
    for number, times in Counter(numbers).items():
        if times > 1:
            yield Difference("twice", number, 1, times)


def _payments(provider: str, lines: Sequence[BillLine]) -> Iterator[Difference]:
    for chunk in _chunks(lines):
        known = {
            payment.payment_no: payment
            for payment in Payment.objects.filter(
                provider=provider, payment_no__in=[line.payment_no for line in chunk]
            )
        }
        for line in chunk:
            yield from _payment(line, known.get(line.payment_no))


def _payment(line: BillLine, payment: Payment | None) -> Iterator[Difference]:
    number = line.payment_no
    if payment is None:
        yield Difference("unknown_payment", number, None, line.amount_fen)
        return
    if payment.amount_fen != line.amount_fen:
        yield Difference("amount", number, payment.amount_fen, line.amount_fen)
    elif payment.status != Payment.Status.SUCCEEDED:
        yield Difference("unrecorded_payment", number, payment.status, line.amount_fen)
        payment_ask(payment)
    elif payment.provider_no not in ("", line.provider_no):
        yield Difference("transaction", number, payment.provider_no, line.provider_no)


def _refunds(provider: str, lines: Sequence[BillLine]) -> Iterator[Difference]:
    for chunk in _chunks(lines):
        refunds = Refund.objects.select_related("payment").filter(
            payment__provider=provider, refund_no__in=[line.refund_no for line in chunk]
        )
        known = {refund.refund_no: refund for refund in refunds}
        for line in chunk:
            yield from _refund(line, known.get(line.refund_no))


def _refund(line: BillLine, refund: Refund | None) -> Iterator[Difference]:
    number = line.refund_no
    if refund is None:
        yield Difference("unknown_refund", number, None, line.amount_fen)
        return
    if refund.payment.payment_no != line.payment_no:
        yield Difference("refund_of", number, refund.payment.payment_no, line.payment_no)
    elif refund.amount_fen != line.amount_fen:
        yield Difference("amount", number, refund.amount_fen, line.amount_fen)
    elif line.state == "SUCCESS" and refund.status != Refund.Status.SUCCEEDED:
        # It may be on its way to the shop still: asked about, and told of if it is not.
        refund_ask(refund)
        refund.refresh_from_db()
        if refund.status != Refund.Status.SUCCEEDED:
            yield Difference("unrecorded_refund", number, refund.status, line.amount_fen)
    elif line.state == "FAIL" and refund.status == Refund.Status.SUCCEEDED:
        yield Difference("failed_refund", number, refund.status, line.state)


def _missing(
    provider: str, day: date, payment_nos: set[str], refund_nos: set[str]
) -> Iterator[Difference]:
    begins = datetime(day.year, day.month, day.day, tzinfo=CHINA)
    in_day = {"provider_at__gte": begins, "provider_at__lt": begins + timedelta(days=1)}
    payments = Payment.objects.filter(
        provider=provider, status=Payment.Status.SUCCEEDED, **in_day
    ).values_list("payment_no", "amount_fen")
    for number, fen in payments.iterator(CHUNK):
        if number not in payment_nos:
            yield Difference("payment_not_in_bill", number, fen, None)
    refunds = (
        Refund.objects.filter(payment__provider=provider, **in_day)
        .exclude(provider_no="")
        .values_list("refund_no", "amount_fen")
    )
    for number, fen in refunds.iterator(CHUNK):
        if number not in refund_nos:
            yield Difference("refund_not_in_bill", number, fen, None)


def _write(
    provider: str,
    day: date,
    paid: Sequence[BillLine],
    back: Sequence[BillLine],
    found: Sequence[Difference],
) -> Reconciliation:
    columns: Mapping[str, Any] = {
        "payments": len(paid),
        "paid_fen": sum(line.amount_fen for line in paid),
        "refunds": len(back),
        "refunded_fen": sum(line.amount_fen for line in back),
        "differences": [difference.document() for difference in found],
        "compared_at": Now(),
    }
    # Found where somebody else has made it at this moment.
    row, _ = Reconciliation.objects.get_or_create(
        provider=provider, day=day, defaults={**columns, "runs": 0}
    )
    known = Reconciliation.objects.filter(pk=row.pk)
    known.update(runs=F("runs") + 1, **columns)
    return known.get()


def _chunks(lines: Sequence[BillLine]) -> Iterator[Sequence[BillLine]]:
    for start in range(0, len(lines), CHUNK):
        yield lines[start : start + CHUNK]
