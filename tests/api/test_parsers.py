"""Bodies that mean one thing, or 4xx."""

import pytest
from django.conf import settings
from rest_framework.test import APIClient

pytestmark = pytest.mark.urls("tests.api.urls")

JSON = "application/json"
FAULTS: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "syntax"),
    "two values": (b"{}{}", "syntax"),
    "a list": (b"[]", "type"),
    "a string": (b'"a"', "type"),
    "null": (b"null", "type"),
    "a duplicate key": (b'{"count": 1, "count": 2}', "duplicate"),
    "a nested duplicate key": (b'{"a": [{"b": 1, "b": 1}]}', "duplicate"),
    "NaN": (b'{"a": NaN}', "number"),
    "Infinity": (b'{"a": [-Infinity]}', "number"),
    "1e400": (b'{"a": 1e400}', "number"),
    "-1e400": (b'{"a": -1e400}', "number"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "syntax"),
    "depth 33": (b'{"a":' + b"[" * 33 + b"]" * 33 + b"}", "depth"),
    "lists of depth 10^5": (b"[" * 100_000, "depth"),
    "objects of depth 50,000": (b'{"a":' * 50_000, "depth"),
    "invalid UTF-8": (b'{"a": "\xff"}', "encoding"),
    "a surrogate in UTF-8": (b'{"a": "\xed\xa0\x80"}', "encoding"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "encoding"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "syntax"),
    "a raw NUL": (b'{"a": "\x00"}', "syntax"),
    "an escaped NUL": (b'{"a": ["\\u0000"]}', "character"),
    "a NUL in a key": (b'{"a\\u0000": 1}', "character"),
    "half a surrogate pair": (b'{"a": {"b": "\\ud83d"}}', "character"),
    "half a surrogate pair in a key": (b'{"\\ude00": 1}', "character"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_body_that_could_mean_two_things_is_refused(api: APIClient, name: str) -> None:
    body, code = FAULTS[name]
    answer = api.generic("POST", "/api/v1/echo", body, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    [error] = answer.json()["errors"]
    assert (error["field"], error["code"]) == ("", code)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"", {}),
        (b" \n", {}),
        (b"{}", {}),
        (b'{"a": "\\ud83d\\ude00 \\u4e2d"}', {"a": "😀 中"}),
        ('{"a": "茶"}'.encode(), {"a": "茶"}),
        (b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", None),
        (b'{"a": 1.5, "b": -0.0, "c": 18446744073709551616}', {"a": 1.5, "b": 0.0, "c": 2**64}),
    ],
)
def test_a_clear_body_is_taken(api: APIClient, body: bytes, data: object) -> None:
    answer = api.generic("POST", "/api/v1/echo", body, content_type=JSON)
    assert answer.status_code == 200
    if data is not None:
        assert answer.json() == {"body": data}


def test_a_post_needs_neither_body_nor_content_type(api: APIClient) -> None:
    answer = api.generic("POST", "/api/v1/echo", b"", content_type="")
    assert (answer.status_code, answer.json()) == (200, {"body": {}})


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "",
        "/",
        ";",
        "x" * 10_000,
    ],
)
def test_only_json_in_utf_8_is_a_body(api: APIClient, content_type: str) -> None:
    answer = api.generic("POST", "/api/v1/echo", b'{"a": 1}', content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
def test_json_by_any_spelling(api: APIClient, content_type: str) -> None:
    answer = api.generic("POST", "/api/v1/echo", b'{"a": 1}', content_type=content_type)
    assert (answer.status_code, answer.json()) == (200, {"body": {"a": 1}})


def test_a_body_may_be_as_large_as_the_limit_and_not_a_byte_more(api: APIClient) -> None:
    limit = settings.MAX_BODY_BYTES
    largest = b'{"a": "' + b"x" * (limit - 9) + b'"}'
    assert len(largest) == limit
    assert api.generic("POST", "/api/v1/echo", largest, content_type=JSON).status_code == 200
    for body in (largest + b" ", b" " * 10_000_000):
        answer = api.generic("POST", "/api/v1/echo", body, content_type=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert answer.json()["limit"] == limit


def test_a_hundred_thousand_lines_are_too_large(api: APIClient) -> None:
    body = b'{"items": [' + b",".join([b'{"sku":1,"count":1}'] * 100_000) + b"]}"
    answer = api.generic("POST", "/api/v1/check", body, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
