"""Which role gets where: each page, step and action of the console, for each role, written down
once more than in the code. Whoever adds one says here who may use it."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from shop.accounts.models import User
from shop.backoffice.roles import ROLES, Grant, Role, permissions_of
from shop.backoffice.seeding import roles_compare, roles_seed
from tests.backoffice.pages import every_page
from tests.factories import make_user

pytestmark = pytest.mark.django_db

LETTERS = {"owner": "O", "operator": "P", "warehouse": "W", "finance": "F", "read-only": "R"}
# Nobody adds, edits or deletes a fact, whatever permissions they have.
FACT = {"add": "", "change": "", "delete": "", "delete_selected": ""}

MATRIX: dict[str, dict[str, str]] = {
    "accounts.user": {
        "view": "OPFR",
        "add": "O",
        "change": "O",
        "delete": "O",
        "auth_user_password_change": "O",
        "delete_selected": "O",
    },
    "auth.group": {
        "view": "OR",
        "add": "O",
        "change": "O",
        "delete": "O",
        "delete_selected": "O",
    },
    "goods.category": {
        "view": "OPR",
        "add": "OP",
        "change": "OP",
        "delete": "OP",
        "delete_selected": "OP",
    },
    "goods.goods": {
        "view": "OPWR",
        "add": "OP",
        "change": "OP",
        "delete": "OP",
        "delete_selected": "OP",
        "put_on_shelf": "OP",
        "put_off_shelf": "OP",
        "export": "OP",
        "import": "OP",
    },
    "goods.sku": {
        **FACT,
        "view": "OPWR",
        "adjust": "OPW",
        "movements": "OPWR",
        "export": "OPW",
    },
    "sales.flashsale": {
        **FACT,
        "view": "OPR",
        "live": "OPR",
        "live_figures": "OPR",
        "add": "OP",
        "pause": "OP",
        "resume": "OP",
        "units": "OP",
        "placement": "OP",
        "pool": "OP",
        "rebuild": "OP",
        "end": "OP",
    },
    "orders.order": {
        **FACT,
        "view": "OPWFR",
        "accept": "OP",
        "refuse": "OPF",
        "ship": "OW",
        "refund": "OF",
        "retry": "OP",
        "drop": "OP",
        "accept_ticked": "OP",
        "retry_ticked": "OP",
        "drop_ticked": "OP",
        "export": "OPWF",
    },
    "orders.shippingmethod": {
        "view": "OPWR",
        "add": "OP",
        "change": "OP",
        "delete": "",
        "delete_selected": "",
    },
    "refunds.refundrequest": {**FACT, "view": "OPFR", "accept": "OF", "decline": "OF"},
    "payments.payment": {**FACT, "view": "OPFR", "export": "OF"},
    "payments.refund": {**FACT, "view": "OPFR", "retry_ticked": "OF", "export": "OF"},
    "oversight.paymentalarm": {**FACT, "view": "OFR", "handle": "OF"},
    "oversight.reconciliation": {**FACT, "view": "OFR"},
    "coupons.coupon": {**FACT, "view": "OPFR", "add": "OP", "issue": "OP", "stop": "OP"},
    "coupons.issuedcoupon": {**FACT, "view": "OPFR"},
    "lottery.period": {
        **FACT,
        "view": "OPFR",
        "live": "OPFR",
        "live_figures": "OPFR",
        "add": "OP",
        "verify": "OPFR",
        "number": "OPF",
        "stop": "OP",
        "cancel": "OP",
        "rebuild": "OP",
    },
    "lottery.entry": {
        **FACT,
        "view": "OPFR",
        "retry": "OP",
        "drop": "OP",
        "retry_ticked": "OP",
        "drop_ticked": "OP",
        "export": "OPF",
    },
    "packets.packet": {
        **FACT,
        "view": "OPFR",
        "live": "OPFR",
        "live_figures": "OPFR",
        "expire": "OP",
    },
    "packets.grab": {**FACT, "view": "OPFR", "retry": "OP", "drop": "OP"},
    "wallet.account": {**FACT, "view": "OFR", "postings": "OFR"},
    "wallet.transaction": {**FACT, "view": "OFR", "export": "OF"},
    "wallet.correction": {**FACT, "view": "OFR", "add": "OF", "approve": "OF", "reject": "OF"},
    "approvals.proposal": {**FACT, "view": "OPFR", "approve": "OF", "reject": "OF"},
    "takings.hour": {**FACT, "view": "OPFR"},
    "transfers.transfer": {**FACT, "view": "OR"},
    "admin.logentry": {**FACT, "view": "OR"},
    "notices.notice": {**FACT, "view": "OPR", "replay_ticked": "OP", "drop_ticked": "OP"},
}


def in_role(role: str) -> User:
    user = make_user(is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    return user


def test_each_role_gets_where_the_table_says_and_nowhere_else() -> None:
    roles_seed()
    staff = {letter: in_role(role) for role, letter in LETTERS.items()}

    found: dict[str, dict[str, str]] = {}
    for page in every_page():
        let_in = "".join(letter for letter, user in staff.items() if page.lets_in(user))
        found.setdefault(page.pages.opts.label_lower, {})[page.name] = let_in

    assert found == MATRIX


def test_who_has_no_role_gets_nowhere_at_all() -> None:
    user = make_user(is_staff=True)

    assert [str(page) for page in every_page() if page.lets_in(user)] == []


# --- roles as groups


def test_roles_are_made_once_and_are_what_the_table_says() -> None:
    assert [(one.role, one.is_new) for one in roles_seed()] == [(role, True) for role in LETTERS]
    assert roles_seed() == []
    warehouse = Group.objects.get(name="warehouse").permissions.values_list("codename", flat=True)
    assert sorted(warehouse) == [
        "adjust_stock",
        "export_addresses",
        "export_order",
        "export_sku",
        "ship_order",
        "view_goods",
        "view_order",
        "view_shippingmethod",
        "view_sku",
    ]


def test_what_was_ticked_by_hand_is_named_and_put_right() -> None:
    roles_seed()
    group = Group.objects.get(name="warehouse")
    group.permissions.remove(Permission.objects.get(codename="ship_order"))
    group.permissions.add(Permission.objects.get(codename="manage_staff"))
    own = Group.objects.create(name="our own")
    own.permissions.add(Permission.objects.get(codename="manage_staff"))

    [seen] = roles_compare()
    assert (seen.role, seen.is_new) == ("warehouse", False)
    assert (seen.missing, seen.too_many) == (["orders.ship_order"], ["accounts.manage_staff"])
    assert group.permissions.filter(codename="manage_staff").exists()

    assert roles_seed() == [seen]
    assert roles_compare() == []
    assert own.permissions.count() == 1


def test_the_command_checks_without_changing_and_then_seeds() -> None:
    said = StringIO()
    with pytest.raises(CommandError):
        call_command("seed_roles", "--check", stdout=said)
    assert "warehouse (new)" in said.getvalue()
    assert not Group.objects.exists()

    call_command("seed_roles", stdout=said)
    call_command("seed_roles", "--check", stdout=said)

    assert Group.objects.count() == len(ROLES)
    assert said.getvalue().endswith("The roles are as they should be.\n")


def test_a_permission_that_does_not_exist_is_named() -> None:
    role = Role("mistyped", "", "", (Grant(["orders.shop_order"], "a slip"),))
    with pytest.raises(LookupError, match=r"orders\.shop_order"):
        permissions_of(role, ["orders.ship_order"])
