"""Slow clients wait at nginx; the shop's few threads never wait for them."""

import json
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.deploy.conftest import Shop
from tests.deploy.front import NAME, Front, receive
from tests.deploy.relay import Relay

# More than the shop has threads (see scarce-web.service).
SLOW = 40
BODY = json.dumps({"items": [{"sku": 1, "count": 1}]}).encode()


def head(shop: Shop, *, chunked: bool) -> bytes:
    """What comes before BODY: a request that the shop answers only when it has read that."""
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
    return (
        f"POST /api/v1/orders/quote HTTP/1.1\r\nHost: {NAME}\r\n"
        f"Authorization: Bearer {shop.token}\r\nContent-Type: application/json\r\n{how}\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_request_reaches_the_shop_when_all_of_it_is_here(
    front: Front, relay: Relay, shop: Shop, chunked: bool
) -> None:
    wrap: Callable[[bytes], bytes] = chunk if chunked else bytes
    with ExitStack() as stack:
        slow = [stack.enter_context(front.connect()) for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(head(shop, chunked=chunked))
            connection.sendall(wrap(BODY[:5]))
        # Nothing of them has gone on, and the shop has a thread for others.
        assert front.get("/livez").status == 200
        assert relay.paths == ["/livez"]
        answers = []
        for connection in slow:
            connection.sendall(wrap(BODY[5:]) + (b"0\r\n\r\n" if chunked else b""))
            answers.append(receive(connection))
    assert [answer.status for answer in answers] == [200] * SLOW
    posted = [request for request in relay.requests if request.method == "POST"]
    assert [request.headers["content-length"] for request in posted] == [[str(len(BODY))]] * SLOW


def test_without_nginx_slow_bodies_take_every_thread(shop: Shop) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(shop.connect()) for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(head(shop, chunked=False) + BODY[:5])
        with pytest.raises(TimeoutError):
            while True:
                # The last of them may still be on their way.
                shop.ask("GET", "/livez", seconds=0.5)
        for connection in slow:
            connection.sendall(BODY[5:])
        assert {receive(connection).status for connection in slow} == {200}
