"""The page where operators change their own password: the site's, with a form of the shop's."""

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from shop.accounts.forms import OwnPasswordForm


def own_password(request: HttpRequest) -> HttpResponseBase:
    """Asks for the old one and the new one."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
