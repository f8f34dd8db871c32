"""A table as the console shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Table:
    """What a fact's page shows beside the fact's own columns."""

    title: "str | Promise"
    headings: Sequence["str | Promise"]
    rows: Sequence[Sequence[Any]]
    # What is said where there are no rows.
    empty: "str | Promise" = ""
