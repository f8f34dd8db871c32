"""One key, however often and wherever it is sent, and whatever dies on the way: one order."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.db import connection
from rest_framework.test import APIClient

from goods.models import Sku
from orders.models import Order, OrderLine
from shop.accounts.models import Address, User
from shop.pools.audit import audit
from tests.factories import make_address, make_sku, make_user
from tests.kit.barrier import race
from tests.kit.clientlog import ClientLog
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through
from tests.kit.shopper import Reply, Shopper
from tests.kit.units import counters

pytestmark = on_mariadb

ROOT = Path(__file__).resolve().parents[2]

# Places an order as a web process would, and dies where FAILPOINT says.
PLACE_AND_DIE = """
import sys
import django
django.setup()
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken
from shop.accounts.models import User
user, sku, address, key = sys.argv[1:]
client = APIClient(SERVER_NAME="localhost")
client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(User.objects.get(pk=user))}")
client.post(
    "/api/v1/orders",
    {"items": [{"sku": int(sku), "count": 1}], "address": int(address)},
    format="json",
    headers={"Idempotency-Key": key},
)
"""


@pytest.fixture
def tea(strategy: str) -> Sku:
    return make_sku(stock=100)


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def address(user: User) -> Address:
    return make_address(user)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


@pytest.fixture
def shopper(
    user: User, address: Address, login: Callable[[User], APIClient], log: ClientLog
) -> Callable[..., Shopper]:
    """One more device of the same user."""
    return lambda **options: Shopper(login(user), log, address.pk, **options)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    settings = connection.settings_dict
    with Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy:
        yield proxy


def replies_of(runners: list[Callable[[], Reply]]) -> list[Reply]:
    return [outcome.result() for outcome in race(runners)]


def assert_ordered_once(tea: Sku, log: ClientLog, replies: list[Reply]) -> None:
    """All replies tell of the same order, which is there once with its units."""
    order = Order.objects.get()
    assert {reply.body["order_no"] for reply in replies} == {order.order_no}
    assert {reply.status for reply in replies} == {201}
    assert OrderLine.objects.count() == 1
    assert counters(tea.pool) == (99, 1)
    assert log.disagreements([(order.idempotency_key, order.order_no)]) == []
    assert audit().broken == {}


def test_one_key_50_times_at_once_is_one_order(
    tea: Sku, shopper: Callable[..., Shopper], log: ClientLog
) -> None:
    replies = replies_of([partial(shopper().buy, {tea.pk: 1}, key="k") for _ in range(50)])

    assert Counter(reply.replayed for reply in replies) == {False: 1, True: 49}
    assert_ordered_once(tea, log, replies)


def test_one_key_50_times_at_once_when_there_is_nothing_is_50_refusals(
    strategy: str, shopper: Callable[..., Shopper]
) -> None:
    """Those who wait for the first to be stored find that it was not, and try for themselves."""
    tea = make_sku(stock=1)

    replies = replies_of([partial(shopper().buy, {tea.pk: 2}, key="k") for _ in range(50)])

    assert {(reply.status, reply.code) for reply in replies} == {(409, "insufficient_stock")}
    assert not Order.objects.exists()
    assert counters(tea.pool) == (1, 0)


def test_one_key_with_two_bodies_at_once_is_one_order_and_a_refusal(
    tea: Sku, shopper: Callable[..., Shopper]
) -> None:
    bodies = [{tea.pk: 1}] * 10 + [{tea.pk: 2}] * 10

    replies = replies_of([partial(shopper().buy, body, key="k") for body in bodies])

    order = Order.objects.get()
    assert Counter((reply.status, reply.code) for reply in replies) == {
        (201, ""): 10,
        (422, "idempotency_key_reused"): 10,
    }
    bought = order.snapshot[0]["count"]
    assert {
        reply.status for reply, body in zip(replies, bodies, strict=True) if body[tea.pk] == bought
    } == {201}
    assert counters(tea.pool) == (100 - bought, bought)
    assert audit().broken == {}


def test_one_key_of_20_users_at_once_is_20_orders(
    tea: Sku, login: Callable[[User], APIClient], log: ClientLog
) -> None:
    users = [make_user() for _ in range(20)]
    buyers = [Shopper(login(user), log, make_address(user).pk) for user in users]

    replies = replies_of([partial(buyer.buy, {tea.pk: 1}, key="k") for buyer in buyers])

    assert [(reply.status, reply.replayed) for reply in replies] == [(201, False)] * 20
    assert len({reply.body["order_no"] for reply in replies}) == 20
    assert counters(tea.pool) == (80, 20)
    assert audit().broken == {}


@pytest.mark.parametrize(
    ("failpoint", "stored"), [("commit.before:kill", 0), ("commit.after:kill", 1)]
)
def test_a_crash_in_flight_blocks_no_key_and_doubles_no_order(
    failpoint: str,
    stored: int,
    strategy: str,
    tea: Sku,
    user: User,
    address: Address,
    shopper: Callable[..., Shopper],
    log: ClientLog,
) -> None:
    log.sends("k")
    died = subprocess.run(
        [sys.executable, "-c", PLACE_AND_DIE, *map(str, (user.pk, tea.pk, address.pk, "k"))],
        cwd=ROOT,
        env={
            **os.environ,
            "FAILPOINT": failpoint,
            "MYSQL_DATABASE": connection.settings_dict["NAME"],
            "STOCK_STRATEGY": strategy,
        },
        timeout=240,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert Order.objects.count() == stored

    replies = replies_of([partial(shopper().buy, {tea.pk: 1}, key="k") for _ in range(50)])

    assert Counter(reply.replayed for reply in replies)[False] == 1 - stored
    assert_ordered_once(tea, log, replies)


def test_a_commit_whose_answer_is_swallowed_is_told_truly(
    tea: Sku, shopper: Callable[..., Shopper], log: ClientLog, proxy: Proxy
) -> None:
    buyer = shopper()
    with database_through(proxy):
        proxy.swallow_commit_answers()
        first = buyer.buy({tea.pk: 1}, key="k")
        again = buyer.buy({tea.pk: 1}, key="k")

    assert proxy.commits_to_swallow == 0
    assert again.replayed
    assert_ordered_once(tea, log, [first, again])


def test_a_commit_that_never_arrives_is_made_again(
    tea: Sku, shopper: Callable[..., Shopper], log: ClientLog, proxy: Proxy
) -> None:
    buyer = shopper()
    with database_through(proxy):
        proxy.lose_commits()
        first = buyer.buy({tea.pk: 1}, key="k")

    assert not first.replayed
    assert_ordered_once(tea, log, [first])


def test_while_no_commit_arrives_it_is_unavailable_and_a_repeat_succeeds(
    tea: Sku, shopper: Callable[..., Shopper], log: ClientLog, proxy: Proxy
) -> None:
    buyer = shopper(tries=1)
    with database_through(proxy):
        proxy.lose_commits(count=1_000)
        refused = buyer.buy({tea.pk: 1}, key="k")
        proxy.lose_commits(count=0)
        stored = Order.objects.count()
        answered = buyer.buy({tea.pk: 1}, key="k")

    assert (refused.status, refused.code) == (503, "unavailable")
    assert refused.body["retry_after"] == 2
    assert stored == 0
    assert_ordered_once(tea, log, [answered])


def test_a_network_that_loses_answers_at_random_doubles_and_loses_no_order(
    tea: Sku, shopper: Callable[..., Shopper], log: ClientLog, proxy: Proxy
) -> None:
    """Eight devices buy through one bad network, which swallows every few COMMITs' answers."""

    def device(name: int) -> list[Reply]:
        buyer = shopper()
        replies = []
        with database_through(proxy):
            for turn in range(10):
                if turn % 3 == name % 3:
                    proxy.swallow_commit_answers(2)
                replies.append(buyer.buy({tea.pk: 1}, key=f"{name}-{turn}"))
        return replies

    outcomes = race([partial(device, name) for name in range(8)])

    replies = [reply for outcome in outcomes for reply in outcome.result()]
    assert {reply.status for reply in replies} == {201}
    assert counters(tea.pool) == (20, 80)
    assert log.disagreements(Order.objects.values_list("idempotency_key", "order_no")) == []
    assert audit().broken == {}
