"""The console's pages, in both languages and modes, on a telephone and on a desk: nothing that
keeps people out, and nothing that reaches over the edge."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import expect

from goods.models import Sku
from shop.accounts.models import User
from tests.factories import pay_from_wallet, place, top_up
from tests.kit.browser import DESK, PHONE, pictured, serious_faults
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]

# Models whose list is looked at, and which pages of the newest row; and those that are begun.
ROWS = {
    "goods_category": (),
    "goods_goods": ("change",),
    "goods_sku": ("adjust", "movements"),
    "sales_flashsale": ("change", "live"),
    "orders_order": ("change", "refund"),
    "orders_shippingmethod": (),
    "lottery_period": ("change",),
    "accounts_user": ("change",),
    "admin_logentry": (),
}
ADDS = ("sales_flashsale", "lottery_period")


@pytest.fixture
def pages(transactional_db):
    """A shop with something of everything; name -> address of each of its pages."""
    call_command("seed_demo", stdout=StringIO())
    demo = User.objects.get(username="demo")
    top_up(demo, 500_000)
    sku = Sku.objects.filter(pool__available__gt=0).latest("pk")
    for _ in range(3):
        order = place(demo, {sku: 1})
    pay_from_wallet(demo, order)
    newest = {
        name: apps.get_model(name.replace("_", "."))._default_manager.order_by("pk").last()
        for name, names in ROWS.items()
        if names
    }
    return {
        "home": reverse("admin:index"),
        **{name: reverse(f"admin:{name}_changelist") for name in ROWS},
        **{f"{name}-add": reverse(f"admin:{name}_add") for name in ADDS},
        **{
            f"{name}-{page}": reverse(f"admin:{name}_{page}", args=[newest[name].pk])
            for name, names in ROWS.items()
            for page in names
        },
    }


@pytest.mark.parametrize(
    ("locale", "mode", "size"), [("en-GB", "light", PHONE), ("zh-CN", "dark", DESK)]
)
def test_no_page_keeps_anybody_out(console, operator, pages, locale, mode, size):
    page = console(
        operator, locale=locale, viewport=size, color_scheme=mode, reduced_motion="reduce"
    ).page("/admin/")
    base = page.url.removesuffix("/admin/")
    expect(page.locator("html")).to_have_attribute("lang", "en" if locale == "en-GB" else "zh-hans")

    found = {}
    for name, address in pages.items():
        page.goto(f"{base}{address}")
        if faults := serious_faults(page):
            found[name] = faults
        for width, beyond in pictured(page, f"console/{name}").items():
            if beyond > 0:
                found[f"{name} at {width}"] = beyond

    assert found == {}
