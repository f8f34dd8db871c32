"""Bells: a ring is sent soon, not too often, and never lost, whatever becomes of the sending."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from shop.bell import Bell
from tests.kit.clock import Clock

# Seconds: whoever waits for longer waits in vain, on any machine. None of it is spent on success.
LONG = 60.0


class Sent:
    """What a bell has sent, and when. `fail` makes it raise, `block` makes it wait."""

    def __init__(self) -> None:
        self.numbers: SimpleQueue[tuple[int, float]] = SimpleQueue()
        self.threads: set[str] = set()
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()

    def send(self, number: int) -> None:
        moment = time.monotonic()
        self.threads.add(threading.current_thread().name)
        self.gate.wait(LONG)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no broker")
        self.numbers.put((number, moment))

    def next(self) -> tuple[int, float]:
        return self.numbers.get(timeout=LONG)


@pytest.fixture
def sent() -> Iterator[Sent]:
    sent = Sent()
    yield sent
    sent.gate.set()


def test_a_ring_is_sent_soon_by_a_thread_of_its_own(sent: Sent) -> None:
    bell = Bell(sent.send, interval=3_600)

    bell.ring(7)

    assert sent.next()[0] == 7
    assert sent.threads == {"bell"}


def test_rings_in_quick_succession_are_sent_at_once_and_once_more_after_the_interval(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("shop.bell.time", SimpleNamespace(monotonic=clock))
    bell = Bell(sent.send, interval=3_600)

    def are_sent_before(other: int) -> list[int]:
        """What is sent when it is rung for another number: all that was due before comes first."""
        bell.ring(other)
        numbers = []
        while (number := sent.next()[0]) != other:
            numbers.append(number)
        return numbers

    assert are_sent_before(1) == []
    bell.ring(7)
    assert sent.next()[0] == 7
    for _ in range(500):
        bell.ring(7)
    clock.now += 3_599.9
    assert are_sent_before(2) == []
    clock.now += 0.2
    assert are_sent_before(3) == [7]
    clock.now += 10_000
    assert are_sent_before(4) == []


def test_however_often_it_is_rung_it_is_sent_as_often_as_the_interval_says() -> None:
    moments: list[float] = []
    bell = Bell(lambda number: moments.append(bell._sent[number]), interval=0.02)
    give_up = time.monotonic() + LONG
    while len(moments) < 6:
        assert time.monotonic() < give_up
        bell.ring(7)
        time.sleep(0)

    # By its own clock, which no slow machine can make late.
    assert all(late - early >= 0.02 - 1e-6 for early, late in pairwise(moments))


def test_each_queue_has_a_bell_of_its_own(sent: Sent) -> None:
    bell = Bell(sent.send, interval=3_600)
    for number in (1, 2, 3, 1, 2, 3):
        bell.ring(number)
    assert {sent.next()[0] for _ in range(3)} == {1, 2, 3}


def test_a_ring_costs_nothing_while_the_broker_hangs(sent: Sent) -> None:
    bell = Bell(sent.send, interval=0.0)
    sent.gate.clear()
    for number in range(1_000):
        bell.ring(number % 10)
    # Whoever waited for it would be here only after it was sent.
    assert sent.numbers.empty()

    sent.gate.set()

    assert {sent.next()[0] for _ in range(10)} == set(range(10))


def test_a_ring_while_another_is_being_sent_is_one_more(sent: Sent) -> None:
    """Whoever is on the way to a worker may not know of what was stored since."""
    sending = threading.Event()
    send = sent.send

    def slow(number: int) -> None:
        sending.set()
        send(number)

    bell = Bell(slow, interval=0.0)
    sent.gate.clear()
    bell.ring(7)
    assert sending.wait(LONG)
    bell.ring(7)
    sent.gate.set()

    assert [sent.next()[0] for _ in range(2)] == [7, 7]


def test_a_broker_that_fails_is_logged_and_the_next_ring_is_sent(
    sent: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    bell = Bell(sent.send, interval=0.0)
    sent.failures = 2

    with caplog.at_level(logging.WARNING, logger="shop.bell"):
        for number in (1, 2, 3):
            bell.ring(number)
        assert sent.next()[0] == 3

    assert caplog.messages == ["bell: not sent: ConnectionError"] * 2
    bell.ring(4)
    assert sent.next()[0] == 4


def test_of_many_threads_no_ring_is_lost(sent: Sent) -> None:
    """After each ring something is sent that was not yet on its way."""
    bell = Bell(sent.send, interval=0.001)
    rung: dict[int, float] = {}

    def ring(number: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(200):
                rung[number] = time.monotonic()
                bell.ring(number)

        return run

    threads = [threading.Thread(target=ring(number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    last: dict[int, float] = {}
    deadline = time.monotonic() + LONG
    while any(last.get(number, 0) < moment for number, moment in rung.items()):
        assert time.monotonic() < deadline
        number, moment = sent.next()
        last[number] = moment


def test_a_child_process_rings_by_itself(sent: Sent) -> None:
    """A server loads the application and then becomes many, each without the others' threads."""
    bell = Bell(sent.send, interval=0.0)
    bell.ring(1)
    sent.next()
    pid = os.fork()
    if pid == 0:
        heard = False
        try:
            bell.ring(2)
            heard = sent.next()[0] == 2
        finally:
            os._exit(0 if heard else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_of_many_numbers_only_those_rung_just_now_are_kept_in_mind(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.bell.MOST_SENT", 3)
    bell = Bell(sent.send, interval=0.0)

    for number in range(10):
        bell.ring(number)
        assert sent.next()[0] == number

    assert len(bell._sent) <= 3
