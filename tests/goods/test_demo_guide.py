"""What a demo tells newcomers to try, and that no other shop does."""

import io
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.test import Client
from django.utils import timezone
from PIL import Image

from goods.sales.models import FlashSale
from lottery.models import Period
from lottery.packets.grabbing import packet_grab
from lottery.packets.models import Packet
from shop import demo
from shop.accounts.models import User
from shop.demo.catalogue import CATALOGUE
from shop.demo.pictures import MOTIFS, SIZE, picture
from tests.factories import make_user
from tests.kit.periods import draw, settle
from tests.ops.processes import ROOT

GUIDE = "/demo/guide"


@pytest.fixture
def seeded(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    demo.seed()


def told():
    return Client().get(GUIDE).json()


def test_it_names_the_logins_and_something_of_each_kind(seeded):
    guide = told()

    assert tuple(guide["shopper"].values()) == demo.SHOPPER
    assert tuple(guide["operator"].values()) == demo.OPERATOR
    for login in (guide["shopper"], guide["operator"]):
        assert Client().post("/api/v1/auth/login", login, "application/json").status_code == 200
    opening = FlashSale.objects.latest("starts_at")
    assert guide["sale"]["id"] == opening.pk
    assert guide["period"] == Period.objects.earliest("pk").pk
    assert guide["drawn"] is None
    assert guide["packet"] == Packet.objects.get().public_id
    assert Client().get(f"/api/v1/goods/{guide['goods']}").status_code == 200


def test_what_is_over_or_gone_is_not_named(seeded):
    now = timezone.now()
    FlashSale.objects.update(starts_at=now - timedelta(hours=2), ends_at=now)
    packet_grab(user_id=make_user().pk, public_id=Packet.objects.get().public_id)
    User.objects.filter(username=demo.OPERATOR[0]).update(is_active=False)

    guide = told()

    assert (guide["sale"], guide["packet"], guide["operator"]) == (None, None, None)


def test_a_draw_is_there_to_be_verified_once_there_was_one(seeded, login):
    period = Period.objects.earliest("pk")
    shopper = login(User.objects.get(username=demo.SHOPPER[0]))
    shopper.post(
        f"/api/v1/lottery/periods/{period.pk}/entries",
        {"shares": 10},
        headers={"idempotency-key": "all"},
    )
    settle(period)
    draw(period)

    guide = told()

    assert guide["drawn"] == period.pk
    assert guide["period"] == Period.objects.get(previous=period).pk


@pytest.mark.django_db
def test_a_shop_without_the_demo_names_nothing():
    assert set(told().values()) == {None}


def test_the_page_says_where_the_guide_is_in_a_demo_only(settings):
    meta = f'<meta name="guide" content="{GUIDE}">'.encode()
    assert meta in Client().get("/").content

    settings.DEMO_GUIDE = False

    assert b"guide" not in Client().get("/").content


def test_production_has_no_guide():
    """Asked of a process of its own: which addresses there are is decided once."""
    asked = (
        "import django; django.setup()\n"
        "from django.urls import Resolver404, resolve\n"
        "try: print(resolve('/demo/guide'))\n"
        "except Resolver404: print('nothing')\n"
    )
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.production",
        "ALLOWED_HOSTS": "shop.example",
        "SECRET_KEY": "x" * 60,
        "MYSQL_PASSWORD": "none",
        "REDIS_URL": "redis://redis.invalid/0",
        "CELERY_BROKER_URL": "redis://redis.invalid/1",
        # Nobody's environment makes a demo of it.
        "DEMO_GUIDE": "true",
    }
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert done.stdout == "nothing\n", done.stderr
    assert configured.DEMO_GUIDE


@pytest.mark.parametrize("motif", MOTIFS)
def test_each_motif_is_a_small_picture_that_is_drawn_the_same_again(motif):
    drawn = picture(motif, "#5b8c5a")

    assert Image.open(io.BytesIO(drawn)).size == (SIZE, SIZE)
    assert len(drawn) < 40_000
    assert drawn == picture(motif, "#5b8c5a") != picture(motif, "#a23e2a")


def test_the_demo_s_goods_have_a_picture_each_and_no_two_the_same():
    motifs = [goods.motif for shelf in CATALOGUE.values() for goods in shelf]
    assert len(set(motifs)) == len(motifs)
    assert set(motifs) <= set(MOTIFS)
