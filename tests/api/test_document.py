"""The API's document: its examples work in the demo's shop, its groups and error codes are whole,
and what is committed is what the code says."""

import gc
import io
import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from lottery.models import Period
from shop import demo, errors
from shop.accounts.models import User
from shop.api.error_page import error_codes
from shop.api.examples import EXAMPLES, GROUPS, WITHOUT
from shop.pools.drain import drain
from shop.pools.models import Queue
from tests.kit.browser import chromium  # noqa: F401  # a fixture
from tests.kit.marks import once
from tests.kit.periods import draw
from tests.ops.processes import ROOT

METHODS = ("get", "post", "put", "delete")


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """(method, path, operation)"""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method, path, methods[method]


def examples_of(operation: Any) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return dict(content.get("application/json", {}).get("examples", {}))


class Walk:
    """The demo's shopper, who sends requests as the document describes them."""

    def __init__(self, document: Any, client: APIClient) -> None:
        self.client = client
        self.operations = {
            one["operationId"]: (how, at, one) for how, at, one in operations(document)
        }
        # `order_no` and the like, of the last answer that had one.
        self.seen: dict[str, Any] = {}
        self.keys = count(1)

    def send(self, operation: str, body: Any = None) -> Any:
        method, path, described = self.operations[operation]
        headers = {}
        for parameter in described.get("parameters", []):
            if parameter["in"] == "path":
                value = parameter.get("example", self.seen.get(parameter["name"]))
                path = path.replace(f"{{{parameter['name']}}}", str(value))
            elif parameter["in"] == "header" and parameter["required"]:
                headers["Idempotency-Key"] = f"example-{next(self.keys)}"
        answer = getattr(self.client, method)(path, body, format="json", headers=headers)
        told = answer.json() if answer.content else {}
        assert str(answer.status_code) in described["responses"], (operation, told)
        if isinstance(told, dict) and answer.status_code < 300:
            self.seen |= {name: told[name] for name in told if name.endswith("_no")}
            if operation == "red_packets_create":
                self.seen["packet_id"] = told["id"]
        if answer.status_code == 202:
            for queue in Queue.objects.values_list("pk", flat=True):
                drain(queue)
        return answer


# Without a body, so no examples: what has to happen after which of them (or before, see below).
AFTER = {
    ("orders_pay_create", "sandbox"): "payments_sandbox_succeed_create",
    ("wallet_top_ups_create", "sandbox"): "payments_sandbox_succeed_create",
    ("orders_quote_create", "items"): "coupons_claim_create",
    ("red_packets_create", "three"): "red_packets_grab_create",
}


@once
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_each_example_works_in_the_demo_s_shop_and_is_answered_as_it_says(
    document: Any, login: Any, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    demo.seed()
    walk = Walk(document, login(User.objects.get(username=demo.SHOPPER[0])))
    sent = set()

    for example in EXAMPLES:
        described = examples_of(walk.operations[example.operation][2])[example.name]
        answer = walk.send(example.operation, described["value"])
        place = (example.operation, example.name)
        assert answer.status_code == described["x-status"], (place, answer.content.decode())
        assert answer.status_code == example.status
        sent.add(place)
        if then := AFTER.get(place):
            assert walk.send(then).status_code in (200, 201), then

    assert sent == {
        (one["operationId"], name)
        for _, _, one in operations(document)
        for name in examples_of(one)
    }
    # The shares that one example asks for, and those that were left.
    draw(Period.objects.earliest("pk"))
    for operation, (method, path, _) in walk.operations.items():
        if method == "get" and "{packet_id}" not in path:
            answer = walk.send(operation)
            assert answer.status_code == 200, (operation, answer.content.decode())


def test_whatever_has_a_body_has_an_example_or_says_why_not(document: Any) -> None:
    with_bodies = {one["operationId"] for _, _, one in operations(document) if "requestBody" in one}
    with_examples = {one["operationId"] for _, _, one in operations(document) if examples_of(one)}

    assert with_bodies - with_examples == WITHOUT
    for _, _, one in operations(document):
        for example in examples_of(one).values():
            assert str(example["x-status"]) in one["responses"]


def test_each_group_has_a_sentence_and_an_operation(document: Any) -> None:
    used = {tag for _, _, one in operations(document) for tag in one["tags"]}

    assert [tag["name"] for tag in document["tags"]] == list(GROUPS)
    assert used == set(GROUPS)
    assert all(re.fullmatch(r"[A-Z].{20,}\.", tag["description"]) for tag in document["tags"])


def test_every_error_code_is_listed_with_what_to_do_about_it(document: Any) -> None:
    codes = {one.code for one in error_codes()}
    told = {
        code
        for _, _, one in operations(document)
        for status, answer in one["responses"].items()
        if int(status) >= 400
        for code in re.findall(r"`(\w+)`", answer["description"])
    }

    in_the_contract = errors.Refusal.__subclasses__()
    assert {one.code for one in in_the_contract if one.__module__ == errors.__name__} <= codes
    assert told <= codes
    assert {row["code"] for row in document["info"]["x-error-codes"]} == codes
    for row in error_codes():
        assert f"| {row.status} | `{row.code}` | {row.meaning}" in document["info"]["description"]
        assert re.fullmatch(r"[A-Z].+\.", row.advice), row.code
        assert 400 <= row.status < 600


def test_a_code_of_a_subclass_is_listed_too() -> None:
    parent = errors.Ended
    child = type("LongEnded", (parent,), {"code": "long_ended", "__doc__": "`since`: a moment."})
    try:
        [row] = [row for row in error_codes() if row.code == "long_ended"]
        assert (row.status, row.members, row.advice) == (409, "`since`: a moment.", parent.advice)
    finally:
        # Classes are known to their parents as long as they live.
        del child
        gc.collect()


def test_the_committed_page_of_errors_is_what_the_code_says() -> None:
    told = io.StringIO()
    call_command("list_errors", stdout=told)

    assert told.getvalue() == (ROOT / "docs" / "errors.md").read_text(), "run `make schema`"
    told = io.StringIO()
    call_command("list_errors", json=True, stdout=told)
    assert {row["code"] for row in json.loads(told.getvalue())} == {
        one.code for one in error_codes()
    }


@once
@pytest.mark.django_db(transaction=True)
def test_the_page_of_the_api_needs_nothing_of_elsewhere(
    chromium: Browser,  # noqa: F811
    live_server: LiveServer,
) -> None:
    context = chromium.new_context()
    asked, faults = [], []

    def route(request: Any) -> None:
        if request.request.url.startswith((live_server.url, "data:")):
            request.continue_()
        else:
            asked.append(request.request.url)
            request.abort()

    context.route("**/*", route)
    page = context.new_page()
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{live_server.url}/api/docs/")

    for name, sentence in GROUPS.items():
        expect(page.locator(f"#operations-tag-{name}")).to_contain_text(sentence)
    expect(page.get_by_role("cell", name="idempotency_key_reused")).to_be_visible()
    page.locator("#operations-orders-orders_create .opblock-summary-control").click()
    picked = page.locator("#operations-orders-orders_create select.examples-select-element")
    expect(picked.locator("option")).to_have_count(3)
    expect(page.locator("#operations-orders-orders_create")).to_contain_text('"shipping_method": 1')
    context.close()
    assert (asked, faults) == ([], [])
