"""Every way a request fails, as application/problem+json (RFC 9457): the one place that does this.

`exception_handler` is REST framework's; the `handlerNNN` functions answer for what goes wrong
outside its views (an address that does not exist, a request that Django refuses, a bug in a
renderer). An error that nobody foresaw is logged with its traceback, counted, and answered 503
`unavailable`: no client sees a 500 or a stack trace, and a client that repeats is told the truth.
"""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext
from django.views import defaults
from prometheus_client import Counter
from rest_framework import exceptions
from rest_framework.response import Response

from shop.errors import (
    AuthenticationFailed,
    Busy,
    Invalid,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    Refusal,
    Unavailable,
    UnsupportedMediaType,
)
from shop.transactions import is_contention, is_lost

MEDIA_TYPE = "application/problem+json"
API_PREFIX = "/api/"
CHALLENGE = 'Bearer realm="scarce"'
# Of a body with thousands of faults, this many are named.
MAX_ERRORS = 100

UNHANDLED = Counter("shop_unhandled_errors", "Errors that nobody foresaw, answered 503.")
logger = logging.getLogger("shop.api")

_FRAMEWORK: Mapping[type[Exception], type[Refusal]] = {
    exceptions.NotAuthenticated: NotAuthenticated,
    exceptions.AuthenticationFailed: AuthenticationFailed,
    exceptions.PermissionDenied: PermissionDenied,
    DjangoPermissionDenied: PermissionDenied,
    exceptions.NotFound: NotFound,
    Http404: NotFound,
    exceptions.MethodNotAllowed: MethodNotAllowed,
    exceptions.UnsupportedMediaType: UnsupportedMediaType,
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's EXCEPTION_HANDLER: always an answer, so nothing reaches Django's 500."""
    request = context["request"]
    refusal = answerable(error, method=request.method, path=request.path)
    response = Response(
        body(refusal),
        status=refusal.status,
        headers=headers(refusal),
        content_type=MEDIA_TYPE,
    )
    # Django would log a line for each refusal; a flood of losers must not become one of log lines.
    response._has_been_logged = True
    return response


def answerable(error: BaseException, *, method: str, path: str) -> Refusal:
    """What a client is told of `error`; what nobody foresaw is counted and logged."""
    refusal = as_refusal(error)
    if refusal is None:
        UNHANDLED.inc()
        logger.error("unforeseen: %s %s", method, path, exc_info=error)
        refusal = Unavailable()
    return refusal


def as_refusal(error: BaseException) -> Refusal | None:
    """What `error` means to a client; None when nobody foresaw it."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Invalid(errors=field_errors(error.detail))
    if isinstance(error, exceptions.ParseError):
        return Invalid(errors=[_field_error("", error.detail)])
    if isinstance(error, RequestDataTooBig):
        return PayloadTooLarge()
    if isinstance(error, SuspiciousOperation | BadRequest | UnreadablePostError):
        message = gettext("The request is malformed.")
        return Invalid.field("", message, code="malformed")
    if isinstance(error, exceptions.Throttled):
        return RateLimited(retry_after=math.ceil(error.wait or 1))
    if isinstance(error, OperationalError | InterfaceError):
        if is_contention(error):
            return Busy()
        return Unavailable() if is_lost(error) else None
    for known, refusal in _FRAMEWORK.items():
        if isinstance(error, known):
            return refusal()
    return None


def body(refusal: Refusal) -> dict[str, Any]:
    """The problem document, in the language of the current request."""
    document: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.status,
        "detail": str(refusal.detail),
        "code": refusal.code,
        **refusal.data,
    }
    if refusal.retry_after is not None:
        document["retry_after"] = refusal.retry_after
    return document


def headers(refusal: Refusal) -> dict[str, str]:
    """The headers that a refusal carries beside its document."""
    carried = {}
    if refusal.retry_after is not None:
        carried["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        carried["WWW-Authenticate"] = CHALLENGE
    return carried


def field_errors(detail: Any) -> list[dict[str, str]]:
    """REST framework's nested errors as a flat list; `items.0.count` names a nested field."""
    found = []
    for error in _walk(detail, ""):
        found.append(error)
        if len(found) == MAX_ERRORS:
            break
    return found


def _walk(detail: Any, path: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _walk(inner, path if name == "non_field_errors" else _join(path, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            leaf = isinstance(inner, exceptions.ErrorDetail)
            yield from _walk(inner, path if leaf else _join(path, index))
    else:
        yield _field_error(path, detail)


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _field_error(field: str, detail: Any) -> dict[str, str]:
    return {"field": field, "code": getattr(detail, "code", "invalid"), "message": str(detail)}


def _answer(refusal: Refusal) -> HttpResponse:
    return HttpResponse(
        json.dumps(body(refusal), ensure_ascii=False),
        status=refusal.status,
        headers=headers(refusal),
        content_type=MEDIA_TYPE,
    )


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that Django refuses before any view: host, size, number of fields."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return _answer(as_refusal(exception) or Invalid())


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(API_PREFIX):
        return defaults.permission_denied(request, exception)
    return _answer(PermissionDenied())


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return _answer(NotFound())


def handler500(request: HttpRequest) -> HttpResponse:
    """An error outside a view; Django logs it with its traceback."""
    UNHANDLED.inc()
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    return _answer(Unavailable())
