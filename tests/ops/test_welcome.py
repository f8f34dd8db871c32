"""What a newcomer is told to copy works as it is printed."""

import json
import re
import shutil
import subprocess

import pytest

from deploy.local.welcome import welcome
from lottery.models import Entry, Period
from lottery.proof import period_proof
from orders.models import Order
from shop import demo
from shop.demo.period import WHOLE
from tests.kit.periods import draw, settle
from tests.ops.processes import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

LOGINS = {"shopper": demo.SHOPPER, "operator": demo.OPERATOR, "owner": demo.OWNER}


@pytest.fixture
def printed(live_server, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    demo.seed()
    return welcome(live_server.url, LOGINS, up_after="up after 1.0 s")


def the_whole_one():
    return Period.objects.get(reference=WHOLE.reference)


def typed(command):
    """What a command prints that is copied into a shell in this folder."""
    shell = shutil.which("bash") or "/bin/sh"
    done = subprocess.run([shell, "-c", command], capture_output=True, check=True, cwd=ROOT)
    return done.stdout.decode().strip()


def commands(text):
    """Each command, with the lines that it goes on in."""
    return re.findall(r"^(?:curl|\.venv)(?:.*\\\n)*.*$", text, re.MULTILINE)


def test_each_command_buys_what_it_says(printed):
    cart, sale, entry, _proof, _verify, grab, look = commands(printed)

    answers = [json.loads(typed(command)) for command in (cart, sale, entry, grab, look)]

    assert all(
        {"order_no", "entry_no", "amount_fen", "grabs"} & answer.keys() for answer in answers
    )
    assert {order.kind for order in Order.objects.all()} == {"goods", "flash_sale"}
    settle(the_whole_one())
    assert Entry.objects.get(period=the_whole_one(), status="confirmed").shares.count == 10


def test_the_proof_is_fetched_and_verified_against_the_commitment_of_before(printed):
    _cart, _sale, entry, proof, verify, *_packet = commands(printed)
    typed(entry)
    period = the_whole_one()
    settle(period)
    draw(period)

    assert typed(proof).encode() == period_proof(period.pk)
    lines = typed(verify).splitlines()
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
