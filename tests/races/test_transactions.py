"""The one way the shop writes, against what a real MariaDB does to it."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F

from shop import transactions
from shop.errors import Busy, Unavailable
from shop.pools import services
from shop.pools.models import Pool, PoolMovement
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through
from tests.kit.units import counters, make_pool

pytestmark = on_mariadb


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Between this thread and the database."""
    settings = connection.settings_dict
    with (
        Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy,
        database_through(proxy),
    ):
        yield proxy


def retries(reason: str) -> float:
    return float(transactions.RETRIES.labels(reason)._value.get())


def add(pool: Pool, *, reference: str) -> Callable[[], None]:
    """Work that adds one unit, once per reference."""
    return lambda: services.adjust({pool.pk: 1}, reference=reference)


def add_nested(pool: Pool) -> None:
    """Adds one unit to the counter alone, inside a savepoint."""
    with transaction.atomic():
        Pool.objects.filter(pk=pool.pk).update(available=F("available") + 1)


@pytest.fixture
def held_row(somebody: BaseDatabaseWrapper) -> Iterator[Pool]:
    """A pool that somebody else has locked."""
    pool = make_pool(0)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM pools_pool WHERE id = %s FOR UPDATE", [pool.pk])
    yield pool
    somebody.connection.rollback()


def test_a_lock_wait_inside_nested_atomic_never_commits_half(
    held_row: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "ATTEMPTS", 2)
    free = make_pool(0)

    def work() -> None:
        add_nested(free)
        add_nested(held_row)

    before = retries("contention")
    with pytest.raises(Busy):
        transactions.run(work)

    assert retries("contention") - before == 1
    assert counters(free) == (0, 0)
    assert not connection.in_atomic_block


def test_who_catches_a_lock_wait_inside_commits_half(held_row: Pool) -> None:
    """The control: why `run` retries outside, and nothing catches inside."""
    free = make_pool(0)

    with transaction.atomic():
        add_nested(free)
        with pytest.raises(OperationalError, match="1205"):
            add_nested(held_row)

    assert counters(free) == (1, 0)


def test_a_deadlock_inside_nested_atomic_is_run_again_from_outside() -> None:
    one, two = make_pool(0), make_pool(0)
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    def crossing(name: str, first: Pool, second: Pool) -> Callable[[], None]:
        def work() -> None:
            runs.append(name)
            with connection.cursor() as cursor:
                # The other one may be slow, and is not to be given up.
                cursor.execute("SET innodb_lock_wait_timeout = 60")
            services.adjust({first.pk: 10}, reference=name)
            if runs.count(name) == 1:
                both_hold_one.wait(120)
            with transaction.atomic():
                services.adjust({second.pk: 1}, reference=name)

        return lambda: transactions.run(work)

    before = retries("contention")
    outcomes = race([crossing("a", one, two), crossing("b", two, one)])

    assert [outcome.result() for outcome in outcomes] == [None, None]
    # The victim ran twice, and what it had done the first time is gone.
    assert len(runs) == 3
    assert retries("contention") - before == 1
    assert (counters(one), counters(two)) == ((11, 0), (11, 0))
    assert PoolMovement.objects.filter(reference__in=["a", "b"]).count() == 4


def test_a_swallowed_answer_to_a_commit_runs_the_work_again_which_finds_its_own_trace(
    proxy: Proxy,
) -> None:
    pool = make_pool(0)
    before = retries("lost")
    proxy.swallow_commit_answers()

    with pytest.raises(IntegrityError) as refused:
        transactions.run(add(pool, reference="delivery"))

    assert transactions.is_duplicate(refused.value)
    assert retries("lost") - before == 1
    assert counters(pool) == (1, 0)
    assert PoolMovement.objects.filter(reference="delivery").count() == 1


def test_a_commit_that_never_arrived_is_done_by_the_second_run(proxy: Proxy) -> None:
    pool = make_pool(0)
    before = retries("lost")
    proxy.lose_commits()

    transactions.run(add(pool, reference="delivery"))

    assert retries("lost") - before == 1
    assert counters(pool) == (1, 0)


def test_a_connection_that_was_cut_between_requests_costs_one_retry(proxy: Proxy) -> None:
    pool = make_pool(0)
    proxy.cut()

    transactions.run(add(pool, reference="delivery"))

    assert counters(pool) == (1, 0)


def test_a_session_that_is_killed_in_the_middle_is_run_again(
    somebody: BaseDatabaseWrapper,
) -> None:
    pool = make_pool(0)
    killed: list[int] = []

    def work() -> None:
        services.adjust({pool.pk: 1}, reference="delivery")
        if not killed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT CONNECTION_ID()")
                killed.append(cursor.fetchone()[0])
            with somebody.cursor() as cursor:
                cursor.execute("KILL %s", killed)

    transactions.run(work)

    assert counters(pool) == (1, 0)
    assert PoolMovement.objects.filter(reference="delivery").count() == 1


def test_a_database_that_is_down_is_unavailable_after_bounded_attempts(proxy: Proxy) -> None:
    pool = make_pool(0)
    before = retries("lost")
    proxy.lose_commits(count=100)

    with pytest.raises(Unavailable):
        transactions.run(add(pool, reference="delivery"))

    assert retries("lost") - before == transactions.ATTEMPTS - 1
    proxy.heal()
    assert counters(pool) == (0, 0)


def test_nobody_listening_is_unavailable() -> None:
    with (
        Proxy(host="127.0.0.1", port=1) as nowhere,
        database_through(nowhere),
        pytest.raises(Unavailable),
    ):
        transactions.run(lambda: Pool.objects.count())
