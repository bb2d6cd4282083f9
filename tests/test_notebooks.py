"""Every notebook keeps the rules of the course; and each rule catches a notebook that breaks it.

What the cells print is compared by nbval, in the second half of `make test`.
"""

import copy
import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import build
import lesson
import rules
from tests import __main__ as tests_main

FOLDER = Path(build.HERE)
SOURCES = sorted((FOLDER / "source").glob("*.py"))
NOTEBOOKS = sorted([*FOLDER.glob("*.ipynb"), *(FOLDER / "solutions").glob("*.ipynb")])
PNG = "iVBORw0KGgo="


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_the_rules(path):
    assert rules.findings(nbformat.read(path, as_version=4), path) == []


def test_the_notebooks_are_what_the_sources_give():
    assert build.check(FOLDER / "source", FOLDER) == []
    assert len(NOTEBOOKS) == 2 * len(SOURCES) > 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_a_stub_is_its_solution_minus_the_gaps(path):
    """Both copies hold what is outside the gaps, in order; only the worked one what is inside."""
    gap = re.compile(r"^ *# <solution>\n(.*?)^ *# </solution>(?:\n|$)", re.MULTILINE | re.DOTALL)
    worked, learner = (
        nbformat.read(p, as_version=4).cells
        for p in (FOLDER / "solutions" / f"{path.stem}.ipynb", FOLDER / f"{path.stem}.ipynb")
    )
    stubs = {cell.id: cell.source for cell in learner}
    written = [cell for cell in lesson.read_lesson(path).cells if cell.cell_type == "code"]
    done = [cell for cell in worked if cell.cell_type == "code"]
    assert done.pop().metadata["tags"] == ["quiz-check"]  # which the builder adds
    for source, cell in zip(written, done, strict=True):
        if "solution" in source.metadata.get("tags", ()):
            assert cell.id not in stubs
            continue
        outside, inside = gap.split(source.source)[::2], gap.findall(source.source)
        pattern = ".*?".join(re.escape(part) for part in outside)
        for text in (cell.source, stubs[cell.id]):
            assert re.fullmatch(pattern, text, re.DOTALL)
        for solution in (text.split("# <stub>")[0].strip() for text in inside):
            assert solution in cell.source and solution not in stubs[cell.id]


def test_what_is_not_compared_is_told_in_one_file():
    """nbval-sanitize.cfg: its replacements, each with a reason; where scenes have no digest."""
    cfg = build.SANITIZE.read_text(encoding="ascii")
    sections = re.findall(r"^# (.{40,})\n(?:# .+\n)*\[(.+)\]\n", cfg, re.MULTILINE)
    assert [name for _, name in sections] == ["measured", "trained number"]
    assert cfg.count("regex: ") == len(build.sanitizers()) == 2
    listed = re.findall(r"^# +(\d\d): \w.{15,}$", cfg, re.MULTILINE)
    sources = [p for p in SOURCES if "digest=False" in p.read_text(encoding="utf-8")]
    assert listed == [path.stem[:2] for path in sources], f"tell why in {build.SANITIZE.name}"
    shown = [
        "".join(output["data"]["text/plain"])
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    for start in rules.exceptions():  # each is needed
        assert any(text.startswith(start) for text in shown), start


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_the_words_of_scenes_say_who_does_what(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            said = (
                output.metadata["image/png"]["alt"] if "image/png" in output.get("data", {}) else ""
            )
            if re.search(r"\b\d+ scenes?\b", said):
                assert re.search("(?i)(satyr|golem|witch|slime)|can't be told", said), said
            if "curves of" in said or "reliability" in said:
                assert re.search(r"\d at \d", said), said


def test_nbval_compares_all_else_and_leaves_out_no_cell():
    """What nbval doesn't compare of an output, besides the file's replacements; and no option of
    ours that would make it lax."""
    from nbval.plugin import IPyNbFile

    skipped = inspect.getsource(IPyNbFile.__init__)
    names = re.search(r"skip_compare = \((.*?)\n\s*\)", skipped, re.DOTALL)[1]
    names = set(re.findall(r"^\s*'([^']+)'", names, re.MULTILINE))
    assert names == {
        *("metadata", "traceback", "prompt_number", "output_type", "name", "execution_count"),
        "application/vnd.jupyter.widget-view+json",
    }
    assert "'image/png', 'image/jpeg'" in skipped
    root = FOLDER.parent
    run = "".join(
        (root / x).read_text(encoding="utf-8") for x in ("tests/__main__.py", "conftest.py")
    )
    for lax in ("nbval-lax", "nbval-skip", "nbdime", "NBVAL_IGNORE", "--ignore", "--deselect"):
        assert lax not in run + (root / "pyproject.toml").read_text(encoding="utf-8")
    found = set(tests_main.find_notebooks())
    assert {p.relative_to(root).as_posix() for p in NOTEBOOKS} <= found
    assert all((root / name).is_file() for name in found)


# --- the rules themselves -------------------------------------------------------------------------

HEADER = """# 00 · Start

**The question:** Why?

**By the end you will be able to**

- draw a scene
- **ask** it a question
- explain the answer

**Minutes:** 9 in all: 5 reading, 1 running, 3 exercises

**You need:** Python

**You will have built:** a picture

[Contents](README.md)"""
RECAP = """## You can now

- draw a scene
- **ask** it a question
- explain the answer

## Key ideas

- one

## Common mistakes

- two"""
QUIZ = """## Quiz

1. First?
    - **a** one
    - **b** two
2. Second?
    - **a** one
    - **b** two
3. Third?
    - **a** one
    - **b** two
    - **c** three"""
QUIZ_CHECK = 'check.quiz("01", ..., ..., ...)'
ANSWERS = """<details><summary>Answers</summary>

1. **a**: so
2. **b**: so
3. **c**: so

</details>

---

[← before](00-before.ipynb) | [after →](02-after.ipynb)"""


def good() -> nbformat.NotebookNode:
    """A small notebook that keeps every rule."""
    said = {"alt": "A satyr attacks a golem."}
    data = {"image/png": PNG, "text/plain": "2 scenes. Pixels 01234567."}
    shown = new_output("display_data", data, metadata={"image/png": said})
    trained = new_output("stream", text="≈ 97.3 %\n")
    return new_notebook(
        cells=[
            new_markdown_cell(HEADER, id="header", metadata={"tags": ["header"]}),
            new_markdown_cell("Look at [a heading](#a-heading).\n\n## A heading", id="text"),
            new_code_cell("show()", id="show", execution_count=1, outputs=[shown]),
            new_markdown_cell("The satyr is in front.", id="after"),
            new_code_cell("assert x > 0.9\nprint(x)", execution_count=2, outputs=[trained]),
            new_markdown_cell(RECAP, id="recap", metadata={"tags": ["recap"]}),
            new_markdown_cell(QUIZ, id="quiz", metadata={"tags": ["quiz"]}),
            new_code_cell(QUIZ_CHECK, execution_count=3, metadata={"tags": ["quiz-check"]}),
            new_markdown_cell(ANSWERS, id="answers", metadata={"tags": ["answers"]}),
        ],
        metadata={"cimg": {"copy": "learner"}},
    )


def all_findings(notebook, folder, name="01-start.ipynb"):
    """What the rules say of a notebook written to a folder with its neighbours and a README."""
    for neighbour in ("00-before.ipynb", "02-after.ipynb"):
        (folder / neighbour).write_text("{}")
    (folder / "README.md").write_text("# The course\n\n## A part, of it\n")
    nbformat.write(notebook, folder / name)
    return rules.findings(notebook, folder / name)


def test_a_good_notebook_has_no_findings(tmp_path):
    assert all_findings(good(), tmp_path) == []


def text(cell, old, new):
    """A change of a cell's text."""

    def change(notebook):
        assert old in notebook.cells[cell].source
        notebook.cells[cell].source = notebook.cells[cell].source.replace(old, new)

    return change


def output(**fields):
    """A change of the first code cell's outputs."""

    def change(notebook):
        notebook.cells[2].outputs = [new_output(**fields)]

    return change


def picture(alt, compared="2 scenes. Pixels 01234567."):
    data = {"image/png": PNG, "text/plain": compared}
    metadata = {"image/png": {"alt": alt}}
    return output(output_type="display_data", data=data, metadata=metadata)


def printed(said):
    return output(output_type="stream", text=said)


def add(*cells):
    def change(notebook):
        notebook.cells[4:4] = copy.deepcopy(list(cells))

    return change


def tag(*tags):
    def change(notebook):
        notebook.cells[4].metadata["tags"] = list(tags)

    return change


def count(number):
    def change(notebook):
        notebook.cells[2].execution_count = number

    return change


def drop(cell):
    def change(notebook):
        del notebook.cells[cell]

    return change


BROKEN = [
    # size
    (add(*[new_markdown_cell("x") for _ in range(40)]), "47 cells, at most 40"),
    (add(*[new_code_cell("x\n" * 19) for _ in range(8)]), "155 code lines, at most 150"),
    (text(2, "show()", "show()\n" * 21), "21 lines in a cell, at most 20"),
    (text(1, "Look", "word " * 2000), "words, at most 2000"),
    (printed("x" * 301_000), "KB, at most 300"),
    # header
    (text(0, "# 00 · Start", "# Start"), "first cell should be the header"),
    (drop(0), "first cell should be the header"),
    (text(0, "**The question:** ", ""), "lacks '**The question:**'"),
    (text(0, "**You need:** ", ""), "lacks '**You need:**'"),
    (text(0, "**You will have built:** ", ""), "lacks '**You will have built:**'"),
    (text(0, "- explain the answer\n", ""), "2 objectives, 3 to 5"),
    (text(0, "- draw a", "- x\n- y\n- z\n- draw a"), "6 objectives"),
    (text(0, "- explain", "- understand"), "begin with a verb"),
    (text(0, "- explain", "- explaining"), "begin with a verb"),
    (text(0, "- explain the", "- the"), "begin with a verb"),
    (text(0, "9 in all", "8 in all"), "add up to 9, not 8"),
    (text(0, "9 in all: 5 reading", "some"), "minutes should read"),
    # footer and quiz
    (text(5, "## Key ideas", "## Ideas"), "lacks '## Key ideas'"),
    (text(5, "## Common mistakes\n\n- two", "## Common mistakes"), "lacks '## Common mistakes'"),
    (text(5, "- explain the answer", "- explain another answer"), "doesn't mirror"),
    (text(5, "- explain the answer\n", ""), "doesn't mirror"),
    (drop(5), "lacks '## You can now'"),
    (text(6, "3. Third?", "Third?"), "2 quiz questions"),
    (text(6, "    - **b** two\n2.", "2."), "quiz question 1: options"),
    (text(8, "3. **c**: so", "3. **d**: so"), "quiz question 3: no answer"),
    (text(8, "2. **b**: so\n", ""), "quiz question 2: no answer"),
    (text(7, ", ...)", ")"), "checks a letter for each quiz question"),
    (drop(7), "checks a letter for each quiz question"),
    (text(8, "<details>", ""), "aren't folded away"),
    (text(8, "(00-before.ipynb)", "(README.md)"), "no link to 00-before.ipynb"),
    (text(8, "(02-after.ipynb)", "(README.md)"), "no link to 02-after.ipynb"),
    # outputs
    (count(2), "counts [2, 2, 3]"),
    (count(None), "counts [None, 2, 3]"),
    (output(output_type="error", ename="E", evalue="", traceback=[]), "an output is an error"),
    (output(output_type="stream", name="stderr", text="x"), "written to stderr"),
    (printed("saved to /home/ann/x.png"), "path: '/home/ann/x.png'"),
    (printed("('/usr/lib/python3/x.py', 3)"), "path"),
    (printed("see C:\\Users\\ann"), "path"),
    (printed("<cimg.World object at 0x7f3bd8a01c10>"), "address in memory"),
    (text(2, "show()", "open('/home/ann/x')"), "a machine's path"),
    (text(2, "show()", "!ls"), "shell command"),
    (text(2, "show()", "x = 1\n%pip install x"), "shell command"),
    (text(2, "show()", "get('https://example.org')"), "address on the network"),
    # random numbers
    (text(2, "show()", "z = torch.randn(3)"), "draws random numbers, but no seed is set"),
    (text(2, "show()", "torch.randn(3)"), "draws random numbers, but no seed is set"),
    (text(2, "show()", "x = Normal(0, 1).sample()"), "draws random numbers, but no seed is set"),
    (text(2, "show()", "x = p.sample((3,))  # manual_seed(0)"), "but no seed is set"),
    (text(2, "show()", "for i in [1]:\n    x.normal_()"), "but no seed is set"),
    # pictures
    (picture("<Figure size 640x480 with 1 Axes>"), "picture without alt text"),
    (picture(""), "picture without alt text"),
    (picture("8 scenes: true; true; drawn.", "8 scenes."), "without a digest of its pixels"),
    (picture("Two scenes; the mean.", "Two scenes; the mean."), "without a digest of its pixels"),
    (picture("Bars.", "Bars, p: a; b."), "without a digest of its pixels"),
    (picture("curves of p: p 0.1 at 1.", "curves of p: p."), "without a digest of its pixels"),
    (drop(3), "no text after the picture"),
    (text(2, "show()", "show.table(rows)\nprint(1)"), "show.table(...) isn't its last line"),
    (text(1, "Look", "![](README.md) Look"), "![](README.md) without alt text"),
    (text(1, "Look", '<img src="README.md"> Look'), "<img> without alt text"),
    (text(1, "Look", '<img src="README.md" alt=""> Look'), "<img> without alt text"),
    # what nbval doesn't compare
    (text(4, "assert x > 0.9\n", ""), "prints ≈ but asserts nothing"),
    *((printed(x), "one ≈ for several numbers") for x in ("≈ 1, 2", "≈ 0.9 to 1", "≈ 3 ± 0.1 s")),
    (text(4, "assert", "# NBVAL_IGNORE_OUTPUT\nassert"), "taken out of the comparison"),
    (tag("nbval-skip"), "taken out of the comparison"),
    (tag("raises-exception"), "taken out of the comparison"),
    # the two copies
    (tag("solution"), "belongs to the worked copy"),
    (text(2, "show()", "if x:\n    # <stub>\n    pass"), "mark of the source"),
    # links
    (text(1, "#a-heading", "#another-heading"), "no such heading"),
    (text(1, "#a-heading", "README.md#no-part"), "no such heading"),
    (text(1, "#a-heading", "NOTHING.md"), "no such file"),
    (text(1, "Look", '<a href="NOTHING.md">x</a>'), "no such file"),
]


@pytest.mark.parametrize("change, finding", BROKEN, ids=[finding for _, finding in BROKEN])
def test_each_rule_catches_a_notebook_that_breaks_it(change, finding, tmp_path):
    notebook = good()
    change(notebook)
    found = all_findings(notebook, tmp_path)
    assert any(finding in one for one in found), found


@pytest.mark.parametrize(
    "change",
    [
        text(1, "#a-heading", "README.md#a-part-of-it"),
        text(1, "#a-heading", "https://example.org/#x"),
        text(1, "#a-heading", "#A-heading"),
        printed("P(action/reaction) and/or 1/2, 3 / 4 /s"),
        printed("Took, on this machine: 3 s"),
        picture("8 scenes: true; drawn. Pixels 0a1b2c3d."),
        picture("Harm, as bars: seeing 0.171.", "Harm: bars, P(harm). seeing: attack 0.171."),
        picture("p 0.1 at 1, 0.2 at 9.", "curves of p over step: p 0.1 to 0.2."),
        picture("The graph of the duel.", "Causal graph of duel. Arrows: a → b."),
        picture("Explorer. 9 scenes of a model.", "Explorer. 9 scenes."),
        lambda notebook: (
            picture("8 scenes: true; true; drawn.")(notebook),
            text(2, "show()", "show(digest=False)")(notebook),
        ),
        tag("exercise"),
        text(2, "show()", "torch.manual_seed(0)\nz = torch.randn(3)"),
        text(2, "show()", "def draw():\n    return torch.randn(3)"),
        text(2, "show()", "%time x = 1\nrows = world.sample(5, seed=1)"),
        text(2, "show()", "x = 1 / 2  # a/b/c"),
        text(1, "Look", "`[so](NOTHING.md)`\n\n```\n[so](NOTHING.md)\n```\n\nLook"),
    ],
)
def test_what_is_allowed(change, tmp_path):
    notebook = good()
    change(notebook)
    assert all_findings(notebook, tmp_path) == []


def test_the_quizs_own_cells_are_not_counted(tmp_path):
    """Forty cells and 150 lines of code of the author's own may stand beside them."""
    notebook = good()
    add(*[new_markdown_cell("x") for _ in range(33)])(notebook)
    notebook.cells[2].source += "\nx" * 19
    add(*[new_code_cell("x\n" * 19, execution_count=1) for _ in range(6)])(notebook)
    for count, cell in enumerate(rules.code(notebook), start=1):
        cell.execution_count = count
    del notebook.cells[12:18]
    own = [c for c in notebook.cells if not {"quiz-check", "answers"} & set(rules.tags(c))]
    assert len(own) == 40
    assert all_findings(notebook, tmp_path) == []
    notebook.cells[-2].metadata["tags"] = []  # were it counted, there would be one too many
    assert "41 cells, at most 40 allowed" in all_findings(notebook, tmp_path)


def test_the_worked_copy_may_have_solution_cells(tmp_path):
    notebook = good()
    tag("solution")(notebook)
    notebook.metadata["cimg"]["copy"] = "worked"
    assert all_findings(notebook, tmp_path) == []
