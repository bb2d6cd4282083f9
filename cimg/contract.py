"""Sums of products of tables, contracted pair by pair, with the order of work kept.

Every exact answer on a world is one such sum: multiply the tables, fix what is known, add up over
what is not asked. The order in which pairs are taken decides whether that costs microseconds or
more memory than there is; `opt_einsum` finds a good one from the shapes alone, so the size of the
largest table on the way is known, and refused, before any memory is touched.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import opt_einsum

from cimg.tables import WorldError

MAX_ENTRIES = 2**25  # of one intermediate table: 256 MiB of float64
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

Names = tuple[str, ...]


def check_size(shape: Sequence[int], what: str) -> None:
    """Raises WorldError if a table of that shape is more than is allowed."""
    if (entries := math.prod(shape)) > MAX_ENTRIES:
        raise WorldError(
            f"too dense to answer exactly: {what} would have {entries:.3g} entries "
            f"({entries * 8 / 2**30:.3g} GiB); at most {MAX_ENTRIES:,} are allowed. "
            "estimate(...) answers by sampling instead"
        )


class Pair:
    """One step: multiply two tables and add up over the axes that nothing later needs.

    Axes of both that stay are a batch; axes of both that go are summed, as in a matrix product.
    Small matrices cost less in numpy's `einsum`, large ones in `matmul`.
    """

    def __init__(self, left: Names, right: Names, keep: set[str], sizes: Mapping[str, int]) -> None:
        batch = [a for a in left if a in right and a in keep]
        summed = [a for a in left if a in right and a not in keep]
        rows = [a for a in left if a not in right]
        columns = [a for a in right if a not in left]
        self.names: Names = (*batch, *rows, *columns)
        self.shape = tuple(sizes[a] for a in self.names)
        check_size(self.shape, "an intermediate table")
        letter = dict(zip(dict.fromkeys(left + right), LETTERS, strict=False))
        parts = ["".join(letter[a] for a in names) for names in (left, right, self.names)]
        self.formula = f"{parts[0]},{parts[1]}->{parts[2]}"
        b, r, s, c = (math.prod(sizes[a] for a in axes) for axes in (batch, rows, summed, columns))
        self.by_matrix = r * s * c >= 512
        self.left = [left.index(a) for a in (*batch, *rows, *summed)], (b, r, s)
        self.right = [right.index(a) for a in (*batch, *summed, *columns)], (b, s, c)

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if not self.by_matrix:
            return np.einsum(self.formula, left, right)
        (left_axes, left_shape), (right_axes, right_shape) = self.left, self.right
        left = left.transpose(left_axes).reshape(left_shape)
        right = right.transpose(right_axes).reshape(right_shape)
        return np.matmul(left, right).reshape(self.shape)


class Contraction:
    """A sum of products of tables, as a function of the codes of some of its variables.

    `factors` are pairs (names of the axes, table); the axes in `fixed` are indexed by the codes
    given later, those in `output` are kept, and all others, each of which must be in two factors
    or more, are summed over. Whatever doesn't depend on the codes is computed here, once.
    """

    def __init__(
        self,
        factors: Iterable[tuple[Names, np.ndarray]],
        fixed: Iterable[str],
        output: Names,
        sizes: Mapping[str, int],
    ) -> None:
        check_size([sizes[a] for a in output], f"the answer over {', '.join(output)}")
        fixed = set(fixed)
        self.values: list[np.ndarray | None] = []
        self.cuts: list[tuple[int, np.ndarray, Names]] = []
        free: list[Names] = []
        for names, table in factors:
            free.append(tuple(a for a in names if a not in fixed))
            cut = len(free[-1]) < len(names)
            if cut:
                axes = tuple(a if a in fixed else "" for a in names)
                self.cuts.append((len(self.values), table, axes))
            self.values.append(None if cut else table)
        self.steps: list[tuple[int, int, int, Pair]] = []
        last = self._plan(free, output, sizes)
        self.order = [last.index(a) for a in output]
        self.kept = sum(table.size for table in self.values if table is not None)

    def _plan(self, free: list[Names], output: Names, sizes: Mapping[str, int]) -> Names:
        """Choose the pairs, check their sizes, then compute the constant ones among them."""
        for finder in (opt_einsum.paths.greedy, _search):  # quick first
            try:
                pairs, names = _pairs(free, output, sizes, finder)
                break
            except WorldError as error:
                refused = error
        else:
            raise refused
        for step in pairs:
            left, right, target, pair = step
            self.values.append(None)
            if self.values[left] is None or self.values[right] is None:
                self.steps.append(step)
            else:
                self.values[target] = pair(self.values[left], self.values[right])
                self.values[left] = self.values[right] = None
        return names

    def __call__(self, codes: Mapping[str, int], rescale: bool = False) -> tuple[np.ndarray, float]:
        """The sum for these codes as (table, log scale): table * exp(log scale).

        With `rescale`, every step is divided by its largest entry, so that the probability of
        very much evidence doesn't underflow; without it the log scale is 0.
        """
        values, scale = self.values.copy(), 0.0
        for i, table, axes in self.cuts:
            values[i] = table[tuple([codes[a] if a else slice(None) for a in axes])]
        for left, right, target, pair in self.steps:
            result = pair(values[left], values[right])
            if rescale and 0 < (largest := result.max()) < np.inf:
                result, scale = result / largest, scale + math.log(largest)
            values[target], values[left], values[right] = result, None, None
        return (values[-1].transpose(self.order) if values else np.ones(())), scale


def _search(*shapes) -> list[tuple[int, ...]]:
    """An order that takes less memory, by 16 random tries, the same ones every time."""
    state = random.getstate()  # opt_einsum seeds Python's own random numbers: put them back
    try:
        return opt_einsum.RandomGreedy(max_repeats=16, minimize="size")(*shapes)
    finally:
        random.setstate(state)


def _pairs(free: Sequence[Names], output: Names, sizes: Mapping[str, int], finder):
    """The steps [(left, right, target, Pair)] over numbered tables, and the last one's axes."""
    number = {name: i for i, name in enumerate(dict.fromkeys(a for names in free for a in names))}
    inputs = [frozenset(number[a] for a in names) for names in free]
    lengths = {i: sizes[name] for name, i in number.items()}
    path = finder(inputs, frozenset(number[a] for a in output), lengths, None) if free else []
    names, waiting = list(free), list(range(len(free)))
    uses = Counter(a for names in (*free, output) for a in names)
    steps = []
    for step in path:
        if len(step) == 1:
            continue
        left, right = (waiting.pop(i) for i in sorted(step, reverse=True))
        for a in names[left] + names[right]:
            uses[a] -= 1
        keep = {a for a in names[left] + names[right] if uses[a]}
        pair = Pair(names[left], names[right], keep, sizes)
        for a in pair.names:
            uses[a] += 1
        waiting.append(len(names))
        steps.append((left, right, len(names), pair))
        names.append(pair.names)
    return steps, names[-1] if names else ()
