"""What a shopper may read of their own."""

from django.db.models import QuerySet

from shop.accounts.models import Address, User
from shop.errors import NotFound


def addresses_of(user: User) -> QuerySet[Address]:
    """The default first, then the newest."""
    return Address.objects.filter(user=user).order_by("-is_default", "-pk")


def address_of(user: User, *, address_id: int) -> Address:
    """Raises NotFound, also when it is somebody else's."""
    address = addresses_of(user).filter(pk=address_id).first()
    if address is None:
        raise NotFound
    return address
