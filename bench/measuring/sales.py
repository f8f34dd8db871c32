"""Flash sales, each way of selling at each number of clients, beside the yardstick."""

from bench.inside import sales, shop
from bench.inside.counts import PLACES_ORDERS
from bench.inside.sales import Running
from bench.measuring import cells
from bench.measuring.bench import Bench
from bench.measuring.cells import HIGH_LIMIT, HOT_STOCK, words
from bench.sales import JUDGED_AT, WAYS, Cell, Price, Rush, Sales, Way

CLIENTS = (8, 64, 256)


def measure(bench: Bench) -> Sales:
    """For each number of clients the yardstick, each way of selling, the yardstick again."""
    yardsticks, found = [], []
    for clients in CLIENTS:
        before = bench.yardstick(clients)
        found += [cell(bench, way, clients) for way in WAYS]
        yardsticks.append(bench.yardsticks(clients, before))
    return Sales(
        yardsticks,
        found,
        prices=[_price(bench, way) for way in WAYS],
        memory=bench.meter.memory(),
        broken=shop.broken_promises(),
    )


def cell(bench: Bench, way: Way, clients: int, *, rushes: bool = True) -> Cell:
    """One way of selling at one number of clients, and (`rushes`) what must sell out exactly."""
    return cells.cell(
        bench,
        _running(way, stock=HOT_STOCK, limit=HIGH_LIMIT),
        way,
        clients,
        name=bench.run(*words(way), clients),
        rushes=lambda: _rushes(bench, way, clients) if rushes else [],
    )


def _running(way: Way, *, stock: int, limit: int) -> Running:
    return Running(sales.fresh_sale(way, stock=stock, limit=limit), way, stock, limit)


def _rushes(bench: Bench, way: Way, clients: int) -> list[Rush]:
    """A hundred units at each number of clients; many, which takes longer, at one."""
    found = [_rush(bench, way, clients, stock=100, limit=1, requests=400)]
    if clients == JUDGED_AT:
        found.append(_rush(bench, way, clients, stock=10_000, limit=3, requests=14_000))
    return found


def _rush(bench: Bench, way: Way, clients: int, *, stock: int, limit: int, requests: int) -> Rush:
    """Shoppers after `stock` units, each asking once more than the limit allows, all at once."""
    return cells.rush(
        bench,
        _running(way, stock=stock, limit=limit),
        clients,
        name=bench.run(*words(way), clients, "rush", stock),
        stock=stock,
        requests=requests,
        clicks=limit + 1,
    )


def _price(bench: Bench, way: Way) -> Price:
    return cells.price(
        bench,
        _running(way, stock=HOT_STOCK, limit=HIGH_LIMIT),
        way,
        name=bench.run(*words(way), "price"),
        places=PLACES_ORDERS,
    )
