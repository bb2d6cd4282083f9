"""What is kept of a benchmark: docs/bench.json, the plot beside it, and README's table.

python -m tests.benchmarks.kept      # README's table anew, from docs/bench.json
"""

import json
import sys
from pathlib import Path

from cimg.files import put_between, write_file
from tests.benchmarks.clock import number

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / "docs" / "bench.json"
PLOT = ROOT / "docs" / "bench-growth.png"
README = ROOT / "README.md"
START = "<!-- bench: written by make bench -->"
END = "<!-- end of bench -->"


def in_words(machine: dict) -> str:
    """The machine, without a name of its own."""
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory']} of memory, "
        f"{machine['system']}, Python {machine['python']}, PyTorch {machine['torch']}"
    )


def value_of(value: float, unit: str) -> str:
    """A number with its unit, as people write it."""
    return f"{number(value)}{'' if unit.startswith('/') else ' '}{unit}".strip()


def cell(row: dict) -> str:
    """What the peers took, and how many times better ours is."""
    return "; ".join(
        f"{name} {value_of(x['value'], row['unit'])}: {number(x['median'])} times "
        f"({number(x['least'])} to {number(x['most'])})"
        for name, x in row.get("peers", {}).items()
    ) or row.get("note", "")


def table(result: dict) -> str:
    """README's table: the main rows."""
    machine = result["machine"]
    dates = sorted({row["date"] for row in result["rows"]})
    told = f"Measured on {' to '.join(dict.fromkeys((dates[0], dates[-1])))}: {in_words(machine)}."
    lines = [
        f"{told} Medians; in brackets the least and the most.",
        "",
        "| what | takes | beside others: ours is so many times faster |",
        "|---|---|---|",
    ]
    for row in result["rows"]:
        if row.get("main"):
            spread = f" ({row['spread']})" if "spread" in row else ""
            what = row["what"].replace("|", "\\|")  # P(a | b) would begin a new cell
            lines.append(
                f"| {what} | {value_of(row['value'], row['unit'])}{spread} | {cell(row)} |"
            )
    return "\n".join(lines)


def merged(old: dict, new: dict) -> dict:
    """The old result, with the rows of the modules in the new one in place of its own; raises
    SystemExit where they are of different machines: those can't stand in one table."""
    if old and in_words(old["machine"]) != in_words(new["machine"]):
        there = in_words(old["machine"])
        if {row["module"] for row in old["rows"]} - {row["module"] for row in new["rows"]}:
            raise SystemExit(
                f"docs/bench.json is of another machine ({there}): measure everything, or remove it"
            )
        old = {}
    measured = {row["module"] for row in new["rows"]}
    rows = [row for row in old.get("rows", []) if row["module"] not in measured] + new["rows"]
    return {"machine": new["machine"], "rows": sorted(rows, key=lambda row: row["module"])}


def read() -> dict:
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}


def keep(result: dict) -> None:
    """Put a result in its three places."""
    whole = merged(read(), result)
    table(whole)  # before anything is written: it may be that it can't be made
    write_file(KEPT, f"{json.dumps(whole, indent=1, ensure_ascii=False)}\n".encode())
    if any(row["module"] == "growth" for row in result["rows"]):
        write_file(PLOT, (ROOT / "build" / PLOT.name).read_bytes())
    write_readme()


def write_readme() -> None:
    text = README.read_text(encoding="utf-8")
    write_file(README, put_between(text, START, END, table(read())).encode())
    print(f"Kept in {KEPT.name}; {README.name} has its table.")


if __name__ == "__main__":
    sys.exit(write_readme())
