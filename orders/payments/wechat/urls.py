"""Addresses that WeChat Pay calls, under /api/v1. Without an account they are 404."""

from django.urls import path

from orders.payments.wechat import views

urlpatterns = [
    path("payments/wechat/notify", views.PaymentNotifyView.as_view(), name="wechat-pay-notify"),
    path(
        "payments/wechat/refund-notify",
        views.RefundNotifyView.as_view(),
        name="wechat-pay-refund-notify",
    ),
]
