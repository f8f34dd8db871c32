"""Registering, logging in, tokens, and addresses: all that is written about people.

A refresh token is good for one use. No row exists for it until it is used; then its id is stored
under a unique index, so that of two parallel uses exactly one wins.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, TypedDict

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from shop.accounts import rates
from shop.accounts.authentication import active_user, verified
from shop.accounts.backends import RateLimitedBackend
from shop.accounts.models import Address, User
from shop.accounts.selectors import address_of, addresses_of
from shop.errors import AuthenticationFailed, Invalid
from shop.transactions import is_duplicate, run
from shop.wallet.services import grant_sign_up

REGISTER = "register"
# More than anybody has; it bounds a list and a lock.
MAX_ADDRESSES = 50
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A pair of tokens, and whose they are."""

    user: User
    access: str
    refresh: str


class AddressText(TypedDict):
    """What is written on a parcel."""

    name: str
    phone: str
    region: str
    detail: str


def register(request: HttpRequest, *, username: str, password: str) -> Session:
    """A new shopper, logged in. `username`, normalised, is unique whatever its case, on every
    database.

    Raises RateLimited, or Invalid for a name that is taken and for a password that Django's
    validators refuse.
    """
    limit, seconds = settings.REGISTER_RATE_PER_ADDRESS
    rates.hit(REGISTER, rates.client_address(request), limit=limit, seconds=seconds)
    try:
        validate_password(password, user=User(username=username))
    except ValidationError as error:
        raise Invalid(
            errors=[
                {"field": "password", "code": str(one.code), "message": " ".join(one.messages)}
                for one in error.error_list
            ]
        ) from error
    hashed = make_password(password)  # slow, so before any lock
    try:
        user = run(lambda: _create_user(username, hashed))
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        _refuse_username()
    return session_of(user)


def _create_user(username: str, hashed: str) -> User:
    taken = User.objects.filter(username__iexact=username).first()
    if taken is None:
        user = User.objects.create(username=username, password=hashed)
        grant_sign_up(user.pk)
        return user
    if taken.password == hashed:  # salted: ours, by a COMMIT whose answer was lost
        return taken
    _refuse_username()


def _refuse_username() -> NoReturn:
    message = _("This user name is taken.")
    raise Invalid.field("username", message, code="unique")


def log_in(request: HttpRequest, *, username: str, password: str) -> Session:
    """Raises RateLimited or AuthenticationFailed."""
    user = RateLimitedBackend().verified(request, username=username, password=password)
    if user is None:
        raise AuthenticationFailed
    return session_of(user)


def refresh(*, token: str) -> Session:
    """A new pair for a refresh token, which is used up by this.

    Raises AuthenticationFailed when it is invalid or used, or its user disabled. It also does when
    the database's answer to the use was lost: then the shopper logs in again.
    """
    used = verified(RefreshToken, token)
    user = active_user(int(used["user_id"]))
    try:
        run(lambda: _use_up(used, user))
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise AuthenticationFailed from error
    return session_of(user)


def _use_up(token: RefreshToken, user: User) -> None:
    outstanding = OutstandingToken.objects.create(
        user=user,
        jti=token["jti"],
        token="",  # the id is enough: a copy of the table logs nobody in
        expires_at=datetime.fromtimestamp(token["exp"], UTC),
    )
    BlacklistedToken.objects.create(token=outstanding)


def session_of(user: User) -> Session:
    """A new pair of tokens for a user who has shown who they are, whichever way."""
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    return Session(user=user, access=str(token.access_token), refresh=str(token))


def forget_expired_tokens() -> int:
    """Removes used refresh tokens that would be refused for their age anyway, in batches.

    Returns how many.
    """
    expired = OutstandingToken.objects.filter(expires_at__lt=timezone.now())
    removed = 0
    while ids := list(expired.values_list("pk", flat=True)[:BATCH]):
        removed += run(partial(_delete_tokens, ids))
    return removed


def _delete_tokens(ids: list[int]) -> int:
    BlacklistedToken.objects.filter(token_id__in=ids).delete()
    return OutstandingToken.objects.filter(pk__in=ids).delete()[0]


def address_create(*, user: User, text: AddressText, is_default: bool) -> Address:
    """A new address; the first is the default. Raises Invalid when there are MAX_ADDRESSES."""
    made: list[int] = []

    def work() -> Address:
        user_lock(user)
        # There only if an earlier try was committed, and nobody heard it.
        if (earlier := addresses_of(user).filter(pk__in=made).first()) is not None:
            return earlier
        count = addresses_of(user).count()
        if count >= MAX_ADDRESSES:
            message = _("There are too many addresses; delete one first.")
            raise Invalid.field("", message, code="max_length")
        address = Address.objects.create(user=user, **text)
        made.append(address.pk)
        if is_default or count == 0:
            _make_default(address)
        return address

    return run(work)


def address_update(*, user: User, address_id: int, text: AddressText, is_default: bool) -> Address:
    """Replaces an address. The default stays the default until another one is made it.

    Raises NotFound.
    """

    def work() -> Address:
        user_lock(user)
        address = address_of(user, address_id=address_id)
        for name, value in text.items():
            setattr(address, name, value)
        address.save(update_fields=list(text))
        if is_default and not address.is_default:
            _make_default(address)
        return address

    return run(work)


def address_delete(*, user: User, address_id: int) -> None:
    """Deletes an address; if it was the default, the newest that is left becomes it.

    Raises NotFound.
    """
    was_there = False

    def work() -> None:
        nonlocal was_there
        user_lock(user)
        if was_there and not addresses_of(user).filter(pk=address_id).exists():
            return  # an earlier try was committed, and nobody heard it
        address = address_of(user, address_id=address_id)
        was_there = True
        address.delete()
        newest = addresses_of(user).first()
        if address.is_default and newest is not None:
            _make_default(newest)

    run(work)


def user_lock(user: User) -> None:
    """One change at a time of what is counted or chosen among a user's own rows (addresses, the
    cart), in the caller's transaction: each is in the way of the others."""
    User.objects.select_for_update().values_list("pk").get(pk=user.pk)


def _make_default(address: Address) -> None:
    Address.objects.filter(user_id=address.user_id, is_default=True).update(is_default=False)
    address.is_default = True
    address.save(update_fields=["is_default"])
