"""Addresses of WeChat, under /api/v1. Where the shop has no mini-program they are 404."""

from django.urls import path

from shop.accounts.wechat import views

urlpatterns = [
    path("auth/wechat", views.WechatLoginView.as_view(), name="wechat-login"),
    path("me/phone", views.PhoneView.as_view(), name="my-phone"),
]
