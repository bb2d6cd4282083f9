"""`make test`: the package's tests, then every notebook against its stored outputs, a summary.

Ends with one line, "N passed, N failed, N skipped", and exits non-zero unless all is well. Anything
after the command is passed on to pytest: `make test ARGS="-k sprites"`. Files that are named, of
tests or notebooks, are tested alone: `make test ARGS=tests/test_world.py`.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = ROOT / "tests" / "offline"
SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"
NBVAL = ("--nbval", "--nbval-cell-timeout=900", "--nbval-kernel-startup-timeout=300")
NBVAL += (f"--nbval-sanitize-with={SANITIZE}",)
MOST_WORKERS = 4  # each holds torch in memory
NO_TESTS = 5  # pytest's exit code where nothing was collected
PACKAGE = "package and house"  # many of these tests wait for browsers and servers: one more worker
TIMED = "what is timed"  # the stage of the tests marked so: alone, with no other test beside them


@dataclass(frozen=True)
class Count:
    """How many tests of a stage came out how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def environment() -> dict[str, str]:
    """Offline, one thread a worker, no progress bars in what notebooks print."""
    paths = [str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "CIMG_PICTURES": "",  # as stored, whatever form a reader has set
    }


def read_report(path: Path) -> Count:
    """The counts in a JUnit report; one failure if there is no report: pytest itself broke down."""
    if not path.exists():
        return Count(failed=1)
    suites = ElementTree.parse(path).getroot().iter("testsuite")
    total = Count()
    for suite in suites:
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed, skipped = number["failures"] + number["errors"], number["skipped"]
        total += Count(number["tests"] - failed - skipped, failed, skipped)
    return total


def run(name: str, arguments: list[str]) -> tuple[Count, int]:
    """One stage in pytest, its tests spread over the cores file by file, unless they are timed."""
    print(f"\n=== {name}", flush=True)
    report = ROOT / "build" / f"{name.replace(' ', '-')}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    cores = min(os.cpu_count() or 1, MOST_WORKERS)
    workers = {TIMED: 1, PACKAGE: cores + 1}.get(name, cores)
    spread = ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else []
    command = [sys.executable, "-m", "pytest", *spread, f"--junitxml={report}", *arguments]
    code = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    return read_report(report), code


def find_notebooks() -> list[str]:
    """Learner's and worked copies, the explorer's page, and the template."""
    folders = ("", "solutions/", "page/", "template/")
    found = [path for folder in folders for path in ROOT.glob(f"notebooks/{folder}*.ipynb")]
    return [str(path.relative_to(ROOT)) for path in sorted(found)]


def split(passed_on: list[str]) -> tuple[list[str], list[str], list[str]]:
    """What was passed on: files of tests (or one test, file::name), notebooks, and all else."""
    files = [a for a in passed_on if (ROOT / a.partition("::")[0]).is_file()]
    notebooks = [a for a in files if a.partition("::")[0].endswith(".ipynb")]
    tests = [a for a in files if a.partition("::")[0].endswith(".py")]
    return tests, notebooks, [a for a in passed_on if a not in tests + notebooks]


def stages(tests: list[str], notebooks: list[str]) -> list[tuple[str, list[str]]]:
    """Each stage with its arguments: everything, unless files of tests or notebooks are named."""
    if not tests and not notebooks:
        tests, notebooks = ["tests"], find_notebooks()
    found = []
    if tests:
        found.append((PACKAGE, [*tests, "-m", "not timed", "--durations=10"]))
        found.append((TIMED, [*tests, "-m", "timed"]))
    if notebooks:
        found.append(("notebooks", ["-p", "no:cacheprovider", *NBVAL, *notebooks]))
    return found


def main(passed_on: list[str]) -> int:
    start = time.perf_counter()
    tests, notebooks, rest = split(passed_on)
    total, bad = Count(), False
    for name, arguments in stages(tests, notebooks):
        count, code = run(name, [*arguments, *rest])
        total += count
        bad = bad or code not in ((0, NO_TESTS) if passed_on or name == TIMED else (0,))
    bad = bad or total.passed == 0
    minutes, seconds = divmod(round(time.perf_counter() - start), 60)
    print(f"\n{'FAILED' if bad else 'All is well'}, after {minutes} min {seconds} s.")
    print(total if total.failed or not bad else total + Count(failed=1), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
