"""How many learners does this machine carry? Simulated ones say, on the real hub.

    make hub-load                              # 1, 5, 10, 20 and 40 learners; a table at the end
    make hub-load ARGS="--learners 60 --write" # more, and into results.json and README.md

At each number all log in at the same time, start a server, open a kernel, and run the code cells
of notebook 00. When all are through, each has the explorer and changes controls: for a while at
moments of their own, one change in five seconds on average, as people do; then, in rounds, all at
the same moment, as when a teacher says "now". Then one learner too many knocks. Last, the hub is
stopped, and each learner's file has to be there.

The simulated learners run on this machine as well and take a part of it; it is measured.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel

from workshop.rehearsal import Rehearsal
from workshop.results import add_rows, table
from workshop.settings import ROOT
from workshop.visitor import Refused, Visitor

NUMBERS = (1, 5, 10, 20, 40)
PAUSE = 5.0  # seconds between two changes of one learner, on average
ROUNDS = 5
GIVEN_UP = threading.BrokenBarrierError.__name__  # what goes wrong for all, once one has failed
MIB = 2**20
WORK = "open('my-work.txt', 'w').write('the work of {name}')"
EXPLORER = """
import cimg
from cimg.explorer import Explorer
explorer = Explorer(cimg.load("duel"))
explorer
"""
ALL_OF_IT = """
import cimg, sys
for name in dir(cimg):
    getattr(cimg, name)
assert {"torch", "pyro"} <= set(sys.modules)
"""
ENOUGH = 500 * MIB  # of memory that has to be free for each learner, or it isn't tried


def change_of(number: int) -> str:
    """The code of a learner's next change: by turns another scene, another action."""
    if number % 2:
        return f"explorer.scene.value = {number}"
    return f"explorer.variables['action'].value = 'done: {('attack', 'taunt')[number // 2 % 2]}'"


@dataclass
class Day:
    """What one learner went through: seconds, and what went wrong."""

    visitor: Visitor
    server: float = 0.0
    later: int = 0
    notebook: float = 0.0
    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def cells() -> list[str]:
    """The code of notebook 00."""
    notebook = nbformat.read(ROOT / "notebooks" / "00-start-here.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all values don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def change(day: Day, number: int, seconds: list[float]) -> None:
    """One change of a control, until its picture is there."""
    ran = day.visitor.run(change_of(number))
    seconds.append(ran.seconds)
    if ran.error or not ran.pictures:
        day.wrong.append(ran.error or "no picture came")


def one_day(day: Day, code: list[str], wait: Callable[[], None], minutes: float) -> Day:
    """All that a learner does, from the login page on. `wait` is for all the others."""
    visitor = day.visitor
    start = time.perf_counter()
    visitor.log_in()
    day.later = visitor.start_server()
    day.server = time.perf_counter() - start
    visitor.open_kernel()
    start = time.perf_counter()
    for cell in [*code, EXPLORER, WORK.format(name=visitor.name)]:
        ran = visitor.run(cell)
        day.wrong += [ran.error] if ran.error else []
    day.notebook = time.perf_counter() - start
    change(day, 2, [])
    with ThreadPoolExecutor(1) as pool:  # the slowest of many may take minutes
        waiting = pool.submit(wait)
        visitor.listen(waiting.done)
        waiting.result()
    dice, end, number = random.Random(visitor.name), time.monotonic() + minutes * 60, 3
    time.sleep(dice.uniform(0, PAUSE))
    while time.monotonic() < end:
        begun = time.monotonic()
        change(day, number, day.alone)
        number += 1
        time.sleep(max(0.0, begun + dice.uniform(0.5, 1.5) * PAUSE - time.monotonic()))
    for more in range(ROUNDS):
        wait()
        change(day, number + more, day.together)
    wait()
    return day


def guarded(day: Day, code: list[str], barrier: threading.Barrier, minutes: float) -> Day:
    """A day that may go wrong; the others are told, so that nobody waits for ever."""
    try:
        return one_day(day, code, lambda: barrier.wait(3600), minutes)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        day.wrong.append(f"{type(error).__name__}: {error}")
        barrier.abort()
        return day


def memory(hub: Rehearsal) -> tuple[list[float], float]:
    """MiB of each learner (server, kernel) and of the hub. Shared pages count in parts (PSS)."""

    def of(processes: list[psutil.Process]) -> float:
        total = 0
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # one that has just ended
                total += process.memory_full_info().pss
        return total / MIB

    numbers = [e["number"] for e in hub.register().entries.values()]
    each = [of(found) for n in numbers if (found := hub.processes(n))]
    return each, of(hub.own_processes())


def idle_kernel(code: str = ALL_OF_IT) -> int:
    """Bytes (RSS) of a kernel that has run some code and does nothing. By itself it has imported
    all that `cimg` offers, more than `import cimg` alone, which loads nothing before it is used.

    Raises:
        RuntimeError: the code failed.
    """
    manager, client = start_new_kernel(env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        said = client.execute_interactive(code, timeout=300)
        if said["content"]["status"] != "ok":
            raise RuntimeError(f"the kernel failed: {said['content']}")
        return psutil.Process(manager.provisioner.process.pid).memory_info().rss
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def one_too_many(hub: Rehearsal, extra: Visitor) -> str:
    """What the hub says to a learner for whom there is no place."""
    extra.log_in()
    try:
        extra.start_server()
    except Refused as no:
        return f"{no.status}, the class is full" if "The class is full" in no.page else no.page
    return "let in"


def files_there(hub: Rehearsal, names: list[str]) -> int:
    """How many of the learners' files are there, with what they wrote."""
    course = "course/notebooks/my-work.txt"
    paths = {name: hub.folder / "home" / name / course for name in names}
    return sum(p.exists() and p.read_text() == f"the work of {n}" for n, p in paths.items())


def measure(learners: int, minutes: float) -> dict:
    """One row: so many learners at the same time.

    Raises:
        RuntimeError: something went wrong for one of them, or the memory wouldn't do.
    """
    if psutil.virtual_memory().available < learners * ENOUGH:
        raise RuntimeError(f"{learners} learners: there isn't memory enough left to try")
    load = os.getloadavg()[0]
    with Rehearsal(learners=learners + 1, most=learners) as hub:
        *visitors, extra = hub.visitors()
        days, code, used = [Day(v) for v in visitors], cells(), psutil.Process().cpu_times()
        barrier = threading.Barrier(learners + 1)
        with ThreadPoolExecutor(learners) as pool:
            running = [pool.submit(guarded, day, code, barrier, minutes) for day in days]
            try:
                for _ in range(ROUNDS + 1):  # the first is the start of the explorer
                    barrier.wait(3600)
                each, own = memory(hub)
                said = one_too_many(hub, extra)
                barrier.wait(3600)
            except threading.BrokenBarrierError:
                pass
            except BaseException:
                barrier.abort()  # or everybody would wait for an hour
                raise
            days = [future.result() for future in running]
        now = psutil.Process().cpu_times()
        wrong = [
            f"{day.visitor.name}: {w}"
            for day in days
            for w in day.wrong
            if not w.startswith(GIVEN_UP)
        ]
        if wrong:
            raise RuntimeError(f"{learners} learners: {wrong[0]} ({len(wrong)} things went wrong)")
        for day in days:
            day.visitor.close()
        hub.stop()
        there = files_there(hub, [v.name for v in visitors])
    pictures = [s for day in days for s in day.alone]
    together = [s for day in days for s in day.together]
    return {
        "learners": learners,
        "server_median": round(statistics.median(d.server for d in days), 1),
        "server_last": round(max(d.server for d in days), 1),
        "later": sum(d.later for d in days),
        "notebook_median": round(statistics.median(d.notebook for d in days), 1),
        "notebook_last": round(max(d.notebook for d in days), 1),
        "picture_median": round(statistics.median(pictures), 3),
        "picture_95": round(percentile(pictures, 0.95), 3),
        "together_median": round(statistics.median(together), 3),
        "together_95": round(percentile(together, 0.95), 3),
        "pictures": len(pictures) + len(together),
        "memory_median": round(statistics.median(each)),
        "memory_most": round(max(each)),
        "memory_hub": round(own),
        "one_too_many": said,
        "files_there": there,
        "load_before": round(load, 1),
        "simulation_cpu_seconds": round(now.user + now.system - used.user - used.system, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m workshop.load", description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, nargs="+", default=NUMBERS, metavar="N")
    parser.add_argument("--repeat", type=int, default=1, help="the best of so many runs is kept")
    parser.add_argument("--minutes", type=float, default=1.0, help="with the explorer")
    parser.add_argument("--write", action="store_true", help="into results.json and README.md")
    asked = parser.parse_args(arguments)
    rows = []
    for learners in asked.learners:
        runs = []
        for _ in range(asked.repeat):
            runs.append(measure(learners, asked.minutes))
            print(runs[-1], flush=True)
        best = min(runs, key=lambda row: row["picture_95"])
        rows.append(best | {"best_of": len(runs)})
        if asked.write:
            add_rows(rows[-1:], round(idle_kernel() / 1e6))
    print(table(rows))


if __name__ == "__main__":
    main()
