"""Pages that follow each other without gaps, and queries that make no sense."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from shop.accounts.models import Address, User
from shop.api.pagination import Keyset, PageNumbers
from shop.errors import NotFound
from tests.factories import make_user

URL = "http://testserver/api/v1/things"


@pytest.fixture
def rows(shopper: User) -> list[int]:
    """The ids of five rows of the shopper's, ascending, between rows of another user."""
    other = make_user()
    for owner in [shopper, other] * 5:
        Address.objects.create(user=owner, name="x", phone="1", region="x", detail="x")
    return list(Address.objects.filter(user=shopper).order_by("pk").values_list("pk", flat=True))


def page(kind: type[PageNumbers] | type[Keyset], user: User, query: str) -> dict[str, Any]:
    """The envelope that a view would answer with, its results being ids."""
    pages = kind()
    request = Request(APIRequestFactory().get(f"{URL}?{query}"))
    found = pages.paginate_queryset(Address.objects.filter(user=user).order_by("pk"), request)
    return dict(pages.get_paginated_response([row.pk for row in found]).data)


def query_of(link: str | None) -> str:
    assert link is not None
    assert link.startswith(f"{URL}?")
    return link.partition("?")[2]


def test_pages_by_number(shopper: User, rows: list[int]) -> None:
    first = page(PageNumbers, shopper, "page_size=2&q=茶")
    assert (first["count"], first["previous"], first["results"]) == (5, None, rows[:2])
    assert first["next"] == f"{URL}?page_size=2&q=%E8%8C%B6&page=2"
    second = page(PageNumbers, shopper, query_of(first["next"]))
    assert second["results"] == rows[2:4]
    third = page(PageNumbers, shopper, query_of(second["next"]))
    assert (third["next"], third["results"]) == (None, rows[4:])
    assert page(PageNumbers, shopper, query_of(third["previous"])) == second


def test_an_empty_list_has_a_first_page_and_no_second(shopper: User) -> None:
    nothing = {"count": 0, "next": None, "previous": None, "results": []}
    assert page(PageNumbers, shopper, "") == nothing
    assert page(Keyset, shopper, "") == nothing
    with pytest.raises(NotFound):
        page(PageNumbers, shopper, "page=2")


def test_pages_by_id_there_and_back(shopper: User, rows: list[int]) -> None:
    newest = rows[::-1]
    first = page(Keyset, shopper, "page_size=2")
    assert (first["count"], first["previous"], first["results"]) == (5, None, newest[:2])
    second = page(Keyset, shopper, query_of(first["next"]))
    assert (second["count"], second["results"]) == (5, newest[2:4])
    third = page(Keyset, shopper, query_of(second["next"]))
    assert (third["next"], third["results"]) == (None, newest[4:])
    assert page(Keyset, shopper, query_of(third["previous"]))["results"] == newest[2:4]
    back = page(Keyset, shopper, query_of(second["previous"]))
    assert (back["previous"], back["results"]) == (None, newest[:2])


def test_new_rows_shift_no_page_by_id(shopper: User, rows: list[int]) -> None:
    following = query_of(page(Keyset, shopper, "page_size=2")["next"])
    before = page(Keyset, shopper, following)["results"]
    Address.objects.create(user=shopper, name="x", phone="1", region="x", detail="x")
    assert page(Keyset, shopper, following)["results"] == before


@pytest.mark.parametrize("kind", [PageNumbers, Keyset])
def test_a_page_costs_two_queries_and_by_id_none_skips_rows(
    shopper: User, rows: list[int], kind: type[PageNumbers] | type[Keyset]
) -> None:
    query = "page=2&page_size=2" if kind is PageNumbers else f"before={rows[-1]}&page_size=2"
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page(kind, shopper, query)
    assert len(queries) == 2
    assert ("OFFSET" in queries[1]["sql"]) is (kind is PageNumbers)


class TimedKeyset(Keyset):
    timed = True


def test_what_is_timed_carries_the_servers_time(shopper: User) -> None:
    assert page(TimedKeyset, shopper, "")["server_time"].endswith("+08:00")
    assert "server_time" not in page(Keyset, shopper, "")


GARBAGE = ["", "x", "0", "-1", "1.0", "%00", "%FF", "１", "1e3", "1" + "0" * 30, "9" * 5000, "last"]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("addresses", "page"),
        ("addresses", "page_size"),
        ("orders", "page_size"),
        ("orders", "before"),
    ],
)
def test_a_query_that_makes_no_sense_names_its_parameter(
    login: Any, shopper: User, url: str, name: str, value: str
) -> None:
    answer = login(shopper).get(f"/api/v1/{url}?{name}={value}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_more_than_a_hundred_rows_a_page_are_refused(login: Any, shopper: User) -> None:
    client = login(shopper)
    assert client.get("/api/v1/addresses?page_size=100").status_code == 200
    assert client.get("/api/v1/addresses?page_size=101").status_code == 400


def test_a_page_beyond_the_last_does_not_exist(login: Any, shopper: User) -> None:
    for number in (2, 10**9):
        answer = login(shopper).get(f"/api/v1/addresses?page={number}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_before_and_after_at_once_are_refused(login: Any, shopper: User) -> None:
    answer = login(shopper).get("/api/v1/orders?before=5&after=1")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
