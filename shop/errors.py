"""Refusals: every way the shop says no.

Services raise these; `shop.api.problems` turns them into problem+json in one place. A class is a
`code` of the contract with its HTTP status; what a client needs to act on travels in `data`.
Nothing here knows HTTP beyond the status number.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """A request the shop understood and did not carry out. Nothing of it was stored.

    `data` goes into the answer's body beside `code`; `retry_after` is in seconds.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    detail: ClassVar[str | Promise]
    retry_after: int | None = None

    def __init__(self, *, retry_after: int | None = None, **data: Any) -> None:
        super().__init__(self.code)
        self.data: Mapping[str, Any] = data
        if retry_after is not None:
            self.retry_after = retry_after


class Invalid(Refusal):
    """`errors`: a list of {field, code, message}."""

    status, code = 400, "invalid"
    detail = _("The request is not valid; `errors` names the fields.")

    @classmethod
    def field(cls, field: str, message: str, *, code: str = "invalid") -> "Invalid":
        """One field's fault, in the reader's language; "" is the request as a whole."""
        return cls(errors=[{"field": field, "code": code, "message": message}])


class IdempotencyKeyRequired(Refusal):
    status, code = 400, "idempotency_key_required"
    detail = _(
        "Send an Idempotency-Key header: 1 to 255 printable ASCII characters, new per order."
    )


class NotAuthenticated(Refusal):
    status, code = 401, "not_authenticated"
    detail = _("Log in first and send the access token as `Authorization: Bearer ...`.")


class AuthenticationFailed(Refusal):
    status, code = 401, "authentication_failed"
    detail = _("The user name, password or token is not valid.")


class PermissionDenied(Refusal):
    status, code = 403, "permission_denied"
    detail = _("You may not do this.")


class TokenRequired(Refusal):
    """Missing, of another user or sale, used, expired or forged: which one is not told."""

    status, code = 403, "token_required"
    detail = _("Get a token for this sale first; each is good for one order and a short time.")


class CaptchaFailed(Refusal):
    status, code = 403, "captcha_failed"
    detail = _("The answer does not fit the picture, or it is too old; ask for a new picture.")


class NotFound(Refusal):
    status, code = 404, "not_found"
    detail = _("There is no such thing, or it is not yours.")


class MethodNotAllowed(Refusal):
    status, code = 405, "method_not_allowed"
    detail = _("This address does not know this method.")


class PayloadTooLarge(Refusal):
    """`limit`: bytes a body may have."""

    status, code = 413, "payload_too_large"
    detail = _("The request's body is too large.")


class UnsupportedMediaType(Refusal):
    status, code = 415, "unsupported_media_type"
    detail = _("Send the body as application/json in UTF-8.")


class SoldOut(Refusal):
    status, code = 409, "sold_out"
    detail = _("Sold out.")


class InsufficientStock(Refusal):
    """`sku`: id; `available`: units left."""

    status, code = 409, "insufficient_stock"
    detail = _("Fewer are left than you asked for.")


class PurchaseLimit(Refusal):
    """`limit`: units one user may have."""

    status, code = 409, "purchase_limit"
    detail = _("That is more than one user may buy.")


class NotStarted(Refusal):
    """`starts_at`: RFC 3339."""

    status, code = 409, "not_started"
    detail = _("This has not started yet.")


class Paused(Refusal):
    status, code = 409, "paused"
    detail = _("This is paused; try again later.")


class Ended(Refusal):
    status, code = 409, "ended"
    detail = _("This has ended.")


class AlreadyGrabbed(Refusal):
    """`amount_fen`: what the first grab got."""

    status, code = 409, "already_grabbed"
    detail = _("You have grabbed from this red packet already.")


class InsufficientBalance(Refusal):
    """`currency`; `balance`: what the wallet has, and `amount`: what this takes (fen or points)."""

    status, code = 409, "insufficient_balance"
    detail = _("There is not enough in your wallet.")


class OrderState(Refusal):
    """`order_status`: the state that does not allow the step."""

    status, code = 409, "order_state"
    detail = _("The order's state does not allow this.")


class PriceChanged(Refusal):
    """`total_fen`: the total as it is now."""

    status, code = 409, "price_changed"
    detail = _("The price has changed; look at the new total and order again.")


class CouponUnusable(Refusal):
    """`reason`: `used`, `expired`, `not_yet`, `out_of_scope`, `below_minimum` (+ `minimum_fen`) or
    `nothing_off`."""

    status, code = 409, "coupon_unusable"
    detail = _("This coupon can't be used for this order.")


class RequestInProgress(Refusal):
    status, code = 409, "request_in_progress"
    detail = _("The first request with this key is still running; repeat it in a moment.")
    retry_after = 1


class IdempotencyKeyReused(Refusal):
    status, code = 422, "idempotency_key_reused"
    detail = _("This Idempotency-Key was used for another request; send a new one.")


class RateLimited(Refusal):
    status, code = 429, "rate_limited"
    detail = _("Too many requests; wait as long as Retry-After says.")
    retry_after = 1


class Busy(Refusal):
    """Contention outlasted the retries; nothing was stored."""

    status, code = 503, "busy"
    detail = _("Very busy right now; repeat the request with the same key in a moment.")
    retry_after = 1


class Unavailable(Refusal):
    """A server behind the shop is down; what became of the request is told by repeating it."""

    status, code = 503, "unavailable"
    detail = _("Not available right now; repeat the request with the same key in a moment.")
    retry_after = 2
