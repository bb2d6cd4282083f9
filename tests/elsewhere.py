"""`make test-elsewhere`: the same in other circumstances, bit for bit but for what is trained.

    python -m tests.elsewhere [--no-notebooks | --notebooks 03,09] [number of the circumstance ...]

Three times in a row, on one thread and on two, in other time zones, locales, orders of hashing and
working folders, once with the rounding of another processor: the tests of all that is exact, then
every notebook, learner's and worked, of a copy of the course in that folder, in random order,
against its stored outputs. Nothing may be left in the folder but the course as it was.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cimg.course import copy_course
from tests.__main__ import NBVAL, environment, find_notebooks

ROOT = Path(__file__).resolve().parent.parent
EXACT = ("digests", "world", "query", "counterfactual", "coupling", "bounds", "sprites", "scene")
EXACT += ("data", "files", "course", "hidden", "damage", "check", "study", "show", "interop")
EXACT += ("arena", "storm", "pyro_query", "checkpoint", "reading", "explorer", "imagine")
CIRCUMSTANCES = (
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "2",
     "PYTHONHASHSEED": "2"},  # a Turkish i is no capital I, and a decimal point is a comma
    {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "3",
     "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",  # files aren't UTF-8 unless one says so
     "ATEN_CPU_CAPABILITY": "default"},  # sums are rounded as by a processor without AVX
)  # fmt: skip
FOLDERS = ("wörk ing", "a/very/deep/place", "'quoted' & [odd]")
CACHES = (".hypothesis", ".pytest_cache", "__pycache__", ".ipynb_checkpoints")


def pytest(*arguments: str) -> list[str]:
    """Pytest as in the course's own folder, but that it keeps nothing."""
    found = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-q"]
    return [*found, f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]


def exact() -> list[str]:
    """The command for the tests of what is exact."""
    return pytest(*(str(ROOT / "tests" / f"test_{name}.py") for name in EXACT))


def notebooks(seed: int, only: list[str]) -> list[str]:
    """The command for all notebooks of a copy of the course, in an order of its own. To be run in
    that folder: of its name, pytest would take brackets for something else."""
    paths = [path for path in find_notebooks() if not only or Path(path).name[:2] in only]
    random.Random(seed).shuffle(paths)
    return pytest(*NBVAL, *paths)


def with_locale(name: str, folder: Path) -> dict[str, str]:
    """What to set for a locale: where the system lacks it, it is made from its definition; where
    that is missing as well there is nothing to be shown.

    Raises:
        RuntimeError: the system has neither."""
    if name == "C" or sys.platform != "linux":
        return {"LC_ALL": name}
    code = "import locale; locale.setlocale(locale.LC_ALL, '')"
    make = ["localedef", "-i", name.partition(".")[0], "-f", "UTF-8", str(folder / name)]
    if shutil.which("localedef"):
        subprocess.run(make, capture_output=True, check=False)
    found = {"LC_ALL": name} | ({"LOCPATH": str(folder)} if (folder / name).is_dir() else {})
    known = subprocess.run([sys.executable, "-c", code], env=os.environ | found, check=False,
                           capture_output=True)  # fmt: skip
    if known.returncode:
        raise RuntimeError(f"this system has no locale {name}: install it, or localedef's sources")
    return found


def files(folder: Path) -> dict[str, bytes]:
    """All files but caches."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths
        if not set(CACHES) & set(path.relative_to(folder).parts)
    }


def run(number: int, names: list[str] | None) -> list[str]:
    """Everything in one circumstance; returns what went wrong. `names`: as the option
    --notebooks, or None for no notebook at all."""
    circumstance, failed = CIRCUMSTANCES[number], []
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, FOLDERS[number])
        told = ", ".join(f"{k}={v}" for k, v in circumstance.items())
        print(f"\n=== {number}: {told}, in a folder named {folder.name!a}", flush=True)
        (locales := Path(base, "locales")).mkdir()
        path = os.pathsep.join([str(ROOT), str(ROOT / "notebooks")])
        here = environment() | circumstance  # offline, as `make test` is
        here["PYTHONPATH"] = os.pathsep.join([here["PYTHONPATH"], path])
        try:
            here |= with_locale(circumstance["LC_ALL"], locales)
        except RuntimeError as error:
            return [f"{number}: {error}"]
        copy_course(folder / "course")
        before = files(folder)
        commands = {"exact tests": (exact(), folder)}
        if names is not None:
            commands["notebooks"] = (notebooks(number, names), folder / "course")
        for what, (command, place) in commands.items():
            if subprocess.run(command, cwd=place, env=here, check=False).returncode:
                failed.append(f"{number}: {what}")
        after = files(folder)
        changed = [k for k in before.keys() | after.keys() if before.get(k) != after.get(k)]
        failed += [f"{number}: made or changed {name}" for name in sorted(changed)]
    return failed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.elsewhere", description=__doc__.split("\n")[0]
    )
    parser.add_argument("numbers", nargs="*", type=int, help="of the circumstances; all if none")
    parser.add_argument("--no-notebooks", action="store_true", help="only the exact tests")
    parser.add_argument("--notebooks", default="", help="these alone, such as 03,09")
    options = parser.parse_args(arguments)
    every = range(len(CIRCUMSTANCES))
    if unknown := set(options.numbers) - set(every):
        parser.error(f"circumstances are {', '.join(map(str, every))}; found {sorted(unknown)}")
    names = None if options.no_notebooks else list(filter(None, options.notebooks.split(",")))
    failed = [x for number in options.numbers or every for x in run(number, names)]
    print("\n".join(["", *failed] if failed else ["", "The same everywhere."]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
