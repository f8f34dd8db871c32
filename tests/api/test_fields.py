"""JSON values are taken for what they are, or refused."""

from typing import Any

import pytest
from rest_framework import serializers

from shop.api.fields import (
    IdField,
    QueryIntegerField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
)


def codes(field: serializers.Field[Any, Any, Any, Any], value: object) -> list[str]:
    """The codes with which `field` refuses `value`; none when it takes it."""
    try:
        field.run_validation(value)
    except serializers.ValidationError as error:
        return [str(detail.code) for detail in error.detail]  # type: ignore[union-attr]
    return []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "min_value"),
        (-1, "min_value"),
        (100, "max_value"),
        (2**31, "max_value"),
        (2**64, "max_value"),
        (10**300, "max_value"),
        (1.5, "invalid"),
        (1.0, "invalid"),
        (float("nan"), "invalid"),
        ("1", "invalid"),
        ("", "invalid"),
        (True, "invalid"),
        ([], "invalid"),
        ({}, "invalid"),
        (None, "null"),
    ],
)
def test_a_count_is_an_integer_within_its_bounds(value: object, code: str) -> None:
    assert codes(StrictIntegerField(min_value=1, max_value=99), value) == [code]


def test_the_integers_at_the_bounds_are_taken() -> None:
    field = StrictIntegerField(min_value=1, max_value=99)
    assert [field.run_validation(1), field.run_validation(99)] == [1, 99]


@pytest.mark.parametrize("value", [0, -1, 2**63, "1", True, 1.0, None])
def test_an_id_fits_the_database(value: object) -> None:
    assert codes(IdField(), value) != []
    assert IdField().run_validation(2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["a"]])
def test_text_is_a_string(value: object) -> None:
    assert codes(StrictCharField(), value) == ["invalid"]


def test_text_is_trimmed_and_neither_blank_nor_unstorable() -> None:
    field = StrictCharField(max_length=3)
    assert field.run_validation("  茶 \n") == "茶"
    assert codes(field, "   ") == ["blank"]
    assert codes(field, "abcd") == ["max_length"]
    assert codes(field, "\0") == ["null_characters_not_allowed"]
    assert codes(field, "\ud800") == ["surrogate_characters_not_allowed"]
    assert StrictCharField(trim_whitespace=False).run_validation(" a ") == " a "


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}])
def test_a_boolean_is_true_or_false(value: object) -> None:
    assert codes(StrictBooleanField(), value) == ["invalid"]
    assert codes(StrictBooleanField(), None) == ["null"]
    assert StrictBooleanField().run_validation(True) is True


@pytest.mark.parametrize(
    "value",
    ["", "x", "1.0", "+1", " 1", "1 ", "１", "٣", "1\n", "0x1", "1_0", "9" * 20, "9" * 5000],
)
def test_a_number_in_a_query_is_ascii_digits(value: str) -> None:
    assert codes(QueryIntegerField(), value) == ["invalid"]
    assert codes(QueryIntegerField(), "0") == ["min_value"]
    assert QueryIntegerField().run_validation("7") == 7
