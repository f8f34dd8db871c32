"""Django's page "history" of a row, with the values that the operators' log has."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from shop.backoffice.tables import Table
from shop.operators_log import values_in, words_of


class HistoryAdmin(ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Shows words and values where Django names the fields alone."""

    object_history_template = "admin/shop/history.html"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page = super().history_view(request, object_id, extra_context)
        if isinstance(page, TemplateResponse) and page.context_data is not None:
            entries = page.context_data["action_list"]
            page.context_data["table"] = Table(
                "",
                [gettext("when"), gettext("operator"), gettext("what"), gettext("values")],
                [
                    (entry.action_time, entry.user, words_of(entry), values_line(entry))
                    for entry in entries
                ],
                gettext("No operator has done anything to it."),
            )
        return page


def values_line(entry: LogEntry) -> str:
    """Fields, before and after in one line."""
    return "; ".join(
        f"{f'{row}: ' if row else ''}{gettext(field)}: {value_words(before)} → {value_words(after)}"
        for row, field, before, after in values_in(entry)
    )


def value_words(value: Any) -> str:
    """A stored value as operators read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(value)
