"""A sale token is good for whom, what and when it was issued, and for nobody, nothing else.

None of these tests may use the database.
"""

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.core.signing import Signer, TimestampSigner
from hypothesis import assume, example, given
from hypothesis import strategies as st

from goods.sales import tokens
from goods.sales.captcha import captcha_of
from goods.sales.tokens import sale_token_issue, sale_token_verify
from shop.errors import TokenRequired
from tests.ops.processes import run_python

NOW = 1_790_000_000
USER, SALE = 7, 42
FOR = {"user_id": USER, "sale_id": SALE}
KEY, NEW_KEY = "the key of today " * 4, "the key of tomorrow " * 4

ids = st.integers(1, 2**63 - 1)
# Half surrogates too: JSON can bring them in, and they have no encoding.
texts = st.text(st.characters(exclude_categories=()))


@pytest.fixture(autouse=True)
def lifetime(settings):
    settings.SALE_TOKEN_SECONDS = 120


@contextmanager
def at(*moments):
    """The clock shows `moments` one after the other, and the last of them from then on."""
    shown = iter(moments)
    with patch("time.time", lambda: next(shown, moments[-1])):
        yield


def issued(**other):
    return sale_token_issue(**(FOR | other)).token


def refused(token, **other):
    """True when TokenRequired is the answer; any other error is the test's."""
    try:
        sale_token_verify(token, **(FOR | other))
    except TokenRequired:
        return True
    return False


def flipped(text):
    """Every text that differs from `text` in one bit of one of its characters."""
    for index, character in enumerate(text):
        for bit in range(8):
            yield text[:index] + chr(ord(character) ^ 1 << bit) + text[index + 1 :]


def test_a_token_is_good_for_its_user_and_sale_as_often_as_it_is_looked_at():
    token = issued()
    token_id = sale_token_verify(token, **FOR)
    assert re.fullmatch("[0-9a-f]{32}", token_id)
    assert sale_token_verify(token, **FOR) == token_id


def test_each_token_has_an_id_of_its_own():
    assert len({sale_token_verify(issued(), **FOR) for _ in range(100)}) == 100


def test_tokens_of_one_picture_have_its_id_whoever_got_them():
    token_id = "0123456789abcdef" * 2
    mine, yours = issued(token_id=token_id), issued(user_id=8, token_id=token_id)
    assert mine != yours
    assert sale_token_verify(mine, **FOR) == token_id
    assert sale_token_verify(yours, user_id=8, sale_id=SALE) == token_id
    assert refused(yours)


def test_a_token_is_short_and_does_not_say_whose_it_is():
    token = issued(user_id=2**63 - 1, sale_id=2**63 - 1)
    assert len(token) == 83
    assert "9223372036854775807" not in token


@given(ids, ids, ids, ids)
@example(USER, SALE, 8, SALE)
@example(USER, SALE, USER, 43)
@example(1, 23, 12, 3)
@example(1, 2, 2, 1)
def test_a_token_is_not_good_for_another_user_or_sale(user_id, sale_id, other_user, other_sale):
    assume((user_id, sale_id) != (other_user, other_sale))
    token = issued(user_id=user_id, sale_id=sale_id)
    assert not refused(token, user_id=user_id, sale_id=sale_id)
    for text in (token, f"{sale_id}:{token}", f"{user_id}:{sale_id}:{token}"):
        assert refused(text, user_id=other_user, sale_id=other_sale)


def test_a_token_is_good_until_it_expires_and_not_after():
    with at(NOW):
        token = sale_token_issue(**FOR)
    assert token.expires_at == datetime.fromtimestamp(NOW + 120, tz=UTC)
    with at(NOW + 120):
        assert not refused(token.token)
    with at(NOW + 120.001):
        assert refused(token.token)


def test_a_token_lives_as_long_as_it_says_when_a_second_ends_while_it_is_made():
    with at(NOW + 0.999, NOW + 1.001):
        token = sale_token_issue(**FOR)
    assert token.expires_at == datetime.fromtimestamp(NOW + 120, tz=UTC)
    with at(NOW + 120):
        assert not refused(token.token)
    with at(NOW + 121.001):
        assert refused(token.token)


def test_the_lifetime_is_a_setting(settings):
    settings.SALE_TOKEN_SECONDS = 5
    with at(NOW):
        token = sale_token_issue(**FOR)
    assert token.expires_at == datetime.fromtimestamp(NOW + 5, tz=UTC)
    with at(NOW + 5.001):
        assert refused(token.token)


def test_a_flipped_bit_anywhere_is_refused():
    token = issued()
    assert [text for text in flipped(token) if not refused(text)] == []
    assert not refused(token)


def test_a_token_that_was_cut_is_refused():
    token = issued()
    assert [text for end in range(len(token)) if not refused(text := token[:end])] == []
    assert [text for start in range(1, 83) if not refused(text := token[start:])] == []


def test_parts_of_two_good_tokens_make_no_third():
    with at(NOW):
        first = issued().split(":")
    with at(NOW + 1):
        second = issued().split(":")
        for part in range(3):
            mixed = [*first[:part], second[part], *first[part + 1 :]]
            assert refused(":".join(mixed))
        assert not refused(":".join(first))


@pytest.mark.parametrize(
    "wrong",
    [None, "", ":", "::", ":" * 83, "\0" * 83, "0" * 83, "令牌", "\ud800", "x" * 10_000_000],
    ids=lambda wrong: repr(wrong)[:12],
)
def test_what_is_no_token_is_refused(wrong):
    assert refused(wrong)


@pytest.mark.parametrize("before", ["", " ", "\0", "0", ":", f"{USER}:{SALE}:"])
@pytest.mark.parametrize("after", ["", " ", "\n", "\0", "=", ":", "x" * 1000])
def test_what_stands_around_a_token_spoils_it(before, after):
    assert refused(f"{before}{issued()}{after}") == bool(before or after)


@given(texts)
def test_no_text_is_anything_but_refused(text):
    assert refused(text)


@given(st.integers(0, 83), st.integers(0, 83), texts)
def test_a_token_with_any_text_in_any_place_is_refused(start, end, text):
    token = issued()
    changed = token[:start] + text + token[end:]
    assume(changed != token)
    assert refused(changed)


def test_signatures_that_are_not_of_a_token_are_refused(settings):
    value = f"{USER}:{SALE}:{'0' * 32}"
    salts = {
        "without a time": Signer(salt=tokens.SALT),
        "for another purpose": TimestampSigner(salt="goods.sales"),
        "with another key": TimestampSigner(salt=tokens.SALT, key=settings.SECRET_KEY + "x"),
        "with another hash": TimestampSigner(salt=tokens.SALT, algorithm="sha1"),
    }
    accepted = [
        name
        for name, signer in salts.items()
        if not refused(signer.sign(value).removeprefix(f"{USER}:{SALE}:"))
    ]
    assert accepted == []
    assert refused(captcha_of("34ACD").captcha_id)


def test_tokens_outlive_a_change_of_the_secret_as_long_as_the_old_one_is_kept(settings):
    settings.SECRET_KEY = KEY
    token = issued()
    token_id = sale_token_verify(token, **FOR)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [KEY]
    assert sale_token_verify(token, **FOR) == token_id
    settings.SECRET_KEY_FALLBACKS = []
    assert refused(token)


def test_processes_with_one_secret_accept_each_others_tokens(settings):
    settings.SECRET_KEY = KEY
    mine = issued()
    code = f"""
from goods.sales.tokens import sale_token_issue, sale_token_verify
print(sale_token_verify({mine!r}, user_id={USER}, sale_id={SALE}))
theirs = sale_token_issue(user_id={USER}, sale_id={SALE}).token
print(theirs, sale_token_verify(theirs, user_id={USER}, sale_id={SALE}))
"""
    my_id, theirs, their_id = run_python(code, SECRET_KEY=KEY).stdout.split()
    assert my_id == sale_token_verify(mine, **FOR)
    assert sale_token_verify(theirs, **FOR) == their_id
    settings.SECRET_KEY = NEW_KEY
    assert refused(theirs)
