"""Roles as groups: what differs from `shop.backoffice.roles`, and putting it right.

The table is the truth: a group of a role's name has its permissions, whatever was ticked by hand
since. Who wants another mixture makes a group of their own, which nobody touches. Safe to repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from shop.backoffice.roles import ROLES, permissions_of
from shop.transactions import run


@dataclass(frozen=True, slots=True)
class Difference:
    """What a role's group has to gain and to lose."""

    role: str
    is_new: bool
    missing: Sequence[str]
    too_many: Sequence[str]

    def __str__(self) -> str:
        changes = [f"+ {one}" for one in self.missing] + [f"- {one}" for one in self.too_many]
        head = f"{self.role} (new)" if self.is_new else self.role
        return "\n  ".join([head, *changes])


def roles_compare() -> list[Difference]:
    """What `roles_seed` would change now. Raises LookupError where the table names a permission
    that `migrate` has not made."""
    return _compared(_permissions())


def roles_seed() -> list[Difference]:
    """Makes each role's group what the table says, all or none; returns what it has changed. Raises
    LookupError as `roles_compare`, Busy, Unavailable."""

    def work() -> list[Difference]:
        ids = _permissions()
        differences = _compared(ids)
        for one in differences:
            group, _ = Group.objects.get_or_create(name=one.role)
            group.permissions.add(*(ids[name] for name in one.missing))
            group.permissions.remove(*(ids[name] for name in one.too_many))
        return differences

    return run(work)


def _permissions() -> dict[str, int]:
    """Each permission there is, with its id. Those of models that are gone stay behind in the
    table, and count for nothing."""
    living = {one.pk for one in ContentType.objects.all() if one.model_class() is not None}
    rows = Permission.objects.values_list(
        "content_type__app_label", "codename", "pk", "content_type"
    )
    return {f"{app}.{code}": pk for app, code, pk, model in rows if model in living}


def _compared(ids: dict[str, int]) -> list[Difference]:
    has: dict[str, set[str]] = {}
    named = Group.objects.filter(name__in=[role.name for role in ROLES])
    for group in named.prefetch_related("permissions__content_type"):
        has[group.name] = {
            f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.all()
        }
    found = []
    for role in ROLES:
        wanted, had = permissions_of(role, ids), has.get(role.name)
        if had != wanted:
            had_now = had or set()
            missing, too_many = sorted(wanted - had_now), sorted((had_now - wanted) & ids.keys())
            if missing or too_many or had is None:
                found.append(Difference(role.name, had is None, missing, too_many))
    return found
