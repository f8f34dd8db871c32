"""One person is one user, however many of their first requests arrive at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.accounts.wechat import services
from shop.accounts.wechat.answers import App, Person
from shop.accounts.wechat.models import Identity, Union
from shop.errors import Busy
from tests.accounts.wechat.conftest import log_in
from tests.fakes.wechat_api import LOGIN, WechatApi
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through
from tests.kit.wallets import balance

APP = App("wx1", "secret")
LI = Person(openid="o-li", unionid="u-li")


@pytest.fixture
def crowd(far: WechatApi, settings: Settings, threads: None) -> WechatApi:
    """A WeChat that a crowd may ask at once."""
    settings.WECHAT_AT_ONCE = 50
    settings.SIGNUP_POINTS = 100
    return far


def rows() -> tuple[int, int, int]:
    return User.objects.count(), Identity.objects.count(), Union.objects.count()


def test_fifty_first_logins_of_one_person_make_one_user(crowd: WechatApi) -> None:
    codes = [crowd.code("li") for _ in range(50)]
    answers = [o.result() for o in race([lambda c=code: log_in(c) for code in codes])]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1
    assert rows() == (1, 1, 1)
    assert balance(User.objects.get(), "points") == 100
    assert crowd.count(LOGIN) == 50


def test_fifty_first_logins_in_two_mini_programs_of_one_owner_make_one_user(
    crowd: WechatApi,
) -> None:
    logins = [(crowd.code("li"), appid) for _ in range(25) for appid in crowd.apps]
    answers = [
        outcome.result()
        for outcome in race([lambda one=one: log_in(one[0], appid=one[1]) for one in logins])
    ]
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1
    assert rows() == (1, 2, 1)
    assert balance(User.objects.get(), "points") == 100


def test_fifty_people_at_once_are_fifty_users(crowd: WechatApi) -> None:
    codes = [crowd.code(f"li{number}") for number in range(50)]
    answers = [o.result() for o in race([lambda c=code: log_in(c) for code in codes])]
    assert len({answer.json()["user"]["id"] for answer in answers}) == 50
    assert rows() == (50, 50, 50)


def test_one_code_that_is_sent_fifty_times_at_once_logs_in_once(crowd: WechatApi) -> None:
    code = crowd.code("li")
    statuses = [o.result().status_code for o in race([lambda: log_in(code)] * 50)]
    assert (statuses.count(200), statuses.count(400)) == (1, 49)
    assert rows() == (1, 1, 1)


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[App, Person], None]]:
    """Lets somebody else log in as a person when the next user is about to be made."""
    make, rest = services._new_user, []

    def made() -> User:
        while rest:
            app, person = rest.pop()
            with ThreadPoolExecutor(1) as other:
                other.submit(_elsewhere, app, person).result(120)
        return make()

    monkeypatch.setattr(services, "_new_user", made)
    yield lambda app, person: rest.append((app, person))
    assert not rest, "nobody was overtaken"


def _elsewhere(app: App, person: Person) -> None:
    try:
        services._user_of(app, person)
    finally:
        connection.close()


class TestOvertaking:
    """On SQLite one writes at a time from its first statement on, so nobody can be overtaken."""

    pytestmark = on_mariadb

    def test_who_is_overtaken_finds_the_user_that_is_there(self, overtaken: Any) -> None:
        overtaken(APP, LI)
        user = services._user_of(APP, LI)
        assert rows() == (1, 1, 1)
        assert Identity.objects.get().user_id == user.pk

    def test_and_also_one_who_came_from_another_mini_program(self, overtaken: Any) -> None:
        overtaken(App("wx2", "secret"), Person(openid="o-other", unionid="u-li"))
        user = services._user_of(APP, LI)
        assert rows() == (1, 2, 1)
        assert {row.user_id for row in Identity.objects.all()} == {user.pk}

    def test_who_does_not_look_again_is_refused_and_makes_no_second_user(
        self, overtaken: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(services, "ATTEMPTS", 1)
        overtaken(APP, LI)
        with pytest.raises(Busy):
            services._user_of(APP, LI)
        assert rows() == (1, 1, 1)

    def test_a_first_login_whose_commit_was_not_answered_made_the_user(self) -> None:
        settings = connection.settings_dict
        with Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy:
            with database_through(proxy):
                connection.ensure_connection()
                proxy.swallow_commit_answers()
                user = services._user_of(APP, LI)
            assert proxy.commits_to_swallow == 0
        assert rows() == (1, 1, 1)
        assert User.objects.get() == user
