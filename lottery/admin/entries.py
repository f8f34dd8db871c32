"""The pages of entries."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from lottery.admin.links import ID, link
from lottery.exports import ENTRIES
from lottery.figures import ENTRY_FAILURES
from lottery.models import Entry, Period
from lottery.numbers import numbers_of
from lottery.selectors import shares_of
from lottery.steps import DROP, ENTRY_STEPS, RETRY
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.facts import GivenUpFilter
from shop.backoffice.money import amount
from shop.backoffice.steps import SteppedAdmin
from shop.pools.figures import failure_words, waits_words
from shop.pools.waiting import is_given_up

ENTRY_NO = re.compile(r"[0-9]{24}", re.ASCII)
# Numbers of an entry that its page names.
NUMBERS_NAMED = 20


class PeriodFilter(admin.SimpleListFilter):
    """By the period whose id the address names; its page links here."""

    title = _("period")
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        period_id = request.GET.get(self.parameter_name, "")
        return [(period_id, period_id)] if ID.fullmatch(period_id) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(period=self.value()) if self.value() else queryset


class StatusInPeriodFilter(admin.SimpleListFilter):
    """By the state, within one period: over all of them no index finds it."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return Entry.State.choices if request.GET.get(PeriodFilter.parameter_name) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class GivenUpEntries(GivenUpFilter):
    """Of periods that are open: elsewhere trying again is in vain, and nobody has paid."""

    def given_up(self) -> Q:
        # Read first, so that the index over period and state finds them.
        periods = list(Period.objects.filter(status=Period.State.OPEN).values_list("pk", flat=True))
        return is_given_up() & Q(period__in=periods)


@admin.register(Entry)
class EntryAdmin(ExportedAdmin, SteppedAdmin):
    sheets = (ENTRIES,)
    export_permission = "export_entry"
    export_day = "created_at"
    steps = ENTRY_STEPS
    called = "entry"
    list_display = ("entry_no", "user", "period", "status", "wanted", "got", "created_at")
    list_prefetch = ("user", "period", "shares")
    list_filter = (PeriodFilter, GivenUpEntries, StatusInPeriodFilter)
    search_fields = ("entry_no", "user__username")
    search_help_text = _("A whole entry number or a whole user name.")
    actions = ("retry_ticked", "drop_ticked")
    fields = (
        "entry_no",
        "user",
        "period_shown",
        "status",
        "waits",
        "failure_shown",
        "wanted",
        "allow_partial",
        "got",
        "cost",
        "numbers",
        "created_at",
        "retried_at",
    )
    readonly_fields = fields

    def found(self, rows: QuerySet[Entry], term: str) -> QuerySet[Entry]:
        if ENTRY_NO.fullmatch(term):
            return rows.filter(entry_no=term)
        return rows.filter(user__username=term)

    # --- facts

    @admin.display(description=_("period"))
    def period_shown(self, entry: Entry) -> SafeString:
        return link("lottery_period_change", entry.period_id, entry.period)

    @admin.display(description=_("queue"))
    def waits(self, entry: Entry) -> str:
        return waits_words(entry)

    @admin.display(description=_("failure"))
    def failure_shown(self, entry: Entry) -> str:
        return failure_words(entry, labels=ENTRY_FAILURES)

    @admin.display(description=_("shares got"))
    def got(self, entry: Entry) -> int:
        shares = shares_of(entry)
        return shares.count if shares else 0

    @admin.display(description=_("paid"))
    def cost(self, entry: Entry) -> str:
        shares = shares_of(entry)
        return amount(shares.cost, entry.period.currency) if shares else "-"

    @admin.display(description=_("numbers"))
    def numbers(self, entry: Entry) -> str:
        """Once it is drawn: until then they tell of the seed, and are their shopper's business."""
        shares = shares_of(entry)
        if shares is None or entry.period.status != Period.State.DRAWN:
            return "-"
        named = min(shares.count, NUMBERS_NAMED)
        numbers = numbers_of(entry.period).numbers(shares.first, named)
        said = ", ".join(str(number) for number in numbers)
        more = shares.count - named
        return said + (gettext(" and %(count)d more") % {"count": more} if more else "")

    # --- pages

    def standing(self, fact: Entry) -> str:
        text = gettext("Entry %(entry)s, %(status)s.")
        return text % {"entry": fact, "status": fact.get_status_display()}

    @admin.action(description=_("Try the ticked entries again"), permissions=["operate"])
    def retry_ticked(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        done = self.each_ticked(request, queryset, RETRY)
        if done:
            text = ngettext(
                "%(count)d entry is back in its queue.",
                "%(count)d entries are back in their queues.",
                done,
            )
            messages.success(request, text % {"count": done})

    @admin.action(description=_("Drop the ticked entries"), permissions=["operate"])
    def drop_ticked(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        done = self.each_ticked(request, queryset, DROP)
        if done:
            text = ngettext("%(count)d entry is dropped.", "%(count)d entries are dropped.", done)
            messages.success(request, text % {"count": done})
