"""Bodies: one JSON object in UTF-8, of bounded size and depth, meaning one thing only.

Whatever two JSON libraries might read differently (duplicate keys, NaN, numbers beyond a double) or
a database cannot store (NUL, lone surrogates) is refused here, before any code decides by it.
"""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.http import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from shop.errors import Invalid, PayloadTooLarge

# The contract needs four levels; the encoder that hashes a body recurses once for each.
MAX_DEPTH = 32

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """Raises PayloadTooLarge or Invalid. Reads at most one byte more than MAX_BODY_BYTES."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = _read(stream, declared=_content_length(parser_context))
        return parse_object(body) if body.strip() else {}


class RawParser(BaseParser):
    """The bytes of a body, for what is signed as it came. Bounded, and raises, as the other."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return _read(stream, declared=_content_length(parser_context))


def _content_length(parser_context: Mapping[str, Any] | None) -> int:
    if parser_context is None:
        return 0
    try:
        return int(parser_context["request"].META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _read(stream: IO[bytes], *, declared: int) -> bytes:
    limit = settings.MAX_BODY_BYTES
    if declared > limit:
        raise PayloadTooLarge(limit=limit)
    try:
        body = stream.read(limit + 1)
    except UnreadablePostError:
        _refuse("incomplete", _("The body ended early."))
    if len(body) > limit:
        raise PayloadTooLarge(limit=limit)
    return body


def parse_object(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises Invalid."""
    try:
        data = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
    except UnicodeDecodeError:
        _refuse("encoding", _("The body is not UTF-8."))
    except RecursionError:
        _refuse("depth", _("The body is nested too deeply."))
    except ValueError:  # not JSON, or an integer of thousands of digits
        _refuse("syntax", _("The body is not valid JSON."))
    if not isinstance(data, dict):
        _refuse("type", _("The body must be a JSON object."))
    # Only an escape can make a character that is refused, and only brackets make depth: a usual
    # body has few of either and is not walked.
    if b"\\u" in body or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _walk(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("duplicate", _("A key occurs twice in one object."))
    return members


def _constant(name: str) -> NoReturn:
    _refuse("number", _("NaN and Infinity are not JSON."))


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        _refuse("number", _("A number is too large."))
    return number


def _walk(data: dict[str, Any]) -> None:
    """Refuses depth and characters; level by level, so that depth costs no stack."""
    level: list[Any] = [data]
    for _depth in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value)
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif isinstance(value, str) and _UNSTORABLE.search(value):
                _refuse("character", _("Text holds NUL or half a character."))
        if not inner:
            return
        level = inner
    _refuse("depth", _("The body is nested too deeply."))


def _refuse(code: str, message: str) -> NoReturn:
    raise Invalid.field("", message, code=code)
