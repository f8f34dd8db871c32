"""Checks the transcript of a draw, whoever published it. docs/draw.md says what must hold.

    python verify_draw.py transcript.json [--commitment HEX] [--root HEX] [--round N]
                                          [--receipt HEX] [--number N]

One file that needs Python 3.11 and nothing else, so that a stranger can read it and run it; it
shares no code with the shop. A beacon's signature is checked if the package py_ecc is there. It
prints a line a step; it exits with 0 if nothing is wrong, 1 if something is, 2 if nothing was read.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python looks for modules beside a script first: the shop's numbers.py, or whatever else is in
    # the folder that a stranger saved this file to. None of it is meant.
    del sys.path[0]

import argparse
import hashlib
import hmac
import io
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

# Importing py_ecc raises the recursion limit; a text nested deeply enough would then crash us.
_LIMIT = sys.getrecursionlimit()
try:
    from py_ecc.bls.g2_primitives import subgroup_check
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.bls.point_compression import decompress_G1, decompress_G2
    from py_ecc.optimized_bls12_381 import FQ12, G2, final_exponentiate, is_inf, neg, pairing
except ImportError:
    HAS_BLS = False
else:
    HAS_BLS = True
sys.setrecursionlimit(_LIMIT)

OK, WRONG, NOT_CHECKED = "ok", "WRONG", "NOT CHECKED"

MAX_BYTES = 256 * 2**20
TIMEOUT_SECONDS = 30
MAX_INTEGER = 2**53 - 1
MAX_SHARES = 10**12
ROUNDS = ((9, 36), (13, 30), (19, 24), (31, 18), (40, 12))
DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HEX = frozenset("0123456789abcdef")
QUICKNET = {
    "name": "drand",
    "chain_hash": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    "public_key": "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
    "genesis": 1692803367,
    "period_seconds": 3,
}


@dataclass(frozen=True)
class Step:
    """One thing looked at: `verdict` is ok, WRONG or NOT CHECKED, `detail` what was seen or why."""

    name: str
    verdict: str
    detail: str

    def line(self) -> str:
        """How the command prints it."""
        return f"{self.verdict}{'' if self.verdict == OK else ':'} {self.name}: {self.detail}"


class Wrong(Exception):
    """Why a step is wrong."""


class Unchecked(Exception):
    """Why a step was not checked."""


# --- form: after this, every value has the type and the range that the page gives it


class Kind(NamedTuple):
    """What a value has to be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def integer(low: int, high: int) -> Kind:
    return Kind(f"an integer from {low} to {high}", lambda v: type(v) is int and low <= v <= high)


def exactly(wanted: object) -> Kind:
    # The type as well: True == 1 == 1.0 in Python, and not in JSON.
    return Kind(json.dumps(wanted), lambda v: type(v) is type(wanted) and v == wanted)


def hexadecimal(count: int) -> Kind:
    return Kind(
        f"{count} bytes in lower-case hex",
        lambda v: type(v) is str and len(v) == 2 * count and HEX.issuperset(v),
    )


def moment(digits: int = 6) -> Kind:
    form = re.compile(
        f"[0-9]{{4}}(-[0-9]{{2}}){{2}}T[0-9]{{2}}(:[0-9]{{2}}){{2}}[.][0-9]{{{digits}}}Z"
    )

    def holds(value: Any) -> bool:
        try:
            return type(value) is str and bool(
                form.fullmatch(value) and datetime.fromisoformat(value)
            )
        except ValueError:  # the 30th of February
            return False

    return Kind(f"a moment in UTC with {digits} digits of a second", holds)


def or_null(kind: Kind) -> Kind:
    return Kind(f"{kind.words}, or null", lambda v: v is None or kind.holds(v))


def array(kind: Kind, least: int, most: float) -> Kind:
    return Kind(
        f"an array of {kind.words}",
        lambda v: type(v) is list and least <= len(v) <= most and all(map(kind.holds, v)),
    )


def is_entry(value: Any) -> bool:
    if type(value) is not list or [type(part) for part in value] != [str, int, int, str]:
        return False
    entry_no, first, count, nonce = value
    return (
        1 <= len(entry_no) <= 64
        and entry_no.isascii()
        and entry_no.isprintable()
        and 0 <= first < MAX_SHARES
        and 1 <= count <= MAX_SHARES
        and len(nonce) == 32
        and HEX.issuperset(nonce)
    )


ANY = Kind("anything", lambda v: True)
NULL = exactly(None)
BOOLEAN = Kind("true or false", lambda v: type(v) is bool)
TEXT = Kind("a text", lambda v: type(v) is str and v != "" and not re.search("[\ud800-\udfff]", v))
ENTRY = Kind("[entry_no, first, count, nonce], each as it can be", is_entry)

TRANSCRIPT = {
    "version": exactly(1),
    "scheme": ANY,
    "terms": ANY,
    "commitment": hexadecimal(32),
    "seed": hexadecimal(32),
    "entries": array(ENTRY, 1, float("inf")),
    "root": hexadecimal(32),
    "shares_sold": integer(1, MAX_SHARES),
    "closed_at": moment(),
    "beacon": ANY,
    "classic": ANY,
    "index": integer(0, MAX_SHARES - 1),
    "number": integer(0, MAX_INTEGER),
    "winning_entry_no": TEXT,
}
TERMS = {
    "serial": TEXT,
    "prize_title": TEXT,
    "currency": TEXT,
    "share_price": integer(0, MAX_INTEGER),
    "total_shares": integer(1, MAX_SHARES),
    "minimum_shares": integer(0, MAX_SHARES),
    "per_user_limit": or_null(integer(1, MAX_INTEGER)),
    "first_number": integer(0, MAX_INTEGER - MAX_SHARES),
    "ends_at": or_null(moment()),
}
TERMS_OF = {
    "commit-beacon": {
        **TERMS,
        "scheme": exactly("commit-beacon"),
        "beacon": ANY,
        "beacon_delay_seconds": integer(1, 86_400),
        "public_number_source": NULL,
    },
    "classic": {
        **TERMS,
        "scheme": exactly("classic"),
        "beacon": NULL,
        "beacon_delay_seconds": exactly(0),
        "public_number_source": or_null(TEXT),
    },
}
IDENTITIES = {
    "drand": {
        "name": exactly("drand"),
        "chain_hash": hexadecimal(32),
        "public_key": hexadecimal(96),
        "genesis": integer(0, MAX_INTEGER),
        "period_seconds": integer(1, MAX_INTEGER),
    },
    "local": {
        "name": exactly("local"),
        "chain_hash": NULL,
        "public_key": NULL,
        "genesis": exactly(1),
        "period_seconds": exactly(1),
    },
}
CLASSIC = {"buy_times": array(moment(3), 1, 50), "public_number": integer(0, 99_999)}


def conforms(what: str, value: Any, members: Mapping[str, Kind]) -> None:
    """Raises Wrong unless `value` is an object of exactly these members, each of its kind."""
    if type(value) is not dict or value.keys() != members.keys():
        raise Wrong(f"{what} is not an object with exactly {', '.join(members)}")
    for name, kind in members.items():
        if not kind.holds(value[name]):
            raise Wrong(f"{name} of {what} is not {kind.words}")


def chosen(what: str, value: Any, name: str, among: Mapping[str, Any]) -> Any:
    """The entry of `among` that member `name` of the object `value` names."""
    choice = value.get(name) if type(value) is dict else None
    if type(choice) is not str or choice not in among:
        raise Wrong(f"{name} of {what} is not {' or '.join(among)}")
    return among[choice]


def check_form(said: Any) -> str:
    """Raises Wrong unless all is there, nothing else is, and each value can be what it should."""
    conforms("the transcript", said, TRANSCRIPT)
    terms, beacon, classic = said["terms"], said["beacon"], said["classic"]
    conforms("the terms", terms, chosen("the terms", terms, "scheme", TERMS_OF))
    if said["scheme"] != terms["scheme"]:
        raise Wrong("the scheme is not that of the terms")
    if terms["scheme"] == "classic":
        conforms("classic", classic, CLASSIC)
        if classic["buy_times"] != sorted(classic["buy_times"]):
            raise Wrong("the buy times do not ascend")
        if classic["buy_times"][-1][:-1] > said["closed_at"]:
            raise Wrong("the last buy time is after the close")
        conforms("classic", {"beacon": beacon}, {"beacon": NULL})
    else:
        identity = terms["beacon"]
        conforms("the beacon", identity, chosen("the beacon", identity, "name", IDENTITIES))
        members = {
            "name": exactly(identity["name"]),
            "round": integer(1, MAX_INTEGER),
            "value": hexadecimal(32),
            "signature": hexadecimal(48 if identity["name"] == "drand" else 32),
            "independent": BOOLEAN,
        }
        conforms("the pulse", beacon, members)
        conforms("commit-beacon", {"classic": classic}, {"classic": NULL})
    return f"version 1, scheme {said['scheme']}"


# --- the mathematics of the page


def canonical_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def leaf_hash(entry: Sequence[Any]) -> bytes:
    entry_no, first, count, nonce = entry
    no = entry_no.encode("ascii")
    shares = first.to_bytes(8, "big") + count.to_bytes(8, "big")
    leaf = bytes([len(no)]) + no + shares + bytes.fromhex(nonce)
    return hashlib.sha256(b"\x00" + leaf).digest()


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    # Level by level, the last of an odd number moving up: the same tree as split by powers of two.
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        upper = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        hashes = upper + list(hashes[-1:] if len(hashes) % 2 else [])
    return hashes[0]


class Permutation:
    """P of the page, for N shares."""

    def __init__(self, seed: bytes, total: int) -> None:
        self.key = hmac_sha256(seed, b"scarce/draw/v1/permutation")
        self.total = total
        self.a = isqrt(total - 1) + 1  # ceil(sqrt(N))
        self.b = -(-total // self.a)
        bits = (total - 1).bit_length()
        self.rounds = next(rounds for limit, rounds in ROUNDS if bits <= limit)

    def word(self, j: int, v: int) -> int:
        digest = hmac_sha256(self.key, bytes([j]) + (v // 4 + 1).to_bytes(4, "big"))
        return int.from_bytes(digest[v % 4 * 8 :][:8], "big")

    def forth(self, x: int) -> int:
        while True:
            high, low = divmod(x, self.a)
            for j in range(1, self.rounds, 2):
                low = (low + self.word(j, high)) % self.a
                high = (high + self.word(j + 1, low)) % self.b
            x = self.a * high + low
            if x < self.total:
                return x

    def back(self, x: int) -> int:
        while True:
            high, low = divmod(x, self.a)
            for j in range(self.rounds - 1, 0, -2):
                high = (high - self.word(j + 1, low)) % self.b
                low = (low - self.word(j, high)) % self.a
            x = self.a * high + low
            if x < self.total:
                return x


def drawn_index(seed: bytes, root: bytes, round_number: int, value: bytes, sold: int) -> int:
    key = hmac_sha256(seed, b"scarce/draw/v1/draw")
    message = root + round_number.to_bytes(8, "big") + value
    counter = 0
    while True:
        digest = hmac_sha256(key, message + counter.to_bytes(4, "big"))
        for at in range(0, 32, 8):
            word = int.from_bytes(digest[at : at + 8], "big")
            if word < 2**64 - 2**64 % sold:
                return word % sold
        counter += 1


def clock_digits(buy_time: str) -> int:
    at = datetime.fromisoformat(buy_time) - EPOCH + timedelta(hours=8)
    seconds, milliseconds = at.seconds, at.microseconds // 1000
    clock = seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    return clock * 1000 + milliseconds


def is_signed(signature: bytes, public_key: bytes, round_number: int) -> bool:
    if len(signature) != 48 or not HAS_BLS:
        return False
    try:
        point = decompress_G1(int.from_bytes(signature, "big"))
        key = decompress_G2(
            (int.from_bytes(public_key[:48], "big"), int.from_bytes(public_key[48:], "big"))
        )
    except ValueError:
        return False
    if is_inf(point) or is_inf(key) or not (subgroup_check(point) and subgroup_check(key)):
        return False
    message = hashlib.sha256(round_number.to_bytes(8, "big")).digest()
    hashed = hash_to_G1(message, DOMAIN, hashlib.sha256)
    product = pairing(G2, point, final_exponentiate=False)
    product *= pairing(key, neg(hashed), final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


# --- steps: each computes one thing again


class Facts:
    """A transcript of good form, and what is computed from it."""

    def __init__(self, said: Any) -> None:
        self.said, self.terms, self.beacon = said, said["terms"], said["beacon"]
        self.seed, self.root = bytes.fromhex(said["seed"]), bytes.fromhex(said["root"])
        self.total, self.is_classic = self.terms["total_shares"], said["scheme"] == "classic"
        self.hashes = [leaf_hash(entry) for entry in said["entries"]]
        self.numbers = Permutation(self.seed, self.total)

    def commitment(self) -> str:
        text = b"scarce/draw/v1/commitment" + self.seed + canonical_json(self.terms)
        return _same("commitment", hashlib.sha256(text).hexdigest(), self.said["commitment"])

    def entries(self) -> str:
        end = 0
        for entry_no, first, count, _nonce in self.said["entries"]:
            if first != end:
                raise Wrong(f"{entry_no} begins with share {first}, the one before ended at {end}")
            end += count
        _same("number of shares sold", end, self.said["shares_sold"])
        if len({entry[0] for entry in self.said["entries"]}) != len(self.hashes):
            raise Wrong("two entries have one entry_no")
        fewest = self.total if self.is_classic else self.terms["minimum_shares"]
        if not fewest <= end <= self.total:
            raise Wrong(f"{end} shares sold, promised were {fewest} to {self.total}")
        return f"{len(self.hashes)} entries hold shares 0 to {end - 1}, each once"

    def merkle(self) -> str:
        return _same("root", merkle_root(self.hashes).hex(), self.said["root"])

    def round(self) -> str:
        identity = self.terms["beacon"]
        closed = (datetime.fromisoformat(self.said["closed_at"]) - EPOCH) // MICROSECOND
        late = closed + 10**6 * (self.terms["beacon_delay_seconds"] - identity["genesis"])
        first = max(1, 1 - (-late // (10**6 * identity["period_seconds"])))
        return _same("first round due after close and delay", first, self.beacon["round"])

    def value(self) -> str:
        _same("word on independence", self.terms["beacon"] == QUICKNET, self.beacon["independent"])
        value = hashlib.sha256(bytes.fromhex(self.beacon["signature"])).hexdigest()
        return _same("value", value, self.beacon["value"])

    def signature(self) -> str:
        identity, number = self.terms["beacon"], self.beacon["round"]
        if identity["name"] == "local":
            raise Unchecked("THE BEACON IS NOT INDEPENDENT: the shop could know its value before")
        if not HAS_BLS:
            raise Unchecked("WHETHER THE BEACON SAID THIS: it takes py_ecc (pip install py_ecc)")
        if not is_signed(
            bytes.fromhex(self.beacon["signature"]), bytes.fromhex(identity["public_key"]), number
        ):
            raise Wrong(f"round {number} was not signed by the key in the terms")
        if identity != QUICKNET:
            raise Unchecked(
                "THE BEACON IS NOT INDEPENDENT: it signed, but the shop may have its key"
            )
        return f"quicknet signed round {number}"

    def public_facts(self) -> str:
        source = self.terms["public_number_source"]
        which = f"see {_shown(source)}" if source else "THE TERMS DON'T SAY WHICH IT WOULD BE"
        raise Unchecked(f"THE BUY TIMES ARE THE SHOP'S WORD; the public number: {which}")

    def index(self) -> str:
        if self.is_classic:
            place = self.said["number"] - self.terms["first_number"]
            if not 0 <= place < self.total:
                raise Wrong(f"number {self.said['number']} was never sold")
            return _same("index", self.numbers.back(place), self.said["index"])
        value, sold = bytes.fromhex(self.beacon["value"]), self.said["shares_sold"]
        index = drawn_index(self.seed, self.root, self.beacon["round"], value, sold)
        return _same("index", index, self.said["index"])

    def number(self) -> str:
        if self.is_classic:
            digits = sum(clock_digits(text) for text in self.said["classic"]["buy_times"])
            place = (digits + self.said["classic"]["public_number"]) % self.total
        elif self.said["index"] < self.total:
            place = self.numbers.forth(self.said["index"])
        else:
            raise Wrong(f"there is no share {self.said['index']}")
        return _same("number", self.terms["first_number"] + place, self.said["number"])

    def winner(self) -> str:
        index, entries = self.said["index"], self.said["entries"]
        holders = [entry_no for entry_no, first, count, _ in entries if 0 <= index - first < count]
        if len(holders) != 1:
            raise Wrong(f"share {index} is held by {len(holders)} entries")
        return _same("winning entry", holders[0], self.said["winning_entry_no"])

    def saved(self, what: str, saved: object, said: object) -> str:
        if saved is None:
            raise Unchecked(
                f"give the {what} that you saved: without it this may be made up afterwards"
            )
        if isinstance(saved, str):
            saved = saved.strip().lower()
        if saved != said:
            raise Wrong(f"you saved {_shown(saved)}, the transcript says {_shown(said)}")
        return f"{_shown(said)}, as you saved it"

    def receipt(self, receipt: str | None) -> str:
        if receipt is None:
            raise Unchecked("give your receipt to see that your entry is inside")
        for digest, entry in zip(self.hashes, self.said["entries"], strict=True):
            if digest.hex() == receipt.strip().lower():
                return f"{entry[0]} holds shares {entry[1]} to {entry[1] + entry[2] - 1}"
        raise Wrong("no entry has this receipt")


def _same(what: str, computed: object, said: object) -> str:
    if computed != said:
        raise Wrong(f"the {what} is {_shown(computed)}, the transcript says {_shown(said)}")
    return f"the {what} is {_shown(computed)}"


def _shown(value: object) -> str:
    # Never more than a line, nothing that a terminal obeys, and no integer of thousands of digits.
    is_huge = isinstance(value, int) and value.bit_length() > 64
    return "a huge integer" if is_huge else repr(value)[:200]


def _step(name: str, check: Callable[..., str], *arguments: object) -> Step:
    try:
        return Step(name, OK, check(*arguments))
    except Wrong as why:
        return Step(name, WRONG, str(why))
    except Unchecked as why:
        return Step(name, NOT_CHECKED, str(why))


def verify(
    transcript: Any,
    *,
    commitment: str | None = None,
    root: str | None = None,
    round: int | None = None,
    receipt: str | None = None,
    number: int | None = None,
) -> list[Step]:
    """All steps for a parsed transcript, whatever it is; the rest was saved beforehand."""
    steps = [_step("form", check_form, transcript)]
    if steps[0].verdict == WRONG:
        return [*steps, Step("everything else", NOT_CHECKED, "it is no transcript")]
    facts = Facts(transcript)
    steps += [
        _step("commitment", facts.commitment),
        _step("entries", facts.entries),
        _step("root", facts.merkle),
    ]
    if facts.is_classic:
        steps += [_step("public facts", facts.public_facts)]
    else:
        steps += [
            _step("round", facts.round),
            _step("beacon's value", facts.value),
            _step("beacon's signature", facts.signature),
        ]
    steps += [
        _step("index", facts.index),
        _step("number", facts.number),
        _step("winner", facts.winner),
        _step("saved commitment", facts.saved, "commitment", commitment, transcript["commitment"]),
        _step("saved root", facts.saved, "root", root, transcript["root"]),
    ]
    if round is not None or not facts.is_classic:
        said = facts.beacon["round"] if facts.beacon else None
        steps += [_step("saved round", facts.saved, "round", round, said)]
    steps += [_step("your receipt", facts.receipt, receipt)]
    if number is not None:
        steps += [_step("announced number", facts.saved, "number", number, transcript["number"])]
    return steps


# --- the command


def read(source: str) -> bytes:
    """Raises OSError, ValueError or HTTPException where there is nothing to read."""
    if source == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    if re.match("https?://", source):
        with urllib.request.urlopen(source, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return bytes(answer.read(MAX_BYTES + 1))
    with Path(source).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def parse(text: bytes) -> Any:
    """What the text says if it says one thing only. Raises Wrong."""
    if len(text) > MAX_BYTES:
        raise Wrong(f"more than {MAX_BYTES} bytes")
    try:
        return json.loads(text.decode(), object_pairs_hook=_members)
    except UnicodeDecodeError as error:
        raise Wrong("not UTF-8") from error
    except RecursionError as error:
        raise Wrong("nested too deeply") from error
    except ValueError as error:
        raise Wrong("not JSON, or an integer of thousands of digits") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Wrong("a member occurs twice in one object")
    return dict(pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks the transcript of a draw.")
    parser.add_argument("transcript", help="a file, a URL, or - for standard input")
    for name in ("commitment", "root", "receipt"):
        parser.add_argument(f"--{name}", metavar="HEX", help="as you saved it before the draw")
    parser.add_argument("--round", metavar="N", type=int, help="as you saved it before the draw")
    parser.add_argument("--number", metavar="N", type=int, help="the winning number as announced")
    given = vars(parser.parse_args(arguments))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that can't write what texts say
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        text = read(given.pop("transcript"))
    except (OSError, ValueError, HTTPException) as error:
        print(f"{NOT_CHECKED}: there is nothing to read: {type(error).__name__} {error}")
        return 2
    try:
        steps = verify(parse(text), **given)
    except Wrong as why:
        steps = [Step("form", WRONG, str(why))]
    print(*(step.line() for step in steps), sep="\n")
    counts = Counter(step.verdict for step in steps)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in (OK, WRONG, NOT_CHECKED)) + ".")
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
