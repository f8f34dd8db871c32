"""One run of the benchmark: the figures of its parts, put together, printed and written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.verdict import Check


@dataclass(frozen=True, slots=True)
class Report:
    """`parts`: by name, what each left (`table`, `checks`, `figures`)."""

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(
        cls,
        folder: Path,
        *,
        machine: Mapping[str, Any],
        versions: Mapping[str, str],
        settings: Mapping[str, Any],
        parts: list[str],
    ) -> "Report":
        """Reads what `parts` left in `folder`."""
        left = {name: json.loads((folder / f"{name}.json").read_text()) for name in parts}
        return cls(machine, versions, settings, left)

    def checks(self) -> list[Check]:
        """The verdict of all parts, line by line."""
        return [Check(**check) for part in self.parts.values() for check in part["checks"]]

    def holds(self, *, strict: bool) -> bool:
        """Whether everything that must hold does; figures of speed must only where `strict`."""
        return all(check.ok or not (check.hard or strict) for check in self.checks())

    def text(self) -> str:
        """For the terminal."""
        tables = [part["table"] for part in self.parts.values()]
        checks = "\n".join(str(check) for check in self.checks())
        return "\n\n".join([self.head(), *tables, checks])

    def head(self) -> str:
        """Machine, versions and settings, a line each."""
        return "\n".join(
            ", ".join(f"{name} {value}" for name, value in facts.items())
            for facts in (self.machine, self.versions, self.settings)
        )

    def as_json(self) -> str:
        """What is written to the results file."""
        figures = {
            "machine": self.machine,
            "versions": self.versions,
            "settings": self.settings,
            **{name: part["figures"] for name, part in self.parts.items()},
            "checks": [check for part in self.parts.values() for check in part["checks"]],
        }
        return json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
