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

    `data` goes into the answer's body beside `code`; `retry_after` is in seconds. A class's own
    docstring says what its `data` has.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    detail: ClassVar[str | Promise]
    # What a client of the API does about it, for those who write one; "" for what only the console
    # refuses with.
    advice: ClassVar[str] = ""
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
    advice = "Show each message beside its field; send it again once that is corrected."

    @classmethod
    def field(cls, field: str, message: str, *, code: str = "invalid") -> "Invalid":
        """One field's fault, in the reader's language; "" is the request as a whole."""
        return cls(errors=[{"field": field, "code": code, "message": message}])


class IdempotencyKeyRequired(Refusal):
    status, code = 400, "idempotency_key_required"
    detail = _(
        "Send an Idempotency-Key header: 1 to 255 printable ASCII characters, new per order."
    )
    advice = (
        "A mistake of the program: make one key for each thing that somebody wants done, and "
        "keep it until there is an answer."
    )


class NotAuthenticated(Refusal):
    status, code = 401, "not_authenticated"
    detail = _("Log in first and send the access token as `Authorization: Bearer ...`.")
    advice = "Have the user log in, then repeat with the token."


class AuthenticationFailed(Refusal):
    status, code = 401, "authentication_failed"
    detail = _("The user name, password or token is not valid.")
    advice = (
        "At the log-in, ask again. Elsewhere renew the token once with `/auth/refresh` and "
        "repeat; refused again, have the user log in."
    )


class PermissionDenied(Refusal):
    status, code = 403, "permission_denied"
    detail = _("You may not do this.")
    advice = "Do not repeat. At the log-in it means that the user is disabled."


class TokenRequired(Refusal):
    """Missing, of another user or sale, used, expired or forged: which one is not told."""

    status, code = 403, "token_required"
    detail = _("Get a token for this sale first; each is good for one order and a short time.")
    advice = "Get another token from `/flash-sales/{id}/token` and order again."


class CaptchaFailed(Refusal):
    status, code = 403, "captcha_failed"
    detail = _("The answer does not fit the picture, or it is too old; ask for a new picture.")
    advice = "Show a new picture from `/captcha`; an answer is good for one try."


class NotFound(Refusal):
    status, code = 404, "not_found"
    detail = _("There is no such thing, or it is not yours.")
    advice = "Do not repeat. Leave the page, or look the id up again."


class MethodNotAllowed(Refusal):
    status, code = 405, "method_not_allowed"
    detail = _("This address does not know this method.")
    advice = "A mistake of the program: look at the API's document."


class PayloadTooLarge(Refusal):
    """`limit`: bytes a body may have."""

    status, code = 413, "payload_too_large"
    detail = _("The request's body is too large.")
    advice = "A mistake of the program: send less."


class UnsupportedMediaType(Refusal):
    status, code = 415, "unsupported_media_type"
    detail = _("Send the body as application/json in UTF-8.")
    advice = "A mistake of the program: set `Content-Type: application/json`."


class SoldOut(Refusal):
    status, code = 409, "sold_out"
    detail = _("Sold out.")
    advice = "Say so. Unpaid orders may expire, so it may be tried again later."


class InsufficientStock(Refusal):
    """`sku`: id; `available`: units left."""

    status, code = 409, "insufficient_stock"
    detail = _("Fewer are left than you asked for.")
    advice = "Offer what is left, and order that with a new key."


class PurchaseLimit(Refusal):
    """`limit`: units one user may have."""

    status, code = 409, "purchase_limit"
    detail = _("That is more than one user may buy.")
    advice = "Say how many one may have; repeating changes nothing until some are given back."


class NotStarted(Refusal):
    """`starts_at`: RFC 3339."""

    status, code = 409, "not_started"
    detail = _("This has not started yet.")
    advice = "Count down to it by the shop's `server_time`, then repeat."


class Paused(Refusal):
    status, code = 409, "paused"
    detail = _("This is paused; try again later.")
    advice = "Keep the page open and look at the sale again; its `status` says when it goes on."


class Ended(Refusal):
    status, code = 409, "ended"
    detail = _("This has ended.")
    advice = "Do not repeat: it does not open again."


class AlreadyGrabbed(Refusal):
    """`amount_fen`: what the first grab got."""

    status, code = 409, "already_grabbed"
    detail = _("You have grabbed from this red packet already.")
    advice = "Show the amount: that was the user's part."


class InsufficientBalance(Refusal):
    """`currency`; `balance`: what the wallet has, and `amount`: what this takes (fen or points)."""

    status, code = 409, "insufficient_balance"
    detail = _("There is not enough in your wallet.")
    advice = "Offer a top-up or another way to pay, then repeat."


class OrderState(Refusal):
    """`order_status`: the state that does not allow the step."""

    status, code = 409, "order_state"
    detail = _("The order's state does not allow this.")
    advice = "Read the order again and show what it is now."


class PriceChanged(Refusal):
    """`total_fen`: the total as it is now."""

    status, code = 409, "price_changed"
    detail = _("The price has changed; look at the new total and order again.")
    advice = "Show the new total, and order again only after another yes."


class CouponUnusable(Refusal):
    """`reason`: `used`, `expired`, `not_yet`, `out_of_scope`, `below_minimum` (+ `minimum_fen`) or
    `nothing_off`."""

    status, code = 409, "coupon_unusable"
    detail = _("This coupon can't be used for this order.")
    advice = "Say why, and quote again without it or with another."


class RequestInProgress(Refusal):
    status, code = 409, "request_in_progress"
    detail = _("The first request with this key is still running; repeat it in a moment.")
    advice = "Repeat with the same key as `Retry-After` says."
    retry_after = 1


class IdempotencyKeyReused(Refusal):
    status, code = 422, "idempotency_key_reused"
    detail = _("This Idempotency-Key was used for another request; send a new one.")
    advice = "A mistake of the program: what differs from the first request needs a key of its own."


class RateLimited(Refusal):
    status, code = 429, "rate_limited"
    detail = _("Too many requests; wait as long as Retry-After says.")
    advice = "Wait as long as `Retry-After` says, then repeat with the same key."
    retry_after = 1


class Busy(Refusal):
    """Contention outlasted the retries; nothing was stored."""

    status, code = 503, "busy"
    detail = _("Very busy right now; repeat the request with the same key in a moment.")
    advice = (
        "Repeat with the same key as `Retry-After` says, a few times, then let the user press "
        "again."
    )
    retry_after = 1


class Unavailable(Refusal):
    """A server behind the shop is down; what became of the request is told by repeating it."""

    status, code = 503, "unavailable"
    detail = _("Not available right now; repeat the request with the same key in a moment.")
    advice = (
        "Repeat with the same key as `Retry-After` says: it is done once, also if it was done "
        "already."
    )
    retry_after = 2
