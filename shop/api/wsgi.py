"""Django's WSGI handler, for clients that mean harm.

Django reads a request by the charset that its content type names, even the query string, with any
codec that Python has: "bz2_codec" ends in an error outside everything that could answer it. And it
takes a chunked body, which has no length, for none. Here a request is UTF-8, and a chunked body is
read, no further than MAX_BODY_BYTES allows, before anything else looks at it.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class UTF8Request(WSGIRequest):
    """A request whose charset is not the client's to choose."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        kind, parameters = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        self.content_type, self.content_params = kind, parameters


class Handler(WSGIHandler):
    """What shop.wsgi serves."""

    request_class = UTF8Request

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" in environ:
            # One byte too many is enough to be refused for.
            body = environ["wsgi.input"].read(settings.MAX_BODY_BYTES + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return super().__call__(environ, start_response)
