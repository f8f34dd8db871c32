"""Forms of passwords, which write the password and no other column: others may have written those
since the user was read, and a hash takes long. Who is disabled meanwhile stays disabled."""

from typing import Any

from unfold.forms import AdminOwnPasswordChangeForm, AdminPasswordChangeForm

from shop.accounts.models import User


class PasswordAlone:
    """Of a form that Django would have save the whole user."""

    def set_password_and_save(self, user: User, *field: Any, commit: bool = True) -> User:
        changed: User = super().set_password_and_save(  # type: ignore[misc]
            user, *field, commit=False
        )
        if commit:
            changed.save(update_fields=["password"])
        return changed


class PasswordForm(PasswordAlone, AdminPasswordChangeForm):
    """Somebody else's."""


class OwnPasswordForm(PasswordAlone, AdminOwnPasswordChangeForm):
    """One's own."""
