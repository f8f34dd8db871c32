from django.apps import AppConfig


class WechatConfig(AppConfig):
    name = "shop.accounts.wechat"
    label = "wechat"
    verbose_name = "WeChat"
