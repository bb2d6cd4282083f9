"""Is a learner's share of the memory enough? One goes through the whole course on the real hub.

    make hub-walk                # what each notebook took
    make hub-walk ARGS=--write   # and into results.json and README.md

Each worked notebook is opened after the other and run from top to bottom, and none is ever shut
down, as learners do. No kernel may die while it computes; the most memory is noted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from workshop.load import memory
from workshop.memory import killed
from workshop.rehearsal import Rehearsal
from workshop.results import add_course
from workshop.settings import ROOT
from workshop.visitor import Visitor

SECONDS = 0.25  # from one look at the memory to the next
SOLUTIONS = "notebooks/solutions"


def most_memory(hub: Rehearsal, done: Callable[[], bool]) -> float:
    """The most MiB that the only learner of a hub takes until it is done."""
    most = 0.0
    while not done():
        each, _ = memory(hub)
        most = max([most, *each])
        time.sleep(SECONDS)
    return most


def run_notebook(visitor: Visitor, path: Path) -> None:
    """Open a kernel and run all cells of a notebook in it.

    Raises:
        RuntimeError: a cell failed, or the kernel died.
    """
    visitor.open_kernel(SOLUTIONS)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and (error := visitor.run(cell.source).error):
            raise RuntimeError(f"{path.stem}: {error}")


def walk(paths: list[Path] | None = None, **settings: int) -> dict[str, float]:
    """One learner's way through the course.

    Args:
        paths: notebooks; by default all worked ones, in order.
        settings: of the hub, as `Rehearsal` takes them: memory=1024.

    Returns:
        The most MiB while each notebook ran: the server, its kernel, and those still open.

    Raises:
        RuntimeError: a cell failed, or Linux had to end a process for want of memory.
    """
    paths = sorted((ROOT / SOLUTIONS).glob("*.ipynb")) if paths is None else paths
    found = {}
    with Rehearsal(learners=1, most=1, **settings) as hub:
        (visitor,) = hub.visitors()
        visitor.log_in()
        visitor.start_server()
        number = str(hub.register().number(visitor.name))
        with ThreadPoolExecutor(1) as pool:
            for path in paths:
                running = pool.submit(run_notebook, visitor, path)
                found[path.stem] = most_memory(hub, running.done)
                running.result()
                print(f"{path.stem}: at most {found[path.stem]:.0f} MiB", flush=True)
                if killed(number):
                    raise RuntimeError(f"{path.stem}: Linux has ended a kernel: too little memory")
        visitor.close()
    return found


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m workshop.walk", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into results.json and README.md")
    asked = parser.parse_args(arguments)
    most = walk()
    if asked.write:
        add_course(most)


if __name__ == "__main__":
    main()
