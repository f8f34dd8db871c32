"""The front: requests that come by the thousand are answered before the framework wakes up.

Everything that the framework does to a request costs more than what is asked for: an order of a
sale, an entry, a grab. So each of their addresses has a `Door`: the usual request (small JSON body,
good token, well-formed key, fields as the contract has them) is taken here and handed straight to
the service, which is all that decides. Whatever is not usual goes on untouched to the application,
whose view of the same address says what is wrong with it. So there is one contract and one place
for its errors; this is only the shorter way there.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.translation import get_language_from_request, override

from shop.accounts.authentication import access_user_id, bearer
from shop.accounts.rates import client_address
from shop.api import problems
from shop.api.fields import BIGINT_MAX
from shop.api.idempotency import PRINTABLE_ASCII, RequestKey
from shop.api.parsers import parse_object
from shop.api.placed import Placed
from shop.api.renderers import encode
from shop.errors import Refusal
from shop.ops.metrics import REQUESTS
from shop.ops.request_id import HEADER, current_request_id, request_id_of

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
Fields = Mapping[str, Any]

# A usual body has some hundred bytes.
MAX_BODY_BYTES = 2_000
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what, as far as headers tell. `target`: what the address names; `key`: "" where
    the door wants none."""

    target: Any
    user_id: int
    key: str
    path: str

    def request_key(self, route: str, fields: Fields) -> RequestKey:
        """The key of a request with this body."""
        return RequestKey.of(
            user_id=self.user_id, route=route, key=self.key, path=self.path, body=fields
        )


class Door(ABC):
    """The POST address `prefix` + target + `suffix`."""

    prefix: ClassVar[str]
    suffix: ClassVar[str]
    route: ClassVar[str]
    # Whether it wants an Idempotency-Key, and a body.
    is_keyed: ClassVar[bool] = True
    has_body: ClassVar[bool] = True

    def target(self, text: str) -> Any | None:
        """What the address names; None: not as usual."""
        return int(text) if _is_id(text) else None

    def refused(self, asked: Asked) -> Mapping[str, bytes] | None:
        """The body of a 409, by language, for whom this process knows one already."""
        return None

    @abstractmethod
    def is_usual(self, fields: Fields) -> bool:
        """Whether the body's members are as the contract has them."""

    @abstractmethod
    def place(self, asked: Asked, fields: Fields, *, client_address: str) -> Placed:
        """Does what is asked. Raises the refusal."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Front:
    """A WSGI application with `doors` in front of `application`."""

    def __init__(self, application: Application, doors: Sequence[Door]) -> None:
        self._application = application
        self._doors = doors

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started = time.perf_counter()
        body = _taken_body(environ)
        door = self._door(environ)
        asked = None if door is None else _asked(door, environ)
        if door is None or asked is None:
            return self._application(environ, start_response)
        refused = door.refused(asked)
        if refused is not None:
            answer = _Answer(HTTPStatus.CONFLICT, refused[_language(environ)], problems.MEDIA_TYPE)
        else:
            fields = _fields(environ, body) if door.has_body else _no_fields(environ)
            if fields is None or not door.is_usual(fields):
                return self._application(environ, start_response)
            with override(_language(environ)):
                answer = _place(door, asked, fields, environ)
        start_response(
            f"{answer.status.value} {answer.status.phrase}",
            [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
                ("X-Content-Type-Options", "nosniff"),
                (HEADER, request_id_of(environ)),
                *answer.headers.items(),
            ],
        )
        taken = time.perf_counter() - started
        REQUESTS.labels(door.route, "POST", answer.status.value).observe(taken)
        return [answer.body]

    def _door(self, environ: Mapping[str, Any]) -> Door | None:
        if environ["REQUEST_METHOD"] != "POST":
            return None
        path = environ["PATH_INFO"]
        for door in self._doors:
            if path.startswith(door.prefix) and path.endswith(door.suffix):
                return door
        return None


def _asked(door: Door, environ: Mapping[str, Any]) -> Asked | None:
    """None unless all that the headers say is as usual."""
    path = environ["PATH_INFO"]
    text = path[len(door.prefix) : len(path) - len(door.suffix)]
    target = door.target(text)
    credentials = bearer(environ)
    if target is None or credentials is None or not _is_secure(environ):
        return None
    key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
    if environ.get("QUERY_STRING") or (door.is_keyed and not PRINTABLE_ASCII.fullmatch(key)):
        return None
    user_id = access_user_id(credentials)
    return None if user_id is None else Asked(target, user_id, key, path)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 19


def _is_secure(environ: Mapping[str, Any]) -> bool:
    """Whether the application would not send the client to HTTPS first."""
    if not settings.SECURE_SSL_REDIRECT or environ.get("wsgi.url_scheme") == "https":
        return True
    header, value = settings.SECURE_PROXY_SSL_HEADER or ("", "https")
    return bool(environ.get(header) == value)


def _taken_body(environ: dict[str, Any]) -> bytes | None:
    """A body of usual size, read whatever will be answered: the server hangs up on a client whose
    body is on its way when it is answered, and the client's next request, sent meanwhile, is lost.
    None: there is none, or not all of it. The application can still read it."""
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdigit() or not 0 < int(length) <= MAX_BODY_BYTES:
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return body if len(body) == int(length) else None


def _fields(environ: Mapping[str, Any], body: bytes | None) -> Fields | None:
    """The body's members, None unless it is as usual."""
    if body is None or environ.get("CONTENT_TYPE") != JSON:
        return None
    try:
        return parse_object(body)
    except Refusal:
        return None


def _no_fields(environ: Mapping[str, Any]) -> Fields | None:
    """None unless there is no body."""
    is_bare = environ.get("CONTENT_LENGTH", "0") in ("", "0")
    return {} if is_bare and "HTTP_TRANSFER_ENCODING" not in environ else None


def is_count(value: object, *, most: int) -> bool:
    """An integer from 1 to `most`. bool is an int to Python, and to nobody else."""
    return type(value) is int and 1 <= value <= most


def is_id(value: object) -> bool:
    """A row's id, as it stands in a body."""
    return is_count(value, most=BIGINT_MAX)


def _place(door: Door, asked: Asked, fields: Fields, environ: dict[str, Any]) -> _Answer:
    entered = current_request_id.set(environ.get("HTTP_X_REQUEST_ID"))
    try:
        refresh_connection()
        request = HttpRequest()
        request.META = environ
        found = door.place(asked, fields, client_address=client_address(request))
        return _Answer(HTTPStatus(found.status), encode(found.data).encode(), headers=found.headers)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is answered
        refusal = problems.answerable(error, method="POST", path=environ["PATH_INFO"])
        body = encode(problems.body(refusal)).encode()
        return _Answer(
            HTTPStatus(refusal.status), body, problems.MEDIA_TYPE, problems.headers(refusal)
        )
    finally:
        current_request_id.reset(entered)


def refresh_connection() -> None:
    """What Django does as a request starts: a connection that broke, or grew old, is not used."""
    connection.close_if_unusable_or_obsolete()


def _language(environ: dict[str, Any]) -> str:
    request = HttpRequest()
    request.META = environ
    return get_language_from_request(request)
