"""The pipeline from a source to its two notebooks, on small sources of its own."""

import base64
import io
import json
import shutil

import nbformat
import pytest
from PIL import Image, PngImagePlugin

import build
import lesson
from lesson import LessonError, fill, read_lesson

FRONT = """\
# ---
# title: First
# question: What is a picture?
# objectives: [count pixels, draw one, explain it]
# minutes: {running: 1, exercises: 5}
# need: Python
# built: a picture
# key_ideas: ["one: is one"]
# mistakes: ["**None.** None"]
# quiz:
#   - {ask: "How many?", options: [one, two], answer: a, why: see above}
# ---

"""
BODY = """\
# %% [markdown]
# Some text, and [the contents](../README.md).

# %%
import os, time
start = time.perf_counter()

# %%
def add(a, b):
    # <solution>
    return a + b
    # <stub>
    # total = ...  # your code
    # return total
    # </solution>

print("answer:", add(1, 2))
print(f"on this machine: {time.perf_counter() - start} s")

# %% [markdown] tags=["solution"]
# Why that is so.
"""


class Course:
    """A folder with one source; what is built from it; and means to build, check and edit it."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "source" / "00-first.py"
        self.learner = folder / "notebooks" / "00-first.ipynb"
        self.worked = folder / "notebooks" / "solutions" / "00-first.ipynb"

    def build(self, *more):
        places = {"source": "source", "out": "notebooks", "record": "record.json"}
        options = [f"--{option}={self.folder / name}" for option, name in places.items()]
        return build.main([*options, *more])

    def edit(self, old, new):
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")

    def contents(self):
        return {path: path.read_bytes() for path in sorted(self.folder.rglob("*.ipynb"))}


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("course"))
    course.file.parent.mkdir()
    course.file.write_text(FRONT + BODY, encoding="utf-8")
    assert course.build("--check") == 1
    assert course.build() == 0
    assert course.build("--check") == 0
    return course


@pytest.fixture
def course(built_once, tmp_path):
    """A copy of a course that has been built."""
    shutil.copytree(built_once.folder, tmp_path / "course")
    return Course(tmp_path / "course")


def said(path):
    """All that a notebook's cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.get("text", "") for c in cells if c.cell_type == "code" for o in c.outputs)


def test_builds_both_copies_and_a_second_run_changes_nothing(course, capsys):
    assert "answer: Ellipsis" in said(course.learner)
    assert "answer: 3" in said(course.worked)
    before = course.contents()
    assert len(before) == 2
    capsys.readouterr()
    assert course.build() == 0
    assert capsys.readouterr().out.count("up to date") == 2
    assert course.build("--all") == 0  # runs again: another time is printed, the old one is kept
    assert capsys.readouterr().out.count("nothing changed") == 2
    assert course.contents() == before


def test_a_changed_source_is_seen_and_built_again(course):
    ids = [cell.id for cell in nbformat.read(course.worked, as_version=4).cells]
    course.edit("# Some text", "# Another text")
    assert course.build("--check") == 1
    assert course.build() == 0
    again = [cell.id for cell in nbformat.read(course.worked, as_version=4).cells]
    assert [a == b for a, b in zip(ids, again, strict=True)].count(False) == 1


def test_a_changed_package_means_running_again(course, monkeypatch, capsys):
    monkeypatch.setattr(build, "package_digest", lambda: "another package")
    capsys.readouterr()
    course.build()
    assert capsys.readouterr().out.count("run again, nothing changed") == 2


def test_the_package_digest_follows_the_files(tmp_path):
    (tmp_path / "cimg").mkdir()
    before = build.package_digest(tmp_path)
    (tmp_path / "cimg" / "world.py").write_text("x = 1")
    after = build.package_digest(tmp_path)
    (tmp_path / "cimg" / "world.py").write_text("x = 2")
    assert len({before, after, build.package_digest(tmp_path)}) == 3


@pytest.mark.parametrize("change", ["source", "output", "count", "metadata", "extra", "missing"])
def test_check_sees_a_notebook_edited_by_hand(course, change):
    notebook = json.loads(course.learner.read_text(encoding="utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    if change == "source":
        code["source"].append("\n")
    elif change == "count":
        code["execution_count"] = None
    elif change == "metadata":
        notebook["metadata"]["language_info"]["version"] = "3.11.7"
    elif change == "extra":
        notebook["cells"].append(notebook["cells"][0] | {"id": "another"})
    elif change == "output":
        code["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["other"]}]
    course.learner.write_text(json.dumps(notebook), encoding="utf-8")
    if change == "missing":
        course.learner.unlink()
    # what an output says isn't for --check, which runs nothing, but for nbval
    assert course.build("--check") == (0 if change == "output" else 1)


def test_check_sees_a_notebook_without_a_source(course):
    (course.learner.parent / "07-left-over.ipynb").write_bytes(course.learner.read_bytes())
    assert course.build("--check") == 1


def test_outputs_are_stable(course):
    text = course.worked.read_text(encoding="utf-8")
    metadata = json.loads(text)["metadata"]
    assert set(metadata) == {"cimg", "kernelspec", "language_info"}
    assert "version" not in metadata["language_info"]
    assert str(course.learner.parent) not in text
    assert '"execution"' not in text  # the client's times


def test_links_lead_from_each_copy_to_the_same_file(course):
    assert "[the contents](../README.md)" in course.learner.read_text(encoding="utf-8")
    assert "[the contents](../../README.md)" in course.worked.read_text(encoding="utf-8")


def test_a_failing_cell_leaves_the_old_notebook_as_it_was(course, capsys):
    before = course.contents()
    course.edit("import os, time", "import os, time; os.no_such_thing")
    assert course.build() == 1
    assert "no_such_thing" in capsys.readouterr().err
    assert course.contents() == before


@pytest.mark.parametrize(
    "code, message",
    [
        ("import warnings; warnings.warn('old', UserWarning)", "wrote to stderr"),
        ("print('  0%|          | 0/3 [00:00<?, ?it/s]')", None),
        (
            "import IPython.display as d; d.display({'text/plain': '0%| | [?it/s]'}, raw=True)",
            "progress bar",
        ),
    ],
)
def test_what_would_differ_from_run_to_run_is_refused(code, message, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    if message is None:
        build.execute(notebook, tmp_path, "x")
    else:
        with pytest.raises(build.BuildError, match=message):
            build.execute(notebook, tmp_path, "x")


def test_a_progress_bar_leaves_no_trace(tmp_path):
    cell = nbformat.v4.new_code_cell("from tqdm import tqdm\nfor i in tqdm(range(3)): pass\ni")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    build.execute(notebook, tmp_path, "x")
    assert [o.data["text/plain"] for o in notebook.cells[0].outputs] == ["2"]


def test_png_loses_its_comments_and_keeps_its_pixels():
    picture = Image.new("RGBA", (5, 4), (10, 20, 30, 40))
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a version that changes")
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=info, dpi=(72, 72))
    plain = build.plain_png(file.getvalue())
    assert b"a version" in file.getvalue() and b"a version" not in plain
    assert Image.open(io.BytesIO(plain)).tobytes() == picture.tobytes()
    output = nbformat.v4.new_output(
        "display_data", {"image/png": base64.b64encode(file.getvalue()).decode(), build.WIDGET: {}}
    )
    kept = build.tidy(output, "x", nbformat.v4.new_code_cell(""))
    assert base64.b64decode(kept.data["image/png"]) == plain and build.WIDGET not in kept.data


def test_old_outputs_are_kept_only_where_they_say_the_same():
    def cell(text, source="x"):
        output = nbformat.v4.new_output("stream", text=text)
        return nbformat.v4.new_code_cell(source, id="a", outputs=[output], execution_count=1)

    def kept(now, then, source="x"):
        new = nbformat.v4.new_notebook(cells=[cell(now, source)])
        build.keep_what_is_equal(new, nbformat.v4.new_notebook(cells=[cell(then)]))
        return new.cells[0].outputs[0].text

    assert (
        kept("on this machine: 2 s\nso", "on this machine: 1 s\nso") == "on this machine: 1 s\nso"
    )
    assert (
        kept("on this machine: 2 s\nso", "on this machine: 1 s\nno") == "on this machine: 2 s\nso"
    )
    assert kept("≈ 97.31 %", "≈ 97.30 %") == "≈ 97.30 %"
    assert kept("= 97.31 %", "= 97.30 %") == "= 97.31 %"
    assert (
        kept("on this machine: 2 s", "on this machine: 1 s", source="y") == "on this machine: 2 s"
    )


def test_below_a_changed_cell_nothing_is_kept():
    def notebook(first, number):
        text = nbformat.v4.new_output("stream", text=f"≈ {number}")
        cells = [
            nbformat.v4.new_code_cell(first, id="a", execution_count=1),
            nbformat.v4.new_markdown_cell("text", id="b"),
            nbformat.v4.new_code_cell("print(x)", id="c", outputs=[text], execution_count=2),
        ]
        return nbformat.v4.new_notebook(cells=cells)

    for first, kept in (("x = 1", "≈ 1"), ("x = 2", "≈ 2")):
        new = notebook(first, 2)
        build.keep_what_is_equal(new, notebook("x = 1", 1))
        assert new.cells[2].outputs[0].text == kept


def test_new_weights_mean_new_numbers(course, monkeypatch):
    """Times and trained numbers are kept from run to run, but not those of other weights."""
    before = said(course.learner)
    monkeypatch.setattr(build, "digest_of_trained", lambda: "other weights")
    course.build("--all")
    assert said(course.learner) != before  # it prints a time


def test_a_page_is_run_as_it_is(course):
    page = course.folder / "notebooks" / "page" / "hello.ipynb"
    page.parent.mkdir()
    cells = [nbformat.v4.new_code_cell("print(6 * 7)", id="a")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page)
    assert course.build("--check") == 1
    assert course.build("hello") == 0
    assert said(page) == "42\n" and course.build("--check") == 0
    text = page.read_text()
    assert course.build("--all", "hello") == 0 and page.read_text() == text


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    assert build.write_atomically(path, "old") and not build.write_atomically(path, "old")

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(build.os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        build.write_atomically(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


# --- the format -----------------------------------------------------------------------------------


def test_fill():
    source = "a\n# <solution>\nb\n# <stub>\n# c\n#\n#   d\n# </solution>\ne"
    assert fill(source, "worked", "x") == "a\nb\ne"
    assert fill(source, "learner", "x") == "a\nc\n\n  d\ne"
    bare = "if a:\n    # <solution>\n    b\n    # </solution>"
    assert fill(bare, "learner", "x") == "if a:\n    ...  # your code"


@pytest.mark.parametrize(
    "source",
    [
        "# <solution>\na",
        "# </solution>",
        "# <stub>",
        "# <solution>\n# <solution>\n# </solution>",
        "# <solution>\na\n# <stub>\nnot a comment\n# </solution>",
        "# <solution>\na\n# <stub>\n# b\n# <stub>\n# </solution>",
    ],
)
def test_broken_gaps_are_refused(source):
    with pytest.raises(LessonError):
        fill(source, "learner", "x")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("# title: First\n", "", "lacks 'title'"),
        ("# title: First", "# titel: First", "lacks 'title'"),
        ("# need: Python", "# need: Python\n# more: x", "unknown key 'more'"),
        ("# need: Python", "# need: [", "isn't YAML"),
        ("# need: Python", "need: Python", "line 6"),
        ("# need: Python", "# need:", "'need' should be a str"),
        ("running: 1", "running: soon", "whole minutes"),
        ("[count pixels,", "[{a: b},", "list of texts"),
        ("answer: a", "answer: c", "quiz question 1"),
        (", why: see above", "", "quiz question 1"),
        ("options: [one, two]", "options: [one]", "2 to 5"),
        ("# ---\n", "", "line 1"),
        ('tags=["solution"]', 'tags=["solutoin"]', "solutoin"),
        ("# %% [markdown]\n", '# %% [markdown] slide="x"\n', "slide"),
        ("    # </solution>", "", "stub lines are comments"),
    ],
)
def test_a_broken_source_gets_an_error_that_names_it(old, new, message, tmp_path):
    assert old in FRONT + BODY
    path = tmp_path / "00-first.py"
    path.write_text((FRONT + BODY).replace(old, new), encoding="utf-8")
    with pytest.raises(LessonError, match=message) as error:
        read_lesson(path)
    assert "00-first.py" in str(error.value)


def test_a_badly_named_source_is_refused(tmp_path):
    path = tmp_path / "first.py"
    path.write_text(FRONT + BODY, encoding="utf-8")
    with pytest.raises(LessonError, match="03-a-world-in-pyro"):
        read_lesson(path)


def test_reading_minutes_count_words_and_code(tmp_path):
    path = tmp_path / "00-first.py"
    path.write_text(FRONT + BODY, encoding="utf-8")
    short = lesson.reading_minutes(read_lesson(path))
    path.write_text(FRONT + BODY + "\n# %% [markdown]\n# " + "word " * 900, encoding="utf-8")
    assert lesson.reading_minutes(read_lesson(path)) == short + 900 // lesson.WORDS_PER_MINUTE


def test_the_example_in_the_authors_guide_is_a_lesson(tmp_path):
    guide = (build.HERE / "source" / "README.md").read_text(encoding="utf-8")
    example = guide.split("```python\n")[1].split("```")[0]
    path = tmp_path / "01-drawing-scenes.py"
    path.write_text(example, encoding="utf-8")
    parsed = read_lesson(path)
    assert [cell.cell_type for cell in parsed.cells] == [
        "markdown",
        "code",
        "markdown",
        "code",
        "markdown",
    ]
    stub = fill(parsed.cells[3].source, "learner", "x")
    compile(stub, "stub", "exec")
    assert "merged = behind.clone()" in stub and "torch.where" not in stub
