"""Operators at one row, and others at the same: nobody's columns are written over by who did not
change them."""

from functools import partial
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from goods.admin import GoodsAdmin
from goods.models import GoodsImage, Sku
from goods.services import sku_create, sku_delete
from orders.models import ShippingMethod
from shop import transactions
from shop.accounts.models import User
from shop.backoffice.edits import EditsAdmin
from shop.errors import Busy
from tests.factories import make_goods, make_shipping, make_user
from tests.goods.test_admin import goods_form
from tests.kit.barrier import race
from tests.kit.desk import page_of
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb

OLD, NEW = "an-old-passw0rd", "a-new-passw0rd"
INLINES = ("addresses", "wechat_identities")
FORMS = ("TOTAL_FORMS", "INITIAL_FORMS")


def somebody_else(row, **columns):
    """Another session, which writes these columns of the row."""
    [outcome] = race([lambda: type(row).objects.filter(pk=row.pk).update(**columns)])
    assert outcome.result() == 1


@pytest.fixture
def meanwhile(monkeypatch):
    """Between an edit's reading of a row and its writing, somebody else writes these columns."""

    def write(**columns):
        save = EditsAdmin.save_model

        def saving(admin, request, row, form, change):
            somebody_else(row, **columns)
            save(admin, request, row, form, change)

        monkeypatch.setattr(EditsAdmin, "save_model", saving)

    return write


def test_a_phone_that_a_shopper_tells_while_an_operator_edits_them_is_kept(desk, meanwhile):
    shopper = make_user()
    meanwhile(phone="+8613912345678", is_active=False)

    answer = desk.post(
        page_of(shopper),
        {
            "username": shopper.username,
            "nickname": "小李",
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            **{f"{inline}-{form}": 0 for inline in INLINES for form in FORMS},
        },
    )

    assert answer.status_code == 302
    shopper.refresh_from_db()
    assert (shopper.nickname, shopper.phone) == ("小李", "+8613912345678")
    assert not shopper.is_active


def test_a_fee_that_changes_while_another_operator_sorts_the_list_is_kept(desk, meanwhile):
    method = make_shipping(fee_fen=800)
    meanwhile(fee_fen=900)

    answer = desk.post(
        reverse("admin:orders_shippingmethod_changelist"),
        {
            "form-TOTAL_FORMS": 1,
            "form-INITIAL_FORMS": 1,
            "form-0-id": method.pk,
            "form-0-is_active": "on",
            "form-0-position": 7,
            "_save": "1",
        },
    )

    assert answer.status_code == 302
    assert ShippingMethod.objects.values_list("position", "fee_fen").get() == (7, 900)


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_who_is_disabled_while_a_password_is_hashed_stays_disabled(
    desk, operator, monkeypatch, whose
):
    user = operator if whose == "own" else make_user(is_staff=True)
    user.set_password(OLD)
    user.save()
    desk.force_login(operator)
    set_password = User.set_password

    def hashing(user, password):
        somebody_else(user, is_active=False, is_staff=False, is_superuser=False)
        set_password(user, password)

    monkeypatch.setattr(User, "set_password", hashing)

    if whose == "own":
        answer = desk.post(
            reverse("admin:password_change"),
            {"old_password": OLD, "new_password1": NEW, "new_password2": NEW},
        )
    else:
        answer = desk.post(
            reverse("admin:auth_user_password_change", args=[user.pk]),
            {"password1": NEW, "password2": NEW, "usable_password": "true"},
        )

    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert not (user.is_active or user.is_staff or user.is_superuser)


def test_a_picture_whose_goods_somebody_holds_is_stored_at_the_second_try(
    desk, somebody, monkeypatch, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0  # as if it were large: put away, it is moved
    goods, picture = make_goods(), BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "PNG")
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM goods_goods WHERE id = %s FOR UPDATE", [goods.pk])
    is_contention = transactions.is_contention

    def letting_go(error):
        somebody.connection.rollback()
        return is_contention(error)

    monkeypatch.setattr(transactions, "is_contention", letting_go)

    answer = desk.post(
        page_of(goods),
        goods_form(
            goods,
            images=[{"file": SimpleUploadedFile("a.png", picture.getvalue()), "position": 1}],
        ),
    )

    assert answer.status_code == 302
    assert GoodsImage.objects.get().file.read() == picture.getvalue()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_sku_that_an_operator_edits_is_deleted_by_another_only_after_that(desk, monkeypatch):
    goods = make_goods()
    sku = sku_create(goods=goods, code="A", price_fen=100)
    monkeypatch.setattr(transactions, "ATTEMPTS", 1)
    save, refused = GoodsAdmin.save_model, []

    def saving(admin, request, row, form, change):
        delete = partial(transactions.run, partial(sku_delete, Sku.objects.get()))
        refused.extend(outcome.error for outcome in race([delete]))
        save(admin, request, row, form, change)

    monkeypatch.setattr(GoodsAdmin, "save_model", saving)

    answer = desk.post(page_of(goods), goods_form(goods, skus=[(sku, {"price_fen": 200})]))

    assert answer.status_code == 302
    assert [type(error) for error in refused] == [Busy]
    assert Sku.objects.get().price_fen == 200
