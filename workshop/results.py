"""What the load test measured: kept in results.json, shown as a table in README.md.

python -m workshop.results            # write the table
python -m workshop.results --check    # change nothing, say whether it is out of date
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import sys
from pathlib import Path

import psutil

from cimg.files import put_between, write_file
from workshop.settings import RESERVE, SHARE

HERE = Path(__file__).resolve().parent
RESULTS, README = HERE / "results.json", HERE / "README.md"
START, END = "<!-- load: written by workshop/results.py -->", "<!-- end of load -->"
FAST = 1.0  # seconds that a picture of the explorer may take
COLUMNS = (
    ("learners", "learners", ""),
    ("server_median", "login to server: half, last", "server_last"),
    ("notebook_median", "notebook 00: half, last", "notebook_last"),
    ("picture_median", "picture: half, 95 %", "picture_95"),
    ("together_median", "all at once: half, 95 %", "together_95"),
    ("memory_median", "MiB a learner: half, most", "memory_most"),
    ("memory_hub", "MiB the hub", ""),
    ("one_too_many", "one too many", ""),
    ("files_there", "files there after", ""),
    ("load_before", "load before", ""),
    ("best_of", "best of", ""),
)


def machine() -> dict:
    """What was measured on, without its name."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def load() -> dict:
    """All results."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def add_rows(rows: list[dict], idle_kernel: int) -> None:
    """Put new rows in the place of older ones with as many learners, and write the table.

    Args:
        rows: as `workshop.load.measure` returns them.
        idle_kernel: MB of a kernel that has imported the course.
    """
    content = load() if RESULTS.exists() else {"rows": []}
    each = [*content["rows"], *({**row, **machine()} for row in rows)]
    new = {row["learners"]: row for row in each}
    write(
        {**content, "idle_kernel_mb": idle_kernel, "rows": [new[number] for number in sorted(new)]}
    )


def add_course(most: dict[str, float]) -> None:
    """Put a way through the whole course in the place of an older one, and write the table.

    Args:
        most: MiB at each notebook, as `workshop.walk.walk` returns it.
    """
    course = {name: round(mib) for name, mib in most.items()}
    write({**load(), "course": {"share": SHARE, "most": course, **machine()}})


def write(content: dict) -> None:
    """The results, and the table in README."""
    write_file(RESULTS, (json.dumps(content, indent=1) + "\n").encode())
    write_table()


def table(rows: list[dict]) -> str:
    """One line for each number of learners."""
    lines = ["| " + " | ".join(title for _, title, _ in COLUMNS) + " |"]
    lines.append("| --- " * len(COLUMNS) + "|")
    for row in rows:
        cells = [f"{row[a]}, {row[b]}" if b else str(row[a]) for a, _, b in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def carried(rows: list[dict], key: str) -> int:
    """The most learners of whose pictures 95 % came in time, with all smaller classes as well."""
    most = 0
    for row in sorted(rows, key=lambda row: row["learners"]):
        if row[key] >= FAST:
            break
        most = row["learners"]
    return most


def summary(measured: dict) -> str:
    """The table, what it was measured on, and what follows from it."""
    rows = measured["rows"]
    on = sorted({(r["date"], r["cores"], r["memory_gib"], r["system"], r["python"]) for r in rows})
    where = "; ".join(f"{d}: {c} cores, {m} GiB, {s}, Python {p}" for d, c, m, s, p in on)
    alone, together = carried(rows, "picture_95"), carried(rows, "together_95")
    largest = max(row["learners"] for row in rows)
    more = " (the most that were tried)" if alone == largest else ""
    told = (
        f"**{alone} learners{more}** who each change a control every five seconds see at least "
        f"95 % of the pictures within a second; if all change one at the same moment, {together}."
    )
    memory = min(row["memory_gib"] for row in rows)
    places = int((memory * 1024 - RESERVE) // SHARE)
    room = (
        f"For the test `HUB_MOST` was the number of learners; by itself `make hub` has {places} "
        f"places on such a machine, so that each learner has all of {SHARE:,} MiB."
    )
    idle = (
        f"A kernel that has imported the course and does nothing: {measured['idle_kernel_mb']} MB."
    )
    lines = [f"Measured {where}. Times in seconds.", "", table(rows), "", told, room, idle]
    return "\n".join([*lines, "", way(measured["course"])])


def way(course: dict) -> str:
    """What one learner took on the way through all notebooks."""
    most = course["most"]
    heaviest = max(most, key=most.get)
    usual = round(statistics.median(most.values()))
    return (
        f"**Through the whole course** ({course['date']}): one learner opened all {len(most)} "
        "worked notebooks, one after the other, ran each from top to bottom and shut none down. "
        f"With {course['share']:,} MiB no kernel died, but for idle ones that made room; server "
        f"and kernels together took at most {most[heaviest]:,} MiB, in {heaviest[:2]}, and in half "
        f"of the notebooks at most {usual:,}."
    )


def write_table() -> None:
    """Bring the README up to date."""
    text = README.read_text(encoding="utf-8")
    write_file(README, put_between(text, START, END, summary(load())).encode())


def main(arguments: list[str]) -> int:
    """Write the table, or with --check only say whether it is out of date (exit code 1)."""
    text = README.read_text(encoding="utf-8")
    late = put_between(text, START, END, summary(load())) != text
    if late and "--check" in arguments:
        print("workshop/README.md: the table is out of date: python -m workshop.results")
    elif late:
        write_table()
    return int(late and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
