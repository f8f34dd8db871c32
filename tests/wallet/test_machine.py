"""The ledger alone: after any payments, credits and batches every transaction sums to zero, every
balance equals its postings, and nobody has less than nothing."""

from itertools import count

import pytest
from django.db import IntegrityError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from shop import transactions
from shop.errors import InsufficientBalance
from shop.pools.audit import audit
from shop.wallet import selectors, services
from shop.wallet.models import Currency, House, Transaction
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.marks import in_both_forms

pytestmark = pytest.mark.django_db

WHO = st.integers(0, 2)
AMOUNTS = st.integers(1, 12)
CURRENCIES = st.sampled_from(list(Currency))
# What red packets hold is what is left in them, and there are none here.
HOUSES = st.sampled_from([house for house in House if house is not House.PACKETS])
# (who, signed amount)
ENTRIES = st.lists(st.tuples(WHO, st.integers(-12, 12).filter(bool)), max_size=6)
serial = count(1)


class Ledger(RuleBasedStateMachine):
    """Beside the database: what each user has, and what each account of the house took in."""

    booked = Bundle("booked")

    def __init__(self) -> None:
        super().__init__()
        self.users = [make_user() for _ in range(3)]
        self.has = {(who, currency): 0 for who in range(3) for currency in Currency}
        self.sums = selectors.house_sums() | {}
        self.transactions = Transaction.objects.count()

    def enter(self, who: int, currency: Currency, house: House, amount: int) -> None:
        self.has[who, currency] += amount
        self.sums[house, currency] = self.sums.get((house, currency), 0) - amount

    @rule(target=booked, who=WHO, currency=CURRENCIES, house=HOUSES, amount=AMOUNTS)
    def credit(self, who: int, currency: Currency, house: House, amount: int) -> str:
        reference = f"credit-{next(serial)}"
        self.book(services.credit, who, currency, house, amount, reference)
        self.enter(who, currency, house, amount)
        self.transactions += 1
        return reference

    @rule(target=booked, who=WHO, currency=CURRENCIES, house=HOUSES, amount=AMOUNTS)
    def pay(self, who: int, currency: Currency, house: House, amount: int) -> object:
        reference = f"payment-{next(serial)}"
        has = self.has[who, currency]
        if has < amount:
            with pytest.raises(InsufficientBalance) as refused:
                self.book(services.pay, who, currency, house, amount, reference)
            assert refused.value.data["balance"] == has
            return multiple()
        self.book(services.pay, who, currency, house, amount, reference)
        self.enter(who, currency, house, -amount)
        self.transactions += 1
        return reference

    @rule(target=booked, currency=CURRENCIES, house=HOUSES, entries=ENTRIES)
    def batch(self, currency: Currency, house: House, entries: list[tuple[int, int]]) -> object:
        reference = f"batch-{next(serial)}"
        written = transactions.run(lambda: self.write(currency, house, entries, reference))
        for who, amount in written:
            self.enter(who, currency, house, amount)
        if not written:
            return multiple()
        self.transactions += 1
        return reference

    @rule(
        reference=booked, who=WHO, amount=AMOUNTS, step=st.sampled_from(["pay", "credit", "book"])
    )
    def repeat(self, reference: str, who: int, amount: int, step: str) -> None:
        """Whatever is booked again under a reference changes nothing."""
        currency, house = Currency.CNY, House.SALES
        with pytest.raises((IntegrityError, InsufficientBalance)):
            if step == "book":
                entries = [(who, amount)]
                transactions.run(lambda: self.write(currency, house, entries, reference))
            else:
                self.book(getattr(services, step), who, currency, house, amount, reference)

    def book(self, step, who, currency, house, amount, reference) -> None:  # type: ignore[no-untyped-def]
        transactions.run(
            lambda: step(
                user_id=self.users[who].pk,
                currency=currency,
                amount=amount,
                house=house,
                reference=reference,
                kind="test",
            )
        )

    def write(
        self, currency: Currency, house: House, entries: list[tuple[int, int]], reference: str
    ) -> list[tuple[int, int]]:
        """Those of `entries` that a book took, each decided by what the user has by then."""
        book, taken = Book(currency, house, "test"), []
        book.lock([self.users[who].pk for who, _ in entries])
        has = {who: self.has[who, currency] for who in range(3)}
        for number, (who, amount) in enumerate(entries):
            step = book.debit if amount < 0 else book.credit
            if has[who] + amount < 0:
                with pytest.raises(InsufficientBalance):
                    step(self.users[who].pk, abs(amount), f"{reference}-{number}")
                continue
            step(self.users[who].pk, abs(amount), f"{reference}-{number}")
            has[who] += amount
            taken.append((who, amount))
        book.write(reference)
        return taken

    @invariant()
    def everybody_has_what_came_in_less_what_went_out(self) -> None:
        for who, user in enumerate(self.users):
            balances = selectors.balances_of(user)
            assert balances == {currency: self.has[who, currency] for currency in Currency}

    @invariant()
    def the_house_has_the_rest(self) -> None:
        found = {key: total for key, total in selectors.house_sums().items() if total}
        assert found == {key: total for key, total in self.sums.items() if total}
        assert Transaction.objects.count() == self.transactions

    @invariant()
    def promises_hold(self) -> None:
        assert audit().broken == {}


@in_both_forms("examples", short=15, long=300)
def test_money_and_points_are_accounted_for_after_any_sequence_of_steps(examples: int) -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
