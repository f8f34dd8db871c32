"""The cryptography of WeChat Pay's API v3, and nothing else: no network, no settings, no database.

Both sides sign with RSA (SHA-256, PKCS #1 v1.5) over lines of text: the shop its requests, WeChat
Pay its answers and notifications. What a notification holds is encrypted with AES-256-GCM under a
key that both know. Whatever is not exactly as it must be is `Untrusted`, with a word that says why
and nothing of what was sent.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

SCHEME = "WECHATPAY2-SHA256-RSA2048"
CIPHER = "AEAD_AES_256_GCM"
# What a signature begins with that WeChat Pay got wrong on purpose, to see whether anybody looks.
PROBE = "WECHATPAY/SIGNTEST/"
# Seconds that a message may be older, or newer, than this machine's clock.
WINDOW_SECONDS = 300
API_KEY_BYTES = 32
MOST_HEADER = 1024


class Untrusted(Exception):
    """Not, or not provably, from WeChat Pay. `why`: one word, for logs and counters."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def lines(*parts: str) -> bytes:
    """What is signed: each part with a line's end."""
    return "".join(f"{part}\n" for part in parts).encode()


def sign(key: RSAPrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


@dataclass(frozen=True, slots=True)
class Seal:
    """The headers that make a message WeChat Pay's."""

    serial: str
    timestamp: str
    nonce: str
    signature: str = field(repr=False)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Seal":
        """Raises Untrusted where one is missing, too long, or of another scheme. `headers`: names
        in lower case."""
        found = {
            name: headers.get(f"wechatpay-{name}", "")
            for name in ("serial", "timestamp", "nonce", "signature")
        }
        for name, value in found.items():
            if not value or len(value) > MOST_HEADER:
                raise Untrusted(f"no_{name}")
        if headers.get("wechatpay-signature-type", SCHEME) != SCHEME:
            raise Untrusted("scheme")
        return cls(**found)

    def check(
        self,
        body: bytes,
        key_of: Callable[[str], RSAPublicKey | None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """That `body` is WeChat Pay's and new: raises Untrusted. `key_of`: the key of a serial, or
        None."""
        if self.signature.startswith(PROBE):
            raise Untrusted("probe")
        if not (self.timestamp.isascii() and self.timestamp.isdecimal()):
            raise Untrusted("timestamp")
        if len(self.timestamp) > 12 or abs(clock() - int(self.timestamp)) > WINDOW_SECONDS:
            raise Untrusted("timestamp")
        try:
            signature = base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError):
            raise Untrusted("signature") from None
        key = key_of(self.serial)
        if key is None:
            raise Untrusted("serial")
        message = lines(self.timestamp, self.nonce) + body + b"\n"
        try:
            key.verify(signature, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise Untrusted("signature") from None


def opened(sealed: Any, api_key: bytes) -> bytes:
    """The text of an encrypted resource: {algorithm, ciphertext, nonce, associated_data}. Raises
    Untrusted."""
    try:
        if sealed["algorithm"] != CIPHER:
            raise Untrusted("cipher")
        ciphertext = base64.b64decode(sealed["ciphertext"], validate=True)
        nonce, about = sealed["nonce"].encode(), (sealed.get("associated_data") or "").encode()
        return AESGCM(api_key).decrypt(nonce, ciphertext, about)
    except (InvalidTag, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise Untrusted("ciphertext") from None


def private_key(pem: bytes) -> RSAPrivateKey:
    """Raises ValueError for anything but an RSA key without a password."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("it has a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("it is no RSA key")
    return key


def public_key(pem: bytes) -> RSAPublicKey:
    """Raises ValueError for anything but an RSA key."""
    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it is no RSA key")
    return key


@dataclass(frozen=True, slots=True)
class Certificate:
    """One of WeChat Pay's: its serial, as headers name it, its key, and when it ends (seconds)."""

    serial: str
    key: RSAPublicKey = field(repr=False)
    begins: float
    ends: float

    @classmethod
    def of(cls, pem: bytes) -> "Certificate":
        """Raises ValueError."""
        found = load_pem_x509_certificate(pem)
        key = found.public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("it is no RSA key")
        return cls(
            serial=f"{found.serial_number:X}",
            key=key,
            begins=found.not_valid_before_utc.timestamp(),
            ends=found.not_valid_after_utc.timestamp(),
        )
