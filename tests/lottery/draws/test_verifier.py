"""The verifier as a stranger meets it: a command, alone, that no text makes stumble."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import verify_draw
from lottery.draws.transcript import canonical
from lottery.verify_draw import NOT_CHECKED, OK, WRONG, Step, verify
from tests.lottery.draws.facts import (
    beacon_transcript,
    classic_transcript,
    local_transcript,
    saved_of,
)
from tests.ops.processes import ROOT

SAID = json.loads(canonical(beacon_transcript()))
CLASSIC = json.loads(canonical(classic_transcript()))

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**6000), 10**6000)
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["commit-beacon", "classic", "drand", "local"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Without the beacon's signature, which takes a quarter of a second each time."""
    monkeypatch.setattr(verify_draw, "HAS_BLS", False)


@pytest.fixture
def file(tmp_path):
    """Writes a transcript, or what claims to be one, and returns the file's name."""

    def write(text):
        path = tmp_path / "transcript.json"
        path.write_bytes(text)
        return str(path)

    return write


@given(anything)
def test_whatever_is_no_transcript_is_wrong(value):
    assert verify(value)[0].verdict == WRONG


@given(st.sampled_from([SAID, CLASSIC]), st.sampled_from(sorted(SAID)), anything)
def test_whatever_a_member_is_there_is_a_verdict(said, name, value):
    steps = verify({**said, name: value})
    assert {step.verdict for step in steps} <= {OK, WRONG, NOT_CHECKED}


@given(st.sampled_from([SAID, CLASSIC]), st.sampled_from(sorted(SAID["terms"])), anything)
def test_whatever_a_term_is_there_is_a_verdict(said, name, value):
    steps = verify({**said, "terms": {**said["terms"], name: value}})
    assert {step.verdict for step in steps} <= {OK, WRONG, NOT_CHECKED}


@given(st.lists(anything, max_size=6), st.integers(0, 40))
def test_whatever_an_entry_is_there_is_a_verdict(entry, place):
    entries = [*SAID["entries"][:place], entry, *SAID["entries"][place:]]
    assert verify({**SAID, "entries": entries})[0].verdict == WRONG


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", sorted(SAID))
def test_depth_and_size_are_no_trouble(name):
    for value in (nested(100_000), 10**10_000, "x" * 10**6, "\x1b[2J", [[]] * 10**5):
        steps = verify({**SAID, name: value})
        assert WRONG in {step.verdict for step in steps}
        assert all(len(step.line()) < 1_000 and step.line().isprintable() for step in steps)


@pytest.mark.parametrize(
    "saved",
    [
        {"commitment": ""},
        {"root": "\x1b[2J"},
        {"round": 10**10_000},
        {"round": -1},
        {"receipt": "x" * 10**6},
        {"number": 0},
    ],
)
def test_nonsense_that_was_saved_is_wrong(saved):
    steps = verify(SAID, **saved)
    assert [step.verdict for step in steps].count(WRONG) == 1
    assert all(len(step.line()) < 1_000 and step.line().isprintable() for step in steps)


def test_saved_hex_may_be_in_capitals_and_have_space_around():
    saved = saved_of(SAID)
    steps = verify(SAID, root=f" {saved['root'].upper()}\n", receipt=f"{saved['receipt'].upper()} ")
    assert WRONG not in {step.verdict for step in steps}


# --- the mathematics where no honest transcript leads


def test_a_word_that_would_favour_the_first_shares_is_drawn_again(monkeypatch):
    # 2^64 mod 3 is 1: the last word of all is one too many. The first digest is the key.
    digests = iter([b"key", b"\xff" * 32, b"\xff" * 24 + bytes(7) + b"\x05"])
    monkeypatch.setattr(verify_draw, "hmac_sha256", lambda key, message: next(digests))
    assert verify_draw.drawn_index(b"", bytes(32), 1, bytes(32), 3) == 2


# --- the command


def run(capsys, *arguments):
    code = verify_draw.main(arguments)
    printed = capsys.readouterr()
    assert printed.err == ""
    return code, printed.out.splitlines()


def options(saved):
    return [part for name, value in saved.items() for part in (f"--{name}", str(value))]


def test_a_good_transcript_has_a_line_a_step_and_exits_with_0(capsys, file):
    code, lines = run(capsys, file(canonical(SAID)), *options(saved_of(SAID)))
    assert code == 0
    assert [line.split(":")[0] for line in lines] == [
        "ok form",
        "ok commitment",
        "ok entries",
        "ok root",
        "ok round",
        "ok beacon's value",
        "NOT CHECKED",
        "ok index",
        "ok number",
        "ok winner",
        "ok saved commitment",
        "ok saved root",
        "ok saved round",
        "ok your receipt",
        "ok announced number",
        "14 ok, 0 WRONG, 1 NOT CHECKED.",
    ]
    assert lines[6].startswith("NOT CHECKED: beacon's signature: WHETHER THE BEACON SAID THIS")


def test_with_the_library_and_everything_saved_nothing_is_left_unchecked(capsys, file, monkeypatch):
    monkeypatch.setattr(verify_draw, "HAS_BLS", True)
    code, lines = run(capsys, file(canonical(SAID)), *options(saved_of(SAID)))
    assert (code, lines[-1]) == (0, "15 ok, 0 WRONG, 0 NOT CHECKED.")
    assert "ok beacon's signature: quicknet signed round 31799517" in lines


def test_a_wrong_transcript_exits_with_1(capsys, file):
    code, lines = run(capsys, file(canonical({**SAID, "number": 1_000_002})))
    assert code == 1
    assert lines[8] == "WRONG: number: the number is 1000761, the transcript says 1000002"
    assert lines[-1] == "8 ok, 1 WRONG, 5 NOT CHECKED."


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"<html>",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"version": 1, "version": 1}',
        b'{"version": NaN}',
        b'{"version": -Infinity}',
        b'{"version": 1e400}',
        b'{"version": ' + b"9" * 10_000 + b"}",
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        canonical(SAID) + b"{}",
        canonical(SAID)[:-1],
        canonical(SAID).replace(b'"version":1', b'"version":1.0'),
        canonical(SAID).replace(b'"version":1', b'"version":true'),
        canonical(SAID).replace(b'"number":', b'"number":1,"number":'),
        canonical(SAID).replace(b"points", b"\\ud800"),
    ],
)
def test_a_hostile_text_is_wrong_and_nothing_worse(capsys, file, text):
    code, lines = run(capsys, file(text))
    assert code == 1
    assert lines[0].startswith("WRONG: form: ")


def test_a_text_without_end_is_not_read_to_its_end(capsys, file, monkeypatch):
    monkeypatch.setattr(verify_draw, "MAX_BYTES", 1_000)
    code, lines = run(capsys, file(canonical(SAID)))
    assert (code, lines[0]) == (1, "WRONG: form: more than 1000 bytes")


def test_white_space_and_order_do_not_matter(capsys, file):
    text = json.dumps(dict(reversed(SAID.items())), indent=4).encode()
    assert run(capsys, file(text))[0] == 0


def test_where_there_is_nothing_to_read_it_exits_with_2(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for source in (
        str(tmp_path / "none.json"),
        str(tmp_path),
        f"http://127.0.0.1:{port}/proof",
        "http://[::1/",
        "http://127.0.0.1:port/ x",
        "\x00",
    ):
        code, lines = run(capsys, source)
        assert code == 2
        assert lines[0].startswith("NOT CHECKED: there is nothing to read: ")


@pytest.mark.parametrize("arguments", [[], ["x", "--round", "one"], ["x", "--seed", "00"]])
def test_a_command_that_is_none_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as left:
        verify_draw.main(arguments)
    assert left.value.code == 2


@pytest.fixture
def server():
    """Serves the transcript at /proof, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/proof" else 404)
            self.end_headers()
            self.wfile.write(canonical(local_transcript()))

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    served.server_close()
    thread.join()


def test_a_transcript_is_read_from_a_url(capsys, server):
    code, lines = run(capsys, f"{server}/proof")
    assert (code, lines[0]) == (0, "ok form: version 1, scheme commit-beacon")
    assert run(capsys, f"{server}/other")[0] == 2


def test_the_file_alone_is_enough_for_a_stranger(tmp_path):
    # Elsewhere, without the shop beside it, without any installed package, from standard input.
    shutil.copy(ROOT / "lottery" / "verify_draw.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify_draw.py", "-", *options(saved_of(SAID))],
        cwd=tmp_path,
        input=canonical(SAID),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == "14 ok, 0 WRONG, 1 NOT CHECKED."
    assert "pip install py_ecc" in lines[6]


def test_what_lies_beside_the_file_is_not_run(tmp_path):
    shutil.copy(ROOT / "lottery" / "verify_draw.py", tmp_path)
    for name in ("argparse", "json", "numbers", "hashlib", "py_ecc"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run')")
    done = subprocess.run(
        [sys.executable, "verify_draw.py", "-", *options(saved_of(SAID))],
        cwd=tmp_path,
        input=canonical(SAID),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"ok beacon's signature: quicknet signed round 31799517" in done.stdout


def test_a_terminal_that_knows_only_ascii_is_no_trouble(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "lottery" / "verify_draw.py", "-"],
        input=canonical(CLASSIC),
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u7b2c\\u4e00\\u671f" in done.stdout


def test_a_step_says_what_it_is():
    assert Step("root", OK, "fine").line() == "ok root: fine"
    assert Step("root", WRONG, "why").line() == "WRONG: root: why"
    assert Step("root", NOT_CHECKED, "why").line() == "NOT CHECKED: root: why"
