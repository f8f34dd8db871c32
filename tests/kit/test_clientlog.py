"""The clients' log: agrees with what can be true, names what cannot."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.clientlog import ClientLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


def test_knowledge_that_the_database_shares_is_no_disagreement(log: ClientLog) -> None:
    log.sends("a")
    log.learns_stored("a", "N1")
    log.sends("b")
    log.learns_refused("b", "sold_out")

    assert log.disagreements([("a", "N1")]) == []


@pytest.mark.parametrize("stored", [[], [("a", "N1")]])
def test_an_unanswered_request_may_be_stored_or_not(
    stored: list[tuple[str, str]], log: ClientLog
) -> None:
    log.sends("a")

    assert log.disagreements(stored) == []


def test_a_refusal_after_an_unanswered_try_proves_nothing(log: ClientLog) -> None:
    log.sends("a")
    log.sends("a")
    log.learns_refused("a", "busy")

    assert log.disagreements([("a", "N1")]) == []


def test_an_answered_order_that_is_gone_is_named(log: ClientLog) -> None:
    log.sends("a")
    log.learns_stored("a", "N1")

    assert log.disagreements([]) == ["a: answered ['N1'], stored []"]


def test_a_refused_order_that_is_there_is_named(log: ClientLog) -> None:
    log.sends("a")
    log.learns_refused("a", "sold_out")

    assert log.disagreements([("a", "N1")]) == ["a: refused each time, stored ['N1']"]


def test_one_key_answered_with_two_orders_is_named(log: ClientLog) -> None:
    for number in ("N1", "N2"):
        log.sends("a")
        log.learns_stored("a", number)

    assert log.disagreements([("a", "N1"), ("a", "N2")]) == [
        "a: stored 2 times, ['N1', 'N2']",
    ]
    assert log.disagreements([("a", "N1")]) == ["a: answered ['N1', 'N2'], stored ['N1']"]


def test_an_order_that_nobody_sent_is_named(log: ClientLog) -> None:
    assert log.disagreements([("x", "N9")]) == ["x: stored as ['N9'], nobody sent it"]


def test_many_processes_write_whole_lines_into_one_log(tmp_path: Path) -> None:
    path = tmp_path / "clients.log"
    program = (
        "import sys; from pathlib import Path; from tests.kit.clientlog import ClientLog\n"
        "log = ClientLog(Path(sys.argv[1]))\n"
        "for i in range(200): log.sends(f'{sys.argv[2]}-{i}')\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(name)],
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        for name in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]

    with ClientLog(path) as log:
        everything = [(f"{name}-{i}", f"N{name}-{i}") for name in range(4) for i in range(200)]
        assert log.disagreements(everything) == []
        assert len(path.read_text().splitlines()) == 800
