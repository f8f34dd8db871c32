"""Files of payments and refunds."""

from django.utils.translation import gettext_lazy as _
from import_export.resources import Resource

from orders.payments.models import Payment, Refund
from shop.transfers.columns import fen, moment, text, whole, yuan
from shop.transfers.sheets import Sheet


class PaymentColumns(Resource):
    id = whole("pk", _("id"))
    payment_no = text("payment_no", _("payment number"))
    order = text("order__order_no", _("order number"))
    user = text("user__username", _("user"))
    provider = text("provider", _("provider"))
    amount_fen = fen("amount_fen", _("amount"))
    amount_yuan = yuan("amount_fen", _("amount"))
    status = text("get_status_display", _("status"))
    created_at = moment("created_at", _("opened"))
    succeeded_at = moment("succeeded_at", _("succeeded"))
    provider_no = text("provider_no", _("provider's number"))
    provider_at = moment("provider_at", _("paid, says the provider"))


class RefundColumns(Resource):
    id = whole("pk", _("id"))
    refund_no = text("refund_no", _("refund number"))
    payment = text("payment__payment_no", _("payment number"))
    order = text("order__order_no", _("order number"))
    amount_fen = fen("amount_fen", _("amount"))
    amount_yuan = yuan("amount_fen", _("amount"))
    status = text("get_status_display", _("status"))
    cause = text("get_cause_display", _("cause"))
    reason = text("reason", _("reason"))
    created_at = moment("created_at", _("opened"))
    succeeded_at = moment("succeeded_at", _("succeeded"))
    provider_no = text("provider_no", _("provider's number"))
    provider_at = moment("provider_at", _("taken, says the provider"))


PAYMENTS = Sheet(
    name="payments",
    title=Payment._meta.verbose_name_plural or "",
    columns=PaymentColumns,
    prefetch=("order", "user"),
)
REFUNDS = Sheet(
    name="refunds",
    title=Refund._meta.verbose_name_plural or "",
    columns=RefundColumns,
    prefetch=("order", "payment"),
)
