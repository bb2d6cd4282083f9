"""`make test-elsewhere`: the same results in other circumstances, bit for bit.

    python -m tests.elsewhere [--no-notebooks] [number of the circumstance ...]

Runs the tests of all that is exact, then every notebook against its stored outputs in random order,
in other time zones, locales, working folders and orders of hashing, on one thread and on two.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"
EXACT = ("digests", "world", "query", "counterfactual", "coupling", "bounds", "sprites", "scene")
EXACT += ("data", "files", "course")
CIRCUMSTANCES = (
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "2",
     "PYTHONHASHSEED": "2"},  # a Turkish i is no capital I; where the locale is missing it is C
    {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "3",
     "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},  # files aren't UTF-8 unless one says so
)  # fmt: skip
FOLDERS = ("wörk ing", "a/very/deep/place", "'quoted' & [odd]")


def commands(seed: int, notebooks: bool) -> list[list[str]]:
    """What is run: the exact tests, then the notebooks, in an order of their own each time."""
    pytest = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-x", "-q"]
    pytest += ["--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    found = [[*pytest, *(str(ROOT / "tests" / f"test_{name}.py") for name in EXACT)]]
    if notebooks:
        paths = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/solutions/*.ipynb")]
        paths = [str(path) for path in sorted(paths)]
        random.Random(seed).shuffle(paths)
        nbval = ["--nbval", "--nbval-cell-timeout=300", f"--nbval-sanitize-with={SANITIZE}"]
        found.append([*pytest, *nbval, *paths])
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.elsewhere", description=__doc__.split("\n")[0]
    )
    parser.add_argument("numbers", nargs="*", type=int, help="of the circumstances; all if none")
    parser.add_argument("--no-notebooks", action="store_true", help="only the exact tests")
    options = parser.parse_args(arguments)
    failed = []
    for number, circumstance in enumerate(CIRCUMSTANCES):
        if options.numbers and number not in options.numbers:
            continue
        with tempfile.TemporaryDirectory() as base:
            folder = Path(base, FOLDERS[number])
            folder.mkdir(parents=True)
            told = ", ".join(f"{k}={v}" for k, v in circumstance.items())
            print(f"\n=== {number}: {told}, in a folder named {folder.name!a}", flush=True)
            path = os.pathsep.join([str(ROOT), str(ROOT / "notebooks")])
            here = os.environ | {"PYTHONPATH": path, "TQDM_DISABLE": "1"} | circumstance
            for command in commands(number, not options.no_notebooks):
                if subprocess.run(command, cwd=folder, env=here, check=False).returncode:
                    failed.append(number)
            if left := [p.name for p in folder.iterdir() if p.name != ".hypothesis"]:
                print(f"left in the working folder: {left}")
                failed.append(number)
    print(f"\nFailed: {sorted(set(failed))}" if failed else "\nThe same everywhere.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
