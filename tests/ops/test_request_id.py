"""An id for every request: the caller's where it is well formed, echoed, and the tasks' too."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from shop.ops.request_id import RequestIdMiddleware, current_request_id
from tests.ops.processes import ROOT, environment, run_python

pytestmark = pytest.mark.urls("shop.ops.urls")


def test_a_well_formed_id_is_echoed(client: Client) -> None:
    response = client.get("/livez", headers={"X-Request-ID": "Abc-1.2_3"})
    assert response["X-Request-ID"] == "Abc-1.2_3"


def test_a_request_without_an_id_gets_one_of_its_own(client: Client) -> None:
    first, second = (client.get("/livez")["X-Request-ID"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "x" * 65, 'a","level":"', "a\nb", "编号", "a/b", "%41"]
)
def test_a_malformed_id_is_replaced(client: Client, given: str) -> None:
    answered = client.get("/livez", HTTP_X_REQUEST_ID=given)["X-Request-ID"]
    assert answered != given
    assert len(answered) == 32


def test_the_longest_id_is_kept(client: Client) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "x" * 64})["X-Request-ID"] == "x" * 64


def test_the_id_is_known_during_the_request_and_forgotten_after_it() -> None:
    seen = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(current_request_id.get())
        return HttpResponse()

    request = RequestFactory().get("/", headers={"X-Request-ID": "mine"})
    RequestIdMiddleware(view)(request)
    assert seen == ["mine"]
    assert current_request_id.get() is None


@pytest.fixture
def worker_output(tmp_path: Path) -> Iterator[Iterator[str]]:
    """The lines that a worker process on a broker in `tmp_path` writes to stderr, as they come."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tests.ops.tasks", "worker", "--pool", "solo"],
        env=environment(SCARCE_VAR=str(tmp_path)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    try:
        yield iter(worker.stderr)
    finally:
        worker.kill()
        worker.stderr.close()
        worker.wait(timeout=30)


RINGS = """
from django.http import HttpResponse
from django.test import RequestFactory
from shop.ops.request_id import RequestIdMiddleware
from tests.ops.tasks import report

def view(request):
    report.delay("secret-word")
    return HttpResponse(status=202)

request = RequestFactory().post("/", headers={"X-Request-ID": "from-the-shopper"})
RequestIdMiddleware(view)(request)
report.delay("nobody")
"""


def test_the_id_follows_into_the_worker_that_runs_the_task(
    worker_output: Iterator[str], tmp_path: Path
) -> None:
    run_python(RINGS, SCARCE_VAR=str(tmp_path))

    lines = []
    for written in worker_output:
        line = json.loads(written)  # each line of a worker is JSON, Celery's own too
        if line["message"].startswith("report "):
            lines.append(line)
        if len(lines) == 2:
            break
    asked, unasked = lines
    assert asked["message"] == "report secret-word"
    assert asked["request_id"] == "from-the-shopper"
    assert asked["task"] == "tests.ops.tasks.report"
    assert len(asked["task_id"]) == 36
    assert asked["phone"] == "[redacted]"
    assert asked["headers"] == {"Authorization": "[redacted]"}
    assert "request_id" not in unasked
    assert unasked["task_id"] != asked["task_id"]
