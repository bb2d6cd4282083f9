"""The benchmark runner: its table, its targets, and that one broken benchmark loses no others; and
that README shows what was measured."""

import importlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cimg.files import put_between
from cimg.query import probability
from tests.benchmarks import clock, kept

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
        ({"main": "yes"}, "'main' should be bool"),
        ({"peers": {"x": {"value": 1}}}, "x: expected .*least"),
        ({"peers": {"x": {"value": 1, "least": 3, "median": 2, "most": 4}}}, "in order"),
    ],
)
def test_a_bad_row_is_refused(change, message):
    assert rows.check_row(dict(ROW), "x") == ROW
    with pytest.raises((TypeError, ValueError), match=message):
        rows.check_row(ROW | change, "x")


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
    (row,) = written["rows"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", row.pop("date"))
    assert row == {"module": "good", **ROW} and written["machine"]["cores"] >= 1


def test_one_run_measures_everything_and_names_choose(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(bench, "OUT", tmp_path / "bench.json")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "measure_apart", lambda name: asked.append(name) or [ROW])
    assert bench.main(["setup"]) == 0 and asked == ["bench_setup"]
    assert bench.main([]) == 0
    assert asked[1:] == sorted(path.stem for path in bench.HERE.glob("bench_*.py"))


def test_the_set_up_is_that_of_make():
    """The commands that are measured, in the Makefile's words."""
    setup = importlib.import_module("tests.benchmarks.bench_setup")
    made = [" ".join(command[1:]) for command in setup.commands(Path("venv"))]
    makefile = (Path(kept.ROOT) / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"\$\(PY\) (-m pip install .*)", makefile[makefile.index("$(STAMP): req") :])
    assert made == ["-m venv venv", *lines]


# --- the clock ------------------------------------------------------------------------------------


def test_turns(monkeypatch):
    """Works take turns, the first turn isn't counted, loops are divided by."""
    called, now = [], iter(range(1000))
    monkeypatch.setattr(clock, "perf_counter", lambda: next(now))
    one, other = lambda: called.append(1), lambda: called.append(2)
    taken = clock.turns(one, other, repeat=2, loops=(1, 3))
    assert called == [1, 2, 2, 2] * 3
    assert taken == [[1, 1], [1 / 3, 1 / 3]]


def test_rows_of_times_and_of_rates():
    slow = clock.milliseconds("x", [0.001, 0.002, 0.004], "≤ 5", True, a_peer=[0.004, 0.004, 0.004])
    assert (slow["value"], slow["unit"], slow["spread"]) == (2, "ms", "1 to 4")
    assert slow["peers"]["a peer"] == {"value": 4, "least": 1, "median": 2, "most": 4}
    fast = clock.rate("x", 100, [1, 2, 1], peer=(10, [1, 1, 1]))
    assert (fast["value"], fast["unit"]) == (100, "/s") and "main" not in fast
    assert fast["peers"]["peer"] == {"value": 10, "least": 5, "median": 10, "most": 10}
    for row in (slow, fast):
        assert rows.check_row(row, "x") is row


# --- what is kept ---------------------------------------------------------------------------------

DAY = "2026-01-31"
MACHINE = {"processor": "x86_64", "cores": 2, "memory": "24 GiB",
           "system": "Linux", "python": "3.11.7", "torch": "2.13.0"}  # fmt: skip


def result(*modules: str, date: str = DAY, **machine: str) -> dict:
    rows = [{"module": m, "date": date, **ROW, "main": True} for m in modules]
    return {"machine": MACHINE | machine, "rows": rows}


def test_rows_of_a_module_are_replaced_if_the_machine_is_the_same():
    new = result("b", "c", date="2026-02-01")
    both = kept.merged(result("a", "b", "b"), new)
    assert [row["module"] for row in both["rows"]] == ["a", "b", "c"]
    assert [row["date"] for row in both["rows"]] == [DAY, "2026-02-01", "2026-02-01"]
    assert "Measured on 2026-01-31 to 2026-02-01: " in kept.table(both)
    assert "Measured on 2026-02-01: " in kept.table(new)
    assert kept.merged({}, new) == new
    with pytest.raises(SystemExit, match="of another machine"):
        kept.merged(result("a"), result("b", cores=4))
    assert kept.merged(result("b"), result("b", cores=4)) == result("b", cores=4)


def test_the_table_of_readme():
    fast = clock.rate("scenes", 100, [1, 2, 1], main=True, Pillow=(10, [1, 1, 1]))
    measured = [ROW, fast, ROW | {"main": True, "note": "so"}]
    told = {"machine": MACHINE, "rows": [row | {"date": DAY} for row in measured]}
    *_, first, second = kept.table(told).splitlines()
    assert first == "| scenes | 100/s (50 to 100) | Pillow 10/s: 10 times (5 to 10) |"
    assert second == "| import | 1.5 s | so |"
    assert "2026-01-31: 2 cores (x86_64), 24 GiB of memory, Linux, Python 3.11.7" in kept.table(
        told
    )


def test_readme_shows_what_was_measured():
    """Its table is that of docs/bench.json, which has rows of every module; so has the plot."""
    readme = kept.README.read_text(encoding="utf-8")
    assert kept.KEPT.is_file(), "not measured yet: make bench ARGS=--keep"
    measured = kept.read()
    assert put_between(readme, kept.START, kept.END, kept.table(measured)) == readme
    for row in measured["rows"]:
        assert row["module"]
        rows.check_row({k: x for k, x in row.items() if k not in ("module", "date")}, row["module"])
    modules = {path.stem.removeprefix("bench_") for path in bench.HERE.glob("bench_*.py")}
    assert {row["module"] for row in measured["rows"]} == modules
    largest = [
        row for row in measured["rows"] if re.match(r"munin \(|grid of treewidth 12", row["what"])
    ]
    assert len(largest) == 4 and all(
        row["value"] < 100 for row in largest
    )  # as README says below it
    with Image.open(kept.PLOT) as image:
        assert image.format == "PNG" and image.width > 800
    assert re.search(r"!\[[^\]]{80,}\]\(docs/bench-growth\.png\)", readme)


def test_grids_have_the_treewidth_that_they_are_made_for():
    """And exact answers on them agree with the sum over everything."""
    growth = importlib.import_module("tests.benchmarks.bench_growth")
    world = growth.grid(2, 3)
    assert list(world.variables) == [f"x{i}_{j}" for i in range(3) for j in range(2)]
    assert world.variables["x2_1"].parents == ("x1_1", "x2_0")
    whole = np.ones(())
    for i, v in enumerate(world.variables.values()):
        axes = [list(world.variables).index(name) for name in (*v.parents, v.name)]
        shape = [2 if k in axes else 1 for k in range(i + 1)]
        whole = whole[..., None] * v.cpt.numpy().reshape(shape)
    given = whole[1].sum((0, 1, 2, 3))
    found = probability(world, "x2_1", {"x0_0": "yes"})
    assert np.allclose(found, given / given.sum(), atol=1e-9)
