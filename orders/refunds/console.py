"""Refunds that wait for an operator, on the console's landing page."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.refunds.models import RefundRequest
from shop.backoffice.search import NUMBER, finder
from shop.backoffice.today import Figure, Level, Part, age_words, count_words, few, level_of, panel
from shop.ops.health import age

# A shopper who has waited this long (seconds) waits too long.
ACT_SECONDS = 86_400


@panel("refunds.refundrequest", _("refunds to decide"))
def to_decide() -> Sequence[Part]:
    """Requests that nobody has answered, and since when the oldest waits."""
    asked = RefundRequest.objects.filter(status=RefundRequest.Status.REQUESTED)
    count = few(asked)
    seconds = age(asked.order_by("pk"), "created_at") if count else 0
    text = gettext("the oldest for %(age)s")
    return [
        Figure(
            _("refunds to decide"),
            count_words(count),
            Level.ACT if seconds > ACT_SECONDS else level_of(count, Level.LOOK),
            more=text % {"age": age_words(seconds)} if count else "",
            query={"status__exact": RefundRequest.Status.REQUESTED.value},
        )
    ]


@finder("refunds.refundrequest", NUMBER)
def by_number(term: str) -> QuerySet[RefundRequest]:
    """A request by its number, which its refund has too."""
    return RefundRequest.objects.filter(refund_no=term)
