"""What WeChat Pay calls the shop with: a payment has its money, a refund is done or can't be.

Only the signature says who is calling. It is over the very bytes that came, so it is looked at
before anything reads them; then the resource is opened, and what it says compared with the shop's
account, and with the payment or refund where that is recorded. WeChat Pay calls until it is told
that all went well, which it is only after the commit.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from prometheus_client import Counter

from orders.payments.offered import WECHAT
from orders.payments.oversight.alarms import alarm_raise, mismatch_alarm
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.providers import ChargeState, Mismatch
from orders.payments.refunding import refund_told
from orders.payments.services import payment_succeeded
from orders.payments.wechat.account import is_on
from orders.payments.wechat.answers import charge_of, document_of, refund_of, text
from orders.payments.wechat.client import Client, client
from orders.payments.wechat.signing import Seal, Untrusted, opened
from shop.api.parsers import parse_object
from shop.errors import AuthenticationFailed, Invalid, NotFound, Refusal, Unavailable

logger = logging.getLogger(__name__)

PAID = "TRANSACTION.SUCCESS"
REFUND_EVENTS = frozenset({"REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"})

HEARD = Counter(
    "shop_wechat_pay_notifications", "Calls of WeChat Pay, by what came of them.", ["outcome"]
)


def payment_heard(headers: Mapping[str, str], body: bytes) -> None:
    """A payment's notification, recorded when this returns.

    Raises AuthenticationFailed for what is not from WeChat Pay, Invalid or NotFound for what is and
    does not fit, Unavailable, Busy. `headers`: names in lower case.
    """
    _counted(lambda: _hear_payment(headers, body))


def refund_heard(headers: Mapping[str, str], body: bytes) -> None:
    """A refund's notification; as `payment_heard`."""
    _counted(lambda: _hear_refund(headers, body))


def _counted(hear: Callable[[], None]) -> None:
    try:
        hear()
    except Refusal as refusal:
        HEARD.labels(refusal.code).inc()
        raise
    HEARD.labels("ok").inc()


def _hear_payment(headers: Mapping[str, str], body: bytes) -> None:
    us = _us()
    event, resource = _opened(us, headers, body)
    if event != PAID:
        raise _unread(event)
    try:
        payment_no, told = charge_of(resource, us.account)
    except Mismatch as mismatch:
        number = mismatch.facts.get("payment_no", "")
        mismatch_alarm(mismatch, provider=WECHAT, number=number)
        raise Invalid.field("", "Not this shop's.") from None
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise _unread(event) from None
    if told.state is not ChargeState.PAID:
        raise _unread(event)
    payment_succeeded(payment_no=payment_no, provider=WECHAT, amount_fen=told.amount_fen, told=told)


def _hear_refund(headers: Mapping[str, str], body: bytes) -> None:
    us = _us()
    event, resource = _opened(us, headers, body)
    if event not in REFUND_EVENTS:
        raise _unread(event)
    try:
        refund_no, told = refund_of(resource, state=text(resource["refund_status"]))
        mchid = text(resource["mchid"])
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise _unread(event) from None
    if mchid != us.account.mchid:
        alarm_raise(PaymentAlarm.Kind.MERCHANT, provider=WECHAT, number=refund_no, told=mchid)
        raise Invalid.field("", "Not this shop's.")
    refund_told(refund_no=refund_no, provider=WECHAT, told=told)


def _us() -> Client:
    if not is_on():
        raise NotFound
    try:
        return client()
    except ImproperlyConfigured as error:
        logger.error("wechat pay: %s", error)
        raise Unavailable from None


def _opened(us: Client, headers: Mapping[str, str], body: bytes) -> tuple[str, Mapping[str, Any]]:
    """The event, and what its resource holds. Raises AuthenticationFailed, and Invalid."""
    try:
        Seal.of(headers).check(body, us.key_of)
        document = parse_object(body)
        event = document.get("event_type")
        resource = opened(document.get("resource"), us.account.api_key)
        return text(event), document_of(resource)
    except Untrusted as error:
        # Anybody can send this: it is counted and told, and alarms nobody.
        logger.warning("wechat pay: a notification is not to be trusted: %s", error.why)
        raise AuthenticationFailed from None
    except (ValueError, RecursionError):
        raise _unread("?") from None


def _unread(event: str) -> Invalid:
    logger.error("wechat pay: a notification can't be read: %s", event)
    return Invalid.field("", "Not understood.")
