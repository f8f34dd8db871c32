"""The demo's logins, which are public: a shopper with something to play with, and an operator for
each role."""

from django.contrib.auth.models import Group

from shop.accounts.models import Address, User
from shop.backoffice import roles
from shop.wallet.models import Currency, House, Transaction
from shop.wallet.services import credit

# (user name, password)
SHOPPER = ("demo", "buy-the-last-one")
OPERATOR = ("operator", "fill-the-shelves")
OWNER = ("owner", "mind-the-whole-shop")
# Role -> (user name, password, nickname)
STAFF = {
    roles.OWNER.name: (*OWNER, "东家"),
    roles.OPERATOR.name: (*OPERATOR, "掌柜"),
    roles.WAREHOUSE.name: ("warehouse", "pack-every-parcel", "库房"),
    roles.FINANCE.name: ("finance", "count-every-fen", "账房"),
    roles.READ_ONLY.name: ("reader", "look-and-touch-not", "看客"),
}
# Enough for a hundred of the demo's lottery periods.
POINTS = 10_000
# What the ledger knows the grant by: it is booked once, whatever is spent since.
POINTS_REFERENCE = "demo-points"


def seed_people() -> list[str]:
    """Those of them who are not there, and the shopper's points. The roles' groups are there."""
    added = []
    if not User.objects.filter(username=SHOPPER[0]).exists():
        shopper = User.objects.create_user(SHOPPER[0], password=SHOPPER[1], nickname="小满")
        Address.objects.create(
            user=shopper,
            name="林小满",
            phone="13800000000",
            region="浙江省杭州市西湖区",
            detail="龙井路 1 号",
            is_default=True,
        )
        added.append(f"shopper {SHOPPER[0]}")
    for role, (name, password, nickname) in STAFF.items():
        if not User.objects.filter(username=name).exists():
            user = User.objects.create_user(
                name, password=password, nickname=nickname, is_staff=True
            )
            user.groups.add(Group.objects.get(name=role))
            added.append(f"operator {name}")
    return [*added, *_grant_points()]


def _grant_points() -> list[str]:
    if Transaction.objects.filter(reference=POINTS_REFERENCE).exists():
        return []
    credit(
        user_id=User.objects.values_list("pk", flat=True).get(username=SHOPPER[0]),
        currency=Currency.POINTS,
        amount=POINTS,
        house=House.GRANTS,
        reference=POINTS_REFERENCE,
        kind="grant",
    )
    return [f"{POINTS} points for {SHOPPER[0]}"]
