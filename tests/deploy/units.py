"""The systemd units, as far as these tests must read them."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.ops.processes import ROOT

FOLDER = ROOT / "deploy" / "systemd"
COMMON = FOLDER / "scarce-.service.d" / "common.conf"
PROCESSES = [
    "scarce-web.service",
    "scarce-worker-drains.service",
    "scarce-worker-sweepers.service",
    "scarce-beat.service",
]
BIN = "/opt/scarce/.venv/bin/"


@dataclass(frozen=True)
class Unit:
    """One file: its lines of `Name=value`, in order, whatever their section."""

    name: str
    lines: list[tuple[str, str]]

    @classmethod
    def read(cls, name: str) -> Self:
        """The unit of that file name, with what systemd adds to it."""
        text = (FOLDER / name).read_text()
        if name.startswith("scarce-"):
            text += COMMON.read_text()
        lines = []
        for line in text.splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                lines.append((key, value))
        return cls(name, lines)

    def values(self, key: str) -> list[str]:
        """Every value given for a name."""
        return [value for name, value in self.lines if name == key]

    def environment(self) -> dict[str, str]:
        """What its Environment lines set."""
        words = [word for value in self.values("Environment") for word in shlex.split(value)]
        return dict(word.split("=", 1) for word in words)

    def tuning(self) -> dict[str, str]:
        """Of the environment, what is granian's."""
        return {
            name: value for name, value in self.environment().items() if name.startswith("GRANIAN_")
        }

    def line(self) -> list[str]:
        """The words of its command as a process sees them; a specifier keeps its one %."""
        (command,) = self.values("ExecStart")
        return shlex.split(command.replace("%%", "%"))

    def command(self) -> list[str]:
        """Its command, with the programs of the Python that runs this."""
        program, *arguments = self.line()
        assert program.startswith(BIN)
        return [str(Path(sys.executable).parent / program.removeprefix(BIN)), *arguments]
