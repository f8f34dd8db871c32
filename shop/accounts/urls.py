"""Addresses of accounts, under /api/v1."""

from django.urls import path

from shop.accounts import views
from shop.api import converters  # noqa: F401  # registers <id:>

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="register"),
    path("auth/login", views.LoginView.as_view(), name="login"),
    path("auth/refresh", views.RefreshView.as_view(), name="refresh"),
    path("me", views.MeView.as_view(), name="me"),
    path("addresses", views.AddressListView.as_view(), name="addresses"),
    path("addresses/<id:address_id>", views.AddressView.as_view(), name="address"),
]
