"""What WeChat Pay knows: charges, refunds, and the bill that follows from them."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
HEADINGS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,"
    "退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
TOTALS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_serial = count(1)


def now() -> datetime:
    return datetime.now(CHINA).replace(microsecond=0)


@dataclass(slots=True)
class Refund:
    out_refund_no: str
    charge: "Charge"
    amount: int
    notify_url: str = ""
    status: str = "PROCESSING"
    created: datetime = field(default_factory=lambda: now())
    refund_id: str = field(default_factory=lambda: f"5030{next(_serial):024d}")


@dataclass(slots=True)
class Charge:
    out_trade_no: str
    appid: str
    openid: str
    amount: int
    title: str
    notify_url: str
    state: str = "NOTPAY"
    success: datetime | None = None
    transaction_id: str = field(default_factory=lambda: f"4200{next(_serial):024d}")
    refunds: list[Refund] = field(default_factory=list)


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def bill(mchid: str, charges: list[Charge], *, day: str) -> str:
    """The file of that day, as it is downloaded. `day`: 2026-11-25."""
    lines, paid, refunded = [], 0, 0
    for charge in charges:
        if charge.success and charge.success.date().isoformat() == day:
            lines.append(_row(mchid, charge, None))
            paid += charge.amount
        for refund in charge.refunds:
            if refund.created.date().isoformat() == day:
                lines.append(_row(mchid, charge, refund))
                refunded += refund.amount
    sums = [str(len(lines)), yuan(paid), yuan(refunded), "0.00", "0.00000", yuan(paid)]
    totals = _cells([*sums, yuan(refunded)])
    return "\ufeff" + "\r\n".join([HEADINGS, *lines, TOTALS, totals]) + "\r\n"


def _row(mchid: str, charge: Charge, refund: Refund | None) -> str:
    at = refund.created if refund else charge.success
    return _cells(
        [
            f"{at:%Y-%m-%d %H:%M:%S}",
            *(charge.appid, mchid, "0", "", charge.transaction_id, charge.out_trade_no),
            *(charge.openid, "JSAPI", "REFUND" if refund else "SUCCESS", "OTHERS", "CNY"),
            *("0.00" if refund else yuan(charge.amount), "0.00"),
            *(refund.refund_id if refund else "0", refund.out_refund_no if refund else "0"),
            *(yuan(refund.amount) if refund else "0.00", "0.00"),
            *("ORIGINAL" if refund else "", refund.status if refund else ""),
            # A comma in a name is no end of a cell.
            *(f"{charge.title}, paid", "", "0.00000", "0.60%"),
            *("0.00" if refund else yuan(charge.amount), yuan(refund.amount) if refund else "0.00"),
            "",
        ]
    )


def _cells(values: list[str]) -> str:
    return ",".join(f"`{value}" for value in values)
