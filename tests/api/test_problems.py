"""Every failure is a problem document, in the reader's language, and never a 500."""

import logging

import pytest
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from shop.accounts.models import User

pytestmark = pytest.mark.urls("tests.api.urls")


def unhandled() -> float:
    return REGISTRY.get_sample_value("shop_unhandled_errors_total") or 0.0


def test_a_refusal_is_its_code_its_status_and_its_data(api: APIClient) -> None:
    answer = api.get("/api/v1/fail/refusal", headers={"Accept-Language": "en"})
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/insufficient_stock",
        "title": "Insufficient stock",
        "status": 409,
        "detail": "Fewer are left than you asked for.",
        "code": "insufficient_stock",
        "sku": 7,
        "available": 2,
    }
    assert "Retry-After" not in answer


@pytest.mark.parametrize(
    ("failure", "status", "code", "seconds"),
    [
        ("busy", 503, "busy", 3),
        ("throttled", 429, "rate_limited", 5),
        ("lock-wait", 503, "busy", 1),
        ("deadlock", 503, "busy", 1),
        ("sqlite-busy", 503, "busy", 1),
        ("lost", 503, "unavailable", 2),
        ("closed", 503, "unavailable", 2),
    ],
)
def test_what_may_be_repeated_says_when(
    api: APIClient, failure: str, status: int, code: str, seconds: int
) -> None:
    before = unhandled()
    answer = api.get(f"/api/v1/fail/{failure}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["retry_after"] == int(answer["Retry-After"]) == seconds
    assert unhandled() == before


@pytest.mark.parametrize("failure", ["bug", "syntax", "too-deep"])
def test_a_bug_is_logged_counted_and_not_shown(
    api: APIClient, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = unhandled()
    with caplog.at_level(logging.ERROR, logger="shop.api"):
        answer = api.get(f"/api/v1/fail/{failure}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content
    assert unhandled() == before + 1
    [record] = [record for record in caplog.records if record.name == "shop.api"]
    assert record.exc_info is not None


def test_a_bug_in_rendering_is_not_a_500_either() -> None:
    api = APIClient(raise_request_exception=False)
    before = unhandled()
    answer = api.get("/api/v1/unrenderable")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Content-Type"] == "application/problem+json"
    assert unhandled() == before + 1


def test_faults_name_nested_fields(api: APIClient) -> None:
    answer = api.post(
        "/api/v1/check",
        {"items": [{"count": 1}, {"count": "1"}, {}], "numbers": [1, None]},
        headers={"Accept-Language": "en"},
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["errors"] == [
        {"field": "items.1.count", "code": "invalid", "message": "A valid integer is required."},
        {"field": "items.2.count", "code": "required", "message": "This field is required."},
        {"field": "numbers.1", "code": "null", "message": "This field may not be null."},
    ]


def test_a_fault_of_the_whole_body_names_no_field(api: APIClient) -> None:
    answer = api.post("/api/v1/check", {"items": []})
    assert answer.json()["errors"] == [
        {"field": "", "code": "empty", "message": "An empty basket."}
    ]


def test_of_thousands_of_faults_a_hundred_are_named(api: APIClient) -> None:
    answer = api.post("/api/v1/check", {"items": [{}] * 5000})
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize(
    "language", ["zh", "zh-CN", "zh-Hans", "zh-hans-CN", "fr", "", "*", "x;q=z"]
)
def test_detail_is_chinese_unless_english_is_asked_for(api: APIClient, language: str) -> None:
    answer = api.get("/api/v1/fail/throttled", headers={"Accept-Language": language})
    assert answer["Content-Language"] == "zh-hans"


@pytest.mark.parametrize("language", ["en", "en-GB", "fr,en;q=0.5"])
def test_detail_is_english_where_it_is_asked_for(api: APIClient, language: str) -> None:
    answer = api.get("/api/v1/fail/busy", headers={"Accept-Language": language})
    assert answer["Content-Language"] == "en"
    assert answer.json()["detail"].startswith("Very busy right now")


def test_no_such_address(api: APIClient) -> None:
    answer = api.get("/api/v1/no-such-address")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"


def test_outside_the_api_errors_are_pages(api: APIClient) -> None:
    answer = api.get("/no-such-page")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_another_method_is_405_and_says_which_are_allowed(api: APIClient) -> None:
    for method in ("patch", "delete", "options"):
        answer = getattr(api, method)("/api/v1/echo")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert {"GET", "POST"} <= set(answer["Allow"].split(", "))


def test_nobody_is_401_with_a_challenge_and_a_shopper_is_403(
    api: APIClient, login, shopper: User
) -> None:
    nobody = api.get("/api/v1/operators")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
    assert nobody["WWW-Authenticate"] == 'Bearer realm="scarce"'
    somebody = login(shopper).get("/api/v1/operators")
    assert (somebody.status_code, somebody.json()["code"]) == (403, "permission_denied")
    assert "WWW-Authenticate" not in somebody


def test_what_django_refuses_is_a_problem_too(api: APIClient) -> None:
    for answer in (
        api.get("/api/v1/suspicious"),
        api.get("/api/v1/echo", headers={"Host": "evil.example"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "accept", ["text/html", "image/png", "nonsense", "application/xml;q=0", ""]
)
def test_the_answer_is_json_whatever_is_accepted(api: APIClient, accept: str) -> None:
    answer = api.get("/api/v1/echo", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
