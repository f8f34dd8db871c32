"""The operators' log for operators: who did what to what, and when, with values before and after.

Nobody adds, edits or deletes an entry here, so nobody may delete an operator who has any.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.backoffice.facts import MOST_ROWS
from shop.backoffice.history import value_words
from shop.backoffice.search import find_rows
from shop.backoffice.steps import SteppedAdmin
from shop.backoffice.tables import Table
from shop.operators_log import values_in, words_of

LINK = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'
# Django's log counts no further.
MOST_ID = 2**31 - 1


class DayFilter(admin.SimpleListFilter):
    """By when it was done; a day of its own is `?day=2026-08-31`. The index over it says with which
    id a day begins, and ids ascend with time: so the newest come first without sorting the rest."""

    title = _("when")
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        fixed = [("1", _("today")), ("7", _("the last 7 days")), ("30", _("the last 30 days"))]
        asked = request.GET.get(self.parameter_name, "")
        return [*fixed, (asked, asked)] if _day(asked) else fixed

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value() or ""
        if asked in ("1", "7", "30"):
            first = timezone.localdate() - timedelta(days=int(asked) - 1)
            return queryset.filter(pk__gte=_first_id(first))
        if day := _day(asked):
            return queryset.filter(
                pk__gte=_first_id(day), pk__lt=_first_id(day + timedelta(days=1))
            )
        return queryset


def _day(text: str) -> Any:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return None


def _first_id(day: Any) -> int:
    """The id of the first entry of that day or a later one; beyond all where there is none."""
    start = timezone.make_aware(datetime.combine(day, time.min))
    later = LogEntry.objects.filter(action_time__gte=start).order_by("action_time", "pk")
    first: int | None = later.values_list("pk", flat=True).first()
    return MOST_ID if first is None else first


@admin.register(LogEntry)
class LogAdmin(SteppedAdmin):
    called = "entry"
    list_display = ("action_time", "user", "kind", "object_repr", "what", "values")
    list_display_links = ("action_time",)
    list_prefetch = ("user", "content_type")
    list_filter = (DayFilter, "action_flag")
    search_fields = ("user__username",)
    search_help_text = _(
        "A whole name of an operator; or a whole number, code or name of what it was done to."
    )
    fields = ("action_time", "user", "action_flag", "kind", "object_shown", "what")
    readonly_fields = (*fields, "values")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """There is nothing to do to an entry, whatever rights somebody has been given."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("admin.view_logentry"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # Each through an index of its own, rather than an OR that would be none: what the term
        # names, what it was the name of when that was done, and who did it.
        about = list(queryset.filter(object_repr=term).values_list("pk", flat=True)[:MOST_ROWS])
        for row in find_rows(request, term):
            kind = ContentType.objects.get_for_model(row)
            done = queryset.filter(content_type=kind, object_id=str(row.pk))
            about += done.values_list("pk", flat=True)[:MOST_ROWS]
        return queryset.filter(Q(pk__in=about) | Q(user__in=_operators(term))), False

    @admin.display(description=_("kind"))
    def kind(self, entry: LogEntry) -> str:
        return str(entry.content_type.name) if entry.content_type else "-"

    @admin.display(description=_("what"))
    def what(self, entry: LogEntry) -> str:
        return words_of(entry)

    @admin.display(description=_("values"))
    def values(self, entry: LogEntry) -> str:
        """How many there are: the page of the entry has them."""
        return str(len(values_in(entry)) or "")

    @admin.display(description=_("done to"))
    def object_shown(self, entry: LogEntry) -> SafeString | str:
        try:
            page = entry.get_admin_url()
        except NoReverseMatch:
            page = None
        if page is None or entry.is_deletion():
            return entry.object_repr
        return format_html(LINK, page, entry.object_repr)

    def title_of(self, fact: LogEntry) -> str:
        return f"{fact.object_repr} {timezone.localtime(fact.action_time):%Y-%m-%d %H:%M}"

    def tables(self, fact: LogEntry) -> Sequence[Table]:
        rows = [
            (*((row,) if named else ()), gettext(field), value_words(before), value_words(after))
            for named in [any(value[0] for value in values_in(fact))]
            for row, field, before, after in values_in(fact)
        ]
        headings = [gettext("field"), gettext("before"), gettext("after")]
        if rows and len(rows[0]) > len(headings):
            headings = [gettext("of"), *headings]
        return [Table(gettext("Values"), headings, rows, gettext("No value was changed."))]


def _operators(term: str) -> list[int]:
    users = LogEntry._meta.get_field("user").remote_field.model
    return list(users.objects.filter(username=term).values_list("pk", flat=True))
