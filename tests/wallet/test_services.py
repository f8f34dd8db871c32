"""Paying and crediting one by one: what is booked, what is refused, in how many statements."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from shop.accounts.models import User
from shop.errors import InsufficientBalance
from shop.pools.audit import audit
from shop.transactions import is_duplicate
from shop.wallet import accounts, selectors, services
from shop.wallet.models import Account, Posting, Transaction
from tests.factories import make_user
from tests.kit.wallets import balance, fund, posted, spend

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/auth/register"
pay = partial(services.pay, currency="cny", house="sales", kind="test")
credit = partial(services.credit, currency="cny", house="grants", kind="test")


def statements_of(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as sent:
        work()
    return len(sent)


def rows() -> tuple[int, int, int]:
    return Account.objects.count(), Transaction.objects.count(), Posting.objects.count()


def test_what_a_user_pays_the_house_gains(shopper: User) -> None:
    fund(shopper, 1000)

    pay(user_id=shopper.pk, amount=300, reference="payment-1", what="order-1")

    booked = Transaction.objects.get(reference="payment-1")
    assert (booked.kind, booked.reason, booked.operator) == ("test", "", None)
    postings = booked.postings.order_by("pk")
    assert list(postings.values_list("account__user", "account__house", "amount", "reference")) == [
        (shopper.pk, None, -300, "order-1"),
        (None, "sales", 300, "order-1"),
    ]
    assert balance(shopper) == 700
    assert audit().broken == {}


def test_a_first_credit_makes_the_account(shopper: User) -> None:
    credit(user_id=shopper.pk, amount=5, reference="gift", reason="welcome", operator=shopper)
    credit(user_id=shopper.pk, amount=7, reference="gift-2")

    assert Transaction.objects.get(reference="gift").reason == "welcome"
    assert Transaction.objects.get(reference="gift").operator == shopper
    assert posted(shopper) == [("cny", 5, "gift"), ("cny", 7, "gift-2")]
    assert balance(shopper) == 12
    assert selectors.house_sums() == {("grants", "cny"): -12}


def test_a_credit_whose_amount_comes_late_is_booked_but_for_it(shopper: User) -> None:
    fund(shopper, 10)
    credit(user_id=shopper.pk, amount=1, reference="so that the house has its account")

    with transaction.atomic(), CaptureQueriesContext(connection) as early:
        late = services.Credit(
            user_id=shopper.pk, currency="cny", house="grants", reference="late", kind="test"
        )
        begun = len(early)
        late.write(7, "packet")

    assert (begun, len(early) - begun) == (3, 2)
    assert list(
        Posting.objects.filter(transaction__reference="late")
        .order_by("pk")
        .values_list("account__user", "account__house", "amount", "reference")
    ) == [(shopper.pk, None, 7, "packet"), (None, "grants", -7, "packet")]
    assert balance(shopper) == 18
    assert audit().broken == {}


def test_currencies_are_apart(shopper: User) -> None:
    fund(shopper, 10, currency="points")

    with pytest.raises(InsufficientBalance):
        pay(user_id=shopper.pk, amount=1, reference="payment")

    assert selectors.balances_of(shopper) == {"cny": 0, "points": 10}
    assert [(currency, amount) for currency, amount, _ in posted(shopper)] == [("points", 10)]
    assert not any(part.exists() for part in selectors.postings_of(shopper, currency="cny"))


@pytest.mark.parametrize("has", [0, 299])
def test_what_is_not_there_is_not_paid(shopper: User, has: int) -> None:
    if has:
        fund(shopper, has)
    before = posted(shopper)

    with pytest.raises(InsufficientBalance) as refused:
        spend(shopper, 300, reference="payment-1")

    assert refused.value.data == {"currency": "cny", "balance": has, "amount": 300}
    assert (balance(shopper), posted(shopper)) == (has, before)
    assert not Transaction.objects.filter(reference="payment-1").exists()
    # It is not used up by the refusal.
    fund(shopper, 300 - has)
    spend(shopper, 300, reference="payment-1")
    assert balance(shopper) == 0
    assert audit().broken == {}


def test_what_comes_in_between_the_condition_and_the_look_counts(
    shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    fund(shopper, 299)
    look = accounts.locked

    def look_after_income(user_id: int, *of: object) -> int:
        credit(user_id=user_id, amount=1, reference="income")
        return look(user_id, *of)  # type: ignore[arg-type]

    monkeypatch.setattr(accounts, "locked", look_after_income)

    spend(shopper, 300, reference="payment-1")

    assert balance(shopper) == 0
    assert audit().broken == {}


@pytest.mark.parametrize("again", [pay, credit])
def test_a_reference_is_booked_once(shopper: User, again: Callable[..., None]) -> None:
    fund(shopper, 1000)
    spend(shopper, 300, reference="payment-1")
    before = rows()

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        again(user_id=shopper.pk, amount=300, reference="payment-1")

    assert is_duplicate(refused.value)
    assert (balance(shopper), rows()) == (700, before)
    assert audit().broken == {}


def test_locking_makes_an_account_and_says_its_balance(shopper: User) -> None:
    assert services.lock(user_id=shopper.pk, currency="points") == 0
    fund(shopper, 7, currency="points")
    assert services.lock(user_id=shopper.pk, currency="points") == 7
    assert Account.objects.filter(user=shopper).count() == 1


@pytest.mark.parametrize("amount", [0, -1, 1.0, "1", True, None, 10**15 + 1])
@pytest.mark.parametrize("work", [pay, credit])
def test_an_amount_is_a_positive_integer(
    shopper: User, work: Callable[..., None], amount: object
) -> None:
    fund(shopper, 10)
    before = rows()

    with pytest.raises(ValueError, match="an amount is an integer"):
        work(user_id=shopper.pk, amount=amount, reference="odd")

    assert (balance(shopper), rows()) == (10, before)


@pytest.mark.parametrize("work", [pay, credit])
@pytest.mark.parametrize("unknown", [{"currency": "usd"}, {"house": "pocket"}])
def test_an_unknown_currency_or_house_is_an_error_of_ours(
    shopper: User, work: Callable[..., None], unknown: dict[str, str]
) -> None:
    fund(shopper, 10)
    before = rows()

    with pytest.raises(ValueError, match="is not a valid"), transaction.atomic():
        work(user_id=shopper.pk, amount=1, reference="odd", **unknown)

    assert (balance(shopper), rows()) == (10, before)


def test_the_ledger_is_written_in_few_statements(shopper: User) -> None:
    other = make_user()
    fund(shopper, 10)
    fund(other, 10)
    spend(other, 1, reference="the house's account is made")

    assert statements_of(lambda: pay(user_id=shopper.pk, amount=1, reference="a")) == 3
    assert statements_of(lambda: credit(user_id=shopper.pk, amount=1, reference="b")) == 3
    new = make_user()
    assert statements_of(lambda: credit(user_id=new.pk, amount=1, reference="c")) == 4
    assert statements_of(lambda: services.lock(user_id=new.pk, currency="cny")) == 1
    assert statements_of(lambda: services.lock(user_id=new.pk, currency="points")) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "work",
    [
        partial(pay, user_id=1, amount=1, reference="a"),
        partial(credit, user_id=1, amount=1, reference="a"),
        partial(services.lock, user_id=1, currency="cny"),
        partial(services.Book("cny", "sales", "test").lock, [1]),
        partial(services.Book("cny", "sales", "test").write, "a"),
    ],
)
def test_outside_a_transaction_nothing_is_touched(work: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        work()
    assert rows() == (0, 0, 0)


# --- welcome points


def test_a_new_shopper_is_given_points_once(api: APIClient, settings: Settings) -> None:
    settings.SIGNUP_POINTS = 500

    answer = api.post(REGISTER, {"username": "lilei", "password": "correct horse"})

    user = User.objects.get()
    assert answer.status_code == 201
    assert posted(user) == [("points", 500, f"signup:{user.pk}")]
    assert Transaction.objects.get().kind == "signup"
    with pytest.raises(IntegrityError), transaction.atomic():
        services.grant_sign_up(user.pk)
    assert selectors.balances_of(user) == {"cny": 0, "points": 500}
    assert audit().broken == {}


def test_by_default_a_new_shopper_has_no_account(api: APIClient) -> None:
    api.post(REGISTER, {"username": "lilei", "password": "correct horse"})

    assert User.objects.count() == 1
    assert rows() == (0, 0, 0)


def test_who_is_not_registered_is_given_nothing(api: APIClient, settings: Settings) -> None:
    settings.SIGNUP_POINTS = 500
    make_user("lilei")

    answer = api.post(REGISTER, {"username": "LiLei", "password": "correct horse"})

    assert answer.status_code == 400
    assert rows() == (0, 0, 0)
