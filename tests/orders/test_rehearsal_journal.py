"""What clients wrote down, held against the rows: whatever they were told must be so, once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orders.rehearsal.journal import Journal, StoredOrder


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "clients.jsonl") as journal:
        yield journal


def row(key="k", number="7", status="unpaid", failure=""):
    return StoredOrder(key, number, status, failure)


def test_an_order_that_was_told_and_is_stored_agrees(journal):
    journal.sends("k")
    journal.learns_stored("k", number="7", status="unpaid")

    assert journal.disagreements([row()]) == []


def test_a_request_without_an_answer_may_be_stored_or_not(journal):
    journal.sends("k")

    assert journal.disagreements([]) == []
    assert journal.disagreements([row()]) == []


def test_an_acknowledged_order_that_is_gone_is_told(journal):
    journal.sends("k")
    journal.learns_stored("k", number="7", status="pending")

    assert journal.disagreements([]) == ["k: answered ['7'], stored []"]


def test_two_orders_for_one_key_are_told(journal):
    journal.sends("k")

    assert journal.disagreements([row(), row(number="8")]) == ["k: stored 2 times, ['7', '8']"]


def test_two_numbers_for_one_key_are_told(journal):
    for number in ("7", "8"):
        journal.sends("k")
        journal.learns_stored("k", number=number, status="unpaid")

    assert journal.disagreements([row()]) == ["k: answered ['7', '8'], stored ['7']"]


def test_an_order_behind_a_refusal_is_told_unless_one_request_had_no_answer(journal):
    journal.sends("k")
    journal.learns_refused("k", code="busy")
    assert journal.disagreements([row()]) == ["k: refused each time, stored as ['7']"]

    journal.sends("k")
    assert journal.disagreements([row()]) == []


def test_an_order_that_nobody_sent_is_told(journal):
    assert journal.disagreements([row()]) == ["k: stored as ['7'], nobody sent it"]


def test_more_answers_than_requests_are_told(journal):
    journal.sends("k")
    journal.learns_refused("k", code="busy")
    journal.learns_stored("k", number="7", status="unpaid")

    assert journal.disagreements([row()]) == ["k: 2 answers to 1 requests"]


@pytest.mark.parametrize(
    ("told", "stored"),
    [("pending", "unpaid"), ("pending", "failed"), ("unpaid", "expired"), ("pending", "refunded")],
)
def test_an_order_may_have_gone_further_than_its_client_saw(journal, told, stored):
    journal.sends("k")
    journal.learns_stored("k", number="7", status=told)

    assert journal.disagreements([row(status=stored)]) == []


@pytest.mark.parametrize(
    ("told", "stored"), [("unpaid", "pending"), ("cancelled", "unpaid"), ("settled", "unpaid")]
)
def test_an_order_may_not_be_where_what_was_told_does_not_lead(journal, told, stored):
    journal.sends("k")
    journal.learns_stored("k", number="7", status=told)

    assert journal.disagreements([row(status=stored)]) == [f"k: 7 went from {told} to {stored}"]


def test_an_order_may_not_go_back_while_it_is_watched(journal):
    journal.sends("k")
    journal.learns_stored("k", number="7", status="pending")
    journal.learns_status("k", number="7", status="unpaid")
    journal.learns_status("k", number="7", status="pending")

    assert journal.disagreements([row()]) == ["k: 7 went from unpaid to pending"]


def test_a_failure_that_was_told_with_another_code_is_told(journal):
    journal.sends("k")
    journal.learns_stored("k", number="7", status="pending")
    journal.learns_status("k", number="7", status="failed", failure="sold_out")

    assert journal.disagreements([row(status="failed", failure="sold_out")]) == []
    assert journal.disagreements([row(status="failed", failure="ended")]) == [
        "k: 7 failed with 'sold_out', then with 'ended'"
    ]


def test_a_killed_client_leaves_whole_lines(tmp_path):
    """What it wrote is on the disk's way before it goes on, whatever it dies of."""
    path = tmp_path / "clients.jsonl"
    code = (
        "import os, signal; from pathlib import Path;"
        "from orders.rehearsal.journal import Journal;"
        f"journal = Journal(Path({str(path)!r}));"
        "journal.sends('k'); journal.learns_stored('k', number='7', status='unpaid');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )

    assert done.returncode == -9
    with Journal(path) as journal:
        assert journal.disagreements([]) == ["k: answered ['7'], stored []"]
