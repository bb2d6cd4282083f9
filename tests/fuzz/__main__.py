"""`make fuzz`: bad input for every reader; kills, a full disk, a closed folder for every writer.

    python -m tests.fuzz [--inputs 10000] [--kills 50] [--seed 0] [name ...]

Ends with a line for each, and exits non-zero if there was a fault. The ordinary tests do the same
with smaller numbers. Needs Linux; takes most of an hour on one core.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}  # read by what is imported next

from .disk import disk_command
from .judge import fuzz, limit_memory
from .kills import JOBS, kill_often
from .readers import READERS

DISK = "disk"


def killing(name: str, kills: int, seed: int) -> tuple[str, list[str]]:
    hit, faults = kill_often(JOBS[name], kills, seed)
    if hit < kills and not faults:
        faults.append(f"{name}: killed {hit} times only, it ends too soon")
    return f"killed {hit} times", faults


def filling() -> tuple[str, list[str]]:
    """The writers on a disk of their own if that may be, and without one."""
    said, faults = [], []
    for own in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            plain = [sys.executable, "-m", "tests.fuzz.disk", folder]
            command = disk_command(Path(folder)) if own else plain
            if not command:
                said.append("no disk of our own may be made here")
                continue
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            said.append("a small disk of our own" if own else "limits and permissions")
            faults += (ran.stdout + ran.stderr).splitlines() if ran.returncode else []
    return ", ".join(said), faults


def feeding(name: str, inputs: int, seed: int) -> tuple[str, list[str]]:
    READERS[name].make(random.Random(0))  # what it needs is loaded before memory is limited
    limit_memory()
    inputs *= READERS[name].ways
    tally = fuzz(READERS[name], inputs, seed)
    if tally.refused < inputs and not tally.faults:
        tally.faults.append(f"{name}: only {tally.refused:,} of its inputs were malformed")
    said = f"{tally.refused:,} refused, {tally.sound:,} not malformed after all"
    return f"{said}, memory + {tally.megabytes} MiB", tally.faults


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.splitlines()[0])
    every = [*JOBS, DISK, *READERS]  # readers last: after them, memory is limited
    parser.add_argument("names", nargs="*", help=f"of {', '.join(every)}; all if none is named")
    parser.add_argument("--inputs", type=int, default=10_000, help="refused by each reader (10000)")
    parser.add_argument("--kills", type=int, default=50, help="of each job (50)")
    parser.add_argument("--seed", type=int, default=0, help="another one tries other inputs (0)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in every]:
        parser.error(f"unknown: {', '.join(unknown)}")
    all_faults = []
    for name in [name for name in every if name in (options.names or every)]:
        start = time.perf_counter()
        if name in JOBS:
            said, faults = killing(name, options.kills, options.seed)
        elif name == DISK:
            said, faults = filling()
        else:
            said, faults = feeding(name, options.inputs, options.seed)
        all_faults += faults
        seconds = time.perf_counter() - start
        print(f"{name}: {said}, {len(faults)} faults, {seconds:.0f} s", flush=True)
    print("\n".join(all_faults) or "No faults.")
    return 1 if all_faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
