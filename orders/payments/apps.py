from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from orders.payments.wechat import checks  # noqa: F401  # registers


class PaymentsConfig(AppConfig):
    name = "orders.payments"
    label = "payments"
    verbose_name = _("Payments")
