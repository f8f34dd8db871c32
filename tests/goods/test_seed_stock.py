"""`seed_stock`: all lines or none, each bad one named, and never twice under one reference."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from goods.services import sku_create
from goods.stock import LoadMode, StockRow, load_stock
from shop.pools import services as pools
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_goods, make_user, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def skus():
    """Codes A, B and C with 10, 20 and 30 units."""
    goods = make_goods()
    return {
        code: sku_create(goods=goods, code=code, price_fen=100, stock=units)
        for code, units in (("A", 10), ("B", 20), ("C", 30))
    }


@pytest.fixture
def load(tmp_path):
    """Runs the command on a file of this content; returns what it printed."""

    def run(content, **options):
        file = tmp_path / "stock.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = io.StringIO()
        call_command("seed_stock", str(file), stdout=out, stderr=out, **options)
        return out.getvalue()

    return run


@pytest.fixture
def refused(load, tmp_path):
    """Runs the command, which must refuse; returns the lines that name what is bad."""

    def run(content, **options):
        file = tmp_path / "stock.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        err = io.StringIO()
        with pytest.raises(CommandError, match="Nothing was changed") as refusal:
            call_command("seed_stock", str(file), stdout=err, stderr=err, **options)
        assert refusal.value.returncode == 1
        return [line for line in err.getvalue().splitlines() if line.startswith("line ")]

    return run


def stock():
    return list(
        Pool.objects.exclude(sku=None).order_by("sku__code").values_list("available", flat=True)
    )


def loads():
    return list(
        PoolMovement.objects.exclude(reference="initial")
        .order_by("pk")
        .values_list("kind", "delta", "reference")
    )


def test_quantities_are_added(skus, load):
    printed = load("A,5\nC,-30\n", reference="r1")

    assert stock() == [15, 20, 0]
    assert loads() == [("load", 5, "r1"), ("load", -30, "r1")]
    assert printed.splitlines() == [
        "Loading 2 SKUs under the reference r1",
        "Loaded 2 SKUs, -25 units.",
    ]


def test_quantities_are_set(skus, load):
    place(make_user(), {skus["A"]: 4})

    printed = load("A,5\nB,20\nC,0\n", mode="set", reference="r1")

    assert stock() == [5, 20, 0]
    assert loads()[1:] == [("load", -1, "r1"), ("load", 0, "r1"), ("load", -30, "r1")]
    assert "Loaded 3 SKUs, -31 units." in printed


@pytest.mark.parametrize(
    "content",
    [
        b"sku code,quantity\nA,5\nB,+1\n",
        b"SKU,Quantity\r\nA,5\r\nB,1\r\n",
        b"\xef\xbb\xbfsku code,quantity\r\nA,5\r\nB,1",
        b"\xef\xbb\xbfA,5\nB,1\n",
        b"A,5\rB,1\r",
        b'\n A , 5 \n\n"B","1"\n   \n',
    ],
    ids=["header", "crlf", "bom and header", "bom", "cr", "blanks and quotes"],
)
def test_files_as_spreadsheets_write_them_are_read(skus, load, content):
    load(content)

    assert stock() == [15, 21, 30]


def test_standard_input_is_a_file_too(skus, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A,5\n")))

    call_command("seed_stock", "-", stdout=io.StringIO())

    assert stock() == [15, 20, 30]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"X,1", "line 2: X: no SKU has this code"),
        (b"b,1", "line 2: b: no SKU has this code"),
        (b"B,1.5", "line 2: B: '1.5' is not a whole number"),
        (b"B,", "line 2: B: '' is not a whole number"),
        (b"B,1e3", "line 2: B: '1e3' is not a whole number"),
        (b"B,1_000", "line 2: B: '1_000' is not a whole number"),
        ("B,٣".encode(), "line 2: B: '٣' is not a whole number"),
        (b"B," + b"9" * 5000, f"line 2: B: '{'9' * 5000}' is not a whole number"),
        (b"B,1000000001", "line 2: B: 1000000001 is beyond 1000000000"),
        (b"B,-21", "line 2: B: -21 would leave fewer than none of 20"),
        (b"A,1", "line 2: A: already on line 1"),
        (b",1", "line 2: no code"),
        (b"B", "line 2: 1 columns, not 2: code, quantity"),
        (b"B,1,2", "line 2: 3 columns, not 2: code, quantity"),
        (b"B,\xff1", "line 2: not UTF-8 at byte 3"),
        (b'"B,1', "line 2: not CSV: unexpected end of data"),
        (b"sku code,quantity", "line 2: sku code: 'quantity' is not a whole number"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_loaded(skus, refused, line, problem):
    assert refused(b"A,1\n" + line + b"\nC,1\n") == [problem]
    assert (stock(), loads()) == ([10, 20, 30], [])


def test_a_quantity_to_set_is_not_below_zero(skus, refused):
    assert refused("A,-1\n", mode="set") == ["line 1: A: -1 is below zero"]
    assert stock() == [10, 20, 30]


def test_every_bad_line_is_named_at_once(skus, refused):
    content = b"A,5\nX,1\nB,many\nA,5\n\nC,-31\n\xff\n"

    assert refused(content) == [
        "line 2: X: no SKU has this code",
        "line 3: B: 'many' is not a whole number",
        "line 4: A: already on line 1",
        "line 6: C: -31 would leave fewer than none of 30",
        "line 7: not UTF-8 at byte 1",
    ]
    assert (stock(), loads()) == ([10, 20, 30], [])


@pytest.mark.parametrize("content", ["", "\n\n", "code,quantity\n"])
def test_a_file_without_rows_is_refused(skus, refused, content):
    assert refused(content) == []


def test_a_file_that_is_not_there_is_refused(db, tmp_path):
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("seed_stock", str(tmp_path / "none.csv"))


def test_a_dry_run_tells_what_would_change_and_changes_nothing(skus, load):
    printed = load("C,5\nA,10\nB,21\n", mode="set", dry_run=True)

    assert printed.splitlines() == [
        "line 1: C: 30 -> 5 (-25)",
        "line 3: B: 20 -> 21 (+1)",
        "Dry run: 2 of 3 SKUs would change, -24 units. Nothing was changed.",
    ]
    assert (stock(), loads()) == ([10, 20, 30], [])


def test_a_dry_run_refuses_what_a_load_would_refuse(skus, refused):
    assert refused("A,-11\n", dry_run=True) == ["line 1: A: -11 would leave fewer than none of 10"]


@pytest.mark.parametrize("mode", ["add", "set"])
def test_a_repeat_under_the_same_reference_changes_nothing(skus, load, mode):
    load("A,10\nB,7\n", mode=mode, reference="r1")
    place(make_user(), {skus["A"]: 3})
    before = (stock(), loads())

    printed = load("B,7\nA,10\n", mode=mode, reference="r1")

    assert "This load was done before. Nothing was changed." in printed
    assert (stock(), loads()) == before


@pytest.mark.parametrize("content", ["A,6\n", "A,5\nB,1\n", "B,1\nA,5\n"])
def test_another_load_under_a_used_reference_is_refused(skus, load, refused, content):
    load("A,5\n", reference="r1")

    assert refused(content, reference="r1") == []

    assert (stock(), loads()) == ([15, 20, 30], [("load", 5, "r1")])


def test_without_a_reference_each_run_is_a_load_of_its_own(skus, load):
    load("A,5\n")
    load("A,5\n")

    assert stock() == [20, 20, 30]


@pytest.mark.parametrize("reference", ["x" * 65, "a\nb"])
def test_a_reference_that_no_column_holds_is_refused(skus, load, reference):
    with pytest.raises(CommandError, match="1 to 64"):
        load("A,5\n", reference=reference)

    assert stock() == [10, 20, 30]


def test_units_that_go_while_the_load_is_on_its_way_undo_all_of_it(skus, monkeypatch):
    """The plan saw ten units; an order takes one before the pool is locked."""
    adjust = pools.adjust

    def order_first(deltas, **options):
        Pool.objects.filter(sku=skus["C"]).update(available=29, taken=1)
        adjust(deltas, **options)

    monkeypatch.setattr(pools, "adjust", order_first)

    with pytest.raises(Exception, match="bad rows") as refusal:
        load_stock([StockRow(1, "A", 5), StockRow(2, "C", -30)], mode=LoadMode.ADD, reference="r1")

    assert [(row.line, row.problem) for row in refusal.value.rows] == [
        (2, "C: -30 would leave fewer than none of 29")
    ]
    assert (stock(), loads()) == ([10, 20, 30], [])


def test_progress_is_told_up_to_the_last_row(skus):
    told = []

    load_stock(
        [StockRow(1, "A", 5), StockRow(2, "B", 5)],
        mode=LoadMode.ADD,
        reference="r1",
        progress=told.append,
    )

    assert told == [2]
