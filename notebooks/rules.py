"""The rules that every notebook of the course keeps, as functions of one parsed notebook.

Each takes a notebook (and what else it needs) and returns a list of findings, empty if all is well.
`findings(notebook, path)` asks all of them. The tests show each of them a notebook that breaks it.
"""

import ast
import re
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MOST = {"cells": 40, "code lines": 150, "lines in a cell": 20, "words": 2000, "KB": 300}
VAGUE = {"know", "understand", "learn", "be", "see", "get", "the", "a", "an", "how", "why", "what"}
HEADER = (
    "**The question:** ",
    "**By the end you will be able to**",
    "**Minutes:** ",
    "**You need:** ",
    "**You will have built:** ",
)
MINUTES = re.compile(
    r"\*\*Minutes:\*\* (\d+) in all: (\d+) reading, (\d+) running, (\d+) exercises"
)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)  # shown, not followed
HTML_LINK = re.compile(r"<(a|img)\b([^>]*)>")
ABSOLUTE_PATH = re.compile(
    r"(?:^|(?<=[\s'\"=(\[,]))(?:/[A-Za-z_.][\w.-]*){2,}|\b[A-Z]:\\\w+", re.MULTILINE
)
SHELL = re.compile(r"^\s*(?:!|%%?(?:pip|conda|sh|bash|system|cd)\b)", re.MULTILINE)
# Graphs; bars with their numbers; curves with the first and last: "p 0.1 to 0.35".
IN_WORDS = re.compile(
    r"^Causal graph of |(^|: |[?.!] )bars, .*: .*\d|curves of .*: .*[\d.]+ to [\d.]+"
)
SANITIZE = Path(__file__).resolve().parents[1] / "tests" / "nbval-sanitize.cfg"
DRAWS = {"rand", "randn", "rand_like", "randn_like", "randint", "randperm", "multinomial"}
IN_PLACE = {"normal_", "uniform_", "bernoulli_"}
SEEDS = {"manual_seed", "set_rng_seed"}
DIGEST = re.compile(r"\b[Pp]ixels [0-9a-f]{8}\b")
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


def markdown(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def tagged(notebook: NotebookNode, tag: str) -> str:
    """The text of the one cell with this tag; empty if there isn't exactly one."""
    found = [cell.source for cell in notebook.cells if tag in tags(cell)]
    return found[0] if len(found) == 1 else ""


def section(text: str, heading: str) -> list[str]:
    """The bullets below a heading, up to the first line that is none."""
    _, found, rest = text.partition(heading + "\n\n")
    bullets = re.match(r"(?:- .*\n?)*", rest).group() if found else ""
    return [line[2:] for line in bullets.splitlines()]


def count_words(text: str) -> int:
    """Words that are read: no link targets, no HTML tags, no markup."""
    text = LINK.sub(r"\2", re.sub(r"<[^>]*>", " ", text))
    return len(re.findall(r"\w[\w'’.-]*", text))


def output_texts(cell: NotebookNode) -> list[str]:
    """All that a cell's outputs say in words."""
    texts = []
    for output in cell.get("outputs", ()):
        texts.append(output.get("text", ""))
        texts += [v for k, v in output.get("data", {}).items() if k.startswith("text/")]
    return texts


# --- size -----------------------------------------------------------------------------------------


def size(notebook: NotebookNode, length: int) -> list[str]:
    """COURSE: how long a notebook may be; `length` is the file's, in bytes.

    The two cells that the builder puts behind the quiz, its check and its folded answers, count
    neither as cells nor as code: they are the same in every notebook and nobody has to read code
    there. Their words count.
    """
    own = [c for c in notebook.cells if not {"quiz-check", "answers"} & set(tags(c))]
    lines = [len(cell.source.splitlines()) for cell in own if cell.cell_type == "code"]
    is_ = {
        "cells": len(own),
        "code lines": sum(lines),
        "lines in a cell": max(lines, default=0),
        "words": sum(count_words(cell.source) for cell in markdown(notebook)),
        "KB": length / 1000,
    }
    return [
        f"{is_[k]:.0f} {k}, at most {most} allowed" for k, most in MOST.items() if is_[k] > most
    ]


# --- header and footer ----------------------------------------------------------------------------


def header(notebook: NotebookNode) -> list[str]:
    """First cell: title, question, objectives, minutes, what is needed, what will be built."""
    text = notebook.cells[0].source if notebook.cells else ""
    found = []
    if tagged(notebook, "header") != text or not re.match(r"# \d\d · \S", text):
        found.append("the first cell should be the header, '# NN · Title'")
    found += [f"the header lacks '{part.strip()}'" for part in HEADER if part not in text]
    objectives = section(text, HEADER[1])
    if not 3 <= len(objectives) <= 5:
        found.append(f"{len(objectives)} objectives, 3 to 5 expected")
    for objective in objectives:
        verb = re.split(r"\W", objective.lower().lstrip("*"), maxsplit=1)[0]
        if verb in VAGUE or verb.endswith("ing"):
            found.append(f"objective '{objective}': begin with a verb that can be seen being done")
    minutes = MINUTES.search(text)
    if minutes:
        total, *parts = map(int, minutes.groups())
        if total != sum(parts):
            found.append(f"the minutes add up to {sum(parts)}, not {total}")
    elif HEADER[2] in text:
        found.append(
            "the minutes should read '**Minutes:** N in all: N reading, N running, N exercises'"
        )
    return found


def footer(notebook: NotebookNode) -> list[str]:
    """ "You can now" mirrors the objectives one for one; key ideas; common mistakes."""
    text = tagged(notebook, "recap")
    found = [
        f"the footer lacks '{heading}' with its bullets"
        for heading in ("## You can now", "## Key ideas", "## Common mistakes")
        if not section(text, heading)
    ]
    can, objectives = (
        section(text, "## You can now"),
        section(tagged(notebook, "header"), HEADER[1]),
    )
    if can != objectives:
        found.append("'You can now' doesn't mirror the objectives one for one")
    return found


def quiz(notebook: NotebookNode) -> list[str]:
    """Three questions with two options or more; a check of the letters; the answers, and why."""
    asked, answers = tagged(notebook, "quiz"), tagged(notebook, "answers")
    questions = re.split(r"^\d\. ", asked, flags=re.MULTILINE)[1:]
    found = [] if len(questions) == 3 else [f"{len(questions)} quiz questions, 3 expected"]
    checked = re.search(r"^check\.quiz\((.*)\)", tagged(notebook, "quiz-check"), re.MULTILINE)
    if not checked or checked[1].count(",") != len(questions):
        found.append("no code cell that checks a letter for each quiz question")
    if "<details>" not in answers:
        found.append("the quiz's answers aren't folded away")
    given = dict(re.findall(r"^(\d)\. \*\*([a-e])\*\*: \S", answers, flags=re.MULTILINE))
    for number, question in enumerate(questions, start=1):
        options = re.findall(r"^ +- \*\*([a-e])\*\* \S", question, flags=re.MULTILINE)
        if len(options) < 2 or options != list("abcde"[: len(options)]):
            found.append(f"quiz question {number}: options a, b, … expected, found {options}")
        if given.get(str(number)) not in options:
            found.append(
                f"quiz question {number}: no answer that is one of its options, with a reason"
            )
    return found


def navigation(notebook: NotebookNode, previous: str | None, following: str | None) -> list[str]:
    """The last cell leads on and back: `previous` and `following` are notebooks' file names."""
    last = notebook.cells[-1].source if notebook.cells else ""
    targets = [target for _, _, target in LINK.findall(last)]
    wanted = filter(None, (previous, following))
    return [f"the last cell has no link to {name}" for name in wanted if name not in targets]


# --- outputs --------------------------------------------------------------------------------------


def execution(notebook: NotebookNode) -> list[str]:
    """Run once from top to bottom: counts 1, 2, 3, …"""
    counts = [cell.execution_count for cell in code(notebook) if cell.source.strip()]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"not run from top to bottom in a fresh kernel: counts {counts}"]


def outputs(notebook: NotebookNode) -> list[str]:
    """No error, nothing on stderr, no address in memory, no path of the machine that ran it."""
    found = []
    for cell in code(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {cell.id}: an output is an error, {output.get('ename')}")
            if output.get("name") == "stderr":
                found.append(f"cell {cell.id}: something was written to stderr")
        for text in output_texts(cell):
            for what, pattern in (("path", ABSOLUTE_PATH), ("address in memory", ADDRESS)):
                if pattern.search(text):
                    found.append(
                        f"cell {cell.id}: a machine's {what}: {pattern.search(text).group()!r}"
                    )
    return found


def sources(notebook: NotebookNode) -> list[str]:
    """No path of a machine and no shell, installer or download in what the learner reads."""
    found = []
    for cell in notebook.cells:
        if ABSOLUTE_PATH.search(cell.source) and cell.cell_type == "code":
            path = ABSOLUTE_PATH.search(cell.source).group()
            found.append(f"cell {cell.id}: a machine's path: {path!r}")
        if cell.cell_type == "code" and SHELL.search(cell.source):
            found.append(f"cell {cell.id}: a shell command: {SHELL.search(cell.source).group()!r}")
        if cell.cell_type == "code" and re.search(r"https?://", cell.source):
            found.append(f"cell {cell.id}: an address on the network in code")
    return found


def pictures(notebook: NotebookNode) -> list[str]:
    """Every picture says in words what it shows, and text after it says what to see in it."""
    found = []
    for i, cell in enumerate(notebook.cells):
        shown = [o for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
        for output in shown:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "").strip()
            if len(alt) < 15 or alt.startswith("<"):
                found.append(f"cell {cell.id}: a picture without alt text (metadata): {alt!r}")
        after = notebook.cells[i + 1] if i + 1 < len(notebook.cells) else None
        if shown and (after is None or after.cell_type != "markdown"):
            found.append(f"cell {cell.id}: no text after the picture that says what to see in it")
        if cell.cell_type == "markdown":
            found += [
                f"cell {cell.id}: ![]({target}) without alt text"
                for is_image, alt, target in LINK.findall(cell.source)
                if is_image and not alt
            ]
            found += [
                f"cell {cell.id}: <img> without alt text"
                for tag, attributes in HTML_LINK.findall(cell.source)
                if tag == "img" and not re.search(r'alt="[^"]', attributes)
            ]
    return found


def shown(notebook: NotebookNode) -> list[str]:
    """What `show` makes is the last line of its cell: only that one's value is displayed."""
    found = []
    for cell in code(notebook):
        try:
            *lines, _ = ast.parse(cell.source).body or [None]
        except SyntaxError:  # a magic, say, which is for `sources` to find
            continue
        for line in lines:
            called = line.value if isinstance(line, ast.Expr) else None
            if isinstance(called, ast.Call) and ast.unparse(called.func).startswith("show."):
                made = ast.unparse(called.func)
                found.append(f"cell {cell.id}: {made}(...) isn't its last line: nobody will see it")
    return found


ROW = re.compile(r"≈ ?[-+]?\d[\d.,]*(?: to| ±)? [-+]?\d[\d.,]*(?=\s|<|$)")


def trained_numbers(notebook: NotebookNode) -> list[str]:
    """A number after ≈ isn't compared by nbval, so the cell that prints it has to assert it; the
    next number is compared, and is another on another processor, if it was trained as well."""
    found = []
    for cell in code(notebook):
        texts = output_texts(cell)
        if any("≈" in text for text in texts) and "assert " not in cell.source:
            found.append(f"cell {cell.id}: prints ≈ but asserts nothing")
        rows = (match for text in texts if (match := ROW.search(text)))
        found += [f"cell {cell.id}: one ≈ for several numbers: {row[0]}" for row in rows]
    return found


def seeds(notebook: NotebookNode) -> list[str]:
    """Random numbers of torch's are drawn only after a seed is set: its own is another each time,
    and an assertion that holds nearly always fails now and then. (What functions draw is up to
    where they are called.)"""
    found, seeded = [], False
    for cell in code(notebook):
        source = re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.MULTILINE)
        for statement in ast.parse(source).body:
            seeded = seeded or any(name_of(x) in SEEDS for x in calls(statement, functions=True))
            if not seeded and any(map(is_random, calls(statement, functions=False))):
                found.append(f"cell {cell.id}: draws random numbers, but no seed is set")
    return found


def calls(tree: ast.AST, functions: bool) -> list[ast.Call]:
    """All calls in a statement, those in the bodies of functions and classes too, or not."""
    inner = ast.FunctionDef | ast.ClassDef | ast.Lambda
    if not functions and isinstance(tree, inner):
        return []
    own = [tree] if isinstance(tree, ast.Call) else []
    return own + [x for part in ast.iter_child_nodes(tree) for x in calls(part, functions)]


def name_of(call: ast.Call) -> str:
    """What is called: manual_seed, of torch.manual_seed(0)."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def is_random(call: ast.Call) -> bool:
    """Whether torch's own generator is asked: torch.randn(3), x.normal_(), a distribution's
    sample() or sample((3,)). A world's sample takes a number, and a seed of its own."""
    name, of = name_of(call), getattr(call.func, "value", None)
    if name in ("sample", "rsample"):
        return not call.args or isinstance(call.args[0], ast.Tuple | ast.List)
    return name in IN_PLACE or (name in DRAWS and isinstance(of, ast.Name) and of.id == "torch")


def scene_digests(notebook: NotebookNode) -> list[str]:
    """A picture comes with a digest of its pixels, which nbval compares, unless the cell says that
    it is drawn by trained weights, `digest=False`; or with all of its numbers in words, as graphs
    and plots do; or it is listed as an exception."""
    found, listed = [], exceptions()
    for cell in code(notebook):
        shown = [o.data for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
        for told in (data.get("text/plain", "") for data in shown):
            whole = DIGEST.search(told) or IN_WORDS.search(told)
            if not whole and "digest=False" not in cell.source and not told.startswith(listed):
                found.append(f"cell {cell.id}: a picture without a digest of its pixels")
    return found


@cache
def exceptions() -> tuple[str, ...]:
    """How the texts of pictures begin that are compared without digest or numbers; each is listed,
    with the reason, in the file that says what isn't compared."""
    return tuple(re.findall(r'^#      "(.+)": ', SANITIZE.read_text("ascii"), re.MULTILINE))


def comparison(notebook: NotebookNode) -> list[str]:
    """No cell is taken out of nbval's strict comparison."""
    return [
        f"cell {cell.id}: taken out of the comparison by an nbval mark"
        for cell in code(notebook)
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)", cell.source)
        or any(re.match("nbval|raises", tag) for tag in cell.metadata.get("tags", ()))
    ]


def gaps(notebook: NotebookNode) -> list[str]:
    """No mark of the source is left over; no cell of the worked copy in the learner's."""
    found = [
        f"cell {cell.id}: a mark of the source is left over"
        for cell in notebook.cells
        if re.search(r"^\s*# </?(solution|stub)>", cell.source, re.MULTILINE)
    ]
    if notebook.metadata.get("cimg", {}).get("copy") == "learner":
        found += [
            f"cell {cell.id}: belongs to the worked copy only"
            for cell in notebook.cells
            if "solution" in cell.metadata.get("tags", ())
        ]
    return found


# --- links ----------------------------------------------------------------------------------------


def slugs(text: str) -> set[str]:
    """Anchors of the headings in a Markdown text, as GitHub and as JupyterLab write them."""
    titles = re.findall(r"^#{1,6} +(.+?) *$", text, flags=re.MULTILINE)
    titles = [LINK.sub(r"\2", title) for title in titles]
    github = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return github | {title.replace(" ", "-") for title in titles}


def text_of(path: Path) -> str:
    """The Markdown of a file, notebooks too."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in markdown(nbformat.read(path, as_version=4)))


def links(text: str, folder: Path) -> list[str]:
    """Relative links lead to something, and their #anchors to a heading in it."""
    text = CODE.sub("", text)
    targets = [target for _, _, target in LINK.findall(text)]
    for _, attributes in HTML_LINK.findall(text):
        targets += re.findall(r'(?:href|src)="([^"]+)"', attributes)
    found = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue  # another site, or a picture inside the text: nothing to look up offline
        name, _, anchor = target.partition("#")
        path = folder / name
        if name and not path.exists():
            found.append(f"link to {target}: there is no such file")
        elif anchor and anchor not in slugs(text_of(path) if name else text):
            found.append(f"link to {target}: there is no such heading")
    return found


def findings(notebook: NotebookNode, path: Path) -> list[str]:
    """All rules, asked of a notebook that lies at `path`."""
    siblings = sorted(other.name for other in path.parent.glob("*.ipynb"))
    at = siblings.index(path.name)
    previous = siblings[at - 1] if at else None
    following = siblings[at + 1] if at + 1 < len(siblings) else None
    found = size(notebook, path.stat().st_size) + navigation(notebook, previous, following)
    for rule in (
        header,
        footer,
        quiz,
        execution,
        outputs,
        sources,
        pictures,
        shown,
        trained_numbers,
        seeds,
        scene_digests,
        comparison,
        gaps,
    ):
        found += rule(notebook)
    return found + links("\n\n".join(cell.source for cell in markdown(notebook)), path.parent)
