"""Checkout of one hot SKU by each strategy, beside the yardstick."""

from bench.checkout import STRATEGIES, Cell, Checkout
from bench.inside import counts, shop
from bench.load import Purchases, checkout
from bench.measuring.bench import Bench, progress

SHOPPERS = 500
WARM_UP_SECONDS = 2
# More than anyone can buy in a timed run, so that nothing but the shop limits it.
HOT_STOCK = 10_000_000
RUSH_STOCK, RUSH_REQUESTS = 100, 400


def measure(bench: Bench) -> Checkout:
    """For each number of clients the yardstick, checkout by each strategy, the yardstick again:
    figures that are compared are measured close together."""
    sku = shop.fresh_sku(strategy="", stock=HOT_STOCK)
    statements = counts.checkout_statements(bench.base, shoppers=bench.shoppers(SHOPPERS), sku=sku)
    yardsticks, cells = [], []
    for clients in bench.clients:
        before = bench.yardstick(clients)
        cells += [cell(bench, strategy, clients) for strategy in STRATEGIES]
        yardsticks.append(bench.yardsticks(clients, before))
    return Checkout(yardsticks, cells, statements)


def cell(bench: Bench, strategy: str, clients: int) -> Cell:
    """Checkout by one strategy at one number of clients, and the rush after it."""
    name = bench.run(strategy, clients)
    hot = shop.fresh_sku(strategy=strategy, stock=HOT_STOCK)
    scarce = shop.fresh_sku(strategy=strategy, stock=RUSH_STOCK)

    def orders(sku_id: int, run: str) -> Purchases:
        return checkout(
            bench.shoppers(SHOPPERS),
            sku_id=sku_id,
            run=f"{name}-{run}",
            acknowledged=bench.acknowledged(name),
        )

    retried = shop.retries(bench.base)
    bench.wrk.buy(orders(hot.pk, "warm"), clients=clients, seconds=WARM_UP_SECONDS)
    before = bench.meter.read()
    run = bench.wrk.buy(orders(hot.pk, "run"), clients=clients, seconds=bench.seconds)
    usage = before.until(bench.meter.read())
    in_rush = orders(scarce.pk, "rush")
    rush = bench.wrk.rush(in_rush, clients=clients, requests=RUSH_REQUESTS)
    retries = shop.retries(bench.base)
    progress(f"checkout, {strategy}, {clients} clients", run.count("201") / run.seconds)
    return Cell(
        strategy=strategy,
        clients=clients,
        run=run,
        sold=shop.tally(hot, loaded=HOT_STOCK),
        rush=rush,
        rush_requests=RUSH_REQUESTS,
        rush_sold=shop.tally(scarce, loaded=RUSH_STOCK),
        lost=shop.lost(in_rush.numbers()),
        retries=retries - retried,
        usage=usage,
        broken=shop.broken_promises(),
    )
