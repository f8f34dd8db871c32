"""Payments from one wallet, and batches across many, at one moment: with the condition and the
order of locks, and without them."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from django.db import IntegrityError

from shop import transactions
from shop.accounts.models import User
from shop.errors import InsufficientBalance, Invalid
from shop.pools.audit import audit
from shop.transactions import is_duplicate
from shop.wallet import selectors
from shop.wallet.corrections import correction_approve, correction_reject
from shop.wallet.models import Account, Correction, Currency, House, Transaction
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.barrier import Outcome, race, watching
from tests.kit.controls import deadlocks
from tests.kit.marks import on_mariadb
from tests.kit.wallets import balance, fund, spend, spender
from tests.wallet.asking import ask

pytestmark = on_mariadb


def winners(outcomes: list[Outcome[None]]) -> int:
    """How many paid. Whoever did not must have been told that too little is there."""
    for outcome in outcomes:
        assert outcome.error is None or isinstance(outcome.error, InsufficientBalance), (
            outcome.error
        )
    return sum(outcome.error is None for outcome in outcomes)


def test_of_200_payments_at_once_as_many_succeed_as_the_balance_covers() -> None:
    user = make_user()
    fund(user, 1000)

    outcomes = race([spender(user, 30, reference=f"payment-{n}") for n in range(200)])

    assert winners(outcomes) == 33
    assert balance(user) == 10
    assert selectors.house_sums()[House.SALES, Currency.CNY] == 33 * 30
    assert Transaction.objects.filter(kind="test").count() == 33
    assert audit().broken == {}


def test_one_reference_50_times_at_once_is_booked_once() -> None:
    user = make_user()
    fund(user, 1000)

    outcomes = race([spender(user, 10, reference="payment-1")] * 50)

    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert len(errors) == 49
    assert all(isinstance(error, IntegrityError) and is_duplicate(error) for error in errors)
    assert balance(user) == 990
    assert audit().broken == {}


def test_a_first_credit_50_times_at_once_makes_one_account() -> None:
    user = make_user()

    outcomes = race([partial(fund, user, 2)] * 50)

    for outcome in outcomes:
        outcome.result()
    assert Account.objects.filter(user=user).count() == 1
    assert Account.objects.filter(house=House.GRANTS).count() == 1
    assert balance(user) == 100
    assert audit().broken == {}


def batch(users: list[User], amounts: list[int], *, reference: str) -> None:
    """Takes from, or gives to, each of `users`; whoever has too little is left out."""

    def work() -> None:
        book = Book("cny", "lottery", "batch")
        book.lock([user.pk for user in users])
        for number, (user, amount) in enumerate(zip(users, amounts, strict=True)):
            if amount > 0:
                book.credit(user.pk, amount, f"return-{number}")
            else:
                with suppress(InsufficientBalance):
                    book.debit(user.pk, -amount, f"entry-{number}")
        book.write(reference)

    transactions.run(work)


def pay_in_turn(users: list[User], amount: int, *, reference: str) -> None:
    """One payment after the other, each in a transaction of its own."""
    for number, user in enumerate(users):
        with suppress(InsufficientBalance):
            spend(user, amount, reference=f"{reference}-{number}")


def test_batches_and_payments_in_either_order_never_deadlock(dice: Random) -> None:
    """Accounts made in another order than their users, so that an order of locks by user is not
    the one by account; batches name people in any order, and some have no account yet."""
    users = [make_user() for _ in range(40)]
    for user in dice.sample(users, len(users)):
        fund(user, 100)
    newcomers = [make_user() for _ in range(10)]
    before = deadlocks()

    def batches(own: int) -> None:
        for number in range(15):
            chosen = own_dice[own].sample(users, 20)
            amounts = [own_dice[own].choice([-30, -20, 10]) for _ in chosen]
            batch(chosen, amounts, reference=f"batch-{own}-{number}")

    def payments(own: int) -> None:
        for number in range(5):
            ordered = users if own % 2 else users[::-1]
            pay_in_turn(ordered, 7, reference=f"payment-{own}-{number}")

    own_dice = [Random(dice.random()) for _ in range(8)]
    runners = [partial(step, own) for step in (batches, payments) for own in range(4)]
    with watching(audit) as seen:
        for outcome in race(runners):
            outcome.result()
    for outcome in race(
        [partial(batch, newcomers, [5] * 10, reference=f"welcome-{n}") for n in range(8)]
    ):
        outcome.result()

    assert deadlocks() == before
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert [balance(user) for user in newcomers] == [40] * 10
    assert audit().broken == {}


def decided(step: Callable[[], bool]) -> bool:
    """Whether this operator's step was the one that counts."""
    try:
        return step()
    except Invalid:
        return False


def test_a_correction_that_many_decide_at_once_is_decided_by_one() -> None:
    for number in range(10):
        user = make_user()
        correction = ask(user, 50)
        approve = [partial(correction_approve, correction, operator=make_user()) for _ in range(6)]
        reject = [
            partial(correction_reject, correction, operator=make_user(), reason="no")
            for _ in range(6)
        ]
        steps = [*approve, *reject] if number % 2 else [*reject, *approve]

        outcomes = race([partial(decided, step) for step in steps])

        assert sum(outcome.result() for outcome in outcomes) == 1
        correction.refresh_from_db()
        assert balance(user) == (50 if correction.state == "approved" else 0)
    assert audit().broken == {}


def test_a_correction_and_payments_at_once_leave_nobody_with_less_than_nothing() -> None:
    user = make_user()
    fund(user, 100)
    takings = [ask(user, -40) for _ in range(4)]
    approve = [partial(correction_approve, one, operator=make_user()) for one in takings]

    outcomes = race([*approve, *(spender(user, 30, reference=f"payment-{n}") for n in range(4))])

    refused = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert all(isinstance(error, InsufficientBalance) for error in refused)
    taken = 40 * Correction.objects.filter(state="approved").count()
    paid = 30 * Transaction.objects.filter(kind="test").count()
    assert balance(user) == 100 - taken - paid
    assert balance(user) < 40
    assert audit().broken == {}
