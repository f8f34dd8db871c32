"""What WeChat and the shop tell each other is nobody else's: a whole day is played, and everything
that anybody could read afterwards is searched."""

import json
import logging
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.accounts.wechat import client as wechat
from shop.accounts.wechat.answers import RETRIED, Endpoint, Outcome
from shop.accounts.wechat.models import Identity
from tests.accounts.wechat.conftest import Counted, log_in
from tests.conftest import JSONClient
from tests.fakes.wechat_api import (
    LOGIN,
    PHONE,
    TOKEN,
    WechatApi,
    faults,
    openid_of,
    phone_of,
    unionid_of,
)

pytestmark = pytest.mark.django_db

NAMES = ("li", "han")
SPOILT = {
    faults.body(b"?"): Outcome.GARBAGE,
    faults.huge: Outcome.TOO_LARGE,
    faults.half: Outcome.NETWORK,
    faults.hang: Outcome.TIMEOUT,
    faults.status(500): Outcome.STATUS,
}


def phone(client: JSONClient, code: str) -> Any:
    return client.post("/api/v1/me/phone", {"code": code})


def play(far: WechatApi, settings: Settings) -> list[Any]:
    """A day of two people and of everything that may go wrong; all answers of it."""
    settings.PHONE_RATE_PER_USER = (100, 3600)
    first, second = far.apps
    answers = [log_in(far.code(name), appid=appid) for name in NAMES for appid in far.apps]
    client = JSONClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answers[0].json()['access']}")
    answers += [phone(client, far.code("li")), client.get("/api/v1/me")]
    far.revoke(first, stuck=True)
    answers += [phone(client, far.code("han")), client.get("/api/v1/me")]
    refresh = {"refresh": answers[0].json()["refresh"]}
    answers.append(client.post("/api/v1/auth/refresh", refresh))
    for errcode in (-1, 40001, 40013, 40029, 40125, 40163, 40226, 42001, 45011, 99999):
        answers += [log_in(far.code(str(errcode))), phone(client, far.code(str(errcode)))]
    for fault, outcome in SPOILT.items():
        wechat.forget()  # else it would soon not be asked any more
        settings.WECHAT_SECONDS = 0.3 if fault is faults.hang else 60.0
        for endpoint in (LOGIN, PHONE):
            far.will(endpoint, *[fault] * (wechat.ATTEMPTS if outcome in RETRIED else 1))
        answers += [log_in(far.code("li")), phone(client, far.code("li"))]
        # One that is out of time before it has asked leaves its fault to nobody.
        far.forgive(LOGIN, PHONE)
    settings.WECHAT_APPS = {first: "ANOTHER-" + far.apps[first]}
    answers.append(log_in(far.code("li")))
    User.objects.update(is_active=False)
    settings.WECHAT_APPS = far.apps
    answers += [log_in(far.code("li"), appid=second), client.get("/api/v1/me")]
    return answers


def secrets(far: WechatApi) -> set[str]:
    """What must be in nothing that anybody reads."""
    people = {unionid_of(name) for name in NAMES}
    people |= {openid_of(appid, name) for appid in far.apps for name in NAMES}
    return far.given_out | set(far.apps.values()) | people


def found(far: WechatApi, text: str) -> set[str]:
    return {secret for secret in secrets(far) if secret in text}


def pages() -> list[str]:
    """All that an operator may open of the people who came."""
    operator = User.objects.create_superuser("operator")
    client = Client()
    client.force_login(operator)
    addresses = [reverse("admin:accounts_user_changelist") + "?q=wx_", "/metrics"]
    for user in User.objects.exclude(pk=operator.pk):
        addresses += [
            reverse(f"admin:accounts_user_{page}", args=[user.pk])
            for page in ("change", "delete", "history")
        ]
    answers = [client.get(address) for address in addresses]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.content.decode() for answer in answers]


def test_a_whole_day_leaves_no_secret_in_any_answer_line_or_page(
    far: WechatApi, settings: Settings, lines: list[str], counted: Counted
) -> None:
    answers = play(far, settings)
    shown = pages()

    assert {answer.status_code for answer in answers} == {200, 400, 401, 403, 429, 503}
    for endpoint in (Endpoint.LOGIN, Endpoint.PHONE):
        assert {outcome for outcome in Outcome if counted(endpoint, outcome)} >= {
            *SPOILT.values(),
            *(Outcome.OK, Outcome.BUSY, Outcome.BAD_CODE, Outcome.RISKY, Outcome.UNKNOWN),
        }
    # There was enough to be told: session keys, tokens, phones; and somebody told something.
    assert len(far.given_out) >= 4 + 2 + 2
    assert len(lines) > 3
    assert any("errcode 99999" in line for line in lines)
    for answer in answers:
        assert found(far, answer.content.decode() + str(dict(answer.items()))) == set()
    for line in lines:
        assert found(far, line) == set()
    for page in shown:
        assert found(far, page) == set()
    assert any(openid_of(next(iter(far.apps)), "li")[:6] in page for page in shown)


def test_what_is_stored_of_it_is_who_people_are_and_their_phone(
    far: WechatApi, settings: Settings
) -> None:
    play(far, settings)
    rows = {
        model: json.dumps(list(model.objects.values()), default=str) for model in apps.get_models()
    }
    stored = {model.__name__: found(far, text) for model, text in rows.items() if found(far, text)}
    people = {unionid_of(name) for name in NAMES}
    openids = {openid_of(appid, name) for appid in far.apps for name in NAMES}
    assert stored == {
        "Identity": openids | people,
        "Union": people,
        "User": {phone_of("han")},
    }
    assert Identity.objects.count() == 4


def test_what_the_library_logs_where_it_is_let_says_no_secret_either(
    far: WechatApi, lines: list[str]
) -> None:
    library = logging.getLogger("urllib3")
    level = library.level
    library.setLevel(logging.DEBUG)
    try:
        log_in(far.code("li"))
    finally:
        library.setLevel(level)
    assert any(f"GET {LOGIN}" in line for line in lines)
    assert found(far, "".join(lines)) == set()
    assert level == logging.WARNING
    assert far.count(TOKEN) == 0


def test_the_search_would_find_a_secret(far: WechatApi, lines: list[str]) -> None:
    secret = next(iter(far.apps.values()))
    logging.getLogger("shop").warning("no name, no filter: %s", secret)
    assert found(far, "".join(lines)) == {secret}
