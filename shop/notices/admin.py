"""Notices for operators: facts to read; and what was given up: send it again, or lay it aside."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from shop.backoffice.facts import FactsAdmin, ticked
from shop.errors import Refusal
from shop.notices import services
from shop.notices.events import EVENTS
from shop.notices.models import Notice


@admin.register(Notice)
class NoticeAdmin(FactsAdmin):
    list_display = (
        "created_at",
        "event_shown",
        "subject",
        "user",
        "channel",
        "state",
        "attempts",
        "failure",
        "due_at",
        "delivered_at",
    )
    list_prefetch = ("user",)
    list_filter = ("state",)
    search_fields = ("subject", "user__username")
    search_help_text = _("A whole number of what it is about, or a whole user name.")
    fields = (*list_display, "facts")
    readonly_fields = fields
    actions = ("replay_ticked", "drop_ticked")

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        about = list(rows.filter(subject=term).values_list("pk", flat=True))
        return rows.filter(pk__in=about) if about else rows.filter(user__username=term)

    @admin.display(description=_("event"))
    def event_shown(self, notice: Notice) -> str:
        event = EVENTS.get(notice.event)
        return str(event.title) if event else notice.event

    @admin.action(description=_("Send the ticked notices again"), permissions=["operate"])
    def replay_ticked(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        if done := self._each(request, queryset, services.notice_replay):
            text = ngettext(
                "%(count)d notice is due again.", "%(count)d notices are due again.", done
            )
            messages.success(request, text % {"count": done})

    @admin.action(description=_("Lay the ticked notices aside"), permissions=["operate"])
    def drop_ticked(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        if done := self._each(request, queryset, services.notice_drop):
            text = ngettext(
                "%(count)d notice is laid aside.", "%(count)d notices are laid aside.", done
            )
            messages.success(request, text % {"count": done})

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Notice], step: Callable[..., bool]
    ) -> int:
        done = 0
        for notice in ticked(request, queryset):
            try:
                is_done = step(notice, operator=request.user)
            except Refusal as refusal:
                messages.error(request, f"{notice}: {refusal.detail}")
                continue
            done += is_done
            if not is_done:
                text = gettext("%(notice)s was not given up: nothing is to be done.")
                messages.warning(request, text % {"notice": notice})
        return done
