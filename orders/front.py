"""The front door of flash sales: a POST to a sale's orders, answered before the framework wakes up.

Everything that the framework does to a request costs more than the order itself. So the usual
request (small JSON body, good token, well-formed key, fields as the contract has them) is taken
here, straight to `orders.sale_orders`, which is all that decides. Whatever is not usual goes on
untouched to the application, whose view of the same address says what is wrong with it. So there
is one contract and one place for its errors; this is only the shorter way there.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.translation import get_language_from_request, override

from orders import shield
from orders.placed import placed
from orders.sale_orders import SaleRequest, sale_order_place
from orders.serializers import MAX_COUNT, MAX_TOKEN
from shop.accounts.authentication import access_user_id, bearer
from shop.accounts.rates import client_address
from shop.api import problems
from shop.api.fields import BIGINT_MAX
from shop.api.idempotency import PRINTABLE_ASCII, RequestKey
from shop.api.parsers import parse_object
from shop.api.renderers import encode
from shop.errors import Refusal
from shop.ops.metrics import REQUESTS
from shop.ops.request_id import HEADER, current_request_id, request_id_of

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
Fields = Mapping[str, Any]

PREFIX, SUFFIX = "/api/v1/flash-sales/", "/orders"
ROUTE = "sale-orders"
# A usual body has some hundred bytes.
MAX_BODY_BYTES = 2_000
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for an order of which sale, as far as headers tell."""

    sale_id: int
    user_id: int
    key: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Front:
    """A WSGI application in front of `application`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started = time.perf_counter()
        asked = _asked(environ)
        if asked is None:
            return self._application(environ, start_response)
        refused = shield.answer(asked.sale_id, asked.user_id)
        if refused is not None:
            answer = _Answer(HTTPStatus.CONFLICT, refused[_language(environ)], problems.MEDIA_TYPE)
        else:
            fields = _fields(environ)
            if fields is None:
                return self._application(environ, start_response)
            with override(_language(environ)):
                answer = _place(asked, fields, environ)
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
        REQUESTS.labels(ROUTE, "POST", answer.status.value).observe(time.perf_counter() - started)
        return [answer.body]


def _asked(environ: Mapping[str, Any]) -> _Asked | None:
    """None unless all that the headers say is as usual."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] != "POST" or not path.startswith(PREFIX):
        return None
    sale_id = path.removeprefix(PREFIX).removesuffix(SUFFIX)
    if path != f"{PREFIX}{sale_id}{SUFFIX}" or not _is_id(sale_id) or not _is_secure(environ):
        return None
    key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
    credentials = bearer(environ)
    if environ.get("QUERY_STRING") or credentials is None or not PRINTABLE_ASCII.fullmatch(key):
        return None
    user_id = access_user_id(credentials)
    return None if user_id is None else _Asked(int(sale_id), user_id, key)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 19


def _is_secure(environ: Mapping[str, Any]) -> bool:
    """Whether the application would not send the client to HTTPS first."""
    if not settings.SECURE_SSL_REDIRECT or environ.get("wsgi.url_scheme") == "https":
        return True
    header, value = settings.SECURE_PROXY_SSL_HEADER or ("", "https")
    return bool(environ.get(header) == value)


def _fields(environ: dict[str, Any]) -> Fields | None:
    """The body's members, None unless they are as usual. The application can still read it."""
    length = environ.get("CONTENT_LENGTH", "")
    if environ.get("CONTENT_TYPE") != JSON or not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return None
    body = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    if len(body) != int(length):
        return None
    try:
        fields = parse_object(body)
    except Refusal:
        return None
    # bool is an int to Python, and to nobody else.
    usual = (
        fields.keys() <= {"count", "address", "token"}
        and type(fields.get("count")) is int
        and 1 <= fields["count"] <= MAX_COUNT
        and ("address" not in fields or _is_int_id(fields["address"]))
        and ("token" not in fields or _is_token(fields["token"]))
    )
    return fields if usual else None


def _is_int_id(value: object) -> bool:
    return type(value) is int and 1 <= value <= BIGINT_MAX


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TOKEN and value == value.strip()


def _place(asked: _Asked, fields: Fields, environ: dict[str, Any]) -> _Answer:
    entered = current_request_id.set(environ.get("HTTP_X_REQUEST_ID"))
    try:
        refresh_connection()
        request = HttpRequest()
        request.META = environ
        answer = sale_order_place(
            key=RequestKey.of(
                user_id=asked.user_id,
                route=ROUTE,
                key=asked.key,
                path=environ["PATH_INFO"],
                body=fields,
            ),
            wanted=SaleRequest(
                sale_id=asked.sale_id,
                count=fields["count"],
                address_id=fields.get("address"),
                token=fields.get("token", ""),
                client_address=client_address(request),
            ),
        )
        found = placed(answer)
        body = encode(found.data).encode()
        return _Answer(HTTPStatus(found.status), body, headers=found.headers)
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
