"""Proposals for operators: what is asked for, by whom, and the two steps of a second person."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.approvals import proposals
from shop.approvals.deeds import DEEDS
from shop.approvals.models import Proposal
from shop.approvals.pages import WaitingFilter, decisions, state_shown
from shop.backoffice.steps import SteppedAdmin, Table


@admin.register(Proposal)
class ProposalAdmin(SteppedAdmin):
    """Asked for where the deed is: whoever may do it there asks for it there."""

    called = "proposal"
    steps = decisions(
        approve=proposals.proposal_approve,
        reject=proposals.proposal_reject,
        permission="approvals.decide_proposal",
        about=_("It is done at once, exactly as it stands here."),
        approved=_("%(proposal)s: approved and carried out."),
        rejected=_("%(proposal)s: rejected."),
    )
    list_display = (
        "id",
        "deed_shown",
        "title",
        state_shown,
        "requested_by",
        "requested_at",
        "decided_by",
        "decided_at",
    )
    list_prefetch = ("requested_by", "decided_by")
    list_filter = (WaitingFilter, "state")
    search_fields = ("requested_by__username",)
    search_help_text = _("A whole name of who asked for it.")
    fields: Any = list_display[1:]  # the stubs know no callables as fields
    readonly_fields = fields

    def found(self, rows: QuerySet[Proposal], term: str) -> QuerySet[Proposal]:
        return rows.filter(requested_by__username=term)

    @admin.display(description=_("what"))
    def deed_shown(self, proposal: Proposal) -> str:
        deed = DEEDS.get(proposal.deed)
        return str(deed.title) if deed else proposal.deed

    def title_of(self, fact: Proposal) -> str:
        return f"{self.deed_shown(fact)}: {fact.title}"

    def standing(self, fact: Proposal) -> str:
        text = gettext("%(proposal)s. Asked for by %(user)s.")
        return text % {"proposal": self.title_of(fact), "user": fact.requested_by}

    def facts(self, fact: Proposal) -> Sequence[tuple["str | Promise", Any]]:
        return DEEDS[fact.deed].facts(fact)

    def tables(self, fact: Proposal) -> Sequence[Table]:
        headings = (gettext("term"), gettext("what it will be"))
        return (Table(gettext("What is asked for"), headings, self.facts(fact)),)

    def links(self, request: HttpRequest, fact: Proposal) -> Sequence[tuple["str | Promise", str]]:
        page = DEEDS[fact.deed].page(fact)
        return [(_("What it is about"), page)] if page else ()
