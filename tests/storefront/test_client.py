"""The client's modules in Node, and what they say of the API against docs/openapi.yaml."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import packages
from orders.payments.offered import SANDBOX, WECHAT
from orders.payments.wallet import WALLET
from shop import errors
from tests.factories import make_sale
from tests.kit.marks import once
from tests.ops.processes import ROOT

pytestmark = once
HERE = Path(__file__).parent / "node"
MODULES = ROOT / "shop" / "storefront" / "static" / "storefront"


@pytest.fixture(scope="session")
def node() -> str:
    """Skips what needs Node where there is none; `make test` installs it if it can."""
    if missing := packages.NODE.missing():
        pytest.skip(f"{packages.NODE.what}: not found: {', '.join(missing)}")
    return packages.find("node") or "node"


def run_node(*arguments: str | Path, **variables: str) -> str:
    """What Node prints; a failure shows it."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        env={"PATH": packages.SEARCH_PATH, **variables},
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(report: str) -> int:
    """How many tests passed: none would be no success."""
    found = re.search(r"^# pass (\d+)$", report, re.MULTILINE)
    return int(found[1]) if found else 0


def test_the_modules_keep_what_they_promise(node):
    files = [HERE / f"{name}.test.js" for name in ("client", "mini", "words", "verify")]
    assert ran(run_node(node, "--test", "--test-reporter=tap", *files)) >= 66


@pytest.mark.django_db(transaction=True)
def test_the_client_shops_over_both_transports(node, live_server):
    sale = make_sale(total=10, placement="direct", per_user_limit=None)
    report = run_node(
        *(node, "--test", "--test-reporter=tap", HERE / "live.test.js"),
        SHOP=live_server.url,
        SALE=str(sale.pk),
    )
    assert ran(report) == 10


@pytest.fixture(scope="module")
def operations(node) -> dict[str, dict[str, Any]]:
    return json.loads(run_node(node, HERE / "operations.js"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def parameters(described: dict[str, Any], place: str) -> set[str]:
    return {one["name"] for one in described.get("parameters", []) if one["in"] == place}


def test_each_operation_is_one_of_the_document(operations, document):
    for name, operation in operations.items():
        described = document["paths"].get(f"/api/v1{operation['path']}", {})
        method = described.get(operation["method"].lower())
        assert method is not None, name
        assert operation.get("open", False) == (method["security"] == [{}]), name
        keyed = "Idempotency-Key" in parameters(method, "header")
        assert operation.get("keyed", False) == keyed, name
        assert set(operation.get("query", [])) <= parameters(method, "query"), name


def test_no_operation_stands_there_twice(operations):
    addresses = [(one["method"], one["path"]) for one in operations.values()]
    assert len(addresses) == len(set(addresses))


def words() -> set[str]:
    """The names of all words; that both languages have the same is tested in Node."""
    return set(re.findall(r'^  "?([\w.-]+)"?: ', (MODULES / "words" / "en.js").read_text(), re.M))


def test_each_way_to_pay_has_words():
    assert {f"pay.{provider}" for provider in (WALLET, SANDBOX, WECHAT)} <= words()


def test_each_code_that_has_words_is_one_of_the_shop_s():
    """For one that has none, the shop's own are shown."""
    told = {name.removeprefix("problem.") for name in words() if name.startswith("problem.")}
    shop = {one.code for one in errors.Refusal.__subclasses__()}
    assert told - {"title", "unknown", "unreachable"} <= shop
    assert {"sold_out", "busy", "insufficient_balance", "price_changed"} <= told


@pytest.mark.parametrize(
    ("schema", "prefixes"),
    [
        ("OrderStatusEnum", ("order.status.", "order.says.")),
        ("FlashSaleStatusEnum", ("sale.status.",)),
        ("PeriodStatusEnum", ("period.status.",)),
        ("EntryStatusEnum", ("entry.status.",)),
        ("RedPacketStatusEnum", ("packet.status.",)),
        ("RefundStatusEnum", ("refund.status.", "refund.says.")),
        ("CouponStatusEnum", ("coupon.status.",)),
        ("IssuedCouponStatusEnum", ("coupon.mine.",)),
    ],
)
def test_each_state_has_words(document, schema, prefixes):
    states = document["components"]["schemas"][schema]["enum"]
    assert {prefix + state for prefix in prefixes for state in states} <= words()
