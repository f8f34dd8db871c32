"""BLS signatures as drand's scheme bls-unchained-g1-rfc9380 makes them: signature in G1, key in G2.

py_ecc does the mathematics, in plain Python: a quarter of a second for each signature.
"""

import sys

# Importing py_ecc raises Python's recursion limit a hundredfold, for the whole process. Code that
# counts on the limit, as our JSON parser does with bodies nested too deeply, would then run out of
# stack and die; py_ecc itself needs no more than the usual limit.
_LIMIT = sys.getrecursionlimit()

import hashlib  # noqa: E402

from py_ecc.bls.g2_primitives import subgroup_check  # noqa: E402
from py_ecc.bls.hash_to_curve import hash_to_G1  # noqa: E402
from py_ecc.bls.point_compression import decompress_G1, decompress_G2  # noqa: E402
from py_ecc.optimized_bls12_381 import (  # noqa: E402
    FQ12,
    G2,
    final_exponentiate,
    is_inf,
    neg,
    pairing,
)

sys.setrecursionlimit(_LIMIT)

DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
SIGNATURE_BYTES, KEY_BYTES = 48, 96


def is_signature(*, signature: bytes, public_key: bytes, message: bytes) -> bool:
    """Whether `signature` (48 bytes, compressed) of `message` is by `public_key` (96 bytes).

    False for bytes that are no points, or points outside the groups that a signature is made in.
    """
    if len(signature) != SIGNATURE_BYTES or len(public_key) != KEY_BYTES:
        return False
    half = KEY_BYTES // 2
    try:
        point = decompress_G1(int.from_bytes(signature, "big"))
        key = decompress_G2(
            (int.from_bytes(public_key[:half], "big"), int.from_bytes(public_key[half:], "big"))
        )
    except ValueError:
        return False
    if is_inf(point) or is_inf(key) or not (subgroup_check(point) and subgroup_check(key)):
        return False
    hashed = hash_to_G1(message, DOMAIN, hashlib.sha256)
    # e(signature, generator) = e(hash, key), as one product, so that one exponentiation is enough.
    product = pairing(G2, point, final_exponentiate=False) * pairing(
        key, neg(hashed), final_exponentiate=False
    )
    return bool(final_exponentiate(product) == FQ12.one())
