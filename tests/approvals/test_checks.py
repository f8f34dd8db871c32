"""What is mistyped in the settings is told before anything runs."""

from django.core.checks import run_checks
from pytest_django.fixtures import Settings


def faults() -> list[str]:
    return [one.msg for one in run_checks() if one.id == "approvals.E001"]


def test_a_part_that_does_not_exist_is_named(settings: Settings) -> None:
    assert faults() == []
    settings.SECOND_PERSON_FOR = ["lottery", "coupon"]
    assert faults() == ["SECOND_PERSON_FOR: there is no 'coupon', of coupons, lottery"]
    settings.SECOND_PERSON_FOR = []
    assert faults() == []
