"""WeChat slow, broken, gone or not itself: each request ends soon, and says only that."""

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.accounts.wechat import client
from shop.accounts.wechat.answers import App, Endpoint, Outcome, WechatError
from shop.accounts.wechat.client import Wechat
from tests.accounts.wechat.conftest import Counted, log_in
from tests.fakes.wechat_api import LOGIN, PHONE, TOKEN, WechatApi, faults, openid_of
from tests.kit.clock import Clock
from tests.ops.processes import closed_port


def app_of(far: WechatApi) -> App:
    return App(*next(iter(far.apps.items())))


def asking(far: WechatApi, **options: Any) -> Wechat:
    return Wechat(far.url, seconds=60, at_once=3, **options)


def outcome(wechat: Wechat, far: WechatApi, name: str = "li") -> Outcome:
    """What comes of asking who that is."""
    try:
        wechat.person(app_of(far), code=far.code(name))
    except WechatError as error:
        return error.outcome
    return Outcome.OK


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.status(500), Outcome.STATUS),
        (faults.status(302), Outcome.STATUS),
        (faults.huge, Outcome.TOO_LARGE),
        (faults.body(b"<html>", "text/html"), Outcome.GARBAGE),
        (faults.hang, Outcome.TIMEOUT),
        (faults.drip, Outcome.TIMEOUT),
        (faults.half, Outcome.NETWORK),
        (faults.errcode(-1), Outcome.BUSY),
    ],
    ids=["500", "redirect", "10 MB", "garbage", "hangs", "drips", "half", "busy"],
)
def test_a_wechat_that_fails_each_time_is_unavailable(
    far: WechatApi, settings: Settings, counted: Counted, fault: faults.Fault, expected: Outcome
) -> None:
    if expected is Outcome.TIMEOUT:
        settings.WECHAT_SECONDS = 0.3
    far.will(LOGIN, *[fault] * client.ATTEMPTS)
    answer = log_in(far.code("li"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "Retry-After" in answer
    assert counted(Endpoint.LOGIN, expected) >= 1
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "fault", [faults.errcode(-1), faults.status(502)], ids=["busy", "bad gateway"]
)
def test_a_call_that_fails_twice_is_tried_a_third_time(
    far: WechatApi, counted: Counted, fault: faults.Fault
) -> None:
    far.will(LOGIN, fault, fault)
    assert outcome(asking(far), far) is Outcome.OK
    assert far.count(LOGIN) == 3
    assert counted(Endpoint.LOGIN, Outcome.OK) == 1


def test_and_not_a_fourth(far: WechatApi) -> None:
    far.will(LOGIN, *[faults.errcode(-1)] * 3)
    assert outcome(asking(far), far) is Outcome.BUSY
    assert far.count(LOGIN) == 3


def test_between_two_tries_there_is_a_pause_and_none_when_the_time_is_over(
    far: WechatApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pauses = Clock(), []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.wait(seconds)

    monkeypatch.setattr(client, "PAUSE_SECONDS", 100.0)
    monkeypatch.setattr(client.random, "uniform", lambda least, most: most / 10)
    far.will(LOGIN, *[faults.errcode(-1)] * 3)
    wechat = Wechat(far.url, seconds=50, at_once=1, clock=clock, pause=pause)
    assert outcome(wechat, far) is Outcome.BUSY
    assert pauses == [20.0]  # 40 more would be too late
    assert far.count(LOGIN) == 2


@pytest.mark.parametrize(
    "fault",
    [faults.errcode(40029), faults.errcode(40125), faults.huge, faults.body(b"?")],
    ids=["a bad code", "a wrong secret", "10 MB", "garbage"],
)
def test_what_would_be_the_same_again_is_not_tried_again(
    far: WechatApi, fault: faults.Fault
) -> None:
    far.will(LOGIN, fault)
    outcome(asking(far), far)
    assert far.count(LOGIN) == 1


@pytest.mark.django_db
def test_an_answer_that_was_lost_has_used_the_code_up_and_a_new_one_is_good(
    far: WechatApi,
) -> None:
    far.will(LOGIN, faults.cut)
    answer = log_in(far.code("li"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "code")
    assert log_in(far.code("li")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"openid"',
        b'{"openid": "o',
        b"\xff\xfe",
        b'{"errcode": "0", "openid": "o"}',
        b'{"errcode": true, "openid": "o"}',
        b'{"errcode": 1.5}',
        b'{"errcode": 1e999}',
        b'{"errcode": ' + b"9" * 5000 + b"}",
        b'{"session_key": "k"}',
        b'{"openid": ""}',
        b'{"openid": 7}',
        b'{"openid": null}',
        b'{"openid": "two words"}',
        b'{"openid": "o\\u0000"}',
        '{"openid": "李"}'.encode(),
        b'{"openid": "' + b"o" * 65 + b'"}',
        b'{"openid": "o", "unionid": 7}',
        b'{"openid": "o", "unionid": "' + b"u" * 65 + b'"}',
        b"[" * 16_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_not_as_it_should_be_is_garbage(far: WechatApi, body: bytes) -> None:
    far.will(LOGIN, faults.body(body))
    assert outcome(asking(far), far) is Outcome.GARBAGE


@pytest.mark.parametrize("kind", ["text/html", "application/json", "image/png", ""])
def test_whatever_type_it_is_called_json_is_json(far: WechatApi, kind: str) -> None:
    far.will(LOGIN, faults.called(kind))
    person = asking(far).person(app_of(far), code=far.code("li"))
    assert person.openid == openid_of(app_of(far).appid, "li")


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40243, 45009, 12345])
def test_what_somebody_must_mend_is_logged_by_its_number_once_a_minute(
    far: WechatApi, caplog: Any, counted: Counted, errcode: int
) -> None:
    clock = Clock()
    wechat = asking(far, clock=clock)
    expected = Outcome.UNKNOWN if errcode == 12345 else Outcome.SETTINGS
    for _ in range(3):
        assert outcome(wechat, far, str(errcode)) is expected
    assert counted(Endpoint.LOGIN, expected) == 3
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "ERROR",
        f"wechat: login refused with errcode {errcode}",
    )
    clock.now += client.COMPLAINT_SECONDS
    outcome(wechat, far, str(errcode))
    assert len(caplog.records) == 2


def test_a_wrong_secret_and_a_wrong_appid_are_told_to_operators(
    far: WechatApi, caplog: Any
) -> None:
    app = app_of(far)
    for wrong in (App(app.appid, "guessed"), App("wx-nobody", app.secret)):
        with pytest.raises(WechatError):
            asking(far).person(wrong, code=far.code("li"))
    told = [record.getMessage()[-5:] for record in caplog.records]
    assert told == ["40125", "40013"]


def test_after_five_failures_it_is_left_alone_and_then_asked_once(
    far: WechatApi, caplog: Any, counted: Counted
) -> None:
    clock = Clock()
    wechat = asking(far, clock=clock)
    far.will(LOGIN, *[faults.body(b"?")] * 6)
    assert [outcome(wechat, far) for _ in range(5)] == [Outcome.GARBAGE] * 5
    assert [outcome(wechat, far) for _ in range(3)] == [Outcome.OPEN] * 3
    assert far.count(LOGIN) == 5
    clock.now += client.BREAKER_SECONDS
    assert [outcome(wechat, far) for _ in range(3)] == [Outcome.GARBAGE, *[Outcome.OPEN] * 2]
    clock.now += client.BREAKER_SECONDS
    assert [outcome(wechat, far) for _ in range(3)] == [Outcome.OK] * 3
    assert counted(Endpoint.LOGIN, Outcome.OPEN) == 5
    [opened] = caplog.records
    assert (opened.levelname, "garbage" in opened.getMessage()) == ("WARNING", True)


def test_a_call_ends_where_its_own_tries_open_the_breaker(far: WechatApi) -> None:
    wechat = asking(far)
    far.will(LOGIN, *[faults.errcode(-1)] * 6)
    assert [outcome(wechat, far) for _ in range(2)] == [Outcome.BUSY, Outcome.OPEN]
    assert far.count(LOGIN) == 5


def test_bad_codes_and_wrong_settings_say_nothing_of_wechats_health(far: WechatApi) -> None:
    wechat = asking(far)
    for name in ["40029", "40163", "40226", "45011", "40125", "12345"] * 2:
        outcome(wechat, far, name)
    assert outcome(wechat, far) is Outcome.OK


def test_one_endpoint_that_fails_takes_no_other_down(far: WechatApi) -> None:
    wechat = asking(far)
    far.will(LOGIN, *[faults.body(b"?")] * 5)
    for _ in range(5):
        outcome(wechat, far)
    assert outcome(wechat, far) is Outcome.OPEN
    assert wechat.access_token(app_of(far)).text in far.given_out


@pytest.mark.django_db
def test_a_wechat_that_is_not_there_costs_requests_little(
    far: WechatApi, settings: Settings, counted: Counted
) -> None:
    settings.WECHAT_API_URL = f"http://127.0.0.1:{closed_port()}"
    answers = [log_in("li.1") for _ in range(10)]
    assert {answer.json()["code"] for answer in answers} == {"unavailable"}
    assert counted(Endpoint.LOGIN, Outcome.NETWORK) == client.BREAKER_FAILURES
    assert counted(Endpoint.LOGIN, Outcome.OPEN) == 9


def test_secrets_go_to_nobody_without_tls() -> None:
    with pytest.raises(ImproperlyConfigured):
        Wechat("http://api.weixin.qq.com", seconds=1, at_once=1)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"access_token": "t"}',
        b'{"access_token": "t", "expires_in": "7200"}',
        b'{"access_token": "t", "expires_in": true}',
        b'{"access_token": "t", "expires_in": -1}',
        b'{"access_token": "t", "expires_in": 1e9}',
        b'{"access_token": "", "expires_in": 7200}',
        b'{"access_token": "' + b"t" * 1025 + b'", "expires_in": 7200}',
    ],
    ids=lambda body: repr(body[:60]),
)
def test_what_is_no_token_is_garbage(far: WechatApi, body: bytes) -> None:
    far.will(TOKEN, faults.body(body))
    with pytest.raises(WechatError) as raised:
        asking(far).access_token(app_of(far))
    assert raised.value.outcome is Outcome.GARBAGE


def phone_info(**changes: Any) -> dict[str, Any]:
    return {
        "phoneNumber": "13900000001",
        "purePhoneNumber": "13900000001",
        "countryCode": "86",
        "watermark": {"appid": "wx1"},
        **changes,
    }


def phone(far: WechatApi, info: Any) -> str:
    far.will(PHONE, faults.body(json.dumps({"errcode": 0, "phone_info": info}).encode()))
    return asking(far)._phone(App("wx1", ""), "t", "li.1")


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, "+8613900000001"),
        ({"countryCode": 86}, "+8613900000001"),
        ({"countryCode": "1", "purePhoneNumber": "212-555 0100"}, "+12125550100"),
    ],
)
def test_a_phone_number_is_kept_in_one_form(
    far: WechatApi, changes: dict[str, Any], number: str
) -> None:
    assert phone(far, phone_info(**changes)) == number


@pytest.mark.parametrize(
    "info",
    [
        None,
        [],
        "13900000001",
        {},
        phone_info(watermark={"appid": "wx2"}),
        phone_info(watermark=None),
        phone_info(purePhoneNumber=""),
        phone_info(purePhoneNumber=13900000001),
        phone_info(purePhoneNumber="call me"),
        phone_info(purePhoneNumber="1" * 16),
        phone_info(purePhoneNumber="1"),
        phone_info(countryCode=None),
        phone_info(countryCode=""),
        phone_info(countryCode="+86"),
    ],
    ids=repr,
)
def test_what_is_no_phone_number_is_garbage(far: WechatApi, info: Any) -> None:
    with pytest.raises(WechatError) as raised:
        phone(far, info)
    assert raised.value.outcome is Outcome.GARBAGE
