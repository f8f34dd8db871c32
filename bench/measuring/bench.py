"""What every part measures with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.inside import shop
from bench.load import Answers, Generator
from bench.usage import Meter
from bench.verdict import Yardstick

WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Bench:
    """The server at `base`, its processes (name -> id), a folder for the clients' files; timed runs
    take `seconds`, at each of `clients` where the part does not say otherwise."""

    part: str
    base: str
    folder: Path
    processes: dict[str, int]
    seconds: int
    clients: Sequence[int]
    _shoppers: dict[int, Path] = field(default_factory=dict)

    @property
    def wrk(self) -> Generator:
        return Generator(self.base, self.folder)

    @property
    def meter(self) -> Meter:
        return Meter(self.processes)

    def shoppers(self, count: int) -> Path:
        """The file of `count` shoppers, made when first asked for."""
        if count not in self._shoppers:
            file = self.folder / f"{count}.shoppers"
            shop.write_shoppers(file, count=count)
            self._shoppers[count] = file
        return self._shoppers[count]

    def run(self, *words: object) -> str:
        """A name for a run that no other part uses: no key is sent twice."""
        return "-".join(str(word).replace(" ", "-") for word in (self.part, *words))

    def acknowledged(self, name: str) -> Path:
        """The file that the order numbers of run `name` go into."""
        return self.folder / f"{name}.acknowledged"

    def yardstick(self, clients: int) -> Answers:
        """One run of the bare view."""
        self.wrk.yardstick(clients=clients, seconds=1)
        return self.wrk.yardstick(clients=clients, seconds=max(1, self.seconds // 2))

    def yardsticks(self, clients: int, before: Answers) -> Yardstick:
        """The yardstick, its second run made now."""
        return Yardstick(clients, [before, self.yardstick(clients)])


def progress(what: object, per_second: float, *, unit: str = "orders") -> None:
    """One line for whoever waits."""
    print(f"  {what!s:34} {per_second:8,.0f} {unit}/s", flush=True)
