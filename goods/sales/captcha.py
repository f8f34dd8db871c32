"""Pictures that a person reads more easily than a program: what a sale may ask for before a token.

Nothing is kept. A picture's id carries its nonce, its time and a signature over both and the
answer, so whoever knows the shop's secret can check an answer and nobody else can look for it. An
id may be answered as often as its time allows, always with the same token id: one picture, one
order. How often somebody may try, and that answers of the API are not cached, is left to the views.
A picture slows programs down; it does not keep out one that has learnt to read.
"""

import base64
import secrets
from dataclasses import dataclass

from captcha.image import ImageCaptcha
from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.utils.crypto import salted_hmac

from shop.errors import CaptchaFailed

SALT = "goods.sales.captcha"
TOKEN_SALT = "goods.sales.captcha.token"  # noqa: S105 (a name space, no secret)
# What stays itself when it is turned and bent: no 0 O Q, 1 I L 7, 2 Z, 5 S, 6 G, 8 B, V.
ALPHABET = "34ACDEFHJKMNPRTUWXY9"
LENGTH = 5
# A nonce, a time and a signature are 83 characters; what is longer is not worth hashing.
LONGEST = 100


@dataclass(frozen=True, slots=True)
class Captcha:
    """`image` is a data URI of a JPEG, 200 x 70, of at most a few kilobytes."""

    captcha_id: str
    image: str


class _Painter(ImageCaptcha):
    """Turned and pushed together less than the library would, so that people can read it."""

    character_rotate = (-20, 20)
    word_offset_dx = 0.12


# The font is read once by each process, with its first picture.
_painter = _Painter(width=200, height=70, font_sizes=(42, 46, 50))


def captcha_issue() -> Captcha:
    """A new picture; its answer is good for settings.CAPTCHA_SECONDS."""
    return captcha_of("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def captcha_of(answer: str) -> Captcha:
    """A new picture of `answer`: LENGTH characters of ALPHABET."""
    bound = _bound(answer)
    signed = TimestampSigner(salt=SALT).sign(bound + secrets.token_hex(16))
    return Captcha(captcha_id=signed.removeprefix(bound), image=_painted(answer))


def captcha_check(*, captcha_id: str | None, answer: str | None) -> str:
    """The token id that the picture earns, 32 hex digits; the same one each time.

    Case and white space of the answer do not count. Raises CaptchaFailed for a wrong answer and for
    an id that is missing, expired, forged or malformed, and nothing else.
    """
    text = _normalized(answer or "")
    # Beyond ASCII may be what has no encoding, such as half of a surrogate pair.
    if not text or not captcha_id or len(captcha_id) > LONGEST or not captcha_id.isascii():
        raise CaptchaFailed
    signed = _bound(text) + captcha_id
    # The key that signed the picture also makes its token id, so that a picture earns the same one
    # before and after the shop changes its secret.
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        signer = TimestampSigner(key=key, salt=SALT, fallback_keys=[])
        try:
            signer.unsign(signed, max_age=settings.CAPTCHA_SECONDS)
        except BadSignature:
            continue
        digest = salted_hmac(TOKEN_SALT, captcha_id, secret=key, algorithm="sha256")
        return digest.hexdigest()[:32]
    raise CaptchaFailed


def _bound(answer: str) -> str:
    """What is signed with the nonce but not sent."""
    return f"{answer}:"


def _normalized(answer: str) -> str | None:
    """The answer as it was drawn; None for what no picture shows."""
    if len(answer) > LONGEST:
        return None
    text = "".join(answer.split()).upper()
    return text if len(text) == LENGTH and set(text) <= set(ALPHABET) else None


def _painted(answer: str) -> str:
    """A data URI of the picture.

    The library draws text fainter the darker its colour is (it takes the brightness for opacity),
    and may choose one close to the background; of these greyish colours all can be read.
    """
    red, green, blue = (80 + secrets.randbelow(61) for _ in range(3))
    picture = _painter.generate(answer, format="jpeg", fg_color=(red, green, blue))
    return "data:image/jpeg;base64," + base64.b64encode(picture.getvalue()).decode()
