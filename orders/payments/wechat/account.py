"""The shop's account at WeChat Pay, as the settings name it, and what is wrong with them.

An account is whole or not there at all. Keys are read from their files once for each process, so a
new key needs a restart; nothing here shows one.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from orders.payments.wechat import signing
from shop.outside import may_be_asked

PUBLIC_KEY_ID = re.compile(r"PUB_KEY_ID_[0-9A-Za-z_-]{1,100}")
SERIAL = re.compile(r"[0-9A-F]{8,64}")
MCHID = re.compile(r"[0-9]{6,32}")
NOTIFY = "/api/v1/payments/wechat/notify"
REFUND_NOTIFY = "/api/v1/payments/wechat/refund-notify"

# Each of these, or none of them.
NEEDED = (
    "WECHAT_PAY_MCHID",
    "WECHAT_PAY_SERIAL",
    "WECHAT_PAY_PRIVATE_KEY_FILE",
    "WECHAT_PAY_API_V3_KEY",
    "WECHAT_PAY_CALLED_AT",
)
TOGETHER = ("WECHAT_PAY_PUBLIC_KEY_ID", "WECHAT_PAY_PUBLIC_KEY_FILE")


@dataclass(frozen=True)
class Account:
    """A merchant's account with its keys."""

    mchid: str
    appids: tuple[str, ...]
    serial: str
    called_at: str
    key_file: str = field(repr=False)
    api_key: bytes = field(repr=False)
    public_keys: Mapping[str, RSAPublicKey] = field(repr=False)

    @cached_property
    def key(self) -> RSAPrivateKey:
        """What the shop signs with."""
        return signing.private_key(Path(self.key_file).read_bytes())


def is_on() -> bool:
    """Whether the settings name an account at all."""
    return bool(settings.WECHAT_PAY_MCHID)


_mutex = threading.Lock()
_accounts: dict[tuple[object, ...], Account] = {}


def account() -> Account:
    """The account of the settings. Raises ImproperlyConfigured where they are not whole."""
    named = (
        *(getattr(settings, name) for name in (*NEEDED, *TOGETHER)),
        *appids(),
    )
    with _mutex:
        if named not in _accounts:
            if found := faults():
                raise ImproperlyConfigured(" ".join(found))
            _accounts[named] = _read()
        return _accounts[named]


def appids() -> tuple[str, ...]:
    """The mini-programs that may pay: those named, or all that shoppers log in with."""
    return tuple(settings.WECHAT_PAY_APPIDS or settings.WECHAT_APPS)


def _read() -> Account:
    public_keys = {}
    if settings.WECHAT_PAY_PUBLIC_KEY_ID:
        pem = Path(settings.WECHAT_PAY_PUBLIC_KEY_FILE).read_bytes()
        public_keys[settings.WECHAT_PAY_PUBLIC_KEY_ID] = signing.public_key(pem)
    return Account(
        mchid=settings.WECHAT_PAY_MCHID,
        appids=appids(),
        serial=settings.WECHAT_PAY_SERIAL,
        called_at=settings.WECHAT_PAY_CALLED_AT.rstrip("/"),
        key_file=settings.WECHAT_PAY_PRIVATE_KEY_FILE,
        api_key=settings.WECHAT_PAY_API_V3_KEY.encode(),
        public_keys=public_keys,
    )


def faults() -> list[str]:
    """What is wrong with the settings, in words that name the setting and show no secret."""
    named = [name for name in (*NEEDED, *TOGETHER) if getattr(settings, name)]
    if not named:
        return []
    missing = [name for name in NEEDED if name not in named]
    if missing:
        return [f"{', '.join(missing)}: missing, where {named[0]} is set."]
    if len([name for name in TOGETHER if name in named]) == 1:
        return [f"{' and '.join(TOGETHER)}: set both, or neither."]
    return [*_misformed(), *_unreadable()]


def _misformed() -> list[str]:
    wrong = []
    if not MCHID.fullmatch(settings.WECHAT_PAY_MCHID):
        wrong.append("WECHAT_PAY_MCHID: a merchant's number has digits only.")
    if not SERIAL.fullmatch(settings.WECHAT_PAY_SERIAL):
        wrong.append("WECHAT_PAY_SERIAL: a certificate's serial, hexadecimal, in capitals.")
    if len(settings.WECHAT_PAY_API_V3_KEY.encode()) != signing.API_KEY_BYTES:
        wrong.append("WECHAT_PAY_API_V3_KEY: it has 32 characters.")
    key_id = settings.WECHAT_PAY_PUBLIC_KEY_ID
    if key_id and not PUBLIC_KEY_ID.fullmatch(key_id):
        wrong.append("WECHAT_PAY_PUBLIC_KEY_ID: it begins with PUB_KEY_ID_.")
    if not appids():
        wrong.append("WECHAT_APPS: empty, so that nobody could pay; name the mini-programs.")
    strangers = sorted(set(settings.WECHAT_PAY_APPIDS) - set(settings.WECHAT_APPS))
    if strangers:
        wrong.append(f"WECHAT_PAY_APPIDS: {', '.join(strangers)} not among WECHAT_APPS.")
    for name in ("WECHAT_PAY_CALLED_AT", "WECHAT_PAY_API_URL"):
        if not may_be_asked(getattr(settings, name)):
            wrong.append(f"{name}: https://..., or http on this machine.")
    return wrong


def _unreadable() -> list[str]:
    wrong = []
    files = [("WECHAT_PAY_PRIVATE_KEY_FILE", signing.private_key)]
    if settings.WECHAT_PAY_PUBLIC_KEY_FILE:
        files.append(("WECHAT_PAY_PUBLIC_KEY_FILE", signing.public_key))  # type: ignore[arg-type]
    for name, load in files:
        try:
            load(Path(getattr(settings, name)).read_bytes())
        except OSError as error:
            wrong.append(f"{name}: can't be read ({type(error).__name__}).")
        except (ValueError, UnsupportedAlgorithm):
            wrong.append(f"{name}: not a PEM file with an RSA key that has no password.")
    return wrong
