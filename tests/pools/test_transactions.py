"""The one way the shop writes, on any database: what it retries, what it lets through."""

from collections.abc import Callable

import pytest
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from shop import transactions
from shop.errors import Busy, SoldOut, Unavailable
from shop.pools.models import Pool, PoolMovement
from tests.kit.units import make_pool


@pytest.mark.parametrize(
    ("error", "contention", "lost"),
    [
        (OperationalError(1020, "Record has changed since last read"), True, False),
        (OperationalError(1205, "Lock wait timeout exceeded"), True, False),
        (OperationalError(1213, "Deadlock found"), True, False),
        (OperationalError(3572, "Statement aborted because lock(s) could not be..."), True, False),
        (OperationalError("database is locked"), True, False),
        (OperationalError("database table is locked"), True, False),
        (OperationalError(2006, "Server has gone away"), False, True),
        (OperationalError(2013, "Lost connection to server during query"), False, True),
        (InterfaceError(0, ""), False, True),
        (OperationalError(1054, "Unknown column"), False, False),
        (OperationalError("no such table: pools_pool"), False, False),
        (IntegrityError(1062, "Duplicate entry"), False, False),
        (DataError(1264, "Out of range value"), False, False),
        (ValueError("locked"), False, False),
    ],
)
def test_errors_are_told_apart_by_their_number(
    error: Exception, contention: bool, lost: bool
) -> None:
    assert transactions.is_contention(error) == contention
    assert transactions.is_lost(error) == lost


@pytest.mark.django_db
def test_only_a_unique_index_makes_a_duplicate() -> None:
    make_pool(1)
    with pytest.raises(IntegrityError) as twice, transaction.atomic():
        PoolMovement.objects.bulk_create(
            PoolMovement(pool_id=1, kind="load", delta=1, reference="same") for _ in range(2)
        )
    with pytest.raises(IntegrityError) as negative, transaction.atomic():
        Pool.objects.update(available=-1)

    assert transactions.is_duplicate(twice.value)
    assert not transactions.is_duplicate(negative.value)


@pytest.fixture
def attempts() -> list[int]:
    return []


def failing(error: Exception, attempts: list[int], *, times: int = 1_000) -> Callable[[], str]:
    """Work that stores a pool and then fails, the first `times` times."""

    def work() -> str:
        attempts.append(1)
        Pool.objects.create(kind="test")
        if len(attempts) <= times:
            raise error
        return "done"

    return work


@pytest.mark.django_db(transaction=True)
class TestRun:
    def test_what_contention_undid_is_run_again(self, attempts: list[int]) -> None:
        work = failing(OperationalError(1213, "Deadlock"), attempts, times=2)

        assert transactions.run(work) == "done"
        assert len(attempts) == 3
        assert Pool.objects.count() == 1

    @pytest.mark.parametrize(
        ("error", "refusal"),
        [
            (OperationalError(1205, "Lock wait timeout"), Busy),
            (OperationalError("database is locked"), Busy),
            (OperationalError(2013, "Lost connection"), Unavailable),
        ],
    )
    def test_attempts_are_bounded_and_nothing_is_stored(
        self, error: Exception, refusal: type[Exception], attempts: list[int]
    ) -> None:
        with pytest.raises(refusal) as refused:
            transactions.run(failing(error, attempts))

        assert refused.value.__cause__ is error
        assert len(attempts) == transactions.ATTEMPTS
        assert Pool.objects.count() == 0

    @pytest.mark.parametrize(
        "error",
        [SoldOut(), IntegrityError(1062, "Duplicate"), OperationalError(1054, "Unknown column")],
    )
    def test_everything_else_is_raised_at_once_and_nothing_is_stored(
        self, error: Exception, attempts: list[int]
    ) -> None:
        with pytest.raises(type(error)):
            transactions.run(failing(error, attempts))

        assert len(attempts) == 1
        assert Pool.objects.count() == 0
        assert not connection.in_atomic_block

    def test_inside_a_transaction_it_refuses_to_run(self, attempts: list[int]) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            transactions.run(failing(SoldOut(), attempts))

        assert attempts == []
