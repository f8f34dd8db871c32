"""What a path may contain: an id that fits the database, a number that the shop gives out. Anything
else is no address, so it is 404 before a query is made of it."""

from django.urls import register_converter


class IdConverter:
    """The id of a row: 1 to the largest BIGINT."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number >= 2**63:
            raise ValueError(value)
        return number

    def to_url(self, value: int) -> str:
        return str(value)


class NumberConverter:
    """An order, payment or refund number (`shop.numbers`)."""

    regex = "[0-9]{24}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(IdConverter, "id")
register_converter(NumberConverter, "number")
