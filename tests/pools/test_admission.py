"""The turnstiles before a pool: so many at once, a bounded wait, and no trace afterwards."""

import threading
import time
from collections.abc import Callable

import pytest

from shop.errors import Busy
from shop.pools.admission import Admission


class Inside:
    """Threads that stand inside until they are let out."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.out = threading.Event()
        self.threads: list[threading.Thread] = []

    def add(self, pool_ids: list[int], *, limit: int) -> None:
        entered = threading.Event()

        def stand() -> None:
            with self.admission.enter(pool_ids, limit=limit, wait=120):
                entered.set()
                self.out.wait(120)

        thread = threading.Thread(target=stand, daemon=True)
        thread.start()
        self.threads.append(thread)
        assert entered.wait(120)

    def leave(self) -> None:
        self.out.set()
        for thread in self.threads:
            thread.join(120)


def test_as_many_as_the_limit_are_inside_and_one_more_is_busy() -> None:
    admission = Admission()
    inside = Inside(admission)
    for _ in range(3):
        inside.add([7], limit=3)

    with pytest.raises(Busy), admission.enter([7], limit=3, wait=0):
        pytest.fail("a fourth is inside")

    inside.leave()
    with admission.enter([7], limit=3, wait=0):
        pass


def test_who_waits_is_let_in_when_somebody_leaves() -> None:
    admission = Admission()
    inside = Inside(admission)
    inside.add([7], limit=1)
    threading.Timer(0.05, inside.out.set).start()

    with admission.enter([7], limit=1, wait=120):
        assert inside.out.is_set()


def test_the_wait_is_bounded_for_all_pools_together() -> None:
    admission = Admission()
    inside = Inside(admission)
    inside.add([8], limit=1)

    began = time.monotonic()
    with pytest.raises(Busy), admission.enter([7, 8, 9], limit=1, wait=0.1):
        pytest.fail("nobody left pool 8")

    assert time.monotonic() - began >= 0.1
    # What it had entered before it is free again.
    with admission.enter([7], limit=1, wait=0):
        pass
    inside.leave()


def test_pools_are_independent_of_each_other() -> None:
    admission = Admission()
    inside = Inside(admission)
    inside.add([7], limit=1)

    with admission.enter([8], limit=1, wait=0):
        pass
    inside.leave()


def test_one_pool_named_twice_is_one_place() -> None:
    with Admission().enter([7, 7], limit=1, wait=0):
        pass


def refuse(admission: Admission) -> None:
    inside = Inside(admission)
    inside.add([2], limit=1)
    with pytest.raises(Busy), admission.enter([1, 2, 3], limit=1, wait=0):
        pass
    inside.leave()


def fail(admission: Admission) -> None:
    with pytest.raises(ZeroDivisionError), admission.enter([1, 2], limit=1, wait=0):
        raise ZeroDivisionError


def pass_through(admission: Admission) -> None:
    with admission.enter([1, 2], limit=1, wait=0):
        pass


@pytest.mark.parametrize("visit", [pass_through, refuse, fail])
def test_a_turnstile_is_forgotten_with_its_last_user(visit: Callable[[Admission], None]) -> None:
    admission = Admission()

    visit(admission)

    assert admission._turnstiles == {}


def test_two_who_name_pools_in_opposite_order_do_not_wait_for_each_other_for_ever() -> None:
    admission = Admission()
    refused: list[Busy] = []

    def cross(pool_ids: list[int]) -> None:
        try:
            for _ in range(500):
                with admission.enter(pool_ids, limit=1, wait=120):
                    pass
        except Busy as busy:
            refused.append(busy)

    threads = [
        threading.Thread(target=cross, args=(pool_ids,), daemon=True)
        for pool_ids in ([1, 2], [2, 1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)

    assert not any(thread.is_alive() for thread in threads)
    assert refused == []
