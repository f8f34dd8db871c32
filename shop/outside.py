"""Servers that are not ours, asked over HTTP with an end to everything.

A call is over in its time whatever hangs: the look-up of a name, a handshake, an answer that drips.
Of an answer no more is read than it may have, and no redirect is followed: who was asked answers,
or nobody does. Nothing is tried twice here, and what an answer means is the caller's to say.

Queries and bodies hold secrets, so errors say what kind of failure it was and nothing else; the
library's own texts, which name whole addresses, end here.
"""

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import HTTPError, ReadTimeoutError

Document = Mapping[str, Any]


class Why(StrEnum):
    """Why a call has no answer."""

    NETWORK = "network"  # no connection, or it broke
    TIMEOUT = "timeout"
    STATUS = "status"  # something else than 200
    TOO_LARGE = "too_large"


class Unanswered(Exception):
    """Nobody knows whether the server did what it was asked for. `kind`: the library's name for
    what happened, for operators."""

    def __init__(self, why: Why, kind: str = "") -> None:
        super().__init__(why.value)
        self.why = why
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Question:
    """A GET with `query`, or a POST of `document` as JSON where there is one, or of `content` where
    every byte matters."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    document: Document | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, with whatever status. Names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Server:
    """One server, asked by any number of threads over connections that are kept.

    `url`: https, or http on this machine; a path in it goes before every question's. `kept`: how
    many connections are; as many as there may be calls at once, or each of the others shakes hands
    anew.
    """

    def __init__(self, url: str, *, connect_seconds: float, most_bytes: int, kept: int) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not _is_local(parts.hostname or ""):
            raise ImproperlyConfigured(f"{parts.scheme}://{parts.hostname} is not asked: use https")
        self._prefix = parts.path.rstrip("/")
        self._connect_seconds = connect_seconds
        self._most_bytes = most_bytes
        options: dict[str, Any] = {"maxsize": kept, "block": False}
        if parts.scheme == "https":
            options["ssl_context"] = ssl.create_default_context()
        self._pool: HTTPConnectionPool = connection_from_url(url, **options)

    def ask(self, question: Question, *, seconds: float) -> bytes:
        """The body of the answer, within `seconds`. Raises Unanswered, also for a status that is
        not 200."""
        answer = self.answer(question, seconds=seconds, ok_only=True)
        return answer.body

    def answer(self, question: Question, *, seconds: float, ok_only: bool = False) -> Answer:
        """The answer, within `seconds`. Raises Unanswered.

        A thread of its own asks, because nothing can interrupt the look-up of a name. One that is
        given up ends by itself, and nobody hears what it was told.
        """
        answer: Future[Answer] = Future()
        look = partial(self._ask, question, seconds, ok_only)
        threading.Thread(target=_run, args=(look, answer), daemon=True).start()
        try:
            return answer.result(max(0.0, seconds))
        except TimeoutError:
            raise Unanswered(Why.TIMEOUT) from None

    def _ask(self, question: Question, seconds: float, ok_only: bool) -> Answer:
        try:
            response = self._send(question, seconds)
            try:
                return self._read(response, ok_only)
            finally:
                response.release_conn()
        except (ReadTimeoutError, TimeoutError) as error:
            why, kind = Why.TIMEOUT, type(error).__name__
        # Among them a time-out of connecting: nothing was asked yet.
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            why, kind = Why.NETWORK, type(error).__name__
        raise Unanswered(why, kind)

    def _send(self, question: Question, seconds: float) -> BaseHTTPResponse:
        query = f"?{urlencode(question.query)}" if question.query else ""
        body = question.content
        if question.document is not None:
            body = json.dumps(question.document).encode()
        typed = {} if body is None else {"Content-Type": "application/json"}
        return self._pool.urlopen(
            "GET" if body is None else "POST",
            f"{self._prefix}{question.path}{query}",
            body=body,
            headers={**typed, **question.headers},
            retries=False,
            redirect=False,
            timeout=Timeout(connect=min(self._connect_seconds, seconds), read=seconds),
            preload_content=False,
            decode_content=False,
        )

    def _read(self, response: BaseHTTPResponse, ok_only: bool) -> Answer:
        if ok_only and response.status != 200:
            response.close()
            raise Unanswered(Why.STATUS, str(response.status))
        body = b""
        # To its end: only the read that finds nothing more tells that something is missing.
        for part in response.stream(self._most_bytes + 1, decode_content=False):
            body += part
            if len(body) > self._most_bytes:
                response.close()
                raise Unanswered(Why.TOO_LARGE)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, body)


def _run(look: Callable[[], Answer], answer: "Future[Answer]") -> None:
    try:
        answer.set_result(look())
    except BaseException as error:  # noqa: BLE001  whoever waits hears of it
        answer.set_exception(error)


def may_be_asked(url: str) -> bool:
    """Whether secrets may go there: over https, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_local(parts.hostname or ""))


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
