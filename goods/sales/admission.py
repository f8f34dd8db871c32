"""What a protected sale asks of a shopper before an order: its time has come, a picture is read."""

from django.conf import settings

from goods.sales.captcha import captcha_check
from goods.sales.models import Protection
from goods.sales.selectors import SaleTerms, sale_terms
from goods.sales.tokens import IssuedToken, sale_token_issue
from shop.accounts.rates import hit
from shop.errors import CaptchaFailed, Ended, NotStarted, Paused


def refuse_outside_window(terms: SaleTerms) -> None:
    """Raises NotStarted, Paused or Ended unless the sale was running when `terms` were read."""
    if not terms.is_open or terms.read_at >= terms.ends_at:
        raise Ended(sku=terms.sku_id)
    if terms.read_at < terms.starts_at:
        raise NotStarted(starts_at=terms.starts_at.isoformat())
    if terms.paused:
        raise Paused


def token_for(
    *, sale_id: int, user_id: int, captcha_id: str = "", captcha_answer: str = ""
) -> IssuedToken:
    """A token for one order of the user in this sale. Where the sale wants a picture read, the
    token's id follows from the picture's, so that one picture never earns two orders.

    Raises NotFound, NotStarted, Paused, Ended, CaptchaFailed, RateLimited.
    """
    terms = sale_terms(sale_id)
    refuse_outside_window(terms)
    token_id = None
    if terms.protection == Protection.CAPTCHA:
        limit, seconds = settings.CAPTCHA_RATE_PER_USER
        hit("captcha", str(user_id), limit=limit, seconds=seconds)
        if not captcha_id:
            raise CaptchaFailed
        token_id = captcha_check(captcha_id=captcha_id, answer=captcha_answer)
    return sale_token_issue(user_id=user_id, sale_id=sale_id, token_id=token_id)
