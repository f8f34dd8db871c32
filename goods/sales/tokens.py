"""The right to try: a token of one user for one flash sale, signed and kept nowhere.

Any process with the shop's secret issues and verifies it, without database or cache, so it survives
whatever dies. A token proves who got it, for which sale and when; that it is used once is proven
where orders are stored: the id that `sale_token_verify` returns goes into a unique column. Who may
have a token, and when, is for those who issue it to decide.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from shop.errors import TokenRequired

SALT = "goods.sales.tokens"
# An id, a time and a signature are 83 characters; what is longer is not worth hashing.
LONGEST = 100


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`token` is good at least until `expires_at`, and at most a second longer."""

    token: str
    expires_at: datetime


def sale_token_issue(*, user_id: int, sale_id: int, token_id: str | None = None) -> IssuedToken:
    """A token for settings.SALE_TOKEN_SECONDS from now.

    `token_id` is 32 hex digits; tokens with the same one are good for one order between them.
    Without it each token has its own.
    """
    # Taken before signing: a second that ends in between must not promise more than is kept.
    now = int(time.time())
    bound = _bound(user_id, sale_id)
    signed = TimestampSigner(salt=SALT).sign(bound + (token_id or secrets.token_hex(16)))
    expires_at = datetime.fromtimestamp(now + settings.SALE_TOKEN_SECONDS, tz=UTC)
    return IssuedToken(token=signed.removeprefix(bound), expires_at=expires_at)


def sale_token_verify(token: str | None, *, user_id: int, sale_id: int) -> str:
    """The id of the token: 32 hex digits. Whether it was used before is not looked at.

    Raises TokenRequired, whatever is wrong with it, and nothing else.
    """
    # Beyond ASCII may be what has no encoding, such as half of a surrogate pair.
    if not token or len(token) > LONGEST or not token.isascii():
        raise TokenRequired
    bound = _bound(user_id, sale_id)
    try:
        value = TimestampSigner(salt=SALT).unsign(
            bound + token, max_age=settings.SALE_TOKEN_SECONDS
        )
    except BadSignature:
        raise TokenRequired from None
    return value.removeprefix(bound)


def _bound(user_id: int, sale_id: int) -> str:
    """What is signed with the id but not sent: the verifier knows for whom it asks."""
    return f"{user_id}:{sale_id}:"
