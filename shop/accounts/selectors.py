"""What a shopper may read of their own, and who may still buy."""

from collections.abc import Collection

from django.db.models import QuerySet

from shop.accounts.models import Address, User
from shop.errors import NotFound, PermissionDenied
from shop.statements import Select


def addresses_of(user: User) -> QuerySet[Address]:
    """The default first, then the newest."""
    return Address.objects.filter(user=user).order_by("-is_default", "-pk")


def address_of(user: User, *, address_id: int) -> Address:
    """Raises NotFound, also when it is somebody else's."""
    address = addresses_of(user).filter(pk=address_id).first()
    if address is None:
        raise NotFound
    return address


_snapshot = Select(
    lambda address_id, user_id: Address.objects.filter(pk=address_id, user_id=user_id).values_list(
        "name", "phone", "region", "detail"
    )
)


def address_snapshot(*, address_id: int, user_id: int) -> dict[str, str]:
    """What an order keeps of an address. Raises NotFound, also when it is somebody else's."""
    row = _snapshot.row(address_id, user_id)
    if row is None:
        raise NotFound(address=address_id)
    name, phone, region, detail = row
    return {"name": name, "phone": phone, "region": region, "detail": detail}


_active = Select(lambda pk: User.objects.filter(pk=pk, is_active=True).values_list("pk"))


def require_active(user_id: int) -> None:
    """Raises PermissionDenied for a disabled user, whose access token was trusted so far."""
    if _active.row(user_id) is None:
        raise PermissionDenied


def disabled_among(user_ids: Collection[int]) -> set[int]:
    """Those of `user_ids` who may not buy any more."""
    active = User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", flat=True)
    return set(user_ids) - set(active)
