"""WeChat Pay as the shop's `Provider`: payments in a mini-program (JSAPI), refunds, the day's bill.

Our numbers are its `out_trade_no` and `out_refund_no`, so every call may be repeated.
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.translation import gettext

from orders.payments.providers import (
    BillLine,
    Charge,
    ChargeState,
    ChargeTold,
    Mismatch,
    ProviderUnavailable,
    RefundState,
    RefundTold,
)
from orders.payments.wechat.account import NOTIFY, REFUND_NOTIFY, appids
from orders.payments.wechat.answers import charge_of, refund_of, text
from orders.payments.wechat.bills import lines_of
from orders.payments.wechat.client import Client, Said, client
from orders.payments.wechat.signing import lines, sign
from shop.accounts.wechat.models import Identity
from shop.errors import Invalid

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHARGES = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
# A charge must be open for a minute at least, and a little more for the way there.
LEAST_OPEN = timedelta(seconds=70)
MOST_TITLE = 40
# Not done, and not refused for good: told again.
AGAIN = frozenset(
    {
        "FREQUENCY_LIMITED",
        "SYSTEM_ERROR",
        "BANK_ERROR",
        "SIGN_ERROR",
        "NO_AUTH",
        "NOT_ENOUGH",
        "MCH_NOT_EXISTS",
        "USERPAYING",
    }
)
ABSENT = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
NO_BILL = "NO_STATEMENT_EXIST"
# Whose days the bills are of, and the hour at which yesterday's is made.
CHINA = ZoneInfo("Asia/Shanghai")
MADE_AT_HOUR = 10


class WechatPay:
    """Implements `Provider`."""

    def app_of(self, user_id: int) -> str:
        """The first of the mini-programs that may pay in which the user is known."""
        known = set(
            Identity.objects.filter(user_id=user_id, appid__in=appids()).values_list(
                "appid", flat=True
            )
        )
        for appid in appids():
            if appid in known:
                return appid
        message = gettext("Log in with WeChat first: it asks who pays.")
        raise Invalid.field("provider", message)

    def create(self, charge: Charge) -> dict[str, Any]:
        us = _client()
        payer = Identity.objects.filter(user_id=charge.user_id, appid=charge.app_id).first()
        if payer is None:
            raise ProviderUnavailable("payer")
        asked = {
            "appid": charge.app_id,
            "mchid": us.account.mchid,
            "description": charge.title[:MOST_TITLE],
            "out_trade_no": charge.payment_no,
            "time_expire": _ends_at(charge.expires_at).isoformat(timespec="seconds"),
            "notify_url": f"{us.account.called_at}{NOTIFY}",
            "amount": {"total": charge.amount_fen, "currency": "CNY"},
            "payer": {"openid": payer.openid},
        }
        with us.place():
            said = us.post("create", f"{CHARGES}/jsapi", asked)
        if said.code:
            logger.error("wechat pay: a payment was not opened: %s", said.code)
            raise ProviderUnavailable(said.code)
        return _read("create", said, lambda document: _params(us, charge, document))

    def query(self, *, payment_no: str) -> ChargeTold:
        us = _client()
        path = f"{CHARGES}/out-trade-no/{payment_no}"
        said = us.get("query", path, {"mchid": us.account.mchid})
        if said.code in ABSENT:
            return ChargeTold(ChargeState.UNKNOWN)
        if said.code:
            logger.error("wechat pay: it does not tell of a payment: %s", said.code)
            raise ProviderUnavailable(said.code)
        number, told = _read("query", said, lambda document: charge_of(document, us.account))
        if number != payment_no:
            raise Mismatch("number", payment_no=payment_no, told=number)
        return told

    def close(self, *, payment_no: str) -> ChargeTold:
        us = _client()
        path = f"{CHARGES}/out-trade-no/{payment_no}/close"
        said = us.post("close", path, {"mchid": us.account.mchid})
        if not said.code:
            return ChargeTold(ChargeState.CLOSED)
        # Paid, closed already, unknown, just being paid: only asking tells which.
        told = self.query(payment_no=payment_no)
        if told.state is ChargeState.UNKNOWN:
            return ChargeTold(ChargeState.CLOSED)
        if told.state is ChargeState.OPEN:
            raise ProviderUnavailable(said.code)
        return told

    def refund(
        self, *, refund_no: str, payment_no: str, amount_fen: int, total_fen: int
    ) -> RefundTold:
        us = _client()
        said = us.post(
            "refund",
            REFUNDS,
            {
                "out_trade_no": payment_no,
                "out_refund_no": refund_no,
                "notify_url": f"{us.account.called_at}{REFUND_NOTIFY}",
                "amount": {"refund": amount_fen, "total": total_fen, "currency": "CNY"},
            },
        )
        if said.code:
            logger.error("wechat pay: a refund was not taken: %s", said.code)
            if said.code in AGAIN:
                raise ProviderUnavailable(said.code)
            return RefundTold(RefundState.REFUSED, why=said.code)
        return self._refund_told("refund", said, refund_no)

    def query_refund(self, *, refund_no: str) -> RefundTold:
        said = _client().get("query_refund", f"{REFUNDS}/{refund_no}")
        if said.code:
            raise ProviderUnavailable(said.code)
        return self._refund_told("query_refund", said, refund_no)

    def bill(self, day: date) -> Sequence[BillLine] | None:
        """All that WeChat Pay did for the shop on `day` (Chinese time); None while it has not made
        the bill, which it does at ten the next morning. Raises ProviderUnavailable."""
        us = _client()
        asked = {"bill_date": day.isoformat(), "bill_type": "ALL"}
        said = us.get("bill", "/v3/bill/tradebill", asked)
        if said.code == NO_BILL:
            # Either nobody paid, or it is too early to tell.
            made_at = datetime(day.year, day.month, day.day, MADE_AT_HOUR, tzinfo=CHINA)
            return [] if timezone.now() >= made_at + timedelta(days=1) else None
        if said.code == "STATEMENT_CREATING":
            return None
        if said.code:
            raise ProviderUnavailable(said.code)
        url, sha1 = _read(
            "bill", said, lambda document: (document["download_url"], text(document["hash_value"]))
        )
        file = us.file(url, sha1=sha1)
        try:
            return lines_of(file, mchid=us.account.mchid)
        except (LookupError, ValueError) as error:
            logger.exception("wechat pay: the bill of %s can't be read", day)
            raise ProviderUnavailable("garbage") from error

    def _refund_told(self, call: str, said: Said, refund_no: str) -> RefundTold:
        number, told = _read(
            call, said, lambda document: refund_of(document, state=document["status"])
        )
        if number != refund_no:
            raise Mismatch("number", refund_no=refund_no, told=number)
        return told


def _client() -> Client:
    try:
        return client()
    except ImproperlyConfigured as error:
        logger.error("wechat pay: %s", error)
        raise ProviderUnavailable("settings") from None


def _read(call: str, said: Said, read: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return read(said.document)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        logger.error("wechat pay: the answer to %s can't be read", call)
        raise ProviderUnavailable("garbage") from None


def _ends_at(expires_at: datetime | None) -> datetime:
    """When WeChat Pay stops taking money: with the order, as far as it lets one say that."""
    soonest = timezone.now() + LEAST_OPEN
    return timezone.localtime(max(expires_at, soonest) if expires_at else soonest)


def _params(us: Client, charge: Charge, document: Mapping[str, Any]) -> dict[str, Any]:
    """What `wx.requestPayment` takes."""
    package = f"prepay_id={text(document['prepay_id'])}"
    stamp, nonce = str(int(time.time())), secrets.token_hex(16)
    signature = sign(us.account.key, lines(charge.app_id, stamp, nonce, package))
    return {
        "timeStamp": stamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signature,
    }
