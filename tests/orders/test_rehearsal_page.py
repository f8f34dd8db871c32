"""Charts and page of a rehearsal: whole in themselves, honest about gaps, safe with any text."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.rehearsal.charts import Line, line_chart, runs, scale
from orders.rehearsal.figures import Purchase, Sample, Seen, Trouble
from orders.rehearsal.page import Result
from orders.rehearsal.verdict import Stock, judge
from shop.pools.audit import Promise, Report

SVG_LINE = "polyline"


def drawn(*lines, title="Orders"):
    return ElementTree.fromstring(line_chart(title, "per second", lines))  # noqa: S314


def a_result(*, title="Rehearsal", broken=()):
    seen = Seen(
        purchases=[
            Purchase("a", 0.0, order_no="1", status="unpaid", answered=0.1, settled=0.4),
            Purchase("b", 0.5, refusal="sold_out", answered=2.5),
        ],
        troubles=[Trouble(0.7, "busy")],
        late=[0.001, 0.002],
    )
    stock = Stock(before=1, after=0, back=0, added=0, sold=1)
    promise = Promise(
        1, "units are conserved", ok=not broken, figures={"pools": 2}, broken=list(broken)
    )
    return Result(
        title=title,
        about={"visits": "2"},
        machine={"cores": "2"},
        seen=seen,
        samples=[Sample(0.9, 1, 0), Sample(1.9, 0, 1)],
        in_shop_ms=[30.0, 10.0, 20.0],
        stock=stock,
        checks=judge(
            seen=seen, stock=stock, pending=0, disagreements=[], broken_promises=list(broken)
        ),
        audit=Report([promise]),
    )


# --- charts


def test_a_line_goes_through_its_values_from_left_to_right():
    chart = drawn(Line("accepted", [0, 10, 5]))

    [line] = chart.iter(SVG_LINE)
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2))  # upwards is smaller


def test_a_gap_in_what_is_known_is_a_gap_in_the_line():
    values = [1, 2, None, 4, None, None, 7, 8]

    chart = drawn(Line("pending", values))

    assert [len(run) for run in runs(values)] == [2, 1, 2]
    assert len(list(chart.iter(SVG_LINE))) == 2
    assert len(list(chart.iter("circle"))) == 1  # a value between two gaps is seen too


def test_every_line_is_named_and_titles_are_text():
    chart = drawn(Line("a<b", [1]), Line("settled", [2]), title='"Orders" & <more>')

    texts = [element.text for element in chart.iter("text")]
    assert {"a<b", "settled", '"Orders" & <more> (per second)'} <= set(texts)


def test_lines_without_values_still_make_a_chart():
    assert list(drawn(Line("accepted", [])).iter(SVG_LINE)) == []
    assert list(drawn(Line("accepted", [None, None])).iter(SVG_LINE)) == []


@given(st.just(0.0) | st.floats(1e-3, 1e12))
def test_a_scale_is_round_and_just_high_enough(most):
    marks = scale(most)

    assert marks[0] == 0
    assert marks[-1] >= most * (1 - 1e-9)
    assert marks[-2] < max(most, 1e-9)
    assert 2 <= len(marks) <= 7
    step = marks[1]
    assert float(f"{step:.0e}") == pytest.approx(step)  # one digit, then noughts


# --- the page


class References(HTMLParser):
    """What a page would fetch, and what it would run."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.found += [(name, value) for name, value in attrs if name in ("src", "href")]
        if tag in ("script", "link", "img", "iframe", "object"):
            self.found.append((tag, ""))


def test_the_page_fetches_nothing():
    page = a_result().html()

    references = References()
    references.feed(page)
    assert references.found == []
    assert re.findall(r"https?:|url\(|@import", page) == []


def test_the_page_shows_the_verdict_the_charts_and_the_audit():
    page = a_result().html()

    assert "Everything was kept." in page
    assert page.count("<svg") == 3
    for word in ("told sold out", "errors and repeats", "p99", "pending", "units are conserved"):
        assert word in page
    assert "prefers-color-scheme: dark" in page


def test_a_broken_promise_is_named_on_the_page_and_in_the_text():
    result = a_result(broken=["pool 3: 7 <> 8"])

    assert not result.ok
    assert "Something is broken." in result.html()
    assert "pool 3: 7 &lt;&gt; 8" in result.html()
    assert result.text().splitlines()[-3:] == [
        "1  BROKEN  units are conserved",
        "            pools=2",
        "            - pool 3: 7 <> 8",
    ]


def test_what_others_wrote_is_text_on_the_page():
    page = a_result(title="<script>alert(1)</script>").html()

    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_text_has_figures_verdict_and_audit_in_that_order():
    text = a_result().text()

    assert re.search(r"^visits +2$", text, re.M)
    assert re.search(r"^  sold_out +1$", text, re.M)
    assert re.search(r"^  busy +1$", text, re.M)
    assert re.search(r"^click to answer +100\.0 +2,000\.0 +2,000\.0 +2$", text, re.M)
    assert re.search(r"^queued to settled +20\.0 +30\.0 +30\.0 +3$", text, re.M)
    assert re.search(r"^click to seen settled +400\.0 ", text, re.M)
    verdict = text.index("ok      units sold are the smaller of stock and demand: 1 sold")
    assert text.index("click to answer") < verdict < text.index("1  ok      units are conserved")
