"""Passwords, with attempts counted before one is looked at. Every way to log in comes through here.

Two windows: one user name from one address, so that nobody guesses a password and nobody else locks
its owner out; and one address, so that nobody tries one password on many names.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from shop.accounts.models import User
from shop.accounts.rates import client_address, forget, hit
from shop.errors import RateLimited

BY_NAME = "login.name"
BY_ADDRESS = "login.address"


class RateLimitedBackend(ModelBackend):
    """For Django's own forms `authenticate`, for the API `verified`, which says why not."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user, or None. Raises PermissionDenied beyond the limit: Django's `authenticate`
        takes it for a refusal, and its forms say that the login failed."""
        if username is None or password is None:
            return None
        if request is None:  # code of ours, not somebody at a form
            return super().authenticate(None, username=username, password=password)
        try:
            return self.verified(request, username=username, password=password)
        except RateLimited as refusal:
            raise PermissionDenied from refusal

    def verified(self, request: HttpRequest, *, username: str, password: str) -> User | None:
        """The active user of that exact name with that password, or None. Raises RateLimited.

        Exact, because MySQL would find "alice" for "Alice" and "alicé", each with a window of
        attempts of its own.
        """
        username = User.normalize_username(username)
        address = client_address(request)
        _hit(BY_ADDRESS, address, settings.LOGIN_RATE_PER_ADDRESS)
        name_at_address = f"{address} {username}"
        _hit(BY_NAME, name_at_address, settings.LOGIN_RATE_PER_NAME)
        user = super().authenticate(request, username=username, password=password)
        if not isinstance(user, User) or user.username != username:
            return None
        forget(BY_NAME, name_at_address)
        return user


def _hit(scope: str, subject: str, rate: tuple[int, int]) -> None:
    limit, seconds = rate
    hit(scope, subject, limit=limit, seconds=seconds)
