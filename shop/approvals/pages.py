"""The pages of what waits for a second person: what it is, approving it, rejecting it."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.approvals.models import Awaiting
from shop.backoffice.steps import Step
from shop.forms import ConfirmForm


class RejectForm(forms.Form):
    reason = forms.CharField(label=_("reason"), max_length=200)


def _waits(row: Any) -> bool:
    return bool(row.waits())


def decisions(
    *,
    approve: Callable[..., bool],
    reject: Callable[..., bool],
    permission: str,
    about: Any,
    approved: Any,
    rejected: Any,
) -> Sequence[Step]:
    """The two steps that a second person has."""
    again = _("Carried out before; nothing changed now.")
    return (
        Step(
            name="approve",
            title=_("Approve"),
            about=about,
            done=approved,
            not_now=again,
            form=ConfirmForm,
            service=approve,
            is_offered=_waits,
            permission=permission,
        ),
        Step(
            name="reject",
            title=_("Reject"),
            about=_("Nothing of it is done."),
            done=rejected,
            not_now=again,
            form=RejectForm,
            service=reject,
            is_offered=_waits,
            permission=permission,
        ),
    )


@admin.display(description=_("state"))
def state_shown(row: Awaiting) -> str:
    """How it stands now: what has waited too long does not say so itself."""
    if row.state == Awaiting.State.REQUESTED and not row.waits():
        return gettext("expired: nobody decided in time")
    return str(row.State(row.state).label)


class WaitingFilter(admin.SimpleListFilter):
    """Those that can still be decided."""

    title = _("to be decided")
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("1", _("yes")),)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.waiting() if self.value() else queryset
