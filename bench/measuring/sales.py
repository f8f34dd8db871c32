"""Flash sales, each way of selling at each number of clients, beside the yardstick."""

from bench.inside import counts, sales, shop
from bench.measuring.bench import WARM_UP_SECONDS, Bench, progress
from bench.sales import JUDGED_AT, WAYS, Cell, Price, Rush, Sales, Way

SHOPPERS = 5_000
CLIENTS = (8, 64, 256)
# More than anyone can buy in a timed run; and a limit that nobody reaches, though it is looked at.
HOT_STOCK, HIGH_LIMIT = 10_000_000, 10_000
PRICED_ORDERS, PRICED_CLIENTS = 1_000, 8


def measure(bench: Bench) -> Sales:
    """For each number of clients the yardstick, each way of selling, the yardstick again."""
    yardsticks, cells = [], []
    for clients in CLIENTS:
        before = bench.yardstick(clients)
        cells += [cell(bench, way, clients) for way in WAYS]
        yardsticks.append(bench.yardsticks(clients, before))
    return Sales(
        yardsticks,
        cells,
        prices=[_price(bench, way) for way in WAYS],
        memory=bench.meter.memory(),
        broken=shop.broken_promises(),
    )


def cell(bench: Bench, way: Way, clients: int, *, rushes: bool = True) -> Cell:
    """One way of selling at one number of clients, and (`rushes`) what must sell out exactly."""
    name = bench.run(*_words(way), clients)
    sale = sales.fresh_sale(way, stock=HOT_STOCK, limit=HIGH_LIMIT)
    shoppers, acknowledged = bench.shoppers(SHOPPERS), bench.acknowledged(name)
    warm = sales.purchases(sale, shoppers, run=f"{name}-warm", acknowledged=acknowledged)
    hot = sales.purchases(sale, shoppers, run=f"{name}-run", acknowledged=acknowledged)
    retried = shop.retries(bench.base)
    bench.wrk.buy(warm, clients=clients, seconds=WARM_UP_SECONDS)
    sales.wait_settled(sale)
    before = bench.meter.read()
    run = bench.wrk.buy(hot, clients=clients, seconds=bench.seconds)
    usage = before.until(bench.meter.read())
    found = sales.outcome(sale, loaded=HOT_STOCK, limit=HIGH_LIMIT, given=hot.numbers())
    settling = sales.settling(sale, way, run, name=hot.run)
    sales.end(sale)
    measured = Cell(
        way=way,
        clients=clients,
        run=run,
        settling=settling,
        outcome=found,
        rushes=_rushes(bench, way, clients) if rushes else (),
        retries=shop.retries(bench.base) - retried,
        usage=usage,
    )
    progress(f"{way}, {clients} clients, settled", measured.settled)
    return measured


def _rushes(bench: Bench, way: Way, clients: int) -> list[Rush]:
    """A hundred units at each number of clients; many, which takes longer, at one."""
    found = [rush(bench, way, clients, stock=100, limit=1, requests=400)]
    if clients == JUDGED_AT:
        found.append(rush(bench, way, clients, stock=10_000, limit=3, requests=14_000))
    return found


def rush(bench: Bench, way: Way, clients: int, *, stock: int, limit: int, requests: int) -> Rush:
    """Shoppers after `stock` units, each asking once more than the limit allows, all at once."""
    name = bench.run(*_words(way), clients, "rush", stock)
    sale = sales.fresh_sale(way, stock=stock, limit=limit)
    wanted = sales.purchases(
        sale,
        bench.shoppers(SHOPPERS),
        run=name,
        acknowledged=bench.acknowledged(name),
        clicks=limit + 1,
    )
    answers = bench.wrk.rush(wanted, clients=clients, requests=requests)
    found = sales.outcome(sale, loaded=stock, limit=limit, given=wanted.numbers())
    seconds = sales.last_settled(sale, answers)
    sales.end(sale)
    return Rush(stock, requests, answers, found, seconds)


def _price(bench: Bench, way: Way) -> Price:
    """Clients that ask often enough for the drain to find many orders at a time."""
    name = bench.run(*_words(way), "price")
    sale = sales.fresh_sale(way, stock=HOT_STOCK, limit=HIGH_LIMIT)
    wanted = sales.purchases(
        sale, bench.shoppers(SHOPPERS), run=name, acknowledged=bench.acknowledged(name)
    )

    def work() -> None:
        bench.wrk.rush(wanted, clients=PRICED_CLIENTS, requests=PRICED_ORDERS)
        sales.wait_settled(sale)

    sent = counts.sent_during(work)
    sales.end(sale)
    return Price(
        way,
        PRICED_ORDERS,
        web_statements=sent.web_statements / PRICED_ORDERS,
        other_statements=sent.other_statements / PRICED_ORDERS,
        redis_calls=sent.redis_calls / PRICED_ORDERS,
    )


def _words(way: Way) -> tuple[str, ...]:
    return way.placement, way.strategy, "gate" if way.gated else "open"
