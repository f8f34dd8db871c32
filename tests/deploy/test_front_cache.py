"""Public reads are kept for a second, for everybody alike; nothing else is kept."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ssl import SSLSocket
from urllib.parse import urlsplit

import pytest

from tests.deploy.conftest import Shop
from tests.deploy.front import NAME, Front, receive
from tests.deploy.relay import Relay

PUBLIC = ["/api/v1/goods", "/api/v1/goods/1", "/api/v1/categories", "/api/v1/shipping-methods"]
PUBLIC += ["/api/v1/flash-sales", "/api/v1/flash-sales?status=running&page_size=5"]
TIMES = 20


class Seconds:
    """How many seconds have begun since."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    @property
    def begun(self) -> int:
        # nginx knows whole ones only, so that one more may begin at once.
        return int(time.monotonic() - self._since) + 2


def test_a_public_read_is_asked_for_once_a_second(front: Front, relay: Relay) -> None:
    for path in PUBLIC:
        seconds = Seconds()
        answers = [front.get(path) for _ in range(TIMES)]
        assert {answer.status for answer in answers} == {200}
        asked = relay.paths.count(path)
        # One at first, and one for each second that begins meanwhile.
        assert asked <= 1 + seconds.begun
        assert len({answer.body for answer in answers}) <= asked
        states = [answer.headers["X-Cache"] for answer in answers]
        assert states[0] == "MISS"
        assert states.count("HIT") == TIMES - asked


def test_a_kept_answer_has_the_time_and_the_id_of_now(front: Front) -> None:
    first = front.get("/api/v1/goods", x_request_id="first")
    before = time.time()
    second = front.get("/api/v1/goods", x_request_id="second")
    after = time.time()
    assert second.headers["X-Cache"] in ("HIT", "EXPIRED")
    assert first.headers.get_all("X-Request-ID") == ["first"]
    assert second.headers.get_all("X-Request-ID") == ["second"]
    # nginx looks at the clock each time it has something to do.
    assert before - 0.1 <= float(second.headers["X-Server-Time"]) <= after


def test_different_questions_are_kept_apart(front: Front, relay: Relay) -> None:
    pages = ["/api/v1/goods?page_size=1", "/api/v1/goods?page_size=2", "/api/v1/goods"]
    sizes = [len(front.get(page).json()["results"]) for page in pages * 2]
    assert sizes[:3] == sizes[3:]
    assert sizes[0] == 1
    assert sizes[1] == 2
    assert set(relay.paths) == set(pages)


def test_languages_are_never_mixed(front: Front, relay: Relay) -> None:
    titles: dict[str, set[str]] = {"en": set(), "zh-CN": set(), "": set()}
    seconds = Seconds()
    for _ in range(TIMES):
        for language, seen in titles.items():
            answer = front.get("/api/v1/categories", accept_language=language)
            assert answer.headers["Content-Language"] == ("en" if language == "en" else "zh-hans")
            seen.add(answer.body.decode())
    assert [len(seen) for seen in titles.values()] == [1, 1, 1]
    assert titles["en"] != titles["zh-CN"] == titles[""]
    assert len(relay.paths) <= 3 * (1 + seconds.begun)


def test_a_language_from_a_cookie_is_answered_and_not_kept_for_others(
    front: Front, relay: Relay
) -> None:
    for _ in range(3):
        english = front.get("/api/v1/categories", accept_language="zh", cookie="django_language=en")
        assert english.headers["X-Cache"] == "BYPASS"
        assert english.headers["Content-Language"] == "en"
    assert len(relay.paths) == 3
    chinese = front.get("/api/v1/categories", accept_language="zh")
    assert chinese.headers["Content-Language"] == "zh-hans"
    assert (
        front.get("/api/v1/categories", accept_language="zh", cookie="django_language=en").headers[
            "Content-Language"
        ]
        == "en"
    )


@pytest.mark.parametrize("shown", ["Bearer x", "0"])
def test_who_shows_a_token_is_answered_by_the_shop_and_leaves_nothing(
    front: Front, relay: Relay, shown: str
) -> None:
    for times in range(1, 6):
        assert front.get("/api/v1/goods", authorization=shown).headers["X-Cache"] == "BYPASS"
        assert len(relay.paths) == times
    assert front.get("/api/v1/goods").headers["X-Cache"] == "MISS"
    assert front.get("/api/v1/goods", authorization=shown).headers["X-Cache"] == "BYPASS"


def test_what_is_somebodys_own_is_asked_for_each_time(
    front: Front, relay: Relay, shop: Shop
) -> None:
    paths = ["/api/v1/me", "/api/v1/cart", "/api/v1/orders", "/api/v1/captcha", "/livez"]
    paths += ["/api/v1/flash-sales/1/token", "/api/v1/goods/1/", "/api/v1/goodsx"]
    for path in paths * 2:
        answer = front.get(path, authorization=f"Bearer {shop.token}")
        assert answer.headers["X-Cache"] is None, path
    assert sorted(relay.paths) == sorted(paths * 2)
    # The same addresses, asked by nobody, are refused and not answered from what somebody got.
    assert [front.get(path).status for path in paths[:3]] == [401] * 3


def test_refusals_and_writes_are_not_kept(front: Front, relay: Relay) -> None:
    for _ in range(3):
        assert front.get("/api/v1/goods/999999").status == 404
        assert front.post("/api/v1/goods", {}).status == 405
    assert len(relay.paths) == 6


def test_a_name_that_is_not_the_shops_leaves_no_links_for_others(front: Front) -> None:
    path = "/api/v1/goods?page_size=1"
    for invented in ("evil.example", "shop.example:1234", "SHOP.EXAMPLE"):
        front.ask("GET", path, headers={"Host": invented})
    assert urlsplit(front.get(path).json()["next"]).netloc == NAME


def send(front: Front, path: str) -> SSLSocket:
    """Asks, and leaves the answer for later."""
    connection = front.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
    return connection


def test_many_at_once_are_one_request_to_the_shop(
    make_front: Callable[..., Front], relay: Relay
) -> None:
    # So long that those who are read last find it kept, however slow this machine is.
    changes = {"proxy_cache_valid 200 1s;": "proxy_cache_valid 200 120s;"}
    front = make_front(shop_port=relay.port, changes=changes)
    with ExitStack() as stack:
        relay.hold()
        asked = [stack.enter_context(send(front, "/api/v1/goods")) for _ in range(50)]
        assert front.wait_for(lambda: len(relay.paths) == 1)
        relay.release()
        assert {receive(connection).status for connection in asked} == {200}
    assert len(relay.paths) == 1


def test_while_the_shop_is_asked_again_others_get_the_last_answer(
    front: Front, relay: Relay
) -> None:
    first, first_at = front.get("/api/v1/goods"), time.monotonic()
    relay.hold()
    with ThreadPoolExecutor(1) as other:
        while True:
            asked_at, asked = time.monotonic(), other.submit(front.get, "/api/v1/goods")
            assert front.wait_for(lambda: asked.done() or len(relay.paths) == 2)  # noqa: B023
            if len(relay.paths) == 2:
                break
            assert asked.result().headers["X-Cache"] == "HIT"
            # For a second, and nginx knows whole ones only.
            assert asked_at - first_at < 2
            time.sleep(0.02)  # there is a limit to what one address may ask
        others = [front.get("/api/v1/goods") for _ in range(5)]
        assert [other.headers["X-Cache"] for other in others] == ["UPDATING"] * 5
        assert {other.body for other in others} == {first.body}
        assert len(relay.paths) == 2
        relay.release()
        assert asked.result().headers["X-Cache"] == "EXPIRED"
