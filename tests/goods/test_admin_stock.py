"""Operators' pages of one SKU's stock: adjusting it, and what has moved it."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from goods.stock import adjust_stock
from shop.operators_log import words_of
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_sku

pytestmark = pytest.mark.django_db


def counters(sku):
    return Pool.objects.values_list("available", "taken").get(pk=sku.pool_id)


def said(response):
    """The messages that the operator sees next."""
    return [str(message) for message in response.context["messages"]]


class TestAdjusting:
    """The page that changes stock by +-n."""

    @pytest.fixture
    def sku(self):
        return make_sku(stock=10)

    @staticmethod
    def page(sku):
        return reverse("admin:goods_sku_adjust", args=[sku.pk])

    def form(self, desk, sku, **values):
        """The form as the page shows it now, filled in."""
        shown = desk.get(self.page(sku)).content.decode()
        [reference] = re.findall(r'name="reference" value="([^"]+)"', shown)
        return {"reference": reference, "delta": "5", "reason": "found in the cellar", **values}

    def test_it_adds_units_and_leaves_a_movement_and_a_log_entry(self, desk, operator, sku):
        form = self.form(desk, sku)

        response = desk.post(self.page(sku), form, follow=True)

        assert counters(sku) == (15, 0)
        movement = PoolMovement.objects.get(kind="adjust")
        assert (movement.delta, movement.operator, movement.reason, movement.reference) == (
            5,
            operator,
            "found in the cellar",
            form["reference"],
        )
        entry = LogEntry.objects.get()
        assert entry.user == operator
        assert words_of(entry) == f"Stock +5: found in the cellar ({form['reference']})"
        assert b"found in the cellar" in response.content

    def test_the_same_form_sent_twice_moves_units_once(self, desk, sku):
        form = self.form(desk, sku)

        desk.post(self.page(sku), form)
        again = desk.post(self.page(sku), form, follow=True, headers={"accept-language": "en"})

        assert counters(sku) == (15, 0)
        assert PoolMovement.objects.filter(kind="adjust").count() == 1
        assert LogEntry.objects.count() == 1
        assert said(again)[-1] == f"{sku.code}: carried out before (+5); nothing changed now."

    def test_each_display_of_the_form_is_a_new_change(self, desk, sku):
        for _ in range(2):
            desk.post(self.page(sku), self.form(desk, sku, delta="-2"))

        assert counters(sku) == (6, 0)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("reason", ""),
            ("reason", "   "),
            ("reason", "x" * 201),
            ("delta", ""),
            ("delta", "0"),
            ("delta", "1.5"),
            ("delta", "1" + "0" * 30),
            ("delta", "-11"),
            ("reference", ""),
            ("reference", "admin-" + "0" * 31 + "\n"),
            ("reference", "initial"),
        ],
    )
    def test_a_bad_form_is_shown_again_and_changes_nothing(self, desk, sku, field, value):
        response = desk.post(self.page(sku), self.form(desk, sku, **{field: value}))

        assert response.status_code == 200
        assert list(response.context["form"].errors) == [field]
        assert counters(sku) == (10, 0)
        assert PoolMovement.objects.count() == 1
        assert not LogEntry.objects.exists()

    def test_who_may_only_look_is_refused(self, desk_of, sku):
        desk = desk_of("view_sku")

        asked = desk.get(self.page(sku))
        sent = desk.post(
            self.page(sku), {"delta": "5", "reason": "x", "reference": "admin-" + "0" * 32}
        )

        assert (asked.status_code, sent.status_code) == (403, 403)
        assert counters(sku) == (10, 0)

    def test_who_may_set_prices_may_not_adjust_for_that(self, desk_of, sku):
        desk = desk_of("view_sku", "change_sku", "change_goods")

        assert desk.get(self.page(sku)).status_code == 403
        assert (
            self.page(sku) not in desk.get(reverse("admin:goods_sku_changelist")).content.decode()
        )

    def test_who_may_adjust_stock_adjusts(self, desk_of, sku):
        desk = desk_of("adjust_stock")

        assert self.page(sku) in desk.get(reverse("admin:goods_sku_changelist")).content.decode()
        desk.post(self.page(sku), self.form(desk, sku))

        assert counters(sku) == (15, 0)

    def test_a_sku_that_does_not_exist_is_404(self, desk, db):
        assert desk.get(reverse("admin:goods_sku_adjust", args=[1])).status_code == 404
        assert desk.get("/admin/goods/sku/" + "9" * 30 + "/adjust/").status_code == 404


def test_movements_are_shown_newest_first_in_pages(desk, operator):
    sku, other = make_sku(stock=1), make_sku(stock=1)
    for number in range(101):
        adjust_stock(
            sku=sku, delta=1, reason=f"r{number}.", operator=operator, reference=str(number)
        )
    page = reverse("admin:goods_sku_movements", args=[sku.pk])

    newest = desk.get(page).context
    older = desk.get(page, {"before": newest["oldest"]}).context
    oldest = desk.get(page, {"before": older["oldest"]}).context

    assert [movement.reason for movement in newest["movements"]] == [
        f"r{number}." for number in range(100, 0, -1)
    ]
    assert [movement.reference for movement in older["movements"]] == ["0", "initial"]
    assert oldest["movements"] == []
    assert {movement.pool_id for movement in newest["movements"]} == {sku.pool_id}
    assert other.pool_id != sku.pool_id


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "\x00", "²"])
def test_a_page_of_movements_that_cannot_be_is_the_first(desk, before):
    sku = make_sku(stock=1)

    shown = desk.get(reverse("admin:goods_sku_movements", args=[sku.pk]), {"before": before})

    assert [movement.delta for movement in shown.context["movements"]] == [1]


def test_who_may_not_see_skus_sees_no_movements(desk_of):
    sku = make_sku(stock=1)

    page = reverse("admin:goods_sku_movements", args=[sku.pk])

    assert desk_of("view_goods").get(page).status_code == 403
    assert desk_of("view_sku").get(page).status_code == 200
