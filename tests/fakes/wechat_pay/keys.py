"""Keys and certificates, made anew: the merchant's, WeChat Pay's, and a stranger's."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

BITS = 2048


@dataclass(frozen=True)
class Signer:
    """A private key and the serial that it is known by."""

    serial: str
    key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self.key.sign(message, PKCS1v15(), SHA256())).decode()

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def private_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=BITS)


def certificate_of(
    key: rsa.RSAPrivateKey, *, days: int = 1825, begun: timedelta = timedelta(days=1)
) -> tuple[str, bytes]:
    """A certificate that signs itself: its serial and its PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "not WeChat Pay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(b"\x51" + secrets.token_bytes(18)))
        .not_valid_before(now - begun)
        .not_valid_after(now - begun + timedelta(days=days))
        .sign(key, SHA256())
    )
    return f"{made.serial_number:X}", made.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Keys:
    """All that the two sides have. `platform` is the public key's, `certified` a certificate's."""

    merchant: Signer
    platform: Signer
    certified: Signer
    certificate: bytes = field(repr=False)
    api_key: str = field(repr=False)

    def seal(self, text: bytes, *, about: str, api_key: str = "") -> dict[str, Any]:
        """An encrypted resource."""
        nonce = secrets.token_hex(6)
        cipher = AESGCM((api_key or self.api_key).encode())
        sealed = cipher.encrypt(nonce.encode(), text, about.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": about,
            "ciphertext": base64.b64encode(sealed).decode(),
        }

    def write(self, folder: Path) -> dict[str, str]:
        """The files that a shop reads, and the settings that name them."""
        folder.mkdir(parents=True, exist_ok=True)
        private, public = folder / "merchant_key.pem", folder / "platform_key.pem"
        private.touch(mode=0o600)
        private.write_bytes(self.merchant.private_pem)
        public.write_bytes(self.platform.public_pem)
        return {
            "WECHAT_PAY_SERIAL": self.merchant.serial,
            "WECHAT_PAY_PRIVATE_KEY_FILE": str(private),
            "WECHAT_PAY_API_V3_KEY": self.api_key,
            "WECHAT_PAY_PUBLIC_KEY_ID": self.platform.serial,
            "WECHAT_PAY_PUBLIC_KEY_FILE": str(public),
        }


def make_keys() -> Keys:
    certified = make_key()
    serial, certificate = certificate_of(certified)
    merchant = make_key()
    return Keys(
        merchant=Signer(certificate_of(merchant)[0], merchant),
        platform=Signer(f"PUB_KEY_ID_{secrets.randbelow(10**20):020d}", make_key()),
        certified=Signer(serial, certified),
        certificate=certificate,
        api_key=secrets.token_hex(16),
    )


# One set for a process: making one takes a second.
keys = cache(make_keys)
# Of somebody who would like to be WeChat Pay.
strangers_key = cache(make_key)
