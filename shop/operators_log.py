"""The operators' log: who did what to which row, and what it was before and after.

It is Django's own log of the admin, written by services in the transaction that does what it tells
of. An entry whose step changed values holds them in its change message, beside what was said, in
the structure that Django writes there: `[{"changed": {"fields": [...]}, "said": ..., "values":
[[field, before, after], ...]}]`. A secret is never a value. Nobody edits or deletes an entry.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from django.db.models.expressions import BaseExpression, Combinable
from django.utils import timezone
from django.utils.translation import override

if TYPE_CHECKING:
    from shop.accounts.models import User

# What stands in the place of a value that nobody may read here.
HIDDEN = "•••"
# Parts of names of fields whose values are such.
SECRETS = ("password", "secret", "seed", "token", "phone", "openid", "unionid")
LONGEST = 200

# Field, as the code names it in English -> before and after.
Changes = Mapping[str, tuple[Any, Any]]
Value = tuple[str, Any, Any]


def log(
    operator: "User",
    rows: Iterable[Model],
    flag: int,
    said: str,
    *,
    changes: Changes | None = None,
) -> None:
    """Writes an entry for each of the rows, all of which `changes` is true of."""
    values = values_of(changes or {})
    LogEntry.objects.log_actions(operator.pk, list(rows), flag, _message(said, values))


def changed(operator: "User", row: Model, said: str, /, **after: Any) -> None:
    """Writes an entry about a row that still has its old values, and these from now on."""
    log(operator, [row], CHANGE, said, changes=changes_to(row, **after))


def changes_to(row: Model, **after: Any) -> Changes:
    """Fields of a row that still has its old values -> before and after. What the database itself
    computes is left out: nobody knows it yet."""
    changes = {}
    for name, value in after.items():
        if not isinstance(value, BaseExpression | Combinable):
            hidden = is_secret(name)
            before = getattr(row, name)
            changes[label_of(type(row), name)] = (
                (HIDDEN, HIDDEN + " ") if hidden and before != value else (before, value)
            )
    return changes


def label_of(model: type[Model], name: str) -> str:
    """What the field is called, in the language of the code: it is translated when it is read."""
    with override(None):
        return str(getattr(model._meta.get_field(name), "verbose_name", name))


def is_secret(name: str) -> bool:
    """Whether a field of this name holds what nobody may read in the log."""
    return any(part in name.lower() for part in SECRETS)


def values_of(changes: Changes) -> list[Value]:
    """As an entry stores them: what did not change is left out."""
    stored = ((field, plain(before), plain(after)) for field, (before, after) in changes.items())
    return [one for one in stored if one[1] != one[2]]


def plain(value: Any) -> Any:
    """A value as JSON may hold it, and short."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return _short(", ".join(sorted(str(one) for one in value)))
    if isinstance(value, datetime) and timezone.is_aware(value):
        return timezone.localtime(value).isoformat(" ", "seconds")
    return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _message(said: str, values: Sequence[Value]) -> Any:
    if not values:
        return said
    fields = [field for field, _before, _after in values]
    return [{"changed": {"fields": fields}, "said": said, "values": values}]


def _parts(entry: LogEntry) -> list[Mapping[str, Any]]:
    if not entry.change_message.startswith("["):
        return []
    try:
        parts = json.loads(entry.change_message)
    except json.JSONDecodeError:
        return []
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def words_of(entry: LogEntry) -> str:
    """What an entry says, without values."""
    said = [part["said"] for part in _parts(entry) if "said" in part]
    return " ".join(said) if said else str(entry.get_change_message())


def values_in(entry: LogEntry) -> list[tuple[str, str, Any, Any]]:
    """(which row of those edited together, "" for the entry's own; field, before, after)."""
    found = []
    for part in _parts(entry):
        about = part.get("changed") or part.get("added") or {}
        for field, before, after in part.get("values", ()):
            found.append((str(about.get("object", "")), field, before, after))
    return found
