"""Logging in by a mini-program's code, and learning a phone number by another.

WeChat says who somebody is, once for each code, and the shop takes its word: no password is
involved, and whoever a user is in one mini-program they are in all of its owner. Two users that
turn out to be one person, because WeChat told their unionid late, stay two: orders and wallets are
not merged behind anybody's back.
"""

import logging
import secrets
from collections.abc import Mapping
from functools import partial

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from shop.accounts import rates
from shop.accounts.models import User
from shop.accounts.services import Session, session_of
from shop.accounts.wechat.answers import App, Outcome, Person, WechatError
from shop.accounts.wechat.client import wechat
from shop.accounts.wechat.models import Identity, Union
from shop.errors import Busy, Invalid, NotFound, PermissionDenied, RateLimited, Refusal, Unavailable
from shop.transactions import is_duplicate, run
from shop.wallet.services import grant_sign_up

logger = logging.getLogger(__name__)

LOGIN = "login.wechat"
PHONE = "phone.user"
# WeChat counts by the minute.
TOO_OFTEN_SECONDS = 60
# Who comes second to a unionid may come second to an openid as well; the third time finds both.
ATTEMPTS = 4


def log_in(request: HttpRequest, *, code: str, appid: str = "") -> Session:
    """The user whom WeChat names for `code`, new or known, logged in. `appid`: the mini-program
    that the code is of; the first of the settings' where it is "".

    Raises NotFound where the shop has no mini-program, Invalid for a code or appid that is not
    good, RateLimited, PermissionDenied for whom WeChat or the shop does not want, Busy, and
    Unavailable.
    """
    app = app_of(appid)
    limit, seconds = settings.WECHAT_RATE_PER_ADDRESS
    rates.hit(LOGIN, rates.client_address(request), limit=limit, seconds=seconds)
    with wechat().place():
        try:
            person = wechat().person(app, code=code)
        except WechatError as error:
            raise refusal_of(error) from None
    user = _user_of(app, person)
    if not user.is_active:
        raise PermissionDenied
    return session_of(user)


def phone_learn(*, user: User, code: str, appid: str = "") -> None:
    """Stores the phone number that the user let the mini-program know, in the place of any other.
    `code` and `appid`: as for `log_in`. It says nothing of who the user is: two may have one phone.

    Raises NotFound, Invalid, RateLimited, PermissionDenied, Busy and Unavailable.
    """
    app = app_of(appid)
    limit, seconds = settings.PHONE_RATE_PER_USER
    rates.hit(PHONE, str(user.pk), limit=limit, seconds=seconds)
    with wechat().place():
        try:
            number = wechat().phone(app, code=code)
        except WechatError as error:
            raise refusal_of(error) from None
    run(lambda: User.objects.filter(pk=user.pk).update(phone=number))
    user.phone = number


def app_of(appid: str) -> App:
    """The mini-program of that id, the first for "". Raises NotFound where there are none at all,
    Invalid for one that is not ours."""
    apps: Mapping[str, str] = settings.WECHAT_APPS
    if not apps:
        raise NotFound
    appid = appid or next(iter(apps))
    if appid not in apps:
        message = _("This is not a mini-program of this shop.")
        raise Invalid.field("appid", message)
    return App(appid, apps[appid])


def refusal_of(error: WechatError) -> Refusal:
    """What a client is told of a call that failed."""
    if error.outcome is Outcome.BAD_CODE:
        message = _("This code is not good, or not any more; ask WeChat for a new one.")
        return Invalid.field("code", message)
    if error.outcome is Outcome.RISKY:
        return PermissionDenied()
    if error.outcome is Outcome.TOO_OFTEN:
        return RateLimited(retry_after=TOO_OFTEN_SECONDS)
    return Unavailable()


def _user_of(app: App, person: Person) -> User:
    for _attempt in range(ATTEMPTS):
        try:
            return run(partial(_find_or_create, app, person))
        except IntegrityError as error:
            if not is_duplicate(error):
                raise
    raise Busy


def _find_or_create(app: App, person: Person) -> User:
    """Raises IntegrityError (a duplicate) when somebody is just creating the same."""
    known = Identity.objects.select_related("user").filter(appid=app.appid, openid=person.openid)
    identity = known.first()
    if identity is None:
        return _create(app, person)
    if person.unionid and identity.unionid != person.unionid:
        _learn_unionid(identity, person.unionid)
    return identity.user


def _create(app: App, person: Person) -> User:
    union = Union.objects.select_related("user").filter(unionid=person.unionid).first()
    is_new = union is None
    user = _new_user() if union is None else union.user
    if is_new and person.unionid:
        Union.objects.create(unionid=person.unionid, user=user)
    Identity.objects.create(
        user=user, appid=app.appid, openid=person.openid, unionid=person.unionid
    )
    # Only now: whoever comes second waits at one of the rows above, and has touched no wallet.
    if is_new:
        grant_sign_up(user.pk)
    return user


def _new_user() -> User:
    """Of a name that says nothing and that nobody could have taken before."""
    return User.objects.create(
        username=f"wx_{secrets.token_hex(10)}",
        password=make_password(None),  # none is ever right
    )


def _learn_unionid(identity: Identity, unionid: str) -> None:
    """The mini-program has come to an owner, or to another one, after this person came to it."""
    identity.unionid = unionid
    identity.save(update_fields=["unionid"])
    union = Union.objects.filter(unionid=unionid).first()
    if union is None:
        Union.objects.create(unionid=unionid, user_id=identity.user_id)
    elif union.user_id != identity.user_id:
        logger.warning(
            "wechat: users %d and %d are one person; each keeps what is theirs",
            *(union.user_id, identity.user_id),
        )
