"""What the load generator leaves behind, read back."""

import json

from bench.load import Answers, answers


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
