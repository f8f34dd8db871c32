"""Users for operators. What is the shopper's own is shown and never edited: addresses, who they are
to WeChat (shortened, so that it names nobody), and phones without their middle: a parcel's stands
whole at its order, where it is needed.

Who may do what is decided by those who may (`manage_staff`), and by nobody else: without it an
operator's page can't be edited, its password not be set, and no user made one. A superuser is one
to superusers only.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from shop.accounts.forms import PasswordForm
from shop.accounts.models import Address, User, without_middle
from shop.accounts.wechat.models import Identity, shortened
from shop.backoffice.edits import EditsAdmin
from shop.backoffice.facts import NewestFirst, NewestRows
from shop.backoffice.roles import ROLES, TITLES

# Who may decide who may do what.
MANAGE = "accounts.manage_staff"


class ShownInline(TabularInline):  # type: ignore[type-arg]  # not generic at run time
    """Rows that are looked at and nothing else."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AddressInline(ShownInline):
    model = Address
    fields = ("name", "phone_shown", "region", "detail", "is_default")
    readonly_fields = fields

    @admin.display(description=_("phone"))
    def phone_shown(self, address: Address) -> str:
        return without_middle(address.phone)


class IdentityInline(ShownInline):
    model = Identity
    fields = ("appid", "openid_shown", "unionid_shown", "created_at")
    readonly_fields = fields

    @admin.display(description="openid")
    def openid_shown(self, identity: Identity) -> str:
        return shortened(identity.openid)

    @admin.display(description="unionid")
    def unionid_shown(self, identity: Identity) -> str:
        return shortened(identity.unionid)


class RoleField(ModelMultipleChoiceField):
    """Groups, by what a role is called to people."""

    def label_from_instance(self, obj: Group) -> str:
        return role_title(obj)


def role_title(group: Group) -> str:
    """What a group is called to people: a role in their language, another by its name."""
    return str(TITLES.get(group.name, group.name))


@admin.register(User)
class UserAdmin(EditsAdmin, DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = PasswordForm
    list_display = ("username", "nickname", "is_active", "is_staff", "date_joined")
    search_fields = ("username",)
    search_help_text = _("A whole user name.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = NewestRows
    ordering = ("-pk",)
    # What somebody may do is said by groups alone; a mixture is a group too.
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Shop"), {"fields": ("nickname", "phone_shown")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Important dates"), {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ()
    readonly_fields = ("phone_shown",)
    inlines = (AddressInline, IdentityInline)

    # What makes somebody an operator, and which.
    rights = ("is_staff", "groups")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The one of that name, through the index: of millions, none is looked for by a part."""
        term = search_term.strip()
        return (queryset.filter(username=term) if term else queryset), False

    @admin.display(description=_("phone"))
    def phone_shown(self, user: User) -> str:
        return user.phone_shown or "-"

    def may_edit(self, request: HttpRequest, user: User | None) -> bool:
        """Whether this one may touch that one: whoever sets somebody's password is them."""
        if user is None or request.user.is_superuser:
            return True
        if user.is_superuser:
            return False
        return not user.is_staff or request.user.has_perm(MANAGE)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_edit(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = [*super().get_readonly_fields(request, obj)]
        if not request.user.is_superuser:
            fields.append("is_superuser")
            if not request.user.has_perm(MANAGE):
                fields += self.rights
        return fields

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs |= {"form_class": RoleField, "widget": UnfoldAdminCheckboxSelectMultipleWidget()}
        return super().formfield_for_manytomany(db_field, request, **kwargs)


admin.site.unregister(Group)
# Tokens are nobody's to look at; disabling their user ends them.
admin.site.unregister(OutstandingToken)
admin.site.unregister(BlacklistedToken)


@admin.register(Group)
class GroupAdmin(EditsAdmin, DjangoGroupAdmin, ModelAdmin):
    """Roles are groups that `manage.py seed_roles` keeps as they were written down; others are the
    shop's own."""

    list_display = ("name", "title_shown", "about_shown")

    @admin.display(description=_("role"))
    def title_shown(self, group: Group) -> str:
        return role_title(group) if group.name in TITLES else "-"

    @admin.display(description=_("what it is for"))
    def about_shown(self, group: Group) -> str:
        return str(next((role.about for role in ROLES if role.name == group.name), "-"))
