"""A rehearsal's view of the shop from inside: shoppers to play with, and what the database says.

The load itself comes over HTTP only. What is read here is read by plain statements on the side; it
takes no lock and changes nothing but the shoppers that it makes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import Error, connection
from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from rest_framework_simplejwt.tokens import AccessToken

from goods.sales.models import FlashSale, Protection
from goods.sales.tokens import sale_token_issue
from orders.models import Order, OrderLine, OrderMove
from orders.rehearsal.journal import StoredOrder
from orders.rehearsal.verdict import Stock
from orders.states import State
from shop.accounts.models import User
from shop.pools.models import Movement, Pool, PoolMovement

BATCH = 1_000
# What stands where a password would: nobody can log in with it. The same for all, since making one
# each would take longer than the sale.
NO_PASSWORD = make_password(None)


@dataclass(frozen=True, slots=True)
class Sale:
    """What a rehearsal needs to know of a sale that the API does not tell."""

    pk: int
    pool_id: int
    queue_id: int
    placement: str
    protected: bool
    by_picture: bool
    limits_address: bool


def sale_read(sale_id: int) -> Sale:
    """Raises FlashSale.DoesNotExist."""
    sale = FlashSale.objects.get(pk=sale_id)
    return Sale(
        pk=sale.pk,
        pool_id=sale.pool_id,
        queue_id=sale.queue_id,
        placement=sale.placement,
        protected=sale.protection != Protection.NONE,
        by_picture=sale.protection == Protection.CAPTCHA,
        limits_address=sale.rate_per_address is not None,
    )


@dataclass(frozen=True, slots=True)
class Shopper:
    """A made-up user and an access token that outlives the rehearsal."""

    user: int
    username: str
    access: str


def shoppers_make(
    run: str,
    *,
    numbers: range,
    lifetime: timedelta,
    progress: Callable[[int], object] = lambda more: None,
) -> list[Shopper]:
    """Makes a user `rehearsal-<run>-<n>` for each of `numbers`, without a password, and logs them
    in for `lifetime`.

    Tokens are made here, so no log-in is part of any figure. `progress` is told how many more
    there are now.
    """
    shoppers: list[Shopper] = []
    for start in range(0, len(numbers), BATCH):
        names = [f"{prefix(run)}{n}" for n in numbers[start : start + BATCH]]
        User.objects.bulk_create(
            [User(username=name, nickname="rehearsal", password=NO_PASSWORD) for name in names]
        )
        # Not every database tells the ids of rows inserted together.
        users = {user.username: user for user in User.objects.filter(username__in=names)}
        for name in names:
            token = AccessToken.for_user(users[name])
            token.set_exp(lifetime=lifetime)
            shoppers.append(Shopper(users[name].pk, name, str(token)))
        progress(len(names))
    return shoppers


def prefix(run: str) -> str:
    """How the user names and idempotency keys of a rehearsal begin."""
    return f"rehearsal-{run}-"


def sale_token(sale_id: int) -> Callable[[int], str]:
    """What hands a user (by id) a token of the sale without a picture: no program reads those."""
    return lambda user_id: sale_token_issue(user_id=user_id, sale_id=sale_id).token


class Books:
    """The sale's pool and the rehearsal's orders, as the database has them at any moment."""

    def __init__(self, sale: Sale, run: str) -> None:
        self._sale = sale
        self._prefix = prefix(run)
        movements = PoolMovement.objects.filter(pool_id=sale.pool_id)
        self._last_movement = movements.aggregate(last=Coalesce(Max("pk"), 0))["last"]
        self.before = self.available()

    def available(self) -> int:
        """Units that the pool has left."""
        return Pool.objects.values_list("available", flat=True).get(pk=self._sale.pool_id)

    def pending(self) -> int:
        """Orders of the sale, anybody's, whose units are not taken yet."""
        return Order.objects.filter(queue=self._sale.queue_id).count()

    def settled(self) -> int:
        """Units that orders of this rehearsal got, whatever became of them afterwards."""
        lines = OrderLine.objects.filter(order__in=self._orders())
        return int(lines.aggregate(units=Coalesce(Sum("count"), 0))["units"])

    def stored(self) -> list[StoredOrder]:
        """Every order of this rehearsal."""
        columns = ("idempotency_key", "order_no", "status", "failure")
        return [StoredOrder(*row) for row in self._orders().values_list(*columns)]

    def settle_ms(self) -> list[float]:
        """How long (ms) each order of this rehearsal that waited for its units waited in the shop,
        by the shop's clocks."""
        moves = OrderMove.objects.filter(
            order__in=self._orders(), source=State.PENDING, target__in=[State.UNPAID, State.PAID]
        )
        waits = moves.values_list("order__created_at", "created_at")
        return [1000 * (moved - placed).total_seconds() for placed, moved in waits]

    def stock(self) -> Stock:
        """Where the units of the sale's pool went since the start."""
        since = PoolMovement.objects.filter(pool_id=self._sale.pool_id, pk__gt=self._last_movement)
        back = Q(kind=Movement.GIVE_BACK)
        other = ~Q(kind__in=[Movement.TAKE, Movement.GIVE_BACK])
        sums = since.aggregate(
            back=Coalesce(Sum("delta", filter=back), 0),
            added=Coalesce(Sum("delta", filter=other), 0),
        )
        return Stock(
            before=self.before,
            after=self.available(),
            back=int(sums["back"]),
            added=int(sums["added"]),
            sold=self.settled(),
        )

    def _orders(self) -> QuerySet[Order]:
        return Order.objects.filter(sale=self._sale.pk, idempotency_key__startswith=self._prefix)


def database_version() -> str:
    """Which database it is, for the page."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if _is_sqlite() else "SELECT VERSION()")
        version = cursor.fetchone()[0]
    return f"SQLite {version}" if _is_sqlite() else str(version)


def asked(question: Callable[[], int]) -> int | None:
    """The answer, or None where the database is not there; the next question finds it again."""
    try:
        return question()
    except Error:
        connection.close()
        return None


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"
