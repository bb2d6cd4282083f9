"""`make wheel`: build the wheel, install it in an environment that has nothing yet, use it there.

    python -m tests.wheel [--constraint FILE] [--notebook 00-start-here]

It fetches all that the course needs, some GB, so it isn't part of `make test`, which does the same
with what is installed already. The wheel stays in dist/.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {
    ".venv",
    ".venv-latest",
    ".hub",
    "class",  # learners' work
    ".git",
    "build",
    "dist",
    "tests",
    "__pycache__",
    "cimg.egg-info",
}

USE = """
import cimg, sys
from pathlib import Path
from cimg.data import draw
from cimg.imagine import imagine
from cimg.sprites import FOLDER
assert Path(cimg.__file__).is_relative_to(sys.prefix), cimg.__file__
assert FOLDER.is_relative_to(sys.prefix), FOLDER
model = cimg.load("duel")
scene = draw(model.world, 1, seed=7)[0][0]
answer = imagine(model, scene, {"action": "attack"})
cimg.save_png(answer.scenes[0], "attacked.png")
print(cimg.__version__, model.world.describe(answer.values)["action"])
"""


def run(*command: str | Path, **options) -> str:
    """Run a command to its end; raises SystemExit with what it said if it fails."""
    ran = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def build(folder: Path) -> Path:
    """The wheel, made from a copy of the source: an earlier build's leavings are not in it."""
    source = folder / "source"

    def leave_out(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name in LEFT_OUT or name.endswith(".tmp")}

    shutil.copytree(ROOT, source, ignore=leave_out, symlinks=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


def environment(folder: Path, wheel: Path, borrowed: bool, constraint: Path | None = None) -> Path:
    """A new environment with the wheel in it; returns its Python. `borrowed`: what it needs is
    taken from the environment that this runs in, and nothing is fetched."""
    run(sys.executable, "-m", "venv", *(["--without-pip"] if borrowed else []), folder)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ["install", "--quiet", "--disable-pip-version-check"]
    if borrowed:
        pip = [sys.executable, "-m", "pip", "--python", folder]
        run(*pip, *install, "--no-deps", "--no-index", wheel)
        own = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
        line = sysconfig.get_paths()["purelib"]  # as a plain line: its own .pth files don't count
        Path(own, "borrowed.pth").write_text(f"{line}\n")
    else:
        limits = ["--constraint", constraint] if constraint else []
        run(python, "-m", "pip", *install, *limits, wheel)
    return python


def use(python: Path, folder: Path) -> str:
    """Use the package far from its source; then copy the course out. Returns what was printed."""
    folder.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    said = run(python, "-c", USE, cwd=folder, env=clean)
    return said + run(python, "-m", "cimg.course", "course", cwd=folder, env=clean)


def run_notebook(python: Path, course: Path, name: str) -> None:
    """Run one of the copied notebooks from top to bottom."""
    convert = ["-m", "nbconvert", "--to", "notebook", "--execute", "--stdout"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    run(python, *convert, course / "notebooks" / f"{name}.ipynb", env=clean)


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.wheel", description=__doc__.splitlines()[0])
    parser.add_argument("--constraint", type=Path, help="a file of versions, for pip")
    parser.add_argument("--notebook", default="00-start-here", help="which one is run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        (ROOT / "dist").mkdir(exist_ok=True)
        print(f"built {shutil.copy(wheel, ROOT / 'dist')}: {wheel.stat().st_size / 1e6:.1f} MB")
        python = environment(folder / "new", wheel, False, options.constraint)
        print(use(python, folder / "away"), end="")
        run_notebook(python, folder / "away" / "course", options.notebook)
        print(f"The wheel works, and so does notebook {options.notebook}.")


if __name__ == "__main__":
    main()
