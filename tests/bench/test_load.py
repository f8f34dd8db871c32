"""What the load generator leaves behind, read back."""

import json
from pathlib import Path

from bench.load import Answers, Grabs, answers, checkout


def test_a_result_is_read_with_the_codes_that_came() -> None:
    text = json.dumps(
        {
            "seconds": 10.5,
            "p50_ms": 4.25,
            "p99_ms": 11.0,
            "max_ms": 20.125,
            "counts": {"503 busy": 2, "201": 1_000, "socket read": 0},
        }
    )

    assert answers(text) == Answers(
        counts={"201": 1_000, "503 busy": 2},
        seconds=10.5,
        p50_ms=4.25,
        p99_ms=11.0,
        max_ms=20.125,
    )


def test_a_limited_run_has_counts_and_no_times() -> None:
    assert answers('{"counts": {"201": 100, "409 sold_out": 300}}') == Answers(
        counts={"201": 100, "409 sold_out": 300}
    )


def test_busy_is_an_error_and_not_broken() -> None:
    seen = Answers(counts={"201": 10, "503 busy": 3})

    assert seen.other_than("201") == 3
    assert seen.broken == 0


def test_any_other_5xx_and_a_missing_answer_are_broken() -> None:
    seen = Answers(
        counts={
            "201": 10,
            "409 sold_out": 7,
            "500 unknown": 1,
            "503 unavailable": 2,
            "socket read": 4,
        }
    )

    assert seen.broken == 7
    assert seen.other_than("201", "409 sold_out") == 7
    assert seen.count("201", "409 sold_out") == 17


def test_requests_without_an_answer_are_broken() -> None:
    seen = Answers(counts={"201": 90, "409 sold_out": 300, "socket timeout": 4}, seconds=120.0)

    assert seen.out_of(390) == seen
    assert seen.out_of(400).broken == 14


def test_acknowledged_numbers_are_read_with_the_time_of_a_paced_run(tmp_path: Path) -> None:
    file = tmp_path / "acknowledged"
    bought = checkout(tmp_path / "shoppers", sku_id=7, run="a", acknowledged=file)
    assert bought.numbers() == []

    file.write_text("123 1700000000.250000\n124 1700000001.000000\n")

    assert bought.numbers() == ["123", "124"]
    assert bought.answered_at() == {"123": 1_700_000_000.25, "124": 1_700_000_001.0}


def test_grabs_are_read_with_whose_turn_it_was_and_what_they_got(tmp_path: Path) -> None:
    file = tmp_path / "acknowledged"
    grabs = Grabs(tmp_path / "shoppers", tmp_path / "paths", "late-run", file, clicks=2)
    assert grabs.got() == []

    file.write_text("early-run-1 7\nlate-run-2 pending\nlate-run-3 120\n")

    assert grabs.got() == [("early-run", 0, 7), ("late-run", 0, None), ("late-run", 1, 120)]


def test_the_first_grab_goes_to_the_first_packet(tmp_path: Path) -> None:
    paths = tmp_path / "paths"
    paths.write_text("/one/grab\n/other/grab\n")

    assert Grabs(tmp_path / "shoppers", paths, "run", tmp_path / "acknowledged").path == "/one/grab"


def test_a_run_ends_as_long_after_its_start_as_it_took() -> None:
    assert Answers(counts={"202": 5, "201": 2}, seconds=2.5, started_at=100.0).ended_at == 102.5
    assert Answers(counts={"202": 5, "201": 2, "409 sold_out": 1}).accepted == 7
    assert Answers(counts={"200": 4, "202": 5, "409 already_grabbed": 1}).accepted == 9
