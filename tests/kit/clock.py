"""Time that only moves when a test says so."""


class Clock:
    """Called, it tells the time: seconds of no particular day."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """In the place of `time.sleep`."""
        self.now += seconds
