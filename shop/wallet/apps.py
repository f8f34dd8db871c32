from django.apps import AppConfig


class WalletConfig(AppConfig):
    name = "shop.wallet"
    label = "wallet"
    verbose_name = "Wallet"
