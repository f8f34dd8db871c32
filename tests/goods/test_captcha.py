"""A picture is solved by who reads it, in time, and earns one token id, however often.

None of these tests may use the database.
"""

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from unittest.mock import patch

import pytest
from django.core.signing import Signer, TimestampSigner
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image

from goods.sales import captcha
from goods.sales.captcha import ALPHABET, LENGTH, captcha_check, captcha_issue, captcha_of
from goods.sales.tokens import sale_token_issue, sale_token_verify
from shop.errors import CaptchaFailed
from tests.ops.processes import run_python

NOW = 1_790_000_000
ANSWER, OTHER = "3ACDE", "3ACDF"
KEY, NEW_KEY = "the key of today " * 4, "the key of tomorrow " * 4

answers = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)
# Half surrogates too: JSON can bring them in, and they have no encoding.
texts = st.text(st.characters(exclude_categories=()))


@pytest.fixture(autouse=True)
def lifetime(settings):
    settings.CAPTCHA_SECONDS = 180
    settings.SALE_TOKEN_SECONDS = 120


@pytest.fixture
def drawn(monkeypatch):
    """The answers that were drawn, in their order; drawing goes on as ever."""
    seen = []
    generate = captcha._painter.generate

    def spy(answer, **options):
        seen.append(answer)
        return generate(answer, **options)

    monkeypatch.setattr(captcha._painter, "generate", spy)
    return seen


@contextmanager
def at(moment):
    with patch("time.time", lambda: moment):
        yield


def id_of(answer):
    """The id of a picture of `answer`, which is not painted."""
    with patch.object(captcha, "_painted", lambda answer: ""):
        return captcha_of(answer).captcha_id


def failed(captcha_id, answer):
    """True when CaptchaFailed is the answer; any other error is the test's."""
    try:
        captcha_check(captcha_id=captcha_id, answer=answer)
    except CaptchaFailed:
        return True
    return False


def opened(image):
    head, _, data = image.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(data, validate=True)))


def flipped(text):
    """Every text that differs from `text` in one bit of one of its characters."""
    for index, character in enumerate(text):
        for bit in range(8):
            yield text[:index] + chr(ord(character) ^ 1 << bit) + text[index + 1 :]


def test_what_is_drawn_is_the_answer(drawn):
    picture = captcha_issue()
    [answer] = drawn
    token_id = captcha_check(captcha_id=picture.captcha_id, answer=answer)
    assert re.fullmatch("[0-9a-f]{32}", token_id)


def test_answers_are_five_characters_that_cannot_be_taken_for_each_other(drawn):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: captcha_issue(), range(200)))
    assert {len(answer) for answer in drawn} == {5}
    assert set("".join(drawn)) == set(ALPHABET)
    assert not set(ALPHABET) & set("0OQ1IL72Z5S6G8BV")
    assert len(set(drawn)) > 190


@pytest.mark.parametrize("character", ALPHABET)
def test_a_picture_is_small_and_shows_something_in_a_colour_that_can_be_read(character):
    picture = captcha_of(character * LENGTH)
    assert len(picture.image) < 20_000
    image = opened(picture.image)
    assert image.size == (200, 70)
    # The background is above 237. Dots and the line alone are a twentieth of the picture.
    histogram = image.convert("L").histogram()
    assert sum(histogram[:190]) / (200 * 70) > 0.08
    assert sum(histogram[225:]) / (200 * 70) > 0.4


def test_pictures_made_at_once_are_whole():
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(captcha_of, [ANSWER] * 80))
    for picture in pictures:
        opened(picture.image).load()
        assert not failed(picture.captcha_id, ANSWER)
    assert len({picture.image for picture in pictures}) == 80


@given(answers, st.lists(st.tuples(st.booleans(), st.sampled_from(["", " ", "\t\n", "\u3000"]))))
def test_case_and_white_space_of_an_answer_do_not_count(answer, changes):
    captcha_id = id_of(answer)
    typed = list(answer)
    for index, (lower, space) in enumerate(changes[:LENGTH]):
        typed[index] = space + (answer[index].lower() if lower else answer[index]) + space
    first = captcha_check(captcha_id=captcha_id, answer=answer)
    assert captcha_check(captcha_id=captcha_id, answer="".join(typed)) == first


@given(answers, answers)
@example(ANSWER, OTHER)
def test_another_answer_fails_and_leaves_the_right_one_good(answer, other):
    assume(answer != other)
    captcha_id = id_of(answer)
    assert failed(captcha_id, other)
    assert not failed(captcha_id, answer)


def test_one_picture_earns_one_token_id_whoever_solves_it_for_whatever_sale():
    captcha_id = id_of(ANSWER)
    earned = set()
    for user_id, sale_id, answer in [(1, 1, ANSWER), (1, 1, ANSWER.lower()), (2, 3, ANSWER)]:
        token_id = captcha_check(captcha_id=captcha_id, answer=answer)
        token = sale_token_issue(user_id=user_id, sale_id=sale_id, token_id=token_id).token
        earned.add(sale_token_verify(token, user_id=user_id, sale_id=sale_id))
    assert len(earned) == 1


def test_pictures_of_one_answer_are_as_different_as_any():
    with at(NOW):
        captcha_ids = [id_of(ANSWER) for _ in range(100)]
        token_ids = {captcha_check(captcha_id=each, answer=ANSWER) for each in captcha_ids}
    nonces, times, signatures = zip(*(each.split(":") for each in captcha_ids), strict=True)
    assert len(token_ids) == len(set(nonces)) == len(set(signatures)) == 100
    assert len(set(times)) == 1


def test_an_id_says_nothing_about_its_answer_to_who_lacks_the_secret(settings):
    settings.SECRET_KEY = KEY
    captcha_id = id_of(ANSWER)
    assert re.fullmatch("[0-9a-f]{32}:[0-9A-Za-z]{6}:[0-9A-Za-z_-]{43}", captcha_id)
    assert not failed(captcha_id, ANSWER)
    settings.SECRET_KEY = NEW_KEY
    assert failed(captcha_id, ANSWER)


def test_a_picture_can_be_solved_until_it_expires_and_not_after(settings):
    with at(NOW):
        captcha_id = id_of(ANSWER)
    with at(NOW + 180):
        assert not failed(captcha_id, ANSWER)
    with at(NOW + 180.001):
        assert failed(captcha_id, ANSWER)
    settings.CAPTCHA_SECONDS = 200
    with at(NOW + 180.001):
        assert not failed(captcha_id, ANSWER)


def test_a_flipped_bit_anywhere_in_the_id_fails():
    captcha_id = id_of(ANSWER)
    assert [text for text in flipped(captcha_id) if not failed(text, ANSWER)] == []
    assert not failed(captcha_id, ANSWER)


def test_an_id_that_was_cut_fails():
    captcha_id = id_of(ANSWER)
    assert [text for end in range(83) if not failed(text := captcha_id[:end], ANSWER)] == []
    assert [text for start in range(1, 83) if not failed(text := captcha_id[start:], ANSWER)] == []


def test_parts_of_two_good_ids_make_no_third():
    with at(NOW):
        first = id_of(ANSWER).split(":")
    with at(NOW + 1):
        second = id_of(ANSWER).split(":")
        for part in range(3):
            mixed = [*first[:part], second[part], *first[part + 1 :]]
            assert failed(":".join(mixed), ANSWER)
        assert not failed(":".join(first), ANSWER)


def test_nothing_moves_between_answer_and_id():
    captcha_id = id_of(ANSWER)
    nonce, _, rest = captcha_id.partition(":")
    assert failed(rest, f"{ANSWER}:{nonce}")
    assert failed(f"{ANSWER}:{captcha_id}", "")
    assert failed(f"{ANSWER[1:]}:{captcha_id}", ANSWER[:1])


@pytest.mark.parametrize("before", ["", " ", "\0", "0", ":"])
@pytest.mark.parametrize("after", ["", " ", "\n", "\0", "=", ":", "x" * 10_000_000])
def test_what_stands_around_an_id_spoils_it(before, after):
    assert failed(f"{before}{id_of(ANSWER)}{after}", ANSWER) == bool(before or after)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        " ",
        ANSWER[:4],
        ANSWER + "A",
        "3ACD\0",
        "3ACDÉ",
        "３ACDE",
        "3ACD\ud800",
        "A" * 10_000_000,
    ],
    ids=lambda answer: ascii(answer)[:12],
)
def test_what_no_picture_shows_is_wrong(answer):
    assert failed(id_of(ANSWER), answer)


@pytest.mark.parametrize(
    "captcha_id",
    [None, "", ":", "::", ":" * 83, "\0" * 83, "0" * 83, "图片", "\ud800", "x" * 10_000_000],
    ids=lambda captcha_id: ascii(captcha_id)[:12],
)
def test_what_is_no_id_fails(captcha_id):
    assert failed(captcha_id, ANSWER)


@given(texts, texts | answers)
@example("", "")
def test_no_id_and_answer_are_anything_but_wrong(captcha_id, answer):
    assert failed(captcha_id, answer)


@given(st.integers(0, 83), st.integers(0, 83), texts)
def test_an_id_with_any_text_in_any_place_fails(start, end, text):
    captcha_id = id_of(ANSWER)
    changed = captcha_id[:start] + text + captcha_id[end:]
    assume(changed != captcha_id)
    assert failed(changed, ANSWER)


@given(texts)
def test_any_text_but_the_answer_is_wrong(text):
    assume("".join(text.split()).upper() != ANSWER)
    assert failed(id_of(ANSWER), text)


def test_signatures_that_are_not_of_a_picture_fail(settings):
    value = f"{ANSWER}:{'0' * 32}"
    signers = {
        "without a time": Signer(salt=captcha.SALT),
        "for another purpose": TimestampSigner(salt="goods.sales"),
        "with another key": TimestampSigner(salt=captcha.SALT, key=settings.SECRET_KEY + "x"),
        "with another hash": TimestampSigner(salt=captcha.SALT, algorithm="sha1"),
    }
    accepted = [
        name
        for name, signer in signers.items()
        if not failed(signer.sign(value).removeprefix(f"{ANSWER}:"), ANSWER)
    ]
    assert accepted == []
    assert failed(sale_token_issue(user_id=1, sale_id=1).token, ANSWER)


def test_a_picture_earns_the_same_token_id_before_and_after_a_change_of_the_secret(settings):
    settings.SECRET_KEY = KEY
    captcha_id = id_of(ANSWER)
    token_id = captcha_check(captcha_id=captcha_id, answer=ANSWER)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [KEY]
    assert captcha_check(captcha_id=captcha_id, answer=ANSWER) == token_id
    settings.SECRET_KEY_FALLBACKS = []
    assert failed(captcha_id, ANSWER)


def test_processes_with_one_secret_accept_each_others_pictures(settings):
    settings.SECRET_KEY = KEY
    mine = id_of(ANSWER)
    code = f"""
from goods.sales.captcha import captcha_check, captcha_of
print(captcha_check(captcha_id={mine!r}, answer={ANSWER!r}))
theirs = captcha_of({ANSWER!r}).captcha_id
print(theirs, captcha_check(captcha_id=theirs, answer={ANSWER!r}))
"""
    my_token_id, theirs, their_token_id = run_python(code, SECRET_KEY=KEY).stdout.split()
    assert my_token_id == captcha_check(captcha_id=mine, answer=ANSWER)
    assert their_token_id == captcha_check(captcha_id=theirs, answer=ANSWER)
