"""Whoever watches a pool, in tests: shots of it, without the seconds between them."""

import pytest

from shop.pools import gate, shots
from shop.pools.live import Shot, View, Watched, view


def stop_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no second passes by itself; and nothing is kept of another
    test's pools."""
    monkeypatch.setattr(shots, "SHOT_SECONDS", 600.0)
    monkeypatch.setattr(shots, "LEASE_SECONDS", 600.0)
    if gate.configured():
        gate.client().flushdb()


def let_a_second_pass(pool_id: int) -> None:
    """The next look is due to make a shot."""
    if gate.configured():
        gate.client().delete(gate.names(pool_id, "live:lease")[1])
    if memory := shots._memories.get(pool_id):
        memory.due_at = 0.0


def watch(watched: Watched, fact: object, *, curve: bool = False) -> View:
    """What is to be seen of the fact (it has a pool) once the last shot is a second old."""
    pool_id: int = fact.pool_id  # type: ignore[attr-defined]
    let_a_second_pass(pool_id)
    return view(watched, fact.pk, pool_id=pool_id, curve=curve)  # type: ignore[attr-defined]


def shot_now(watched: Watched, fact: object) -> Shot:
    """A shot of the fact, made now."""
    shot = watch(watched, fact).shot
    assert shot is not None
    return shot


def grown(before: Shot, after: Shot, name: str) -> float | None:
    """How many of what is counted by the second came between two shots."""
    speed = after.per_second[name]
    return None if speed is None else round(speed * (after.at - before.at), 6)
