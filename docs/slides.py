"""Slides made from the notebooks: python -m docs.slides [FOLDER]     (`make slides`: build/slides)

One page for each notebook, complete in itself: no network, nothing to install, a browser is enough.
What is on them follows from a rule: each section with its first sentences, each picture and table
with what there is to see in it, each exercise, the questions of the teacher's notes, key ideas,
mistakes, quiz. The rest of the text stands in the notes below (key N).
"""

import base64
import html
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from nbformat import NotebookNode

import rules
from build import write_atomically
from docs import HERE, ROOT
from docs.page import FORMATTER, embedded, inline, output, reader
from docs.sources import Taught, taught

WORDS = {"section": 60, "exercise": 75, "beside a picture": 38}
LINES, COLUMNS = 12, 80  # of printed text that fits on a slide
ROWS = 11  # of a table, its head included
FORMULA = 8  # words that a formula counts as
WIDE = 1.9  # a picture at least so many times as wide as high stands below the text, not beside it
KEYS = (
    "<kbd>→</kbd> on, <kbd>←</kbd> back, <kbd>N</kbd> notes, "
    "<kbd>A</kbd> all on one page (to print)"
)
ENDS = ("header", "recap", "quiz", "quiz-check", "answers")


@dataclass
class Slide:
    """`kind`: title, section, exercise, question, list or quiz; `text` and `notes` are Markdown,
    `figure` and `answer` HTML."""

    kind: str
    title: str
    text: str = ""
    figure: str = ""
    shape: str = ""
    answer: str = ""
    notes: str = ""

    @property
    def talked(self) -> bool:
        """Whether the teacher talks about it: exercises and questions have their own minutes."""
        return self.kind in ("title", "section", "list")


def gist(text: str, most: int) -> str:
    """The first sentences and list items of a text, at most so many words; the first in any case.

    No code, no pictures, and of links only their words."""
    text = re.sub(r"^```.*?^```\n?", "", text, flags=re.MULTILINE | re.DOTALL)
    text = rules.LINK.sub(lambda link: "" if link[1] else link[2], text)
    taken, left = [], most
    for piece in pieces(text):
        formula = piece.startswith(("$$", "P(")) and " = " in piece
        cost = FORMULA if formula else rules.count_words(piece)
        if cost > left and taken:
            break
        taken.append(piece)
        left -= cost
    while len(taken) > 1 and unfinished("".join(taken).strip()):
        taken.pop()
    return "".join(taken).strip()


def unfinished(text: str) -> bool:
    """It announces what isn't there any more, or stops inside parentheses."""
    return text.endswith(":") or text.count("(") != text.count(")")


def pieces(text: str) -> Iterator[str]:
    """Sentences and list items, each with the white space behind it."""
    for block in re.findall(r".+?(?:\n{2,}|\Z)", text.strip(), flags=re.DOTALL):
        if re.match(r"[-*] |\d+\. |\|", block):
            yield from re.findall(
                r"(?:[-*] |\d+\. |\|).*?(?:\n(?=[-*] |\d+\. |\|)|\Z)", block, re.DOTALL
            )
        elif block.startswith("$$"):
            yield block
        else:
            yield from re.split(r"(?<=[.!?:][ \n])(?=[A-Z*\"(`])", block)


def sections(cells: list[NotebookNode]) -> Iterator[tuple[str, str, NotebookNode | None]]:
    """Heading ("" where the last one goes on), text, and a cell with something to see, in order."""
    for cell in cells:
        if cell.cell_type == "code":
            yield "", "", cell
            continue
        parts = re.split(r"^#{2,3} +(.+)$", cell.source, flags=re.MULTILINE)
        if parts[0].strip():
            yield "", parts[0].strip(), None
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            yield heading.strip(), text.strip(), None


def figure(cell: NotebookNode) -> tuple[str, str]:
    """The last picture or table of a cell as HTML, and its shape; empty if there is none."""
    if "exercise" in cell.metadata.get("tags", ()) or re.search(
        r"^check\(", cell.source, re.MULTILINE
    ):
        return "", ""
    for found in reversed(cell.outputs):
        data = found.get("data", {})
        if "image/png" in data:
            wide = aspect(data["image/png"]) >= WIDE
            return output(found, embedded), "wide" if wide else "beside"
        if "<table" in data.get("text/html", ""):
            return shortened(output(found, embedded)), "wide"
        said = found.get("text", "").rstrip().splitlines()
        if said and len(said) <= LINES and max(map(len, said)) <= COLUMNS:
            return output(found, embedded), "printed"
    return "", ""


def shortened(table: str) -> str:
    """A table's first rows, and how many more there are in the notebook."""
    rows = re.findall(r"<tr\b.*?</tr>", table, re.DOTALL)
    if len(rows) <= ROWS:
        return table
    for row in rows[ROWS:]:
        table = table.replace(row, "", 1)
    return f"{table}<p>… and {len(rows) - ROWS} more rows in the notebook.</p>\n"


def aspect(png: str) -> float:
    """Width over height, out of a PNG's first bytes."""
    head = base64.b64decode(png[:64])
    return int.from_bytes(head[16:20], "big") / int.from_bytes(head[20:24], "big")


def body(cells: list[NotebookNode]) -> list[Slide]:
    """The slides of what stands between header and footer."""
    made = [Slide("section", "")]
    for heading, text, cell in sections(cells):
        now = made[-1]
        if heading:
            kind = "exercise" if heading.startswith("Exercise ") else "section"
            made.append(Slide(kind, heading, gist(text, WORDS[kind]), notes=text))
        elif cell is not None:
            shown, shape = figure(cell)
            if shape == "printed" and (now.figure or now.kind == "exercise"):
                continue
            if shown and (now.figure or now.kind == "exercise"):
                made.append(Slide("section", now.title, "", shown, shape))
            elif shown:
                now.figure, now.shape = shown, shape
                now.text = gist(now.text, WORDS["beside a picture"])
        else:
            goes_on(now, text)
    return [slide for slide in made if slide.title and (slide.text or slide.figure)]


def goes_on(slide: Slide, text: str) -> None:
    """Text further down in a section: to the slide what still fits, all of it to the notes."""
    if slide.kind == "section":
        most = WORDS["beside a picture" if slide.shape == "beside" else "section"]
        room = most - rules.count_words(slide.text)
        more = gist(text, room) if room > 0 else ""
        if more and rules.count_words(more) <= room:
            slide.text = f"{slide.text}\n\n{more}".strip()
    slide.notes += "\n\n" + text


def slides(lesson: Taught) -> list[Slide]:
    """All slides of a notebook."""
    about, notes = lesson.lesson.about, lesson.notes
    goals = "\n".join(f"- {item}" for item in about["objectives"])
    opening = f"**{about['question']}**\n\nBy the end you will be able to\n\n{goals}"
    made = [Slide("title", lesson.lesson.title, opening, notes=notes.get("about", ""))]
    made += body([cell for cell in lesson.cells if not set(rules.tags(cell)) & set(ENDS)])
    for item in notes.get("discuss", ()):
        made.append(Slide("question", "To discuss", item["ask"], answer=reader()(item["expect"])))
    for title, key in (("Key ideas", "key_ideas"), ("Common mistakes", "mistakes")):
        made.append(Slide("list", title, "\n".join(f"- {item}" for item in about[key])))
    for i, item in enumerate(about["quiz"], start=1):
        options = "\n".join(f"- **{'abcde'[j]}** {o}" for j, o in enumerate(item["options"]))
        answer = f"<p><strong>{item['answer']}</strong>: {inline(item['why'])}</p>"
        made.append(Slide("quiz", f"Quiz {i}", f"{item['ask']}\n\n{options}", answer=answer))
    return made


# --- pages ----------------------------------------------------------------------------------------


def page_of(slide: Slide, number: int, of: int) -> str:
    """One slide."""
    to_html, head = reader(), "h1" if slide.kind == "title" else "h2"
    inner = [f'<div class="text">{to_html(slide.text)}</div>' if slide.text else "", slide.figure]
    if slide.answer:
        inner.append(f'<div class="answer">{slide.answer}</div>')
    notes = f'<aside class="notes" aria-label="Notes">{reader()(slide.notes)}</aside>'
    return (
        f'<section class="slide {slide.kind} {slide.shape}" id="s{number}" '
        f'aria-label="Slide {number} of {of}">\n<{head}>{inline(slide.title)}</{head}>\n'
        f'<div class="body">\n{"".join(inner)}\n</div>\n{notes if slide.notes.strip() else ""}'
        f'<p class="number">{number} / {of}</p>\n</section>\n'
    )


def unlinked(page: str) -> str:
    """A slide lies elsewhere than its notebook: of links into the course, only the words stay, and
    anchors, which two slides could share, go."""
    page = re.sub(r'<a href="(?!https?:)[^"]*"[^>]*>(.*?)</a>', r"\1", page, flags=re.DOTALL)
    return re.sub(r'(<h\d) id="[^"]*"', r"\1", page)


def deck(lesson: Taught, following: Taught | None) -> str:
    """The page with all slides of a notebook."""
    made = slides(lesson)
    shown = "".join(unlinked(page_of(s, i, len(made))) for i, s in enumerate(made, start=1))
    after = (
        f'<a href="{following.name}.html">{html.escape(following.lesson.title)}</a> · '
        if following
        else ""
    )
    after += f'<a href="index.html">all slides</a> · {KEYS}'
    bar = f'<nav class="bar" aria-label="Slides">{after}</nav>'
    return wrap(lesson.lesson.title, f'<main class="deck">\n{shown}</main>\n{bar}', script=True)


def wrap(title: str, inner: str, script: bool = False) -> str:
    """A page that needs no other file."""
    style = (HERE / "assets" / "slides.css").read_text(encoding="utf-8")
    style += FORMATTER.get_style_defs(".code")
    code = (HERE / "assets" / "slides.js").read_text(encoding="utf-8") if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{html.escape(title)}: slides</title>\n'
        f"<style>\n{style}\n</style>\n</head>\n<body>\n{inner}\n"
        + (f"<script>\n{code}\n</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def contents(lessons: list[Taught]) -> str:
    """The page from which all others are reached."""
    rows = "".join(
        f'<li><a href="{lesson.name}.html">{html.escape(lesson.lesson.title)}</a>: '
        f"{html.escape(lesson.lesson.about['question'])} ({len(slides(lesson))} slides)</li>\n"
        for lesson in lessons
    )
    return wrap(
        "cimg", f'<main class="contents"><h1>Slides</h1>\n<p>{KEYS}</p>\n<ul>\n{rows}</ul></main>'
    )


def build(folder: Path, lessons: list[Taught] | None = None) -> list[Path]:
    """Write all pages; returns where they are."""
    lessons = taught() if lessons is None else lessons
    written = [folder / "index.html"]
    write_atomically(written[0], contents(lessons))
    for lesson, following in zip_longest(lessons, lessons[1:]):
        written.append(folder / f"{lesson.name}.html")
        write_atomically(written[-1], deck(lesson, following))
    return written


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else ROOT / "build" / "slides"
    made = build(folder)
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    print(f"{len(made) - 1} decks: open {shown / 'index.html'} in a browser")


if __name__ == "__main__":
    main(sys.argv[1:])
