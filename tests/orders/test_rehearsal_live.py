"""`manage.py rehearse` against a shop of real processes: granian, a Celery worker, beat, SQLite."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.processes import Child, free_port, listening, stop_all
from deploy.local.up import web_command
from orders.rehearsal.inside import Shopper
from orders.rehearsal.run import UnfitError, check_same_shop
from tests.ops.processes import ROOT, environment, run_python

pytestmark = pytest.mark.timeout(900)

CELERY = [sys.executable, "-m", "celery", "-A", "shop.celery"]
SCHEDULE = """
from datetime import timedelta
from django.utils import timezone
from goods.sales.models import Protection
from shop.pools.models import Placement
from goods.sales.services import SalePlan, sale_schedule
from tests.factories import make_sku
now = timezone.now()
sale = sale_schedule(SalePlan(
    sku=make_sku(stock={stock}), price_fen=100, total={stock}, per_user_limit=1,
    starts_at=now + timedelta(seconds={starts_in}), ends_at=now + timedelta(hours=1),
    placement=Placement("{placement}"), protection=Protection("{protection}"),
))
print(sale.pk)
"""
# available, taken; orders by status; users of rehearsals that could log in
STATE = """
import json
from collections import Counter
from goods.sales.models import FlashSale
from orders.models import Order
from shop.accounts.models import User
pool = FlashSale.objects.get(pk={sale}).pool
orders = Order.objects.filter(sale={sale})
buyers = User.objects.filter(orders__in=orders)
print(json.dumps([
    pool.available, pool.taken, Counter(orders.values_list("status", flat=True)),
    [user.username for user in buyers if user.has_usable_password()
        or not user.username.startswith("rehearsal-")],
]))
"""


@dataclass
class Shop:
    """A shop of its own: database, broker and processes in a folder of the test's."""

    folder: Path
    port: int

    def __post_init__(self):
        self.env = environment(SCARCE_VAR=str(self.folder))
        commands = {
            "web": web_command("embedded", port=self.port),
            "worker": [*CELERY, "worker", "--pool=threads", "-Q", "drains,sweepers,celery"],
            "beat": [*CELERY, "beat"],
        }
        self.children = {
            name: Child(name, command, log=self.folder / f"{name}.log", env=self.env)
            for name, command in commands.items()
        }

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def web(self):
        return self.children["web"]

    def start(self):
        self.manage("migrate", "--verbosity=0")
        for child in self.children.values():
            child.start()
        self.web.wait_until(lambda: listening(self.port), seconds=120)

    def manage(self, *arguments):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def rehearsal(self, sale, *arguments):
        return subprocess.Popen(
            [sys.executable, "manage.py", "rehearse", str(sale), "--base", self.base, *arguments],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rehearse(self, sale, *arguments):
        with self.rehearsal(sale, *arguments) as process:
            out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def python(self, code):
        return run_python(code, SCARCE_VAR=str(self.folder)).stdout

    def sale(self, *, stock, placement="queued", protection="none", starts_in=0):
        code = SCHEDULE.format(
            stock=stock, placement=placement, protection=protection, starts_in=starts_in
        )
        return int(self.python(code))

    def state(self, sale):
        available, taken, statuses, others = json.loads(self.python(STATE.format(sale=sale)))
        assert others == []
        return available, taken, Counter(statuses)

    def pages(self, sale):
        return sorted((self.folder / "rehearsals").glob(f"{sale}-*.html"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("shop"), free_port())
    try:
        shop.start()
        yield shop
    finally:
        stop_all(shop.children.values())


def line(out, beginning):
    return next(line for line in out.splitlines() if line.startswith(beginning))


@pytest.mark.parametrize("placement", ["queued", "direct"])
def test_more_shoppers_than_units_buy_exactly_the_units(shop, placement):
    sale = shop.sale(stock=20, placement=placement)

    done = shop.rehearse(sale, "--shoppers", "60", "--rate", "60", "--for", "1.5")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      units sold are the smaller of stock and demand: 20 sold, 20 expected" in (
        done.stdout
    )
    assert re.search(r"^visits +90$", done.stdout, re.M)
    assert re.search(r"^  unpaid +20$", done.stdout, re.M)
    available, taken, statuses = shop.state(sale)
    assert (available, taken, statuses["unpaid"]) == (0, 20, 20)
    assert set(statuses) <= {"unpaid", "failed"}


def test_the_page_and_the_clients_log_are_kept(shop):
    sale = shop.sale(stock=5)

    done = shop.rehearse(sale, "--shoppers", "10", "--rate", "50")

    [page] = shop.pages(sale)
    assert done.stdout.splitlines()[-1] == str(page)
    assert "Everything was kept." in page.read_text()
    assert page.read_text().count("<svg") == 3
    logged = [json.loads(entry) for entry in page.with_suffix(".jsonl").read_text().splitlines()]
    assert len({entry["key"] for entry in logged}) == 10
    assert len({entry["number"] for entry in logged if entry.get("status") == "unpaid"}) == 5
    # The audit's lines stand at the end, after the verdict and before the page's name.
    verdict, _, rest = done.stdout.partition("the audit finds every promise kept")
    assert verdict
    assert len(re.findall(r"^\d  ok ", rest, re.M)) >= 5


def test_fewer_shoppers_than_units_all_buy(shop):
    sale = shop.sale(stock=50)

    done = shop.rehearse(sale, "--shoppers", "8", "--rate", "40")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 sold, 8 expected" in done.stdout
    assert shop.state(sale)[:2] == (42, 8)


@pytest.mark.parametrize("protection", ["token", "captcha"])
def test_shoppers_of_a_protected_sale_bring_a_token(shop, protection):
    sale = shop.sale(stock=10, protection=protection)

    done = shop.rehearse(sale, "--shoppers", "25", "--rate", "50")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 sold, 10 expected" in done.stdout


def test_what_was_bought_can_be_given_back_at_once(shop):
    sale = shop.sale(stock=10)

    done = shop.rehearse(sale, "--shoppers", "25", "--rate", "50", "--cancel")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 sold, 10 expected" in done.stdout
    assert re.search(r"^  cancelled +10$", done.stdout, re.M)
    available, taken, statuses = shop.state(sale)
    assert (available, taken, statuses["cancelled"]) == (10, 0, 10)


def test_it_waits_for_a_sale_that_is_about_to_start(shop):
    # As far ahead as this machine needs to look at it before it starts.
    for starts_in in (6, 25, 55):
        sale = shop.sale(stock=5, starts_in=starts_in)
        done = shop.rehearse(sale, "--shoppers", "10", "--rate", "50")
        if line(done.stdout, "starts").endswith(", with the sale"):
            break

    assert done.returncode == 0, done.stdout + done.stderr
    assert line(done.stdout, "starts").endswith(", with the sale")
    assert "5 sold, 5 expected" in done.stdout


def test_a_web_server_killed_in_the_middle_changes_nothing_about_the_outcome(shop):
    sale = shop.sale(stock=40)

    with shop.rehearsal(sale, "--shoppers", "120", "--rate", "30", "--wait", "240") as process:
        journal = shop.folder / "rehearsals"
        while not any(b'"number"' in log.read_bytes() for log in journal.glob(f"{sale}-*.jsonl")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        shop.web.kill()
        shop.web.start()
        out, err = process.communicate(timeout=600)

    assert process.returncode == 0, out + err
    assert "40 sold, 40 expected" in out
    assert re.search(r"^  connection lost +[1-9]", out, re.M)  # they did notice
    assert shop.state(sale)[:2] == (0, 40)


def test_a_broken_promise_is_seen_and_fails_the_command(shop):
    """Somebody wrote to a counter behind the ledger's back."""
    sale = shop.sale(stock=10)
    tamper = (
        "from goods.models import Sku\nfrom shop.pools.models import Pool\n"
        f"Pool.objects.filter(sku__sales={sale}).update(available={{units}})"
    )
    shop.python(tamper.format(units=3))
    try:
        done = shop.rehearse(sale, "--shoppers", "20", "--rate", "50")
    finally:
        shop.python(tamper.format(units=0))

    assert done.returncode == 1
    assert re.search(r"^1  BROKEN", done.stdout, re.M)
    [page] = shop.pages(sale)
    assert "Something is broken." in page.read_text()


def test_there_is_nothing_to_rehearse_in_a_sale_that_is_far_off_or_not_there(shop):
    far = shop.rehearse(shop.sale(stock=5, starts_in=3000))
    none = shop.rehearse(10**6)

    assert (far.returncode, none.returncode) == (1, 1)
    assert "is scheduled, it starts in" in far.stderr
    assert "404 not_found" in none.stderr


def test_a_server_that_does_not_know_our_shoppers_is_of_another_shop(shop):
    stranger = Shopper(user=1, username="rehearsal-x-0", access="signed elsewhere")

    with pytest.raises(UnfitError, match="401 authentication_failed"):
        check_same_shop(shop.base, stranger)


def test_a_server_that_is_not_there_is_named(shop):
    done = shop.manage("rehearse", "1", "--base", "http://127.0.0.1:9")

    assert done.returncode == 1
    assert "http://127.0.0.1:9" in done.stderr
