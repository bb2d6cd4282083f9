"""The doctor finds what is wrong, says what to do about it, and tells CI."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest
import torch

from cimg import doctor, trial
from cimg.doctor import Finding

PARTS = ("reading", "running", "exercises")


def grades(findings):
    return [finding.grade for finding in findings]


def test_packages():
    versions = {"numpy": "2.4.6", "torch": "2.13.0+cpu"}

    def installed(name):
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    assert grades(doctor.check_packages(["numpy>=2.0", "torch>=2.9"], installed)) == ["good"] * 2
    [old] = doctor.check_packages(["numpy>=3"], installed)
    assert old == Finding("bad", "numpy 2.4.6, but >=3 is needed", doctor.SET_UP)
    [missing] = doctor.check_packages(["pyro-ppl>=1.9"], installed)
    assert missing.grade == "bad" and "pyro-ppl isn't installed" in missing.what
    assert doctor.check_packages(['pgmpy>=1; extra == "interop"'], installed) == []


def test_packages_of_the_installed_course_are_known(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["torch>=2.9"])
    [found] = doctor.check_packages()
    assert found.grade == "good" and found.what.startswith("torch 2")

    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", not_installed)
    [itself] = doctor.check_packages()
    assert itself.grade == "bad" and itself.advice == "pip install -e ."


@pytest.mark.parametrize(
    "check, fine, poor, grade, word",
    [
        (doctor.check_python, (3, 11, 0), (3, 10, 12), "bad", "3.11 to 3.14"),
        (doctor.check_python, (3, 14, 9), (3, 15, 0), "slow", "3.11 to 3.14"),
        (doctor.check_cores, 2, 1, "slow", "1 core"),
        (doctor.check_kernel, {"python3": "x"}, {"ir": "x"}, "bad", "only ['ir']"),
    ],
)
def test_each_check_finds_what_is_wrong(check, fine, poor, grade, word):
    assert grades(check(fine)) == ["good"]
    [finding] = check(poor)
    assert finding.grade == grade and word in finding.what and finding.advice


@pytest.mark.parametrize("for_cards, enough", [(False, 1.5), (True, 2.0)])
def test_memory(for_cards, enough):
    assert grades(doctor.check_memory(enough, for_cards)) == ["good"]
    [finding] = doctor.check_memory(enough - 0.1, for_cards)
    assert finding.grade == "bad" and finding.advice
    assert finding.what == f"{enough - 0.1:.1f} GB of memory free; a notebook may take {enough} GB"


def test_a_build_for_cards_without_a_card_is_worth_a_word():
    [finding] = doctor.check_build(for_cards=True, card=False)
    assert finding.grade == "slow" and "CPU build" in finding.advice
    for fine in ((True, True), (False, True), (False, False)):
        assert doctor.check_build(*fine) == []


def test_the_build_of_this_environments_pytorch_is_told_from_its_files(monkeypatch):
    assert trial.built_for_cards() == (torch.version.cuda is not None)
    monkeypatch.setattr(trial, "find_spec", lambda name: None)
    assert not trial.built_for_cards()


@pytest.mark.parametrize("name", ["libtorch_cuda.so", "torch_cuda.dll"])
def test_a_build_for_cards_is_known_by_its_library(name, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    here = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(trial, "find_spec", lambda name: here)
    assert not trial.built_for_cards()
    (tmp_path / "lib" / name).touch()
    assert trial.built_for_cards()


def test_widgets(tmp_path):
    assert grades(doctor.check_widgets(tmp_path)) == ["bad"]
    (tmp_path / doctor.WIDGETS).parent.mkdir(parents=True)
    (tmp_path / doctor.WIDGETS).write_text("{}")
    assert grades(doctor.check_widgets(tmp_path)) == ["good"]


def test_kernel_and_widgets_of_this_environment_are_there():
    """The places that are looked in are the right ones: the environment of the tests has both."""
    assert grades(doctor.check_kernel() + doctor.check_widgets()) == ["good", "good"]


def test_writing(tmp_path, monkeypatch):
    assert grades(doctor.check_writing([tmp_path, tmp_path])) == ["good"]
    assert list(tmp_path.iterdir()) == []
    [missing] = doctor.check_writing([tmp_path / "nowhere"])
    assert missing.grade == "bad" and "nowhere" in missing.what and missing.advice
    with monkeypatch.context() as patch:  # as where the package is installed without the course
        patch.setattr(doctor, "ROOT", tmp_path / "site-packages")
        patch.chdir(tmp_path)
        [here] = doctor.check_writing()
        assert here == Finding("good", f"can write in {tmp_path.name}/")

    def refused(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    [finding] = doctor.check_writing([tmp_path])
    assert finding.grade == "bad" and "Permission denied" in finding.what


def test_what_cannot_be_loaded_is_reported_and_not_raised():
    def broken():
        raise ValueError("row 3 is torn")

    assert grades(doctor.check_loads("it", lambda: None, "x")) == ["good"]
    [finding] = doctor.check_loads("it", broken, "mend it")
    assert finding == Finding("bad", "it can't be loaded: ValueError: row 3 is torn", "mend it")


def test_the_course_loads():
    trial.load_world()
    trial.load_sprites()
    trial.load_weights()


def test_rendering_and_training_are_timed():
    assert trial.rendering_rate(seconds=0.05) > 1000
    assert trial.training_rate(seconds=0.05) > 0.05


def test_a_rate_counts_work_and_not_the_first_turn(monkeypatch):
    clock, turns = iter(range(100)), []
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(clock))
    assert (
        trial.rate(lambda: turns.append(1) or 7, seconds=3) == 2 * 7 / 3
    )  # begins at 0, ends at 3
    assert len(turns) == 3


@pytest.mark.parametrize(
    "rate, grade, said",
    [
        (25_000, "good", "25,000 scenes per second"),
        (24_999, "slow", "24,999 scenes per second"),
        (0.25, "slow", "0.2 scenes per second"),
    ],
)
def test_speed(rate, grade, said):
    [finding] = doctor.check_speed(rate, 250_000, "scenes")
    assert (finding.grade, finding.what) == (grade, said)
    assert bool(finding.advice) == (grade == "slow")


def test_browser():
    def none():
        raise doctor.webbrowser.Error("could not locate runnable browser")

    assert grades(doctor.check_browser(lambda: None)) == ["good"]
    [finding] = doctor.check_browser(none)
    assert finding.grade == "slow" and "no browser" in finding.what and finding.advice


def test_the_slower_of_rendering_and_training_sets_the_pace(monkeypatch):
    monkeypatch.setattr(doctor, "stated_minutes", lambda: [dict.fromkeys(PARTS, 10)])
    monkeypatch.setattr(trial, "rendering_rate", lambda: doctor.SCENES_PER_SECOND / 2)
    monkeypatch.setattr(trial, "training_rate", lambda: doctor.STEPS_PER_SECOND / 3)
    rendering, training, course = doctor.check_pace()
    assert "scenes rendered" in rendering.what and "steps of training" in training.what
    assert "30 running" in course.what
    monkeypatch.setattr(trial, "rendering_rate", lambda: doctor.SCENES_PER_SECOND / 4)
    assert "40 running" in doctor.check_pace()[-1].what

    def broken():
        raise RuntimeError("no memory")

    monkeypatch.setattr(trial, "training_rate", broken)
    assert grades(doctor.check_pace()) == ["good", "bad"]
    assert "no steps of training: RuntimeError: no memory" in doctor.check_pace()[-1].what


def test_course_time(tmp_path):
    minutes = [{"reading": 20, "running": 2, "exercises": 10}] * 2
    [here] = doctor.course_time(minutes, 1.0)
    assert here.what == "2 notebooks: about 1 h 4 min (40 reading, 20 exercises, 4 running)"
    [slower] = doctor.course_time(minutes, 4.0)
    assert "about 1 h 16 min" in slower.what and "16 running" in slower.what
    [faster] = doctor.course_time(minutes, 0.1)
    assert faster == here
    assert grades(doctor.course_time([], 1.0)) == ["slow"]
    for name, metadata in (("00", {"cimg": {"minutes": minutes[0]}}), ("mine", {})):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": [], "metadata": metadata}))
    for name, damaged in (("cut", '{"cells": ['), ("empty", ""), ("list", "[]"), ("bare", "{}")):
        (tmp_path / f"{name}.ipynb").write_text(damaged)
    assert doctor.stated_minutes(tmp_path) == minutes[:1]


@pytest.mark.parametrize("grade, code", [("good", 0), ("slow", 0), ("bad", 1)])
def test_exit_code(grade, code, monkeypatch, capsys):
    finding = Finding(grade, "the thing", "do this" if code else "")
    monkeypatch.setattr(doctor, "examine", lambda: [("Group", [finding])])
    assert doctor.main() == code
    said = capsys.readouterr().out
    assert f"{doctor.MARKS[grade]} the thing" in said and "Group" in said
    assert ("→ do this" in said) == bool(code)


def test_all_of_it_runs_as_a_command(tmp_path):
    """On this machine, whatever its state: every group is printed, and nothing raises."""
    ran = subprocess.run(
        [sys.executable, "-m", "cimg.doctor"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=doctor.ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert ran.returncode in (0, 1) and ran.stderr == ""
    for group in (
        "Python and packages",
        "JupyterLab",
        "This machine",
        "The course's files",
        "Speed",
    ):
        assert f"\n{group}" in ran.stdout
    ready = "This machine is ready." in ran.stdout
    assert ready == (ran.returncode == 0) != ("✗" in ran.stdout)


def test_the_doctor_needs_nothing_that_could_be_missing():
    """Where setting up has failed: Python alone, without the environment's packages."""
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "cimg.doctor"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=doctor.ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": ""},
    )
    assert ran.returncode == 1 and ran.stderr == ""
    for name in ("packaging", "jupyter_client", "psutil"):
        assert f"✗ {name} isn't installed" in ran.stdout
    assert "Speed" in ran.stdout and "to mend" in ran.stdout
