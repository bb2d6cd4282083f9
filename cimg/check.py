"""Instant checks of the exercises and quizzes.

    from cimg.check import check
    check("05.2", total)              # right; or a hint, then a stronger one, then the worked copy
    check.quiz("05", "a", "c", "b")   # the footer's questions

A check computes the truth from the world and the renderer, or tries the learner's function on
inputs of its own. It says what it finds, and raises nothing.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from cimg.answers import JUDGES, Broken, Hint, Judge, Open, Unclear, choice, describe, is_open
from cimg.files import read_object

MODULES = (  # cimg.exercises_…
    *("drawing", "world", "doing", "imagining", "pictures", "causal_vae", "gan"),
    *("causes", "storm", "own_world"),
)
HINTS = Path(__file__).parent / "hints.json"
QUIZZES = Path(__file__).parent / "quizzes.json"  # written by notebooks/build.py
LARGEST = 2**20  # bytes of either
SAID = {
    "right": "Right.",
    "open": "Not done yet.",
    "wrong": "Not quite.",
    "unclear": "Can't be read:",
}
FILL = "Fill in the gap, then run this again."
MARK = {"right": "✓", "open": "○", "wrong": "✗", "unclear": "?"}
COLOUR = {"right": "#009E73", "open": "#767676", "wrong": "#D55E00", "unclear": "#0072B2"}


@dataclass(frozen=True)
class Verdict:
    """What a check says: `state` is right, open, wrong or unclear; `lines` explain it.

    `link` is the worked copy, from the third wrong try on.
    """

    number: str
    state: str
    lines: tuple[str, ...] = ()
    link: str = ""

    def __repr__(self) -> str:
        head = f"{MARK[self.state]} {self.number} {SAID[self.state]}"
        link = (f"Worked copy: {self.link}",) if self.link else ()
        return "\n".join([f"{head} {self.lines[0]}".rstrip(), *self.lines[1:], *link])

    def _repr_html_(self) -> str:
        head = f"<b>{MARK[self.state]} {escape(self.number)} {SAID[self.state]}</b>"
        text = re.sub("`(.+?)`", r"<code>\1</code>", "<br>".join(map(escape, self.lines)))
        more = f'<br><a href="{self.link}">Worked copy</a>' if self.link else ""
        style = f"border-left: 4px solid {COLOUR[self.state]}; padding: 2px 10px"
        return f'<div style="{style}">{head} {text}{more}</div>'


class Check:
    """Judges answers, and remembers how often each exercise was tried in vain in this session."""

    def __init__(self) -> None:
        self.tries: dict[str, int] = {}

    def __call__(self, number: Any = None, *answers: Any, **named: Any) -> None:
        """Show what is to be said of the answer to an exercise such as "05.2"."""
        show(self.look(number, *answers, *named.values()))

    def quiz(self, notebook: Any = None, *letters: Any, **named: Any) -> None:
        """Show which of a notebook's quiz questions are answered rightly."""
        show(self.look_at_quiz(notebook, *letters, *named.values()))

    def look(self, number: Any = None, *answers: Any) -> Verdict:
        """The verdict on an exercise's answer; a wrong one counts as a try."""
        judges = read_judges()
        if not isinstance(number, str) or number not in judges:
            return Verdict("check", "unclear", (unknown(number, judges, 'check("05.2", answer)'),))
        expected = len(signature(judges[number]).parameters)
        if len(answers) != expected:
            what = f"expected {expected} behind the number, found {len(answers)}."
            return Verdict(number, "unclear", (f"answers: {what}",))
        if all(answer is None or answer is ... for answer in answers):
            return Verdict(number, "open", (FILL,))
        try:
            with undisturbed():
                found = judges[number](*answers)
        except Open as still:
            return Verdict(number, "open", (str(still) and f"{still}." or FILL,))
        except Broken as what:
            return self._wrong(number, (f"{what}.",), read(HINTS)[number]["second"])
        except Unclear as what:
            return Verdict(number, "unclear", (f"{what}.",))
        except Exception:  # noqa: BLE001  (an object that breaks when it is looked at)
            kinds = ", ".join(type(answer).__name__ for answer in answers)
            return Verdict(number, "unclear", (f"nothing can be made of this {kinds}.",))
        hint = Hint(found, {}) if isinstance(found, str) else found
        texts = read(HINTS)[number]
        if hint is None:
            return self._right(number, texts["right"])
        said = texts[hint.mistake].format(**hint.fields)
        if hint.mistake == "unchanged":
            return Verdict(number, "open", (f"{said}.",))
        return self._wrong(number, (said,), texts["second"])

    def look_at_quiz(self, notebook: Any = None, *letters: Any) -> Verdict:
        """The verdict on a quiz: the reason for each right letter, a hint for each wrong one."""
        quizzes = read(QUIZZES)
        if not isinstance(notebook, str) or notebook not in quizzes:
            example = 'check.quiz("05", "a", "b", "c")'
            return Verdict("quiz", "unclear", (unknown(notebook, quizzes, example),))
        number, questions = f"{notebook} quiz", quizzes[notebook]["questions"]
        if len(letters) != len(questions):
            what = f"expected {len(questions)} letters, found {len(letters)}."
            return Verdict(number, "unclear", (what,))
        lines, states = [], []
        for i, (question, letter) in enumerate(zip(questions, letters, strict=True), start=1):
            state, said = judge_question(question, letter)
            states.append(state)
            lines.append(f"{i} {MARK[state]} {said}")
        if set(states) == {"open"}:
            return Verdict(number, "open", ("Put a letter for each ... and run the cell.",))
        if "wrong" in states:
            return self._wrong(number, ("", *lines), "The answers are folded away below.")
        if set(states) == {"right"}:
            return self._right(number, "", *lines)
        return Verdict(number, "unclear" if "unclear" in states else "open", ("", *lines))

    def _right(self, number: str, *lines: str) -> Verdict:
        self.tries.pop(number, None)
        return Verdict(number, "right", lines)

    def _wrong(self, number: str, lines: tuple[str, ...], second: str) -> Verdict:
        """A hint; from the second try on a stronger one, from the third the worked copy."""
        tries = self.tries[number] = self.tries.get(number, 0) + 1
        more = (f"Second hint: {second}",) if tries > 1 else ()
        return Verdict(number, "wrong", (*lines, *more), worked_copy(number) if tries > 2 else "")


def judge_question(question: dict, letter: Any) -> tuple[str, str]:
    """State and text for one question of a quiz."""
    if is_open(letter):
        return "open", "still open"
    try:
        chosen = choice(letter, question["letters"])
    except Unclear as what:
        return "unclear", str(what)
    except Exception:  # noqa: BLE001
        return "unclear", f"expected a letter, found something of type {type(letter).__name__}"
    if chosen == question["answer"]:
        return "right", question["why"]
    return "wrong", question["hints"].get(chosen, f"{chosen} isn't it: read the question again")


def show(verdict: Verdict) -> None:
    """In a notebook with a coloured edge, elsewhere as text."""
    from IPython.display import display

    display(verdict)


def unknown(asked: Any, known: Any, example: str) -> str:
    """What to say where no such exercise or quiz is."""
    if asked is None:
        return f"say which one, for instance {example}."
    there = [name for name in known if isinstance(asked, str) and name[:2] == asked[:2]]
    return (
        f"there is none with the number {describe(asked)}; there are {', '.join(there or known)}."
    )


@contextlib.contextmanager
def undisturbed():
    """Judge quietly and always alike, and leave the notebook's random numbers as they are."""
    with (
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        yield


def read_judges() -> dict[str, Judge]:
    """All judges, by the exercise's number: the modules that hold them are loaded now."""
    for module in MODULES:
        import_module(f"cimg.exercises_{module}")
    return JUDGES


@cache
def read(path: Path) -> dict[str, dict]:
    """A file of texts: hints by exercise, or questions and the file's name by notebook."""
    return read_object(path, LARGEST) if path.exists() else {}


def worked_copy(number: str) -> str:
    """Where a notebook's worked copy lies, seen from the learner's (the template's: 12's)."""
    own = number.startswith("my.")
    known = read(QUIZZES).get("12" if own else number[:2])
    return f"{'../' if own else ''}solutions/{known['name']}.ipynb" if known else ""


check = Check()
