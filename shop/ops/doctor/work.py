"""What the doctor makes of the work that waits: by the figures of /readyz, and of gates."""

from collections.abc import Iterator

from django.conf import settings
from redis import RedisError

from shop.accounts.models import User
from shop.demo.people import SHOPPER, STAFF
from shop.errors import Unavailable
from shop.ops.examining import Asks, Line, examination, is_production, ok, problem, warning
from shop.ops.health import examine
from shop.pools import gate, gatekeeping
from shop.pools.models import Pool
from shop.pools.promises import DRIFT_SECONDS

# Figure of /readyz -> (the most that is well, what more means, what to do about it).
WORKERS = "See that beat and the workers run; `manage.py expire_orders` does it by hand."
PROVIDER = "See whether the provider answers; what to do stands in docs/operations.md."
LIMITS = {
    "orders.oldest_pending_seconds": (30, "a queued order has waited for {} s", WORKERS),
    "orders.oldest_overdue_seconds": (30, "an order's units are back {} s late", WORKERS),
    "orders.oldest_closing_seconds": (600, "a payment is undecided since {} s", PROVIDER),
    "orders.oldest_refund_seconds": (600, "a refund is due since {} s", PROVIDER),
    "lottery.oldest_pending_seconds": (30, "an entry has waited for {} s", WORKERS),
    "lottery.oldest_unclosed_seconds": (30, "a period that is over is open since {} s", WORKERS),
    "lottery.oldest_undrawn_seconds": (
        300,
        "a draw is due since {} s",
        "Run `manage.py draw_due`: it says what waits for what.",
    ),
    "lottery.oldest_unreturned_seconds": (30, "a cancelled period owes money for {} s", WORKERS),
    "packets.oldest_pending_grab_seconds": (30, "a grab has waited for {} s", WORKERS),
    "packets.oldest_overdue_packet_seconds": (30, "a packet's rest is {} s late", WORKERS),
    "notices.oldest_waiting_seconds": (
        600,
        "a notice has waited for {} s",
        "See whether its channel answers, and that beat and the workers run.",
    ),
    "notices.dead": (
        0,
        "{} notices were given up",
        "Look at them in the admin: each says why; mend that, and send them again.",
    ),
}
MOST_GATES = 200


@examination("work", asks=Asks.TABLES)
def work() -> Iterator[Line]:
    """What waits, and for how long."""
    for check, finding in sorted(examine().items()):
        if not finding.ok:
            says = f"/readyz can't be answered about `{check}`: {finding.error}."
            yield problem(f"work.{check}", says, "See the lines about what it asks.")
            continue
        figures = {f"{check}.{name}": value for name, value in finding.figures.items()}
        late = [name for name in figures.keys() & LIMITS.keys() if figures[name] > LIMITS[name][0]]
        for name in sorted(late):
            _, means, do = LIMITS[name]
            yield warning(
                f"work.{name}", f"{means.format(f'{figures[name]:.0f}')}.".capitalize(), do
            )
        if not late and figures.keys() & LIMITS.keys():
            yield ok(f"work.{check}", "Nothing has waited for too long.")


@examination("gates", asks=Asks.TABLES)
def gates() -> Iterator[Line]:
    """Each open pool's gate beside the database."""
    if not gate.configured():
        return
    pools = Pool.objects.filter(gated=True, open=True).order_by("pk")
    cold, drifting = [], []
    for pool_id in pools.values_list("pk", flat=True)[:MOST_GATES]:
        try:
            look = gatekeeping.look(pool_id)
        except (RedisError, Unavailable):
            says = "The gates can't be looked at: their Redis does not answer."
            yield problem("gates", says, "See the lines about Redis.")
            return
        if look is None:
            cold.append(pool_id)
        elif look.drifts and look.at - look.since > DRIFT_SECONDS:
            drifting.append(pool_id)
    if cold:
        says = f"Cold, so that their sales are refused until they are rebuilt: pools {cold}."
        yield warning("gates.cold", says, "The worker rebuilds them; or `manage.py rebuild_gate`.")
    if drifting:
        says = f"Other than the database says, and not corrected: pools {drifting}."
        do = "See that beat and the sweepers run; or `manage.py rebuild_gate --all`."
        yield problem("gates.drift", says, do)
    if not cold and not drifting:
        yield ok("gates", "Each gate is as the database says.")


@examination("demo", asks=Asks.TABLES)
def demo() -> Iterator[Line]:
    """The demo's public passwords in a shop that is none."""
    if settings.DEMO_GUIDE:
        yield ok("demo", "This shop is a demo, and says so.")
        return
    known = [
        name
        for name, password in (SHOPPER, *(staff[:2] for staff in STAFF.values()))
        if (user := User.objects.filter(username=name, is_active=True).first())
        and user.check_password(password)
    ]
    if known:
        says = f"Everybody knows the password of {', '.join(known)}: it is the demo's."
        yield (problem if is_production() else warning)(
            "demo", says, "Change it, or disable the user in the admin."
        )
    else:
        yield ok("demo", "Nobody has a password of the demo's.")
