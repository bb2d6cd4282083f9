"""Bring the teacher's kit up to date: python -m docs.kit [--check]

`make notebooks` runs it last. Writes the parts of `docs/*.md` that follow from notebooks, notes and
worlds (they stand between two comments, "<!-- NAME: written by docs/kit.py -->" and "<!-- end of
NAME -->"), and all of `docs/guide/`. With --check nothing is written: it says what is out of date.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from build import write_atomically
from cimg.files import put_between
from docs import HERE, ROOT, numbers
from docs.schedule import RESERVE, Block, Measured, formats, plan
from docs.slides import slides
from docs.sources import NotesError, Taught, hints, taught

MARK = "<!-- {}: written by docs/kit.py -->"
END = "<!-- end of {} -->"
TAKEN_FOR = "The check takes a wrong answer for one of these, and says what stands beside it."
HOMEWORK = "Homework; *led* has left it out already."
RUN_IT = "Run the cells of what you leave out all the same: later ones may use what they make."
HOW = {
    "shown": "shown",
    "led": "led",
    "whole": "by themselves",
    "pause": "pause",
    "open": "open: questions, a late start, what the room wants",
}


def measure(lesson: Taught) -> Measured:
    """What a notebook takes, for the schedules."""
    minutes, notes = lesson.minutes, lesson.notes
    return Measured(
        number=lesson.lesson.number,
        title=lesson.lesson.about["title"],
        reading=minutes["reading"],
        running=minutes["running"],
        exercising=minutes["exercises"],
        exercises=len(lesson.exercises),
        slides=sum(slide.talked for slide in slides(lesson)),
        chosen=tuple(notes["class"]),
    )


def table(head: list[str], rows: list[list]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def hours(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60} min"


def link(lesson: Measured, names: Mapping[str, str]) -> str:
    return f"[{lesson.number} · {lesson.title}](guide/{names[lesson.number]}.md)"


# --- the guide's blocks ---------------------------------------------------------------------------


def minutes_table(known: Mapping[str, Measured], names: Mapping[str, str]) -> str:
    """Alone at home, and in class: every notebook, and the sums."""
    rows, total = [], [0] * 6
    for m in known.values():
        alone = m.minutes("whole")
        row = [m.reading, m.running, m.exercising, alone, m.minutes("shown"), m.minutes("led")]
        rows.append([link(m, names), *row, m.slides])
        total = [a + b for a, b in zip(total, row, strict=True)]
    rows.append(["**all**", *(f"**{n}**" for n in total), ""])
    head = [
        "notebook",
        "reading",
        "running",
        "exercises",
        "alone, in all",
        "shown",
        "led",
        "slides",
    ]
    return f"{table(head, rows)}\n\nAlone at home, all of it: {hours(total[3])}."


def clock(minutes: int, start: int | None) -> str:
    return f"{(start or 0) + minutes // 60}:{minutes % 60:02d}"


def schedule_table(blocks: list[Block], start: int | None, known: dict, names: dict) -> str:
    """One format, line by line: by the clock, or, without a start, each session from 0:00."""
    rows, begins = [], {block.session: block.begins for block in reversed(blocks)}
    for block in blocks:
        what = link(known[block.number], names) if block.number else ""
        how = HOW[block.level]
        if block.level == "led":
            how += f", {in_class(known[block.number])}"
        zero = 0 if start else begins[block.session]
        times = [clock(block.begins - zero, start), clock(block.ends - zero, start)]
        if not start:
            times[0] = f"session {block.session}, {times[0]}"
        if block.ends > block.begins:
            rows.append([*times, block.ends - block.begins, what, how])
    return table(["from", "to", "min", "notebook", "how"], rows)


def in_class(m: Measured) -> str:
    """The exercises chosen for class, in words."""
    if not m.chosen:
        return "no exercise"
    return f"exercise{'s' if len(m.chosen) > 1 else ''} {' and '.join(map(str, m.chosen))}"


def schedules(known: dict[str, Measured], names: dict[str, str]) -> str:
    """All formats."""
    made = []
    for name, format_ in formats(HERE / "notes" / "schedules.yaml").items():
        blocks = plan(format_["sessions"], known)
        taken = {block.number for block in blocks if block.number}
        home = [known[number].title for number in known if number not in taken]
        total = hours(blocks[-1].ends)
        made.append(
            f"### {name.capitalize()}\n\n{format_['about'].strip()} "
            f"In all {total}, with pauses.\n\n"
            + schedule_table(blocks, format_.get("clock"), known, names)
            + (f"\n\nLeft for home: {', '.join(home)}." if home else "")
        )
    return "\n\n".join(made)


# --- a page for each notebook ---------------------------------------------------------------------


def stumbles(lesson: Taught) -> str:
    """What goes wrong: from the front matter, and from the notes, with reasons."""
    rows = [f"- {item}" for item in lesson.lesson.about["mistakes"]]
    rows += [f"- **{item['what']}** {item['why'].strip()}" for item in lesson.notes["stumble"]]
    return "\n".join(rows)


def wrong_answers(lesson: Taught) -> str:
    """Every exercise's worked lines, and likely wrong answers, as the check knows them, with what
    it says."""
    made = []
    for i, heading in enumerate(lesson.exercises, start=1):
        said = hints().get(f"{lesson.lesson.number}.{i}", {})
        if not said:
            continue
        rows = [[f"*{k}*", cell(v)] for k, v in said.items() if k not in ("right", "second")]
        made.append(
            f"### {heading}\n\n```python\n{lesson.solution(heading)}\n```\n\n"
            f"**If it's right, the check says:** {said['right']}\n\n"
            + table(["taken for", "the check says"], rows)
            + f"\n\n**After a second wrong try:** {said['second']}"
        )
    return "\n\n".join(made)


def cell(text: str) -> str:
    """A text in a table's cell; what a check fills in is in ‹angles›."""
    return re.sub(r"\{(\w+)[^}]*\}", r"‹\1›", text).replace("|", "\\|")


def discussion(lesson: Taught) -> str:
    return "\n\n".join(
        f"**{item['ask']}**\n\n> {item['expect'].strip()}" for item in lesson.notes["discuss"]
    )


def cuts(lesson: Taught, m: Measured) -> str:
    """Where to cut, and what each cut saves."""
    rows = [
        [f"*{item['section']}*", lesson.saved(item["section"]), item["because"].strip()]
        for item in lesson.notes["cut"]
    ]
    left = [e for e in lesson.exercises if int(re.search(r"\d+", e).group()) not in m.chosen]
    named = {item["section"] for item in lesson.notes["cut"]}
    rows += [[f"*{cell(e)}*", lesson.saved(e), HOMEWORK] for e in left if e not in named]
    if not rows:
        return "Nothing to spare."
    return f"{table(['leave out', 'saves alone, min', 'because'], rows)}\n\n{RUN_IT}"


def quiz_key(lesson: Taught) -> str:
    rows = []
    for i, q in enumerate(lesson.lesson.about["quiz"], start=1):
        right = q["options"]["abcdef".index(q["answer"])]
        rows.append(f"{i}. *{q['ask']}*<br>**{q['answer']}**, {right}. {q['why']}")
    return "\n".join(rows)


def page(lesson: Taught, m: Measured) -> str:
    """The guide's page of one notebook."""
    name, about = lesson.name, lesson.lesson.about
    time = (
        f"**Minutes:** alone {m.minutes('whole')}; shown {m.minutes('shown')} ({m.slides} slides); "
        f"led {m.minutes('led')}, with {in_class(m)} in class. **They need:** {about['need']}."
    )
    parts = [
        f"<!-- written by docs/kit.py from the notebook and notes/{m.number}.yaml -->",
        f"# Teaching {lesson.lesson.title}",
        " | ".join(
            [
                "[Guide](../guide.md)",
                f"[learner's copy](../../notebooks/{name}.ipynb)",
                f"[worked copy](../../notebooks/solutions/{name}.ipynb)",
            ]
        ),
        f"**{about['question']}**",
        lesson.notes.get("about", "").strip(),
        "**They will be able to**\n\n" + "\n".join(f"- {item}" for item in about["objectives"]),
        time,
        f"## What goes wrong, and why\n\n{stumbles(lesson)}",
        f"## To discuss\n\n{discussion(lesson)}" if lesson.notes["discuss"] else "",
        f"## Where to cut\n\n{cuts(lesson, m)}",
        f"## Exercises: key, and likely wrong answers\n\n{TAKEN_FOR}\n\n{wrong_answers(lesson)}",
        f"## Quiz: the key\n\n{quiz_key(lesson)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# --- writing --------------------------------------------------------------------------------------


def blocks(known: dict, names: dict) -> dict[str, dict[str, Callable[[], str]]]:
    """Which document holds which blocks."""
    return {
        "guide.md": {
            "minutes": lambda: minutes_table(known, names),
            "schedules": lambda: schedules(known, names),
            "reserve": lambda: f"{RESERVE:.0%} of every session is kept free.",
        },
        "limits.md": {"couplings": numbers.couplings, "proxies": numbers.proxies},
        "cheat-sheet.md": {"numbers": numbers.rungs},
    }


def pages(lessons: list[Taught]) -> dict[Path, str]:
    """Every file that follows from something else, as it should be."""
    known = {lesson.lesson.number: measure(lesson) for lesson in lessons}
    names = {lesson.lesson.number: lesson.name for lesson in lessons}
    made = {}
    for document, found in blocks(known, names).items():
        text = (HERE / document).read_text(encoding="utf-8")
        for name, block in found.items():
            text = put_between(text, MARK.format(name), END.format(name), block())
        made[HERE / document] = text
    for lesson in lessons:
        made[HERE / "guide" / f"{lesson.name}.md"] = page(lesson, known[lesson.lesson.number])
    return made


def main(arguments: list[str]) -> int:
    """Write what has changed, or with --check only say so (exit code 1)."""
    try:
        made, late = pages(taught()), []
    except NotesError as error:
        print(f"docs/notes: {error}", file=sys.stderr)
        return 1
    stale = set((HERE / "guide").glob("*.md")) - made.keys()
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            late.append(path)
    for path in [*late, *sorted(stale)]:
        said = path.relative_to(ROOT).as_posix()
        if "--check" in arguments:
            print(f"{said}: out of date: make notebooks")
        elif path in stale:
            path.unlink()
            print(f"{said}: removed, its notebook is gone")
        else:
            write_atomically(path, made[path])
            print(f"{said}: written")
    return int("--check" in arguments and bool(late or stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
