"""Who may do what at the console: the roles, as data.

A role is a group of Django's, by its name here, and has these permissions and no others; each
stands with the reason for it. Nothing here writes (`shop.backoffice.seeding` does), and what a page
or a step asks for stands there. Nobody needs to be a superuser for any day's work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions ("app.codename") that go together, and what for."""

    permissions: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Role:
    """A job, and what doing it needs."""

    # The name of its group.
    name: str
    title: "str | Promise"
    about: "str | Promise"
    grants: Sequence[Grant] = ()
    # Every permission of these kinds ("view", or "" for each there is), beside its grants.
    every: str | None = None


def _on(model: str, *verbs: str) -> list[str]:
    """Django's own permissions of a model, "app.model"."""
    app, name = model.split(".")
    return [f"{app}.{verb}_{name}" for verb in verbs]


def _view(*models: str) -> list[str]:
    return [permission for model in models for permission in _on(model, "view")]


def _files(*codenames: str) -> list[str]:
    """What may leave the shop, or come in, as a file."""
    return [f"transfers.{codename}" for codename in codenames]


# What is nobody's: sessions and tokens are who somebody is, not what they may do.
NOBODYS = frozenset({"contenttypes", "sessions", "token_blacklist"})

OWNER = Role(
    name="owner",
    title=pgettext_lazy("role", "owner"),
    about=_("May do everything, but nothing alone that needs a second person."),
    every="",
)
OPERATOR = Role(
    name="operator",
    title=pgettext_lazy("role", "operator"),
    about=_("Runs the shop: goods and prices, sales, coupons, the lottery, orders."),
    grants=(
        Grant(
            [
                *_on("goods.category", "view", "add", "change", "delete"),
                *_on("goods.goods", "view", "add", "change", "delete"),
                *_on("goods.goodsimage", "view", "add", "change", "delete"),
                *_on("goods.sku", "view", "add", "change", "delete"),
                *_on("orders.shippingmethod", "view", "add", "change"),
            ],
            "decides what is sold, at which price, and how it is sent",
        ),
        Grant(["goods.adjust_stock"], "what a sale is made of is counted before it"),
        Grant(
            _on("sales.flashsale", "view", "add", "change"),
            "schedules sales, pauses, resumes and ends them, adds units",
        ),
        Grant(
            [*_on("coupons.coupon", "view", "add", "change"), *_view("coupons.issuedcoupon")],
            "issues coupons; a large issue waits for a second person",
        ),
        Grant(
            [*_on("lottery.period", "view", "add", "change"), "lottery.enter_number"],
            "runs the lottery; what moves prizes or odds waits for a second person",
        ),
        Grant(_view("approvals.proposal"), "sees what became of what was asked for"),
        Grant(
            [
                *_on("lottery.entry", "view", "change"),
                *_on("packets.packet", "view", "change"),
                *_on("packets.grab", "view", "change"),
                *_on("notices.notice", "view", "change"),
                "orders.retry_order",
            ],
            "tries again, or drops, what failed of an error of ours; ends a red packet",
        ),
        Grant(
            [
                *_view("orders.order", "takings.hour"),
                *("orders.accept_order", "orders.refuse_order"),
            ],
            "answers orders; a refused one has all its money back, and nobody picks an amount",
        ),
        Grant(
            _view("refunds.refundrequest", "payments.payment", "payments.refund"),
            "tells a shopper where their money is",
        ),
        Grant(
            _view("accounts.user", "accounts.address", "wechat.identity"),
            "finds the shopper who asks; phones are shortened there",
        ),
        Grant(
            _files("import_goods", "export_goods", "export_sku", "export_order", "export_entry"),
            "edits the catalogue in a spreadsheet; in files of orders addresses are shortened",
        ),
    ),
)
WAREHOUSE = Role(
    name="warehouse",
    title=pgettext_lazy("role", "warehouse"),
    about=_("Counts the stock and sends the parcels."),
    grants=(
        Grant([*_view("orders.order"), "orders.ship_order"], "packs and sends what is accepted"),
        Grant(
            [*_view("goods.goods", "goods.sku"), "goods.adjust_stock"],
            "counts the shelves; prices are somebody else's",
        ),
        Grant(_view("orders.shippingmethod"), "sees how a parcel goes"),
        Grant(
            _files("export_order", "export_addresses", "export_sku"),
            "hands the day's parcels to a courier, and counts the shelves, from a file",
        ),
    ),
)
FINANCE = Role(
    name="finance",
    title=pgettext_lazy("role", "finance"),
    about=_("Looks after money: refunds, corrections, alarms; and is the second person."),
    grants=(
        Grant(
            _view("orders.order", "takings.hour", "accounts.user", "coupons.issuedcoupon"),
            "sees what a payment was for, and whose, and what was taken in",
        ),
        Grant(
            [
                *_on("refunds.refundrequest", "view", "add", "change"),
                *_on("payments.refund", "view", "change"),
                *_view("payments.payment"),
                "orders.refuse_order",
            ],
            "decides what is paid back, and tells the provider again",
        ),
        Grant(
            [
                *_view("wallet.account", "wallet.transaction", "wallet.correction"),
                "wallet.add_correction",
                "wallet.approve_correction",
            ],
            "asks for corrections, and decides about those of others",
        ),
        Grant(
            [*_on("oversight.paymentalarm", "view", "change"), *_view("oversight.reconciliation")],
            "sees to money that does not fit",
        ),
        Grant(
            [
                *_view("coupons.coupon", "lottery.period", "lottery.entry"),
                *_view("packets.packet", "packets.grab"),
                *_view("approvals.proposal"),
                "approvals.decide_proposal",
                "lottery.enter_number",
            ],
            "is the second person for coupons and the lottery, and sees what is decided about",
        ),
        Grant(
            [
                *_files("export_order", "export_addresses", "export_payment", "export_refund"),
                *_files("export_transaction", "export_entry"),
            ],
            "closes the books in a spreadsheet; who is paid back is in files of orders",
        ),
    ),
)
READ_ONLY = Role(
    name="read-only",
    title=pgettext_lazy("role", "read-only"),
    about=_("Sees every page and changes nothing."),
    every="view",
)
ROLES = (OWNER, OPERATOR, WAREHOUSE, FINANCE, READ_ONLY)
TITLES = {role.name: role.title for role in ROLES}


def permissions_of(role: Role, existing: Iterable[str]) -> set[str]:
    """The permissions of a role, of those that exist. Raises LookupError where one of its grants
    does not."""
    known = set(existing)
    granted = {permission for grant in role.grants for permission in grant.permissions}
    if unknown := sorted(granted - known):
        raise LookupError(f"no such permission: {', '.join(unknown)}")
    if role.every is None:
        return granted
    return granted | {one for one in known if _is_among(one, role.every)}


def _is_among(permission: str, kind: str) -> bool:
    app, codename = permission.split(".")
    return app not in NOBODYS and (not kind or codename.startswith(f"{kind}_"))
