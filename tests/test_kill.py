"""Kills at random moments, a full disk, a closed folder; `make fuzz` does that more often."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks after torch has run")

ROOT = Path(__file__).resolve().parent.parent
JOBS = ("training", "checkpointing", "exporting", "saving", "building", "copying")


@pytest.fixture(scope="module")
def said() -> str:
    """All jobs in one process of its own: torch's threads wouldn't survive a fork in this one."""
    run = [sys.executable, "-m", "tests.fuzz", "--seed", "1", "--kills", "2", *JOBS, "disk"]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("job", JOBS)
def test_a_kill_loses_nothing_and_the_next_run_goes_on(job, said):
    assert f"{job}: killed 2 times, 0 faults" in said, said


def test_a_full_disk_and_a_closed_folder(said):
    assert "limits and permissions, 0 faults" in said, said
    assert said.endswith("No faults.\n")


CARELESS = """
from tests.fuzz import kills

def work(folder):
    for i in range(60):
        (folder / "a").write_text("new" * 100_000)   # in place, and over what was there

def lose(folder):
    (folder / "a").unlink()
    for i in range(3 * 10**6):
        pass
    (folder / "a").write_text("new")

def prepare(folder):
    (folder / "a").write_text("old")

for job in (work, lose):
    print(kills.kill_often(kills.Job(prepare, job, kills.old_or_new), 12)[1])
"""


def test_a_careless_job_is_found_out():
    ran = subprocess.run(
        [sys.executable, "-c", CARELESS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    in_place, gone = ran.stdout.splitlines()
    assert "a is neither the old nor the new one" in in_place, ran.stderr
    assert "a is lost" in gone
