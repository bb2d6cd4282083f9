"""The course's notebooks out of an installed package: python -m cimg.course FOLDER

Makes a folder of notebooks, sprites, README and the package's own modules (to read: the notebooks
import the installed ones), laid out as in the course's source. Then: jupyter lab FOLDER/notebooks

What is there already is left as it is, so a learner's work is safe, and the command may be given
again: after an interruption, or to get a notebook anew that was moved away.
"""

import argparse
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from cimg.files import path_of, write_file

HERE = Path(__file__).resolve().parent
PACKED = HERE / "_course"  # there if cimg was installed from a wheel
SOURCE = PACKED if PACKED.is_dir() else HERE.parent
PARTS = (
    "*.md",
    "LICENSE",
    "notebooks/**/*.ipynb",
    "notebooks/*.png",
    "notebooks/source/*",
    "sprites/*",
    "docs/*.md",
    "docs/*.png",
    "docs/guide/*.md",
    "docs/template.*",
)
PACKAGE = (
    "*.py",
    "*.json",
    "worlds/*.json",
    "results/*.json",
    "weights/*.json",
    "weights/*.safetensors",
)


class CourseError(ValueError):
    """A folder that the course can't be copied to."""


def parts() -> Iterator[tuple[Path, Path]]:
    """Each file of the course: where it is, and its place in the folder to be made."""
    for base, patterns, under in ((SOURCE, PARTS, "."), (HERE, PACKAGE, "cimg")):
        for pattern in patterns:
            for path in sorted(base.glob(pattern)):
                place = path.relative_to(base)
                if path.is_file() and not any(part.startswith(".") for part in place.parts):
                    yield path, Path(under) / place


def copy_course(folder: str | Path) -> tuple[list[str], list[str]]:
    """Copy the course into `folder`, which is made if need be.

    Returns:
        Names of the files that were written, and of those that were there, with other contents.

    Raises:
        CourseError: no path, a file that can't be written, or a folder in `folder` leads out of it.
    """
    written, kept = [], []
    try:
        folder = path_of(folder)
        folder.mkdir(parents=True, exist_ok=True)
        root = folder.resolve()
        for path, place in parts():
            target = folder / place
            if not target.parent.resolve().is_relative_to(root):
                raise OSError(errno.EPERM, f"{target.parent.name} there leads somewhere else")
            if not os.path.lexists(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                write_file(target, path.read_bytes())
                written.append(place.as_posix())
            elif not target.is_file() or target.read_bytes() != path.read_bytes():
                kept.append(place.as_posix())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle; no name at all
        why = getattr(error, "strerror", None) or error
        raise CourseError(f"{folder}: the course can't be copied there: {why}") from error
    return written, kept


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m cimg.course", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to; made if it isn't there")
    folder = parser.parse_args(arguments).folder
    try:
        written, kept = copy_course(folder)
    except CourseError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    for name in kept:
        print(f"left as it is: {name}")
    print(f"{folder}: {len(written)} files written, {len(kept)} left as they are.")
    print(f"Start with: jupyter lab {folder / 'notebooks' / '00-start-here.ipynb'}")


if __name__ == "__main__":
    main()
