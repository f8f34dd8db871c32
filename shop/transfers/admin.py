"""The log of files, for whoever looks after them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from shop.backoffice.facts import FactsAdmin
from shop.transfers.models import Transfer


@admin.register(Transfer)
class TransferAdmin(FactsAdmin):
    list_display = (
        *("created_at", "operator", "direction", "what", "file_format"),
        *("asked", "rows", "state"),
    )
    list_prefetch = ("operator",)
    list_filter = ("direction", "state")
    search_fields = ("operator__username",)
    search_help_text = _("A whole user name.")
    fields = list_display
    readonly_fields = fields

    def found(self, rows: QuerySet[Transfer], term: str) -> QuerySet[Transfer]:
        return rows.filter(operator__username=term)
