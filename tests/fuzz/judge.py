"""The judge: gives a reader bad input, thousands of times, and watches what happens."""

import contextlib
import random
import resource
import signal
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .readers import Reader

SECONDS = 20  # no reader takes a hundredth of that: it hangs
MEMORY = 2**30  # bytes that a reader may take on top of what the program has
LONGEST = 6000  # characters of a message: 24 names of 200 characters, and some words


class Hang(BaseException):
    """Raised in a reader that takes too long; no `except Exception` catches it."""


@dataclass
class Tally:
    """What came of one reader's inputs."""

    refused: int = 0
    sound: int = 0  # not malformed after all
    faults: list[str] = field(default_factory=list)
    megabytes: int = 0  # by which memory's peak grew


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Time and memory are limited, and a warning counts as a fault."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak() -> int:
    """The most memory that this process has had, in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_memory() -> None:
    """From here on, this process gets no more than `MEMORY` on top of what it has."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))


def try_one(reader: Reader, given: Any, path: Path) -> tuple[str, str]:
    """("refused" | "sound" | "fault", what was said)."""
    start = peak()
    try:
        with watched():
            found = reader.read(given, path)
    except reader.errors as error:
        if type(error) not in reader.errors:
            return "fault", f"raised a {type(error).__name__}: {error!s:.300}"
        if not (text := str(error)).strip() or len(text) > LONGEST:
            return "fault", f"a message of {len(text)} characters: {text:.300}"
        if peak() - start > MEMORY:
            return "fault", f"took {(peak() - start) >> 20} MiB"
        return "refused", text
    except Hang:
        return "fault", f"took more than {SECONDS} s"
    except Exception as error:  # noqa: BLE001
        return "fault", f"raised {type(error).__name__}: {error!s:.300}"
    return ("sound", "") if reader.sound(found) else ("fault", f"answered {found!r:.200}")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def fuzz(reader: Reader, wanted: int, seed: int = 0, most_faults: int = 20) -> Tally:
    """Give `reader` bad input until it has refused `wanted` of them.

    An input is made from the seed, the reader's name and its number alone, so that a fault can be
    looked at again: `again`.
    """
    tally, number, start = Tally(), 0, peak()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while tally.refused < wanted and number < 4 * wanted and len(tally.faults) < most_faults:
            kind, said = again(reader, number, seed, folder)
            if kind == "fault":
                tally.faults.append(f"{reader.name} {number} (seed {seed}): {said}")
            else:
                setattr(tally, kind, getattr(tally, kind) + 1)
            number += 1
    tally.megabytes = (peak() - start) >> 20
    return tally


def again(reader: Reader, number: int, seed: int, folder: Path) -> tuple[str, str]:
    """Make and try one input. A file that is changed, or one more, is a fault as well."""
    rng = random.Random(f"{seed} {reader.name} {number}")
    given = reader.make(rng)
    if not isinstance(given, bytes):
        return try_one(reader, given, folder)
    path = folder / f"x{rng.choice(reader.suffixes)}"
    path.write_bytes(given)
    kind, said = try_one(reader, given, path)
    if contents(folder) != {path.name: given}:
        kind, said = "fault", "changed a file"
    path.unlink(missing_ok=True)
    return kind, said
