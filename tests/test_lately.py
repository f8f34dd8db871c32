"""What a process has read a moment ago: for how long that moment lasts."""

from types import SimpleNamespace

import pytest

from shop import lately
from shop.lately import Lately
from tests.kit.clock import Clock

SECONDS = lately.SECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lately, "SECONDS", SECONDS)
    monkeypatch.setattr(lately, "time", SimpleNamespace(monotonic=clock))
    return clock


def test_what_was_read_is_good_for_half_a_second_and_then_read_again(clock: Clock) -> None:
    read: list[int] = []

    def reads(number: int) -> str:
        read.append(number)
        return f"{number}, the {len(read)}."

    known = Lately(reads, may_be_old=lambda told: True)

    assert known(7) == "7, the 1."
    clock.now += 0.5
    assert known(7) == "7, the 1."
    assert known(8) == "8, the 2."
    clock.now += 0.001
    assert known(7) == "7, the 3."
    known.forget()
    assert known(7) == "7, the 4."


def test_what_may_not_be_old_is_read_each_time(clock: Clock) -> None:
    read: list[int] = []
    known = Lately(read.append, may_be_old=lambda told: False)

    for _ in range(3):
        known(7)

    assert read == [7] * 3
