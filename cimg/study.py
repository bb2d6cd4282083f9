"""What the course's comparisons share: intervals, and results that are kept while they are made."""

import json
import math
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from cimg.files import read_object, write_file
from cimg.tables import short

FOLDER = Path(__file__).parent / "results"
STUDENT = 4.302653  # 97.5 % quantile of Student's t with two degrees of freedom: three seeds
NORMAL = 1.959964  # the same of the normal distribution
LARGEST = 4 * 2**20  # bytes of results: ten times what the longest comparison keeps


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over three training seeds, and half the width of its 95 % interval by Student's t.

    Raises:
        ValueError: not three finite numbers.
    """
    if len(values) != 3:
        raise ValueError(f"expected the values of three seeds, found {len(values)}")
    try:
        found = [float(x) for x in values if not isinstance(x, str | bool)]
        middle, half = fmean(found), STUDENT * stdev(found) / math.sqrt(3)
    except (AttributeError, TypeError, ValueError, OverflowError):  # stdev breaks on infinity
        middle, found = math.nan, []
    if len(found) < 3 or not math.isfinite(middle):
        raise ValueError("expected the numbers of three seeds, found something else among them")
    return middle, half


def three_seeds(name: str, key: str, path: Path = FOLDER) -> str:
    """A figure of three training seeds out of a file of results, as "mean ± half an interval".

    Args:
        name: of the file, which keeps the three values under "right".

    Raises:
        ValueError: as `read_results` and `interval`; results without this figure.
    """
    try:
        middle, half = interval(read_results(path / f"{name}.json")["right"][key])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name}: no figure of three seeds for {short(key)}") from error
    return f"{middle:.1f} ± {half:.1f}"


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share seen in n draws (Wilson 1927)."""
    z = NORMAL
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def read_results(path: Path) -> dict[str, Any]:
    """Results that `write_results` kept; empty if there is no file yet.

    Raises:
        ValueError: the file can't be read, is too large, or is no JSON object.
    """
    return read_object(path, LARGEST) if path.exists() else {}


def read_runs(path: Path, *lists: str) -> dict[str, Any]:
    """Results in which these are lists of dicts, one for each run; empty if there is no file yet.

    Raises:
        ValueError: as `read_results`, or something else in place of such a list.
    """
    found = {name: [] for name in lists} | read_results(path)
    for name in lists:
        runs = found[name]
        if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
            raise ValueError(f"{path}: '{name}' should be a list of runs, found {short(runs)}")
    return found


@contextmanager
def complaints(parser: ArgumentParser) -> Iterator[None]:
    """What goes wrong in a command is said in one line, and it ends with 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def write_results(path: Path, results: Mapping[str, Any], digits: int | None = None) -> None:
    """Keep results as JSON, whole or not at all, its numbers rounded to so many decimals if given.

    Raises:
        OSError: the file can't be written; what was there before is left alone.
    """
    text = json.dumps(results)
    kept = json.loads(text, parse_float=lambda x: round(float(x), digits)) if digits else results
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, f"{json.dumps(kept, indent=1)}\n".encode())


def check_settings(settings: Any, limits: Mapping[str, tuple], usual: tuple[float, float]) -> None:
    """Is each setting of a run (a dataclass) of its default's type, and within its limits?

    Args:
        limits: for numbers the least and the most; for texts all that may be said.
        usual: limits of the numbers that aren't named.

    Raises:
        ValueError: a setting of another type, or out of its range; the first of them is named.
    """
    for field in fields(settings):
        value, default = getattr(settings, field.name), field.default
        allowed = limits.get(field.name, usual)
        if isinstance(default, str):
            good, what = value in allowed, f"one of {', '.join(allowed)}"
        else:
            kind = int if isinstance(default, int) else int | float
            good = isinstance(value, kind) and not isinstance(value, bool)
            good = good and allowed[0] <= value <= allowed[1]
            number = "a whole number" if kind is int else "a number"
            what = f"{number} from {allowed[0]} to {allowed[1]}"
        if not good:
            raise ValueError(f"setting '{field.name}': expected {what}, found {short(value)}")
