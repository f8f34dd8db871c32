"""The guard of cells: nothing that a spreadsheet would carry out, and nothing lost."""

import csv
import re
from io import StringIO

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shop.transfers.cells import Number, Phone, Private, Text, Yuan, guarded, unguarded

# What spreadsheets are known to take for a formula, stated apart from the code.
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
WILD = st.text(st.sampled_from("=+-@＝＋－＠\t\r\n '\"a1,;\u00a0"), max_size=6)


@given(st.one_of(WILD, st.text(max_size=20)))
@example('=HYPERLINK("http://evil","click")')
@example("'=1")
@example("''")
@settings(max_examples=50, deadline=None)
def test_guarded_text_begins_no_formula_and_comes_back_as_it_was(text):
    cell = Text().render(text)

    assert not FORMULA.match(cell)
    assert unguarded(cell) == text


@given(st.lists(WILD, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_row_survives_csv_with_every_cell_guarded(texts):
    written = StringIO(newline="")
    csv.writer(written).writerow([guarded(text) for text in texts])

    (row,) = csv.reader(StringIO(written.getvalue(), newline=""))

    assert [unguarded(cell) for cell in row] == texts
    assert not any(FORMULA.match(cell) for cell in row)


def test_text_that_nobody_guarded_stays_as_it_is():
    assert [unguarded(text) for text in ("'tis", "tea", "", "'")] == ["'tis", "tea", "", "'"]


def test_amounts_are_told_in_digits_and_below_zero_they_are_still_numbers():
    assert Yuan().render(-1205) == "-12.05"
    assert isinstance(Yuan().render(-1205), Number)
    assert Yuan().render(None) == ""


def test_phones_and_names_are_short_unless_they_may_be_seen_whole():
    assert Phone().render("13800001234") == "138****1234"
    assert Phone().render("1234567") == "****"
    assert Phone().render("13800001234", whole=True) == "13800001234"
    assert Private().render("Li Lei") == "L**"
    assert Private().render("Li Lei", whole=True) == "Li Lei"
