"""Alarms about money, on the console's landing page."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from orders.payments.oversight.models import PaymentAlarm
from shop.backoffice.search import finder
from shop.backoffice.today import Figure, Level, Part, count_words, few, level_of, panel


@panel("oversight.paymentalarm", _("payment alarms"))
def alarms() -> Sequence[Part]:
    """Those that nobody has seen to."""
    count = few(PaymentAlarm.objects.filter(handled_at__isnull=True))
    return [
        Figure(
            _("payment alarms to see to"),
            count_words(count),
            level_of(count, Level.ACT),
            query={"open": "1"},
        )
    ]


@finder("oversight.paymentalarm")
def by_number(term: str) -> QuerySet[PaymentAlarm]:
    """Alarms about the payment or refund of this number, the shop's or not; the newest first."""
    return PaymentAlarm.objects.filter(number=term).order_by("-pk")
