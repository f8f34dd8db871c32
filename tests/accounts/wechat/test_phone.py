"""A phone number is what WeChat says it is, and is shown whole to nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from shop.accounts.models import User
from shop.accounts.wechat.client import wechat
from tests.factories import make_user
from tests.fakes.wechat_api import PHONE, TOKEN, WechatApi, faults, phone_of

pytestmark = pytest.mark.django_db

Login = Callable[[User], APIClient]
PATH = "/api/v1/me/phone"


@pytest.fixture
def client(login: Login, shopper: User) -> APIClient:
    return login(shopper)


def tell(client: APIClient, code: str, **more: Any) -> Any:
    return client.post(PATH, {"code": code, **more})


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def stored() -> str:
    return User.objects.get(username="shopper").phone


def masked(name: str) -> str:
    number = phone_of(name)
    return f"+86{number[:3]}****{number[-4:]}"


def test_a_phone_number_is_stored_whole_and_shown_masked(far: WechatApi, client: APIClient) -> None:
    assert client.get("/api/v1/me").json()["phone"] is None
    answer = tell(client, far.code("li"))
    assert (answer.status_code, answer.json()) == (200, {"phone": masked("li")})
    assert client.get("/api/v1/me").json()["phone"] == masked("li")
    assert stored() == f"+86{phone_of('li')}"


def test_a_new_number_takes_the_place_of_the_old_one_which_a_refusal_leaves(
    far: WechatApi, client: APIClient
) -> None:
    tell(client, far.code("li"))
    tell(client, far.code("han"))
    assert stored().endswith(phone_of("han"))
    tell(client, "not-a-code")
    assert stored().endswith(phone_of("han"))


def test_it_is_the_callers_own_that_is_stored(far: WechatApi, login: Login, shopper: User) -> None:
    other = make_user()
    tell(login(shopper), far.code("li"), user=other.pk, phone="+8613800000000")
    other.refresh_from_db()
    assert (other.phone, stored()) == ("", f"+86{phone_of('li')}")


def test_nobody_has_no_phone(far: WechatApi, api: APIClient) -> None:
    assert refusal(tell(api, far.code("li"))) == (401, "not_authenticated")
    assert far.calls == []


def test_the_token_is_of_the_mini_program_that_the_code_is_of(
    far: WechatApi, client: APIClient
) -> None:
    first, second = far.apps
    assert tell(client, far.code("li")).status_code == 200
    assert tell(client, far.code("li"), appid=second).status_code == 200
    asked = [call.document["appid"] for call in far.calls if call.endpoint == TOKEN]
    assert asked == [first, second]
    assert refusal(tell(client, far.code("li"), appid="wx-of-somebody")) == (400, "invalid")


def test_without_a_mini_program_there_is_no_such_address(
    far: WechatApi, client: APIClient, settings: Settings
) -> None:
    settings.WECHAT_APPS = {}
    assert refusal(tell(client, far.code("li"))) == (404, "not_found")


@pytest.mark.parametrize(
    ("errcode", "status", "code"),
    [
        (40029, 400, "invalid"),
        (40163, 400, "invalid"),
        (40013, 400, "invalid"),  # of another mini-program
        (45011, 429, "rate_limited"),
        (40226, 403, "permission_denied"),
        (-1, 503, "unavailable"),
        (48001, 503, "unavailable"),
        (99999, 503, "unavailable"),
    ],
)
def test_what_wechat_says_and_what_the_client_hears(
    far: WechatApi, client: APIClient, errcode: int, status: int, code: str
) -> None:
    assert refusal(tell(client, far.code(str(errcode)))) == (status, code)
    assert stored() == ""


def test_a_code_is_good_for_one_use_and_names_its_field(far: WechatApi, client: APIClient) -> None:
    code = far.code("li")
    tell(client, code)
    answer = tell(client, code)
    assert refusal(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["code"]


@pytest.mark.parametrize("fault", [faults.huge, faults.status(500), faults.body(b"[]")])
def test_a_wechat_that_fails_is_unavailable(
    far: WechatApi, client: APIClient, fault: faults.Fault
) -> None:
    far.will(PHONE, *[fault] * 3)
    assert refusal(tell(client, far.code("li"))) == (503, "unavailable")
    assert stored() == ""


def test_a_token_that_is_refused_is_renewed_and_the_code_is_good_still(
    far: WechatApi, client: APIClient
) -> None:
    tell(client, far.code("li"))
    for end in (lambda: far.revoke(next(iter(far.apps))), lambda: far.pass_time(8000)):
        end()
        assert tell(client, far.code("han")).status_code == 200
    assert (far.count(TOKEN), far.count(PHONE)) == (3, 5)


def test_a_token_that_is_refused_again_is_not_renewed_a_third_time(
    far: WechatApi, client: APIClient
) -> None:
    far.will(PHONE, *[faults.errcode(42001)] * 3)
    assert refusal(tell(client, far.code("li"))) == (503, "unavailable")
    assert far.count(PHONE) == 2


@pytest.mark.parametrize("errcode", [45011, 40125, 40164, -1])
def test_where_there_is_no_token_the_shop_is_to_blame_and_not_the_code(
    far: WechatApi, client: APIClient, errcode: int
) -> None:
    far.will(TOKEN, *[faults.errcode(errcode)] * 3)
    assert refusal(tell(client, far.code("li"))) == (503, "unavailable")
    assert far.count(PHONE) == 0


def test_numbers_are_counted_by_shopper_before_wechat_is_asked_for_money(
    far: WechatApi, client: APIClient, login: Login, settings: Settings
) -> None:
    settings.PHONE_RATE_PER_USER = (2, 3600)
    assert [tell(client, "not-a-code").status_code for _ in range(2)] == [400, 400]
    answer = tell(client, far.code("li"))
    assert refusal(answer) == (429, "rate_limited")
    assert 0 < int(answer["Retry-After"]) <= 3600
    assert far.count(PHONE) == 2
    assert tell(login(make_user()), far.code("li")).status_code == 200


def test_only_so_many_wait_for_wechat_at_once(
    far: WechatApi, client: APIClient, settings: Settings
) -> None:
    settings.WECHAT_AT_ONCE = 1
    with wechat().place():
        assert refusal(tell(client, far.code("li"))) == (503, "busy")
    assert far.calls == []
