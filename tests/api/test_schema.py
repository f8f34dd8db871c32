"""The OpenAPI file says of accounts what is true of them."""

from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.views import APIView

from shop.api.schema import AutoSchema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def statuses(schema: dict[str, Any], path: str, method: str) -> set[int]:
    return {int(status) for status in schema["paths"][f"/api/v1{path}"][method]["responses"]}


def test_every_refusal_is_declared(schema: dict[str, Any]) -> None:
    assert statuses(schema, "/auth/register", "post") == {201, 400, 413, 415, 429, 503}
    assert statuses(schema, "/auth/login", "post") == {200, 400, 401, 413, 415, 429, 503}
    assert statuses(schema, "/auth/refresh", "post") == {200, 400, 401, 413, 415, 503}
    refused = {400, 403, 404, 413, 415, 429, 503}
    assert statuses(schema, "/auth/wechat", "post") == {200} | refused
    assert statuses(schema, "/me/phone", "post") == {200, 401} | refused
    assert statuses(schema, "/me", "get") == {200, 401, 503}
    assert statuses(schema, "/addresses", "get") == {200, 400, 401, 404, 503}
    assert statuses(schema, "/addresses", "post") == {201, 400, 401, 413, 415, 503}
    one = "/addresses/{address_id}"
    assert statuses(schema, one, "get") == {200, 401, 404, 503}
    assert statuses(schema, one, "put") == {200, 400, 401, 404, 413, 415, 503}
    assert statuses(schema, one, "delete") == {204, 401, 404, 503}


def test_a_refusal_is_a_problem_document(schema: dict[str, Any]) -> None:
    refusal = schema["paths"]["/api/v1/auth/login"]["post"]["responses"]["401"]
    assert refusal["description"] == "`authentication_failed`"
    assert refusal["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    problem = schema["components"]["schemas"]["Problem"]
    assert problem["required"] == ["code", "detail", "status", "title", "type"]


def test_who_may_is_declared(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"] == {
        "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert schema["paths"]["/api/v1/me"]["get"]["security"] == [{"accessToken": []}]
    assert schema["paths"]["/api/v1/auth/login"]["post"]["security"] == [{}]


def test_operations_are_grouped_and_ids_bounded(schema: dict[str, Any]) -> None:
    groups = {
        path.split("/")[3]: operation["tags"]
        for path, operations in schema["paths"].items()
        for operation in operations.values()
    }
    for part in ("auth", "me", "addresses"):
        assert groups[part] == ["accounts"]
    assert groups["categories"] == groups["goods"] == ["goods"]
    [parameter] = schema["paths"]["/api/v1/addresses/{address_id}"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


def test_bodies_are_bounded_as_they_are_checked(schema: dict[str, Any]) -> None:
    bodies = schema["components"]["schemas"]
    assert bodies["LoginRequest"]["properties"]["username"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 150,
    }
    items = bodies["QuoteRequest"]["properties"]["items"]
    assert (items["minItems"], items["maxItems"]) == (1, 100)


def test_filters_may_be_empty_and_page_numbers_may_not(schema: dict[str, Any]) -> None:
    parameters = schema["paths"]["/api/v1/goods"]["get"]["parameters"]
    may_be_empty = {one["name"] for one in parameters if one.get("allowEmptyValue")}
    assert may_be_empty == {"category", "ordering", "search"}


def test_a_keyed_post_declares_its_header_and_a_get_beside_it_does_not() -> None:
    view = type("KeyedView", (APIView,), {"idempotent": True})()
    shape = AutoSchema()
    shape.view = view
    shape.method = "POST"
    [header] = shape.get_override_parameters()
    assert (header.name, header.location, header.required) == ("Idempotency-Key", "header", True)
    shape.method = "GET"
    assert shape.get_override_parameters() == []


def test_the_schema_and_its_page_are_served_without_a_network(db: None) -> None:
    client = Client()
    answer = client.get("/api/schema/")
    assert (answer.status_code, answer.json()["info"]["title"]) == (200, "Scarce")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json"
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "cdn." not in page.content.decode()


def test_the_served_schema_is_made_once_whatever_the_query(monkeypatch: Any, db: None) -> None:
    client = Client()
    first = client.get("/api/schema/").content
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)  # made again, it would fail

    assert client.get("/api/schema/?lang=en&version=2").content == first
    assert client.get("/api/schema/", headers={"Authorization": "Bearer x"}).content == first
