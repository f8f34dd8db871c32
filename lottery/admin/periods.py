"""The pages of periods."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lottery import checking
from lottery.admin.links import ID, link
from lottery.asking import period_open_or_ask
from lottery.figures import ENTRY_FAILURES, Wait, moment_words, standing_words, standings
from lottery.forms import OpenForm
from lottery.live import WATCHED
from lottery.models import Entry, Period
from lottery.selectors import draw_due_at, is_now, periods_now, winner_name
from lottery.steps import PERIOD_STEPS
from shop.approvals.models import Proposal
from shop.backoffice.live import LiveAdmin
from shop.backoffice.money import amount
from shop.backoffice.steps import PlannedAdmin, Table
from shop.errors import InsufficientStock, Refusal
from shop.pools.figures import failures_among, gate_words, waiting_in


class StatusNowFilter(admin.SimpleListFilter):
    """By the state that holds now."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return Period.State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(is_now(self.value())) if self.value() else queryset


@admin.register(Period)
class PeriodAdmin(LiveAdmin, PlannedAdmin):
    steps = PERIOD_STEPS
    watched = WATCHED
    states = dict(Period.State.choices)
    called = "period"
    plan_form = OpenForm
    plan_title = _("Open a period")
    plan_done = _("%(period)s is open.")
    list_display = (
        "id",
        "title_shown",
        "status_shown",
        "price_shown",
        "total_shares",
        "sold",
        "created_at",
        "ends_at",
        "drawn_at",
        "live",
    )
    list_filter = (StatusNowFilter, "scheme")
    search_fields = ("id", "sku__code")
    search_help_text = _("A period's id, or a whole SKU code.")
    fieldsets: Any = (
        (
            None,
            {
                "fields": (
                    "title_shown",
                    "sku",
                    "status_shown",
                    "waits",
                    "neighbours",
                    "auto_renew",
                )
            },
        ),
        (
            _("Shares"),
            {
                "fields": (
                    "total_shares",
                    "sold",
                    "left",
                    "minimum_shares",
                    "price_shown",
                    "takings",
                    "per_user_limit",
                    "first_number",
                )
            },
        ),
        (_("Entries"), {"fields": ("pending", "failed")}),
        (
            _("Draw"),
            {
                "fields": (
                    "scheme",
                    "beacon",
                    "public_number_source",
                    "commitment",
                    "terms",
                    "created_at",
                    "ends_at",
                    "closed_at",
                    "root",
                    "beacon_round",
                    "due_at",
                    "public_number_shown",
                    "drawn_at",
                    "number",
                    "winner_shown",
                    "prize_order_shown",
                )
            },
        ),
        (_("Units"), {"fields": ("placement", "strategy", "gate")}),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Period]:
        return periods_now()

    def found(self, rows: QuerySet[Period], term: str) -> QuerySet[Period]:
        return rows.filter(pk=term) if ID.fullmatch(term) else rows.filter(sku__code=term)

    # --- facts

    @admin.display(description=_("period"))
    def title_shown(self, period: Period) -> str:
        return str(period)

    @admin.display(description=_("status"))
    def status_shown(self, period: Any) -> str:
        return str(Period.State(period.status_now).label)

    @admin.display(description=_("what comes next"))
    def waits(self, period: Period) -> str:
        [(read, standing)] = standings(period)
        return standing_words(read, standing)

    @admin.display(description=_("before and after it"))
    def neighbours(self, period: Any) -> SafeString | str:
        ids = [pk for pk in (period.previous_id, period.next_id) if pk]
        links = [link("lottery_period_change", pk, pk) for pk in ids]
        return format_html(" ".join(["{}"] * len(links)), *links) if links else "-"

    @admin.display(description=_("shares sold"))
    def sold(self, period: Period) -> int:
        return period.pool.taken

    @admin.display(description=_("shares left"))
    def left(self, period: Period) -> int:
        return period.pool.available

    @admin.display(description=_("price of a share"))
    def price_shown(self, period: Period) -> str:
        return amount(period.share_price, period.currency)

    @admin.display(description=_("takings"))
    def takings(self, period: Period) -> str:
        """What wallets have paid: each share of it at its one price, which the audit compares with
        the ledger."""
        said = amount(period.pool.taken * period.share_price, period.currency)
        if period.status != Period.State.CANCELLED:
            return said
        [(_read, standing)] = standings(period)
        if standing.wait is Wait.MONEY:
            return gettext("%(amount)s, going back") % {"amount": said}
        return gettext("%(amount)s, gone back") % {"amount": said}

    @admin.display(description=_("shares per shopper"))
    def per_user_limit(self, period: Period) -> int | str:
        limit = period.pool.per_user_limit
        return gettext("no limit") if limit is None else limit

    @admin.display(description=_("pending entries"))
    def pending(self, period: Period) -> int:
        return waiting_in(Entry, [period.queue_id]).get(period.queue_id, 0)

    @admin.display(description=_("failed entries"))
    def failed(self, period: Period) -> str:
        seen = failures_among(Entry.objects.filter(period=period), labels=ENTRY_FAILURES)
        said = seen.causes() or gettext("none")
        if seen.all_seen:
            return said
        text = gettext("%(failed)s (of the newest %(count)d entries)")
        return text % {"failed": said, "count": seen.looked_at}

    @admin.display(description=_("its round is due at"))
    def due_at(self, period: Period) -> str:
        return moment_words(draw_due_at(period))

    @admin.display(description=_("public number"))
    def public_number_shown(self, period: Period) -> str:
        return "-" if period.public_number is None else f"{period.public_number:05d}"

    @admin.display(description=_("winner"))
    def winner_shown(self, period: Period) -> SafeString | str:
        if period.winner is None:
            return "-"
        words = f"{period.winner} ({winner_name(period)})"
        return link("lottery_entry_change", period.winner.pk, words)

    @admin.display(description=_("order of the prize"))
    def prize_order_shown(self, period: Period) -> SafeString | str:
        if period.prize_order is None:
            return "-"
        return link("orders_order_change", period.prize_order.pk, period.prize_order)

    @admin.display(description=_("strategy"))
    def strategy(self, period: Period) -> str:
        return str(period.pool.get_strategy_display())

    @admin.display(description=_("gate against database"))
    def gate(self, period: Period) -> str:
        return gate_words(period.pool)

    # --- pages

    def title_of(self, fact: Period) -> str:
        return gettext("Period %(number)d: %(title)s") % {"number": fact.pk, "title": fact}

    def standing(self, fact: Period) -> str:
        text = gettext("%(period)s, %(status)s: %(sold)d of %(total)d shares are sold.")
        return text % {
            "period": self.title_of(fact),
            "status": self.status_shown(fact),
            "sold": fact.pool.taken,
            "total": fact.total_shares,
        }

    def links(self, request: HttpRequest, fact: Period) -> Sequence[tuple["str | Promise", str]]:
        entries = reverse("admin:lottery_entry_changelist")
        links = [self.live_link(fact), (_("Entries"), f"{entries}?period={fact.pk}")]
        if fact.status == Period.State.DRAWN:
            verify = reverse("admin:lottery_period_verify", args=[fact.pk])
            links.append((_("Verify the draw"), verify))
        return links

    def begin(self, form: Any, operator: Any) -> Period | Proposal:
        reference = form.cleaned_data["reference"]
        return period_open_or_ask(form.plan(), operator=operator, reference=reference)

    def explain(self, form: forms.Form, refusal: Refusal) -> None:
        if isinstance(refusal, InsufficientStock):
            form.add_error("sku", gettext("None of it is in stock."))
        else:
            super().explain(form, refusal)

    def get_urls(self) -> list[URLPattern]:
        verify = path(
            "<path:object_id>/verify/",
            self.admin_site.admin_view(self.verify_view),
            name="lottery_period_verify",
        )
        return [verify, *super().get_urls()]

    def verify_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Runs the verifier on the proof of a draw and shows what it says; changes nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        period = self.get_object(request, unquote(object_id))
        if period is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if period.status != Period.State.DRAWN:
            messages.warning(request, gettext("There is no proof before the draw."))
            return self.page_of(period)
        checked = checking.draw_checked(period) if checking.is_small(period) else None
        return TemplateResponse(
            request,
            "admin/lottery/period/verify.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Verify the draw"),
                "fact": period,
                "original": period,
                "checked": checked,
                "table": checked
                and Table(
                    title="",
                    headings=(_("verdict"), _("step"), _("what was seen")),
                    rows=[(step.verdict, step.name, step.detail) for step in checked],
                ),
                "proof": request.build_absolute_uri(reverse("proof", args=[period.pk])),
                "period": period,
            },
        )
