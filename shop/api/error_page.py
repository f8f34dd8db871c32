"""Every code that the API refuses with, as its classes in `shop.errors` state it: for the API's
document and for docs/errors.md, which are generated from here."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import override

from shop.errors import Refusal

PAGE = """\
# What the API refuses with

An answer of status 400 or more is `application/problem+json` (RFC 9457): `{{type, title, status,
detail, code, ...}}`. A program goes by `code`; `detail` is for people, in the language of
`Accept-Language`. Where there is a `Retry-After`, the body has `retry_after` (seconds) too. A
refusal stores nothing, so the same request may be sent again with the same key. A `failed` order,
entry or grab names one of these codes in its `failure`.

{table}

Generated from `shop/errors.py` by `make schema`; a test compares the two.
"""
HEAD = "| status | code | what it means | what to do |\n|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row. `members`: what its body has beside what all have, "" for nothing."""

    code: str
    status: int
    meaning: str
    members: str
    advice: str


def error_codes() -> list[ErrorCode]:
    """All of them, by status and then as the code lists them; in English."""
    with override("en"):
        codes = [
            ErrorCode(
                code=one.code,
                status=one.status,
                meaning=str(one.detail),
                # An inherited docstring is about all of them.
                members=" ".join((one.__dict__.get("__doc__") or "").split()),
                advice=one.advice,
            )
            for one in _all(Refusal)
            # What only the console says has no advice for clients.
            if one.advice
        ]
    return sorted(codes, key=lambda row: row.status)


def _all(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    for one in parent.__subclasses__():
        yield one
        yield from _all(one)


def error_rows() -> list[dict[str, Any]]:
    """The same as plain data."""
    return [asdict(row) for row in error_codes()]


def error_table() -> str:
    """The same as a table in Markdown."""
    return HEAD + "\n".join(
        f"| {row.status} | `{row.code}` | {_cell(row.meaning, row.members)} | {row.advice} |"
        for row in error_codes()
    )


def error_page() -> str:
    """docs/errors.md."""
    return PAGE.format(table=error_table())


def _cell(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence).replace("|", "\\|")
