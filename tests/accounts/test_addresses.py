"""Addresses: one's own, nothing but their fields, exactly one the default."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from shop.accounts.models import Address, User
from shop.accounts.services import MAX_ADDRESSES
from tests.accounts.conftest import ADDRESS
from tests.factories import make_user
from tests.kit.barrier import race

Login = Callable[[User], APIClient]
LIST = "/api/v1/addresses"


def one(address_id: object) -> str:
    return f"{LIST}/{address_id}"


def defaults(user: User) -> list[int]:
    return list(Address.objects.filter(user=user, is_default=True).values_list("pk", flat=True))


def test_the_first_address_is_the_default_whatever_it_says(login: Login, shopper: User) -> None:
    client = login(shopper)
    answer = client.post(LIST, ADDRESS | {"is_default": False})
    address = Address.objects.get()
    assert answer.status_code == 201
    assert answer.json() == ADDRESS | {"id": address.pk, "is_default": True}
    assert address.user_id == shopper.pk


def test_a_new_default_ends_the_old_one(login: Login, shopper: User, address: Address) -> None:
    client = login(shopper)
    second = client.post(LIST, ADDRESS).json()
    assert (second["is_default"], defaults(shopper)) == (False, [address.pk])
    third = client.post(LIST, ADDRESS | {"is_default": True}).json()
    assert (third["is_default"], defaults(shopper)) == (True, [third["id"]])
    answer = client.put(one(second["id"]), ADDRESS | {"is_default": True})
    assert (answer.json()["is_default"], defaults(shopper)) == (True, [second["id"]])


def test_the_default_stays_until_another_is_chosen(
    login: Login, shopper: User, address: Address
) -> None:
    answer = login(shopper).put(one(address.pk), ADDRESS | {"name": "韩梅", "is_default": False})
    assert (answer.status_code, answer.json()["name"]) == (200, "韩梅")
    assert answer.json()["is_default"] is True
    assert defaults(shopper) == [address.pk]


def test_when_the_default_is_deleted_the_newest_follows(
    login: Login, shopper: User, address: Address
) -> None:
    client = login(shopper)
    ids = [client.post(LIST, ADDRESS).json()["id"] for _ in range(2)]
    assert client.delete(one(address.pk)).status_code == 204
    assert defaults(shopper) == [ids[1]]
    assert client.delete(one(ids[0])).status_code == 204
    assert defaults(shopper) == [ids[1]]
    assert client.delete(one(ids[1])).status_code == 204
    assert Address.objects.count() == 0


def test_the_list_begins_with_the_default(login: Login, shopper: User, address: Address) -> None:
    client = login(shopper)
    newer = [client.post(LIST, ADDRESS).json()["id"] for _ in range(2)]
    answer = client.get(LIST).json()
    assert [row["id"] for row in answer["results"]] == [address.pk, *reversed(newer)]
    assert (answer["count"], answer["next"], answer["previous"]) == (3, None, None)


def test_put_replaces_all_of_it(login: Login, shopper: User, address: Address) -> None:
    client = login(shopper)
    for name in ADDRESS:
        body = {field: text for field, text in ADDRESS.items() if field != name}
        answer = client.put(one(address.pk), body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name)
    assert client.patch(one(address.pk), {"name": "x"}).status_code == 405


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_another_users_address_does_not_exist(login: Login, address: Address, method: str) -> None:
    answer = getattr(login(make_user()), method)(one(address.pk), ADDRESS | {"name": "Eve"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    address.refresh_from_db()
    assert (address.name, address.is_default) == (ADDRESS["name"], True)


def test_another_users_addresses_are_not_listed_nor_their_default_touched(
    login: Login, shopper: User, address: Address
) -> None:
    other = make_user()
    client = login(other)
    assert client.get(LIST).json()["results"] == []
    mine = client.post(LIST, ADDRESS | {"is_default": True}).json()["id"]
    assert (defaults(shopper), defaults(other)) == ([address.pk], [mine])


@pytest.mark.parametrize("method", ["get", "put", "delete", "post"])
def test_nobody_has_addresses(api: APIClient, address: Address, method: str) -> None:
    answer = getattr(api, method)(LIST if method == "post" else one(address.pk), ADDRESS)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_what_is_not_the_shoppers_to_say_is_ignored(
    login: Login, shopper: User, address: Address
) -> None:
    other = make_user()
    extra = {"id": 1, "user": other.pk, "user_id": other.pk, "created_at": "2000-01-01", "pk": 1}
    client = login(shopper)
    client.post(LIST, ADDRESS | extra)
    client.put(one(address.pk), ADDRESS | extra)
    assert Address.objects.filter(user=shopper).count() == 2
    assert not Address.objects.filter(created_at__year=2000).exists()


@pytest.mark.parametrize("address_id", [0, -1, 2**63, 10**30, "x", "1.0", "%00", "１", "9" * 5000])
def test_what_is_no_id_is_no_address(login: Login, shopper: User, address_id: Any) -> None:
    answer = login(shopper).get(one(address_id))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "blank"),
        ("name", "  ", "blank"),
        ("name", "x" * 51, "max_length"),
        ("name", 7, "invalid"),
        ("name", None, "null"),
        ("name", ["x"], "invalid"),
        ("phone", "call me", "invalid"),
        ("phone", "1" * 31, "max_length"),
        ("region", {"a": 1}, "invalid"),
        ("detail", "x" * 201, "max_length"),
        ("is_default", "true", "invalid"),
        ("is_default", 1, "invalid"),
        ("is_default", None, "null"),
    ],
)
def test_a_fault_names_its_field(
    login: Login, shopper: User, field: str, value: object, code: str
) -> None:
    answer = login(shopper).post(LIST, ADDRESS | {field: value})
    assert answer.status_code == 400
    assert (field, code) in [(e["field"], e["code"]) for e in answer.json()["errors"]]
    assert Address.objects.count() == 0


def test_there_is_an_end_to_addresses(login: Login, shopper: User) -> None:
    Address.objects.bulk_create(Address(user=shopper, **ADDRESS) for _ in range(MAX_ADDRESSES))
    answer = login(shopper).post(LIST, ADDRESS)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "max_length")
    assert Address.objects.count() == MAX_ADDRESSES


@pytest.mark.usefixtures("threads")
def test_of_parallel_defaults_one_stays(login: Login) -> None:
    user = make_user()
    clients = [login(user) for _ in range(8)]
    outcomes = race(
        [lambda c=client: c.post(LIST, ADDRESS | {"is_default": True}) for client in clients]
    )
    assert [outcome.result().status_code for outcome in outcomes] == [201] * 8
    assert len(defaults(user)) == 1
