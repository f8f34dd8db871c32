"""One access token for the whole shop: asked for once, renewed early and once, in nobody's way.

Two `Tokens` are two processes: they share the cache and nothing else.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from socket import create_server
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from settings.redis import redis_caches
from shop.accounts.wechat import client, tokens
from shop.accounts.wechat.answers import App, Outcome, WechatError
from shop.accounts.wechat.client import Wechat
from shop.accounts.wechat.tokens import Tokens
from tests.fakes.wechat_api import TOKEN, WechatApi, faults
from tests.fakes.wechat_api.server import LIFE
from tests.kit.barrier import race
from tests.kit.clock import Clock
from tests.kit.marks import asks_cache, on_mariadb
from tests.ops.processes import ROOT, closed_port

pytestmark = asks_cache

# From when a new token is renewed, in seconds of its life.
RENEWED_AT = LIFE - tokens.SPARE_SECONDS - tokens.EARLY_SECONDS

Process = Callable[[], Tokens]


@pytest.fixture
def app(far: WechatApi) -> App:
    return App(*next(iter(far.apps.items())))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(far: WechatApi, clock: Clock) -> Process:
    """Another process of the shop; all have the same time, in which waiting is what passes."""
    wechat = Wechat(far.url, seconds=60, at_once=3)

    def start() -> Tokens:
        return Tokens(
            lambda app, force: wechat.access_token(app, force=force),
            clock=clock,
            pause=clock.wait,
        )

    return start


def refused(work: Callable[[], str]) -> None:
    with pytest.raises(WechatError) as raised:
        work()
    assert raised.value.outcome is Outcome.STALE_TOKEN


def test_a_token_is_asked_for_once(far: WechatApi, app: App, process: Process) -> None:
    one = process()
    found = [one.get(app) for _ in range(3)]
    assert len(set(found)) == 1
    assert far.given_out == set(found)
    assert far.count(TOKEN) == 1
    assert far.calls[0].document["force_refresh"] is False


def test_another_process_knows_it_too(far: WechatApi, app: App, process: Process) -> None:
    assert process().get(app) == process().get(app)
    assert far.count(TOKEN) == 1


def test_each_mini_program_has_its_own(far: WechatApi, process: Process) -> None:
    one = process()
    found = {one.get(App(*pair)) for pair in far.apps.items()}
    assert len(found) == far.count(TOKEN) == 2


def test_it_is_renewed_before_its_end_and_not_earlier(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    one, other = process(), process()
    first = one.get(app)
    clock.now += RENEWED_AT - 1
    assert (one.get(app), far.count(TOKEN)) == (first, 1)
    clock.now += 1
    far.pass_time(RENEWED_AT)
    second = one.get(app)
    assert second != first
    assert (other.get(app), far.count(TOKEN)) == (second, 2)


def test_where_wechat_has_no_new_one_yet_it_is_asked_again_a_little_later(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    one = process()
    far.will(TOKEN, faults.changed(expires_in=tokens.SPARE_SECONDS + tokens.EARLY_SECONDS))
    first = one.get(app)
    assert [one.get(app) for _ in range(3)] == [first] * 3
    assert far.count(TOKEN) == 1
    clock.now += tokens.AGAIN_SECONDS
    assert (one.get(app), far.count(TOKEN)) == (first, 2)


def test_while_it_can_not_be_renewed_the_old_one_is_used_and_the_end_is_an_end(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    one = process()
    first = one.get(app)
    clock.now += RENEWED_AT
    far.will(TOKEN, *[faults.body(b"?")] * 3)
    assert [one.get(app) for _ in range(5)] == [first] * 5
    assert far.count(TOKEN) == 2
    clock.now += tokens.AGAIN_SECONDS
    assert (one.get(app), far.count(TOKEN)) == (first, 3)
    clock.now += tokens.EARLY_SECONDS
    refused(lambda: one.get(app))
    assert one.get(app) == first  # WeChat answers again, and to it the token is young


def test_a_token_that_is_refused_is_asked_for_anew_once_by_all_who_heard_it(
    far: WechatApi, app: App, process: Process
) -> None:
    one, other = process(), process()
    first = one.get(app)
    other.get(app)
    far.revoke(app.appid)
    second = one.renewed(app, refused=first)
    assert second != first
    assert one.renewed(app, refused=first) == second
    assert other.renewed(app, refused=first) == second
    assert (one.get(app), other.get(app)) == (second, second)
    assert far.count(TOKEN) == 2


def test_a_token_that_is_refused_and_given_out_again_is_forced_to_end_which_is_rarely_allowed(
    far: WechatApi, app: App, process: Process, clock: Clock, caplog: Any
) -> None:
    one, other = process(), process()
    first = one.get(app)
    far.revoke(app.appid, stuck=True)
    second = one.renewed(app, refused=first)
    assert second != first
    assert [call.document["force_refresh"] for call in far.calls] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    far.revoke(app.appid, stuck=True)
    for tokens_of in (one, other):
        refused(lambda held=tokens_of: held.renewed(app, refused=second))
    assert sum(call.document["force_refresh"] for call in far.calls) == 1
    cache.delete(f"wechat:forced:{app.appid}")  # as it does by itself
    clock.now += tokens.FORCE_SECONDS
    assert one.renewed(app, refused=second) not in (first, second)


def lease(app: App) -> None:
    """Somewhere a process has begun to ask."""
    cache.add(f"wechat:lease:{app.appid}", 1, 60)


def test_what_another_process_is_asking_for_is_waited_for(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    lease(app)
    looks = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            told = ("THEIR-TOKEN", clock.now + 1000, clock.now + 1300)
            cache.set(f"wechat:token:{app.appid}", told, 60)

    waiting = process()
    waiting._pause = wait
    assert waiting.get(app) == "THEIR-TOKEN"
    assert looks == [tokens.LOOK_SECONDS] * 3
    assert far.count(TOKEN) == 0


def test_a_process_that_died_while_it_asked_is_not_waited_for(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    lease(app)
    began = clock.now
    assert process().get(app) in far.given_out
    assert tokens.PATIENCE_SECONDS <= clock.now - began < tokens.PATIENCE_SECONDS + 0.1
    assert process().get(app) in far.given_out  # and tells the others what it learnt
    assert far.count(TOKEN) == 1


def test_while_another_process_renews_the_old_one_is_good_enough(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    one = process()
    first = one.get(app)
    clock.now += RENEWED_AT
    lease(app)
    began = clock.now
    assert one.get(app) == first
    assert (clock.now, far.count(TOKEN)) == (began, 1)


def dead_redis(settings: Settings) -> None:
    url = f"redis://127.0.0.1:{closed_port()}"
    settings.CACHES = redis_caches(gates=url, cache=url)


def test_without_its_cache_each_process_asks_once(
    far: WechatApi, app: App, process: Process, settings: Settings
) -> None:
    dead_redis(settings)
    one, other = process(), process()
    assert one.get(app) == one.get(app) == other.get(app) == other.get(app)
    assert far.count(TOKEN) == 2
    far.revoke(app.appid, stuck=True)
    renewed = one.renewed(app, refused=one.get(app))
    assert other.renewed(app, refused=other.get(app)) == renewed


def test_a_cache_that_hangs_costs_one_look(
    far: WechatApi, app: App, process: Process, settings: Settings
) -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        caches = redis_caches(gates=url, cache=url)
        caches["default"]["OPTIONS"]["SOCKET_TIMEOUT"] = 0.1
        settings.CACHES = caches
        assert process().get(app) in far.given_out


def test_a_cache_that_forgets_is_asked_around(far: WechatApi, app: App, process: Process) -> None:
    one, other = process(), process()
    first = one.get(app)
    cache.delete(f"wechat:token:{app.appid}")
    assert (one.get(app), far.count(TOKEN)) == (first, 1)
    assert (other.get(app), far.count(TOKEN)) == (first, 2)


@pytest.mark.usefixtures("threads")
def test_fifty_threads_that_need_a_token_ask_once(
    far: WechatApi, app: App, process: Process
) -> None:
    one = process()
    found = {outcome.result() for outcome in race([lambda: one.get(app)] * 50)}
    assert found == far.given_out
    assert (len(found), far.count(TOKEN)) == (1, 1)


@pytest.mark.usefixtures("threads")
def test_were_each_of_them_alone_they_would_all_ask(
    far: WechatApi, app: App, process: Process, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    alone = [process() for _ in range(50)]
    race([lambda one=one: one.get(app) for one in alone])
    assert far.count(TOKEN) == 50


@pytest.mark.usefixtures("threads")
def test_fifty_threads_whose_token_is_refused_renew_it_once(
    far: WechatApi, app: App, process: Process
) -> None:
    one = process()
    first = one.get(app)
    far.revoke(app.appid)
    found = {outcome.result() for outcome in race([lambda: one.renewed(app, refused=first)] * 50)}
    assert found == far.given_out - {first}
    assert (len(found), far.count(TOKEN)) == (1, 2)


@pytest.mark.usefixtures("threads")
def test_fifty_threads_near_the_end_of_a_token_renew_it_once_and_nobody_waits_for_that(
    far: WechatApi, app: App, process: Process, clock: Clock
) -> None:
    one = process()
    first = one.get(app)
    clock.now += RENEWED_AT
    far.pass_time(RENEWED_AT)
    found = [outcome.result() for outcome in race([lambda: one.get(app)] * 50)]
    assert set(found) <= far.given_out
    assert one.get(app) != first
    assert far.count(TOKEN) == 2


@pytest.mark.usefixtures("threads")
def test_fifty_threads_without_a_wechat_hear_so_and_hardly_ask(
    far: WechatApi, app: App, process: Process
) -> None:
    one = process()
    far.will(TOKEN, *[faults.status(502)] * 60)
    outcomes = race([lambda: one.get(app)] * 50)
    assert {type(outcome.error) for outcome in outcomes} == {WechatError}
    assert 1 <= far.count(TOKEN) <= client.BREAKER_FAILURES
    with suppress(WechatError):
        one.get(app)
    assert one._flights == {}


# A process of the shop that needs a token with all of its threads, when it is told to.
PROCESS = """
import sys, django
from concurrent.futures import ThreadPoolExecutor
django.setup()
from shop.accounts.wechat.client import wechat
from shop.accounts.wechat.services import app_of
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(8) as threads:
    print(*threads.map(lambda _: wechat().tokens.get(app_of("")), range(8)))
"""


class TestProcesses:
    """Real ones, which have Redis in common."""

    pytestmark = on_mariadb

    def test_three_processes_that_need_a_token_ask_once(self, far: WechatApi) -> None:
        variables = {
            "DJANGO_SETTINGS_MODULE": "settings.test",
            "WECHAT_API_URL": far.url,
            "WECHAT_APPS": ",".join(f"{appid}={secret}" for appid, secret in far.apps.items()),
        }
        with ExitStack() as running:
            started = [
                running.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", PROCESS],
                        cwd=ROOT,
                        env=os.environ | variables,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for _ in range(3)
            ]
            assert [process.stdout.readline() for process in started] == ["ready\n"] * 3
            for process in started:
                process.stdin.write("go\n")
                process.stdin.flush()
            found = {text for process in started for text in process.stdout.read().split()}
        assert found == far.given_out
        assert (len(found), far.count(TOKEN)) == (1, 1)
