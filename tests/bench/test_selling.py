"""What the rows of a period say after a run: each fault is seen, and nothing else is."""

import json
from pathlib import Path

import pytest
from django.db.models import F

from bench.inside.lottery import Selling, grant
from bench.inside.proofs import verified, write_proof
from bench.sales import QUEUED, Way
from lottery.models import Entry, Shares
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.wallet.models import Currency, Posting
from shop.wallet.selectors import balances_of
from tests.factories import enter, make_period, make_user

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 3


@pytest.fixture
def selling() -> Selling:
    """A period of 100 shares whose entries wait in a queue."""
    way = Way(QUEUED, "optimistic", gated=False)
    period = make_period(total_shares=100, share_price=5, placement=QUEUED, per_user_limit=LIMIT)
    return Selling(period, way, buyer=0, is_hot=False)


@pytest.fixture
def acknowledged(selling: Selling, tmp_path: Path) -> Path:
    """What clients were told who have bought 1, 2 and 3 shares of it."""
    users = [make_user() for _ in range(3)]
    grant([user.pk for user in users], amount=1_000)
    entries = [enter(user, selling.period, count) for count, user in enumerate(users, start=1)]
    assert not drain(selling.period.queue_id)
    file = tmp_path / "acknowledged"
    file.write_text("".join(f"{entry.entry_no}\n" for entry in entries))
    return file


def wrong(selling: Selling, acknowledged: Path) -> dict[str, int]:
    """What should be zero and is not."""
    sent = selling.requests(Path(), run="a", acknowledged=acknowledged)
    found = selling.outcome(sent).wrong(wanted=6)
    return {name: count for name, count in found.items() if count}


def test_entries_that_are_right_have_no_fault(selling: Selling, acknowledged: Path) -> None:
    sent = selling.requests(Path(), run="a", acknowledged=acknowledged)

    found = selling.outcome(sent)

    assert (found.sold.orders, found.sold.units, found.sold.available) == (3, 6, 94)
    assert not any(found.wrong(wanted=6).values())


def test_shares_that_begin_too_late_leave_a_gap(selling: Selling, acknowledged: Path) -> None:
    last = Shares.objects.order_by("-first")[0]
    Shares.objects.filter(pk=last.pk).update(first=last.first + 1)

    assert wrong(selling, acknowledged) == {"gaps": 1}


def test_two_shares_with_one_number_are_seen(selling: Selling, acknowledged: Path) -> None:
    last = Shares.objects.order_by("-first")[0]
    Shares.objects.filter(pk=last.pk).update(first=last.first - 1)

    assert wrong(selling, acknowledged) == {"gaps": 1, "misnumbered": 1}


def test_shares_that_the_period_does_not_have_are_seen(
    selling: Selling, acknowledged: Path
) -> None:
    last = Shares.objects.order_by("-first")[0]
    Shares.objects.filter(pk=last.pk).update(first=98)

    assert wrong(selling, acknowledged) == {"gaps": 1, "misnumbered": 3}


def test_a_posting_too_few_is_seen_at_the_entry_and_at_the_house(
    selling: Selling, acknowledged: Path
) -> None:
    entry = Entry.objects.order_by("pk")[0]
    Posting.objects.filter(reference=entry.entry_no).delete()

    assert wrong(selling, acknowledged) == {"unpaid": 1}

    Posting.objects.filter(account__house="lottery").update(amount=F("amount") + 1)

    assert wrong(selling, acknowledged) == {"unpaid": 2}


def test_points_taken_for_no_shares_are_seen(selling: Selling, acknowledged: Path) -> None:
    Shares.objects.order_by("first")[0].delete()

    found = wrong(selling, acknowledged)

    assert found["unpaid"] == 2
    assert found["gaps"] == 1


def test_more_shares_than_the_limit_are_seen(selling: Selling, acknowledged: Path) -> None:
    Shares.objects.filter(count=LIMIT).update(count=LIMIT + 1)

    assert wrong(selling, acknowledged)["limit breaches"] == 1


def test_a_number_that_nothing_has_is_lost_and_one_that_two_were_told_is_doubled(
    selling: Selling, acknowledged: Path
) -> None:
    first = acknowledged.read_text().splitlines()[0]
    with acknowledged.open("a") as file:
        file.write(f"none\n{first}\n")

    assert wrong(selling, acknowledged) == {"lost": 1, "duplicates": 1}


def test_grants_are_booked(db: None) -> None:
    users = [make_user() for _ in range(3)]

    grant([user.pk for user in users], amount=70)
    grant([users[0].pk], amount=5, currency=Currency.CNY)

    assert [balances_of(user)[Currency.POINTS] for user in users] == [70, 70, 70]
    assert balances_of(users[0])[Currency.CNY] == 5
    assert audit().broken == {}


def test_a_large_proof_passes_and_one_with_a_changed_entry_does_not(tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    commitment = write_proof(proof, entries=50, shares=10_000)

    assert not verified(proof, commitment=commitment).is_faulty
    assert verified(proof, commitment="0" * 64).is_faulty

    said = json.loads(proof.read_text())
    said["entries"][7][2] += 1
    proof.write_text(json.dumps(said))

    assert verified(proof, commitment=commitment).is_faulty
