"""Who a name is: everything about a person follows from it."""

import hashlib


def openid_of(appid: str, name: str) -> str:
    return "o" + _hash(f"openid {appid} {name}")[:27]


def unionid_of(name: str) -> str:
    return "u" + _hash(f"unionid {name}")[:27]


def phone_of(name: str) -> str:
    """Eleven digits, as in China."""
    return f"139{int(_hash(f'phone {name}'), 16) % 10**8:08d}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
