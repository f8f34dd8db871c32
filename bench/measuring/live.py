"""A storm on a queued sale behind its gate, again and again: with somebody who watches its live
page, and without."""

import os
from collections.abc import Sequence

from bench.inside import sales, shop
from bench.inside.watching import Watcher
from bench.live import Live, Renewals, Round
from bench.load import Answers
from bench.measuring.bench import WARM_UP_SECONDS, Bench, progress
from bench.measuring.cells import HIGH_LIMIT, HOT_STOCK, SHOPPERS
from bench.sales import GATED_QUEUE, JUDGED_AT
from goods.sales.models import FlashSale
from shop.pools import gate

ROUNDS = 12
# Renewals one after the other, each of which makes a shot.
RENEWALS, RENEWALS_THAT_COUNT = 200, 50


def measure(bench: Bench) -> Live:
    """Pairs of runs, in turns: who comes first is another each time."""
    sale = sales.fresh_sale(GATED_QUEUE, stock=HOT_STOCK, limit=HIGH_LIMIT)
    watcher = Watcher(bench.base, sale)
    watcher.renew()
    _run(bench, sale, "warm", seconds=WARM_UP_SECONDS)
    rounds = []
    for number in range(ROUNDS):
        rounds.append(_round(bench, watcher, number))
        progress(f"watched, {rounds[-1].ratio:.3f} of alone", rounds[-1].watched_per_second)
    usual = _renewals(bench, watcher, RENEWALS, forgotten=("live:lease",))
    # With nothing kept, each counts how far the orders have come.
    counting = _renewals(bench, watcher, RENEWALS_THAT_COUNT, forgotten=("live:lease", "live"))
    sales.end(sale)
    return Live(
        rounds=rounds,
        usual=usual,
        counting=counting,
        cores=os.cpu_count() or 1,
        failed=watcher.failed,
        broken=shop.broken_promises(),
    )


def _round(bench: Bench, watcher: Watcher, number: int) -> Round:
    already = len(watcher.took_ms)

    def alone() -> Answers:
        return _run(bench, watcher.sale, f"{number}-alone", seconds=bench.seconds)

    def watched() -> Answers:
        with watcher.watching():
            return _run(bench, watcher.sale, f"{number}-watched", seconds=bench.seconds)

    if number % 2:
        first, second = alone(), watched()
    else:
        second, first = watched(), alone()
    return Round(first, second, watcher.took_ms[already:])


def _renewals(bench: Bench, watcher: Watcher, count: int, *, forgotten: Sequence[str]) -> Renewals:
    keys = gate.names(watcher.sale.pool_id, *forgotten)[1:]
    before = bench.meter.read()
    for _ in range(count):
        # As if seconds had passed.
        gate.client().delete(*keys)
        watcher.renew()
    return Renewals(count, before.until(bench.meter.read()))


def _run(bench: Bench, sale: FlashSale, name: str, *, seconds: int) -> Answers:
    run = bench.run(name)
    wanted = sales.purchases(sale, bench.shoppers(SHOPPERS), run=run, acknowledged=None)
    answers = bench.wrk.buy(wanted, clients=JUDGED_AT, seconds=seconds)
    # The next one begins with an empty queue.
    sales.wait_settled(sale)
    return answers
