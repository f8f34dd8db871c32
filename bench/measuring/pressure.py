"""A queued, gated sale at fixed rates, sold out, beside ordinary checkout, and in memory.

The open loop is wrk's, not that of rehearsals: a client in Python costs as much processor time a
request as the shop does, which two cores don't have at these rates.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from bench.inside import sales, shop
from bench.load import Answers, Purchases, checkout
from bench.measuring.bench import WARM_UP_SECONDS, Bench, progress
from bench.measuring.cells import HIGH_LIMIT, HOT_STOCK, SHOPPERS
from bench.measuring.sales import cell
from bench.pressure import Beside, Flood, Latency, Memory, Paced, Pressure
from bench.sales import GATED_QUEUE
from orders.rehearsal.figures import percentile

CLIENTS = 64
SHARES = (0.25, 0.5, 0.75)
# The shoppers who hold all units of the sale that is sold out.
HOLDERS = 100
STORM_REQUESTS, STORM_STOCK, STORM_LIMIT = 100_000, 2_000, 1
# Ordinary checkout beside a sale: so many a second, on so many connections.
CHECKOUT_RATE, CHECKOUT_CLIENTS = 60.0, 16
# A storm begins before the checkout it is measured with, and ends after it.
LEAD_SECONDS = 1


def measure(bench: Bench) -> Pressure:
    """The flood first, while the web processes are as fresh as the yardstick's."""
    flood = _flood(bench)
    memory = _memory(bench)
    top = cell(bench, GATED_QUEUE, CLIENTS, rushes=False)
    paced = [_paced(bench, share, share * top.settled) for share in SHARES]
    return Pressure(
        top=top,
        flood=flood,
        paced=paced,
        besides=_besides(bench, half=top.settled / 2),
        memory=memory,
        broken=shop.broken_promises(),
    )


def _flood(bench: Bench) -> Flood:
    bare = bench.yardstick(CLIENTS)
    sale = sales.fresh_sale(GATED_QUEUE, stock=HOLDERS, limit=1)
    shoppers = bench.shoppers(SHOPPERS)
    name = bench.run("flood")
    buying = sales.purchases(sale, shoppers, run=name, acknowledged=bench.acknowledged(name))
    bench.wrk.rush(buying, clients=CLIENTS, requests=HOLDERS)
    sales.wait_settled(sale)
    asking = sales.purchases(sale, shoppers, run=f"{name}-late", acknowledged=None)
    bench.wrk.buy(asking, clients=CLIENTS, seconds=WARM_UP_SECONDS)
    asking = sales.purchases(sale, shoppers, run=f"{name}-run", acknowledged=None)
    counted, before = shop.answered(bench.base, route="sale-orders"), bench.meter.read()
    run = bench.wrk.buy(asking, clients=CLIENTS, seconds=bench.seconds)
    usage = before.until(bench.meter.read())
    now = shop.answered(bench.base, route="sale-orders")
    found = Flood(
        clients=CLIENTS,
        yardstick=bench.yardsticks(CLIENTS, bare),
        shoppers=SHOPPERS,
        holders=HOLDERS,
        seconds=run.seconds,
        answers={status: now[status] - counted.get(status, 0) for status in now},
        usage=usage,
    )
    sales.end(sale)
    progress("sold out, replies", found.per_second)
    return found


def _memory(bench: Bench) -> Memory:
    """Orders, refusals by the limit, and then the flood: two in five come from holders of units."""
    sale = sales.fresh_sale(GATED_QUEUE, stock=STORM_STOCK, limit=STORM_LIMIT)
    name = bench.run("storm")
    wanted = sales.purchases(
        sale,
        bench.shoppers(SHOPPERS),
        run=name,
        acknowledged=bench.acknowledged(name),
        clicks=STORM_LIMIT + 1,
    )
    before = bench.meter.memory()
    answers = bench.wrk.rush(wanted, clients=CLIENTS, requests=STORM_REQUESTS)
    found = sales.outcome(sale, loaded=STORM_STOCK, limit=STORM_LIMIT, given=wanted.numbers())
    after = bench.meter.memory()
    sales.end(sale)
    return Memory(STORM_REQUESTS, before, after, answers, found, STORM_STOCK)


def _paced(bench: Bench, share: float, rate: float) -> Paced:
    sale = sales.fresh_sale(GATED_QUEUE, stock=HOT_STOCK, limit=HIGH_LIMIT)
    name = bench.run("paced", share)
    wanted = sales.purchases(
        sale, bench.shoppers(SHOPPERS), run=name, acknowledged=bench.acknowledged(name)
    )
    before = bench.meter.read()
    answers = bench.wrk.paced(wanted, clients=CLIENTS, rate=rate, seconds=bench.seconds)
    usage = before.until(bench.meter.read())
    found = sales.outcome(sale, loaded=HOT_STOCK, limit=HIGH_LIMIT, given=wanted.numbers())
    answered, settled = _latencies(wanted, answers, rate)
    sales.end(sale)
    progress(f"open loop, {share:.0%} of the top rate", answers.accepted / answers.seconds)
    return Paced(share, rate, answers, answered, settled, found, usage)


def _latencies(wanted: Purchases, run: Answers, rate: float) -> tuple[Latency, Latency]:
    """From the moment that each order was due: to its answer, and to its units."""
    answered_at = wanted.answered_at()
    moments = sales.moments(list(answered_at))

    def due(key: str) -> float:
        return run.started_at + (int(key.rpartition("-")[2]) - 1) / rate

    return (
        _latency(answered_at[number] - due(key) for number, (key, _) in moments.items()),
        _latency(at.timestamp() - due(key) for key, at in moments.values() if at is not None),
    )


def _latency(seconds: Iterable[float]) -> Latency:
    values = [1000 * one for one in seconds]
    p50, p99 = percentile(values, 0.50), percentile(values, 0.99)
    return Latency(len(values), p50 or 0.0, p99 or 0.0, max(values, default=0.0))


def _besides(bench: Bench, *, half: float) -> list[Beside]:
    def at_half_rate(storm: Purchases, seconds: int) -> Answers:
        return bench.wrk.paced(storm, clients=CLIENTS, rate=half, seconds=seconds)

    def as_fast_as_it_goes(storm: Purchases, seconds: int) -> Answers:
        return bench.wrk.buy(storm, clients=CLIENTS, seconds=seconds)

    return [
        _beside(bench, "nothing", None),
        _beside(bench, "a sale at half its top rate", at_half_rate),
        _beside(bench, f"a sale, {CLIENTS} clients, closed loop", as_fast_as_it_goes),
    ]


def _beside(bench: Bench, what: str, storm: Callable[[Purchases, int], Answers] | None) -> Beside:
    name = bench.run("beside", storm.__name__ if storm else "nothing")
    seconds = 2 * bench.seconds
    sku = shop.fresh_sku(strategy="", stock=HOT_STOCK)
    shoppers = bench.shoppers(SHOPPERS)
    ordinary = checkout(shoppers, sku_id=sku.pk, run=name, acknowledged=bench.acknowledged(name))
    sale = sales.fresh_sale(GATED_QUEUE, stock=HOT_STOCK, limit=HIGH_LIMIT)
    storm_name = f"{name}-storm"
    stormed = sales.purchases(
        sale, shoppers, run=storm_name, acknowledged=bench.acknowledged(storm_name)
    )
    with ThreadPoolExecutor(1) as beside:
        storming = beside.submit(storm, stormed, seconds + 2 * LEAD_SECONDS) if storm else None
        time.sleep(LEAD_SECONDS)
        answers = bench.wrk.paced(
            ordinary, clients=CHECKOUT_CLIENTS, rate=CHECKOUT_RATE, seconds=seconds
        )
        found = storming.result() if storming else None
    sales.wait_settled(sale)
    answered, _ = _latencies(ordinary, answers, CHECKOUT_RATE)
    measured = Beside(
        what=what,
        storm=found.accepted / found.seconds if found else 0.0,
        answers=answers,
        answered=answered,
        sold=shop.tally(sku, loaded=HOT_STOCK),
        lost=shop.lost(ordinary.numbers() + stormed.numbers()),
    )
    sales.end(sale)
    progress(f"checkout beside {what}", answers.accepted / answers.seconds)
    return measured
