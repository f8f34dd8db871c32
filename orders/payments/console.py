"""Money on its way back, on the console's landing page."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.payments.models import Payment, Refund
from shop.backoffice.search import NUMBER, finder
from shop.backoffice.today import (
    MOST,
    Figure,
    Level,
    Part,
    age_words,
    count_words,
    few,
    level_of,
    panel,
)

# Seconds that a provider may take: each is told again and again.
LOOK_SECONDS = 3600


@panel("payments.refund", _("refunds"))
def refunds() -> Sequence[Part]:
    """Those a provider has not done yet, and those that it won't."""
    pending = Refund.objects.filter(status=Refund.Status.PENDING)
    # Not ordered by age, which would sort them all: no index has it.
    ages = [now - at for at, now in pending.values_list("created_at", Now())[:MOST]]
    seconds = max(ages).total_seconds() if ages else 0
    failed = few(Refund.objects.filter(status=Refund.Status.FAILED))
    text = gettext("the oldest for %(age)s")
    return [
        Figure(
            _("refunds on the way"),
            count_words(len(ages)),
            level_of(seconds > LOOK_SECONDS, Level.LOOK),
            more=text % {"age": age_words(seconds)} if ages else "",
            query={"status__exact": Refund.Status.PENDING.value},
        ),
        Figure(
            _("refunds that a provider does not do"),
            count_words(failed),
            level_of(failed, Level.ACT),
            query={"status__exact": Refund.Status.FAILED.value},
        ),
    ]


@finder("payments.payment", NUMBER)
def payment_by_number(term: str) -> QuerySet[Payment]:
    """A payment, or a top-up, by its number."""
    return Payment.objects.filter(payment_no=term)


@finder("payments.refund", NUMBER)
def refund_by_number(term: str) -> QuerySet[Refund]:
    """A refund by its number."""
    return Refund.objects.filter(refund_no=term)
