"""The benchmark runner: its table, its targets, and that one broken benchmark loses no others."""

import importlib
import json
from types import SimpleNamespace

import pytest

bench = importlib.import_module("tests.benchmarks.__main__")
rows = importlib.import_module("tests.benchmarks.rows")
ROW = {"what": "import", "value": 1.5, "unit": "s", "target": "≤ 2"}


@pytest.mark.parametrize(
    "value, target, is_met",
    [
        (2, "≤ 2", True),
        (2.1, "≤ 2", False),
        (5e4, "≥ 50,000", True),
        (1, "≥ 1.5", False),
        (1, "", None),
    ],
)
def test_targets(value, target, is_met):
    assert rows.met(value, target) is is_met


@pytest.mark.parametrize(
    "change, message",
    [
        ({"what": None}, "'what'"),
        ({"value": "1"}, "'value'"),
        ({"more": 1}, "unknown keys"),
        ({"target": "2"}, "should read like"),
        ({"target": "< 2"}, "should read like"),
    ],
)
def test_a_bad_row_is_refused(change, message):
    assert rows.check_row(dict(ROW), "x") == ROW
    with pytest.raises((TypeError, ValueError), match=message):
        rows.check_row(ROW | change, "x")


def test_a_time_may_be_a_tuple():
    row = {"what": "import", "value": 1.5, "unit": "s"}
    assert rows.check_row(("import", 1.5, None), "x") == row
    short = rows.check_row(("import", 1.5, 0.00015), "x")
    assert rows.met(0.00015, short["target"]) and not rows.met(0.00016, short["target"])


def test_table():
    scenes = {"what": "scenes", "value": 1234567.8, "unit": "/s", "target": "≥ 2,000,000"}
    lines = bench.table([ROW, scenes]).splitlines()
    assert lines[2].split() == ["import", "1.5", "s", "≤", "2", "met"]
    assert lines[3].split() == ["scenes", "1,234,568", "/s", "≥", "2,000,000", "missed"]


def test_main_writes_all_rows_and_fails_if_one_breaks(monkeypatch, tmp_path, capsys):
    for name in ("bench_good.py", "bench_bad.py"):
        (tmp_path / name).write_text("")

    def load(name):
        measured = [ROW] if name.endswith("good") else [{"what": "no value"}]
        return SimpleNamespace(measure=lambda: measured)

    monkeypatch.setattr(bench, "HERE", tmp_path)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "OUT", tmp_path / "build" / "bench.json")
    monkeypatch.setattr(rows.importlib, "import_module", load)
    monkeypatch.setattr(bench, "measure_apart", rows.measure_here)
    assert bench.main(["good"]) == 0
    assert bench.main(["nothing-of-that-name"]) == 1
    assert bench.main([]) == 1
    assert "Broke down: bench_bad" in capsys.readouterr().out
    written = json.loads((tmp_path / "build" / "bench.json").read_text(encoding="utf-8"))
    assert written["rows"] == [{"module": "good", **ROW}] and written["machine"]["cores"] >= 1
