from django.apps import AppConfig

from orders.payments.wechat import checks  # noqa: F401  # registers


class PaymentsConfig(AppConfig):
    name = "orders.payments"
    label = "payments"
    verbose_name = "Payments"
