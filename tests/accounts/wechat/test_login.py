"""Who comes from a mini-program is the same user each time, and nobody without WeChat's word."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from shop.accounts.models import RateWindow, User
from shop.accounts.wechat.client import wechat
from shop.accounts.wechat.models import Identity, Union
from tests.accounts.conftest import PASSWORD
from tests.accounts.wechat.conftest import LOGIN_PATH, log_in
from tests.factories import make_user
from tests.fakes.wechat_api import LOGIN, WechatApi, faults, openid_of, unionid_of
from tests.kit.wallets import balance

pytestmark = pytest.mark.django_db


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def apps(far: WechatApi) -> tuple[str, str]:
    first, second = far.apps
    return first, second


def test_who_comes_for_the_first_time_becomes_a_user_and_is_logged_in(
    far: WechatApi, api: APIClient
) -> None:
    answer = log_in(far.code("li"))

    user = User.objects.get()
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "user"}
    assert answer.json()["user"] == {"id": user.pk, "username": user.username, "nickname": ""}
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert api.get("/api/v1/me").json()["id"] == user.pk


def test_who_comes_again_is_the_same_user(far: WechatApi) -> None:
    first, again = (log_in(far.code("li")).json()["user"] for _ in range(2))
    assert first == again
    assert log_in(far.code("han")).json()["user"] != first
    assert User.objects.count() == Identity.objects.count() == 2


def test_what_is_stored_is_who_they_are_to_wechat_and_nothing_of_the_session(
    far: WechatApi,
) -> None:
    log_in(far.code("li"))
    columns = {field.attname for field in Identity._meta.concrete_fields}
    assert columns == {"id", "user_id", "appid", "openid", "unionid", "created_at"}
    identity = Identity.objects.get()
    first, _ = apps(far)
    assert (identity.appid, identity.openid) == (first, openid_of(first, "li"))
    assert identity.unionid == unionid_of("li")


def test_the_user_name_tells_nothing_and_no_password_is_right(far: WechatApi) -> None:
    names = [log_in(far.code(name)).json()["user"]["username"] for name in ("li", "han")]
    assert all(re.fullmatch("wx_[0-9a-f]{20}", name) for name in names)
    assert names[0] != names[1]
    user = User.objects.get(username=names[0])
    assert not user.has_usable_password()
    for password in ("", user.password, "!", PASSWORD):
        assert authenticate(username=user.username, password=password) is None


def test_a_new_user_is_welcomed_with_points_once(far: WechatApi, settings: Settings) -> None:
    settings.SIGNUP_POINTS = 100
    for _ in range(3):
        log_in(far.code("li"))
    assert balance(User.objects.get(), "points") == 100


def test_the_first_mini_program_is_the_one_of_who_names_none(far: WechatApi) -> None:
    first, second = apps(far)
    log_in(far.code("li"))
    log_in(far.code("li"), appid="")
    log_in(far.code("li"), appid=second)
    assert [call.query["appid"] for call in far.calls] == [first, first, second]
    assert [call.query["secret"] for call in far.calls] == [
        far.apps[appid] for appid in (first, first, second)
    ]


def test_a_mini_program_that_is_not_ours_is_not_asked_about(far: WechatApi) -> None:
    answer = log_in(far.code("li"), appid="wx-of-somebody")
    assert refusal(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["appid"]
    assert far.calls == []


def test_without_a_mini_program_there_is_no_such_way_in(far: WechatApi, settings: Settings) -> None:
    settings.WECHAT_APPS = {}
    assert refusal(log_in(far.code("li"))) == (404, "not_found")
    assert far.calls == []


def test_one_person_in_two_mini_programs_is_one_user(far: WechatApi) -> None:
    first, second = apps(far)
    users = [log_in(far.code("li"), appid=appid).json()["user"] for appid in (first, second)]
    assert users[0] == users[1]
    assert {row.appid for row in User.objects.get().wechat_identities.all()} == {first, second}
    assert Union.objects.get().unionid == unionid_of("li")


def test_without_a_unionid_they_are_two(far: WechatApi) -> None:
    far.tells_unionid = False
    for appid in apps(far):
        log_in(far.code("li"), appid=appid)
    assert User.objects.count() == 2
    assert Union.objects.count() == 0


def test_openids_that_differ_in_case_are_two_people(far: WechatApi) -> None:
    far.tells_unionid = False
    far.will(LOGIN, faults.changed(openid="oAbc"), faults.changed(openid="oabc"))
    for _ in range(2):
        assert log_in(far.code("li")).status_code == 200
    assert User.objects.count() == 2


def test_a_unionid_that_is_told_late_is_known_from_then_on(far: WechatApi) -> None:
    first, second = apps(far)
    far.tells_unionid = False
    early = log_in(far.code("li"), appid=first).json()["user"]
    far.tells_unionid = True
    assert log_in(far.code("li"), appid=first).json()["user"] == early
    assert Identity.objects.get().unionid == unionid_of("li")
    assert log_in(far.code("li"), appid=second).json()["user"] == early
    assert User.objects.count() == 1


def test_two_users_who_turn_out_to_be_one_person_stay_two(far: WechatApi, caplog: Any) -> None:
    far.tells_unionid = False
    early = [log_in(far.code("li"), appid=appid).json()["user"] for appid in apps(far)]
    far.tells_unionid = True
    for _ in range(2):
        late = [log_in(far.code("li"), appid=appid).json()["user"] for appid in apps(far)]
        assert late == early
    ids = [user["id"] for user in early]
    assert [record.getMessage() for record in caplog.records] == [
        f"wechat: users {ids[0]} and {ids[1]} are one person; each keeps what is theirs"
    ]
    assert Union.objects.get().user_id == ids[0]


def test_a_disabled_user_does_not_log_in(far: WechatApi) -> None:
    log_in(far.code("li"))
    User.objects.update(is_active=False)
    assert refusal(log_in(far.code("li"))) == (403, "permission_denied")
    assert User.objects.count() == 1


def test_a_password_user_and_an_expired_token_do_not_stand_in_the_way(far: WechatApi) -> None:
    make_user("li")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer expired")
    answer = client.post(LOGIN_PATH, {"code": far.code("li")}, format="json")
    assert answer.status_code == 200
    assert User.objects.count() == 2


@pytest.mark.parametrize(
    ("errcode", "status", "code"),
    [
        (40029, 400, "invalid"),
        (40163, 400, "invalid"),
        (45011, 429, "rate_limited"),
        (40226, 403, "permission_denied"),
        (-1, 503, "unavailable"),
        (40013, 503, "unavailable"),
        (40125, 503, "unavailable"),
        (99999, 503, "unavailable"),
    ],
)
def test_what_wechat_says_and_what_the_client_hears(
    far: WechatApi, errcode: int, status: int, code: str
) -> None:
    answer = log_in(far.code(str(errcode)))
    assert refusal(answer) == (status, code)
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["nothing like a code", "used"])
def test_a_code_that_is_not_good_names_its_field(far: WechatApi, name: str) -> None:
    code = far.code("li") if name == "used" else "not-a-code"
    if name == "used":
        log_in(code)
    answer = log_in(code)
    assert refusal(answer) == (400, "invalid")
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("code", "invalid")]


def test_who_comes_too_often_for_wechat_is_told_when_to_come_back(far: WechatApi) -> None:
    answer = log_in(far.code("45011"))
    assert answer.json()["retry_after"] == int(answer["Retry-After"]) == 60


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": ""},
        {"code": None},
        {"code": 7},
        {"code": ["a.1"]},
        {"code": "a.1 b"},
        {"code": "李.1"},
        {"code": "a.1\n2"},
        {"code": "x" * 257},
        {"code": "a.1", "appid": 7},
        {"code": "a.1", "appid": None},
        {"code": "a.1", "appid": "x" * 65},
    ],
)
def test_what_is_no_code_is_not_asked_about(far: WechatApi, api: APIClient, body: Any) -> None:
    assert refusal(api.post(LOGIN_PATH, body)) == (400, "invalid")
    assert far.calls == []


def test_who_somebody_is_is_not_theirs_to_say(far: WechatApi) -> None:
    claims = {"openid": "o", "unionid": unionid_of("han"), "session_key": "k", "is_staff": True}
    han = log_in(far.code("han")).json()["user"]
    li = log_in(far.code("li"), **claims).json()["user"]
    assert han != li
    assert not User.objects.filter(is_staff=True).exists()


def test_codes_of_one_address_are_counted_before_wechat_hears_of_them(
    far: WechatApi, settings: Settings, api: APIClient
) -> None:
    settings.WECHAT_RATE_PER_ADDRESS = (2, 300)
    statuses = [log_in("not-a-code").status_code for _ in range(2)]
    limited = log_in(far.code("li"))
    assert statuses == [400, 400]
    assert refusal(limited) == (429, "rate_limited")
    assert 0 < int(limited["Retry-After"]) <= 300
    assert far.count(LOGIN) == 2
    assert [row.scope for row in RateWindow.objects.all()] == ["login.wechat"]
    elsewhere = api.post(LOGIN_PATH, {"code": far.code("li")}, REMOTE_ADDR="10.0.0.2")
    assert elsewhere.status_code == 200


def test_only_so_many_wait_for_wechat_at_once(far: WechatApi, settings: Settings) -> None:
    settings.WECHAT_AT_ONCE = 1
    with wechat().place():
        answer = log_in(far.code("li"))
    assert refusal(answer) == (503, "busy")
    assert answer["Retry-After"] == "1"
    assert far.calls == []
    assert log_in(far.code("li")).status_code == 200


def test_who_is_known_costs_two_statements_beside_the_count(
    far: WechatApi, django_assert_num_queries: Callable[..., Any]
) -> None:
    log_in(far.code("li"))
    # Two savepoints, or BEGIN and COMMIT, around each of the two.
    with django_assert_num_queries(7):
        assert log_in(far.code("li")).status_code == 200
