"""Is this machine ready, and how long will the course take on it? ``python -m cimg.doctor``

Each check is a function that returns findings and prints nothing; `main` prints them and exits with
1 if something has to be mended, so that CI can ask too. Whatever isn't Python's own is imported in
the check that needs it: where setting up has failed, the doctor says what is missing.
"""

import json
import os
import platform
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from cimg import trial

ROOT = Path(__file__).resolve().parent.parent
MEMORY_NEEDED = 1.5  # GB: the most that any notebook of the course takes
MEMORY_FOR_CARDS = 0.5  # GB more in every notebook, with PyTorch's build for NVIDIA's cards
CORES_WANTED = 2
# Of the machine on which the notebooks' running minutes were measured:
SCENES_PER_SECOND, STEPS_PER_SECOND = 250_000, 12
WIDGETS = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
SET_UP = "run `make lab` again, or: pip install -r requirements.txt"
MARKS = {"good": "✓", "slow": "·", "bad": "✗"}


@dataclass(frozen=True)
class Finding:
    """What was found: "good", "slow" (works, but not well) or "bad"; and what to do about it."""

    grade: str
    what: str
    advice: str = ""


# ── What is installed ───────────────────────────────────────────────────────────────────────────


def check_packages(
    wanted: Iterable[str] | None = None, installed: Callable[[str], str] = version
) -> list[Finding]:
    """Each package that the course needs is there, in a version that it allows.

    Args:
        wanted: requirements such as "numpy>=2.0"; those of the installed `cimg` if not given.
        installed: name -> version; raises PackageNotFoundError.
    """
    from packaging.requirements import Requirement

    if wanted is None:
        try:
            wanted = requires("cimg") or []
        except PackageNotFoundError:
            return [Finding("bad", "cimg itself isn't installed", "pip install -e .")]
    findings = []
    for requirement in map(Requirement, wanted):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = installed(requirement.name)
        except PackageNotFoundError:
            findings.append(Finding("bad", f"{requirement.name} isn't installed", SET_UP))
            continue
        if requirement.specifier.contains(found, prereleases=True):
            findings.append(Finding("good", f"{requirement.name} {found}"))
        else:
            wrong = f"{requirement.name} {found}, but {requirement.specifier} is needed"
            findings.append(Finding("bad", wrong, SET_UP))
    return findings


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> list[Finding]:
    """Python 3.11 to 3.14: an older one can't read the course, a newer one is untried."""
    name = "Python " + ".".join(map(str, found))
    if (3, 11) <= found < (3, 15):
        return [Finding("good", name)]
    wrong = f"{name}, but 3.11 to 3.14 is needed"
    return [Finding("bad" if found < (3, 11) else "slow", wrong, "make lab PYTHON=python3.12")]


def check_kernel(kernels: dict[str, str] | None = None) -> list[Finding]:
    """A kernel "python3" is registered: JupyterLab runs the notebooks in it."""
    if kernels is None:
        from jupyter_client.kernelspec import KernelSpecManager

        kernels = KernelSpecManager().find_kernel_specs()
    if "python3" in kernels:
        return [Finding("good", "the kernel 'python3' is registered")]
    advice = f"{Path(sys.executable).name} -m ipykernel install --sys-prefix --name python3"
    return [Finding("bad", f"no kernel 'python3', only {sorted(kernels)}", advice)]


def check_widgets(prefix: str | Path = sys.prefix) -> list[Finding]:
    """JupyterLab has the extension that draws sliders and buttons."""
    if (Path(prefix) / WIDGETS).is_file():
        return [Finding("good", "widgets can be drawn in JupyterLab")]
    return [Finding("bad", "JupyterLab can't draw widgets here", SET_UP + ", then reload the page")]


def check_browser(find: Callable[[], object] = webbrowser.get) -> list[Finding]:
    """There is a browser that `make lab` can open. Without one the course works from another."""
    try:
        find()
    except webbrowser.Error:
        advice = "`make lab ARGS=--no-browser` prints an address: open it in any browser"
        return [Finding("slow", "no browser was found that could be opened", advice)]
    return [Finding("good", "a browser can be opened")]


# ── The machine ─────────────────────────────────────────────────────────────────────────────────


def check_build(for_cards: bool | None = None, card: bool | None = None) -> list[Finding]:
    """A word if PyTorch is the build for NVIDIA's cards, which pip brings on Linux, and there is
    no card: that works too, and takes more disk and memory than the course needs."""
    for_cards = trial.built_for_cards() if for_cards is None else for_cards
    card = trial.has_card() if card is None else card
    if not for_cards or card:
        return []
    advice = (
        f"it works; the CPU build would save over 4 GB of disk and {MEMORY_FOR_CARDS} GB of memory "
        "in every notebook: the head of the Makefile says how to get it"
    )
    return [Finding("slow", "PyTorch's build for NVIDIA's cards, and no such card here", advice)]


def check_memory(free: float | None = None, for_cards: bool | None = None) -> list[Finding]:
    """Enough free memory, in GB, for the largest notebook."""
    if free is None:
        import psutil

        free = psutil.virtual_memory().available / 1e9
    for_cards = trial.built_for_cards() if for_cards is None else for_cards
    needed = MEMORY_NEEDED + MEMORY_FOR_CARDS * for_cards
    what = f"{free:.1f} GB of memory free"
    if free >= needed:
        return [Finding("good", what)]
    advice = "close other programs, and shut down other notebooks' kernels"
    return [Finding("bad", f"{what}; a notebook may take {needed} GB", advice)]


def check_cores(cores: int | None = None) -> list[Finding]:
    """Two cores or more: with one, everything works and takes longer."""
    cores = (os.cpu_count() or 1) if cores is None else cores
    what = f"{cores} core{'s' if cores > 1 else ''}"
    if cores >= CORES_WANTED:
        return [Finding("good", what)]
    return [Finding("slow", what, "training will take about twice as long")]


def check_writing(folders: Iterable[Path] | None = None) -> list[Finding]:
    """Notebooks can be saved, and pictures written beside them."""
    there = [f for f in (ROOT / "notebooks", Path.cwd()) if f.is_dir()]  # or the package is alone
    findings = []
    for folder in dict.fromkeys(folders or there):
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"cimg")
        except OSError as error:
            advice = "copy the course into a folder of your own"
            what = f"can't write in {folder}: {error.strerror}"
            findings.append(Finding("bad", what, advice))
        else:
            findings.append(Finding("good", f"can write in {folder.name}/"))
    return findings


# ── The course ──────────────────────────────────────────────────────────────────────────────────


def check_loads(what: str, load: Callable[[], object], advice: str) -> list[Finding]:
    """Something of the course (`what`) can be loaded; whatever is wrong with it is passed on."""
    try:
        load()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is to be reported)
        return [Finding("bad", f"{what} can't be loaded: {type(error).__name__}: {error}", advice)]
    return [Finding("good", f"{what} loaded")]


def check_speed(rate: float, usual: float, what: str) -> list[Finding]:
    """`rate` of `what` per second; slower than a tenth of the `usual` is worth a word."""
    said = f"{rate:,.0f} {what} per second" if rate >= 10 else f"{rate:.1f} {what} per second"
    if rate >= usual / 10:
        return [Finding("good", said)]
    return [Finding("slow", said, "close other programs; on battery, plug the laptop in")]


def stated_minutes(folder: Path = ROOT / "notebooks") -> list[dict[str, int]]:
    """What the notebooks say of themselves: {"reading": …, "running": …, "exercises": …} each."""
    minutes = []
    for path in sorted(folder.glob("*.ipynb")):
        with suppress(ValueError, KeyError, TypeError, OSError):  # none of ours, or a damaged one
            notebook = json.loads(path.read_text(encoding="utf-8"))
            minutes.append(notebook["metadata"]["cimg"]["minutes"])
    return minutes


def course_time(minutes: list[dict[str, int]], slowdown: float) -> list[Finding]:
    """How long the notebooks take here, where they run `slowdown` times as long as stated."""
    if not minutes:
        return [Finding("slow", "no notebooks found here", f"they lie in {ROOT / 'notebooks'}")]
    total = {part: sum(m[part] for m in minutes) for part in ("reading", "exercises", "running")}
    total["running"] = round(total["running"] * max(1.0, slowdown))
    hours, rest = divmod(sum(total.values()), 60)
    parts = ", ".join(f"{value} {part}" for part, value in total.items())
    return [Finding("good", f"{len(minutes)} notebooks: about {hours} h {rest} min ({parts})")]


def check_pace() -> list[Finding]:
    """A timed second of rendering and one of training, and what they mean for the course."""
    slowdown, findings = 1.0, []
    for measure, usual, what in (
        (trial.rendering_rate, SCENES_PER_SECOND, "scenes rendered"),
        (trial.training_rate, STEPS_PER_SECOND, "steps of training"),
    ):
        try:
            rate = measure()
        except Exception as error:  # noqa: BLE001  (as above)
            said = f"no {what}: {type(error).__name__}: {error}"
            return [*findings, Finding("bad", said, "mend what is marked above")]
        findings += check_speed(rate, usual, what)
        slowdown = max(slowdown, usual / rate)
    return findings + course_time(stated_minutes(), slowdown)


# ── All of it ───────────────────────────────────────────────────────────────────────────────────


def tried(*checks: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of some checks; what a check needs itself and isn't there is one as well."""
    findings = []
    for check in checks:
        try:
            findings += check()
        except ImportError as error:
            missing = f"{error.name or error} isn't installed: {check.__name__} couldn't look"
            findings.append(Finding("bad", missing, SET_UP))
    return findings


def examine() -> Iterable[tuple[str, list[Finding]]]:
    """Every check, one titled group after the other, as each gets done."""
    yield "Python and packages", tried(check_python, check_packages, check_build)
    yield "JupyterLab", tried(check_kernel, check_widgets, check_browser)
    yield f"This machine ({platform.system()})", tried(check_memory, check_cores, check_writing)
    parts = check_loads("the world 'duel'", trial.load_world, "get the course's files anew")
    parts += check_loads("the sprites", trial.load_sprites, "draw them anew: make sprites")
    parts += check_loads("the shipped model", trial.load_weights, "train it anew: make weights")
    yield "The course's files", parts
    yield "Speed", check_pace()


def main() -> int:
    """Print the findings; 0 if all is well or at worst slow, 1 if something has to be mended."""
    sys.stdout.reconfigure(errors="replace")  # a terminal that has no ✓ shows a ?
    bad = 0
    for title, findings in examine():
        print(f"\n{title}")
        for finding in findings:
            print(f"  {MARKS[finding.grade]} {finding.what}")
            if finding.advice:
                print(f"      → {finding.advice}")
        bad += sum(finding.grade == "bad" for finding in findings)
    print(f"\n{bad} to mend, see the arrows." if bad else "\nThis machine is ready.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
