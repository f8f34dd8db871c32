"""What operators see of people."""

from django.test import Client
from django.urls import reverse

from shop.accounts.models import Address, User
from tests.accounts.conftest import ADDRESS, PASSWORD


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
