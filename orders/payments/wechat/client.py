"""WeChat Pay asked over HTTPS: each request signed, each answer's signature looked at.

A call has one time for everything (`shop.outside`) and is not tried again here: what asks is rows
that are due, and they come again. Of an answer's text nothing gets into an error or a log but its
code. The keys that answers and notifications are checked with are the public key of the settings,
and WeChat Pay's certificates, which it hands out encrypted and exchanges now and then: an unknown
serial has them fetched anew, at most once a minute.
"""

import hashlib
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from prometheus_client import Counter

from orders.payments.providers import ProviderUnavailable
from orders.payments.wechat.account import Account, account
from orders.payments.wechat.answers import document_of
from orders.payments.wechat.signing import (
    SCHEME,
    Certificate,
    Seal,
    Untrusted,
    lines,
    opened,
    sign,
)
from shop.breaker import Breaker
from shop.errors import Busy
from shop.outside import Answer, Question, Server, Unanswered

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
# A bill has some 300 bytes a line.
MOST_BYTES, MOST_BILL_BYTES = 256 * 1024, 256 * 1024 * 1024
BILL_SECONDS = 120.0
# Unknown serials have certificates fetched at most this often (seconds) by each process.
FETCH_SECONDS = 60.0
CERTIFICATES = "/v3/certificates"
# Calls that fail in a row before nobody is asked, and for how long (seconds).
BREAKER_FAILURES, BREAKER_SECONDS = 5, 10.0
# How long (seconds) a request waits for one of the places at WeChat Pay.
PLACE_SECONDS = 0.25
CODE = re.compile(r"[A-Z0-9_]{1,64}")

CALLS = Counter(
    "shop_wechat_pay_calls", "Calls to WeChat Pay, by what came of them.", ["call", "outcome"]
)


@dataclass(frozen=True, slots=True)
class Said:
    """What WeChat Pay answered. `code`: its word for why not, "" where it did what it was asked."""

    status: int
    document: Mapping[str, Any] = field(repr=False)
    code: str = ""


class Client:
    """One account's way to one server that speaks for WeChat Pay."""

    def __init__(
        self,
        account: Account,
        url: str,
        *,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self._url = url
        self._seconds = seconds
        self._clock = clock
        self._server = Server(
            url,
            connect_seconds=CONNECT_SECONDS,
            most_bytes=MOST_BYTES,
            kept=settings.WECHAT_AT_ONCE,
        )
        self._breaker = Breaker(failures=BREAKER_FAILURES, seconds=BREAKER_SECONDS)
        self._places = threading.BoundedSemaphore(settings.WECHAT_AT_ONCE)
        self._mutex = threading.Lock()
        self._certificates: dict[str, Certificate] = {}
        self._fetched_at = -FETCH_SECONDS

    @contextmanager
    def place(self) -> Iterator[None]:
        """For whoever asks while a shopper waits: only so many at once, so that a slow WeChat Pay
        never has all threads of the shop. Raises Busy."""
        if not self._places.acquire(timeout=PLACE_SECONDS):
            raise Busy
        try:
            yield
        finally:
            self._places.release()

    def get(self, call: str, path: str, query: Mapping[str, str] | None = None) -> Said:
        """Asks. Raises ProviderUnavailable where no answer can be relied on."""
        return self._ask(call, path, query=query)

    def post(self, call: str, path: str, document: Mapping[str, Any]) -> Said:
        """Has something done. Raises ProviderUnavailable, as `get`."""
        return self._ask(call, path, content=encoded(document))

    def file(self, url: str, *, sha1: str) -> bytes:
        """A bill, of which another answer said the address and the hash. Raises
        ProviderUnavailable."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        server = Server(
            self._url, connect_seconds=CONNECT_SECONDS, most_bytes=MOST_BILL_BYTES, kept=1
        )
        question = Question(path, headers=self._headers("GET", path, b""))
        answer = self._send("bill_file", question, server=server, seconds=BILL_SECONDS)
        # It has no signature: the hash stands in an answer that had one.
        if answer.status != 200 or hashlib.sha1(answer.body).hexdigest() != sha1.lower():  # noqa: S324
            raise self._counted("bill_file", "garbage")
        CALLS.labels("bill_file", "ok").inc()
        return answer.body

    def key_of(self, serial: str) -> RSAPublicKey | None:
        """The key that WeChat Pay signs with under that serial, None where there is none."""
        if known := self._known(serial):
            return known
        if serial.startswith("PUB_KEY_ID_"):
            return None
        with self._mutex:
            now = self._clock()
            if now - self._fetched_at < FETCH_SECONDS:
                return self._known(serial)
            self._fetched_at = now
        try:
            self._fetch_certificates()
        except ProviderUnavailable:
            logger.warning("wechat pay: its certificates can't be had")
        return self._known(serial)

    def _known(self, serial: str) -> RSAPublicKey | None:
        if serial in self.account.public_keys:
            return self.account.public_keys[serial]
        found = self._certificates.get(serial.upper().lstrip("0"))
        if found is None or not found.begins <= self._clock() < found.ends:
            return None
        return found.key

    def _fetch_certificates(self) -> None:
        question = Question(CERTIFICATES, headers=self._headers("GET", CERTIFICATES, b""))
        answer = self._send("certificates", question)
        if answer.status != 200:
            raise self._counted("certificates", f"status_{answer.status}")
        try:
            found = {}
            for each in document_of(answer.body)["data"]:
                certificate = Certificate.of(
                    opened(each["encrypt_certificate"], self.account.api_key)
                )
                found[certificate.serial.lstrip("0")] = certificate
            # Signed by one of those that it brings: only who has our key could encrypt them.
            keys = {serial: one.key for serial, one in found.items()}
            keys |= self.account.public_keys
            Seal.of(answer.headers).check(
                answer.body, lambda serial: keys.get(serial) or keys.get(serial.lstrip("0"))
            )
        except Untrusted as error:
            raise self._counted("certificates", f"untrusted_{error.why}") from None
        except (LookupError, TypeError, ValueError, RecursionError, UnsupportedAlgorithm):
            raise self._counted("certificates", "garbage") from None
        CALLS.labels("certificates", "ok").inc()
        self._certificates = found

    def _ask(
        self,
        call: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Said:
        signed = f"{path}?{urlencode(query)}" if query else path
        method = "GET" if content is None else "POST"
        question = Question(
            signed, content=content, headers=self._headers(method, signed, content or b"")
        )
        answer = self._send(call, question)
        # 202 is a no: somebody is just paying.
        is_ok = answer.status in (200, 204)
        if answer.status == 429:
            raise self._counted(call, f"status_{answer.status}")
        # What says yes must be signed. What says no may come from a gate before it that can't sign.
        if is_ok or "wechatpay-signature" in answer.headers:
            try:
                Seal.of(answer.headers).check(answer.body, self.key_of)
            except Untrusted as error:
                logger.error("wechat pay: an answer (%s) is not to be trusted: %s", call, error.why)
                raise self._counted(call, f"untrusted_{error.why}") from None
        try:
            document = document_of(answer.body) if answer.body else {}
            code = "" if is_ok else str(document["code"])
        except (LookupError, ValueError, RecursionError):
            raise self._counted(call, "garbage") from None
        if not is_ok and not CODE.fullmatch(code):
            raise self._counted(call, "garbage")
        CALLS.labels(call, "ok" if is_ok else "refused").inc()
        return Said(answer.status, document, code)

    def _send(
        self,
        call: str,
        question: Question,
        *,
        server: Server | None = None,
        seconds: float | None = None,
    ) -> Answer:
        if not self._breaker.lets_through():
            raise self._counted(call, "open")
        try:
            answer = (server or self._server).answer(question, seconds=seconds or self._seconds)
        except Unanswered as error:
            failure = error.why.value
        else:
            if answer.status < 500:
                self._breaker.succeeded()
                return answer
            failure = f"status_{answer.status}"
        if self._breaker.failed():
            logger.warning(
                "wechat pay: %d calls failed, the last (%s) of %s: left alone for %d seconds",
                *(BREAKER_FAILURES, call, failure, BREAKER_SECONDS),
            )
        raise self._counted(call, failure)

    def _headers(self, method: str, path: str, content: bytes) -> Mapping[str, str]:
        stamp, nonce = str(int(self._clock())), secrets.token_hex(16).upper()
        message = lines(method, path, stamp, nonce) + content + b"\n"
        mine = self.account
        signature = sign(mine.key, message)
        headers = {
            "Accept": "application/json",
            "User-Agent": "scarce",
            "Authorization": (
                f'{SCHEME} mchid="{mine.mchid}",nonce_str="{nonce}",signature="{signature}",'
                f'timestamp="{stamp}",serial_no="{mine.serial}"'
            ),
        }
        # By which key the answer is to be signed.
        for key_id in mine.public_keys:
            headers["Wechatpay-Serial"] = key_id
        return headers

    def _counted(self, call: str, outcome: str) -> ProviderUnavailable:
        CALLS.labels(call, outcome).inc()
        return ProviderUnavailable(outcome)


def encoded(document: Mapping[str, Any]) -> bytes:
    """The very bytes that are signed and sent."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


_mutex = threading.Lock()
_clients: dict[tuple[int, str, float], Client] = {}


def client() -> Client:
    """The client of the settings' account, one for the whole process.

    Raises ImproperlyConfigured.
    """
    mine = account()
    named = (id(mine), settings.WECHAT_PAY_API_URL, settings.WECHAT_PAY_SECONDS)
    with _mutex:
        if named not in _clients:
            _, url, seconds = named
            _clients[named] = Client(mine, url, seconds=seconds)
        return _clients[named]


def forget() -> None:
    """Knows nobody yet: no certificates, no connection."""
    with _mutex:
        _clients.clear()
