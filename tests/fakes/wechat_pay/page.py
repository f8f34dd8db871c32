"""A page to play the shopper on: what is open, and a button that pays it."""

import html
from typing import TYPE_CHECKING

from tests.fakes.wechat_pay.books import yuan

if TYPE_CHECKING:
    from tests.fakes.wechat_pay.server import WechatPay

Page = tuple[int, str, bytes, str]
PAY = "/play/pay/"
ROW = (
    "<tr><td>{number}<td>{amount}<td>{state}"
    '<td><form method="post" action="/play/pay/{number}"><button {off}>Pay</button></form>'
)
ALL = """<!doctype html><meta charset="utf-8"><title>Not WeChat Pay</title>
<h1>Not WeChat Pay</h1><p>Whoever presses the button has paid; nobody's money is in it.</p>
<table border="1" cellpadding="6"><tr><th>payment<th>yuan<th>state<th></tr>{rows}</table>"""


def play(pay: "WechatPay", method: str, path: str) -> Page:
    """Status, type, body, and where to go then."""
    if method == "POST" and path.startswith(PAY):
        paid = pay.pay(path.removeprefix(PAY))
        return (303, "text/plain", b"", "/") if paid else (409, "text/plain", b"Not open.\n", "")
    if method != "GET" or path != "/":
        return 404, "text/plain", b"Nothing here.\n", ""
    rows = "".join(
        ROW.format(
            number=html.escape(charge.out_trade_no),
            amount=yuan(charge.amount),
            state=html.escape(charge.state),
            off="" if charge.state == "NOTPAY" else "disabled",
        )
        for charge in reversed(list(pay.charges.values()))
    )
    return 200, "text/html; charset=utf-8", ALL.format(rows=rows).encode(), ""
