from django.apps import AppConfig


class OversightConfig(AppConfig):
    name = "orders.payments.oversight"
    label = "oversight"
    verbose_name = "Oversight of payments"
