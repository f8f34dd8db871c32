"""What the audit says where somebody has reached into the tables of refunds."""

from dataclasses import dataclass

import pytest

from orders.models import Order
from orders.refunds.models import RefundRequest
from shop.pools.audit import audit
from tests.factories import make_sku
from tests.kit.refunds import accept, ask, decline, paid_order, send_money
from tests.pools.planting import MOVEMENT, plant

pytestmark = [pytest.mark.django_db]


@dataclass(frozen=True, slots=True)
class Shop:
    """An order of 5 units at 1,000 fen and 800 fen freight: 2 are refunded and back in stock, 1 is
    refunded and is not, 1 was declined, 1 is asked for. And one that is refunded whole."""

    order: Order
    back: RefundRequest
    kept: RefundRequest
    declined: RefundRequest
    open: RefundRequest
    whole: RefundRequest

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        requests = ("back", "kept", "declined", "open", "whole")
        line = self.order.lines.get()
        return {
            "pool": line.pool_id,
            "line": line.pk,
            "order": self.order.pk,
            "order_no": self.order.order_no,
            "whole_order_no": self.whole.order.order_no,
            "whole_order": self.whole.order_id,
            **{name: getattr(self, name).pk for name in requests},
            **{f"{name}_no": getattr(self, name).refund_no for name in requests},
        }


@pytest.fixture
def shop(shopper, operator) -> Shop:
    tea = make_sku(stock=10, price_fen=1000)
    order = paid_order(shopper, {tea: 5}, freight_fen=800)
    back = ask(shopper, order, {tea: 2})
    accept(back, operator)
    kept, declined = ask(shopper, order, {tea: 1}), ask(shopper, order, {tea: 1})
    accept(kept, operator, restock=False)
    decline(declined, operator)
    opened = ask(shopper, order, {tea: 1})
    whole = ask(shopper, paid_order(shopper, {tea: 1}, freight_fen=800))
    accept(whole, operator)
    send_money()
    return Shop(order, back, kept, declined, opened, whole)


# The promise, what is done behind its back, and what the audit then says.
BREACHES = {
    "a refund whose units came back that says they did not": (
        1,
        ["UPDATE refunds_refundrequest SET restocked = 0 WHERE id = {back}"],
        "pool {pool}, {back_no}: give_back of 2, held as 0",
    ),
    "a refund that says that its units came back": (
        1,
        ["UPDATE refunds_refundrequest SET restocked = 1 WHERE id = {kept}"],
        "pool {pool}, {kept_no}: refunds_refundline holds 0 taken and 1 given back by {kept_no},"
        " which no movement tells of",
    ),
    "units back under a refund's number that its order's line does not know": (
        1,
        [
            "UPDATE refunds_refundrequest SET restocked = 1 WHERE id = {kept}",
            MOVEMENT % ("{pool}", "give_back", 1, "{kept_no}"),
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
        ],
        "order {order_no}: its line {line} got 2 of 5 back by refunds, which say 3",
    ),
    "a line that has less back than refunds gave it": (
        1,
        ["UPDATE orders_orderline SET given_back = 1 WHERE id = {line}"],
        "order {order_no}: is paid, gave back 1 of 5 of pool {pool}",
    ),
    "units of a living order that came back by no refund": (
        1,
        [
            "UPDATE orders_orderline SET given_back = 3 WHERE id = {line}",
            MOVEMENT % ("{pool}", "give_back", 1, "{order_no}"),
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
        ],
        "order {order_no}: is paid, gave back 3 of 5 of pool {pool}",
    ),
    "a unit that is asked for twice": (
        8,
        ["UPDATE refunds_refundline SET count = 3 WHERE request_id = {open}"],
        "order {order_no}: of 5 units of its line {line} 6 are refunded or asked for, 2 given back",
    ),
    "a refund of another order's units": (
        8,
        [
            "UPDATE refunds_refundline SET line_id ="
            " (SELECT id FROM orders_orderline WHERE order_id = {order})"
            " WHERE request_id = {whole}"
        ],
        "refund {whole_no}: is about a line of order {order_no}",
    ),
    "a request that says another amount than its lines": (
        7,
        ["UPDATE refunds_refundrequest SET goods_fen = 999 WHERE id = {open}"],
        "refund {open_no}: is requested of 999 + 0 fen, its lines have 1000, its money is 0",
    ),
    "money that is not what was accepted": (
        7,
        ["UPDATE refunds_refundrequest SET freight_fen = 1 WHERE id = {back}"],
        "refund {back_no}: is accepted of 2000 + 1 fen, its lines have 2000, its money is 2000",
    ),
    "an accepted request whose money is nowhere": (
        7,
        ["UPDATE refunds_refundrequest SET refund_id = NULL WHERE id = {back}"],
        "refund {back_no}: is accepted of 2000 + 0 fen, its lines have 2000, its money is 0",
    ),
    "money under another number": (
        7,
        ["UPDATE payments_refund SET refund_no = '1' WHERE refund_no = '{back_no}'"],
        "refund {back_no}: is accepted of 2000 + 0 fen, its lines have 2000, its money is 2000",
    ),
    "money that nobody accepted": (
        7,
        ["UPDATE refunds_refundrequest SET refund_id = NULL WHERE id = {kept}"],
        "refund {kept_no}: is requested, and nobody accepted it",
    ),
    "more asked for than was paid": (
        7,
        [
            "UPDATE refunds_refundrequest SET goods_fen = 5000 WHERE id = {open}",
            "UPDATE refunds_refundline SET amount_fen = 5000 WHERE request_id = {open}",
        ],
        "order {order_no}: is paid of 5800 fen, 8000 are asked for, 3000 accepted",
    ),
    "an order that is refunded, of which something was kept": (
        7,
        [
            "UPDATE refunds_refundrequest SET freight_fen = 0 WHERE id = {whole}",
            "UPDATE payments_refund SET amount_fen = 1000 WHERE refund_no = '{whole_no}'",
        ],
        "order {whole_order_no}: is refunded of 1800 fen, 1000 are asked for, 1000 accepted",
    ),
    "an order that is refunded, of which a unit is not": (
        7,
        [
            "UPDATE orders_orderline SET count = 2 WHERE order_id = {whole_order}",
        ],
        "order {whole_order_no}: is refunded, of its line",
    ),
}
# These break others too: of a table that is spoiled elsewhere as well.
WITH_OTHERS = {
    "units back under a refund's number that its order's line does not know",
    "a refund of another order's units",
    "an order that is refunded, of which something was kept",
    "an order that is refunded, of which a unit is not",
}


def test_a_shop_in_order_keeps_every_promise(shop):
    report = audit()
    assert report.broken == {}
    assert report.figures(7)["refund_requests"] == 5
    assert report.figures(7)["open_refund_requests"] == 1


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_breaks_its_promise_and_names_the_row(name, shop):
    number, statements, row = BREACHES[name]

    plant(*statements, shop=shop)

    broken = audit().broken
    if name not in WITH_OTHERS:
        assert list(broken) == [number]
    assert any(row.format(**shop.columns()) in line for line in broken[number]), broken
