from django.apps import AppConfig


class RefundsConfig(AppConfig):
    name = "orders.refunds"
    label = "refunds"
    verbose_name = "Refunds"
