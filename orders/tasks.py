"""Bells: each finds its work by looking, so a lost, late or doubled message changes nothing."""

import time
from collections.abc import Callable

from celery import shared_task

from orders import lifecycle, unattended
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.oversight.reconciliation import reconcile_due
from orders.takings.services import takings_count

# A sweep yields after this long, so that one kind of work starves no other.
BUDGET_SECONDS = 2.0


def _until_idle(step: Callable[[], int]) -> int:
    """Repeats `step` until it finds nothing to do or the time is up; returns what it did in all."""
    deadline = time.monotonic() + BUDGET_SECONDS
    total = 0
    while (done := step()) and time.monotonic() < deadline:
        total += done
    return total + done


@shared_task
def expire_orders() -> int:
    """Moves overdue orders on and gives their units back."""
    return _until_idle(lifecycle.orders_expire)


@shared_task
def close_payments() -> int:
    """Closes at their providers the payments that orders no longer want."""
    return _until_idle(payments.payments_close)


@shared_task
def ask_payments() -> int:
    """Asks providers about payments that have been open for some time."""
    return _until_idle(payments.payments_ask)


@shared_task
def reconcile_payments() -> int:
    """Compares yesterday with the providers' bills, and earlier days that were left out."""
    return reconcile_due()


@shared_task
def execute_refunds() -> int:
    """Tells providers of the refunds that are due."""
    return _until_idle(refunding.refunds_execute)


@shared_task
def answer_orders() -> int:
    """Accepts or refuses paid orders for the merchant, where the settings say so."""
    return _until_idle(unattended.orders_accept) + _until_idle(unattended.orders_refuse)


@shared_task
def complete_orders() -> int:
    """Completes orders that were sent long enough ago."""
    return _until_idle(unattended.orders_complete)


@shared_task
def count_takings() -> int:
    """Counts what came in, by the hour."""
    return _until_idle(takings_count)
