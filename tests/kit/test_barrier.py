"""The barrier: all at once, each on its own connection, and a hang is a failure with a stack."""

import threading

import pytest
from django.db import connection

from tests.kit.barrier import Hung, race, watching

pytestmark = pytest.mark.django_db(transaction=True)


def test_runners_are_all_inside_at_the_same_time() -> None:
    meeting = threading.Barrier(8)

    outcomes = race([lambda: meeting.wait(120) for _ in range(8)])

    assert sorted(outcome.result() for outcome in outcomes) == list(range(8))


def test_outcomes_keep_the_order_of_the_runners_whatever_they_do() -> None:
    def refuse() -> int:
        raise ValueError("no")

    first, second, third = race([lambda: 1, refuse, lambda: 3])

    assert (first.result(), third.result()) == (1, 3)
    assert isinstance(second.error, ValueError)
    with pytest.raises(ValueError, match="no"):
        second.result()


def test_each_runner_has_a_connection_of_its_own() -> None:
    meeting = threading.Barrier(3)

    def own() -> int:
        meeting.wait(120)
        return id(connection.connection)

    mine = id(connection.connection)
    theirs = {outcome.result() for outcome in race([own, own, own])}

    assert len(theirs | {mine}) == 4


def test_a_runner_that_hangs_is_shown_where_it_hangs() -> None:
    released = threading.Event()

    def waits_for_ever_here() -> None:
        released.wait(60)

    try:
        with pytest.raises(Hung, match="1 of 2 threads hang") as hung:
            race([waits_for_ever_here, lambda: None], seconds=0.5)
    finally:
        released.set()
    assert "waits_for_ever_here" in str(hung.value)


def test_a_watcher_looks_at_least_once_and_until_the_end() -> None:
    done: list[int] = []

    with watching(lambda: len(done), every=0.001) as seen:
        done.append(1)

    assert seen[-1] == 1


def test_what_a_watcher_stumbles_over_is_raised() -> None:
    def look() -> None:
        raise ValueError("what a sight")

    with pytest.raises(ValueError, match="what a sight"), watching(look):
        pass
