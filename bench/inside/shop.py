"""Shoppers to buy with, ordinary SKUs to race for, and what the database and the server's own
metrics say afterwards."""

import time
import urllib.request
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from prometheus_client.parser import text_string_to_metric_families
from rest_framework_simplejwt.tokens import AccessToken

from bench.verdict import Tally
from goods.models import Goods, Sku
from goods.services import sku_create
from orders.models import Order, OrderLine
from shop.accounts.models import Address, User
from shop.pools.audit import audit
from shop.pools.models import Pool

# Longer than any run.
TOKEN_LIFETIME = timedelta(hours=2)
BATCH = 1_000
COMMITS = 200
# Until everything that was accepted is settled, at most.
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.02

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def write_shoppers(file: Path, *, count: int) -> None:
    """Makes `count` shoppers, each with an address, and writes their "token address" lines.

    Tokens are made here, so no log-in is part of any figure.
    """
    run = uuid4().hex[:8]
    User.objects.bulk_create(
        [User(username=f"bench-{run}-{n}") for n in range(count)], batch_size=BATCH
    )
    users = User.objects.filter(username__startswith=f"bench-{run}-").order_by("pk")
    Address.objects.bulk_create(
        [
            Address(user=user, name="林小满", phone="13800000000", region="杭州市", detail="龙井路")
            for user in users
        ],
        batch_size=BATCH,
    )
    lines = []
    for address in Address.objects.filter(user__in=users).select_related("user").order_by("pk"):
        token = AccessToken.for_user(address.user)
        token.set_exp(lifetime=TOKEN_LIFETIME)
        lines.append(f"{token} {address.pk}\n")
    file.write_text("".join(lines))


def users_of(file: Path) -> list[int]:
    """The users of a file of shoppers, in its order."""
    addresses = [int(line.split()[1]) for line in file.read_text().splitlines()]
    owners = dict(Address.objects.filter(pk__in=addresses).values_list("pk", "user_id"))
    return [owners[address] for address in addresses]


def fresh_sku(*, strategy: str, stock: int) -> Sku:
    """A new SKU on sale, its units taken by `strategy`."""
    return sku_create(
        goods=Goods.objects.order_by("pk")[0],
        code=f"BENCH-{uuid4().hex}",
        price_fen=12_800,
        strategy=strategy,
        stock=stock,
    )


def tally(sku: Sku, *, loaded: int) -> Tally:
    """What became of its `loaded` units, read in one statement, so in one snapshot."""
    lines = OrderLine.objects.filter(sku=OuterRef("pk")).order_by().values("sku")
    available, orders, units = (
        Sku.objects.filter(pk=sku.pk)
        .values_list(
            "pool__available",
            Coalesce(Subquery(lines.annotate(n=Count("order", distinct=True)).values("n")), 0),
            Coalesce(Subquery(lines.annotate(n=Sum("count")).values("n")), 0),
        )
        .get()
    )
    return Tally(loaded=loaded, available=available, orders=orders, units=int(units))


def wait_until_none(pending: QuerySet[Any]) -> int:
    """Waits until there are no such rows any more; returns how many there still are."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while left := pending.count():
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    return left


def lost(order_nos: Iterable[str]) -> int:
    """How many of the order numbers that clients were given the database does not hold; a number
    given twice counts as one lost order."""
    return not_stored(order_nos, Order.objects.all(), "order_no")


def not_stored(numbers: Iterable[str], rows: QuerySet[Any], column: str) -> int:
    """How many of `numbers` no row has in this column; one that is there twice counts once."""
    given = list(numbers)
    distinct = sorted(set(given))
    stored = sum(
        rows.filter(**{f"{column}__in": distinct[start : start + BATCH]}).count()
        for start in range(0, len(distinct), BATCH)
    )
    return len(given) - stored


def broken_promises() -> list[str]:
    """What the audit finds broken in the whole database: "number: row"."""
    return [f"{number}: {row}" for number, rows in audit().broken.items() for row in rows]


def retries(base: str) -> int:
    """Transactions run again since the start, by the server's own count."""
    return int(sum(_metric(base, "shop_transaction_retries_total").values()))


def answered(base: str, *, route: str) -> dict[str, int]:
    """How many requests to a route the web processes have answered, by status."""
    found: dict[str, int] = {}
    for labels, value in _metric(base, "shop_request_seconds_count").items():
        named = dict(labels)
        if named["route"] == route:
            found[named["status"]] = found.get(named["status"], 0) + int(value)
    return found


def _metric(base: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """A metric's value by its labels. One with labels is not there before its first count."""
    with _http.open(f"{base}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def commit_ms() -> float:
    """The median of how long a statement that commits itself takes, one after the other."""
    pool = Pool.objects.create(kind="bench", open=False)
    times = []
    for number in range(COMMITS):
        started = time.perf_counter()
        Pool.objects.filter(pk=pool.pk).update(per_user_limit=number)
        times.append(1000 * (time.perf_counter() - started))
    pool.delete()
    return median(times)
