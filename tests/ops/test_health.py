"""GET /livez and GET /readyz tell what is, quickly, also when nothing else works."""

import json
import socket
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Order
from orders.payments.models import Payment, Refund
from orders.states import State
from shop.ops import health
from shop.pools.models import Queue
from tests.factories import make_shipping, make_sku, make_user, place, start_payment
from tests.kit.clock import Age
from tests.ops.processes import closed_port, run_python

pytestmark = pytest.mark.urls("shop.ops.urls")
database = pytest.mark.django_db(transaction=True)


def test_livez_answers_without_asking_anybody(client: Client) -> None:
    # Without the django_db mark any query would fail here.
    response = client.get("/livez")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response["Cache-Control"]


@database
def test_readyz_answers_200_with_each_check_when_all_is_well(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ok"
    checks = body["checks"]
    assert set(checks) >= {"database", "broker", "orders"}
    for name, check in checks.items():
        assert check["ok"] is True, name
        assert check["ms"] >= 0
    # One clock: what it was asked lies between the question and the answer.
    database = checks["database"]
    assert abs(database["detail"]["clock_skew_ms"]) <= database["ms"] + 5
    assert checks["orders"]["detail"] == {
        "oldest_pending_seconds": 0,
        "oldest_overdue_seconds": 0,
        "oldest_closing_seconds": 0,
        "oldest_refund_seconds": 0,
    }


def waiting(client: Client) -> dict[str, Any]:
    return dict(client.get("/readyz").json()["checks"]["orders"]["detail"])


@database
def test_readyz_tells_how_long_the_oldest_of_each_kind_has_waited(client: Client) -> None:
    make_shipping()
    sku, user = make_sku(), make_user()
    now = timezone.now()
    pending, overdue, closing = Age(50), Age(30), Age(10)
    queue = Queue.objects.create(kind="orders", name="queue")

    def order(status: State, **columns: Any) -> Order:
        placed = place(user, {sku: 1})
        Order.objects.filter(pk=placed.pk).update(status=status, **columns)
        return placed

    for seconds in (50, 40):
        placed_at = now - timedelta(seconds=seconds)
        order(State.PENDING, created_at=placed_at, expires_at=None, queue=queue)
    for seconds in (-60, 30, 20):
        order(State.UNPAID, expires_at=now - timedelta(seconds=seconds))
    order(State.CLOSING, expires_at=now - timedelta(seconds=10))
    ages = waiting(client)
    assert ages["oldest_pending_seconds"] == pending
    assert ages["oldest_overdue_seconds"] == overdue
    assert ages["oldest_closing_seconds"] == closing
    assert ages["oldest_refund_seconds"] == 0


@database
def test_a_refund_grows_old_although_it_is_put_off_after_each_attempt(client: Client) -> None:
    make_shipping()
    user = make_user()
    order = place(user, {make_sku(): 1})
    payment: Payment = start_payment(user, order)
    refund = Refund.objects.create(
        refund_no="R1",
        payment=payment,
        order=order,
        amount_fen=1,
        cause=Refund.Cause.LATE,
        due_at=timezone.now() + timedelta(seconds=600),
    )
    an_hour = Age(3600)
    Refund.objects.filter(pk=refund.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert waiting(client)["oldest_refund_seconds"] == an_hour


def readyz_of_a_shop(
    *, deadline: float = health.DEADLINE_SECONDS, **variables: str
) -> tuple[int, float, dict[str, Any], str]:
    """Status, seconds, body and raw text of /readyz of a process with these servers behind it."""
    done = run_python(
        f"""
import json, time
from django.conf import settings
from django.test import Client
from shop.ops import health
health.DEADLINE_SECONDS = {deadline}
settings.ROOT_URLCONF = "shop.ops.urls"
client = Client(SERVER_NAME="localhost")
assert client.get("/livez").status_code == 200
started = time.monotonic()
answer = client.get("/readyz")
print(json.dumps([answer.status_code, time.monotonic() - started, answer.content.decode()]))
""",
        DJANGO_SETTINGS_MODULE="settings.stack",
        MYSQL_PASSWORD="hunter2-hunter2",
        **variables,
    )
    status, seconds, text = json.loads(done.stdout)
    return status, seconds, json.loads(text), text


def test_readyz_answers_503_when_no_server_is_there_and_names_none(tmp_path: Path) -> None:
    port = str(closed_port())
    status, seconds, body, text = readyz_of_a_shop(
        deadline=60.0,
        SCARCE_VAR=str(tmp_path),
        MYSQL_HOST="127.0.0.1",
        MYSQL_PORT=port,
        REDIS_URL=f"redis://:hunter2-hunter2@127.0.0.1:{port}/0",
    )
    assert status == 503
    assert body["status"] == "unavailable"
    assert {name: check["ok"] for name, check in body["checks"].items()} == dict.fromkeys(
        ("database", "broker", "redis", "orders", "lottery", "packets", "notices"), False
    )
    # 2002 or 2003, as the client library likes: can't connect.
    assert body["checks"]["database"]["detail"].startswith("OperationalError 200")
    assert seconds < 60.0
    for private in ("127.0.0.1", port, "hunter2", "scarce"):
        assert private not in text


def test_readyz_answers_in_time_when_servers_accept_and_then_say_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        status, seconds, body, _ = readyz_of_a_shop(
            SCARCE_VAR=str(tmp_path),
            MYSQL_HOST="127.0.0.1",
            MYSQL_PORT=str(port),
            REDIS_URL=f"redis://127.0.0.1:{port}/0",
        )
    assert status == 503
    assert body["checks"]["database"] == {"ok": False, "ms": 2000, "detail": "no answer in time"}
    assert not body["checks"]["redis"]["ok"]
    assert not body["checks"]["broker"]["ok"]
    # They would say nothing for as long as they were asked.
    assert seconds < 30.0


def test_readyz_answers_503_when_the_folder_of_messages_is_gone(tmp_path: Path) -> None:
    done = run_python(
        """
import shutil
from django.conf import settings
from django.test import Client
settings.ROOT_URLCONF = "shop.ops.urls"
shutil.rmtree(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
print(Client(SERVER_NAME="localhost").get("/readyz").content.decode())
""",
        SCARCE_VAR=str(tmp_path),
    )
    broker = json.loads(done.stdout)["checks"]["broker"]
    assert broker["ok"] is False
    assert broker["detail"] == "FileNotFoundError 2"


def test_a_hung_check_is_not_asked_again_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = [], threading.Event()

    def hangs() -> health.Figures:
        asked.append(1)
        assert over.wait(60)
        return {"answers": 42}

    def frees() -> health.Figures:
        over.set()
        return {}

    monkeypatch.setattr(health, "_checks", {"hangs": hangs})
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.2)
    assert health.examine()["hangs"].error == "no answer in time"
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 60.0)
    # It is freed when it has been looked at again.
    monkeypatch.setattr(health, "_checks", {"hangs": hangs, "frees": frees})
    finding = health.examine()["hangs"]
    assert finding.ok
    assert finding.figures == {"answers": 42}
    assert len(asked) == 1
