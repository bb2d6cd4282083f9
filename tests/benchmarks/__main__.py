"""`make bench`: run `measure()` of every bench_*.py here, print one table, write build/bench.json.

    python -m tests.benchmarks [--keep] [word ...]

What `measure()` gives is told in rows.py. Each module runs in a process of its own. Those whose
names hold a word given on the command line are run (ARGS="course"); without words, all are, which
takes twenty minutes or so. With --keep, what was measured is put in docs/bench.json, in place of
earlier rows of the same modules, and in README's table.
"""

import json
import os
import platform
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import psutil
import torch

from cimg.files import write_file
from tests.benchmarks import kept
from tests.benchmarks.clock import number
from tests.benchmarks.rows import measure_here, met

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build"
OUT = BUILD / "bench.json"


def beside(row: dict) -> str:
    """What the peers took, and how many times better ours is: "pgmpy 3.2 ms (× 40, 38 to 45)"."""
    return ", ".join(
        f"{name} {number(x['value'])} {row['unit']} (× {number(x['median'])}, "
        f"{number(x['least'])} to {number(x['most'])})"
        for name, x in row.get("peers", {}).items()
    )


def table(rows: list[dict]) -> str:
    """Rows in columns, grouped by module."""
    cells = [["", "value", "unit", "spread", "target", "", "note"]]
    for row in rows:
        verdict = {True: "met", False: "missed", None: ""}[met(row["value"], row.get("target", ""))]
        note = "; ".join(filter(None, (beside(row), row.get("note", ""))))
        more = [row.get("spread", ""), row.get("target", ""), verdict, note]
        cells.append([row["what"], number(row["value"]), row["unit"], *more])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = {1, 3, 4}  # columns of numbers
    lines = []
    for line in cells:
        padded = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def machine() -> dict:
    """What it was measured on, as far as that explains a number."""
    return {
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "cores": os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch").partition("+")[0],
    }


def measure_apart(name: str) -> list[dict]:
    """The same in a fresh process: what a module sets (threads, say) changes no other's numbers."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure_here, name).result()


def collect(names: list[str]) -> tuple[list[dict], list[str]]:
    """All rows, and the names of the modules that broke down."""
    rows, broken = [], []
    for name in names:
        print(f"{name} …", flush=True)
        start = time.perf_counter()
        try:
            measured = measure_apart(name)
        except Exception:  # noqa: BLE001  (one that breaks down shouldn't lose the others' results)
            traceback.print_exc()
            broken.append(name)
            continue
        when = {"module": name.removeprefix("bench_"), "date": time.strftime("%Y-%m-%d")}
        rows += [when | row for row in measured]
        print(f"{name}: {len(measured)} rows, {time.perf_counter() - start:.0f} s", flush=True)
    return rows, broken


def main(arguments: list[str]) -> int:
    keep, words = "--keep" in arguments, [x for x in arguments if x != "--keep"]
    names = sorted(path.stem for path in HERE.glob("bench_*.py"))
    os.environ["TQDM_DISABLE"] = "1"
    rows, broken = collect([n for n in names if not words or any(word in n for word in words)])
    here = machine()
    OUT.parent.mkdir(exist_ok=True)
    result = {"machine": here, "rows": rows}
    write_file(OUT, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    sys.stdout.reconfigure(errors="replace")  # a console that has no ≤
    print(f"\n{', '.join(f'{key} {value}' for key, value in here.items())}\n")
    print(table(rows))
    print(f"\nAlso in {OUT.relative_to(ROOT)}.")
    if keep and rows:
        kept.keep(result)
    if broken:
        print(f"Broke down: {', '.join(broken)}")
    return 1 if broken or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
