"""Alarms and days' accounts for operators: facts to read, and saying that an alarm is seen to."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.payments.oversight.alarms import alarm_handle
from orders.payments.oversight.forms import HandledForm
from orders.payments.oversight.models import PaymentAlarm, Reconciliation
from shop.backoffice.money import money_column
from shop.backoffice.steps import Step, SteppedAdmin, Table


class OpenFilter(admin.SimpleListFilter):
    """Alarms that nobody has seen to."""

    title = _("to see to")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("1", _("yes")),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(handled_at__isnull=True) if self.value() else queryset


@admin.register(PaymentAlarm)
class PaymentAlarmAdmin(SteppedAdmin):
    called = "alarm"
    list_display = ("number", "kind", "provider", "times", "first_at", "last_at", "handled_at")
    list_filter = (OpenFilter, "kind")
    search_fields = ("number",)
    search_help_text = _("The whole number of a payment or refund.")
    fields = (
        *("kind", "provider", "number", "said", "times", "first_at", "last_at"),
        *("handled_at", "handled_by", "note"),
    )
    readonly_fields = fields
    steps = (
        Step(
            name="handle",
            title=_("Say that it is seen to"),
            done=_("%(alarm)s is seen to."),
            form=HandledForm,
            service=alarm_handle,
            is_offered=lambda alarm: alarm.handled_at is None,
            about=_("It stays on record. What to do about which alarm is in docs/operations.md."),
            not_now=_("Somebody has seen to it already."),
        ),
    )

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        return rows.filter(number=term)

    @admin.display(description=_("what was said"))
    def said(self, alarm: PaymentAlarm) -> str:
        return json.dumps(alarm.facts, ensure_ascii=False)

    def carry_out(self, step: Step, fact: Any, operator: Any, said: Any) -> Any:
        return step.service(alarm_id=fact.pk, operator=operator, **said)


@admin.register(Reconciliation)
class ReconciliationAdmin(SteppedAdmin):
    called = "account"
    list_display = (
        "day",
        "provider",
        "payments",
        money_column("paid_fen", _("paid")),
        "refunds",
        money_column("refunded_fen", _("refunded")),
        "differing",
        "compared_at",
    )
    fields = (*list_display, "runs")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset, False

    @admin.display(description=_("differences"))
    def differing(self, account: Reconciliation) -> int:
        return len(account.differences)

    def tables(self, fact: Any) -> Sequence[Table]:
        rows = [
            (one["what"], one["number"], one["ours"], one["theirs"]) for one in fact.differences
        ]
        headings = (gettext("what"), gettext("number"), gettext("ours"), gettext("theirs"))
        return (Table(gettext("Differences"), headings, rows),)
