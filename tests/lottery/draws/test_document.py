"""docs/draw.md: its example is computed again, and both programs agree with it."""

import json
import re

import pytest

from lottery import verify_draw
from lottery.draws.identity import QUICKNET
from lottery.draws.permutation import rounds_of
from lottery.draws.transcript import canonical
from lottery.verify_draw import OK, verify
from tests.lottery.draws import example
from tests.lottery.draws.facts import saved_of
from tests.ops.processes import ROOT

PAGE = (ROOT / "docs" / "draw.md").read_text()


def block(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def test_every_value_of_the_example_is_computed():
    written = dict(line.split(" = ", 1) for line in block("text").splitlines())
    assert written == example.values()


def test_the_examples_transcript_is_these_bytes():
    assert block("json").encode() == canonical(example.published())


def test_nothing_is_wrong_with_the_example():
    said = json.loads(block("json"))
    for entry in range(3):
        saved = saved_of(said, entry=entry)
        assert saved["receipt"] == example.values()[f"receipt {entry + 1}"]
        assert {step.verdict for step in verify(said, **saved)} == {OK}


def test_the_page_names_the_chain_that_counts_as_independent():
    for name in ("chain_hash", "public_key", "genesis", "period_seconds"):
        assert re.search(rf"^    {name} +{getattr(QUICKNET, name)}$", PAGE, re.MULTILINE)
        assert verify_draw.QUICKNET[name] == getattr(QUICKNET, name)


def test_the_pages_table_of_rounds_is_the_one_in_use():
    bits = re.search(r"^\| bits of N - 1 .*$", PAGE, re.MULTILINE)[0]
    rounds = re.search(r"^\| rounds r .*$", PAGE, re.MULTILINE)[0]
    table = {
        int(last): int(count)
        for last, count in zip(
            re.findall(r"- (\d+) \|", bits), re.findall(r"\| (\d+)", rounds), strict=True
        )
    }
    assert table == dict(verify_draw.ROUNDS)
    for last, count in table.items():
        assert rounds_of(min(2**last, 10**12)) == count


@pytest.mark.parametrize("name", [*verify_draw.TRANSCRIPT, *verify_draw.TERMS_OF["classic"]])
def test_the_page_explains_every_member(name):
    assert f"`{name}`" in PAGE or f"{{{name}" in PAGE
