"""Requests to the sale endpoint that are repeated, changed, lost in a crash or malformed."""

import json
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from goods.sales.models import FlashSale
from orders.models import Order
from tests.faults.clients import CUT, Client, Reply, access_of, agreement, at_once
from tests.faults.sales import (
    EVERY,
    How,
    assert_sold,
    hows,
    in_step,
    make_users,
    sale_of,
)
from tests.faults.shop import REAL_PROCESSES, Shop, wait_until
from tests.kit.clientlog import ClientLog

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]


def settled(sale: FlashSale) -> None:
    """By the worker."""
    pending = Order.objects.filter(queue_id=sale.queue_id)
    wait_until(lambda: not pending.exists(), "nothing waits", seconds=20)


def first_status(how: How) -> int:
    return 202 if how.queued else 201


def assert_one_order(how: How, sale: FlashSale, replies: list[Reply]) -> Order:
    """All replies tell of the one order of the sale, which has its unit."""
    order = Order.objects.get(sale=sale)
    assert {reply.body["order_no"] for reply in replies} == {order.order_no}
    assert {reply.status for reply in replies} == {first_status(how)}
    settled(sale)
    assert_sold(sale, units=1, of=10)
    assert in_step(sale)
    return order


# --- D01


@hows("one key", short=2)
def test_one_key_50_times_at_once_is_one_order(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, [user] = sale_of(how, stock=10, per_user_limit=1), make_users(1)

    replies = at_once([partial(client_of(user).buy, sale, key="k") for _ in range(50)])

    assert Counter(reply.replayed for reply in replies) == {False: 1, True: 49}
    assert_one_order(how, sale, replies)
    assert agreement(log, [sale]) == []


# Where a web process can die over an order: (fail point, orders that are stored then).
def crashes(how: How) -> list[tuple[str, int]]:
    gate = [("gate.admitted", 0)] if how.gated else []
    return [*gate, *([] if how.queued else [("commit.before", 0)]), ("commit.after", 1)]


@hows("crash in flight", short=1)
def test_a_crash_in_flight_blocks_no_key_and_doubles_no_order(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    for failpoint, stored in crashes(how):
        sale, [user] = sale_of(how, stock=10, per_user_limit=1), make_users(1)
        with shop.another_web(FAILPOINT=f"{failpoint}:kill") as port:
            lost = client_of(user, port=port).order(sale, key="k")
        assert lost.code == CUT
        assert Order.objects.filter(sale=sale).count() == stored, failpoint

        replies = at_once([partial(client_of(user).buy, sale, key="k") for _ in range(50)])

        assert Counter(reply.replayed for reply in replies)[False] == 1 - stored
        assert_one_order(how, sale, replies)
        assert agreement(log, [sale]) == []


# --- D02 to D04


@hows("other body", short=2)
def test_a_key_with_another_body_is_refused_and_changes_nothing(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, other = (sale_of(how, stock=10, per_user_limit=5) for _ in range(2))
    [user] = make_users(1)
    client = client_of(user)
    first = client.buy(sale, key="k")

    another_count = client.order(sale, key="k", count=2)
    another_sale = client.order(other, key="k")
    again = client.order(sale, key="k")

    for reply in (another_count, another_sale):
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
    assert (again.code, again.replayed) == ("", True)
    assert_one_order(how, sale, [first, again])
    assert_sold(other, units=0, of=10)
    assert in_step(other)


@hows("two bodies", short=1)
def test_one_key_with_two_bodies_at_once_is_one_order_and_refusals(
    shop: Shop, client_of: Clients, how: How
) -> None:
    sale, [user] = sale_of(how, stock=10, per_user_limit=2), make_users(1)

    replies = at_once(
        [partial(client_of(user).buy, sale, key="k", count=1 + n % 2) for n in range(20)]
    )

    settled(sale)
    bought = Order.objects.get(sale=sale).snapshot[0]["count"]
    assert Counter((reply.status, reply.code) for reply in replies) == {
        (first_status(how), ""): 10,
        (422, "idempotency_key_reused"): 10,
    }
    assert_sold(sale, units=bought, of=10)
    assert in_step(sale)


@hows("other user", short=1)
def test_the_same_key_of_20_users_is_20_orders(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, users = sale_of(how, stock=30, per_user_limit=1), make_users(20)

    replies = at_once([partial(client_of(user).buy, sale, key="k") for user in users])

    assert [(reply.code, reply.replayed) for reply in replies] == [("", False)] * 20
    settled(sale)
    assert_sold(sale, units=20, of=30)
    assert in_step(sale)
    assert agreement(log, [sale]) == []


@hows("lost answer", short=2)
def test_a_request_whose_answer_was_lost_is_answered_again(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    """The client hangs up as soon as it has sent the request, then asks again; also when all is
    sold, when its order has been settled and when the sale is over for everybody else."""
    sale, [user, other] = sale_of(how, stock=1, per_user_limit=1), make_users(2)
    log.sends(f"{user.pk} k")
    sent = raw(shop.port, post(user, sale, key="k"), wait=False)
    wait_until(lambda: Order.objects.filter(sale=sale).exists(), "it is stored", seconds=10)
    sent.close()
    settled(sale)
    assert client_of(other).buy(sale).code == "sold_out"

    replies = [client_of(user).buy(sale, key="k") for _ in range(3)]

    order = Order.objects.get(sale=sale)
    assert {reply.status for reply in replies} == {first_status(how)}
    assert {reply.body["order_no"] for reply in replies} == {order.order_no}
    assert {reply.body["status"] for reply in replies} == {"unpaid"}
    assert all(reply.replayed for reply in replies)
    assert_sold(sale, units=1, of=1)
    assert agreement(log, [sale]) == []


# --- D05


def post(
    user: object, sale: FlashSale, *, key: str | None, body: object = None, then: str = "close"
) -> bytes:
    """A request as it goes over the wire, with any bytes for a key."""
    content = json.dumps({"count": 1} if body is None else body).encode()
    lines = [
        f"POST /api/v1/flash-sales/{sale.pk}/orders HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {access_of(user)}",  # type: ignore[arg-type]
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        f"Connection: {then}",
    ]
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def raw(port: int, request: bytes, *, wait: bool = True) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=15)
    connection.sendall(request)
    return connection


def status_of(port: int, request: bytes) -> int:
    """The status line of the answer. Raises OSError where there is none."""
    with raw(port, request) as connection, connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


KEYS = {
    "missing": None,
    "empty": "",
    "spaces alone": "   ",
    "256 characters": "k" * 256,
    "a million characters": "k" * 10**6,
    "a control byte": "k\x01k",
    "a NUL": "k\0k",
    "DEL": "k\x7fk",
    "Latin-1": "k\xe9k",
    "a tab": "k\tk",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("how", [EVERY[0], EVERY[-1]], ids=str)
def test_a_key_that_is_missing_or_malformed_is_refused(
    shop: Shop, how: How, key: str | None
) -> None:
    sale, [user] = sale_of(how, stock=10), make_users(1)

    status = status_of(shop.port, post(user, sale, key=key))

    assert status in ({400, 431} if key and len(key) > 300 else {400})
    assert not Order.objects.filter(sale=sale).exists()
    assert in_step(sale)
    # The server goes on.
    assert status_of(shop.port, post(user, sale, key="k" * 255)) == first_status(how)
    settled(sale)
    assert_sold(sale, units=1, of=10)


def test_two_keys_in_one_request_are_no_key(shop: Shop) -> None:
    """Each server joins repeated headers in its own way; whichever it is, one order at most."""
    sale, [user] = sale_of(How("direct", "optimistic", gated=True), stock=10), make_users(1)
    twice = post(user, sale, key="a").replace(b"Idempotency-Key: a", b"Idempotency-Key: a\r\n" * 2)

    statuses = [status_of(shop.port, twice.replace(b"\r\n\r\n\r\n", b"\r\n\r\n")) for _ in range(3)]

    assert set(statuses) <= {201, 400}
    assert Order.objects.filter(sale=sale).count() <= 1
