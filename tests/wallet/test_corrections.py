"""Grants and corrections: asked for by one operator, decided by another, booked once."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import IntegrityError, transaction

from shop.accounts.models import User
from shop.errors import InsufficientBalance, Invalid, Refusal
from shop.operators_log import words_of
from shop.pools.audit import audit
from shop.wallet import selectors
from shop.wallet.corrections import correction_approve, correction_reject
from shop.wallet.models import Correction, House, Transaction
from tests.factories import make_user
from tests.kit.wallets import balance, fund, posted, spend
from tests.wallet.asking import ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def asker(db: None) -> User:
    return make_user("asker")


@pytest.fixture
def second(db: None) -> User:
    return make_user("second")


def state_of(correction: Correction) -> tuple[str, int | None]:
    correction.refresh_from_db()
    return correction.state, correction.decided_by_id


def test_asking_books_nothing(shopper: User, asker: User) -> None:
    correction = ask(shopper, 50, operator=asker)

    assert state_of(correction) == ("requested", None)
    assert balance(shopper) == 0
    assert not Transaction.objects.exists()
    assert list(LogEntry.objects.values_list("user_id", "action_flag", "change_message")) == [
        (asker.pk, ADDITION, "requested: +50 cny: counted twice")
    ]


def test_what_a_second_person_approves_is_booked_once(
    shopper: User, asker: User, second: User
) -> None:
    correction = ask(shopper, 50, operator=asker)

    assert correction_approve(correction, operator=second) is True
    assert correction_approve(correction, operator=second) is False

    assert state_of(correction) == ("approved", second.pk)
    assert correction.decided_at is not None
    booked = Transaction.objects.get()
    assert (booked.reference, booked.kind, booked.reason, booked.operator) == (
        f"correction:{correction.pk}",
        "correction",
        "counted twice",
        second,
    )
    assert posted(shopper) == [("cny", 50, f"correction:{correction.pk}")]
    assert selectors.house_sums() == {("corrections", "cny"): -50}
    last = LogEntry.objects.latest("pk")
    assert (last.user, last.action_flag, words_of(last)) == (second, CHANGE, "approved")
    assert LogEntry.objects.count() == 2
    assert audit().broken == {}


def test_a_correction_takes_too(shopper: User, second: User) -> None:
    fund(shopper, 80)

    correction_approve(ask(shopper, -80), operator=second)

    assert balance(shopper) == 0
    assert selectors.house_sums()["corrections", "cny"] == 80
    assert audit().broken == {}


def test_a_grant_of_points_comes_from_the_grants(shopper: User, second: User) -> None:
    grant = ask(shopper, 500, currency="points", house=House.GRANTS)  # type: ignore[arg-type]

    correction_approve(grant, operator=second)

    assert selectors.balances_of(shopper) == {"cny": 0, "points": 500}
    assert selectors.house_sums() == {("grants", "points"): -500}
    assert Transaction.objects.get().kind == "grant"


def test_nobody_approves_what_they_asked_for(shopper: User, asker: User) -> None:
    correction = ask(shopper, 50, operator=asker)

    with pytest.raises(Invalid):
        correction_approve(correction, operator=asker)

    assert state_of(correction) == ("requested", None)
    assert balance(shopper) == 0
    assert LogEntry.objects.count() == 1


def test_nobody_approves_what_they_are_given(shopper: User, asker: User) -> None:
    correction = ask(shopper, 50, operator=asker)

    with pytest.raises(Invalid):
        correction_approve(correction, operator=shopper)

    assert state_of(correction) == ("requested", None)
    assert balance(shopper) == 0


def test_the_database_itself_wants_a_second_person(shopper: User, asker: User) -> None:
    correction = ask(shopper, 50, operator=asker)
    mine = Correction.objects.filter(pk=correction.pk)

    for decided_by in (asker, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            mine.update(state="approved", decided_by=decided_by)


def test_what_would_leave_less_than_nothing_is_not_asked_for(shopper: User) -> None:
    fund(shopper, 79)

    with pytest.raises(InsufficientBalance) as refused:
        ask(shopper, -80)

    assert refused.value.data == {"currency": "cny", "balance": 79, "amount": 80}
    assert not Correction.objects.exists()
    assert not LogEntry.objects.exists()


def test_what_would_leave_less_than_nothing_by_now_goes_on_waiting(
    shopper: User, second: User
) -> None:
    fund(shopper, 80)
    correction = ask(shopper, -80)
    spend(shopper, 1, reference="payment-1")

    with pytest.raises(InsufficientBalance):
        correction_approve(correction, operator=second)

    assert state_of(correction) == ("requested", None)
    assert balance(shopper) == 79
    assert LogEntry.objects.count() == 1
    fund(shopper, 1)
    correction_approve(correction, operator=second)
    assert balance(shopper) == 0
    assert audit().broken == {}


def test_what_is_rejected_is_never_booked(shopper: User, asker: User, second: User) -> None:
    correction = ask(shopper, 50, operator=asker)

    assert correction_reject(correction, operator=second, reason="no such case") is True
    assert correction_reject(correction, operator=second, reason="no such case") is False
    for step in (
        lambda: correction_approve(correction, operator=second),
        lambda: correction_approve(correction, operator=make_user()),
        lambda: correction_reject(correction, operator=make_user(), reason="me too"),
    ):
        with pytest.raises(Invalid):
            step()

    assert state_of(correction) == ("rejected", second.pk)
    assert balance(shopper) == 0
    assert words_of(LogEntry.objects.latest("pk")) == "rejected: no such case"
    assert LogEntry.objects.count() == 2
    assert audit().broken == {}


def test_what_is_approved_is_not_rejected_any_more(shopper: User, second: User) -> None:
    correction = ask(shopper, 50)
    correction_approve(correction, operator=second)

    with pytest.raises(Invalid):
        correction_reject(correction, operator=second, reason="after all")

    assert balance(shopper) == 50


def test_who_asked_may_think_again(shopper: User, asker: User) -> None:
    correction = ask(shopper, 50, operator=asker)
    correction_reject(correction, operator=asker, reason="my mistake")
    assert state_of(correction) == ("rejected", asker.pk)


def test_a_form_that_is_sent_twice_asks_once(shopper: User, asker: User) -> None:
    first = ask(shopper, 50, operator=asker, reference="admin-1")
    again = ask(shopper, 50, operator=asker, reference="admin-1")

    assert first.pk == again.pk
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "house"),
    [
        (0, House.CORRECTIONS),
        (10**9 + 1, House.CORRECTIONS),
        (-(10**9) - 1, House.CORRECTIONS),
        (-1, House.GRANTS),
    ],
)
def test_an_odd_amount_is_invalid(shopper: User, amount: int, house: House) -> None:
    fund(shopper, 100)
    with pytest.raises(Refusal) as refused:
        ask(shopper, amount, house=house)
    assert refused.value.data["errors"][0]["field"] == "amount"
    assert not Correction.objects.exists()
