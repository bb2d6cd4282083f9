"""One source file of the course -> the cells of its learner's and its worked copy. No execution.

The format is told in `source/README.md`. Everything here is a pure function of the source's text.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode

FORMAT = (
    2  # raise it when the same source should give other cells: every notebook is then built anew
)
COPIES = ("learner", "worked")
OPEN, STUB, CLOSE = "# <solution>", "# <stub>", "# </solution>"
DEFAULT_STUB = "...  # your code"
WORDS_PER_MINUTE, CODE_LINES_PER_MINUTE = 180, 12  # reading slowly, and code more slowly still
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
KEYS = {
    "title": str,
    "question": str,
    "objectives": list,
    "minutes": dict,
    "need": str,
    "built": str,
    "key_ideas": list,
    "mistakes": list,
    "quiz": list,
}


class LessonError(ValueError):
    """A source that doesn't follow the format: names the file, the place, what was expected."""


@dataclass(frozen=True)
class Lesson:
    """A parsed source: its name ("03-a-world-in-pyro"), front matter, and cells with their gaps."""

    name: str
    about: dict
    cells: list[NotebookNode]

    @property
    def number(self) -> str:
        return self.name.split("-")[0]

    @property
    def title(self) -> str:
        return f"{self.number} · {self.about['title']}"


def read_lesson(path: Path) -> Lesson:
    """Parse one percent-script; raises LessonError."""
    if not re.fullmatch(r"\d\d-[a-z0-9-]+", path.stem):
        raise LessonError(f"{path.name}: expected a name like '03-a-world-in-pyro.py'")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LessonError(f"{path.name}: not UTF-8 text: {error.reason}") from error
    front, body = split_front_matter(text, path.name)
    cells = split_cells(body, path.name)
    for cell in cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's own note of the blank lines
        if dict(cell.metadata) not in ({}, {"tags": ["solution"]}):
            raise LessonError(
                f"{path.name}: cell {cell.source[:40]!r} is marked {dict(cell.metadata)}; "
                'the only mark there is is tags=["solution"]'
            )
        fill(cell.source, "worked", path.name)  # a broken gap is found here, not when it is built
    return Lesson(path.stem, check_front_matter(front, path.name), cells)


def split_cells(body: str, name: str) -> list[NotebookNode]:
    """The cells below the front matter."""
    try:
        return jupytext.reads(body, fmt="py:percent").cells
    except Exception as error:  # jupytext breaks in many ways on a strange mark
        raise LessonError(f"{name}: a cell's mark '# %%' can't be read ({error!s:.200})") from error


def split_front_matter(text: str, name: str) -> tuple[dict, str]:
    """The YAML between the two `# ---` lines at the top, and the rest."""
    lines = text.splitlines()
    if not lines or lines[0] != "# ---" or "# ---" not in lines[1:]:
        raise LessonError(f"{name}: line 1: expected front matter between two lines '# ---'")
    end = lines.index("# ---", 1)
    for number, line in enumerate(lines[1:end], start=2):
        if line != "#" and not line.startswith("# "):
            raise LessonError(f"{name}: line {number}: front matter lines begin with '# '")
    try:
        front = yaml.safe_load("\n".join(line[2:] for line in lines[1:end]))
    except yaml.YAMLError as error:
        raise LessonError(f"{name}: the front matter isn't YAML: {error}") from error
    if not isinstance(front, dict):
        raise LessonError(f"{name}: the front matter should be 'key: value' lines")
    return front, "\n".join(lines[end + 1 :]).lstrip("\n") + "\n"


def check_front_matter(front: dict, name: str) -> dict:
    """Every key there, of the right kind, and nothing else; raises LessonError."""
    for key in [*KEYS, *front]:
        if key not in front:
            raise LessonError(f"{name}: the front matter lacks '{key}'")
        if key not in KEYS:
            raise LessonError(
                f"{name}: unknown key '{key}' in the front matter; known: {list(KEYS)}"
            )
        if not isinstance(front[key], KEYS[key]) or not front[key]:
            raise LessonError(f"{name}: '{key}' should be a {KEYS[key].__name__} and not empty")
    minutes = front["minutes"]
    if set(minutes) != {"running", "exercises"} or not all(
        type(m) is int for m in minutes.values()
    ):
        raise LessonError(
            f"{name}: 'minutes' should be {{running: N, exercises: N}} in whole minutes"
        )
    for key in ("objectives", "key_ideas", "mistakes"):
        if not all(isinstance(item, str) for item in front[key]):
            raise LessonError(
                f"{name}: '{key}' should be a list of texts (quote those with a colon)"
            )
    for i, item in enumerate(front["quiz"], start=1):
        if not isinstance(item, dict) or set(item) - {"hints"} != {
            "ask",
            "options",
            "answer",
            "why",
        }:
            raise LessonError(
                f"{name}: quiz question {i} should have ask, options, answer, why, perhaps hints"
            )
        options, answer = item["options"], item["answer"]
        if not isinstance(options, list) or not 2 <= len(options) <= 5:
            raise LessonError(f"{name}: quiz question {i} should have 2 to 5 options")
        if answer not in list("abcde"[: len(options)]):
            raise LessonError(f"{name}: quiz question {i}: answer {answer!r} is no option's letter")
        hints, wrong = item.get("hints", {}), set("abcde"[: len(options)]) - {answer}
        if not isinstance(hints, dict) or not set(hints) <= wrong:
            raise LessonError(
                f"{name}: quiz question {i}: hints are for {sorted(wrong)}: a text each"
            )
    return front


def fill(source: str, copy: str, name: str) -> str:
    """A cell's text for one copy: the worked lines, or what the learner finds in their place."""
    out, inside, worked, stub = [], None, [], []
    for line in source.split("\n"):
        mark, indent = line.strip(), line[: len(line) - len(line.lstrip())]
        if mark == OPEN and inside is None:
            inside, worked, stub = "worked", [], []
        elif mark == STUB and inside == "worked":
            inside = "stub"
        elif mark == CLOSE and inside:
            out += worked if copy == "worked" else stub or [indent + DEFAULT_STUB]
            inside = None
        elif mark in (OPEN, STUB, CLOSE):
            raise LessonError(f"{name}: '{mark}' out of place: {OPEN} … {STUB} … {CLOSE}")
        elif inside == "worked":
            worked.append(line)
        elif inside == "stub":
            if mark and not mark.startswith("#"):
                raise LessonError(f"{name}: stub lines are comments in the source, found {mark!r}")
            stub.append(re.sub(r"^(\s*)# ?", r"\1", line))
        else:
            out.append(line)
    if inside:
        raise LessonError(f"{name}: a gap isn't closed: '{CLOSE}' is missing")
    return "\n".join(out)


def reading_minutes(lesson: Lesson) -> int:
    """How long it takes to read the learner's copy once, in whole minutes."""
    about = lesson.about
    words = len(f"{recap(about)} {quiz(about)} {quiz_answers(about)}".split())
    lines = 0
    for cell in lesson.cells:
        if "solution" not in cell.metadata.get("tags", ()):
            text = fill(cell.source, "learner", lesson.name)
            words += len(text.split()) if cell.cell_type == "markdown" else 0
            lines += len(text.splitlines()) if cell.cell_type == "code" else 0
    return math.ceil(words / WORDS_PER_MINUTE + lines / CODE_LINES_PER_MINUTE)


def bullets(items: list[str]) -> str:
    return "\n".join(f"- {item.strip()}" for item in items)


def navigation(lesson: Lesson, copy: str, lessons: list[Lesson]) -> str:
    """Previous, contents, the other copy, next: relative to the notebook's own folder."""
    names = [other.name for other in lessons]
    here = names.index(lesson.name)
    links = []
    if here:
        links.append(f"[← {lessons[here - 1].title}]({names[here - 1]}.ipynb)")
    if copy == "learner":
        links.append("[Contents](../README.md)")
        links.append(f"[Worked copy](solutions/{lesson.name}.ipynb)")
    else:
        links.append("[Contents](../../README.md)")
        links.append(f"[Learner's copy](../{lesson.name}.ipynb)")
    if here + 1 < len(names):
        links.append(f"[{lessons[here + 1].title} →]({names[here + 1]}.ipynb)")
    return " | ".join(links)


def header(lesson: Lesson, copy: str, minutes: dict[str, int], nav: str) -> str:
    about = lesson.about
    return "\n\n".join(
        [
            f"# {lesson.title}" + (" (worked copy)" if copy == "worked" else ""),
            f"**The question:** {about['question']}",
            "**By the end you will be able to**\n\n" + bullets(about["objectives"]),
            "**Minutes:** {total} in all: {reading} reading, {running} running, "
            "{exercises} exercises".format(total=sum(minutes.values()), **minutes),
            f"**You need:** {about['need']}",
            f"**You will have built:** {about['built']}",
            nav,
        ]
    )


def recap(about: dict) -> str:
    parts = {"You can now": "objectives", "Key ideas": "key_ideas", "Common mistakes": "mistakes"}
    return "\n\n".join(f"## {title}\n\n{bullets(about[key])}" for title, key in parts.items())


def quiz(about: dict) -> str:
    """The questions with their options."""
    questions = []
    for i, item in enumerate(about["quiz"], start=1):
        options = [f"    - **{'abcde'[j]}** {text}" for j, text in enumerate(item["options"])]
        questions.append("\n".join([f"{i}. {item['ask']}", *options]))
    return "## Quiz\n\n" + "\n".join(questions)


def quiz_check(lesson: Lesson, copy: str) -> str:
    """The code that checks the letters: the learner's to fill in, the worked copy's all right."""
    letters = [
        f'"{item["answer"]}"' if copy == "worked" else "..." for item in lesson.about["quiz"]
    ]
    call = f'check.quiz("{lesson.number}", {", ".join(letters)})'
    note = "" if copy == "worked" else '  # a letter for each, such as "a"'
    return f"from cimg.check import check\n\n{call}{note}"


def quiz_answers(about: dict) -> str:
    """The answers, folded away, each with its reason."""
    answers = [f"{i}. **{q['answer']}**: {q['why']}" for i, q in enumerate(about["quiz"], start=1)]
    opening = "<details><summary>Answers, once you have chosen</summary>"
    return "\n\n".join([opening, "\n".join(answers), "</details>"])


def quizzes(lessons: list[Lesson]) -> str:
    """What `cimg.check` has to know of all quizzes, as JSON: letters, answers, reasons, hints."""
    known = {}
    for lesson in lessons:
        questions = [
            {
                "letters": "abcde"[: len(item["options"])],
                "answer": item["answer"],
                "why": item["why"],
                "hints": item.get("hints", {}),
            }
            for item in lesson.about["quiz"]
        ]
        known[lesson.number] = {"name": lesson.name, "questions": questions}
    return json.dumps(known, indent=1, ensure_ascii=False) + "\n"


def build_cells(
    lesson: Lesson, copy: str, lessons: list[Lesson]
) -> tuple[list[NotebookNode], dict]:
    """All cells of one copy, unexecuted, with stable ids; and the minutes its header states."""
    body, used = [], set()
    for cell in lesson.cells:
        if copy == "learner" and "solution" in cell.metadata.get("tags", ()):
            continue
        tags = ["exercise"] if OPEN in cell.source else cell.metadata.get("tags", [])
        source = fill(cell.source, copy, lesson.name)
        if cell.cell_type == "markdown" and copy == "worked":
            source = re.sub(r"(\]\(|src=\"|href=\")\.\./", r"\1../../", source)
        body.append(new_cell(cell.cell_type, source, cell_id(lesson, cell.source, used), tags))
    nav = navigation(lesson, copy, lessons)
    closing = {
        "recap": recap(lesson.about),
        "quiz": quiz(lesson.about),
        "quiz-check": quiz_check(lesson, copy),
        "answers": quiz_answers(lesson.about) + "\n\n---\n\n" + nav,
    }
    footer = [
        new_cell(
            "code" if key == "quiz-check" else "markdown", text, f"{lesson.number}-{key}", [key]
        )
        for key, text in closing.items()
    ]
    minutes = {"reading": reading_minutes(lesson), **lesson.about["minutes"]}
    top = new_cell(
        "markdown", header(lesson, copy, minutes, nav), f"{lesson.number}-header", ["header"]
    )
    return [top, *body, *footer], minutes


def new_cell(kind: str, source: str, identity: str, tags: list[str]) -> NotebookNode:
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source, id=identity, metadata={"tags": tags} if tags else {})


def cell_id(lesson: Lesson, source: str, used: set[str]) -> str:
    """From what the cell says in the source, so that inserting a cell changes no other's id."""
    stem = f"{lesson.number}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    identity, n = stem, 1
    while identity in used:
        n += 1
        identity = f"{stem}-{n}"
    used.add(identity)
    return identity


def build_notebook(lesson: Lesson, copy: str, lessons: list[Lesson]) -> NotebookNode:
    """One copy, unexecuted: what the sources say it should be."""
    cells, minutes = build_cells(lesson, copy, lessons)
    text = repr([FORMAT, [(c.cell_type, c.id, c.source, c.metadata) for c in cells]])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    about = {"copy": copy, "digest": digest, "minutes": minutes, "name": lesson.name}
    metadata = {"cimg": about, "kernelspec": dict(KERNELSPEC), "language_info": dict(LANGUAGE)}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)
