"""Facts become bytes in one way only."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.draws.encoding import canonical_json, millisecond_text, moment_of, moment_text

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_canonical_json_is_json_of_the_same_value(value):
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, -0], "": "x"}, '{"":"x","a":[true,null,0],"b":1}'),
        ({"a": 1, "B": 2, "_": 3}, '{"B":2,"_":3,"a":1}'),
        ('"\\/\b\f\n\r\t', '"\\"\\\\/\\b\\f\\n\\r\\t"'),
        ("\x00\x1f\x7f", '"\\u0000\\u001f\x7f"'),
        ("奖品é\u2028\U0001f381", '"奖品é\u2028\U0001f381"'),
        (2**53 - 1, "9007199254740991"),
    ],
)
def test_canonical_json_is_what_rfc_8785_writes(value, text):
    assert canonical_json(value) == text.encode()


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        {"é": 1},
        {1: 2},
        (1, 2),
        b"x",
        {"a": [0.5]},
        "\ud800",
        {1},
    ],
)
def test_what_two_programs_could_write_differently_is_refused(value):
    with pytest.raises(ValueError):
        canonical_json(value)


def test_a_moment_is_written_in_utc_to_the_microsecond():
    beijing = timezone(timedelta(hours=8))
    assert moment_text(datetime(2026, 1, 1, 7, 5, tzinfo=beijing)) == "2025-12-31T23:05:00.000000Z"
    assert millisecond_text(datetime(2026, 1, 1, 7, 5, 3, 42_999, tzinfo=UTC)) == (
        "2026-01-01T07:05:03.042Z"
    )


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.timezones()))
def test_a_moment_is_read_back(moment):
    # Zones compare by their clocks, which show one hour twice in autumn; UTC does not.
    assert moment_of(moment_text(moment)) == moment.astimezone(UTC)


def test_a_moment_without_a_zone_is_none():
    with pytest.raises(ValueError, match="time zone"):
        moment_text(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T07:05:03Z",
        "2026-01-01T07:05:03.042Z",
        "2026-01-01T07:05:03.042000+00:00",
        "2026-01-01 07:05:03.042000Z",
        "2026-02-30T07:05:03.042000Z",
        "2026-01-01T07:05:03.042000Z\n",
        "２026-01-01T07:05:03.042000Z",
        "",
    ],
)
def test_no_other_text_is_a_moment(text):
    with pytest.raises(ValueError):
        moment_of(text)
