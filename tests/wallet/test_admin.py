"""Wallets for operators: what they see, what they may ask for and decide, and that nothing else
writes."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.wallet import selectors
from shop.wallet.corrections import correction_approve
from shop.wallet.models import Account, Correction, Posting, Transaction
from shop.wallet.services import Book
from tests.factories import make_user
from tests.kit.wallets import balance, fund, spend
from tests.wallet.asking import ask

pytestmark = pytest.mark.django_db

ASK = reverse("admin:wallet_correction_add")
CORRECTIONS = reverse("admin:wallet_correction_changelist")
ACCOUNTS = reverse("admin:wallet_account_changelist")


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


def desk_of(*permissions: str) -> tuple[Client, User]:
    operator = make_user(is_staff=True)
    granted = Permission.objects.filter(codename__in=permissions, content_type__app_label="wallet")
    assert granted.count() == len(permissions)
    operator.user_permissions.set(granted)
    client = Client()
    client.force_login(operator)
    return client, operator


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def form_of(desk: Client, user: User, /, **values: str) -> dict[str, str]:
    """The form as the page shows it now, filled in."""
    page = desk.get(ASK).content.decode()
    [reference] = re.findall(r'name="reference" value="([^"]+)"', page)
    return {
        "user": user.username,
        "house": "corrections",
        "currency": "cny",
        "amount": "50",
        "reason": "counted twice",
        "reference": reference,
        **values,
    }


def step_of(correction: Correction, name: str) -> str:
    return reverse(f"admin:wallet_correction_{name}", args=[correction.pk])


def facts() -> list[object]:
    models = (Account, Transaction, Posting, Correction, LogEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


# --- corrections


def test_one_operator_asks_and_another_approves(shopper: User) -> None:
    desk, asker = desk_of("add_correction", "view_correction")

    answer = desk.post(ASK, form_of(desk, shopper))

    correction = Correction.objects.get()
    assert answer.url == reverse("admin:wallet_correction_change", args=[correction.pk])
    assert said(answer) == ["It waits for a second person."]
    assert (correction.user, correction.amount, correction.requested_by) == (shopper, 50, asker)
    assert balance(shopper) == 0

    other_desk, second = desk_of("approve_correction")
    page = other_desk.get(reverse("admin:wallet_correction_change", args=[correction.pk]))
    assert step_of(correction, "approve") in page.content.decode()
    look = other_desk.get(step_of(correction, "approve")).content.decode()
    assert "¥0.50 (50 fen)" in look
    assert balance(shopper) == 0
    answer = other_desk.post(step_of(correction, "approve"))

    assert said(answer) == ["The correction is booked."]
    correction.refresh_from_db()
    assert (correction.state, correction.decided_by) == ("approved", second)
    assert balance(shopper) == 50
    page = other_desk.get(reverse("admin:wallet_correction_change", args=[correction.pk]))
    assert step_of(correction, "approve") not in page.content.decode()
    again = other_desk.post(step_of(correction, "approve"))
    assert said(again) == ["Carried out before; nothing changed now."]
    assert balance(shopper) == 50


def test_sent_twice_the_form_asks_once(shopper: User) -> None:
    desk, _ = desk_of("add_correction")
    form = form_of(desk, shopper)
    for _ in range(2):
        assert desk.post(ASK, form).url == reverse("admin:index")
    assert Correction.objects.count() == 1
    assert LogEntry.objects.count() == 1


def test_who_asked_is_told_that_another_must_approve(shopper: User) -> None:
    desk, operator = desk_of("add_correction", "approve_correction")
    correction = ask(shopper, 50, operator=operator)

    answer = desk.post(step_of(correction, "approve"))

    assert answer.status_code == 200
    assert "A second person approves it" in answer.content.decode()
    assert balance(shopper) == 0


def test_a_superuser_needs_a_second_person_too(shopper: User) -> None:
    boss = make_user(is_staff=True, is_superuser=True)
    desk = Client()
    desk.force_login(boss)
    desk.post(ASK, form_of(desk, shopper))
    correction = Correction.objects.get()

    desk.post(step_of(correction, "approve"))

    assert balance(shopper) == 0


def test_an_operator_rejects_for_a_reason(shopper: User) -> None:
    desk, operator = desk_of("approve_correction")
    correction = ask(shopper, 50)

    assert desk.post(step_of(correction, "reject"), {"reason": ""}).status_code == 200
    correction.refresh_from_db()
    assert correction.state == "requested"
    answer = desk.post(step_of(correction, "reject"), {"reason": "no such case"})

    assert said(answer) == ["The correction is rejected."]
    correction.refresh_from_db()
    assert (correction.state, correction.decided_by) == ("rejected", operator)
    assert balance(shopper) == 0


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"amount": "0"}, "From 1 to"),
        ({"amount": "-1"}, "The wallet has only ¥0.00 (0 fen)."),
        ({"currency": "points", "amount": "-1"}, "The wallet has only 0 points."),
        ({"amount": "-1", "house": "grants"}, "A grant only adds."),
        ({"amount": "1000000001"}, "less than or equal to"),
        ({"user": "nobody"}, "There is no user of this name."),
        ({"reason": ""}, "This field is required."),
        ({"house": "sales"}, "Select a valid choice"),
        ({"currency": "usd"}, "Select a valid choice"),
        ({"reference": "mine"}, "Enter a valid value"),
    ],
)
def test_what_can_not_be_asked_for_is_explained(
    shopper: User, values: dict[str, str], why: str
) -> None:
    desk, _ = desk_of("add_correction")

    answer = desk.post(ASK, form_of(desk, shopper, **values))

    assert answer.status_code == 200
    assert why in answer.content.decode()
    assert not Correction.objects.exists()


def test_an_approval_that_would_leave_less_than_nothing_is_explained(shopper: User) -> None:
    fund(shopper, 50)
    correction = ask(shopper, -50)
    spend(shopper, 1, reference="payment-1")
    desk, _ = desk_of("approve_correction")

    answer = desk.post(step_of(correction, "approve"))

    assert "The wallet has only ¥0.49 (49 fen)." in answer.content.decode()
    assert balance(shopper) == 49


# --- who may


def test_each_step_needs_its_own_permission(shopper: User) -> None:
    correction = ask(shopper, 50)
    fund(shopper, 1)
    account = Account.objects.get(user=shopper)
    before = facts()
    asker, _ = desk_of("add_correction", "view_correction")
    decider, _ = desk_of("approve_correction")
    onlooker, _ = desk_of("view_correction", "view_account", "view_transaction")
    nobody, _ = desk_of()

    for desk in (asker, onlooker, nobody):
        for name in ("approve", "reject"):
            assert desk.get(step_of(correction, name)).status_code == 403
            assert desk.post(step_of(correction, name), {"reason": "x"}).status_code == 403
    for desk in (decider, onlooker, nobody):
        assert desk.get(ASK).status_code == 403
        assert desk.post(ASK, {}).status_code == 403
    statement = reverse("admin:wallet_account_postings", args=[account.pk])
    for address in (CORRECTIONS, ACCOUNTS, statement):
        assert nobody.get(address).status_code == 403
        assert onlooker.get(address).status_code == 200
    assert facts() == before


def test_no_form_writes_the_ledger(shopper: User) -> None:
    fund(shopper, 50)
    correction = ask(shopper, 50)
    boss = make_user(is_staff=True, is_superuser=True)
    desk = Client()
    desk.force_login(boss)
    before = facts()

    for name, row in (
        ("account", Account.objects.get(user=shopper)),
        ("transaction", Transaction.objects.get()),
        ("correction", correction),
    ):
        for page in ("change", "delete"):
            address = reverse(f"admin:wallet_{name}_{page}", args=[row.pk])
            answer = desk.post(address, {"balance": "9", "state": "approved", "post": "yes"})
            assert answer.status_code == 403, address
        if name != "correction":
            assert desk.post(reverse(f"admin:wallet_{name}_add"), {}).status_code == 403
    assert facts() == before


# --- facts


@pytest.fixture
def desk() -> Client:
    return desk_of("view_account", "view_transaction", "view_correction")[0]


def test_an_account_is_found_by_its_owner_and_shows_its_postings(
    desk: Client, shopper: User
) -> None:
    fund(make_user("another"), 1)
    fund(shopper, 1050)
    spend(shopper, 50, reference="payment-1")
    correction_approve(ask(shopper, 5, reason="counted twice"), operator=make_user("second"))
    account = Account.objects.get(user=shopper)

    found = desk.get(ACCOUNTS, {"q": shopper.username}).content.decode()
    page = desk.get(reverse("admin:wallet_account_change", args=[account.pk])).content.decode()
    postings = desk.get(reverse("admin:wallet_account_postings", args=[account.pk]))
    statement = postings.content.decode()

    assert "¥10.05 (1005 fen)" in found
    assert "another" not in found
    assert "¥10.05 (1005 fen)" in page
    rows = re.findall(r"<td[^>]*>(¥[^<]+)</td>", statement)
    assert rows == ["¥0.05 (5 fen)", "¥-0.50 (-50 fen)", "¥10.50 (1050 fen)"]
    for word in ("payment-1", "counted twice", "second"):
        assert word in statement


def test_a_statement_goes_on_where_its_page_ends(
    desk: Client, shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "STATEMENT_ROWS", 2)
    for amount in (1, 2, 3):
        fund(shopper, amount, currency="points")
    address = reverse("admin:wallet_account_postings", args=[Account.objects.get(user=shopper).pk])

    first = desk.get(address).content.decode()
    [older] = re.findall(r'href="(\?before=\d+)"', first)
    second = desk.get(address + older).content.decode()

    assert re.findall(r"<td[^>]*>(\d) points</td>", first) == ["3", "2"]
    assert re.findall(r"<td[^>]*>(\d) points</td>", second) == ["1"]


def test_an_account_of_the_house_is_summed_on_its_page(desk: Client, shopper: User) -> None:
    fund(shopper, 1050)
    spend(shopper, 50, reference="payment-1")
    sales = Account.objects.get(house="sales")

    listed = desk.get(ACCOUNTS, {"house": "sales"}).content.decode()
    page = desk.get(reverse("admin:wallet_account_change", args=[sales.pk])).content.decode()

    assert "¥0.50 (50 fen)" not in listed
    assert "¥0.50 (50 fen)" in page


def test_a_transaction_is_found_by_its_reference_and_shows_both_sides(
    desk: Client, shopper: User
) -> None:
    fund(shopper, 100)
    book = Book("cny", "lottery", "entries")
    book.lock([shopper.pk])
    book.debit(shopper.pk, 30, "entry-1")
    book.write("batch-1")
    booked = Transaction.objects.get(reference="batch-1")

    address = reverse("admin:wallet_transaction_changelist")
    found = desk.get(address, {"q": "batch-1"}).content.decode()
    page = desk.get(reverse("admin:wallet_transaction_change", args=[booked.pk]))

    assert "batch-1" in found
    assert "fund-" not in found
    text = page.content.decode()
    assert f"{shopper.username}: ¥-0.30 (-30 fen) (entry-1)" in text
    assert "¥0.30 (30 fen) (batch-1)" in text


def test_corrections_are_listed_and_found(desk: Client, shopper: User) -> None:
    ask(shopper, 50, reason="counted twice")
    ask(make_user("another"), 7, reason="lost")

    listed = desk.get(CORRECTIONS).content.decode()
    found = desk.get(CORRECTIONS, {"q": shopper.username}).content.decode()

    assert "counted twice" in listed and "lost" in listed
    assert "counted twice" in found and "lost" not in found
