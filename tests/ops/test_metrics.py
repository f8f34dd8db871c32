"""GET /metrics counts requests and retries over all processes, for those who may see it."""

from pathlib import Path

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from shop import transactions
from tests.ops.processes import run_python

pytestmark = [
    pytest.mark.urls("shop.ops.urls"),
    pytest.mark.django_db(transaction=True),
]


def value(text: str, name: str, **labels: str) -> float | None:
    """The sample `name` with exactly these labels; None where there is none."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


def scrape(client: Client) -> str:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return response.content.decode()


def requests(text: str, route: str, method: str, status: str) -> float:
    labels = {"route": route, "method": method, "status": status}
    return value(text, "shop_request_seconds_count", **labels) or 0


def retries(text: str, reason: str) -> float:
    return value(text, "shop_transaction_retries_total", reason=reason) or 0


def test_a_request_is_counted_by_route_method_and_status(client: Client) -> None:
    before = requests(scrape(client), "livez", "GET", "200")
    client.get("/livez")
    client.get("/livez?cache=no")
    assert requests(scrape(client), "livez", "GET", "200") == before + 2


def test_what_clients_invent_makes_no_labels(client: Client) -> None:
    before = requests(scrape(client), "none", "GET", "404")
    for number in range(3):
        client.get(f"/wp-admin/{number}")
        client.generic(f"BREW{number}", "/livez")
    text = scrape(client)
    assert requests(text, "none", "GET", "404") == before + 3
    assert "wp-admin" not in text
    assert "BREW" not in text
    assert requests(text, "livez", "other", "405") >= 3


def test_a_transaction_run_again_is_counted(client: Client) -> None:
    before = retries(scrape(client), "contention")
    errors = [OperationalError(1213, "Deadlock found"), OperationalError(1205, "Lock wait")]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert transactions.run(work) == "done"
    assert retries(scrape(client), "contention") == before + 2


def test_health_figures_are_gauges(client: Client) -> None:
    text = scrape(client)
    assert value(text, "shop_check_ok", check="database") == 1
    assert value(text, "shop_check_ok", check="orders") == 1
    assert value(text, "shop_orders_oldest_overdue_seconds") == 0
    # How far it may be off depends on how long the database was asked: tests/ops/test_health.py.
    assert value(text, "shop_database_clock_skew_ms") is not None


def status_for(client: Client, **meta: str) -> int:
    response: HttpResponse = client.get("/metrics", **meta)  # type: ignore[arg-type]
    return response.status_code


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.7.1", "fd00::1"])
def test_loopback_and_private_addresses_may_read(client: Client, address: str) -> None:
    assert status_for(client, REMOTE_ADDR=address) == 200


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860::1", "::ffff:8.8.8.8", "", "unix:"])
def test_other_addresses_may_not(client: Client, address: str) -> None:
    assert status_for(client, REMOTE_ADDR=address) == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"])
def test_what_comes_through_a_proxy_is_not_local_whatever_it_says(
    client: Client, header: str
) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_the_token_opens_it_from_anywhere(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "open-sesame"
    through_a_proxy = {"REMOTE_ADDR": "8.8.8.8", "HTTP_X_FORWARDED_FOR": "8.8.8.8"}
    for sent, status in (("open-sesame", 200), ("open-sesam", 403), ("", 403)):
        authorization = {"HTTP_AUTHORIZATION": f"Bearer {sent}"}
        assert status_for(client, **through_a_proxy, **authorization) == status


def test_no_token_is_no_password(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert status_for(client, REMOTE_ADDR="8.8.8.8", HTTP_AUTHORIZATION="Bearer ") == 403


def test_several_processes_count_together_also_those_that_have_ended(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    process = """
from django.conf import settings
from django.test import Client
from shop.transactions import RETRIES
settings.ROOT_URLCONF = "shop.ops.urls"
client = Client(SERVER_NAME="localhost")
RETRIES.labels("lost").inc()
client.get("/livez")
print(client.get("/metrics").content.decode())
"""
    for processes in (1, 2, 3):
        text = run_python(
            process, PROMETHEUS_MULTIPROC_DIR=str(folder), SCARCE_VAR=str(tmp_path)
        ).stdout
        assert requests(text, "livez", "GET", "200") == processes
        assert retries(text, "lost") == processes
