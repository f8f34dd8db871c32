"""The audit as such: one moment, nothing written, samples, and the command."""

import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from shop.pools import services as pools
from shop.pools.audit import MOST_ID, Snapshot, _ranges, audit, snapshot
from shop.pools.models import Movement, Pool, PoolMovement
from tests.factories import place
from tests.pools.planting import STOCK, Shop, plant


def test_an_audit_sees_one_moment_while_the_shop_sells_on(shop_on_disk: Shop) -> None:
    shop = shop_on_disk

    def count(seen: Snapshot) -> tuple[int, ...]:
        orders, movements, taken = seen.totals(
            "pools_pool",
            "SELECT (SELECT COUNT(*) FROM orders_order), (SELECT COUNT(*) FROM pools_poolmovement),"
            " taken FROM pools_pool WHERE id BETWEEN %(low)s AND %(high)s",
        )
        return orders, movements, taken

    with snapshot() as seen:
        place(shop.user, {shop.sku: 3})  # waits for nobody: the reader blocks no writer
        during = count(seen)
    with snapshot() as seen:
        afterwards = count(seen)

    assert during == (5, 9, 2)
    assert afterwards == (6, 10, 5)
    assert audit().ok


def test_an_audit_can_write_nothing(shop_on_disk: Shop) -> None:
    with snapshot() as seen, pytest.raises(Exception, match=r"(?i)read.?only"):
        seen.rows("UPDATE pools_pool SET available = 0")

    assert Pool.objects.get().available == STOCK - 2


def test_an_audit_does_not_see_what_is_not_committed(shop_on_disk: Shop) -> None:
    with transaction.atomic():
        pools.adjust({shop_on_disk.sku.pool_id: 5}, reference="delivery")
        with snapshot() as seen:
            movements = seen.rows("SELECT COUNT(*) FROM pools_poolmovement WHERE kind = 'adjust'")

    assert movements == [(0,)]
    assert PoolMovement.objects.filter(kind=Movement.ADJUST).count() == 1


# --- samples


@pytest.mark.parametrize("sample", [1, 7, 20, 33, 500])
def test_a_sample_is_about_as_many_ids_as_asked_for_from_all_over(sample: int) -> None:
    ranges = _ranges(1, 1_000_000, sample=sample)

    ids = [number for low, high in ranges for number in range(low, high + 1)]
    assert sample <= len(set(ids)) == len(ids) <= sample + 20
    assert min(ids) >= 1


@pytest.mark.parametrize("sample", [None, 100_000, 10**9])
def test_without_a_smaller_sample_every_id_is_looked_at_once(sample: int | None) -> None:
    ranges = _ranges(5, 100_004, sample=sample)

    assert len(ranges) == 5
    assert ranges[0][0] < 0
    assert ranges[-1][1] == MOST_ID
    assert all(one[1] + 1 == two[0] for one, two in pairwise(ranges))


def test_a_sample_of_everything_finds_what_an_audit_finds(shop: Shop) -> None:
    plant("UPDATE pools_pool SET available = available + 1 WHERE id = {pool}", shop=shop)

    assert audit(sample=1_000).broken == audit().broken


# --- the command


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        try:
            call_command("audit", *arguments)
        except SystemExit as stop:
            return int(stop.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


def test_the_command_prints_a_line_with_figures_for_each_promise(
    shop: Shop, run_command: Callable[..., tuple[int, str]]
) -> None:
    code, text = run_command()

    assert code == 0
    verdicts = [line for line in text.splitlines() if not line.startswith(" ")]
    assert [line.split()[:2] for line in verdicts] == [[str(n), "ok"] for n in range(1, 10)]
    assert "pools=1 available=18 taken=2" in text


def test_the_command_names_what_is_broken_and_exits_with_1(
    shop: Shop, run_command: Callable[..., tuple[int, str]]
) -> None:
    plant("UPDATE orders_order SET refunded_fen = 500 WHERE id = {paid}", shop=shop)

    code, text = run_command()

    assert code == 1
    assert "7  BROKEN" in text
    assert f"- order {shop.paid.order_no}: is paid of 1000 fen" in text


def test_the_command_speaks_json_with_stable_keys(
    shop: Shop, run_command: Callable[..., tuple[int, str]]
) -> None:
    plant("UPDATE orders_order SET refunded_fen = 500 WHERE id = {paid}", shop=shop)

    code, text = run_command("--json", "--sample", "100")

    verdict = json.loads(text)
    assert code == 1
    assert set(verdict) == {"ok", "promises"}
    assert verdict["ok"] is False
    assert all(
        set(promise) == {"number", "name", "ok", "figures", "broken"}
        for promise in verdict["promises"]
    )
    assert [one["number"] for one in verdict["promises"] if not one["ok"]] == [7]


@pytest.mark.parametrize("sample", ["0", "-1"])
def test_the_command_refuses_a_sample_of_nothing(
    sample: str, db: None, run_command: Callable[..., tuple[int, str]]
) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        run_command("--sample", sample)
