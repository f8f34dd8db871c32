"""Wallets without one of their guards: each fault is seen, and with the guard it is not."""

from collections.abc import Iterable
from functools import partial

import pytest
from django.db import IntegrityError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from shop import transactions
from shop.accounts.models import User
from shop.errors import Busy
from shop.pools.audit import audit
from shop.wallet import accounts
from shop.wallet.accounts import Locked
from shop.wallet.models import Account, Currency, House
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.barrier import Outcome, race
from tests.kit.controls import BOTH_COME, ONE_CANT_COME, Appointment, deadlocks, unchecked
from tests.kit.marks import on_mariadb
from tests.kit.wallets import balance, fund, spend, spender

pytestmark = on_mariadb

UNCONDITIONAL = (
    "UPDATE wallet_account SET balance = balance - %s"
    " WHERE user_id = %s AND currency = %s AND %s > 0"
)


def failures(outcomes: list[Outcome[None]]) -> list[BaseException]:
    return [outcome.error for outcome in outcomes if outcome.error is not None]


# --- the condition


def test_without_the_condition_more_is_paid_than_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_LOWER", UNCONDITIONAL)
    user = make_user()
    fund(user, 100)

    runners = [partial(unchecked, spender(user, 60, reference=f"payment-{n}")) for n in range(5)]
    outcomes = race(runners)

    assert failures(outcomes) == []
    assert balance(user) == 100 - 5 * 60
    assert list(audit().broken) == [6]


def test_without_the_condition_the_check_constraint_is_the_last_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "_LOWER", UNCONDITIONAL)
    user = make_user()
    fund(user, 100)

    outcomes = race([spender(user, 60, reference=f"payment-{n}") for n in range(5)])

    errors = failures(outcomes)
    assert len(errors) == 4
    assert all(isinstance(error, IntegrityError) for error in errors)
    assert "account_balance_not_negative" in str(errors[0])
    assert balance(user) == 40
    assert audit().broken == {}


# --- the lock of a batch


def meeting_book(users: list[User], amount: int, *, reference: str, at: Appointment) -> None:
    """A batch that pays `amount` for each of `users`, and meets another between lock and write."""

    def work() -> None:
        book = Book("cny", "lottery", "test")
        book.lock([user.pk for user in users])
        at.keep()
        for number, user in enumerate(users):
            book.debit(user.pk, amount, f"entry-{number}")
        book.write(reference)

    transactions.run(work)


def two_books(user: User, *, seconds: float = BOTH_COME) -> list[Outcome[None]]:
    at = Appointment(seconds=seconds)
    # The house's account is there, so that nobody waits for whoever makes it.
    accounts.house_id(House.LOTTERY, Currency.CNY)
    return race(
        [partial(meeting_book, [user], 60, reference=f"batch-{n}", at=at) for n in range(2)]
    )


def test_with_the_lock_one_of_two_batches_gets_what_is_left() -> None:
    user = make_user()
    fund(user, 100)

    [error] = failures(two_books(user, seconds=ONE_CANT_COME))

    assert getattr(error, "code", "") == "insufficient_balance"
    assert balance(user) == 40
    assert audit().broken == {}


def test_without_the_lock_both_batches_spend_the_same_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unlocked(user_ids: Iterable[int], currency: Currency) -> dict[int, Locked]:
        rows = Account.objects.filter(user_id__in=user_ids, currency=currency)
        return {
            row.user_id or 0: Locked(row.pk, row.user_id or 0, row.balance or 0) for row in rows
        }

    monkeypatch.setattr(accounts, "locked_all", unlocked)
    user = make_user()
    fund(user, 100)

    assert failures(two_books(user)) == []

    # Its row looks right, and the postings know better.
    assert balance(user) == 40
    [line] = audit().broken[6]
    assert line.endswith(f"of user {user.pk}: has 40 cny; by its postings -20")


# --- the order of locks


def two_books_the_other_way_round() -> tuple[list[User], list[Outcome[None]], int]:
    """Two batches that name two people in opposite order; the deadlocks that it came to."""
    users = [make_user(), make_user()]
    for user in reversed(users):  # so that accounts ascend where users descend
        fund(user, 100)
    before = deadlocks()
    runners = [
        partial(book_of, ordered, reference=f"batch-{number}")
        for number, ordered in enumerate((users, users[::-1]))
    ]
    outcomes = race(runners)
    return users, outcomes, deadlocks() - before


def book_of(users: list[User], *, reference: str) -> None:
    def work() -> None:
        book = Book("cny", "lottery", "test")
        book.lock([user.pk for user in users])
        for number, user in enumerate(users):
            book.debit(user.pk, 10, f"entry-{number}")
        book.write(reference)

    transactions.run(work)


def test_locked_by_ascending_id_nobody_deadlocks() -> None:
    users, outcomes, found = two_books_the_other_way_round()

    assert failures(outcomes) == []
    assert found == 0
    assert [balance(user) for user in users] == [80, 80]


def test_locked_in_the_order_they_are_named_they_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    at = Appointment()

    def as_named(user_ids: Iterable[int], currency: Currency) -> dict[int, Locked]:
        found = {}
        for user_id in user_ids:
            row = Account.objects.select_for_update().get(user_id=user_id, currency=currency)
            found[user_id] = Locked(row.pk, user_id, row.balance or 0)
            at.keep()
        return found

    monkeypatch.setattr(accounts, "locked_all", as_named)

    users, outcomes, found = two_books_the_other_way_round()

    # One of them is undone, tries again, and nothing is lost.
    assert failures(outcomes) == []
    assert found == 1
    assert [balance(user) for user in users] == [80, 80]
    assert audit().broken == {}


def test_a_locking_read_goes_by_ids_of_accounts_and_not_of_users() -> None:
    """Whatever index the database would take for the users."""
    users = [make_user() for _ in range(3)]
    for user in reversed(users):
        fund(user, 1)

    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT id, user_id, balance FROM wallet_account WHERE id IN (%s, %s, %s)"
            " ORDER BY id FOR UPDATE",
            list(Account.objects.filter(user__in=users).values_list("pk", flat=True)),
        )
        columns = [column[0] for column in cursor.description]
        [plan] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    assert plan["key"] in ("PRIMARY", None)  # None: the whole table, in the order of its key
    assert "filesort" not in (plan["Extra"] or "")


# --- somebody in the way


@pytest.mark.usefixtures("soon_given_up")
def test_an_account_that_is_locked_too_long_is_busy_and_leaves_nothing(
    somebody: BaseDatabaseWrapper,
) -> None:
    user = make_user()
    fund(user, 100)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM wallet_account WHERE user_id = %s FOR UPDATE", [user.pk])
        with pytest.raises(Busy):
            spend(user, 10, reference="payment-1")
        cursor.execute("ROLLBACK")
    assert balance(user) == 100

    spend(user, 10, reference="payment-1")

    assert balance(user) == 90
    assert audit().broken == {}


def test_a_payment_never_waits_at_the_houses_account(somebody: BaseDatabaseWrapper) -> None:
    """Somebody holds it, as a counter that is changed by each payment would be held."""
    first, second = make_user(), make_user()
    for user in (first, second):
        fund(user, 100)
    spend(first, 10, reference="payment-1")
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM wallet_account WHERE house = 'sales' FOR UPDATE")

        spend(second, 10, reference="payment-2")

        assert balance(second) == 90
        cursor.execute("ROLLBACK")
    assert audit().broken == {}
