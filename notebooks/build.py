"""Build the course's notebooks from `source/`: python notebooks/build.py [--all | --check] [NAME …]

From each source two notebooks: the learner's copy (here) and the worked copy (`solutions/`), both
run top to bottom in a fresh kernel, offline, with their outputs. Pages (`page/`, `template/`)
have no source and no copies: they are run as they are. Only what has changed is built again: the
source, or what the notebooks use (package, sprites). A second run changes no file. With --check
nothing is run: it says whether the copies on disk are what the sources give.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import time
import warnings
from copy import deepcopy
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from kernels import once_more
from lesson import COPIES, Lesson, LessonError, build_notebook, quizzes, read_lesson

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OFFLINE = ROOT / "tests" / "offline"
SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"
RECORD = ROOT / "build" / "notebooks.json"  # local, not committed: what each copy was last run with
PNG_KEEP = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
WIDGET = "application/vnd.jupyter.widget-view+json"
TRAINED = ("cimg/weights/*.safetensors", "cimg/results/*.json")
USED = ("cimg/**/*.py", "cimg/**/*.json", "cimg/**/*.safetensors", "sprites/*.png", "sprites/*.gpl")


class BuildError(RuntimeError):
    """A notebook that can't be built: names the notebook and the cell."""


# --- where things are -----------------------------------------------------------------------------


def path_of(name: str, copy: str, out: Path = HERE) -> Path:
    return (out / "solutions" if copy == "worked" else out) / f"{name}.ipynb"


def pages(out: Path = HERE) -> list[Path]:
    """Notebooks that are no lessons: the explorer's page, which Voilà shows, and the template for a
    world of the learner's own."""
    return sorted([*out.glob("page/*.ipynb"), *out.glob("template/*.ipynb")])


def quizzes_of(source: Path) -> Path:
    """The file from which `cimg.check` knows the quizzes: in the package beside the notebooks."""
    return source.resolve().parent.parent / "cimg" / "quizzes.json"


def read_lessons(source: Path) -> list[Lesson]:
    return [read_lesson(path) for path in sorted(source.glob("*.py"))]


def digest_of_trained(root: Path = ROOT) -> str:
    """Of weights and results: where they are others, so are the numbers that come of them."""
    digest = hashlib.sha256()
    for pattern in TRAINED:
        for path in sorted(root.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def package_digest(root: Path = ROOT) -> str:
    """Of all that a notebook's outputs depend on besides its own source.

    Not of the quizzes: they come from the sources, and a notebook asks for its own only.
    """
    digest = hashlib.sha256()
    used = {p for pattern in USED for p in root.glob(pattern)}
    for path in sorted(used - {root / "cimg" / "quizzes.json"}):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


# --- running --------------------------------------------------------------------------------------


def kernel_environment() -> dict[str, str]:
    """Offline; without progress bars, which write something else in each run; pictures as PNG,
    whatever form the author has set for a screen reader."""
    paths = [str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])]
    ours = {"PYTHONPATH": os.pathsep.join(paths), "TQDM_DISABLE": "1", "CIMG_PICTURES": ""}
    return os.environ | ours


def execute(notebook: NotebookNode, folder: Path, name: str, timeout: int = 600) -> None:
    """Run every cell in a fresh kernel whose working folder is the notebook's; outputs in place."""
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # how prints are cut into pieces differs from run to run
        resources={"metadata": {"path": str(folder)}},
    )
    planned = deepcopy(notebook.metadata)
    try:
        once_more(client.execute)(env=kernel_environment(), stderr=subprocess.DEVNULL)
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # the last: a dead kernel
        raise BuildError(f"{name}: {error}") from error
    notebook.metadata = planned  # the client writes the kernel's exact version of Python into it
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [tidy(output, name, cell) for output in cell.outputs]


def tidy(output: NotebookNode, name: str, cell: NotebookNode) -> NotebookNode:
    """Take out of an output what says when or where it was made, and nothing else."""
    if output.output_type == "stream" and output.name == "stderr":
        raise BuildError(f"{name}: cell {cell.id} wrote to stderr: {output.text.strip()}")
    data = output.get("data", {})
    if re.search(r"\d%\|.*it/s\]", data.get("text/plain", "")):
        raise BuildError(f"{name}: cell {cell.id} left a progress bar: use tqdm, not tqdm.auto")
    if "image/png" in data:
        data["image/png"] = base64.b64encode(
            plain_png(base64.b64decode(data["image/png"]))
        ).decode()
    data.pop(WIDGET, None)  # a widget's id means nothing once its kernel is gone
    return output


def plain_png(png: bytes) -> bytes:
    """A PNG without its comments, times and versions; the pixels untouched."""
    out, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        end = at + 12 + length
        if png[at + 4 : at + 8] in PNG_KEEP:
            out.append(png[at:end])
        at = end
    return b"".join(out)


# --- comparing ------------------------------------------------------------------------------------


def sanitizers(path: Path = SANITIZE) -> list[tuple[str, str]]:
    """The replacements, from the same file, that nbval makes before it compares."""
    text = path.read_text(encoding="utf-8")
    return re.findall("^regex: (.*)$\n^replace: (.*)$", text, flags=re.MULTILINE)


def blot_out(value, replacements: list[tuple[str, str]]):
    """An output in which measured times and trained numbers are blotted out, to compare it by."""
    if isinstance(value, dict):
        return {key: blot_out(item, replacements) for key, item in value.items()}
    if isinstance(value, list):
        return [blot_out(item, replacements) for item in value]
    if isinstance(value, str):
        for regex, replacement in replacements:
            value = re.sub(regex, replacement, value)
    return value


def keep_what_is_equal(new: NotebookNode, old: NotebookNode | None) -> None:
    """Give cells whose outputs say the same as before the very outputs that they had before.

    Below a code cell that has changed nothing is kept: its numbers may be blotted out for the
    comparison, and yet be those of another computation.
    """
    before = {cell.id: cell for cell in old.cells} if old else {}
    replacements = sanitizers()
    for cell in new.cells:
        had = before.get(cell.id)
        if cell.cell_type != "code":
            continue
        if had is None or had.source != cell.source:
            return
        if blot_out(cell.outputs, replacements) == blot_out(had.outputs, replacements):
            cell.outputs = had.outputs


# --- reading and writing --------------------------------------------------------------------------


def read_notebook(path: Path) -> NotebookNode | None:
    """The notebook on disk, or None where there is none that is sound."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what nbformat mends is damaged as well
            found = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            nbformat.validate(found)
    except Exception:  # noqa: BLE001  (nbformat breaks in many ways; it is built anew in any case)
        return None
    return found


def write_atomically(path: Path, text: str) -> bool:
    """Replace the file in one step: a kill leaves the old or the new one. False: no change."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def is_as_planned(plan: NotebookNode, notebook: NotebookNode | None) -> bool:
    """Same cells (kind, id, text, tags) and metadata, and every code cell has been run."""
    if (
        notebook is None
        or notebook.metadata != plan.metadata
        or len(notebook.cells) != len(plan.cells)
    ):
        return False
    for is_, should in zip(notebook.cells, plan.cells, strict=True):
        if any(is_.get(key) != should[key] for key in ("cell_type", "id", "source", "metadata")):
            return False
        if is_.cell_type == "code" and is_.execution_count is None:
            return False
    return True


def check(source: Path, out: Path) -> list[str]:
    """What on disk is not what the sources give; nothing is run."""
    lessons = read_lessons(source)
    findings, expected, known = [], set(), quizzes_of(source)
    if known.parent.is_dir() and not (
        known.exists() and known.read_text("utf-8") == quizzes(lessons)
    ):
        findings.append("cimg/quizzes.json is not what the sources give: make notebooks")
    for lesson in lessons:
        for copy in COPIES:
            path = path_of(lesson.name, copy, out)
            expected.add(path)
            if not is_as_planned(build_notebook(lesson, copy, lessons), read_notebook(path)):
                findings.append(
                    f"{path.relative_to(out)} is not what its source gives: make notebooks"
                )
    for path in pages(out):
        notebook = read_notebook(path)
        if notebook is None or not is_as_planned(notebook, notebook):
            findings.append(f"{path.relative_to(out)} hasn't been run: make notebooks")
    for path in sorted({*out.glob("*.ipynb"), *(out / "solutions").glob("*.ipynb")} - expected):
        findings.append(f"{path.relative_to(out)} has no source")
    return findings


# --- the job --------------------------------------------------------------------------------------


def build(source: Path, out: Path, record: Path, names: list[str], everything: bool) -> None:
    lessons = read_lessons(source)
    unknown = set(names) - {lesson.name for lesson in lessons} - {p.stem for p in pages(out)}
    if unknown:
        raise BuildError(
            f"no source named {sorted(unknown)}; there are {[x.name for x in lessons]}"
        )
    package, trained, known = package_digest(), digest_of_trained(), quizzes_of(source)
    if known.parent.is_dir() and write_atomically(known, quizzes(lessons)):
        print("  cimg/quizzes.json: written")
    try:
        made = json.loads(record.read_text())
    except (OSError, ValueError):
        made = {}
    for lesson in lessons:
        if names and lesson.name not in names:
            continue
        run: dict[str, NotebookNode] = {}
        for copy in COPIES:
            path = path_of(lesson.name, copy, out)
            plan, old = build_notebook(lesson, copy, lessons), read_notebook(path)
            key = path.relative_to(out).as_posix()
            if not everything and made.get(key) == package and is_as_planned(plan, old):
                print(f"  {key}: up to date")
                continue
            start = time.perf_counter()
            run_or_reuse(plan, path.parent, key, run)
            if made.get(f"{key}: trained", trained) == trained:
                keep_what_is_equal(plan, old)
            changed = write_atomically(path, nbformat.writes(plan) + "\n")
            said = "built" if changed else "run again, nothing changed"
            print(f"  {key}: {said} ({time.perf_counter() - start:.1f} s)", flush=True)
            made |= {key: package, f"{key}: trained": trained}
            write_atomically(record, json.dumps(made, indent=1, sort_keys=True) + "\n")
    for path in pages(out):
        key = path.relative_to(out).as_posix()
        if (names and path.stem not in names) or (not everything and made.get(key) == package):
            continue
        plan, old = read_notebook(path), read_notebook(path)
        execute(plan, path.parent, key)
        keep_what_is_equal(plan, old)
        changed = write_atomically(path, nbformat.writes(plan) + "\n")
        print(f"  {key}: {'built' if changed else 'run again, nothing changed'}", flush=True)
        made[key] = package
        write_atomically(record, json.dumps(made, indent=1, sort_keys=True) + "\n")


def run_or_reuse(plan: NotebookNode, folder: Path, name: str, run: dict[str, NotebookNode]) -> None:
    """Copies of a lesson without exercises have the same code: run it once for both."""
    code = json.dumps([cell.source for cell in plan.cells if cell.cell_type == "code"])
    if code not in run:
        folder.mkdir(parents=True, exist_ok=True)
        execute(plan, folder, name)
        run[code] = plan
        return
    same = (cell for cell in run[code].cells if cell.cell_type == "code")
    for cell, other in zip((c for c in plan.cells if c.cell_type == "code"), same, strict=True):
        cell.outputs, cell.execution_count = other.outputs, other.execution_count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these, e.g. 03-a-world-in-pyro")
    parser.add_argument("--all", action="store_true", help="run all again, changed or not")
    parser.add_argument("--check", action="store_true", help="run nothing, say what is out of date")
    parser.add_argument("--source", type=Path, default=HERE / "source")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--record", type=Path, default=RECORD)
    options = parser.parse_args(arguments)
    try:
        if options.check:
            findings = check(options.source, options.out)
            print("\n".join(findings) or "The notebooks are what their sources give.")
            return 1 if findings else 0
        build(options.source, options.out, options.record, options.names, options.all)
    except (BuildError, LessonError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        place = error.filename or options.out
        print(f"{place}: can't be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
