"""Proposals: deeds that are written down, and done when a second person says so."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

from shop.approvals import deciding
from shop.approvals.deeds import DEEDS
from shop.approvals.models import Proposal

if TYPE_CHECKING:
    from shop.accounts.models import User

LONGEST_TITLE = 200


def proposal_ask(
    deed: str,
    *,
    title: str,
    operator: "User",
    reference: str = "",
    subject: int | None = None,
    terms: Mapping[str, Any] | None = None,
) -> Proposal:
    """Asks a second person for a deed. Once per `reference`; without one, once for its `subject` as
    long as it waits. Raises Busy, Unavailable."""
    return deciding.ask(
        Proposal,
        operator=operator,
        reference=reference or _reference(deed, subject),
        deed=deed,
        subject=subject,
        title=title[:LONGEST_TITLE],
        terms=dict(terms or {}),
    )


def proposal_approve(proposal: Proposal, *, operator: "User") -> bool:
    """Does what was proposed, once; False if this operator has done so before. Raises as
    `deciding.approve`, and what the deed raises: then it goes on waiting."""
    deed = DEEDS[proposal.deed]
    return deciding.approve(
        proposal,
        operator=operator,
        carry_out=lambda decide: deed.carry_out(proposal, operator, decide),
    )


def proposal_reject(proposal: Proposal, *, operator: "User", reason: str) -> bool:
    """Lays a proposal aside, as `deciding.reject`."""
    return deciding.reject(proposal, operator=operator, reason=reason)


def written_down(plan: Any) -> dict[str, Any]:
    """The fields of a plan (a dataclass) as JSON keeps them: rows by their ids."""
    return {field.name: _plain(getattr(plan, field.name)) for field in fields(plan)}


def _plain(value: Any) -> Any:
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _reference(deed: str, subject: int | None) -> str:
    """The next one is another only when the last has been decided, or has waited too long.

    Counted in one statement: between two, somebody else may ask, and both would wait.
    """
    over = Proposal.objects.filter(deed=deed, subject=subject).over().count()
    return f"{deed}:{subject}:{over}"
