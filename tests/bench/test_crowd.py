"""What the rows of red packets say after a run: each fault is seen, and nothing else is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.models import F
from rest_framework_simplejwt.tokens import AccessToken

from bench.inside.lottery import grant, rich_user
from bench.inside.packets import Crowd
from bench.load import Grabs
from bench.sales import DIRECT, Way
from lottery.packets.grabbing import packet_grab
from lottery.packets.models import Grab, Packet, Slot
from shop.accounts.models import Address
from shop.wallet.models import Currency, Posting
from tests.factories import make_address, make_user

pytestmark = pytest.mark.django_db(transaction=True)

SLOTS = 10
RUN = "a-run"


@pytest.fixture
def crowd() -> Crowd:
    """Two packets for each run."""
    return Crowd(Way(DIRECT, "optimistic", gated=False), rich_user(), slots=SLOTS, packets=2)


@pytest.fixture
def shoppers(tmp_path: Path) -> Iterator[Path]:
    """A file of three shoppers."""
    addresses = [make_address(make_user()) for _ in range(3)]
    grant([address.user_id for address in addresses], amount=1, currency=Currency.CNY)
    file = tmp_path / "shoppers"
    file.write_text("".join(f"{AccessToken.for_user(one.user)} {one.pk}\n" for one in addresses))
    yield file


@pytest.fixture
def sent(crowd: Crowd, shoppers: Path, tmp_path: Path) -> Grabs:
    """All three have grabbed from the first packet, one from the second, and each was told."""
    acknowledged = tmp_path / "acknowledged"
    wanted = crowd.requests(shoppers, run=RUN, acknowledged=acknowledged)
    users = [Address.objects.get(pk=line.split()[1]).user for line in shoppers.open()]
    turns = [(packet, user) for packet in crowd.of_run[RUN] for user in users][:4]
    with acknowledged.open("w") as file:
        for number, (packet, user) in enumerate(turns, start=1):
            grabbed = packet_grab(user_id=user.pk, public_id=packet.public_id)
            file.write(f"{RUN}-{number} {grabbed.amount_fen}\n")
    return wanted


def wrong(crowd: Crowd, sent: Grabs) -> dict[str, int]:
    """What should be zero and is not."""
    found = crowd.outcome(sent).wrong(wanted=4)
    return {name: count for name, count in found.items() if count}


def test_the_addresses_are_those_of_the_packets(crowd: Crowd, sent: Grabs) -> None:
    assert sent.paths.read_text().splitlines() == [
        f"/api/v1/red-packets/{packet.public_id}/grab" for packet in crowd.of_run[RUN]
    ]


def test_grabs_that_are_right_have_no_fault_and_the_rest_goes_back(
    crowd: Crowd, sent: Grabs
) -> None:
    found = crowd.outcome(sent)

    assert (found.sold.loaded, found.sold.units, found.sold.available) == (20, 4, 16)
    assert not any(found.wrong(wanted=4).values())
    assert not Packet.objects.filter(ended_at=None).exists()
    assert not any(crowd.outcome(sent).wrong(wanted=4).values())


def test_another_amount_than_the_client_was_told_is_lost(crowd: Crowd, sent: Grabs) -> None:
    lines = sent.acknowledged.read_text().splitlines()
    sent.acknowledged.write_text("\n".join([f"{RUN}-1 1000000", *lines[1:]]))

    assert wrong(crowd, sent) == {"lost": 1}


def test_a_grab_that_is_not_there_is_lost(crowd: Crowd, sent: Grabs) -> None:
    with sent.acknowledged.open("a") as file:
        file.write(f"{RUN}-5 pending\n")

    assert wrong(crowd, sent) == {"lost": 1}


def test_two_amounts_for_one_are_doubled(crowd: Crowd, sent: Grabs) -> None:
    with sent.acknowledged.open("a") as file:
        file.write(f"{RUN}-1 1000000\n")

    assert wrong(crowd, sent) == {"lost": 1, "duplicates": 1}


def test_a_packet_whose_refund_is_not_its_rest_is_unequal(crowd: Crowd, sent: Grabs) -> None:
    crowd.end()
    Packet.objects.filter(pk=crowd.of_run[RUN][0].pk).update(refunded_fen=F("refunded_fen") - 1)

    assert wrong(crowd, sent) == {"unequal": 1, "unpaid": 1}


def test_places_that_do_not_follow_each_other_are_unequal(crowd: Crowd, sent: Grabs) -> None:
    Slot.objects.filter(place=2).update(place=7)

    assert wrong(crowd, sent) == {"unequal": 1}


def test_a_grab_that_no_wallet_got_is_unpaid(crowd: Crowd, sent: Grabs) -> None:
    slot = Slot.objects.order_by("pk")[0]
    Posting.objects.filter(transaction__reference=slot.reference, account__user=slot.user).delete()

    assert wrong(crowd, sent) == {"unpaid": 1}


def test_a_slot_without_its_grab_is_undersold_and_lost(crowd: Crowd, sent: Grabs) -> None:
    slot = Slot.objects.order_by("-pk")[0]
    slot.delete()
    Grab.objects.filter(pk=slot.grab_id).delete()

    found = wrong(crowd, sent)

    assert (found["undersold"], found["lost"]) == (1, 1)
