"""Red packets and grabs for operators: facts to read, and few steps that call a service.

No form has a field for an amount, a state or a counter, and the seed is on no page.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lottery.packets import services
from lottery.packets.live import WATCHED
from lottery.packets.models import ID_LENGTH, Grab, Packet
from lottery.packets.selectors import grabbed_fen
from lottery.packets.shown import Status, packet_status
from shop.backoffice.facts import GivenUpFilter
from shop.backoffice.live import LiveAdmin
from shop.backoffice.money import money, money_column
from shop.backoffice.steps import Step, SteppedAdmin
from shop.errors import Ended, PermissionDenied, SoldOut
from shop.forms import ConfirmForm
from shop.pools.figures import failure_words, gate_words, waiting_in, waits_words
from shop.pools.waiting import INTERNAL, is_given_up

STATUS_LABELS: Mapping[Status, "str | Promise"] = {
    Status.OPEN: _("open"),
    Status.FINISHED: _("finished"),
    Status.EXPIRED: _("expired"),
}
FAILURE_LABELS: Mapping[str, "str | Promise"] = {
    SoldOut.code: _("no slot was left"),
    Ended.code: _("red packet was over"),
    PermissionDenied.code: _("user is disabled"),
    INTERNAL: _("error of ours"),
}
PUBLIC_ID = re.compile(f"[A-Za-z0-9_-]{{{ID_LENGTH}}}", re.ASCII)

EXPIRE = Step(
    name="expire",
    title=_("Expire now"),
    about=_(
        "Nobody can grab from it any more. What waits is settled, then what nobody got goes back to"
        " the sender. A red packet that is over can't be opened again."
    ),
    done=_("The red packet is over."),
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
DROP = Step(
    name="drop",
    title=_("Drop"),
    about=_("The grab stays failed. It is no longer listed as one to look after."),
    done=_("The grab stays failed, and is no longer one to look after."),
    form=ConfirmForm,
    service=services.grab_drop,
    is_offered=lambda grab: grab.failure == INTERNAL and grab.attempts > 0,
)


@admin.register(Packet)
class PacketAdmin(LiveAdmin):
    steps = (EXPIRE,)
    watched = WATCHED
    states = STATUS_LABELS
    called = "packet"
    list_display = (
        "public_id",
        "user",
        money_column("total_fen", _("total")),
        "count",
        "grabbed",
        "status_shown",
        "created_at",
        "expires_at",
        "live",
    )
    list_prefetch = ("user", "pool")
    search_fields = ("public_id", "user__username")
    search_help_text = _("A whole id of a red packet or a whole user name.")
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
        (_("Slots"), {"fields": ("count", "grabbed", "placement", "waiting", "gate")}),
        (_("Time"), {"fields": ("created_at", "expires_at", "ended_at")}),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Packet]:
        return super().get_queryset(request).annotate(db_now=Now())

    def found(self, rows: QuerySet[Packet], term: str) -> QuerySet[Packet]:
        if PUBLIC_ID.fullmatch(term):
            return rows.filter(public_id=term)
        return rows.filter(user__username=term)

    # --- facts

    @admin.display(description=_("status"))
    def status_shown(self, packet: Packet) -> str:
        return str(STATUS_LABELS[packet_status(packet, taken=packet.pool.taken)])

    @admin.display(description=_("slots grabbed"))
    def grabbed(self, packet: Packet) -> int:
        return packet.pool.taken

    @admin.display(description=_("money grabbed"))
    def grabbed_money(self, packet: Packet) -> str:
        return money(grabbed_fen(packet))

    @admin.display(description=_("pending grabs"))
    def waiting(self, packet: Packet) -> int:
        return waiting_in(Grab, [packet.queue_id]).get(packet.queue_id, 0)

    @admin.display(description=_("gate against database"))
    def gate(self, packet: Packet) -> str:
        return gate_words(packet.pool)

    # --- pages

    def standing(self, fact: Packet) -> str:
        text = gettext("Red packet %(packet)s, %(status)s: %(grabbed)d of %(count)d are grabbed.")
        return text % {
            "packet": fact,
            "status": self.status_shown(fact),
            "grabbed": fact.pool.taken,
            "count": fact.count,
        }

    def links(self, request: HttpRequest, fact: Packet) -> Sequence[tuple["str | Promise", str]]:
        address = reverse("admin:packets_grab_changelist")
        return [
            self.live_link(fact),
            (_("Grabs"), f"{address}?{PacketFilter.parameter_name}={fact}"),
        ]


class PacketFilter(admin.SimpleListFilter):
    """By the red packet whose id the address names; its page links here."""

    title = _("red packet")
    parameter_name = "packet"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        public_id = request.GET.get(self.parameter_name, "")
        return [(public_id, public_id)] if PUBLIC_ID.fullmatch(public_id) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grab]) -> QuerySet[Grab]:
        return queryset.filter(packet__public_id=self.value())


class GivenUpGrabs(GivenUpFilter):
    """Through the index over failures."""

    def given_up(self) -> Q:
        return is_given_up()


@admin.register(Grab)
class GrabAdmin(SteppedAdmin):
    steps = (RETRY, DROP)
    called = "grab"
    list_display = ("grab_no", "packet", "user", "status", "amount", "failure_shown", "created_at")
    list_prefetch = ("packet", "user", "slot")
    list_filter = (PacketFilter, GivenUpGrabs)
    search_fields = ("packet__public_id", "user__username")
    search_help_text = _("A whole id of a red packet or a whole user name.")
    fields = (
        "grab_no",
        "packet",
        "user",
        "status",
        "waits",
        "failure_shown",
        "amount",
        "place",
        "created_at",
    )
    readonly_fields = fields

    def found(self, rows: QuerySet[Grab], term: str) -> QuerySet[Grab]:
        if PUBLIC_ID.fullmatch(term):
            return rows.filter(packet__public_id=term)
        return rows.filter(user__username=term)

    # --- facts

    @admin.display(description=_("queue"))
    def waits(self, grab: Grab) -> str:
        return waits_words(grab)

    @admin.display(description=_("failure"))
    def failure_shown(self, grab: Grab) -> str:
        return failure_words(grab, labels=FAILURE_LABELS)

    @admin.display(description=_("amount"))
    def amount(self, grab: Grab) -> str:
        return money(grab.slot.amount_fen) if hasattr(grab, "slot") else "-"

    @admin.display(description=_("place"))
    def place(self, grab: Grab) -> int | str:
        """From 1, as people count."""
        return grab.slot.place + 1 if hasattr(grab, "slot") else "-"

    # --- pages

    def standing(self, fact: Grab) -> str:
        text = gettext("Grab %(grab)s, %(status)s.")
        return text % {"grab": fact, "status": fact.get_status_display()}
