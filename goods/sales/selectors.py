"""Flash sales as they stand now. Time is a predicate: a sale runs from its start to its end by the
database's clock, whatever beat has done about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.db.models.functions import Now

from goods.models import in_reader_language
from goods.sales.models import FlashSale
from shop.errors import NotFound
from shop.lately import Lately
from shop.pools.kinds import GateTerms, Rate
from shop.statements import Select


class Status(StrEnum):
    """A sale to those who look at it."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    SOLD_OUT = "sold_out"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """A sale as one read of the database showed it at `read_at`, by the database's clock."""

    sale_id: int
    sku_id: int
    goods_title: str
    goods_title_en: str
    spec: str
    price_fen: int
    starts_at: datetime
    ends_at: datetime
    paused: bool
    protection: str
    placement: str
    concurrency_limit: int | None
    queue_id: int
    pool_id: int
    per_user_limit: int | None
    strategy: str
    gated: bool
    available: int
    is_open: bool
    read_at: datetime

    @property
    def reader_title(self) -> str:
        """The goods' title in the language of whoever reads now."""
        return in_reader_language(self.goods_title, self.goods_title_en)


_terms = Select(
    lambda pk: FlashSale.objects.filter(pk=pk).values_list(
        "pk",
        "sku_id",
        "sku__goods__title",
        "sku__goods__title_en",
        "sku__spec",
        "price_fen",
        "starts_at",
        "ends_at",
        "paused",
        "protection",
        "placement",
        "concurrency_limit",
        "queue_id",
        "pool_id",
        "pool__per_user_limit",
        "pool__strategy",
        "pool__gated",
        "pool__available",
        "pool__open",
        Now(),
    )
)


def sale_terms(sale_id: int) -> SaleTerms:
    """The sale as it stands. Raises NotFound."""
    row = _terms.row(sale_id)
    if row is None:
        raise NotFound
    return SaleTerms(*row)


# A gated sale as it stood a moment ago at most; any other as it stands. What changes within the
# moment (a pause, an end, the last unit) the gate knows at once.
sale_terms_lately = Lately(sale_terms, may_be_old=lambda terms: terms.gated)


def sales_now() -> QuerySet[FlashSale]:
    """All sales, each with `status_now` and `db_now`."""
    return FlashSale.objects.select_related("pool", "sku__goods").annotate(
        db_now=Now(),
        status_now=Case(
            When(Q(ends_at__lte=Now()) | Q(pool__open=False), then=Value(Status.ENDED.value)),
            When(paused=True, then=Value(Status.PAUSED.value)),
            When(starts_at__gt=Now(), then=Value(Status.SCHEDULED.value)),
            When(pool__available__lte=0, then=Value(Status.SOLD_OUT.value)),
            default=Value(Status.RUNNING.value),
            output_field=CharField(),
        ),
    )


def sales_page(*, status: str | None = None) -> QuerySet[FlashSale]:
    """The sales that shoppers see, those that end last first; `status`: only those."""
    sales = _shown().order_by("-ends_at", "-pk")
    return sales.filter(status_now=status) if status else sales  # type: ignore[misc]


def sale_get(sale_id: int) -> FlashSale:
    """One sale as it stands now. Raises NotFound."""
    sale = _shown().filter(pk=sale_id).first()
    if sale is None:
        raise NotFound
    return sale


def _shown() -> QuerySet[FlashSale]:
    """As `sales_now`, with the pictures of what is sold."""
    return sales_now().prefetch_related("sku__goods__images")


def gate_terms(pool_id: int) -> GateTerms:
    """The terms of the sale that has this pool, as its gate needs them."""
    sale = FlashSale.objects.select_related("pool").get(pool_id=pool_id)

    def rate(count: int | None, window: str) -> Rate | None:
        return Rate(count, settings.SALE_RATE_SECONDS[window]) if count else None

    return GateTerms(
        opens_at=sale.starts_at,
        closes_at=sale.ends_at,
        paused=sale.paused,
        per_user_limit=sale.pool.per_user_limit,
        user_rate=rate(sale.rate_per_user, "user"),
        address_rate=rate(sale.rate_per_address, "address"),
        all_rate=rate(sale.rate_in_all, "all"),
    )
