"""Serializer fields that take a JSON value for what it is, or refuse it.

REST framework is kind: to it "1", 1.0 and true are integers, and 7 is text. A count that was never
meant as a number must not become an order, so these fields convert nothing. Bounds are stated, and
are never wider than the database's own.
"""

import re
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

BIGINT_MAX = 2**63 - 1

_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: not "1", 1.0, true or null. Bounded by BIGINT where nothing is said."""

    def __init__(
        self, *, min_value: int = -BIGINT_MAX, max_value: int = BIGINT_MAX, **kwargs: Any
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:  # bool is an int to isinstance
            self.fail("invalid")
        return data


class IdField(StrictIntegerField):
    """The id of a row: a JSON integer from 1 to the largest BIGINT."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=BIGINT_MAX, **kwargs)


class QueryIntegerField(serializers.IntegerField):
    """An integer in a query string: ASCII digits, nothing that merely looks like a number."""

    def __init__(self, *, min_value: int = 1, max_value: int = BIGINT_MAX, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _DIGITS.fullmatch(data):
            self.fail("invalid")
        return int(data)


class StrictCharField(serializers.CharField):
    """A JSON string, trimmed of surrounding white space unless `trim_whitespace=False`.

    NUL and lone surrogates, which no database stores, are refused by CharField's own validators.
    """

    def __init__(self, *, allow_blank: bool = False, **kwargs: Any) -> None:
        if not allow_blank:  # refused as `blank` before it is measured: this tells the schema
            kwargs.setdefault("min_length", 1)
        super().__init__(allow_blank=allow_blank, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            self.fail("invalid")
        return data.strip() if self.trim_whitespace else data


class StrictBooleanField(serializers.BooleanField):
    """true or false, not 1, "yes" or null."""

    # A missing field is missing, whatever content type the request claims.
    default_empty_html = empty
    default_error_messages = {"invalid": _("Must be true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid")
        return data


def server_time() -> str:
    """Now, as clients of something timed are told: RFC 3339 with offset."""
    return timezone.localtime().isoformat()
