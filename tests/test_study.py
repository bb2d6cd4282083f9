"""Intervals, results that survive, settings that are checked."""

import json
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimg.study import (
    LARGEST,
    check_settings,
    interval,
    read_results,
    three_seeds,
    wilson,
    write_results,
)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_is_where_the_score_test_does_not_reject(k, n):
    """Its ends solve (share - p)^2 = z^2 p (1 - p) / n."""
    k = min(k, n)
    share = k / n
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1
    for p in (low, high):
        if 1e-9 < p < 1 - 1e-9:
            assert (share - p) ** 2 == pytest.approx(1.959964**2 * p * (1 - p) / n, rel=1e-6)


def test_three_seeds_and_student_s_t():
    """The quantile is that at which Student's distribution with two degrees of freedom, known in
    closed form, has 97.5 % below it."""
    mean, half = interval([1.0, 2.0, 3.0])
    t = half * math.sqrt(3)  # the standard deviation is 1
    assert mean == 2.0
    assert 0.5 + t / (2 * math.sqrt(2 + t * t)) == pytest.approx(0.975, abs=1e-7)
    assert interval([0.5] * 3) == (0.5, 0.0)
    for values in ([], [1.0], [1.0, 2.0], [1.0] * 4):
        with pytest.raises(ValueError, match=f"three seeds, found {len(values)}"):
            interval(values)


def test_three_seeds_in_words(tmp_path):
    write_results(tmp_path / "r.json", {"right": {"a": [92.0, 93.0, 94.0], "b": [1.0]}})
    assert three_seeds("r", "a", tmp_path) == "93.0 ± 2.5"
    with pytest.raises(ValueError, match="three seeds, found 1"):
        three_seeds("r", "b", tmp_path)


def test_results_come_back_and_rounding_is_asked_for(tmp_path):
    path = tmp_path / "deep" / "r.json"
    assert read_results(path) == {}
    write_results(path, {"runs": [1 / 3, 7, "a"]})
    assert read_results(path) == {"runs": [1 / 3, 7, "a"]}
    write_results(path, {"runs": [1 / 3, 7, "a"]}, digits=3)
    assert json.loads(path.read_text()) == {"runs": [0.333, 7, "a"]}
    assert [p.name for p in path.parent.iterdir()] == ["r.json"]


def test_results_that_cannot_be_written_leave_the_earlier_ones(tmp_path):
    path = tmp_path / "r.json"
    write_results(path, {"runs": [1]})
    with pytest.raises(TypeError):
        write_results(path, {"runs": [object()]})
    assert read_results(path) == {"runs": [1]}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"[1]", "expected an object, found list"),
        (b"{", "not JSON: Expecting"),
        (b"\xff", "not JSON: 'utf-8'"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
        (b" " * (LARGEST + 1), "cannot be read: larger than"),
    ],
)
def test_results_that_are_none(content, message, tmp_path):
    (path := tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"r.json: {message}"):
        read_results(path)


@dataclass(frozen=True)
class Some:
    steps: int = 3
    rate: float = 0.5
    kind: str = "a"

    def __post_init__(self):
        check_settings(self, {"steps": (1, 10), "kind": ("a", "b")}, usual=(0, 1))


@pytest.mark.parametrize(
    "given_, message",
    [
        ({"steps": 0}, "'steps': expected a whole number from 1 to 10, found 0"),
        ({"steps": 2.0}, "'steps': expected a whole number"),
        ({"steps": True}, "'steps': expected a whole number"),
        ({"rate": 1.5}, "'rate': expected a number from 0 to 1, found 1.5"),
        ({"rate": float("nan")}, "'rate': expected a number"),
        ({"rate": "fast"}, "'rate': expected a number from 0 to 1, found 'fast'"),
        ({"kind": "c"}, "'kind': expected one of a, b, found 'c'"),
        ({"kind": None}, "'kind': expected one of a, b"),
        ({"kind": ["a"]}, "'kind': expected one of a, b"),
        ({"kind": "c" * 100_000}, "'kind': expected one of a, b, found '.{1,400}$"),
    ],
)
def test_settings_out_of_range(given_, message):
    with pytest.raises(ValueError, match=message):
        Some(**given_)


def test_settings_in_range():
    assert Some(steps=10, rate=1, kind="b").rate == 1
