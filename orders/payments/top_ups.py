"""Payments without an order: each fills its user's wallet once, whenever its money comes.

A top-up changes on a condition, under its own row's lock, which is taken before the wallet's. When
its time is up it is closed at its provider; money that comes all the same is credited all the same,
for there is nothing that it could come too late for.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from orders.payments import wallet
from orders.payments.models import OPEN, Payment
from shop.accounts.models import User
from shop.api.idempotency import RequestKey, insert
from shop.errors import Invalid
from shop.numbers import new_number


def open_top_up(
    *, key: RequestKey, amount_fen: int, provider: str, app_id: str, ask_seconds: int
) -> Payment:
    """Stores a top-up that is to be told to its provider, and asked about after so many seconds.
    Raises Invalid for an amount that is not from 1 fen to TOP_UP_MOST_FEN."""
    if not 1 <= amount_fen <= settings.TOP_UP_MOST_FEN:
        message = gettext("From 1 to %(most)d fen.") % {"most": settings.TOP_UP_MOST_FEN}
        raise Invalid.field("amount_fen", message, code="max_value")
    now = User.objects.filter(pk=key.user_id).values_list(Now(), flat=True).get()
    top_up = Payment(
        **key.columns(),
        first_status=200,
        payment_no=new_number(now),
        provider=provider,
        amount_fen=amount_fen,
        expires_at=now + timedelta(seconds=settings.TOP_UP_SECONDS),
        app_id=app_id,
        ask_at=now + timedelta(seconds=ask_seconds),
    )
    insert(top_up)
    return top_up


def record_success(payment_id: int, says: Mapping[str, Any]) -> None:
    """The provider has the money: it is in the wallet, once. `says`: further columns, as the
    provider told them."""
    top_ups = _top_ups().select_for_update().annotate(db_now=Now())
    top_up = top_ups.get(pk=payment_id)
    if top_up.status == Payment.Status.SUCCEEDED:
        return  # said before
    _top_ups().filter(pk=top_up.pk).update(
        status=Payment.Status.SUCCEEDED, succeeded_at=top_up.db_now, **says
    )
    wallet.fill(top_up)


def record_closed(top_up: Payment) -> None:
    """The provider takes no money for it any more, as it answered when it was asked last."""
    still = _top_ups().filter(pk=top_up.pk, status__in=OPEN, asks=top_up.asks)
    still.update(status=Payment.Status.CLOSED)


def abandon_overdue() -> None:
    """Has the top-ups whose time is up closed at their providers, soon. One statement."""
    # Only a top-up expires; to say so here would offer MariaDB the index over all top-ups ever.
    overdue = Payment.objects.filter(status=Payment.Status.PENDING, expires_at__lte=Now())
    overdue.update(status=Payment.Status.CLOSING, asks=0, ask_at=Now())


def _top_ups() -> QuerySet[Payment]:
    return Payment.objects.filter(order__isnull=True)
