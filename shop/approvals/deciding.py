"""Asking, approving and rejecting, whatever is asked for: by two people, once, or not at all.

The decision and what it carries out are one transaction, and the row is locked before its state is
read. So nothing is approved that was not done, nothing done that was not approved, and of two who
decide at once one is told that the other has. The operators' log names both.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib.admin.models import ADDITION
from django.db import IntegrityError
from django.db.models.functions import Now
from django.utils.translation import gettext

from shop.approvals.models import Awaiting
from shop.errors import Invalid
from shop.operators_log import changed, log
from shop.transactions import is_duplicate, run

if TYPE_CHECKING:
    from shop.accounts.models import User

M = TypeVar("M", bound=Awaiting)
# Called first inside the transaction that carries it out.
Decide = Callable[[], None]


class _Repeated(Exception):
    """The same operator has decided the same already."""


def ask(model: type[M], *, operator: "User", reference: str, **columns: Any) -> M:
    """Writes down what is asked for, once per `reference`; again, it returns the first one. Raises
    Busy, Unavailable."""

    rows = model._default_manager

    def work() -> M:
        row = cast("M", rows.create(requested_by=operator, reference=reference, **columns))
        log(operator, [row], ADDITION, f"requested: {row}")
        return row

    try:
        return run(work)
    except IntegrityError as error:
        earlier = rows.filter(reference=reference).first()
        if not is_duplicate(error) or earlier is None:
            raise
        return cast("M", earlier)


def approve(row: Awaiting, *, operator: "User", carry_out: Callable[[Decide], object]) -> bool:
    """Approves it and carries it out; False, and nothing is done, if this operator has approved it
    already.

    `carry_out` must call what it is given first thing in the transaction that does the deed. Raises
    Invalid where another has decided, it has waited too long, or this operator may not; and
    whatever `carry_out` raises: then it goes on waiting.
    """
    decided = False

    def decide() -> None:
        nonlocal decided
        _decide(row, Awaiting.State.APPROVED, operator=operator)
        decided = True

    try:
        carry_out(decide)
    except _Repeated:
        return False
    if not decided:
        raise RuntimeError(f"{row!r} was carried out without being decided")
    return True


def reject(row: Awaiting, *, operator: "User", reason: str) -> bool:
    """Lays it aside for `reason`; whoever asked for it may do so too. Otherwise as `approve`."""
    try:
        run(lambda: _decide(row, Awaiting.State.REJECTED, operator=operator, reason=reason))
    except _Repeated:
        return False
    return True


def _decide(row: Awaiting, state: Awaiting.State, *, operator: "User", reason: str = "") -> None:
    rows = type(row)._default_manager.filter(pk=row.pk)
    locked: Any = rows.select_for_update().annotate(db_now=Now()).get()
    if locked.state == state and locked.decided_by_id == operator.pk:
        raise _Repeated
    if locked.state != Awaiting.State.REQUESTED:
        raise Invalid.field("", gettext("Another operator has decided about it."))
    if not locked.waits(locked.db_now):
        raise Invalid.field("", gettext("It has waited too long: ask for it again."))
    if state is Awaiting.State.APPROVED and operator.pk in locked.concerned():
        raise Invalid.field("", str(locked.only_a_second_person))
    rows.update(state=state, decided_by=operator, decided_at=Now())
    said = f"{state}: {reason}" if reason else str(state.value)
    changed(operator, locked, said, state=state, decided_by=operator)
