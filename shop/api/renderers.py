"""Answers are JSON, whatever the client says it accepts. A hot path: little happens here."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

UTF_8 = ("utf-8", "utf8")

# Made once: json.dumps(cls=...) would make one for every answer.
encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class JSONRenderer(BaseRenderer):
    """Compact UTF-8. No data, as with 204, is no body."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else encode(data).encode()


class AlwaysJSON(BaseContentNegotiation):
    """The view's first renderer, never 406; the parser that the content type names, or 415."""

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str | None]:
        return renderers[0], renderers[0].media_type

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:
        django_request = request._request
        if django_request.content_params.get("charset", "utf-8").lower() not in UTF_8:
            return None
        media_type = (django_request.content_type or "").lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)
