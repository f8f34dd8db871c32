"""What a cell's text means for the column it stands in, and how a value is told."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from goods.models import Goods, Sku
from shop.backoffice.money import yuan

# A column of the file -> the field that it fills.
GOODS_FIELDS: Mapping[str, str] = {
    "title": "title",
    "title_en": "title_en",
    "category": "category",
    "goods_on_shelf": "on_shelf",
    "description": "description",
    "description_en": "description_en",
}
SKU_FIELDS: Mapping[str, str] = {
    "spec": "spec",
    "price_yuan": "price_fen",
    "price_fen": "price_fen",
    "grams": "grams",
    "on_shelf": "on_shelf",
}
YUAN = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)
YES = frozenset({"1", "true", "yes", "y", "是"})
NO = frozenset({"0", "false", "no", "n", "否"})


def _fen_of_yuan(text: str) -> int:
    found = YUAN.fullmatch(text)
    if found is None:
        raise ValidationError(gettext("An amount in yuan with at most two decimals, like 12.50."))
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def _whole(text: str) -> int:
    if WHOLE.fullmatch(text) is None:
        raise ValidationError(gettext("A whole number, like 1250."))
    return int(text)


def _yes_no(text: str) -> bool:
    if text.casefold() not in YES | NO:
        raise ValidationError(gettext("1 (yes) or 0 (no)."))
    return text.casefold() in YES


def _as_it_is(text: str) -> str:
    return text


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "goods": _whole,
    "goods_on_shelf": _yes_no,
    "price_yuan": _fen_of_yuan,
    "price_fen": _whole,
    "grams": _whole,
    "on_shelf": _yes_no,
}


def value_of(column: str, text: str) -> Any:
    """The value, as long and as large as its field can hold. Raises ValidationError. A category
    stays its title: whoever reads the database knows which one that is."""
    value = PARSERS.get(column, _as_it_is)(text)
    if column in ("goods", "category"):
        return value
    model = Goods if column in GOODS_FIELDS else Sku
    field: Any = model._meta.get_field(GOODS_FIELDS.get(column) or SKU_FIELDS.get(column, column))
    return field.clean(value, None)


def told(field: str, value: Any) -> str:
    """A value of a field, as it would stand in a file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return yuan(value) if field == "price_fen" else str(value)


def is_same(stored: Any, said: Any) -> bool:
    """Whether a file says what is stored. Ends of lines and blanks around are no difference: a
    browser and a spreadsheet write them each in their way."""
    if isinstance(stored, str) and isinstance(said, str):
        return stored.replace("\r\n", "\n").replace("\r", "\n").strip() == said
    return bool(stored == said)
