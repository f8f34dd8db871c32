"""What came in by the hour, for operators: sums to read."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from orders.takings.models import Hour
from shop.backoffice.facts import FactsAdmin
from shop.backoffice.money import money_column


@admin.register(Hour)
class HourAdmin(FactsAdmin):
    list_display = (
        "starts_at",
        "placed",
        "paid",
        money_column("paid_fen", _("paid")),
        money_column("refunded_fen", _("to go back")),
    )
    fields = list_display
    readonly_fields = list_display
    search_fields = ("starts_at",)
    search_help_text = _("A day, such as 2026-08-31.")

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        try:
            day = parse_date(term)
        except ValueError:  # well written, and no day of any month
            day = None
        if day is None:
            return rows.none()
        start = timezone.make_aware(datetime.combine(day, time.min))
        return rows.filter(starts_at__gte=start, starts_at__lt=start + timedelta(days=1))
