from django.apps import AppConfig


class CouponsConfig(AppConfig):
    name = "orders.coupons"
    label = "coupons"
    verbose_name = "Coupons"
