"""Requests for orders of sales and for entries that are repeated, changed, lost in a crash or
malformed. Entries take the same way, so what sets no wallet at risk is asked of sales alone."""

import http.client
import json
import select
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from goods.sales.models import FlashSale
from goods.sales.services import sale_end
from lottery.models import Period
from orders.models import Order
from shop.accounts.models import User
from tests.faults.clients import CUT, Client, Reply, access_of, agreement, at_once
from tests.faults.sales import assert_sold, sale_of
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, wait_until
from tests.kit.clientlog import ClientLog
from tests.kit.hows import EVERY, How, hows, in_step, make_users
from tests.kit.offers import Scarce, offer_of
from tests.kit.periods import assert_sold as assert_entered
from tests.kit.periods import crowd, period_of

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]


def first_status(how: How) -> int:
    return 202 if how.queued else 201


Kind = tuple[Callable[..., Any], Callable[[int], list[User]]]
# What is asked for, and by whom: somebody who can pay for it.
KINDS: dict[str, Kind] = {
    "sale": (lambda how: sale_of(how, stock=10, per_user_limit=1), make_users),
    "period": (lambda how: period_of(how, shares=10, per_user_limit=1), crowd),
}
EITHER = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def assert_one(shop: Shop, how: How, scarce: Scarce, replies: list[Reply]) -> None:
    """All replies tell of the one order of the sale, or entry of the period, which has its unit."""
    offer = offer_of(scarce)
    row = offer.stored(scarce).get()
    assert {reply.body[offer.number] for reply in replies} == {getattr(row, offer.number)}
    assert {reply.status for reply in replies} == {first_status(how)}
    shop.comes_to_rest(scarce)
    if isinstance(scarce, Period):
        assert_entered(scarce, shares=1, had={row.user: 1_000})
    else:
        assert_sold(scarce, units=1, of=10)


# --- repeated


@EITHER
@hows("one key", short=2)
def test_one_key_50_times_at_once_is_one_order(
    shop: Shop, client_of: Clients, log: ClientLog, how: How, kind: Kind
) -> None:
    make, people = kind
    scarce, [user] = make(how), people(1)

    replies = at_once([partial(client_of(user).buy, scarce, key="k") for _ in range(50)])

    assert Counter(reply.replayed for reply in replies) == {False: 1, True: 49}
    assert_one(shop, how, scarce, replies)
    assert agreement(log, [scarce]) == []


# Where a web process can die over an order: (fail point, orders that are stored then).
def crashes(how: How) -> list[tuple[str, int]]:
    gate = [("gate.admitted", 0)] if how.gated else []
    return [*gate, *([] if how.queued else [("commit.before", 0)]), ("commit.after", 1)]


@EITHER
@hows("crash in flight", short=1)
def test_a_crash_in_flight_blocks_no_key_and_doubles_no_order(
    shop: Shop, client_of: Clients, log: ClientLog, how: How, kind: Kind
) -> None:
    make, people = kind
    asked = []
    for failpoint, stored in crashes(how):
        scarce, [user] = make(how), people(1)
        asked.append(scarce)
        with shop.another_web(FAILPOINT=f"{failpoint}:kill") as port:
            lost = client_of(user, port=port).order(scarce, key="k")
        assert lost.code == CUT
        assert offer_of(scarce).stored(scarce).count() == stored, failpoint

        replies = at_once([partial(client_of(user).buy, scarce, key="k") for _ in range(50)])

        assert Counter(reply.replayed for reply in replies)[False] == 1 - stored
        assert_one(shop, how, scarce, replies)
    assert agreement(log, asked) == []


# --- changed, of others, lost


@hows("other body", short=2)
def test_a_key_with_another_body_is_refused_and_changes_nothing(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, other = (sale_of(how, stock=10, per_user_limit=5) for _ in range(2))
    [user] = make_users(1)
    client = client_of(user)
    first = client.buy(sale, key="k")

    another_count = client.buy(sale, key="k", count=2)
    another_sale = client.buy(other, key="k")
    again = client.buy(sale, key="k")

    for reply in (another_count, another_sale):
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
    assert (again.code, again.replayed) == ("", True)
    assert_one(shop, how, sale, [first, again])
    shop.comes_to_rest(other)
    assert_sold(other, units=0, of=10)
    assert agreement(log, [sale, other]) == []


@hows("two bodies", short=1)
def test_one_key_with_two_bodies_at_once_is_one_order_and_refusals(
    shop: Shop, client_of: Clients, how: How
) -> None:
    sale, [user] = sale_of(how, stock=10, per_user_limit=2), make_users(1)

    replies = at_once(
        [partial(client_of(user).buy, sale, key="k", count=1 + n % 2) for n in range(20)]
    )

    shop.comes_to_rest(sale)
    bought = Order.objects.get(sale=sale).snapshot[0]["count"]
    assert Counter((reply.status, reply.code) for reply in replies) == {
        (first_status(how), ""): 10,
        (422, "idempotency_key_reused"): 10,
    }
    assert_sold(sale, units=bought, of=10)


@hows("other user", short=1)
def test_the_same_key_of_20_users_is_20_orders(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale, users = sale_of(how, stock=30, per_user_limit=1), make_users(20)

    replies = at_once([partial(client_of(user).buy, sale, key="k") for user in users])

    assert [(reply.code, reply.replayed) for reply in replies] == [("", False)] * 20
    shop.comes_to_rest(sale)
    assert_sold(sale, units=20, of=30)
    assert agreement(log, [sale]) == []


@hows("lost answer", short=2)
def test_a_request_whose_answer_was_lost_is_answered_again(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    """The client hangs up and asks again, when its order has been settled, all is sold and the sale
    is over: for everybody else."""
    sale, [user, other] = sale_of(how, stock=1, per_user_limit=1), make_users(2)
    log.sends(f"{user.pk} k")
    with sent(shop.port, post(user, sale, key="k")):
        stored = Order.objects.filter(sale=sale)
        wait_until(stored.exists, "it is stored", seconds=HEAL_SECONDS)
    shop.comes_to_rest(sale)

    others = [client_of(other).buy(sale).code]
    replies = [client_of(user).buy(sale, key="k") for _ in range(3)]
    sale_end(sale)
    others.append(client_of(other).buy(sale).code)
    replies += [client_of(user).buy(sale, key="k") for _ in range(3)]

    # A process goes by what it was told a moment ago.
    assert others in (["sold_out", "ended"], ["sold_out", "sold_out"])
    order = Order.objects.get(sale=sale)
    assert {reply.status for reply in replies} == {first_status(how)}
    assert {reply.body["order_no"] for reply in replies} == {order.order_no}
    assert {reply.body["status"] for reply in replies} == {"unpaid"}
    assert all(reply.replayed for reply in replies)
    assert_sold(sale, units=1, of=1)
    assert agreement(log, [sale]) == []


# --- malformed


def post(user: User, sale: FlashSale, *, key: str | None) -> bytes:
    """A request as it goes over the wire, with any bytes for a key."""
    content = b'{"count": 1}'
    lines = [
        f"POST /api/v1/flash-sales/{sale.pk}/orders HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {access_of(user)}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Connection: close",
    ]
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def sent(port: int, request: bytes) -> socket.socket:
    """The connection on which the request was sent, and its answer is to come."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    # A server that has read enough of it hangs up on the rest, and has answered.
    with suppress(ConnectionError):
        connection.sendall(request)
    return connection


def answer_to(port: int, request: bytes) -> tuple[int, str]:
    """The status of the answer and its code, "" where it has none."""
    with sent(port, request) as connection, http.client.HTTPResponse(connection) as answer:
        answer.begin()
        body = answer.read()
    return answer.status, json.loads(body).get("code", "") if body else ""


# By the server itself, which reads no such header, or by the shop.
BY_SERVER, REQUIRED, INVALID = (400, ""), (400, "idempotency_key_required"), (400, "invalid")
KEYS = {
    "missing": (None, REQUIRED),
    "empty": ("", INVALID),
    "spaces alone": ("   ", INVALID),
    "256 characters": ("k" * 256, INVALID),
    "a million characters": ("k" * 10**6, (431, "")),
    "a control byte": ("k\x01k", BY_SERVER),
    "a NUL": ("k\0k", BY_SERVER),
    "DEL": ("k\x7fk", BY_SERVER),
    "Latin-1": ("k\xe9k", INVALID),
    "a tab": ("k\tk", INVALID),
}


@pytest.mark.parametrize(("key", "refusal"), KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("how", [EVERY[0], EVERY[-1]], ids=str)
def test_a_key_that_is_missing_or_malformed_is_refused(
    shop: Shop, how: How, key: str | None, refusal: tuple[int, str]
) -> None:
    sale, [user] = sale_of(how, stock=10), make_users(1)

    assert answer_to(shop.port, post(user, sale, key=key)) == refusal
    assert not Order.objects.filter(sale=sale).exists()
    assert in_step(sale)
    # The server goes on, and the longest key is a good one.
    assert answer_to(shop.port, post(user, sale, key="k" * 255)) == (first_status(how), "")
    shop.comes_to_rest(sale)
    assert_sold(sale, units=1, of=10)


@pytest.mark.parametrize("how", [EVERY[0], EVERY[-1]], ids=str)
def test_whoever_is_told_from_memory_goes_on_with_the_same_connection(
    shop: Shop, client_of: Clients, how: How
) -> None:
    """Also one whose body is still on its way when the answer is known."""
    sale, [user, loser] = sale_of(how, stock=1), make_users(2)
    assert client_of(user).buy(sale).status == first_status(how)
    shop.comes_to_rest(sale)
    head, mark, content = post(loser, sale, key="k").partition(b"\r\n\r\n")
    head = head.replace(b"Connection: close", b"Connection: keep-alive")

    codes = []
    with socket.create_connection(("127.0.0.1", shop.port), timeout=60) as connection:
        for _ in range(4):
            connection.sendall(head + mark)
            # A server that answers without the body has done so by then, and hangs up.
            select.select([connection], [], [], 0.3)
            connection.sendall(content)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            codes.append(json.loads(answer.read())["code"])

    assert codes == ["sold_out"] * 4
    assert_sold(sale, units=1, of=1)


@pytest.mark.parametrize("how", [EVERY[0], EVERY[-1]], ids=str)
def test_two_keys_in_one_request_are_one_key_or_none(shop: Shop, how: How) -> None:
    """Each server joins repeated headers in its own way; whichever it is, it is the same key each
    time."""
    sale, [user] = sale_of(how, stock=10), make_users(1)
    twice = post(user, sale, key="a\r\nIdempotency-Key: b")

    answers = {answer_to(shop.port, twice) for _ in range(3)}

    assert len(answers) == 1
    assert answers <= {(first_status(how), ""), INVALID}
    orders = Order.objects.filter(sale=sale).count()
    assert orders == (0 if answers == {INVALID} else 1)
    shop.comes_to_rest(sale)
    assert_sold(sale, units=orders, of=10)
