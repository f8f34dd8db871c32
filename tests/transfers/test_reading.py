"""Files of all kinds, and what is wrong with them, in words."""

import zipfile
from io import BytesIO

import pytest
from django.utils.translation import override
from openpyxl import Workbook

from goods.exports import CatalogueColumns
from goods.imports import reading
from goods.imports.reading import Line, lines_of
from shop.errors import Invalid
from tests.transfers.files import csv_of, look, refusal

ROWS = (("code", "title", "price_yuan"), ("A-1", "茶", "12.5"))
LINES = [Line(2, {"code": "A-1", "title": "茶", "price_yuan": "12.5"})]


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def xlsx_of(*rows):
    book, content = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def problem(content):
    with pytest.raises(Invalid) as refused:
        lines_of(content)
    return refused.value.data["errors"][0]["message"]


@pytest.mark.parametrize(
    "content",
    [
        csv_of(*ROWS),
        csv_of(*ROWS, encoding="utf-8-sig"),
        csv_of(*ROWS, encoding="gb18030"),
        csv_of(*ROWS).replace(b",", b";"),
        csv_of(*ROWS).replace(b",", b"\t"),
        xlsx_of(*ROWS),
        xlsx_of(ROWS[0], ("A-1", "茶", 12.5)),
        csv_of(("Code", " TITLE", "price_yuan"), ROWS[1]),
    ],
)
def test_a_table_is_read_however_it_was_saved(content):
    assert lines_of(content) == LINES


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_headings_of_each_language_are_told_apart(language):
    names = list(CatalogueColumns().fields)
    with override(language):
        headings = CatalogueColumns().get_export_headers()

    with override("en"):
        assert lines_of(csv_of(headings, names)) == [Line(2, dict(zip(names, names, strict=True)))]


def test_rows_are_numbered_as_in_the_spreadsheet_and_empty_cells_say_nothing():
    assert lines_of(csv_of(("code", "spec"), ("", ""), ("A-1", ""), (), ("A-2", "x"))) == [
        Line(3, {"code": "A-1"}),
        Line(5, {"code": "A-2", "spec": "x"}),
    ]


@pytest.mark.parametrize("heading", ["stock", "Stock", "sold", "available", "库存", " quantity "])
def test_a_column_of_a_counter_is_refused_with_the_way_to_change_stock(heading):
    said = problem(csv_of(("code", heading), ("A-1", "5")))

    assert "stock changes on its own page" in said
    assert "seed_stock" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"\xd0\xcf\x11\xe0old", "old Excel"),
        (b"PK\x03\x04junk", "can't be read as XLSX"),
        (b"\xff\xfe\x00", "neither XLSX nor text"),
        (csv_of(("code", "colour"), ("A", "red")), "Nobody knows a column “colour”"),
        (csv_of(("code", "Code"), ("A", "B")), "is there twice"),
        (csv_of(("code", "price_fen", "price_yuan"), ("A", "1", "1")), "Two columns of the price"),
        (csv_of(("code",), ("A", "B")), "Row 2 has a cell under no heading: “B”"),
        (b'code\n"A', "no whole CSV file"),
    ],
)
def test_what_can_not_be_read_is_refused_in_words(content, words):
    assert words in problem(content)


def test_a_file_that_is_too_large_is_refused_before_it_is_unfolded(monkeypatch):
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (reading.MOST_UNPACKED_BYTES + 1))

    assert "too large when it is unpacked" in problem(bomb.getvalue())
    assert "larger than" in problem(b"x" * (reading.MOST_BYTES + 1))
    monkeypatch.setattr(reading, "MOST_LINES", 2)
    assert "More than 2 lines" in problem(csv_of(("code",), ("A",), ("B",), ("C",)))


def test_rows_and_columns_beyond_the_limit_are_never_left_out_in_silence(monkeypatch):
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    monkeypatch.setattr(reading, "MOST_COLUMNS", 2)

    assert "More than 3 rows" in problem(xlsx_of(("code",), ("A",), (), ("B",)))
    assert "2 columns" in problem(xlsx_of(("code", "", "spec"), ("A", "", "x")))


@pytest.mark.django_db
def test_the_page_says_what_is_wrong_with_a_file(desk):
    assert "stock changes on its own page" in refusal(look(desk, csv_of(("code", "stock"))))
