"""Promise 6: silent about a ledger in order, and exact about the row that breaks it."""

from dataclasses import dataclass

import pytest
from django.db import connection

from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet import corrections
from shop.wallet.models import Account, Correction, Posting, Transaction
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.controls import checks_off
from tests.kit.wallets import fund, spend
from tests.wallet.asking import ask

POSTING = (
    "INSERT INTO wallet_posting (transaction_id, account_id, amount, reference)"
    " VALUES (%s, %s, %d, 'hand')"
)
TRANSACTION = (
    "INSERT INTO wallet_transaction (reference, kind, reason, created_at)"
    " VALUES ('%s', 'hand', '', '2026-01-01 00:00:00')"
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Two users: one got 1,000 fen and paid 300, a batch gave the other 40 and took 10 of them."""

    first: User
    second: User

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        return {
            "first": Account.objects.get(user=self.first).pk,
            "second": Account.objects.get(user=self.second).pk,
            "sales": Account.objects.get(house="sales").pk,
            "lottery": Account.objects.get(house="lottery").pk,
            "payment": Transaction.objects.get(reference="payment-1").pk,
            "batch": Transaction.objects.get(reference="batch-1").pk,
            "first_user": self.first.pk,
            "second_user": self.second.pk,
        }


@pytest.fixture
def ledger(db: None) -> Ledger:
    ledger = Ledger(make_user(), make_user())
    fund(ledger.first, 1000)
    spend(ledger.first, 300, reference="payment-1")
    book = Book("cny", "lottery", "entries")
    book.lock([ledger.second.pk])
    book.credit(ledger.second.pk, 40, "return-1")
    book.debit(ledger.second.pk, 10, "entry-1")
    book.write("batch-1")
    return ledger


def plant(*statements: str, columns: dict[str, object]) -> None:
    """Reaches into the tables behind the ledger's back, foreign keys and checks switched off."""
    off, on = {
        # Inside a transaction SQLite looks at foreign keys when it ends, which a test's never does.
        "sqlite": ("PRAGMA defer_foreign_keys = ON", "SELECT 1"),
        "mysql": ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
    }[connection.vendor]
    with checks_off(), connection.cursor() as cursor:
        cursor.execute(off)
        for statement in statements:
            cursor.execute(statement.format(**columns))
        cursor.execute(on)


def test_a_ledger_in_order_keeps_its_promise(ledger: Ledger) -> None:
    report = audit()

    assert report.broken == {}
    assert report.figures(6) == {
        "transactions": 3,
        "postings": 7,
        "wallets": 2,
        "wallets_fen": 730,
        "wallets_points": 0,
        "corrections_waiting": 0,
        "proposals_approved": 0,
    }


BREACHES = {
    "a balance that is not its postings": (
        ["UPDATE wallet_account SET balance = balance + 1 WHERE id = {first}"],
        "account {first} of user {first_user}: has 701 cny; by its postings 700",
    ),
    "a balance below zero": (
        [
            POSTING % ("{payment}", "{first}", -701),
            POSTING % ("{payment}", "{sales}", 701),
            "UPDATE wallet_account SET balance = -1 WHERE id = {first}",
        ],
        "account {first} of user {first_user}: has -1 cny; by its postings -1",
    ),
    "a balance without any postings": (
        [
            "INSERT INTO wallet_account (user_id, currency, balance)"
            " VALUES ({second_user}, 'points', 5)"
        ],
        "of user {second_user}: has 5 points; by its postings 0",
    ),
    "a transaction with one side": (
        ["DELETE FROM wallet_posting WHERE transaction_id = {payment} AND account_id = {sales}"],
        "transaction {payment} (payment-1): -300 cny",
    ),
    "a batch of which the house has a fen less": (
        [
            "UPDATE wallet_posting SET amount = -31"
            " WHERE transaction_id = {batch} AND account_id = {lottery}"
        ],
        "transaction {batch} (batch-1): -1 cny",
    ),
    "a transaction that mixes currencies": (
        [
            "UPDATE wallet_account SET currency = 'points' WHERE id = {sales}",
        ],
        "transaction {payment} (payment-1): +300 points",
    ),
    "a transaction that moved nothing": (
        [TRANSACTION % "nothing"],
        "(nothing): has no postings",
    ),
    "postings of a transaction that does not exist": (
        [
            "UPDATE wallet_posting SET transaction_id = 987654 WHERE transaction_id = {batch}",
            "DELETE FROM wallet_transaction WHERE id = {batch}",
        ],
        "+40 of transaction 987654, which does not exist",
    ),
    "a posting of an account that does not exist": (
        ["UPDATE wallet_posting SET account_id = 987654 WHERE account_id = {sales}"],
        "+300 of account 987654, which does not exist",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_breaks_promise_6_alone_and_names_the_row(name: str, ledger: Ledger) -> None:
    statements, row = BREACHES[name]
    columns = ledger.columns()

    plant(*statements, columns=columns)

    try:
        broken = audit().broken
    finally:
        # So that the end of the test has no foreign keys to complain about.
        Posting.objects.all().delete()
    assert list(broken) == [6]
    assert any(row.format(**columns) in line for line in broken[6]), broken


# --- corrections


CORRECTION_BREACHES = {
    "a correction that was approved and not booked": (
        ["UPDATE wallet_transaction SET reference = 'hand' WHERE reference = 'correction:{pk}'"],
        "is approved of +50 cny, the user's wallet has 0",
    ),
    "a correction that was booked and not approved": (
        ["UPDATE wallet_correction SET state = 'requested', decided_by_id = NULL WHERE id = {pk}"],
        "is requested of +50 cny, the user's wallet has 50",
    ),
    "a correction of another amount than was approved": (
        ["UPDATE wallet_correction SET amount = 5 WHERE id = {pk}"],
        "is approved of +5 cny, the user's wallet has 50",
    ),
    "a correction that one operator decided alone": (
        ["UPDATE wallet_correction SET decided_by_id = requested_by_id WHERE id = {pk}"],
        "asked for by operator {asker}, decided by {asker}",
    ),
    "a correction that nobody asked for": (
        ["DELETE FROM wallet_correction WHERE id = {pk}"],
        "transaction correction:{pk}: there is no such correction",
    ),
}


@pytest.mark.parametrize("name", CORRECTION_BREACHES)
def test_a_breach_of_a_correction_breaks_promise_6_and_names_it(name: str, shopper: User) -> None:
    statements, row = CORRECTION_BREACHES[name]
    correction = ask(shopper, 50)
    corrections.correction_approve(correction, operator=make_user())
    waits = ask(shopper, 1)
    assert audit().broken == {}
    assert audit().figures(6)["corrections_waiting"] == 1
    columns: dict[str, object] = {"pk": correction.pk, "asker": correction.requested_by_id}

    plant(*statements, columns=columns)

    broken = audit().broken
    assert list(broken) == [6]
    [line] = broken[6]
    assert row.format(**columns) in line
    assert Correction.objects.filter(pk=waits.pk).exists()
