"""One id for all that a request causes: in its answer, in its log lines, in the tasks it rings for.

The middleware takes the caller's X-Request-ID if it is well formed, else makes one. `shop.celery`
sends it along with messages, `shop.ops.logs` writes it into lines. As the outermost middleware it
is also where requests are timed for `shop.ops.metrics`. It writes no line of its own: on the path
of every request, a microsecond counts.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse

from shop.ops.metrics import observe_request

HEADER = "X-Request-ID"
# Short and plain, because it is echoed into a header and into logs that other tools read.
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The id of what this thread works on; None outside of requests and of the tasks they rang for.
current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id_of(environ: Mapping[str, Any]) -> str:
    """The caller's id if it is well formed, else a new one."""
    request_id: str = environ.get("HTTP_X_REQUEST_ID", "")
    return request_id if WELL_FORMED.fullmatch(request_id) else os.urandom(16).hex()


class RequestIdMiddleware:
    """Goes first in MIDDLEWARE: what is outside of it has no id and is not counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.META)
        token = current_request_id.set(request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
        finally:
            # Threads serve many requests; what one logs between two of them belongs to neither.
            current_request_id.reset(token)
        observe_request(request, response.status_code, time.perf_counter() - started)
        response.headers[HEADER] = request_id
        return response
