"""How long it takes to set the course up, from nothing: only when asked for, since it is slow and
fetches what isn't in pip's cache yet.

`python -m tests.benchmarks setup`
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.clock import row

ROOT = Path(__file__).resolve().parent.parent.parent


def commands(folder: Path) -> list[list[str]]:
    """What `make` does in a folder without .venv; a test compares them with the Makefile's."""
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    return [
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "--requirement", "requirements.txt"],
        [*pip, "--no-deps", "--no-build-isolation", "--editable", "."],
    ]


def measure() -> list[dict]:
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"  # an editable install leaves notes beside the package
        told = subprocess.run(
            ["git", "ls-files", "-z", "cimg", "sprites", "notebooks", "*.toml", "*.txt", "*.py",
             "*.md", "MANIFEST.in", "LICENSE"],
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
        for path in filter(None, told.stdout.decode().split("\0")):
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes((ROOT / path).read_bytes())
        start = time.perf_counter()
        for command in commands(Path(name) / "venv"):
            subprocess.run(command, cwd=source, check=True)
        took = time.perf_counter() - start
        found = (p for p in Path(name, "venv").rglob("*") if p.is_file() and not p.is_symlink())
        size = sum(path.stat().st_size for path in found) / 1e9
    note = {"note": "what pip has in its cache isn't fetched again"}
    return [
        row("set up from nothing", [took], "s", main=True) | note,
        row("room that the set-up takes", [size], "GB", main=True),
    ]
