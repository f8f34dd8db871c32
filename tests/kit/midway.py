"""A look at what is committed in the middle of a storm, however fast it passes.

A watcher that looks each so many milliseconds comes too late on a crowded machine: the last unit is
sold before it is let run. So the storm itself waits for a look, at takes that the test names.
"""

from collections.abc import Callable, Collection
from functools import wraps
from itertools import count
from typing import Any, TypeVar

import pytest

from lottery import settlement as of_entries
from orders import settlement as of_orders
from shop.pools import services
from tests.kit.barrier import race

T = TypeVar("T")


def looking_midway(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], T], *, takes: Collection[int]
) -> list[T]:
    """From now on `look` is called, by another session, when the n-th successful take for each n of
    `takes` holds its pool's row with its units and is not committed: those before it are. A take is
    a request's or a whole batch's. Returns the growing list of what was seen."""
    seen: list[T] = []
    numbers = count(1)

    def stopping(take: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(take)
        def taking(*arguments: Any, **options: Any) -> Any:
            taken = take(*arguments, **options)
            if next(numbers) in takes:
                [outcome] = race([look])
                seen.append(outcome.result())
            return taken

        return taking

    takers = ((services, "take"), (of_orders, "take_batch"), (of_entries, "take_batch"))
    for module, name in takers:
        monkeypatch.setattr(module, name, stopping(getattr(module, name)))
    return seen
