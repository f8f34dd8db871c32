"""Users for operators. Addresses are shown, never edited: they are the shopper's own."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from shop.accounts.models import Address, User


class AddressInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = Address
    fields = ("name", "phone", "region", "detail", "is_default")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ("username", "nickname", "is_active", "is_staff", "date_joined")
    search_fields = ("username", "nickname")
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), (_("Shop"), {"fields": ("nickname",)}))
    inlines = (AddressInline,)
