"""Requests that Django alone would not survive, or would misread."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.signals import request_started
from django.db import close_old_connections

from shop.api.wsgi import Handler

pytestmark = pytest.mark.urls("tests.api.urls")


@pytest.fixture(autouse=True)
def no_database() -> Iterator[None]:
    """As Django's own test client does: a request here looks at no connection."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


def ask(body: bytes = b"", **environ: str) -> tuple[int, Any]:
    """Status and JSON of the answer to a request that comes straight from the socket."""
    defaults: dict[str, Any] = {"HTTP_HOST": "localhost", "PATH_INFO": "/api/v1/echo"}
    setup_testing_defaults(defaults)
    del defaults["wsgi.input"]
    defaults |= {"wsgi.input": BytesIO(body), **environ}
    statuses: list[str] = []
    answer = Handler()(defaults, lambda status, headers, *rest: statuses.append(status))
    return int(statuses[0][:3]), json.loads(b"".join(answer))


@pytest.mark.parametrize("charset", ["bz2_codec", "utf-16", "idna", "rot13", "x" * 1000, ""])
def test_the_query_is_utf_8_whatever_charset_is_claimed(charset: str) -> None:
    kind = f"application/json; charset={charset}"
    answer = ask(QUERY_STRING="a=%E8%8C%B6", CONTENT_TYPE=kind)
    assert answer == (200, {"query": {"a": "茶"}})


def test_a_query_of_a_thousand_and_one_fields_is_refused() -> None:
    status, problem = ask(QUERY_STRING="&".join(["a=1"] * 1001))
    assert (status, problem["code"]) == (400, "invalid")
    assert problem["errors"][0]["code"] == "malformed"


def chunked(body: bytes) -> tuple[int, Any]:
    return ask(
        body,
        REQUEST_METHOD="POST",
        CONTENT_TYPE="application/json",
        HTTP_TRANSFER_ENCODING="chunked",
    )


def test_a_chunked_body_is_read() -> None:
    assert chunked(b'{"a": 1}') == (200, {"body": {"a": 1}})
    assert chunked(b"") == (200, {"body": {}})


def test_a_chunked_body_without_end_is_left_unread(settings: Any) -> None:
    settings.MAX_BODY_BYTES = 1000
    assert chunked(b" " * 998 + b"{}") == (200, {"body": {}})
    status, problem = chunked(b" " * 10_000_000)
    assert (status, problem["code"], problem["limit"]) == (413, "payload_too_large", 1000)
