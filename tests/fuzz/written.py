"""Bad input of the kind that people write: answers, lessons, notebooks, results, texts."""

import itertools
import json
import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch
from nbformat import NotebookNode

from cimg.check import HINTS, QUIZZES, Check, Verdict, read_judges
from cimg.study import FOLDER as RESULTS
from cimg.study import three_seeds

from .mutate import nasty, spoil_bytes, spoil_json

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
sys.path[:0] = [str(NOTEBOOKS), str(Path(__file__).resolve().parents[1])]
from exercises_answers import CASES

import build
import lesson


class Refused(ValueError):
    """Stands for a verdict other than "right", or for a notebook that counts as none."""


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────


class Hostile:
    """Breaks in whatever way it is looked at."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def _break(self, *_: Any) -> Any:
        raise OSError("broken")

    __len__ = __iter__ = __eq__ = __bool__ = __float__ = __repr__ = __str__ = __getitem__ = _break
    __hash__ = None


def strange_function(rng: random.Random) -> Callable:
    """What a learner may have written in the place of a function."""

    def endless(*arguments: Any) -> Any:
        return endless(*arguments)

    def stop(*_: Any) -> Any:
        raise SystemExit(3)

    def overwrite(*arguments: Any) -> Any:
        for given in arguments:
            if isinstance(given, torch.Tensor):
                given.zero_()
            elif isinstance(given, dict):
                given.clear()
        return arguments[0] if arguments else None

    found = strange_answer(rng, functions=False)
    return rng.choice(
        [endless, stop, overwrite, lambda *_: found, lambda: 1, lambda a: a, lambda *a: a,
         lambda *_: 1 / 0, lambda *a: {}[a], lambda *a, **b: print("x" * 9999), max, type, object]
    )  # fmt: skip


def strange_answer(rng: random.Random, functions: bool = True) -> Any:
    """Anything at all."""
    number, sizes = rng.choice([0, 1, 2, 7, 23, 300, -1]), [0, 1, 2, 3, 36, 64]
    shape = [rng.choice(sizes) for _ in range(rng.randint(0, 4))]
    made = rng.choice(
        [
            nasty, nasty, lambda _: Hostile(), lambda _: [Hostile()], lambda _: {"a": Hostile()},
            lambda _: torch.full(shape, number), lambda _: np.full(shape, float(number)),
            lambda _: torch.rand(shape).to(rng.choice([torch.half, torch.complex64, torch.bool])),
            lambda _: torch.zeros(()).to("meta"), lambda _: torch.zeros(1).expand(2 * 10**8),
            lambda _: np.array(["a", None, {}], dtype=object), lambda _: np.float64("nan"),
            lambda _: {rng.choice(["action", "a", 3, None]): nasty(rng) for _ in range(3)},
            lambda _: {"actor_character": 0, "action": torch.tensor([number])}, lambda _: 10**5000,
            lambda _: [(rng.choice("abcde"), rng.choice("abcde")) for _ in range(9)],
            lambda _: itertools.repeat(("action", "reaction")), lambda _: range(10 ** abs(number)),
            lambda _: [range(10**9)], lambda _: iter([nasty(rng)]), lambda _: rng.choice("abcde"),
            lambda _: b"a",
            lambda _: torch.nn.Linear(2, 2), lambda _: json, lambda _: Exception, lambda _: ...,
            lambda _: (nasty(rng),) * rng.randint(0, 5),
        ]
    )  # fmt: skip
    return strange_function(rng) if functions and rng.random() < 0.3 else made(rng)


def spoilt_answer(rng: random.Random, answer: Any) -> Any:
    """A right answer with one part of it replaced, if it has parts."""
    if isinstance(answer, dict) and answer:
        return answer | {rng.choice([*answer, "more"]): strange_answer(rng)}
    if isinstance(answer, list | tuple) and answer:
        at = rng.randrange(len(answer))
        return [*answer[:at], strange_answer(rng), *answer[at + 1 :]]
    if isinstance(answer, str):
        return spoil_bytes(rng, answer.encode()).decode("utf-8", "replace")
    return strange_answer(rng)


def make_answer(rng: random.Random) -> tuple[str, Any, list]:
    """("look" or "look_at_quiz", the exercise's number, the answers)."""
    if rng.random() < 0.1:
        how = rng.choice(["look", "look_at_quiz"])
        return how, strange_answer(rng), [strange_answer(rng) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.2:
        return "look_at_quiz", "05", [strange_answer(rng) for _ in range(3)]
    number = rng.choice(sorted(read_judges()))
    case = CASES[number]
    answers = list(rng.choice(case.right + [given for _, given in case.wrong]))
    at = rng.randrange(len(answers)) if answers else 0
    if answers:
        answers[at] = spoilt_answer(rng, answers[at])
    return "look", number, answers


def read_answer(asked: tuple[str, Any, list], _: Path) -> Verdict:
    how, number, answers = asked
    verdict = getattr(Check(), how)(number, *answers)
    said = f"{verdict!r}\n{verdict._repr_html_()}"
    if verdict.state != "right":
        raise Refused(said)
    return verdict


def sound_verdict(verdict: Verdict) -> bool:
    """A spoilt answer may be right all the same, if what was spoilt is still there."""
    return isinstance(verdict, Verdict) and verdict.state == "right"


# ── Results and texts ───────────────────────────────────────────────────────────────────────────


@cache
def objects() -> list[dict]:
    paths = [HINTS, QUIZZES, *sorted(RESULTS.glob("*.json"))]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def make_object(rng: random.Random) -> bytes:
    """A JSON file that holds no object: its text is damaged, or it is something else."""
    text = json.dumps(rng.choice([*objects(), {}, {"runs": []}])).encode()
    match rng.randrange(5):
        case 0:
            return json.dumps(rng.choice([None, 3, "runs", [], [{}], True, 1e999])).encode()
        case 1:
            return text[: rng.randrange(len(text))]
        case 2:
            return rng.choice([b"\xff\xfe", b"\x00", b"", b"{", b"["]) + text
        case 3:
            at = rng.randrange(len(text))
            return text[:at] + rng.choice([b"\xff", b"[" * 100_000, b"9" * 5000]) + text[at:]
        case _:
            return spoil_json(rng, rng.choice(objects()))


def make_results(rng: random.Random) -> bytes:
    """Results without the figure that is asked for, or with another thing in its place."""
    strange = rng.choice([nasty(rng), [nasty(rng)] * 3, [1.0, 2.0], {}, None, ["x", "y", "z"]])
    whole = rng.choice([{}, {"right": strange}, {"right": {"a": strange}}, {"runs": strange}])
    return json.dumps(whole, default=str).encode("utf-8", "surrogatepass")


def read_seeds(_: Any, path: Path) -> str:
    return three_seeds(path.stem, "a", path.parent)


def sound_text(found: str) -> bool:
    return " ± " in found


def sound_object(found: Any) -> bool:
    return isinstance(found, dict) and json.loads(json.dumps(found)).keys() == found.keys()


# ── Lessons and notebooks ───────────────────────────────────────────────────────────────────────


@cache
def lessons() -> list[str]:
    sources = sorted((NOTEBOOKS / "source").glob("*.py"))
    return [path.read_text(encoding="utf-8") for path in sources[:3]]


def make_lesson(rng: random.Random) -> bytes:
    """A source whose front matter, cells or gaps are damaged; cells are few, so that it is fast."""
    top, body = rng.choice(lessons()).split("\n# ---\n", 1)
    body = "\n# %%".join(body.split("\n# %%")[:4])
    lines = f"{top}\n# ---\n{body}\n# %%\n# <solution>\nx = 1\n# <stub>\n# y\n# </solution>".split(
        "\n"
    )
    for _ in range(rng.randint(1, 3)):
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        i = rng.choice([i, rng.randrange(min(len(lines), 60))])
        key, colon, _ = lines[i].partition(":")
        lines[i] = rng.choice(
            [lines[j], "", f"# {lines[i]}", lines[i][2:], f"{key}{colon} {str(nasty(rng))[:900]}",
             "# ---", "# <solution>", "# <stub>", "# </solution>", f"{key}: &a [*a, *a]",
             "# %% [markdown] tags=[3]", "# %% tags=5", '# %% {"a": 1}', "\x0c", "# quiz: {}",
             "# %% x=[[[[[[", "# - !!python/object/apply:os.getcwd []", "# - 2026-01-01"]
        )  # fmt: skip
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return spoil_bytes(rng, text, 1) if rng.random() < 0.2 else text


def read_source(_: Any, path: Path) -> lesson.Lesson:
    """The file's name has to be a lesson's, as well."""
    (source := path.with_name("01-a-lesson.py")).write_bytes(path.read_bytes())
    try:
        return lesson.read_lesson(source)
    finally:
        source.unlink()


def sound_lesson(found: lesson.Lesson) -> bool:
    """Both copies can be made of it."""
    return all(len(lesson.build_notebook(found, copy, [found]).cells) > 5 for copy in lesson.COPIES)


@cache
def notebook() -> dict:
    return json.loads((NOTEBOOKS / "00-start-here.ipynb").read_text(encoding="utf-8"))


def make_notebook(rng: random.Random) -> bytes:
    """A notebook on disk, of which the builder is to think nothing but that it has to be made."""
    good = notebook()
    return spoil_json(rng, good | {"cells": good["cells"][: rng.randint(1, 8)]})


@cache
def plan() -> NotebookNode:
    found = build.read_lessons(NOTEBOOKS / "source")
    return lesson.build_notebook(found[0], "learner", found)


def read_planned(_: Any, path: Path) -> NotebookNode:
    found = build.read_notebook(path)
    if not build.is_as_planned(plan(), found):
        raise Refused("not as planned: it is built anew")
    return found


def sound_notebook(found: NotebookNode) -> bool:
    nbformat.validate(found)
    return True
