"""Addresses of the wallet, under /api/v1."""

from django.urls import path

from shop.wallet import views

urlpatterns = [
    path("wallet", views.WalletView.as_view(), name="wallet"),
    path("wallet/postings", views.PostingsView.as_view(), name="wallet-postings"),
]
