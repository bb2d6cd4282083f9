"""A disk that is full, and a folder that is closed: one clear error, and all is as it was.

    python -m tests.fuzz.disk FOLDER

Where it may (Linux, by `unshare`), this is a disk of its own, of a few megabytes, which is filled
to the last byte, then mounted read-only. Elsewhere a limit on the size of files stands for the full
disk, and a folder without permission, used by nobody in particular, for the closed one.
"""

import contextlib
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from cimg import checkpoint, train
from cimg.checkpoint import CheckpointError
from cimg.course import CourseError, copy_course
from cimg.data import export
from cimg.interop import to_bif
from cimg.picture import Picture
from cimg.scene import SceneError, render, sample_uniform, save_png, stage
from cimg.step import Settings
from cimg.world import World, WorldError

from .kills import LESSON, build

ROOT = Path(__file__).resolve().parents[2]
DUEL, ARENA = World.load("duel"), World.load("arena")
SCENES = render(sample_uniform(stage().variables, 2, seed=3))
LARGE = bytes(range(256)) * 4000
RUN = Settings(steps=2, batch=2, hidden=8, warm_up=1)


class NotBuilt(RuntimeError):
    """The builder ended with an error; this is what it said."""


def build_notebook(folder: Path, i: int) -> None:
    """One of two notebooks, from a source elsewhere."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "00-first.py").write_text(LESSON.replace("ANSWER", str(i)), encoding="utf-8")
        options = [f"--source={place}", f"--out={folder / 'notebooks'}", f"--record={place}/record"]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = build.main(options)
    if code:
        raise NotBuilt(said.getvalue())


Write = Callable[[Path, int], object]
WRITERS: dict[str, tuple[Write, type[Exception]]] = {  # each writes one of two things
    "world": (lambda p, i: (DUEL, ARENA)[i].to_json(p / "world.json"), WorldError),
    "bif": (lambda p, i: to_bif((DUEL, ARENA)[i], p / "world.bif"), WorldError),
    "scene": (lambda p, i: save_png(SCENES[i], p / "scene.png", zoom=40), SceneError),
    "figure": (lambda p, i: Picture(LARGE[i:], "", 9).save(p / "figure.png"), OSError),
    "checkpoint": (
        lambda p, i: checkpoint.write(p / "a.safetensors", {"x": torch.full((9000,), i)}, {"i": i}),
        CheckpointError,
    ),
    "training": (lambda p, i: train.train(DUEL, RUN, p / "run.safetensors"), CheckpointError),
    "export": (lambda p, i: export(p / f"out{i}", DUEL, 30 + 200 * i, seed=i, zoom=4), SceneError),
    "course": (lambda p, i: copy_course(p / "course"), CourseError),
}
ON_A_DISK = WRITERS | {"building": (build_notebook, NotBuilt)}  # its kernel needs more
LATER = ("training", "course")  # too large for the little disk: tried only where they must fail


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def refused(name: str, folder: Path, exact: bool = True) -> list[str]:
    """Faults of one writer that can't write here."""
    write, error = ON_A_DISK[name]
    before = files(folder)
    try:
        write(folder, 1)
    except error as found:
        said = str(found)
    except BaseException as found:  # noqa: BLE001
        return [f"{name}: raised {type(found).__name__}: {found!s:.200}"]
    else:
        return [f"{name}: written all the same"]
    faults = [] if said.strip() else [f"{name}: an error without words"]
    after = files(folder)
    gone = [k for k, x in before.items() if after.get(k) != x]
    half = [k for k in after if k.endswith(".tmp")]
    more = [k for k in after.keys() - before.keys() if exact and not k.startswith("course/")]
    return faults + [f"{name}: changed or left {k}" for k in (*gone, *half, *more)]


def fill(folder: Path) -> Path:
    """A file that takes all that is left of the disk."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return path


def with_a_disk(folder: Path) -> list[str]:
    """On a disk of our own."""
    faults = []
    for name, (write, _) in ON_A_DISK.items():
        if name not in LATER:
            write(folder, 0)
    filler = fill(folder)
    for name in ON_A_DISK:
        faults += [f"full disk, {x}" for x in refused(name, folder)]
    filler.unlink()
    faults += write_again(folder)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    for name in ON_A_DISK:
        faults += [f"closed folder, {x}" for x in refused(name, folder)]
    return faults


def without_a_disk(folder: Path) -> list[str]:
    """With a limit on files' sizes, then without permission."""
    faults = []
    for name, (write, _) in WRITERS.items():
        if name not in LATER:
            write(folder, 0)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, most))
    for name in WRITERS:
        faults += [f"too large a file, {x}" for x in refused(name, folder)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    faults += write_again(folder)
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        for name in WRITERS:
            faults += [f"closed folder, {x}" for x in refused(name, folder)]
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
    return faults


def write_again(folder: Path) -> list[str]:
    """With room again, everything is written."""
    before = files(folder)
    for name, (write, _) in WRITERS.items():
        if name not in LATER:
            write(folder, 1)
    after = files(folder)
    same = [k for k in ("world.json", "world.bif", "scene.png", "figure.png", "a.safetensors")]
    return [f"{k} wasn't written anew" for k in same if before[k] == after[k]]


def disk_command(folder: Path, megabytes: int = 4) -> list[str]:
    """The command that runs this file on a disk of its own, if this machine lets us make one."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0"'
    own = ["unshare", *user, "--mount", "sh", "-c"]
    if not shutil.which("unshare"):
        return []
    can = subprocess.run([*own, mount, str(folder)], capture_output=True, check=False)
    run = f'{mount} && exec {sys.executable} -m tests.fuzz.disk --mounted "$0"'
    return [*own, run, str(folder)] if can.returncode == 0 else []


def main(arguments: list[str]) -> int:
    torch.set_num_threads(1)
    folder = Path(arguments[-1])
    faults = (with_a_disk if "--mounted" in arguments else without_a_disk)(folder)
    print("\n".join(faults) or "No faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
