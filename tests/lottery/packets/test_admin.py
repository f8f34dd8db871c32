"""Operators' pages of red packets and grabs: facts that no form writes, and one step each."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from lottery.packets.models import Grab, Packet, Slot
from shop.pools.audit import audit
from shop.pools.models import Pool
from tests.factories import make_user
from tests.kit.desk import listed, offered, page_of, said, shown
from tests.kit.packets import amounts, expire, grab, make_packet, settle
from tests.kit.wallets import balance

pytestmark = pytest.mark.django_db

PACKETS = reverse("admin:packets_packet_changelist")
GRABS = reverse("admin:packets_grab_changelist")


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


def facts() -> list[Any]:
    """Everything that is stored of packets and their slots."""
    return [list(model.objects.order_by("pk").values()) for model in (Packet, Grab, Slot, Pool)]


@pytest.fixture
def packet() -> Packet:
    packet = make_packet(greeting="<script>alert(1)</script>")
    grab(packet, make_user("winner"))
    return packet


@pytest.fixture
def given_up(settings: Settings) -> Grab:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet = make_packet()
    grab(packet)
    Grab.objects.filter(packet=packet).update(
        status="failed", failure="internal", queue=None, attempts=5
    )
    return Grab.objects.get(packet=packet)


def test_a_packet_is_shown_with_its_money_and_without_its_seed(
    desk: Client, packet: Packet
) -> None:
    [amount] = amounts(packet)

    for page in (desk.get(PACKETS), desk.get(page_of(packet))):
        text = page.content.decode()
        assert packet.public_id in text
        assert "¥10.00 (1000 fen)" in text
        assert packet.seed not in text
        assert "<script>alert(1)" not in text
    assert f"({amount} fen)" in text
    assert f"{GRABS}?packet={packet.public_id}" in text


def test_a_grab_is_shown_with_its_place_and_amount(desk: Client, packet: Packet) -> None:
    grab_row = Grab.objects.get()

    for page in (desk.get(GRABS), desk.get(page_of(grab_row))):
        text = page.content.decode()
        assert grab_row.grab_no in text
        assert f"({amounts(packet)[0]} fen)" in text


@pytest.mark.parametrize("term", ["public_id", "winner"])
def test_grabs_are_found_by_packet_and_by_user(desk: Client, packet: Packet, term: str) -> None:
    grab(make_packet())
    term = packet.public_id if term == "public_id" else term

    assert listed(desk, Grab, q=term) == [Grab.objects.get(packet=packet).pk]


def test_packets_are_found_by_id_and_by_sender(desk: Client, packet: Packet) -> None:
    make_packet()
    for term in (packet.public_id, packet.user.username):
        assert listed(desk, Packet, q=term) == [packet.pk]
    assert listed(desk, Packet, q="nobody") == []


def test_a_packet_s_own_grabs_and_those_to_look_after_are_lists(
    desk: Client, packet: Packet, given_up: Grab
) -> None:
    assert listed(desk, Grab, packet=packet.public_id) == [Grab.objects.get(packet=packet).pk]
    assert listed(desk, Grab, look="failed") == [given_up.pk]


@pytest.mark.parametrize("page", [PACKETS, GRABS])
def test_a_list_costs_the_same_for_any_number(desk: Client, page: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(page).status_code == 200
        return len(captured)

    grab(make_packet())
    few = queries()
    for _ in range(5):
        grab(make_packet())

    assert queries() == few


def test_no_form_writes_a_fact(desk: Client, packet: Packet) -> None:
    before = facts()
    values = {"total_fen": "5", "status": "failed", "amount_fen": "1000", "refunded_fen": "1000"}

    for row in (packet, Grab.objects.get()):
        for page in ("change", "delete"):
            assert desk.post(page_of(row, page), values).status_code in (403, 405)
    for page in ("admin:packets_packet_add", "admin:packets_grab_add"):
        assert desk.post(reverse(page), values).status_code == 403

    assert facts() == before


def test_expire_now_gives_back_what_nobody_got(desk: Client, packet: Packet) -> None:
    assert offered(desk, packet) == ["expire"]
    before = facts()
    assert desk.get(page_of(packet, "expire")).status_code == 200
    assert facts() == before

    answer = desk.post(page_of(packet, "expire"))

    assert said(answer) == ["The red packet is over."]
    assert balance(packet.user) == 1_000 - sum(amounts(packet))
    assert LogEntry.objects.get().change_message == "Expired early"
    assert offered(desk, packet) == []
    assert audit().broken == {}


def test_try_again_lets_a_grab_wait_once_more(desk: Client, given_up: Grab) -> None:
    assert "given up after 5 attempts" in shown(desk, given_up)["failure_shown"]
    assert offered(desk, given_up) == ["retry", "drop"]

    answer = desk.post(page_of(given_up, "retry"))

    assert said(answer) == ["The grab waits to be settled."]
    settle(given_up.packet)
    given_up.refresh_from_db()
    assert given_up.status == "confirmed"
    assert audit().broken == {}


def test_drop_leaves_it_failed_and_out_of_the_list(desk: Client, given_up: Grab) -> None:
    desk.post(page_of(given_up, "drop"))

    assert listed(desk, Grab, look="failed") == []
    assert "dropped by an operator" in shown(desk, given_up)["failure_shown"]
    assert offered(desk, given_up) == ["retry"]
    given_up.refresh_from_db()
    assert given_up.failure == "internal"


def test_what_can_not_be_done_is_said(desk: Client, given_up: Grab) -> None:
    expire(given_up.packet)
    desk.post(page_of(given_up.packet, "expire"))

    answer = desk.post(page_of(given_up, "retry"))

    assert "This has ended." in answer.content.decode()
    given_up.refresh_from_db()
    assert given_up.status == "failed"


@pytest.mark.parametrize(
    ("permissions", "may_expire", "may_retry"),
    [
        (["view_packet", "view_grab"], False, False),
        (["change_grab"], False, True),
        (["change_packet"], True, False),
    ],
)
def test_each_step_has_its_permission(
    desk_of: Callable[..., Client],
    packet: Packet,
    given_up: Grab,
    permissions: list[str],
    may_expire: bool,
    may_retry: bool,
) -> None:
    clerk, before = desk_of(*permissions), facts()

    for row, step, may in ((packet, "expire", may_expire), (given_up, "retry", may_retry)):
        assert clerk.get(page_of(row, step)).status_code == (200 if may else 403)
        if not may:
            assert clerk.post(page_of(row, step)).status_code == 403

    assert facts() == before
    assert Client().post(page_of(packet, "expire")).status_code == 302


def test_a_step_of_what_does_not_exist_goes_back(desk: Client, packet: Packet) -> None:
    gone = Packet(pk=987_654)

    assert desk.post(page_of(gone, "expire")).status_code == 302
    assert not LogEntry.objects.exists()
