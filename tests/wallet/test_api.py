"""The wallet over HTTP: one's own, to read."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from shop.accounts.models import User
from tests.factories import make_user
from tests.kit.wallets import fund, spend

pytestmark = pytest.mark.django_db

WALLET = "/api/v1/wallet"
POSTINGS = "/api/v1/wallet/postings"


@pytest.fixture
def client(login: Callable[[User], APIClient], shopper: User) -> APIClient:
    return login(shopper)


def test_a_new_wallet_is_empty(client: APIClient) -> None:
    answer = client.get(WALLET)
    assert (answer.status_code, answer.json()) == (200, {"cny_fen": 0, "points": 0})
    assert client.get(POSTINGS).json() == {
        "count": 0,
        "next": None,
        "previous": None,
        "results": [],
    }


def test_a_wallet_says_what_its_owner_has(client: APIClient, shopper: User) -> None:
    fund(make_user(), 7)
    fund(shopper, 1000)
    fund(shopper, 50, currency="points")
    spend(shopper, 300, reference="payment-1")

    assert client.get(WALLET).json() == {"cny_fen": 700, "points": 50}


def test_postings_are_ones_own_newest_first(client: APIClient, shopper: User) -> None:
    fund(shopper, 1000)
    fund(make_user(), 7)
    fund(shopper, 50, currency="points")
    spend(shopper, 300, reference="payment-1")

    answer = client.get(POSTINGS).json()

    assert answer["count"] == 3
    rows = [(row["amount"], row["currency"], row["kind"]) for row in answer["results"]]
    assert rows == [(-300, "cny", "test"), (50, "points", "fund"), (1000, "cny", "fund")]
    newest = answer["results"][0]
    assert sorted(newest) == ["amount", "created_at", "currency", "id", "kind", "reference"]
    assert newest["reference"] == "payment-1"
    assert newest["created_at"].endswith("+08:00")


def test_postings_of_one_currency(client: APIClient, shopper: User) -> None:
    fund(shopper, 1000)
    fund(shopper, 50, currency="points")

    rows = client.get(POSTINGS, {"currency": "points"}).json()["results"]

    assert [row["amount"] for row in rows] == [50]


@pytest.mark.parametrize("query", [{"currency": "usd"}, {"page_size": "0"}, {"before": "x"}])
def test_an_odd_query_is_invalid(client: APIClient, query: dict[str, str]) -> None:
    answer = client.get(POSTINGS, query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("currencies", ["cpcpcp", "cccppp", "ccpccc", "pppppp"])
def test_pages_follow_each_other_there_and_back(
    client: APIClient, shopper: User, size: int, currencies: str
) -> None:
    for number, letter in enumerate(currencies, start=1):
        fund(shopper, number, currency="points" if letter == "p" else "cny")

    address, there = f"{POSTINGS}?page_size={size}", []
    while address:
        page = client.get(address).json()
        assert page["count"] == 6
        there.append([row["amount"] for row in page["results"]])
        address, last = page["next"], page
    back, address = [there[-1]], last["previous"]
    while address:
        page = client.get(address).json()
        back.append([row["amount"] for row in page["results"]])
        address = page["previous"]

    newest_first = [6, 5, 4, 3, 2, 1]
    assert there == [newest_first[at : at + size] for at in range(0, 6, size)]
    assert back == there[::-1]


def test_a_page_costs_the_same_however_many_rows_it_has(client: APIClient, shopper: User) -> None:
    for currency in ("cny", "points"):
        fund(shopper, 1, currency=currency)
    with CaptureQueriesContext(connection) as one:
        client.get(POSTINGS)
    for _ in range(10):
        fund(shopper, 1)
    with CaptureQueriesContext(connection) as many:
        client.get(POSTINGS)

    # Who asks, their accounts, and for each of two: a count, the rows, their transactions.
    assert len(one) == len(many) == 8


@pytest.mark.parametrize("address", [WALLET, POSTINGS])
def test_a_stranger_sees_nothing_and_nobody_writes(
    api: APIClient, client: APIClient, address: str
) -> None:
    assert api.get(address).status_code == 401
    for method in (client.post, client.put, client.patch, client.delete):
        assert method(address, {"balance": 1}).status_code == 405
