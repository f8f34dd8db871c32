"""WeChat Pay's daily bill: Chinese headings, amounts in yuan, each cell behind a backtick.

Cells are found by their headings, because columns are added now and then. Commas stand in cells
too; only a comma before a backtick parts them.
"""

import re
from collections.abc import Iterator, Mapping

from orders.payments.providers import BillLine

SEPARATOR = ",`"
YUAN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")
TOTALS = "总交易单数"


def lines_of(file: bytes, *, mchid: str) -> list[BillLine]:
    """The payments and refunds of a bill. Raises ValueError, or LookupError for a heading that is
    missing; also where its own totals count other lines than it has."""
    rows = [row.rstrip("\r") for row in file.decode("utf-8-sig").split("\n") if row.strip()]
    totals = next((number for number, row in enumerate(rows) if row.startswith(TOTALS)), None)
    if totals is None:
        raise ValueError("it has no totals")
    headings = rows[0].split(",")
    found = []
    for cells in _cells(rows[1:totals], headings):
        if cells["商户号"] != mchid or cells["货币种类"] != "CNY":
            raise ValueError("another merchant's, or not in CNY")
        found.append(_line(cells))
    [totalled] = _cells(rows[totals + 1 :], rows[totals].split(","))
    if int(totalled[TOTALS]) != len(found):
        raise ValueError("lines are missing")
    return found


def _cells(rows: list[str], headings: list[str]) -> Iterator[Mapping[str, str]]:
    for row in rows:
        yield dict(zip(headings, row.removeprefix("`").split(SEPARATOR), strict=True))


def _line(cells: Mapping[str, str]) -> BillLine:
    is_refund = cells["交易状态"] == "REFUND"
    return BillLine(
        payment_no=cells["商户订单号"],
        app_id=cells["公众账号ID"],
        amount_fen=fen_of(cells["申请退款金额" if is_refund else "订单金额"]),
        refund_no=cells["商户退款单号"] if is_refund else "",
        provider_no=cells["微信退款单号" if is_refund else "微信订单号"],
        state=cells["退款状态"] if is_refund else cells["交易状态"],
    )


def fen_of(yuan: str) -> int:
    """Fen of an amount such as 12.30, by its digits. Raises ValueError."""
    found = YUAN.fullmatch(yuan)
    if found is None:
        raise ValueError("no amount")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
