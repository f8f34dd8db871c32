"""Raising an alarm, and saying that it is seen to.

An alarm is a log line, a count and a row, in a transaction of its own: whatever else is refused, it
stays. The same facts again only count up.
"""

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now
from prometheus_client import Counter

from orders.payments.oversight.models import PaymentAlarm
from orders.payments.providers import Mismatch
from shop import transactions
from shop.errors import NotFound
from shop.operators_log import changed

if TYPE_CHECKING:
    from shop.accounts.models import User

logger = logging.getLogger(__name__)

ALARMS = Counter("shop_payment_alarms", "Money that does not fit, by what is wrong.", ["kind"])


def alarm_raise(
    kind: PaymentAlarm.Kind, *, provider: str, number: str, **facts: Any
) -> PaymentAlarm:
    """Tells operators of what does not fit. `facts`: what JSON can say, and no secret. Not inside a
    transaction."""
    logger.error(
        "payment alarm: %s",
        kind.value,
        extra={"provider": provider, "number": number, "facts": facts},
    )
    ALARMS.labels(kind.value).inc()
    said = json.dumps([kind.value, provider, number, facts], sort_keys=True, default=str)
    fingerprint = hashlib.sha256(said.encode()).hexdigest()

    def write() -> PaymentAlarm:
        known = PaymentAlarm.objects.filter(fingerprint=fingerprint)
        if not known.update(times=F("times") + 1, last_at=Now()):
            PaymentAlarm.objects.create(
                kind=kind,
                provider=provider,
                number=number,
                facts=json.loads(json.dumps(facts, default=str)),
                fingerprint=fingerprint,
                last_at=Now(),
            )
        return known.get()

    try:
        return transactions.run(write)
    except IntegrityError as error:
        if not transactions.is_duplicate(error):
            raise
        return transactions.run(write)  # somebody was faster: it is there now


def mismatch_alarm(mismatch: Mismatch, *, provider: str, number: str) -> None:
    """An alarm about what a provider says that does not fit."""
    kind = PaymentAlarm.Kind(mismatch.what)
    alarm_raise(kind, provider=provider, number=number, **mismatch.facts)


def alarm_handle(*, alarm_id: int, operator: "User", note: str) -> bool:
    """An operator has seen to it. False, and nothing changed, where that was said before. Raises
    NotFound."""

    def write() -> bool:
        alarm = PaymentAlarm.objects.select_for_update().filter(pk=alarm_id).first()
        if alarm is None:
            raise NotFound(alarm=alarm_id)
        waiting = PaymentAlarm.objects.filter(pk=alarm_id, handled_at__isnull=True)
        if not waiting.update(handled_at=Now(), handled_by=operator, note=note):
            return False
        changed(operator, alarm, f"seen to: {note}", handled_by=operator, note=note)
        return True

    return transactions.run(write)
