"""A payment provider to play with, which behaves as a remote one: its books are its own, its
calls commit on their own, and it may already have the money when it is asked to close."""

from typing import Any

from django.db.models import F

from orders.payments.models import SandboxCharge, SandboxRefund
from orders.payments.providers import (
    Charge,
    ChargeState,
    ChargeTold,
    ProviderUnavailable,
    RefundState,
    RefundTold,
)
from shop import transactions


class SandboxProvider:
    """Implements `Provider` on two tables that nothing else reads."""

    def app_of(self, user_id: int) -> str:
        return ""

    def create(self, charge: Charge) -> dict[str, Any]:
        transactions.run(
            lambda: SandboxCharge.objects.get_or_create(
                payment_no=charge.payment_no, defaults={"amount_fen": charge.amount_fen}
            )
        )
        return {"pay_url": f"/api/v1/payments/sandbox/{charge.payment_no}/succeed"}

    def succeed(self, *, payment_no: str) -> ChargeState:
        """What the shopper does at a real provider: pays, unless the charge is closed."""
        return transactions.run(lambda: _settle(payment_no, SandboxCharge.Status.PAID)).state

    def query(self, *, payment_no: str) -> ChargeTold:
        charge = SandboxCharge.objects.filter(payment_no=payment_no).first()
        return _told(charge) if charge else ChargeTold(ChargeState.UNKNOWN)

    def close(self, *, payment_no: str) -> ChargeTold:
        def write() -> ChargeTold:
            # One that was never opened is closed for ever, so that a `create` still on its way
            # cannot open it afterwards.
            SandboxCharge.objects.get_or_create(payment_no=payment_no, defaults={"amount_fen": 0})
            return _settle(payment_no, SandboxCharge.Status.CLOSED)

        return transactions.run(write)

    def refund(
        self, *, refund_no: str, payment_no: str, amount_fen: int, total_fen: int
    ) -> RefundTold:
        def write() -> None:
            charge = SandboxCharge.objects.select_for_update().get(payment_no=payment_no)
            _, is_new = SandboxRefund.objects.get_or_create(
                refund_no=refund_no, defaults={"charge": charge, "amount_fen": amount_fen}
            )
            if is_new:
                SandboxCharge.objects.filter(pk=charge.pk).update(
                    refunded_fen=F("refunded_fen") + amount_fen
                )

        transactions.run(write)
        return self.query_refund(refund_no=refund_no)

    def query_refund(self, *, refund_no: str) -> RefundTold:
        refund = SandboxRefund.objects.filter(refund_no=refund_no).first()
        if refund is None:
            raise ProviderUnavailable
        return RefundTold(RefundState.SUCCEEDED, amount_fen=refund.amount_fen)


def _settle(payment_no: str, wanted: SandboxCharge.Status) -> ChargeTold:
    """Open -> `wanted`; whoever comes second learns what the first one made of it."""
    charges = SandboxCharge.objects.filter(payment_no=payment_no)
    charges.filter(status=SandboxCharge.Status.OPEN).update(status=wanted)
    return _told(charges.get())


def _told(charge: SandboxCharge) -> ChargeTold:
    return ChargeTold(ChargeState(charge.status), amount_fen=charge.amount_fen)
