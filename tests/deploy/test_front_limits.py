"""Floods, oversized requests and a shop that is away: nginx answers in the shop's own words."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.utils import translation

from shop.api import problems
from shop.errors import Invalid, PayloadTooLarge, RateLimited, Refusal, Unavailable
from tests.deploy.conftest import Shop
from tests.deploy.front import NAME, Answer, Front
from tests.deploy.relay import Relay

LIMIT = 256 * 1024
# rate and burst of `zone=client`, requests at work of `zone=client_at_once`.
RATE, BURST, AT_ONCE = 100, 400, 200
LOW_RATE = 2


def assert_says(answer: Answer, refusal: Refusal, language: str) -> None:
    """The answer is, word for word, the shop's own to this refusal."""
    with translation.override(language):
        assert answer.problem() == problems.body(refusal)
    assert answer.status == refusal.status
    assert answer.headers["Content-Language"] == language
    assert answer.headers["X-Request-ID"]


def test_one_address_gets_its_burst_and_its_rate_and_is_told_when_to_come_again(
    make_front: Callable[..., Front], relay: Relay
) -> None:
    # So low that this machine can ask faster, however slow it is.
    changes = {f"zone=client:16m rate={RATE}r/s": f"zone=client:16m rate={LOW_RATE}r/s"}
    front = make_front(shop_port=relay.port, changes=changes)
    # What passes is then answered 503, and at once.
    relay.stop()
    started = time.monotonic()
    passed = 0
    with front.connect() as connection:
        while (answer := front.ask("GET", "/livez", over=connection)).status == 503:
            passed += 1
    seconds = time.monotonic() - started
    assert_says(answer, RateLimited(), "zh-hans")
    assert BURST < passed <= BURST + 1 + LOW_RATE * seconds
    # Public reads have a limit of their own.
    assert front.get("/api/v1/categories").status == 503


def test_the_site_has_a_limit_for_all_together(
    make_front: Callable[..., Front], shop: Shop
) -> None:
    changes = {
        "zone=site:1m rate=2000r/s": "zone=site:1m rate=1r/m",
        "zone=site burst=2000": "zone=site burst=2",
    }
    front = make_front(shop_port=shop.port, changes=changes)
    assert [front.get("/livez").status for _ in range(4)] == [200, 200, 200, 429]
    assert_says(front.get("/api/v1/me"), RateLimited(), "zh-hans")
    assert front.get("/admin/login/").status == 429
    assert front.get("/api/v1/goods").status == 200


def test_an_ipv6_client_is_its_network_and_a_proxy_in_front_is_not_the_client(
    make_front: Callable[..., Front], relay: Relay
) -> None:
    # As docs/deployment.md says for a load balancer: here this test is one.
    believed = "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; real_ip_recursive on;"
    changes = {
        "server_tokens off;": f"server_tokens off; {believed}",
        "zone=client:16m rate=100r/s": "zone=client:16m rate=1r/m",
        "zone=client burst=400": "zone=client burst=1",
    }
    front = make_front(shop_port=relay.port, changes=changes)

    def statuses(*addresses: str) -> list[int]:
        return [
            front.get("/livez", x_forwarded_for=f"203.0.113.9, {address}").status
            for address in addresses
        ]

    assert statuses("198.51.100.1", "198.51.100.1", "198.51.100.1") == [200, 200, 429]
    assert statuses("198.51.100.2") == [200]
    networks = ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::")
    assert statuses(*networks) == [200, 200, 429]
    assert statuses("2001:db8:1:3::1") == [200]
    assert statuses("2001:db8::1", "2001:db8::2:0:0:3", "2001:db8::ffff") == [200, 200, 429]
    told = {request.headers["x-forwarded-for"][0] for request in relay.requests}
    assert {"198.51.100.1", "2001:db8:1:2:3:4:5:6"} <= told
    assert not any("203.0.113.9" in address for address in told)


def test_one_address_has_so_many_requests_at_work_and_no_more(front: Front) -> None:
    unfinished = (
        f"POST /api/v1/auth/login HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\n{{"
    ).encode()
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stack.enter_context(front.connect()).sendall(unfinished)
        # They are read some time after they were sent.
        assert front.wait_for(lambda: front.get("/livez").status == 429)
        assert_says(front.get("/livez"), RateLimited(), "zh-hans")
    assert front.wait_for(lambda: front.get("/livez").status == 200)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_the_shop_hears_of_it(
    front: Front, relay: Relay, chunked: bool
) -> None:
    def send(size: int, path: str = "/api/v1/auth/login") -> Answer:
        body = b'{"username": "' + b"x" * (size - 16) + b'"}'
        assert len(body) == size
        with front.connect() as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\n"
            if chunked:
                head += "Transfer-Encoding: chunked\r\n\r\n"
                body = f"{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            else:
                head += f"Content-Length: {size}\r\n\r\n"
            return front.exchange(connection, head.encode() + body)

    assert_says(send(LIMIT + 1), PayloadTooLarge(limit=LIMIT), "zh-hans")
    assert relay.paths == []
    fits = send(LIMIT)
    assert (fits.status, fits.problem()["code"]) == (400, "invalid")  # no password in it
    assert relay.paths == ["/api/v1/auth/login"]


def test_operators_may_upload_larger_files(front: Front) -> None:
    def upload(size: int) -> Answer:
        # With such a cookie Django looks for its counterpart in the form, so it reads all of it.
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"csrftoken={'x' * 32}",
        }
        return front.ask("POST", "/admin/goods/goods/add/", body=b"x" * size, headers=headers)

    refused = upload(2 * 1024 * 1024)
    assert (refused.status, b"CSRF" in refused.body) == (403, True)
    assert_says(upload(10 * 1024 * 1024 + 1), PayloadTooLarge(limit=10 * 1024 * 1024), "zh-hans")


def test_a_header_beyond_measure_is_the_clients_fault(front: Front, relay: Relay) -> None:
    for language, words in (
        ("en", "The request is malformed."),
        ("zh-hans", "请求格式错误。"),
    ):
        headers = {"Accept-Language": language, "Idempotency-Key": "k" * 1_000_000}
        answer = front.ask("POST", "/api/v1/orders", headers=headers)
        assert_says(answer, Invalid.field("", words, code="malformed"), language)
    assert front.get("/api/v1/goods", host="a/b").problem()["code"] == "invalid"
    assert front.get("/api/v1/goods?search=" + "x" * 5_000).status == 414
    assert relay.paths == []


def test_a_shop_that_is_away_is_unavailable_and_comes_back(
    front: Front, relay: Relay, shop: Shop
) -> None:
    assert front.get("/livez").status == 200
    relay.stop()
    for language in ("en", "zh-hans"):
        for path in ("/livez", "/api/v1/me", "/api/v1/goods", "/admin/"):
            assert_says(front.get(path, accept_language=language), Unavailable(), language)
    with Relay(to_port=shop.port, port=relay.port):
        assert front.get("/livez").status == 200


def test_a_shop_that_does_not_answer_is_unavailable(
    make_front: Callable[..., Front], relay: Relay
) -> None:
    front = make_front(
        shop_port=relay.port, changes={"proxy_read_timeout 15s;": "proxy_read_timeout 200ms;"}
    )
    relay.hold()
    assert_says(front.post("/api/v1/auth/login", {}), Unavailable(), "zh-hans")
    assert front.wait_for(lambda: relay.paths != [])
    # Once: what it may have arrived at is not done twice.
    assert relay.paths == ["/api/v1/auth/login"]


def test_its_language_is_the_one_that_the_shop_would_choose(front: Front, relay: Relay) -> None:
    languages = {
        "": "zh-hans",
        "en": "en",
        "en-GB,en;q=0.9,zh-CN;q=0.8": "en",
        "zh-CN,zh;q=0.9,en;q=0.8": "zh-hans",
        "de-DE, de;q=0.9, en;q=0.8": "en",
        "fr": "zh-hans",
        "ENT": "zh-hans",
    }

    def answered(status: int) -> dict[str, str]:
        answers = {text: front.get("/api/v1/me", accept_language=text) for text in languages}
        assert {answer.status for answer in answers.values()} == {status}
        return {text: str(answer.headers["Content-Language"]) for text, answer in answers.items()}

    assert answered(401) == languages
    relay.stop()
    assert answered(503) == languages


def test_the_shops_own_refusals_pass_as_they_are(front: Front) -> None:
    document = {"username": "nobody-at-all", "password": "wrong"}
    answers = [front.post("/api/v1/auth/login", document) for _ in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    problem = answers[-1].problem()
    assert problem["code"] == "rate_limited"
    assert problem["retry_after"] > 200  # the shop's window, not nginx's second
