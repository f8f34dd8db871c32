"""Red packets and grabs for operators: facts to read, and one step each that calls a service.

No form has a field for an amount, a state or a counter, and the seed is on no page.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lottery.packets import services
from lottery.packets.models import ID_LENGTH, Grab, Packet
from lottery.packets.selectors import grabbed_fen
from lottery.packets.shown import Status, packet_status
from shop.backoffice import Step, SteppedAdmin, money, money_column
from shop.errors import Ended, Refusal, SoldOut
from shop.errors import PermissionDenied as Disabled
from shop.forms import ConfirmForm
from shop.pools.waiting import INTERNAL

STATUS_LABELS: Mapping[Status, "str | Promise"] = {
    Status.OPEN: _("open"),
    Status.FINISHED: _("finished"),
    Status.EXPIRED: _("expired"),
}
FAILURE_LABELS: Mapping[str, "str | Promise"] = {
    SoldOut.code: _("none was left"),
    Ended.code: _("the packet was over"),
    Disabled.code: _("user is disabled"),
    INTERNAL: _("error of ours"),
}
PUBLIC_ID = re.compile(f"[A-Za-z0-9_-]{{{ID_LENGTH}}}")

EXPIRE = Step(
    name="expire",
    title=_("Expire now"),
    about=_(
        "Nobody can grab from it any more. What waits is settled, then what nobody got goes back to"
        " the sender. A packet that is over can't be opened again."
    ),
    done=_("The packet is over."),
    form=ConfirmForm,
    service=services.packet_end,
    is_offered=lambda packet: packet.ended_at is None,
)
RETRY = Step(
    name="retry",
    title=_("Try again"),
    about=_("The grab waits once more, behind those that wait already."),
    done=_("The grab waits to be settled."),
    form=ConfirmForm,
    service=services.grab_retry,
    is_offered=lambda grab: grab.failure == INTERNAL,
)


class SteppedFacts(SteppedAdmin):
    """Facts whose steps ask nothing but to be confirmed."""

    def step_view(self, request: HttpRequest, object_id: str, step: Step) -> HttpResponseBase:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        fact: Any = self.get_object(request, unquote(object_id))
        if fact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        form = step.form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                step.service(fact, operator=request.user)
            except Refusal as refusal:
                messages.error(request, str(refusal.detail))
            else:
                messages.success(request, str(step.done))
            return redirect(page, fact.pk)
        return TemplateResponse(
            request,
            "admin/packets/step.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": step.title,
                "about": step.about,
                "fact": fact,
                "form": form,
            },
        )


@admin.register(Packet)
class PacketAdmin(SteppedFacts):
    steps = (EXPIRE,)
    change_form_template = "admin/packets/change_form.html"
    list_display = (
        "public_id",
        "user",
        money_column("total_fen", _("total")),
        "count",
        "grabbed",
        "status_shown",
        "created_at",
        "expires_at",
    )
    list_prefetch = ("user", "pool")
    search_fields = ("public_id", "user__username")
    search_help_text = _("A whole id of a packet or a whole user name.")
    fieldsets: Any = (  # the stubs know no callables as fields
        (None, {"fields": ("public_id", "user", "status_shown", "greeting")}),
        (
            _("Money"),
            {
                "fields": (
                    money_column("total_fen", _("total")),
                    "split",
                    "grabbed_money",
                    money_column("refunded_fen", _("refunded")),
                )
            },
        ),
        (_("Slots"), {"fields": ("count", "grabbed", "placement", "gated")}),
        (_("Time"), {"fields": ("created_at", "expires_at", "ended_at")}),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Packet]:
        return super().get_queryset(request).annotate(db_now=Now())

    def found(self, rows: QuerySet[Packet], term: str) -> QuerySet[Packet]:
        if PUBLIC_ID.fullmatch(term):
            return rows.filter(public_id=term)
        return rows.filter(user__username=term)

    @admin.display(description=_("status"))
    def status_shown(self, packet: Packet) -> str:
        return str(STATUS_LABELS[packet_status(packet, taken=packet.pool.taken)])

    @admin.display(description=_("grabbed"))
    def grabbed(self, packet: Packet) -> int:
        return packet.pool.taken

    @admin.display(description=_("grabbed"))
    def grabbed_money(self, packet: Packet) -> str:
        return money(grabbed_fen(packet))

    @admin.display(description=_("gate"), boolean=True)
    def gated(self, packet: Packet) -> bool:
        return packet.pool.gated


class GivenUpFilter(admin.SimpleListFilter):
    """What the drain gave up, through the index over failures."""

    title = _("to look after")
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [("failed", _("failed of an error of ours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grab]) -> QuerySet[Grab]:
        return queryset.filter(failure=INTERNAL) if self.value() == "failed" else queryset


class PacketFilter(admin.SimpleListFilter):
    """By the packet whose id the address names; its page links here."""

    title = _("red packet")
    parameter_name = "packet"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        public_id = request.GET.get(self.parameter_name, "")
        return [(public_id, public_id)] if PUBLIC_ID.fullmatch(public_id) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grab]) -> QuerySet[Grab]:
        return queryset.filter(packet__public_id=self.value())


@admin.register(Grab)
class GrabAdmin(SteppedFacts):
    steps = (RETRY,)
    change_form_template = "admin/packets/change_form.html"
    list_display = ("grab_no", "packet", "user", "status", "amount", "failure_shown", "created_at")
    list_prefetch = ("packet", "user", "slot")
    list_filter = (GivenUpFilter, PacketFilter)
    search_fields = ("packet__public_id", "user__username")
    search_help_text = _("A whole id of a packet or a whole user name.")
    fields = (
        "grab_no",
        "packet",
        "user",
        "status",
        "amount",
        "place",
        "failure_shown",
        "created_at",
    )
    readonly_fields = fields

    def found(self, rows: QuerySet[Grab], term: str) -> QuerySet[Grab]:
        if PUBLIC_ID.fullmatch(term):
            return rows.filter(packet__public_id=term)
        return rows.filter(user__username=term)

    @admin.display(description=_("amount"))
    def amount(self, grab: Grab) -> str:
        return money(grab.slot.amount_fen) if hasattr(grab, "slot") else "-"

    @admin.display(description=_("place"))
    def place(self, grab: Grab) -> int | str:
        """From 1, as people count."""
        return grab.slot.place + 1 if hasattr(grab, "slot") else "-"

    @admin.display(description=_("failure"))
    def failure_shown(self, grab: Grab) -> str:
        if not grab.failure:
            return "-"
        said = f"{FAILURE_LABELS.get(grab.failure, '')} ({grab.failure})".strip()
        if grab.failure != INTERNAL:
            return said
        text = gettext("; given up after %(count)d attempts, why is in the worker's log")
        return said + text % {"count": grab.attempts}
