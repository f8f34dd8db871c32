"""What `manage.py doctor` says about money: who takes it, and what does not fit."""

from collections.abc import Iterator

from orders.payments.offered import SANDBOX, providers
from orders.payments.oversight.models import PaymentAlarm
from shop.ops.examining import Asks, Line, examination, is_production, ok, problem, warning


@examination("payments.providers")
def offered() -> Iterator[Line]:
    names = sorted(providers())
    if SANDBOX in names and is_production():
        says = "The sandbox is on: whoever likes pays without money."
        yield problem("payments.providers", says, "Unset SANDBOX_PAYMENTS.")
    elif not names:
        says = "Orders can be paid from wallets only, and nobody can fill one."
        do = "Set the account at WeChat Pay: docs/wechat.md."
        yield warning("payments.providers", says, do)
    else:
        yield ok("payments.providers", f"Paid from the wallet, or by {', '.join(names)}.")


@examination("payments.alarms", asks=Asks.TABLES)
def alarms() -> Iterator[Line]:
    count = PaymentAlarm.objects.filter(handled_at=None).count()
    if count:
        says = f"{count} payment alarms are not seen to: money that does not fit."
        yield problem("payments.alarms", says, "See to each in the admin, under payment alarms.")
    else:
        yield ok("payments.alarms", "No payment alarm is open.")
