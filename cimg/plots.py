"""Distributions as bars, curves, and tables of numbers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from cimg.picture import (
    COLOURS,
    GREY,
    INK,
    Picture,
    finish,
    house_style,
    sentences,
    text_width,
    titled,
)
from cimg.tables import brief, whole

# Series differ in lightness and pattern too: for greyscale print and for colour-blind eyes. The
# colours of the rungs are kept for them.
BARS = ("#009E73", "#E69F00", INK, "#F0E442", "#FFFFFF")
HATCHES = ("", "//", "..", "xx", "\\\\")
RUNGS = {"see": ("seeing", "seen"), "do": ("doing", "done", "made"), "imagine": ("imagining",)}
LINES = ("#009E73", INK, "#E69F00", "#7a4b00", "#8f8f00")
MOST_DIGITS = 15  # of a number that Python keeps
DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


def _plot(width: float, title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """A figure of at least `width` pixels with one pair of axes."""
    width = max(width, 440, text_width(title, 13) + 40)
    figure = Figure((width / 96, 3.6), dpi=192, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.07)
    figure.suptitle(title or None, x=0.02, ha="left", size=13, weight="bold")
    return figure, figure.add_subplot(xlabel=xlabel, ylabel=ylabel)


def _legend(ax: Axes, names: Sequence[str]) -> None:
    """A legend between title and plot, with as many names in a line as fit."""
    room, widths = ax.figure.get_figwidth() * 96 - 70, [text_width(name) + 56 for name in names]
    columns = len(names) if sum(widths) < room else max(1, int(room // max(widths)))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)


def _array(x: object) -> np.ndarray:
    try:
        return np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected numbers, found {brief(x)}") from error


def _named(series: Any, most: int, what: str) -> dict[str, Any]:
    """A dict of 1 to `most` series with names; what has items (a table of columns) will do."""
    found = dict(series.items()) if hasattr(series, "items") and len(series) else {}
    if not 1 <= len(found) <= most:
        said = len(found) if hasattr(series, "items") else brief(series)
        raise ValueError(f"expected a dict of 1 to {most} {what}, found {said}")
    if odd := [name for name in found if not isinstance(name, str)]:
        raise ValueError(f"expected names of {what}, found {brief(odd[0])}")
    return found


def _digits(given: int, least: int = 0) -> int:
    """How many digits, if that many can be told at all."""
    if (found := whole(given, "digits", least)) > MOST_DIGITS:
        raise ValueError(f"digits: at most {MOST_DIGITS}, found {found}")
    return found


def _numbers(name: str, given: Mapping | Sequence | Tensor, values: Sequence[str]) -> np.ndarray:
    """For each value a number from 0 to 1."""
    if isinstance(given, Mapping):
        if set(given) != set(values):
            found = ", ".join(map(str, given))
            raise ValueError(f"{name}: expected {', '.join(values)}; found {found}")
        given = [_array(given[value]) for value in values]
        if odd := [value for value, x in zip(values, given, strict=True) if x.size != 1]:
            raise ValueError(f"{name}, {odd[0]}: expected a number")
        given = [x.item() for x in given]
    numbers = _array(given)
    if numbers.shape != (len(values),):
        raise ValueError(f"{name}: expected {len(values)} numbers, found {list(numbers.shape)}")
    for value, number in zip(values, numbers, strict=True):
        if not -1e-9 <= number <= 1 + 1e-9:
            raise ValueError(f"{name}, {value}: expected a number from 0 to 1, found {number}")
    return numbers


def _looks(names: Iterable[str]) -> list[tuple[str, str]]:
    """Colour and hatch of each series of bars."""
    first = [re.split(r"[^\w-]", name)[0].lower() for name in names]
    kinds = [next((kind for kind, of in RUNGS.items() if word in of), "") for word in first]
    others = iter(BARS)
    colours = [COLOURS[kind] if kind else next(others) for kind in kinds]
    return list(zip(colours, HATCHES, strict=False))


@house_style
def distributions(
    series: Mapping[str, Mapping | Sequence | Tensor],
    values: Iterable[str],
    title: str = "",
    errors: Mapping[str, Mapping | Sequence | Tensor] | None = None,
    digits: int = 2,
    xlabel: str = "",
    ylabel: str = "probability",
) -> Picture:
    """Up to five distributions over the same values, side by side as bars with their numbers.

    Each of `series`, and of `errors` (half an error bar's length), is a dict from value to number
    or a vector in the order of `values`. A series whose name begins with seeing or seen; doing,
    done or made; or imagining has the colour of that rung. Raises ValueError for what isn't a
    number from 0 to 1, for missing or unknown values, and for errors of a series that isn't
    there."""
    errors = errors or {}
    series = _named(series, len(BARS), "series")
    found = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []
    if not found or not all(isinstance(value, str) for value in found):
        raise ValueError(f"expected the names of some values, found {brief(values)}")
    values = found
    if not isinstance(errors, Mapping) or (unknown := set(errors) - set(series)):
        found = repr(min(unknown, key=str)) if isinstance(errors, Mapping) else brief(errors)
        raise ValueError(f"errors of {found}, but the series are {', '.join(series)}")
    digits = _digits(digits)
    upright = 9.6 * (digits + 2) + 4  # pixels for one bar, if its number is to fit above it
    slot = max(20, min(upright, 1000 / len(series) / len(values)))
    turn = {"rotation": 90 * (slot < upright), "ha": "center", "textcoords": "offset points"}
    group = max(slot * len(series) + 24, *(text_width(value) + 12 for value in values))
    figure, ax = _plot(group * len(values) + 80, title, xlabel, ylabel)
    said, top = [titled(title, f"bars, {ylabel}")], 0.0
    looks = _looks(series)
    for k, (name, given) in enumerate(series.items()):
        colour, hatch = looks[k]
        p = _numbers(name, given, values)
        e = _numbers(f"errors of {name}", errors.get(name, p * 0), values)
        x = np.arange(len(values)) + (k - (len(series) - 1) / 2) * slot / group
        ax.bar(x, p, slot / group, label=name, fc=colour, hatch=hatch, ec=INK, lw=0.8)
        if name in errors:
            ax.errorbar(x, p, e, fmt="none", ecolor=GREY, elinewidth=2, capsize=4)
        told = []
        for value, at, z, half in zip(values, x, p, e, strict=True):
            ax.annotate(f"{z:.{digits}f}", (at, z + half), (0, 3), **turn)
            told.append(f"{value} {z:.{digits}f}" + f" ± {half:.{digits}f}" * (name in errors))
        said.append(f"{name}: {', '.join(told)}")
        top = max(top, *(p + e))
    ax.set_xticks(range(len(values)), values)
    ax.set_ylim(0, (1.3 if slot < upright else 1.12) * top or 1)
    _legend(ax, list(series))
    return finish(figure, sentences(said))


@house_style
def curves(
    series: Mapping[str, Sequence | Tensor],
    x: Sequence | Tensor | None = None,
    xlabel: str = "step",
    ylabel: str = "",
    title: str = "",
    logx: bool = False,
    logy: bool = False,
    digits: int | None = None,
) -> Picture:
    """Up to five curves over x (by default 1, 2, ...): training, or growth on logarithmic axes.

    The alternative text tells some points of each curve, its ends and extremes among them. With
    `digits`, the text that machines compare has the first and the last value, to so many
    significant digits; leave that for numbers that every machine agrees on. Raises ValueError for
    a curve not as long as x, and for what isn't a finite number (above 0 on a logarithmic axis)."""
    series = _named(series, len(LINES), "curves")
    digits = digits if digits is None else _digits(digits, 1)
    figure, ax = _plot(600, title, xlabel, ylabel)
    said, compared = [], []
    for k, (name, given) in enumerate(series.items()):
        y = _array(given)
        at = np.arange(1, y.size + 1) if x is None else _array(x)
        if y.ndim != 1 or y.shape != at.shape or not y.size:
            raise ValueError(f"{name}: expected {at.size or 'some'} numbers, found {list(y.shape)}")
        for what, z, log in ((f"x of {name}", at, logx), (name, y, logy)):
            bad = ~np.isfinite(z) | (log & (z <= 0))
            if bad.any():
                kind = "number above 0, for a logarithmic axis" if log else "finite number"
                where = f"{what}, place {bad.argmax()}"
                raise ValueError(f"{where}: expected a {kind}, found {z[bad][0]}")
        marker = "osD^v"[k] if y.size <= 40 else None
        ax.plot(at, y, color=LINES[k], ls=DASHES[k], marker=marker, label=name, lw=2)
        said.append(f"{name} {_course(at, y, digits or 3)}")
        ends = " to ".join(_short(end, digits or 3) for end in (y[0], y[-1]))
        compared.append(name if digits is None else f"{name} {ends}")
    ax.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    ax.grid(color="#e4e4e4")
    _legend(ax, list(series))
    what = titled(title, f"curves of {ylabel or 'values'} over {xlabel}")
    alt, compared = (f"{what}: {'; '.join(of)}." for of in (said, compared))
    return finish(figure, alt, compared=compared)


def _course(x: np.ndarray, y: np.ndarray, digits: int) -> str:
    """A curve in words: its first two points, some on the way, its end and its extremes."""
    n, low, high = len(y), int(y.argmin()), int(y.argmax())
    told = sorted({0, min(1, n - 1), n // 4, n // 2, 3 * n // 4, n - 1, low, high})
    names = {low: " (lowest)", high: " (highest)"} if low != high else {}
    return ", ".join(f"{_short(y[i], digits)} at {_short(x[i], 7)}{names.get(i, '')}" for i in told)


def _short(number: float, digits: int) -> str:
    """A number to so many significant digits, written out: 7,240 and not 7.24e+03."""
    if not 1e-4 <= abs(number) < 1e9:
        return f"{number:.{digits}g}"
    decimals = digits - 1 - math.floor(math.log10(abs(number)))
    text = f"{round(number, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, repr=False)
class Table:
    """A table of numbers: aligned text, and plain HTML."""

    text: str
    markup: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def table(rows: Iterable[Sequence], headers: Sequence[str], digits: int = 3) -> Table:
    """A table; floats (and tensors with one) are rounded to `digits` decimals. Raises ValueError
    for a row that is not as long as `headers`."""

    digits = _digits(digits)

    def cell(x: object) -> str:
        x = x.item() if isinstance(x, Tensor | np.generic) else x
        return f"{x:.{digits}f}" if isinstance(x, float) else "" if x is None else str(x)

    rows = [list(row) for row in rows]
    for i, row in enumerate(rows):
        if len(row) != len(headers):
            raise ValueError(f"row {i}: expected {len(headers)} cells, found {len(row)}")
    cells = [list(map(str, headers)), *([cell(x) for x in row] for row in rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(headers))]
    left = [any(isinstance(row[j], str) for row in rows) for j in range(len(headers))]
    cells.insert(1, ["-" * w for w in widths])
    text = "\n".join(
        "  ".join(
            t.ljust(w) if a else t.rjust(w) for t, w, a in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in cells
    )
    tagged = [[f"<th>{html.escape(t)}</th>" for t in cells[0]]]
    tagged += [[f"<td>{html.escape(t)}</td>" for t in row] for row in cells[2:]]
    return Table(text, "<table>" + "".join(f"<tr>{''.join(r)}</tr>" for r in tagged) + "</table>")
