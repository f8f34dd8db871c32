"""The pages that people act on name what is there: every setting, every library."""

import re

import pytest

from tests.ops.processes import ROOT

# `MYSQL_PASSWORD` and the like, wherever settings read them.
READ = re.compile(r'env(?:\.\w+)?\(\s*"([A-Z0-9_]+)"')
REQUIREMENT = re.compile(r"^([A-Za-z][\w.-]*(?:\[\w+\])?)==(\S+)", re.MULTILINE)


def settings_read() -> set[str]:
    return {
        name for path in (ROOT / "settings").glob("*.py") for name in READ.findall(path.read_text())
    }


@pytest.mark.parametrize("variable", sorted(settings_read() - {"TEST_DATABASE"}))
def test_operations_explain_every_variable_that_settings_read(variable: str) -> None:
    assert f"`{variable}`" in (ROOT / "docs" / "operations.md").read_text()


def test_the_table_of_libraries_is_what_is_installed() -> None:
    pinned = {
        pin
        for path in ROOT.glob("requirements*.txt")
        for pin in REQUIREMENT.findall(path.read_text())
    }
    table = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    documented = set(re.findall(r"^\| ([A-Za-z][\w.\[\]-]*) \| (\d\S*) \|", table, re.MULTILINE))
    assert documented == pinned
