"""A call to a server of others ends: in time, in size, at whom it was sent to, and without a word
of what it said."""

import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from deploy.local import packages
from shop.outside import Question, Server, Unanswered, Why
from tests.fakes.wechat_api import LOGIN, TOKEN, WechatApi, faults
from tests.ops.processes import closed_port

SECRET = "5ec2e7-0f-the-app"
APP = "wx0001"


@pytest.fixture
def far() -> Iterator[WechatApi]:
    with WechatApi({APP: SECRET}) as api:
        yield api


def server(url: str, kept: int = 1) -> Server:
    return Server(url, connect_seconds=30, most_bytes=1000, kept=kept)


def login(far: WechatApi) -> Question:
    query = {"appid": APP, "secret": SECRET, "js_code": far.code("li"), "grant_type": "x"}
    return Question(LOGIN, query=query)


def failure(url: str, question: Question, seconds: float = 60) -> Unanswered:
    with pytest.raises(Unanswered) as raised:
        server(url).ask(question, seconds=seconds)
    return raised.value


def test_a_get_carries_its_query_and_a_post_its_document(far: WechatApi) -> None:
    one = server(far.url)
    assert b"invalid grant_type" in one.ask(login(far), seconds=60)
    document = {"appid": APP, "secret": SECRET, "grant_type": "client_credential"}
    assert b"access_token" in one.ask(Question(TOKEN, document=document), seconds=60)
    assert far.calls[0].query["secret"] == SECRET
    assert (far.calls[1].query, far.calls[1].document) == ({}, document)


def test_connections_are_kept(far: WechatApi) -> None:
    one = server(far.url)
    for _ in range(3):
        one.ask(Question("/"), seconds=60)
    assert (len(far.calls), far.connections) == (3, 1)


def test_as_many_connections_are_kept_as_were_asked_for(far: WechatApi) -> None:
    one = server(far.url, kept=6)
    for _ in range(2):
        # All of a round are open at once: each is answered when the last has been asked.
        meeting = threading.Barrier(6)
        far.will("/", *[faults.met(meeting)] * 6)
        with ThreadPoolExecutor(6) as threads:
            answers = [threads.submit(one.ask, Question("/"), seconds=60) for _ in range(6)]
        assert [answer.result() for answer in answers] == [b"{}"] * 6
    assert (len(far.calls), far.connections) == (12, 6)


def test_a_path_in_the_address_goes_before_every_questions(far: WechatApi) -> None:
    server(f"{far.url}/by/way/").ask(Question("/of"), seconds=60)
    assert far.calls[0].endpoint == "/by/way/of"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (faults.status(500), Why.STATUS),
        (faults.status(404), Why.STATUS),
        (faults.status(204), Why.STATUS),
        (faults.cut, Why.NETWORK),
        (faults.half, Why.NETWORK),
        (faults.huge, Why.TOO_LARGE),
        (faults.body(b"x" * 1001), Why.TOO_LARGE),
    ],
    ids=["500", "404", "204", "cut", "half", "huge", "a byte too many"],
)
def test_what_is_no_answer_says_why(far: WechatApi, fault: faults.Fault, why: Why) -> None:
    far.will("/", fault)
    assert failure(far.url, Question("/")).why is why


def test_an_answer_of_just_the_size_is_one(far: WechatApi) -> None:
    far.will("/", faults.body(b"x" * 1000))
    assert server(far.url).ask(Question("/"), seconds=60) == b"x" * 1000


def test_of_ten_megabytes_only_the_beginning_is_taken(far: WechatApi) -> None:
    far.will("/", faults.huge)
    failure(far.url, Question("/"))
    assert far.sent < faults.HUGE


def test_a_redirect_is_no_answer_and_is_not_followed(far: WechatApi) -> None:
    far.will("/", faults.redirect(f"{far.url}/elsewhere"))
    assert failure(far.url, Question("/")).why is Why.STATUS
    assert [call.endpoint for call in far.calls] == ["/"]


def test_nobody_there() -> None:
    error = failure(f"http://127.0.0.1:{closed_port()}", Question("/"))
    assert (error.why, error.kind) == (Why.NETWORK, "NewConnectionError")


@pytest.mark.parametrize("fault", [faults.hang, faults.drip], ids=["hangs", "drips"])
def test_a_call_ends_in_its_time_however_the_answer_hangs(
    far: WechatApi, fault: faults.Fault
) -> None:
    far.will("/", fault)
    started = time.monotonic()
    assert failure(far.url, Question("/"), seconds=0.2).why is Why.TIMEOUT
    assert time.monotonic() - started < 60


def test_a_name_that_is_looked_up_for_ever_ends_in_its_time_too(monkeypatch: Any) -> None:
    over = threading.Event()

    def hangs(*_: Any, **__: Any) -> Any:
        over.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    error = failure("https://far.example", Question("/"), seconds=0.1)
    over.set()
    assert error.why is Why.TIMEOUT


def test_an_error_and_a_question_tell_no_secret(far: WechatApi) -> None:
    far.will(LOGIN, faults.cut)
    question = login(far)
    error = failure(far.url, question)
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(question)
    assert SECRET not in told
    assert LOGIN in told  # else there was nothing that could have told


@pytest.mark.parametrize("url", ["http://api.example", "ftp://127.0.0.9.example", "api.example"])
def test_secrets_do_not_travel_in_the_open(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        server(url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for this machine that nobody vouches for, and its key."""
    openssl = packages.find("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=far", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", made),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made


def test_a_certificate_that_nobody_vouches_for_is_told_nothing(
    certificate: Path, monkeypatch: Any
) -> None:
    with WechatApi({APP: SECRET}, certificate=certificate) as far:
        error = failure(far.url, login(far))
        assert (error.why, error.kind, far.calls) == (Why.NETWORK, "SSLError", [])

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        server(far.url).ask(login(far), seconds=60)
        assert len(far.calls) == 1
