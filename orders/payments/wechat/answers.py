"""What WeChat Pay says of charges and refunds, read strictly: the same words in answers,
notifications and queries. What is not as it should be is a LookupError, TypeError or ValueError;
what is, and does not fit the shop's account, a Mismatch."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orders.payments.providers import (
    ChargeState,
    ChargeTold,
    Mismatch,
    RefundState,
    RefundTold,
)
from orders.payments.wechat.account import Account

CURRENCY = "CNY"
CHARGES: Mapping[str, ChargeState] = {
    "SUCCESS": ChargeState.PAID,
    # It was paid, and some of it went back.
    "REFUND": ChargeState.PAID,
    "NOTPAY": ChargeState.OPEN,
    "USERPAYING": ChargeState.OPEN,
    "CLOSED": ChargeState.CLOSED,
    "REVOKED": ChargeState.CLOSED,
    # Somebody tried and failed; they may try again until it is closed.
    "PAYERROR": ChargeState.OPEN,
}
REFUNDS: Mapping[str, RefundState] = {
    "SUCCESS": RefundState.SUCCEEDED,
    "PROCESSING": RefundState.PROCESSING,
    "ABNORMAL": RefundState.ABNORMAL,
    "CLOSED": RefundState.CLOSED,
}
MOST_NUMBER = 64


def document_of(body: bytes) -> Mapping[str, Any]:
    """The object that `body` is. Raises ValueError."""
    document = json.loads(body.decode())
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def charge_of(said: Mapping[str, Any], account: Account) -> tuple[str, ChargeTold]:
    """Our number, and how the charge stands. Raises Mismatch for another account's."""
    payment_no = text(said["out_trade_no"])
    app_id, mchid = text(said["appid"]), text(said["mchid"])
    if mchid != account.mchid:
        raise Mismatch("merchant", payment_no=payment_no, told=mchid)
    if app_id not in account.appids:
        raise Mismatch("app", payment_no=payment_no, told=app_id)
    state = CHARGES[text(said["trade_state"])]
    if state is not ChargeState.PAID:
        return payment_no, ChargeTold(state, app_id=app_id)
    amount = said["amount"]
    currency = text(amount["currency"])
    if currency != CURRENCY:
        raise Mismatch("currency", payment_no=payment_no, told=currency)
    return payment_no, ChargeTold(
        state,
        amount_fen=fen(amount["total"]),
        app_id=app_id,
        provider_no=text(said["transaction_id"]),
        at=moment(said["success_time"]),
    )


def refund_of(said: Mapping[str, Any], *, state: str) -> tuple[str, RefundTold]:
    """Our number of a refund, and how it stands. `state`: the word for it, which answers and
    notifications have under different names."""
    # The day's bill has it under the moment when it was taken.
    at = said.get("create_time") or said.get("success_time")
    return text(said["out_refund_no"]), RefundTold(
        REFUNDS[state],
        amount_fen=fen(said["amount"]["refund"]),
        payment_no=text(said["out_trade_no"]),
        provider_no=text(said["refund_id"]),
        at=moment(at) if at else None,
        why="" if REFUNDS[state] is RefundState.SUCCEEDED else state,
    )


def text(value: Any) -> str:
    """A number or name. Raises ValueError."""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_NUMBER or not value.isascii():
        raise ValueError("no name")
    return value


def fen(value: Any) -> int:
    """An amount. Raises ValueError."""
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError("no amount")
    return value


def moment(value: Any) -> datetime:
    """Raises ValueError for a time without an offset."""
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError("no offset")
    return found
