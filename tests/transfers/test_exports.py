"""Files that operators take out of the shop: who may, which rows, and what is logged."""

import tracemalloc
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from goods.models import Goods, Sku
from orders.models import Order
from shop.backoffice.exports import logged
from shop.transfers import services, sheets, writing
from shop.transfers.models import Transfer
from shop.transfers.writing import csv_stream
from tests.factories import (
    enter,
    give_points,
    make_address,
    make_goods,
    make_period,
    make_sku,
    make_user,
    pay,
    place,
)
from tests.transfers.files import csv_rows, export, xlsx_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def tea_of(shopper, count=2):
    return place(shopper, {make_sku(price_fen=1050): count}, address=make_address(shopper))


def test_an_order_is_told_in_fen_and_yuan_and_in_the_shops_own_time(desk, shopper):
    order = tea_of(shopper)
    pay(shopper, order)

    (row,) = csv_rows(export(desk, "orders_order", sheet="orders", everything="on"))

    assert row["order number"] == order.order_no
    assert (row["total (fen)"], row["total (yuan)"]) == ("2100", "21.00")
    assert row["status"] == "paid"
    assert row["placed at"] == timezone.localtime(order.created_at).isoformat(timespec="seconds")
    assert row["placed at"].endswith("+08:00")


def test_the_lines_of_the_lists_orders_and_no_others(desk, shopper):
    order, other = tea_of(shopper), tea_of(make_user())

    rows = csv_rows(
        export(
            desk,
            "orders_order",
            filters=f"?q={order.order_no}",
            sheet="order-lines",
            everything="on",
        )
    )

    assert [row["order number"] for row in rows] == [order.order_no]
    assert rows[0]["count"] == "2"
    assert other.order_no not in str(rows)


@pytest.mark.parametrize("may_see", [True, False])
def test_addresses_are_whole_for_those_who_send_parcels_only(desk_of, shopper, may_see):
    tea_of(shopper)
    desk = desk_of("view_order", "export_order", *(["export_addresses"] if may_see else []))

    (row,) = csv_rows(export(desk, "orders_order", sheet="orders", everything="on"))

    shown = (row["name"], row["phone"], row["address"])
    whole = ("Li Lei", "13800000000", "1 Long Road")
    assert shown == (whole if may_see else ("L**", "138****0000", "1**"))


def test_the_ledger_has_both_sides_of_a_transaction(desk, shopper):
    give_points(shopper, 30)

    rows = csv_rows(export(desk, "wallet_transaction", sheet="ledger", everything="on"))

    assert sorted(int(row["amount (fen or points)"]) for row in rows) == [-30, 30]
    assert {row["amount (yuan)"] for row in rows} == {""}
    assert {row["user"] for row in rows} == {shopper.username, ""}


def test_payments_entries_and_skus_have_files_of_their_own(desk, shopper):
    order = tea_of(shopper)
    payment = pay(shopper, order)
    give_points(shopper, 30)
    entry = enter(shopper, make_period(), 3)

    (paid,) = csv_rows(export(desk, "payments_payment", sheet="payments", everything="on"))
    (entered,) = csv_rows(export(desk, "lottery_entry", sheet="entries", everything="on"))
    (sku,) = csv_rows(export(desk, "goods_sku", sheet="skus", everything="on"))
    refunds = csv_rows(export(desk, "payments_refund", sheet="refunds", everything="on"))

    assert (paid["payment number"], paid["amount (yuan)"]) == (payment.payment_no, "21.00")
    assert (entered["entry number"], entered["shares wanted"]) == (entry.entry_no, "3")
    assert (sku["stock"], sku["sold"]) == ("8", "2")
    assert refunds == []


def test_numbers_are_numbers_in_xlsx_and_formulas_are_text(desk):
    make_sku(goods=make_goods("=1+1"), price_fen=1050)

    (row,) = xlsx_rows(
        export(desk, "goods_goods", sheet="catalogue", everything="on", file_format="xlsx")
    )

    assert row["title"] == "'=1+1"
    assert row["price (yuan)"] == 10.5


def test_more_rows_than_an_xlsx_file_holds_are_refused_in_words_and_not_logged(desk, monkeypatch):
    monkeypatch.setattr("shop.backoffice.exports.MOST_XLSX_ROWS", 1)
    make_sku(), make_sku()

    response = export(desk, "goods_sku", sheet="skus", everything="on", file_format="xlsx")

    assert "More than 1 rows" in response.content.decode()
    assert not Transfer.objects.exists()


def test_an_xlsx_file_never_grows_beyond_its_limit(monkeypatch):
    monkeypatch.setattr(writing, "MOST_XLSX_ROWS", 3)

    with pytest.raises(writing.TooManyRows):
        writing.xlsx_file(["a"], (page for page in ([["1"], ["2"]], [["3"], ["4"]])))


def test_everything_is_never_meant_by_saying_nothing(desk):
    make_sku()

    response = export(desk, "goods_sku", sheet="skus")

    assert response.status_code == 200
    assert "tick that it is to be all" in response.content.decode()
    assert not Transfer.objects.exists()


def test_a_range_of_days_is_the_shops_days_and_of_ids_includes_both_ends(desk):
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    moments = (today - timedelta(seconds=1), today, today + timedelta(days=1))
    goods = [make_goods(f"tea {number}") for number in range(3)]
    for one, moment in zip(goods, moments, strict=True):
        Goods.objects.filter(pk=one.pk).update(created_at=moment)

    def titles(**said):
        rows = csv_rows(export(desk, "goods_goods", sheet="catalogue", **said))
        return [row["title"] for row in rows]

    day = f"{today:%Y-%m-%d}"
    assert titles(first_day=day, last_day=day) == ["tea 1"]
    assert titles(first_day=day) == ["tea 1", "tea 2"]
    assert titles(last_day=day) == ["tea 0", "tea 1"]
    assert titles(first_id=goods[1].pk, last_id=goods[1].pk) == ["tea 1"]


def test_a_range_of_days_is_found_by_id_and_reads_no_older_rows():
    now = timezone.now()
    for number in range(40):
        one = make_goods(f"tea {number}")
        Goods.objects.filter(pk=one.pk).update(created_at=now - timedelta(days=40 - number))

    with CaptureQueriesContext(connection) as read:
        rows = sheets.between(
            Goods.objects.all(),
            column="created_at",
            since=now - timedelta(days=3, hours=12),
            until=now - timedelta(days=1, hours=12),
        )
        titles = list(rows.order_by("pk").values_list("title", flat=True))

    assert titles == ["tea 37", "tea 38"]
    assert len(read) < 20
    ids = list(Goods.objects.order_by("pk").values_list("pk", flat=True))
    assert f"{ids[37]}" in str(rows.query)
    assert f"{ids[39]}" in str(rows.query)


def test_an_export_holds_one_page_of_rows_however_many_there_are(monkeypatch):
    monkeypatch.setattr(sheets, "PAGE", 10)
    category = make_goods("first").category
    Goods.objects.bulk_create(Goods(category=category, title=f"tea {n}") for n in range(94))

    with CaptureQueriesContext(connection) as read:
        found = list(sheets.pages(Goods.objects.all()))

    assert [len(page) for page in found] == [10] * 9 + [5]
    assert len(read) == 10
    assert all("LIMIT 10" in query["sql"] and "OFFSET" not in query["sql"] for query in read)


def test_an_export_is_logged_with_who_what_filters_and_rows(desk, operator):
    make_sku(), make_sku()

    list(export(desk, "goods_sku", filters="?on_shelf__exact=1", sheet="skus", first_id=1))
    logged_as = Transfer.objects.get()
    assert (logged_as.operator, logged_as.what, logged_as.state, logged_as.rows) == (
        operator,
        "skus",
        Transfer.State.DONE,
        2,
    )
    assert logged_as.asked == "on_shelf__exact=1 first_id=1"
    said = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(said) == [
        "Export of skus as csv: on_shelf__exact=1 first_id=1",
        "Export of skus done: 2 rows",
    ]


def test_an_export_that_nobody_reads_to_its_end_is_logged_as_broken_off(operator):
    export = services.export_begin(operator=operator, what="skus", file_format="csv", asked="")
    pieces = csv_stream(["code"], logged(export, iter([[["T-1"]], [["T-2"]], [["T-3"]]])))

    next(pieces), next(pieces), next(pieces)
    pieces.close()

    logged_as = Transfer.objects.get()
    assert (logged_as.state, logged_as.rows) == (Transfer.State.BROKEN, 2)


@pytest.mark.parametrize(
    "model",
    [
        *("goods_goods", "goods_sku", "orders_order", "lottery_entry"),
        *("wallet_transaction", "payments_payment", "payments_refund"),
    ],
)
def test_whoever_may_only_look_can_not_export_and_sees_no_button(desk_of, model):
    desk = desk_of(f"view_{model.split('_')[1]}")

    listed = desk.get(reverse(f"admin:{model}_changelist"))
    page = reverse(f"admin:{model}_export")

    assert listed.status_code == 200
    assert page not in listed.content.decode()
    assert desk.get(page).status_code == 403
    assert desk.post(page, {"everything": "on"}).status_code == 403


def test_whoever_may_export_what_they_may_not_look_at_can_not(desk_of):
    desk = desk_of("export_order", "view_goods")

    assert desk.get(reverse("admin:orders_order_export")).status_code == 403


def test_the_button_takes_the_lists_filters_along(desk):
    make_sku()

    listed = desk.get(reverse("admin:goods_sku_changelist") + "?on_shelf__exact=1")

    page = reverse("admin:goods_sku_export")
    assert f'href="{page}?on_shelf__exact=1"' in listed.content.decode()
    asked = desk.get(f"{page}?on_shelf__exact=1").content.decode()
    assert "on_shelf__exact=1" in asked


def test_a_filter_that_the_list_does_not_know_is_no_error_of_ours(desk):
    response = export(desk, "goods_sku", filters="?pool__taken=x", sheet="skus", everything="on")

    assert response.status_code in (302, 400)
    assert not Transfer.objects.exists()


def test_facts_can_not_be_imported(desk):
    for name in ("orders_order", "lottery_entry", "wallet_transaction"):
        base = reverse(f"admin:{name}_changelist")
        assert desk.post(f"{base}import/", {"file": "x"}).status_code in (302, 403, 404)
    assert not Order.objects.exists()


def test_the_export_of_a_state_reads_what_holds_now(desk, shopper):
    order = tea_of(shopper)
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at - timedelta(seconds=1))

    (row,) = csv_rows(
        export(desk, "orders_order", filters="?status=expired", sheet="orders", everything="on")
    )

    assert row["status"] == "expired"
    assert Sku.objects.count() == 1


def test_a_hundred_thousand_rows_take_the_memory_of_a_page():
    pages = ([[f"T-{number}", "tea"] for number in range(sheets.PAGE)] for _page in range(100))

    tracemalloc.start()
    lines = sum(piece.count("\r\n") for piece in csv_stream(["code", "title"], pages))
    _left, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines == 1 + 100_000
    assert most < 1_000_000
