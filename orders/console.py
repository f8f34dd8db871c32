"""Orders on the console's landing page: what waits for the merchant, for a worker, for somebody."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.models import Order
from orders.pending import OrderQueue, was_given_up
from orders.states import State
from shop.backoffice.search import NUMBER, finder
from shop.backoffice.today import Figure, Level, Part, age_words, count_words, few, level_of, panel

# Seconds that an order may be pending: a drain settles thousands in one.
LOOK_SECONDS = 10
ACT_SECONDS = 60


@panel("orders.order", _("orders"))
def to_do() -> Sequence[Part]:
    """Paid ones that wait for an answer, accepted ones that wait for a courier."""
    paid = few(Order.objects.filter(status=State.PAID))
    accepted = few(Order.objects.filter(status=State.ACCEPTED))
    return [
        Figure(
            _("to accept"),
            count_words(paid),
            level_of(paid, Level.LOOK),
            query={"status": State.PAID.value},
        ),
        Figure(
            _("to ship"),
            count_words(accepted),
            level_of(accepted, Level.LOOK),
            query={"status": State.ACCEPTED.value},
        ),
    ]


@panel("orders.order", _("pending orders"))
def pending() -> Sequence[Part]:
    """Those whose units are not taken yet."""
    waiting = few(Order.objects.filter(queue__isnull=False))
    seconds = OrderQueue().waited() if waiting else 0
    level = Level.ACT if seconds > ACT_SECONDS else level_of(seconds > LOOK_SECONDS, Level.LOOK)
    text = gettext("the oldest for %(age)s")
    return [
        Figure(
            _("pending orders"),
            count_words(waiting),
            level,
            more=text % {"age": age_words(seconds)} if waiting else "",
            query={"status": State.PENDING.value},
        )
    ]


@panel("orders.order", _("failed orders"))
def given_up() -> Sequence[Part]:
    """Those that failed of an error of ours, until an operator tries them again or drops them."""
    failed = few(Order.objects.filter(was_given_up()))
    return [
        Figure(
            _("failed of an error of ours"),
            count_words(failed),
            level_of(failed, Level.ACT),
            query={"look": "failed"},
        )
    ]


@finder("orders.order", NUMBER)
def by_number(term: str) -> QuerySet[Order]:
    """An order by its number."""
    return Order.objects.filter(order_no=term)
