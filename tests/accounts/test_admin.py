"""What operators see of people."""

from django.test import Client
from django.urls import reverse

from shop.accounts.models import Address, User
from shop.accounts.wechat.models import Identity
from tests.accounts.conftest import ADDRESS, PASSWORD

INLINES = ("addresses", "wechat_identities")
FORMS = ("TOTAL_FORMS", "INITIAL_FORMS")


def test_operators_edit_the_nickname_and_only_see_addresses(
    shopper: User, address: Address
) -> None:
    operator = User.objects.create_superuser("operator", password=PASSWORD)
    client = Client()
    client.force_login(operator)
    page = reverse("admin:accounts_user_change", args=[shopper.pk])
    form = client.get(page)
    assert ADDRESS["detail"] in form.content.decode()
    assert b'name="addresses-0-name"' not in form.content
    answer = client.post(
        page,
        {
            "username": "shopper",
            "nickname": "小李",
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "addresses-TOTAL_FORMS": 1,
            "addresses-INITIAL_FORMS": 1,
            "addresses-0-id": address.pk,
            "addresses-0-name": "Eve",
            **{f"wechat_identities-{forms}": 0 for forms in FORMS},
        },
    )
    assert answer.status_code == 302
    shopper.refresh_from_db()
    address.refresh_from_db()
    assert (shopper.nickname, address.name) == ("小李", ADDRESS["name"])


def test_the_list_of_users_costs_a_constant_number_of_queries(
    admin_client: Client, shopper: User, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(8):
        assert admin_client.get(reverse("admin:accounts_user_changelist")).status_code == 200


def test_who_somebody_is_to_wechat_is_shown_shortened_and_can_not_be_changed(
    admin_client: Client, shopper: User
) -> None:
    openid, unionid = "oAbCd1234567890", "uXyZa1234567890"
    Identity.objects.create(user=shopper, appid="wx1", openid=openid, unionid=unionid)
    User.objects.update(phone="+8613912345678")
    page = reverse("admin:accounts_user_change", args=[shopper.pk])
    form = admin_client.get(page).content.decode()
    for shown in ("wx1", "oAbCd1…", "uXyZa1…", "+86139****5678"):
        assert shown in form
    for hidden in (openid, unionid, "13912345678", 'name="wechat_identities-0-openid"'):
        assert hidden not in form
    answer = admin_client.post(
        page,
        {
            "username": "shopper",
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "phone": "+8613800000000",
            "phone_shown": "+8613800000000",
            **{f"{name}-{forms}": 0 for name in INLINES for forms in FORMS},
            "wechat_identities-0-openid": "oEve",
        },
    )
    assert answer.status_code == 302
    shopper.refresh_from_db()
    assert shopper.phone == "+8613912345678"
    assert Identity.objects.get().openid == openid
