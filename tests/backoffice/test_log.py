"""The operators' log: who did what to what, with values before and after, and nobody edits it."""

import json
from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from goods.models import Category, Goods
from goods.sales.services import sale_pause
from goods.stock import adjust_stock
from orders import lifecycle
from orders.models import ShippingMethod
from shop.accounts.models import User
from shop.operators_log import HIDDEN, changes_to, log, values_in, words_of
from tests.factories import make_sale, make_shipping, make_sku, make_user, pay, place
from tests.kit.desk import listed, page_of, shown

pytestmark = pytest.mark.django_db

LIST = reverse("admin:admin_logentry_changelist")


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


def last():
    return LogEntry.objects.latest("pk")


def values():
    """What the last entry says was changed."""
    return [(field, before, after) for _row, field, before, after in values_in(last())]


def form_of(desk, address):
    """What a browser would send of a page that nobody has touched."""
    page = desk.get(address)
    sent = {}
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    for form in forms:
        for field in form:
            value = field.value()
            if isinstance(value, datetime):
                here = timezone.localtime(value)
                sent[f"{field.html_name}_0"] = f"{here:%Y-%m-%d}"
                sent[f"{field.html_name}_1"] = f"{here:%H:%M:%S}"
            elif value is not None and value is not False:
                sent[field.html_name] = value
    return sent


def saved(desk, address, sent):
    """Whether the page took it; else it says why not."""
    page = desk.post(address, sent)
    if page.status_code == 302:
        return True
    inlines = [one.formset.errors for one in page.context["inline_admin_formsets"]]
    raise AssertionError((page.context["adminform"].form.errors, inlines))


# --- steps


def test_an_order_s_entries_say_from_which_state_to_which(desk, operator):
    make_shipping()
    user = make_user()
    order = place(user, {make_sku(): 1})
    pay(user, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    lifecycle.order_ship(
        order_no=order.order_no, operator=operator, courier="SF", tracking_no="SF123"
    )
    assert words_of(last()) == "shipped: SF SF123"
    assert values() == [
        ("status", "accepted", "shipped"),
        ("courier", "", "SF"),
        ("tracking number", "", "SF123"),
    ]
    # Django's own reading of it makes sense, too.
    assert last().get_change_message() == "Changed status, courier and tracking number."
    page = desk.get(page_of(order, "history")).content.decode()
    assert "shipped: SF SF123" in page
    assert "status: accepted → shipped; courier: - → SF; tracking number: - → SF123" in page


def test_stock_and_sales_say_what_was_before_and_after(operator):
    sku = make_sku(stock=10)
    adjust_stock(sku=sku, delta=-3, reason="broken", operator=operator, reference="r")
    assert values() == [("stock", 10, 7)]
    sale = make_sale()
    sale_pause(sale, operator=operator)
    assert values() == [("paused", False, True)]
    sale_pause(sale, operator=operator)
    assert (words_of(last()), values()) == ("Paused", [])


def test_no_secret_is_ever_a_value(operator):
    user = make_user()
    changes = changes_to(user, phone="+8613800000000", password="x", nickname="Ada")
    log(operator, [user], CHANGE, "said", changes=changes)
    assert [field for field, _before, _after in values()] == ["phone", "password", "nickname"]
    assert "+86" not in last().change_message
    assert user.password not in last().change_message
    assert values()[2] == ("nickname", "", "Ada")


# --- pages that edit


def test_an_edit_says_each_field_s_value_before_and_after(desk):
    method = make_shipping(fee_fen=800)
    sent = form_of(desk, page_of(method)) | {"fee_fen": "900", "is_active": ""}
    assert saved(desk, page_of(method), sent)
    assert ShippingMethod.objects.get().fee_fen == 900
    assert values() == [("fee (fen)", 800, 900), ("offered", True, False)]


def test_an_edit_of_goods_says_what_became_of_their_skus(desk):
    sku = make_sku(price_fen=1000)
    drinks, other = sku.goods.category, Category.objects.create(title="其他")
    sent = form_of(desk, page_of(sku.goods))
    sent |= {"category": other.pk, "skus-0-price_fen": "1200"}
    sent |= {"skus-TOTAL_FORMS": "2", "skus-1-code": "NEW", "skus-1-price_fen": "5"}
    sent |= {"skus-1-goods": sku.goods_id, "skus-1-grams": "0"}
    assert saved(desk, page_of(sku.goods), sent)
    sku.refresh_from_db()
    assert sku.price_fen == 1200
    parts = json.loads(last().change_message)
    assert parts[0]["values"] == [["category", drinks.title, other.title]]
    assert ("price (fen)", 1000, 1200) in values()
    assert (f"{sku}", "price (fen)", 1000, 1200) in values_in(last())
    assert ("NEW", "price (fen)", None, 5) in values_in(last())
    assert Goods.objects.get().category == other


def test_rights_are_logged_by_their_names_and_passwords_not_at_all(desk, operator):
    clerk = make_user("clerk", is_staff=True, phone="+8613800000000")
    group = Group.objects.create(name="Packers")
    sent = form_of(desk, page_of(clerk)) | {"groups": [group.pk]}
    assert saved(desk, page_of(clerk), sent)
    assert values() == [("groups", "", "Packers")]
    secret = "correct horse battery"
    password = {"password1": secret, "password2": secret, "usable_password": "true"}
    desk.post(reverse("admin:auth_user_password_change", args=[clerk.pk]), password)
    assert User.objects.get(pk=clerk.pk).check_password(secret)
    add = reverse("admin:accounts_user_add")
    assert saved(desk, add, form_of(desk, add) | {"username": "newcomer", **password})
    assert User.objects.filter(username="newcomer").exists()
    assert last().action_flag == ADDITION
    said = " ".join(LogEntry.objects.values_list("change_message", flat=True))
    assert secret not in said
    assert "+86" not in said
    assert "md5" not in said
    assert HIDDEN in {after for _field, _before, after in values()}


def test_editing_in_a_list_is_logged_alike(desk):
    category = Category.objects.create(title="茶", position=1)
    address = reverse("admin:goods_category_changelist")
    desk.post(
        address,
        {
            **{"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "1"},
            **{"form-0-id": category.pk, "form-0-position": "7"},
        },
    )
    assert values() == [("position", 1, 7)]


# --- the page


def test_the_log_shows_who_when_what_and_both_values(desk, operator):
    sku = make_sku(stock=10)
    adjust_stock(sku=sku, delta=5, reason="found", operator=operator, reference="r")
    [entry] = LogEntry.objects.all()
    assert listed(desk, LogEntry) == [entry.pk]
    facts = shown(desk, entry)
    assert facts["what"] == "Stock +5: found (r)"
    assert facts["user"] == operator.username
    table = desk.get(page_of(entry)).context["tables"][0]
    assert table.rows == [("stock", "10", "15")]
    # The words of before there were values are shown as well.
    log(operator, [sku], CHANGE, "[not json")
    assert shown(desk, last())["what"] == "[not json"
    assert desk.get(page_of(last())).context["tables"][0].rows == []


def test_an_entry_is_found_by_who_did_it_and_by_what_it_was_done_to(desk, operator):
    tea, pot, other = make_sku(), make_sku(), make_user("other", is_staff=True)
    for who, sku in ((operator, tea), (other, tea), (operator, pot)):
        log(who, [sku], CHANGE, "x")
    first, second, third = LogEntry.objects.order_by("pk").values_list("pk", flat=True)
    assert listed(desk, LogEntry, q=tea.code) == [second, first]
    assert listed(desk, LogEntry, q="other") == [second]
    assert listed(desk, LogEntry, q=operator.username) == [third, first]
    # What is gone is found by the name that it had.
    log(operator, [Category.objects.create(title="gone")], CHANGE, "x")
    Category.objects.filter(title="gone").delete()
    assert listed(desk, LogEntry, q="gone") == [last().pk]
    assert listed(desk, LogEntry, q="nobody") == []


def test_entries_are_kept_apart_by_day(desk, operator):
    for days in (40, 20, 3, 0):
        log(operator, [operator], CHANGE, "x")
        LogEntry.objects.filter(pk=last().pk).update(
            action_time=timezone.now() - timedelta(days=days)
        )
    ids = list(LogEntry.objects.order_by("-pk").values_list("pk", flat=True))
    assert listed(desk, LogEntry, day="1") == ids[:1]
    assert listed(desk, LogEntry, day="7") == ids[:2]
    assert listed(desk, LogEntry, day="30") == ids[:3]
    day = timezone.localdate() - timedelta(days=20)
    assert listed(desk, LogEntry, day=day.isoformat()) == [ids[2]]
    assert len(listed(desk, LogEntry, day="2026-02-31")) == 4


def test_nobody_edits_or_deletes_the_log_not_even_with_their_operator(desk, operator):
    other = make_user("other", is_staff=True)
    log(other, [make_sku()], CHANGE, "x")
    before = list(LogEntry.objects.values())
    entry = LogEntry.objects.get()
    assert desk.get(reverse("admin:admin_logentry_add")).status_code == 403
    assert desk.post(page_of(entry), {"change_message": "y"}).status_code == 403
    assert desk.post(page_of(entry, "delete"), {"post": "yes"}).status_code == 403
    ticked = {"_selected_action": [entry.pk], "action": "delete_selected", "post": "yes"}
    desk.post(LIST, ticked)
    desk.post(page_of(other, "delete"), {"post": "yes"})
    desk.post(reverse("admin:accounts_user_changelist"), ticked | {"_selected_action": [other.pk]})
    assert User.objects.filter(pk=other.pk).exists()
    assert list(LogEntry.objects.values()) == before


def test_who_may_not_look_at_the_log_does_not(desk_of):
    clerk = desk_of("view_order", "change_logentry", "delete_logentry")
    assert clerk.get(LIST).status_code == 403
    assert desk_of("view_logentry").get(LIST).status_code == 200
