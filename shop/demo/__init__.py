"""A small believable shop, and any number of SKUs more for load tests.

An entry point: it may use every app. Each module adds one thing through that thing's own services,
so the demo's units and points stand in the ledgers like real ones. What exists is left as it is:
seeding again adds what is missing and changes nothing else. The logins are public, so this belongs
on no shop that takes real money.
"""

from shop.backoffice.seeding import roles_seed
from shop.demo.coupon import seed_coupon
from shop.demo.load import seed_skus
from shop.demo.packet import seed_packet
from shop.demo.people import OPERATOR, OWNER, SHOPPER, seed_people
from shop.demo.period import seed_periods
from shop.demo.sale import seed_sales
from shop.demo.shelves import seed_catalogue, seed_shipping
from shop.transactions import run

__all__ = ["OPERATOR", "OWNER", "SHOPPER", "seed", "seed_skus"]


def seed() -> list[str]:
    """Adds whatever of the demo is missing: the roles, people and goods in one transaction, then
    one for each thing that they can play with. Tells what it added."""
    roles = [f"role {difference.role}" for difference in roles_seed()]
    added = run(lambda: [*seed_people(), *seed_shipping(), *seed_catalogue()])
    return [*roles, *added, *seed_sales(), *seed_coupon(), *seed_periods(), *seed_packet()]
