"""What a newcomer is told to copy works as it is printed."""

import re
import subprocess

import pytest

from deploy.local.welcome import welcome
from lottery.models import Entry, Period
from lottery.proof import period_proof
from orders.models import Order
from shop import demo
from tests.kit.periods import draw, settle

pytestmark = pytest.mark.django_db(transaction=True)

LOGINS = {"shopper": demo.SHOPPER, "operator": demo.OPERATOR}


@pytest.fixture
def printed(live_server, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    demo.seed()
    return welcome(live_server.url, LOGINS, up_after="up after 1.0 s")


def commands(text):
    """Each command, with the lines that it goes on in."""
    return re.findall(r"^(?:curl|\.venv)(?:.*\\\n)*.*$", text, re.MULTILINE)


def test_each_command_buys_what_it_says(printed):
    cart, sale, entry, _proof, _verify, *_manage = commands(printed)

    for command in (cart, sale, entry):
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
        assert b"_no" in done.stdout, done.stdout

    assert {order.kind for order in Order.objects.all()} == {"goods", "flash_sale"}
    settle(Period.objects.get())
    assert Entry.objects.get(status="confirmed").shares.count == 10


def test_the_proof_is_fetched_and_verified_against_the_commitment_of_before(printed):
    _cart, _sale, entry, proof, verify, *_manage = commands(printed)
    subprocess.run(["bash", "-c", entry], capture_output=True, check=True)
    period = Period.objects.get()
    settle(period)
    draw(period)

    fetched = subprocess.run(["bash", "-c", proof], capture_output=True, check=True)
    verified = subprocess.run(["bash", "-c", verify], capture_output=True, check=True)

    assert fetched.stdout.strip() == period_proof(period.pk)
    lines = verified.stdout.decode().splitlines()
    assert f"ok saved commitment: '{period.commitment}', as you saved it" in lines
    assert not [line for line in lines if line.startswith("WRONG")]


def test_what_is_not_there_is_said_and_the_rest_is_printed(live_server, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    demo.seed()
    Period.objects.update(status="cancelled")

    text = welcome(live_server.url, LOGINS, up_after="up")

    assert "(No lottery period is open.)" in text
    assert "/flash-sales/" in text
    unknown = welcome(live_server.url, {**LOGINS, "shopper": ("x", "y")}, up_after="up")
    assert "(no command: HTTPError" in unknown
