"""What the kit is made from: each notebook with its source, the teacher's notes, and its hints."""

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

import nbformat
import yaml
from nbformat import NotebookNode

import rules
from docs import ROOT
from lesson import (
    CLOSE,
    CODE_LINES_PER_MINUTE,
    OPEN,
    STUB,
    WORDS_PER_MINUTE,
    Lesson,
    read_lesson,
)

WORKED = re.compile(rf"^ *{OPEN}\n(.*?)^ *(?:{STUB}|{CLOSE})$", re.MULTILINE | re.DOTALL)
KEYS = {"about": str, "class": list, "stumble": list, "discuss": list, "cut": list}
ITEMS = {"stumble": {"what", "why"}, "discuss": {"ask", "expect"}, "cut": {"section", "because"}}


class NotesError(ValueError):
    """Teacher's notes that don't follow the format, or speak of what isn't in the notebook."""


@dataclass(frozen=True)
class Taught:
    """A notebook as a teacher looks at it: source, learner's copy with its outputs, notes."""

    lesson: Lesson
    minutes: dict[str, int]
    cells: list[NotebookNode]
    notes: dict

    @property
    def name(self) -> str:
        return self.lesson.name

    @property
    def headings(self) -> dict[str, str]:
        """Every section's heading, exercises included, with its text and code."""
        return dict(_sections(self.cells))

    @property
    def exercises(self) -> list[str]:
        """Their headings, in order."""
        return [heading for heading in self.headings if heading.startswith("Exercise ")]

    def solution(self, heading: str) -> str:
        """The lines that an exercise's worked copy has in place of the learner's gaps."""
        lines, here = [], False
        for cell in self.lesson.cells:
            if cell.cell_type == "markdown":
                titles = re.findall(r"^#{2,3} +(.+)$", cell.source, flags=re.MULTILINE)
                here = titles[-1].strip() == heading if titles else here
            elif here:
                lines += [dedent(gap).rstrip() for gap in WORKED.findall(cell.source)]
        return "\n".join(lines)

    def saved(self, heading: str) -> int:
        """Minutes that go with a section: an exercise's share, or what it takes to read."""
        if heading in self.exercises:
            return math.ceil(self.minutes["exercises"] / len(self.exercises))
        text, _, code = self.headings[heading].partition("\0")
        words, lines = rules.count_words(text), len(code.splitlines())
        return max(1, round(words / WORDS_PER_MINUTE + lines / CODE_LINES_PER_MINUTE))


def _sections(cells: list[NotebookNode]):
    """Heading, and its text and code with a zero byte between."""
    heading, text, code = "", "", ""
    for cell in cells[1:]:
        if set(rules.tags(cell)) & {"recap", "quiz", "quiz-check", "answers"}:
            continue
        if cell.cell_type == "code":
            code += cell.source + "\n"
            continue
        parts = re.split(r"^#{2,3} +(.+)$", cell.source, flags=re.MULTILINE)
        text += parts[0]
        for title, below in zip(parts[1::2], parts[2::2], strict=True):
            if heading:
                yield heading, f"{text}\0{code}"
            heading, text, code = title.strip(), below, ""
    if heading:
        yield heading, f"{text}\0{code}"


def read_notes(path: Path) -> dict:
    """The teacher's notes of one notebook, checked; raises NotesError."""
    notes = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(notes, dict) or set(notes) != set(KEYS):
        raise NotesError(f"{path.name}: expected the keys {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        if not isinstance(notes[key], kind) or not notes[key] and key != "cut":
            raise NotesError(f"{path.name}: '{key}' should be a {kind.__name__} and not empty")
    for key, fields in ITEMS.items():
        for item in notes[key]:
            if not isinstance(item, dict) or set(item) != fields:
                raise NotesError(f"{path.name}: each of '{key}' should have {sorted(fields)}")
    return notes


def check_notes(found: Taught, name: str) -> None:
    """Notes speak of sections and exercises that are there; raises NotesError."""
    for item in found.notes["cut"]:
        if item["section"] not in found.headings:
            raise NotesError(f"{name}: there is no section '{item['section']}' to cut")
    for number in found.notes["class"]:
        if not any(e.startswith(f"Exercise {number}:") for e in found.exercises):
            raise NotesError(f"{name}: there is no exercise {number} to do in class")


def taught(root: Path = ROOT) -> list[Taught]:
    """Every notebook that has been built, in order. One without notes has empty ones."""
    found = []
    for path in sorted((root / "notebooks" / "source").glob("*.py")):
        built = root / "notebooks" / f"{path.stem}.ipynb"
        if not built.exists():
            continue
        notebook, lesson = nbformat.read(built, as_version=4), read_lesson(path)
        notes = root / "docs" / "notes" / f"{lesson.number}.yaml"
        known = read_notes(notes) if notes.exists() else {key: KEYS[key]() for key in KEYS}
        minutes = dict(notebook.metadata["cimg"]["minutes"])
        found.append(Taught(lesson, minutes, notebook.cells, known))
        check_notes(found[-1], notes.name)
    return found


@cache
def hints() -> dict[str, dict[str, str]]:
    """What the checks say: exercise -> mistake -> hint."""
    return json.loads((ROOT / "cimg" / "hints.json").read_text(encoding="utf-8"))
