"""Time that only moves when a test says so, and time that has moved on meanwhile."""

import time


class Clock:
    """Called, it tells the time: seconds of no particular day."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """In the place of `time.sleep`."""
        self.now += seconds


class Age:
    """As old as it was, in seconds, or as much older as this test has been running since. `within`:
    how much more it may have been."""

    def __init__(self, seconds: float, *, within: float = 0.0) -> None:
        self.least = seconds
        self.within = within
        self.since = time.monotonic()

    def __eq__(self, told: object) -> bool:
        most = self.least + self.within + time.monotonic() - self.since
        # Some tell whole seconds only.
        return isinstance(told, int | float) and self.least - 1 < told < most + 1

    def __repr__(self) -> str:
        return f"about {self.least} s"
