"""Addresses of the orders app, below /api/v1."""

from django.urls import path

from orders import views
from orders.refunds.views import OrderRefundsView
from shop.api import converters  # noqa: F401  # registers <id:> and <number:>

urlpatterns = [
    path("shipping-methods", views.ShippingMethodsView.as_view(), name="shipping-methods"),
    path("payment-methods", views.PaymentMethodsView.as_view(), name="payment-methods"),
    path("cart", views.CartView.as_view(), name="cart"),
    path("cart/items/<id:sku>", views.CartItemView.as_view(), name="cart-item"),
    path("orders", views.OrdersView.as_view(), name="orders"),
    path("orders/quote", views.QuoteView.as_view(), name="quote"),
    path("orders/<number:order_no>", views.OrderView.as_view(), name="order"),
    path("orders/<number:order_no>/pay", views.OrderPayView.as_view(), name="order-pay"),
    path("orders/<number:order_no>/cancel", views.OrderCancelView.as_view(), name="order-cancel"),
    path(
        "orders/<number:order_no>/address", views.OrderAddressView.as_view(), name="order-address"
    ),
    path("flash-sales/<id:sale_id>/orders", views.SaleOrdersView.as_view(), name="sale-orders"),
    path(
        "orders/<number:order_no>/confirm-receipt",
        views.OrderConfirmReceiptView.as_view(),
        name="order-confirm-receipt",
    ),
    path("orders/<number:order_no>/refunds", OrderRefundsView.as_view(), name="order-refunds"),
    path("wallet/top-ups", views.TopUpsView.as_view(), name="top-ups"),
    path(
        "payments/sandbox/<number:payment_no>/succeed",
        views.SandboxSucceedView.as_view(),
        name="sandbox-succeed",
    ),
]
