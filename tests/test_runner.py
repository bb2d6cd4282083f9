"""`python -m tests` counts rightly, and fails when something did."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("runner", Path(__file__).parent / "__main__.py")
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
Count = runner.Count

REPORT = """<?xml version="1.0"?><testsuites>
<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>"""


def test_counts_are_read_from_the_report(tmp_path):
    (tmp_path / "r.xml").write_text(REPORT)
    assert runner.read_report(tmp_path / "r.xml") == Count(passed=4, failed=3, skipped=3)
    assert runner.read_report(tmp_path / "none.xml") == Count(failed=1)
    assert str(Count(1, 2, 3) + Count(1, 1, 1)) == "2 passed, 3 failed, 4 skipped"


@pytest.mark.parametrize(
    "stages, code, line",
    [
        ([(Count(3), 0), (Count(1), 0), (Count(2, 0, 1), 0)], 0, "6 passed, 0 failed, 1 skipped"),
        ([(Count(3, 1), 1), (Count(1), 0), (Count(2), 0)], 1, "6 passed, 1 failed, 0 skipped"),
        ([(Count(3), 0), (Count(0, 1), 1), (Count(2), 0)], 1, "5 passed, 1 failed, 0 skipped"),
        ([(Count(3), 0), (Count(), 5), (Count(2), 0)], 0, "5 passed, 0 failed, 0 skipped"),
        # pytest broke down; nothing was collected; all were skipped
        ([(Count(3), 0), (Count(), 5), (Count(2), 3)], 1, "5 passed, 1 failed, 0 skipped"),
        ([(Count(3), 0), (Count(), 5), (Count(0), 5)], 1, "3 passed, 1 failed, 0 skipped"),
        ([(Count(0, 0, 4), 0), (Count(), 5), (Count(), 0)], 1, "0 passed, 1 failed, 4 skipped"),
    ],
)
def test_the_last_line_and_the_exit_code(stages, code, line, monkeypatch, capsys):
    left = iter(stages)
    monkeypatch.setattr(runner, "run", lambda *_: next(left))
    monkeypatch.setattr(runner, "find_notebooks", lambda: ["notebooks/00-start-here.ipynb"])
    assert runner.main([]) == code
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_one_thread_a_worker_no_network_no_progress_bars():
    environment = runner.environment()
    assert environment["OMP_NUM_THREADS"] == "1" and environment["TQDM_DISABLE"] == "1"
    assert environment["PYTHONPATH"].startswith(str(runner.OFFLINE))


@pytest.mark.parametrize(
    "passed_on, tested, notebooks, rest",
    [
        (["-k", "sprites"], ["tests"], None, ["-k", "sprites"]),  # a folder, but no file
        (["tests/test_world.py"], ["tests/test_world.py"], [], []),
        (["-x", "tests/test_world.py::test_a"], ["tests/test_world.py::test_a"], [], ["-x"]),
        (["notebooks/00-start-here.ipynb"], [], ["notebooks/00-start-here.ipynb"], []),
    ],
)
def test_what_is_named_is_tested_and_nothing_else(passed_on, tested, notebooks, rest, monkeypatch):
    ran = {}
    monkeypatch.setattr(runner, "run", lambda *stage: ran.update([stage]) or (Count(1), 0))
    assert runner.main(passed_on) == 0
    for name, marked in ((runner.PACKAGE, "not timed"), (runner.TIMED, "timed")):
        if tested:
            assert ran[name][: len(tested) + 2] == [*tested, "-m", marked]
            assert ran[name][len(ran[name]) - len(rest) :] == rest
        else:
            assert name not in ran
    if notebooks is None:
        notebooks = runner.find_notebooks()
        assert len(notebooks) > 26
    expected = ["-p", "no:cacheprovider", *runner.NBVAL, *notebooks, *rest]
    assert ran.get("notebooks") == (expected if notebooks else None)
