"""The demo's two logins, which are public, and what the shopper has to play with."""

from shop.accounts.models import Address, User
from shop.wallet.models import Currency, House, Transaction
from shop.wallet.services import credit

# (user name, password)
SHOPPER = ("demo", "buy-the-last-one")
OPERATOR = ("operator", "fill-the-shelves")
# Enough for a hundred of the demo's lottery periods.
POINTS = 10_000
# What the ledger knows the grant by: it is booked once, whatever is spent since.
POINTS_REFERENCE = "demo-points"


def seed_people() -> list[str]:
    """Those of the two who are not there, and the shopper's points."""
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
    if not User.objects.filter(username=OPERATOR[0]).exists():
        User.objects.create_superuser(OPERATOR[0], password=OPERATOR[1], nickname="掌柜")
        added.append(f"operator {OPERATOR[0]}")
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
