"""Variables and their tables: what a world is made of, and every check on it.

Tables are written by hand, so they are read with suspicion: each mistake gets one error that
names the variable and the row, says what was expected and what was found. Nothing is repaired.
"""

from __future__ import annotations

import heapq
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

TOLERANCE = 1e-6  # how far from 1 a row may sum: room for printed decimals, not for mistakes
MAX_ENTRIES = 2**24  # of one table: 128 MiB of float64
MAX_PARENTS = 32
MAX_VARIABLES = 10_000


class WorldError(ValueError):
    """A world, a name, a value or a question that cannot be right; the message says which."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A discrete variable and its conditional probability table (CPT).

    `cpt` is a float64 tensor of shape [|parent 1|, ..., |parent k|, |values|]: the last axis is
    the variable's own and each row along it sums to 1. `in_image` says whether it is drawn.
    """

    name: str
    values: tuple[str, ...]
    parents: tuple[str, ...]
    in_image: bool
    cpt: Tensor


def some(names: Sequence[str], limit: int = 24) -> str:
    """`names` as text, cut after `limit` of them."""
    more = f", … ({len(names)} in all)" if len(names) > limit else ""
    return ", ".join(str(name) for name in names[:limit]) + more


def short(thing: Any) -> str:
    """`thing` as Python writes it, cut to a length that can be read in an error message."""
    try:
        text = repr(thing)
    except ValueError:  # an integer of more digits than Python prints
        text = "of thousands of digits"
    except RecursionError:
        text = "nested too deeply"
    return text if len(text) <= 210 else text[:209] + "…"  # a name may have 200 characters


def brief(thing: Any) -> str:
    """What `thing` is, in a few words, for an error message."""
    text = " ".join(short(thing).split("\n"))  # a table of others' may take some lines
    return f"{type(thing).__name__} {text if len(text) <= 60 else text[:57] + '…'}"


def whole(number: Any, what: str, least: int = 0) -> int:
    """`number` as an int, if it is a whole number from `least` up."""
    try:
        found = -1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        found = -1
    if found < least:
        raise WorldError(f"{what} must be a whole number from {least} up, found {brief(number)}")
    return found


def check_name(name: Any, where: str, what: str) -> None:
    """A name is non-empty printable text with no space around it."""
    if not isinstance(name, str):
        raise WorldError(f"{where}: {what} must be text, found {brief(name)}")
    if not name or name != name.strip() or not name.isprintable() or len(name) > 200:
        raise WorldError(
            f"{where}: {what} must be 1 to 200 printable characters with no space around them, "
            f"found {brief(name)}"
        )


def check_unique(names: Sequence[str], where: str, what: str) -> None:
    """No name twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise WorldError(f"{where}: {what} {name!r} is listed twice")
        seen.add(name)


def check_heads(variables: Sequence[Variable]) -> None:
    """Names, values and parents of all variables: everything but order and tables."""
    if not 0 < len(variables) <= MAX_VARIABLES:
        raise WorldError(f"a world has 1 to {MAX_VARIABLES:,} variables, found {len(variables):,}")
    for position, variable in enumerate(variables):
        if not isinstance(variable, Variable):
            found = brief(variable)
            raise WorldError(f"variable number {position + 1}: expected a Variable, found {found}")
        check_name(variable.name, f"variable number {position + 1}", "its name")
    names = [variable.name for variable in variables]
    check_unique(names, "the world", "variable")
    known = set(names)
    for variable in variables:
        where = f"variable {variable.name!r}"
        if not isinstance(variable.in_image, bool):
            found = brief(variable.in_image)
            raise WorldError(f"{where}: in_image must be true or false, found {found}")
        for part in ("values", "parents"):
            if not isinstance(found := getattr(variable, part), list | tuple):
                raise WorldError(f"{where}: {part} must be a tuple or list, found {brief(found)}")
        if not variable.values:
            raise WorldError(f"{where}: values is empty; a variable has at least one value")
        for value in variable.values:
            check_name(value, where, "a value")
        check_unique(variable.values, where, "value")
        for parent in variable.parents:
            if not isinstance(parent, str) or parent not in known:
                raise WorldError(
                    f"{where}: unknown parent {short(parent)}; the world has: {some(names)}"
                )
        check_unique(variable.parents, where, "parent")


def in_order(variables: Sequence[Variable]) -> list[Variable]:
    """Parents before children; the order of the list is kept wherever it allows that."""
    place = {variable.name: i for i, variable in enumerate(variables)}
    children: dict[str, list[str]] = {name: [] for name in place}
    waiting = {variable.name: len(variable.parents) for variable in variables}
    for variable in variables:
        for parent in variable.parents:
            children[parent].append(variable.name)
    ready = [place[name] for name, count in waiting.items() if count == 0]
    ordered = []
    while ready:
        variable = variables[heapq.heappop(ready)]
        ordered.append(variable)
        for child in children[variable.name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, place[child])
    if len(ordered) < len(variables):
        raise WorldError(f"the arrows form a cycle: {_cycle(variables, ordered)}")
    return ordered


def _cycle(variables: Sequence[Variable], ordered: Sequence[Variable]) -> str:
    """One cycle among the variables that found no place in the order, as text."""
    placed = {variable.name for variable in ordered}
    stuck = {v.name: [p for p in v.parents if p not in placed] for v in variables}
    walk = [next(name for name in stuck if name not in placed)]
    while walk.count(walk[-1]) == 1:  # every stuck variable has a stuck parent, so this returns
        walk.append(stuck[walk[-1]][0])
    return " → ".join(reversed(walk[walk.index(walk[-1]) :]))


def with_table(variable: Variable, by_name: Mapping[str, Variable]) -> Variable:
    """`variable` with its table checked and made a float64 tensor of its own."""
    parents = [by_name[parent] for parent in variable.parents]
    where = f"variable {variable.name!r}"
    if len(parents) > MAX_PARENTS:
        raise WorldError(f"{where}: {len(parents)} parents; at most {MAX_PARENTS} are allowed")
    axes = [*parents, variable]
    shape = tuple(len(axis.values) for axis in axes)
    if math.prod(shape) > MAX_ENTRIES:
        raise WorldError(
            f"{where}: a table of shape {list(shape)} has {math.prod(shape):,} entries; "
            f"at most {MAX_ENTRIES:,} are allowed"
        )
    raw = variable.cpt
    if isinstance(raw, Tensor | np.ndarray):
        table = _own_array(raw, where)
        if table.shape != shape:
            raise WorldError(f"{where}: {_expected(axes)}, found shape {list(table.shape)}")
    else:
        _check_nesting(raw, axes, 0, (), where)
        table = np.array(raw, dtype=np.float64).reshape(shape)
    check_rows(table, axes, where)
    return replace(variable, cpt=torch.from_numpy(table))


def _own_array(raw: Tensor | np.ndarray, where: str) -> np.ndarray:
    """A copy as float64, so that nobody else's change to `raw` changes the world."""
    try:
        raw = raw.detach().cpu().numpy() if isinstance(raw, Tensor) else raw
        return raw.astype(np.float64, casting="same_kind" if raw.dtype.kind == "f" else "safe")
    except (TypeError, ValueError) as error:
        raise WorldError(f"{where}: a table holds real numbers, found {raw.dtype}") from error


def _expected(axes: Sequence[Variable]) -> str:
    shape = [len(axis.values) for axis in axes]
    names = " × ".join([axis.name for axis in axes[:-1]] + ["its own values"])
    return f"expected a table of shape {shape} ({names})"


def row_name(axes: Sequence[Variable], index: Sequence[int]) -> str:
    """A row by its parents' values, as `actor_strength=low, actor_defense=high`."""
    parts = [f"{axis.name}={axis.values[i]}" for axis, i in zip(axes, index, strict=False)]
    return "row " + ", ".join(parts) if parts else "its only row"


def _check_nesting(node: Any, axes: Sequence[Variable], depth: int, at: tuple, where: str) -> None:
    """Lists in lists exactly as deep and as long as `axes` say, with plain numbers inside."""
    if depth == len(axes):
        if isinstance(node, bool) or not isinstance(node, int | float):
            row = row_name(axes[:-1], at[:-1])
            raise WorldError(f"{where}, {row}: expected a number, found {brief(node)}")
        if isinstance(node, int) and abs(node) > 1:
            row = row_name(axes[:-1], at[:-1])
            raise WorldError(f"{where}, {row}: {brief(node)} is not a probability")
        return
    if not isinstance(node, list | tuple) or len(node) != len(axes[depth].values):
        found = f"a list of {len(node)}" if isinstance(node, list | tuple) else brief(node)
        row = row_name(axes[:-1], at) if at else "at the top"
        of = f"one for each value of {axes[depth].name}"
        raise WorldError(
            f"{where}: {_expected(axes)}; {row}: expected a list of "
            f"{len(axes[depth].values)}, {of}, found {found}"
        )
    for i, inner in enumerate(node):
        _check_nesting(inner, axes, depth + 1, (*at, i), where)


def first(bad: np.ndarray) -> tuple[int, ...]:
    """Where the first True is. (`argwhere` would list them all, which may take gigabytes.)"""
    return tuple(int(i) for i in np.unravel_index(bad.argmax(), bad.shape))


def check_rows(table: np.ndarray, axes: Sequence[Variable], where: str) -> None:
    """Finite, non-negative entries; every row sums to 1 within `TOLERANCE`."""

    def fail(bad: np.ndarray, say: str) -> None:
        index = first(bad)[: table.ndim - 1]
        row = table[index]
        found = some([f"{p:.12g}" for p in row])
        message = say.format(total=f"{row.sum():.12g}")
        raise WorldError(f"{where}, {row_name(axes[:-1], index)}: {message}: [{found}]")

    if (bad := ~np.isfinite(table)).any():
        fail(bad, "an entry is not a finite number")
    if (bad := table < 0).any():
        fail(bad, "an entry is negative")
    if (bad := np.abs(table.sum(-1) - 1) > TOLERANCE).any():
        fail(bad, f"the row sums to {{total}}, not to 1 within {TOLERANCE:g}")
