"""Kill -9 at random moments, again and again: nothing is lost or half there, the next run goes on.

A job is done in a child process, which is killed after a random share of the time that the job
takes. After each kill the folder is looked at; then the job is begun again there, until it is
finished, and what it leaves has to be what it leaves when nobody disturbs it.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import torch
from PIL import Image

from cimg import checkpoint, train
from cimg.course import copy_course
from cimg.data import draw, export
from cimg.interop import to_bif
from cimg.picture import Picture
from cimg.scene import render, sample_uniform, save_png, stage, to_rgb
from cimg.step import Settings
from cimg.world import World

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))
import build

DUEL, ARENA = World.load("duel"), World.load("arena")
SHORT = Settings(steps=6, batch=2, hidden=8, warm_up=1)
OTHER = Settings(steps=1, batch=2, hidden=8, warm_up=1, seed=5)


@dataclass(frozen=True)
class Job:
    """Something that writes.

    Attributes:
        prepare: what is there before: an earlier result, most often.
        work: the job itself, done in a child process.
        look: what is wrong with the folder after a kill; told the folders of the earlier result
            and of the undisturbed job, to compare with.
    """

    prepare: Callable[[Path], None]
    work: Callable[[Path], None]
    look: Callable[[Path, Path, Path], list[str]]


def files(folder: Path) -> dict[str, bytes]:
    """All files but half-done ones, by their names."""
    found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file()}
    whole = {k: p for k, p in found.items() if not any(part.endswith(".tmp") for part in k.parts)}
    return {k.as_posix(): p.read_bytes() for k, p in whole.items()}


def old_or_new(folder: Path, before: Path, after: Path) -> list[str]:
    """Each file is as it was or as it will be, and none that was there is gone."""
    now, was, will = files(folder), files(before), files(after)
    lost = [f"{name} is lost" for name in was.keys() & will.keys() - now.keys()]
    half = [name for name in now if now[name] not in (was.get(name), will.get(name))]
    return lost + [f"{name} is neither the old nor the new one" for name in half]


# ── The jobs ────────────────────────────────────────────────────────────────────────────────────


def train_other(folder: Path) -> None:
    train.train(DUEL, OTHER, folder / "duel.safetensors")


def train_short(folder: Path) -> None:
    """It fails unless it goes on with the step after the one that was kept."""
    state, begun = folder / "duel.run.safetensors", []
    kept = checkpoint.read(state)[1]["step"] if state.exists() else 0
    note = lambda step, losses: begun.append(step)
    train.train(DUEL, SHORT, folder / "duel.safetensors", every=1, report=note)
    if begun and begun[0] != kept + 1:
        raise RuntimeError(f"step {kept} was kept, but it went on with step {begun[0]}")


def look_at_training(folder: Path, before: Path, after: Path) -> list[str]:
    found = []
    for path in folder.glob("*.safetensors"):
        tensors, about = checkpoint.read(path)  # raises if it is half there
        if not all(bool(x.isfinite().all()) for x in tensors.values()) or "settings" not in about:
            found.append(f"{path.name} is damaged")
        if (beside := path.with_suffix(".json")).exists():
            json.loads(beside.read_text())
    now, was, will = files(folder), files(before), files(after)
    name = "duel.safetensors"
    if now.get(name) not in (was[name], will[name]):
        found.append(f"{name} is neither the old nor the new one")
    return found


def tensors_of(i: int) -> dict[str, torch.Tensor]:
    return {f"x{k}": torch.full((100_000,), float(i)) for k in range(4)}


def write_checkpoints(folder: Path, first: int = 1, last: int = 12) -> None:
    for i in range(first, last + 1):
        checkpoint.write(folder / "a.safetensors", tensors_of(i), {"i": i})


def look_at_checkpoints(folder: Path, before: Path, after: Path) -> list[str]:
    tensors, about = checkpoint.read(folder / "a.safetensors")
    whole = all(torch.equal(tensors[k], x) for k, x in tensors_of(about["i"]).items())
    beside = json.loads((folder / "a.json").read_text())  # may be one write behind, if it is whole
    return [] if whole and beside.keys() == {"i"} else [f"a mixture: {about}, {beside}"]


def export_with(seed: int) -> Callable[[Path], None]:
    return lambda folder: export(folder / f"out-{seed}", DUEL, 60, seed=seed, zoom=2) and None


def look_at_export(folder: Path, before: Path, after: Path) -> list[str]:
    """The earlier export is as it was; the new one is there with all of it, or not at all."""
    now, will = (set(files(x / "out-2")) for x in (folder, after))
    half = [f"{len(now)} files of {len(will)} are there"] if now not in (set(), will) else []
    return old_or_new(folder, before, after) + half


def write_files(names: str) -> Callable[[Path], None]:
    """One of everything that is a single file, ten times over."""

    def write(folder: Path) -> None:
        world = World.load(names)
        scene = draw(DUEL, 1, seed=len(names))[0][0]
        colours = to_rgb(scene).numpy().repeat(8, 0).repeat(8, 1)
        for _ in range(10):
            save_png(scene, folder / "scene.png", zoom=8)
            world.to_json(folder / "world.json")
            to_bif(world, folder / "world.bif")
            Image.fromarray(colours).save(folder / "x.tmp", "PNG")
            Picture((folder / "x.tmp").read_bytes(), names, 10).save(folder / "figure.png")

    return write


LESSON = """\
# ---
# title: First
# question: What is a picture?
# objectives: [count pixels]
# minutes: {running: 1, exercises: 5}
# need: Python
# built: a picture
# key_ideas: ["one: is one"]
# mistakes: ["**None.** None"]
# quiz:
#   - {ask: "How many?", options: [one, two], answer: a, why: see above}
# ---

# %% [markdown]
# Some text.

# %%
import sys, types  # without PyTorch, which the quiz would load: what is killed here is the building
sys.modules["cimg.check"] = types.SimpleNamespace(check=types.SimpleNamespace(quiz=print))

# %%
# <solution>
print("the answer:", ANSWER)
# <stub>
# print("not done yet")
# </solution>
"""


def build_lesson(answer: str) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        source = folder / "source"
        source.mkdir(exist_ok=True)
        text = LESSON.replace("ANSWER", answer)
        build.write_atomically(source / "00-first.py", text)
        places = {"source": source, "out": folder / "notebooks", "record": folder / "record.tmp"}
        options = [f"--{option}={place}" for option, place in places.items()]
        if build.main(options):
            raise SystemExit("not built")

    return work


def look_at_notebooks(folder: Path, before: Path, after: Path) -> list[str]:
    for path in (folder / "notebooks").rglob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))
    found = old_or_new(folder, before, after)
    return found + [f"the kernel {pid} is still running" for pid in kernels_left(folder)]


def kernels_left(folder: Path, seconds: float = 60) -> list[int]:
    """Kernels at work in this folder that don't end by themselves when their builder is gone."""
    end, here = time.monotonic() + seconds, str(folder.resolve())
    while True:
        left = []
        for process in psutil.process_iter():
            try:
                if "ipykernel_launcher" in process.cmdline() and process.cwd().startswith(here):
                    left.append(process.pid)
            except psutil.Error:
                continue
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def copy_out(folder: Path) -> None:
    copy_course(folder / "course")


def nothing(folder: Path) -> None:
    pass


JOBS = {
    "training": Job(train_other, train_short, look_at_training),
    "checkpointing": Job(
        lambda f: write_checkpoints(f, 0, 0), write_checkpoints, look_at_checkpoints
    ),
    "exporting": Job(export_with(1), export_with(2), look_at_export),
    "saving": Job(write_files("duel"), write_files("arena"), old_or_new),
    "building": Job(build_lesson("1"), build_lesson("2"), look_at_notebooks),
    "copying": Job(nothing, copy_out, old_or_new),
}


# ── The killing ─────────────────────────────────────────────────────────────────────────────────


def begin(job: Job, folder: Path) -> int:
    """Start the job in a child process; returns its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            if not os.environ.get("FUZZ_SHOW"):
                os.dup2(silent, 2)
            job.work(folder)
            code = 0
        finally:
            os._exit(code)
    return child


def undisturbed(job: Job, folder: Path) -> float:
    """The job, done to its end; returns the seconds that it took."""
    start = time.perf_counter()
    if os.waitpid(begin(job, folder), 0)[1]:
        raise RuntimeError(f"the job failed, undisturbed, in {folder}")
    return time.perf_counter() - start


def kill_often(job: Job, kills: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a job so many times; returns how often it was hit before its end, and all faults."""
    torch.set_num_threads(1)  # a child has no threads but its own
    os.environ["TQDM_DISABLE"] = "1"
    warm = (DUEL, DUEL.sample(1), render(sample_uniform(stage().variables, 1)))
    assert warm
    rng, hit, faults, tries = random.Random(seed), 0, [], 0
    with tempfile.TemporaryDirectory() as name:
        before, after, here = (Path(name) / x for x in ("before", "after", "here"))
        before.mkdir()
        job.prepare(before)
        shutil.copytree(before, after)
        took = undisturbed(job, after)
        shutil.copytree(before, here)
        while hit < kills and tries < 10 * kills + 10 and len(faults) < 10:
            tries += 1
            child = begin(job, here)
            time.sleep(rng.uniform(0, took))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            hit += os.WIFSIGNALED(status)
            try:
                found = job.look(here, before, after)
            except Exception as error:  # noqa: BLE001
                found = [f"{type(error).__name__}: {error}"]
            faults += [f"kill {tries} (seed {seed}): {x}" for x in found]
            if not os.WIFSIGNALED(status) or tries % 5 == 0:  # to the end, and all over again
                faults += finish(job, here, after)
                shutil.rmtree(here)
                shutil.copytree(before, here)
        faults += finish(job, here, after)
    return hit, faults


def finish(job: Job, here: Path, after: Path) -> list[str]:
    """Run the job to its end where it was killed; it leaves what it always does."""
    try:
        undisturbed(job, here)
    except RuntimeError as error:
        return [f"the next run: {error}"]
    now, will = files(here), files(after)
    wrong = sorted(k for k in now.keys() | will.keys() if now.get(k) != will.get(k))
    return [f"the next run leaves another {name}" for name in wrong]
