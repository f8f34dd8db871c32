"""Batches: everybody is locked once, decided in memory, written once."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from shop.accounts.models import User
from shop.errors import InsufficientBalance
from shop.pools.audit import audit
from shop.wallet.models import Account, Posting, Transaction
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.wallets import balance, fund, posted

pytestmark = pytest.mark.django_db


def make_book() -> Book:
    return Book("cny", "lottery", "entries")


@pytest.fixture
def other(db: None) -> User:
    return make_user()


def test_a_batch_is_one_transaction_with_a_posting_for_each(shopper: User, other: User) -> None:
    fund(shopper, 1000)
    book = make_book()

    book.lock([other.pk, shopper.pk, other.pk])
    book.debit(shopper.pk, 300, "entry-1")
    book.debit(shopper.pk, 200, "entry-2")
    book.credit(other.pk, 50, "return-1")
    assert (book.balance(shopper.pk), book.balance(other.pk)) == (500, 50)
    assert balance(shopper) == 1000  # nothing is written yet
    book.write("batch-1")

    booked = Transaction.objects.get(reference="batch-1")
    assert booked.kind == "entries"
    postings = booked.postings.order_by("pk")
    assert list(postings.values_list("account__user", "account__house", "amount", "reference")) == [
        (shopper.pk, None, -300, "entry-1"),
        (shopper.pk, None, -200, "entry-2"),
        (other.pk, None, 50, "return-1"),
        (None, "lottery", 450, "batch-1"),
    ]
    assert (balance(shopper), balance(other)) == (500, 50)
    assert audit().broken == {}


def test_what_is_not_there_is_refused_and_not_entered(shopper: User, other: User) -> None:
    fund(shopper, 100)
    book = make_book()
    book.lock([shopper.pk, other.pk])
    book.debit(shopper.pk, 60, "entry-1")

    with pytest.raises(InsufficientBalance) as refused:
        book.debit(shopper.pk, 41, "entry-2")
    with pytest.raises(InsufficientBalance):
        book.debit(other.pk, 1, "entry-3")

    assert refused.value.data == {"currency": "cny", "balance": 40, "amount": 41}
    book.debit(shopper.pk, 40, "entry-4")  # a smaller one still fits
    book.write("batch-1")
    assert posted(shopper)[1:] == [("cny", -60, "entry-1"), ("cny", -40, "entry-4")]
    assert (balance(shopper), balance(other)) == (0, 0)
    assert audit().broken == {}


def test_what_comes_in_pays_for_what_follows(shopper: User) -> None:
    book = make_book()
    book.lock([shopper.pk])
    book.credit(shopper.pk, 10, "return-1")
    book.debit(shopper.pk, 10, "entry-1")
    book.write("batch-1")

    # It sums to zero without the house, which has no part in it.
    assert [row[1] for row in posted(shopper)] == [10, -10]
    assert Posting.objects.count() == 2
    assert audit().broken == {}


def test_an_empty_book_leaves_nothing(shopper: User) -> None:
    book = make_book()
    with CaptureQueriesContext(connection) as sent:
        book.lock([])
        book.write("batch-1")

    assert len(sent) == 0
    assert not Transaction.objects.exists()


def test_a_book_of_refusals_leaves_nothing_but_accounts(shopper: User) -> None:
    book = make_book()
    book.lock([shopper.pk])
    with pytest.raises(InsufficientBalance):
        book.debit(shopper.pk, 1, "entry-1")
    book.write("batch-1")

    assert not Transaction.objects.exists()
    assert balance(shopper) == 0
    assert audit().broken == {}


def test_the_houses_account_is_made_before_any_pool_is_locked(shopper: User) -> None:
    """Between a book's lock and its write pools are: who makes that account meanwhile may want one
    of them."""
    fund(shopper, 10)
    book = make_book()
    book.lock([shopper.pk])
    known = Account.objects.count()
    book.debit(shopper.pk, 1, "entry-1")

    book.write("batch-1")

    assert Account.objects.count() == known
    assert Account.objects.get(house="lottery").postings.get().amount == 1


def test_a_batch_of_any_size_is_six_statements() -> None:
    users = [make_user() for _ in range(50)]
    for user in users:
        fund(user, 10)
    book = make_book()
    book.lock([users[0].pk])
    book.debit(users[0].pk, 1, "the house's account is made")
    book.write("batch-0")

    with CaptureQueriesContext(connection) as sent:
        book = make_book()
        book.lock([user.pk for user in users])
        for number, user in enumerate(users):
            book.debit(user.pk, 1, f"entry-{number}")
        book.write("batch-1")

    assert len(sent) == 6
    assert audit().broken == {}


def test_writing_uses_up_no_ids_of_accounts(shopper: User) -> None:
    fund(shopper, 100)
    for number in range(20):
        fund(shopper, 1)
        book = make_book()
        book.lock([shopper.pk])
        book.debit(shopper.pk, 1, "entry")
        book.write(f"batch-{number}")
    newest = Account.objects.order_by("pk").last()
    assert newest is not None

    after = Account.objects.create(user_id=make_user().pk, currency="cny", balance=0)

    assert after.pk - newest.pk <= 2


def test_a_batch_is_booked_once(shopper: User) -> None:
    fund(shopper, 10)
    for reference in ("batch-1", "batch-2"):
        book = make_book()
        book.lock([shopper.pk])
        book.debit(shopper.pk, 1, "entry-1")
        book.write(reference)
    book = make_book()
    book.lock([shopper.pk])
    book.debit(shopper.pk, 1, "entry-1")

    with pytest.raises(IntegrityError), transaction.atomic():
        book.write("batch-1")

    assert balance(shopper) == 8
    assert audit().broken == {}


def test_written_twice_a_book_writes_once(shopper: User) -> None:
    fund(shopper, 10)
    book = make_book()
    book.lock([shopper.pk])
    book.debit(shopper.pk, 1, "entry-1")
    book.write("batch-1")
    book.write("batch-2")

    assert balance(shopper) == 9
    assert not Transaction.objects.filter(reference="batch-2").exists()


def test_who_is_not_locked_is_not_touched(shopper: User, other: User) -> None:
    fund(other, 10)
    book = make_book()
    book.lock([shopper.pk])
    for step in (book.debit, book.credit):
        with pytest.raises(KeyError):
            step(other.pk, 1, "entry-1")
    with pytest.raises(RuntimeError, match="once"):
        book.lock([other.pk])
    book.write("batch-1")

    assert balance(other) == 10


@pytest.mark.parametrize("amount", [0, -1, 1.0, True])
def test_an_amount_is_a_positive_integer(shopper: User, amount: object) -> None:
    book = make_book()
    book.lock([shopper.pk])
    for step in (book.debit, book.credit):
        with pytest.raises(ValueError, match="an amount is an integer"):
            step(shopper.pk, amount, "entry-1")  # type: ignore[arg-type]
    assert book.balance(shopper.pk) == 0
