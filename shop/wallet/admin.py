"""Wallets for operators: accounts and transactions to read, corrections to ask for and to decide.

No form has a field for a balance and none saves a row of the ledger: what changes a wallet is a
correction that a second operator approves (`shop.wallet.corrections`).
"""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from shop.approvals.pages import WaitingFilter, decisions, state_shown
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.facts import FactsAdmin
from shop.backoffice.steps import PlannedAdmin, SteppedAdmin, Table
from shop.errors import Refusal
from shop.wallet import corrections, selectors
from shop.wallet.exports import LEDGER
from shop.wallet.forms import CorrectionForm, amount_of, explain
from shop.wallet.models import Account, Correction, Posting, Transaction

# Of one transaction on its page.
MOST_POSTINGS = 500


@admin.register(Account)
class AccountAdmin(SteppedAdmin):
    """Found by the whole user name; the house's by the filter."""

    list_display = ("id", "owner", "currency", "balance_shown")
    list_prefetch = ("user",)
    list_filter = ("house", "currency")
    search_fields = ("user__username",)
    search_help_text = _("A whole user name.")
    fields = ("owner", "currency", "balance_shown")
    readonly_fields = fields

    def found(self, rows: QuerySet[Account], term: str) -> QuerySet[Account]:
        return rows.filter(user__username=term)

    def title_of(self, fact: Account) -> str:
        return f"{self.owner(fact)} ({fact.get_currency_display()})"

    def links(self, request: HttpRequest, fact: Account) -> list[tuple[Any, str]]:
        return [(_("Postings"), reverse("admin:wallet_account_postings", args=[fact.pk]))]

    @admin.display(description=_("owner"))
    def owner(self, account: Account) -> str:
        return str(account.user) if account.user_id else account.get_house_display()

    @admin.display(description=_("balance"))
    def balance_shown(self, account: Account) -> str:
        """The house's account says its own on its page only: it is summed there."""
        if account.balance is not None:
            return amount_of(account.currency, account.balance)
        if not getattr(account, "is_summed", False):
            return "-"
        return amount_of(account.currency, selectors.sum_of(account))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Account | None:
        account = super().get_object(request, object_id, from_field)
        if account is not None:
            account.is_summed = True
        return account

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<int:account_id>/postings/",
            self.admin_site.admin_view(self.postings_view),
            name="wallet_account_postings",
        )
        return [page, *super().get_urls()]

    def postings_view(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """What moved the account, newest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = get_object_or_404(Account.objects.prefetch_related("user"), pk=account_id)
        before = request.GET.get("before", "")
        is_id = before.isascii() and before.isdigit() and len(before) < 19
        found = selectors.statement_page(account, before=int(before) if is_id else None)
        return TemplateResponse(
            request,
            "admin/wallet/account/postings.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Postings"),
                "original": account,
                "standing": self.title_of(account),
                "rows": found,
                "table": _postings_table(account, found),
                "oldest": found[-1].pk if found else None,
            },
        )


@admin.register(Transaction)
class TransactionAdmin(ExportedAdmin, FactsAdmin):
    """Found by its whole reference."""

    sheets = (LEDGER,)
    export_permission = "export_transaction"
    export_day = "created_at"

    list_display = ("reference", "kind", "reason", "operator", "created_at")
    list_prefetch = ("operator",)
    search_fields = ("reference",)
    search_help_text = _("A whole reference.")
    fields = (*list_display, "postings_shown")
    readonly_fields = fields

    def found(self, rows: QuerySet[Transaction], term: str) -> QuerySet[Transaction]:
        return rows.filter(reference=term)

    @admin.display(description=_("postings"))
    def postings_shown(self, transaction: Transaction) -> SafeString:
        """Both sides of it; of a large batch the first of them."""
        rows = transaction.postings.select_related("account__user").order_by("pk")[:MOST_POSTINGS]
        return format_html_join(
            "",
            "<div>{}: {} ({})</div>",
            (
                (
                    row.account.user or row.account.get_house_display(),
                    amount_of(row.account.currency, row.amount),
                    row.reference,
                )
                for row in rows
            ),
        )


def _postings_table(account: Account, found: Sequence[Posting]) -> Table:
    return Table(
        title="",
        headings=(
            *(_("when"), _("kind"), _("amount")),
            *(_("reference"), _("operator"), _("reason")),
        ),
        rows=[
            (
                *(row.transaction.created_at, row.transaction.kind),
                *(amount_of(account.currency, row.amount), row.reference),
                *(row.transaction.operator or "", row.transaction.reason),
            )
            for row in found
        ],
        empty=_("Nothing has moved."),
    )


@admin.register(Correction)
class CorrectionAdmin(PlannedAdmin):
    """Asking is Django's "add" permission, deciding one of its own."""

    steps = decisions(
        approve=corrections.correction_approve,
        reject=corrections.correction_reject,
        permission="wallet.approve_correction",
        about=_("It is booked at once, and the user sees it."),
        approved=_("The correction is booked."),
        rejected=_("The correction is rejected."),
    )
    plan_form = CorrectionForm
    plan_title = _("Ask for a correction")
    plan_done = _("It waits for a second person.")
    list_display = (
        "id",
        "user",
        "house",
        "amount_shown",
        "reason",
        state_shown,
        "requested_by",
        "requested_at",
        "decided_by",
    )
    list_prefetch = ("user", "requested_by", "decided_by")
    list_filter = (WaitingFilter, "state")
    search_fields = ("user__username",)
    search_help_text = _("A whole user name.")
    fields: Any = (*list_display[1:], "decided_at")  # the stubs know no callables as fields
    readonly_fields = fields

    def found(self, rows: QuerySet[Correction], term: str) -> QuerySet[Correction]:
        return rows.filter(user__username=term)

    @admin.display(description=_("amount"))
    def amount_shown(self, correction: Correction) -> str:
        return amount_of(correction.currency, correction.amount)

    def facts(self, fact: Correction) -> Sequence[tuple["str | Promise", Any]]:
        return (
            (_("user"), fact.user),
            (_("kind"), fact.get_house_display()),
            (_("amount"), self.amount_shown(fact)),
            (_("reason"), fact.reason),
            (_("requested by"), fact.requested_by),
        )

    def begin(self, form: Any, operator: Any) -> Correction:
        return corrections.correction_request(operator=operator, **form.cleaned_data)

    def explain(self, form: forms.Form, refusal: Refusal) -> None:
        explain(form, refusal)
