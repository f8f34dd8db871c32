"""Deaths and deafness inside one process: what SIGKILL, or a Redis that is gone, would leave
behind, seen by a survivor."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import currently_in_test_context, event

from shop import failpoints
from shop.pools import gate


class Died(BaseException):
    """SIGKILL, as far as one process can do that to itself and look at what is left."""


def _die(*_: object) -> None:
    raise Died


def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on `kill` at a fail point ends what stands there, not the process of the tests."""
    monkeypatch.setattr(failpoints, "os", SimpleNamespace(kill=_die, getpid=os.getpid))


@contextmanager
def dying_at(name: str | None) -> Iterator[None]:
    """Inside, a `mortal` process dies at this fail point: the block ends there, and nobody tidies
    up but the database."""
    failpoints._armed = {name: "kill"} if name else {}
    try:
        yield
    except Died:
        if currently_in_test_context():
            event(f"died at {name}")
    finally:
        failpoints._armed = {}


@contextmanager
def deaf(is_deaf: bool = True) -> Iterator[None]:
    """Inside, where `is_deaf`, this process takes Redis for dead."""
    gate._down.until = time.monotonic() + 3600 if is_deaf else 0.0
    try:
        yield
    finally:
        gate._down.until = 0.0
