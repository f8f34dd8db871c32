"""Files of entries. Their numbers are not in them: until a draw they tell of its seed, and after it
the proof says them to everybody."""

from django.utils.translation import gettext_lazy as _
from import_export.resources import Resource

from lottery.models import Entry
from shop.transfers.columns import moment, text, whole
from shop.transfers.sheets import Sheet


class EntryColumns(Resource):
    id = whole("pk", _("id"))
    entry_no = text("entry_no", _("entry number"))
    user = text("user__username", _("user"))
    period_id = whole("period_id", _("period"))
    prize = text("period__prize_title", _("prize"))
    status = text("get_status_display", _("status"))
    failure = text("failure", _("failure"))
    wanted = whole("wanted", _("shares wanted"))
    got = whole("shares__count", _("shares got"))
    currency = text("period__currency", _("currency"))
    cost = whole("shares__cost", _("paid (fen or points)"))
    created_at = moment("created_at", _("bought at"))


ENTRIES = Sheet(
    name="entries",
    title=Entry._meta.verbose_name_plural or "",
    columns=EntryColumns,
    prefetch=("user", "period", "shares"),
)
