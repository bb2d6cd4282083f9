"""Ancestral sampling with integers only: the same seed draws the same rows on every machine.

A uniform 31-bit integer is compared with integer thresholds, so no float is compared and a
probability has a resolution of 2**-31: what is drawn follows the table to within 2**-32 for every
cumulative probability. The first value whose threshold lies above the integer is drawn, and a
value of probability 0 has no room between its two thresholds: it is never drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cimg.tables import Variable, WorldError

BITS = 31
MAX_DRAWN = 2**30  # codes in one draw: 8 GiB of int64
CHUNK = 16_384  # rows at a time, so that all of a chunk's numbers stay in the processor's cache


def thresholds(cpt: np.ndarray) -> np.ndarray:
    """Integer thresholds uint32 [|values| - 1, rows] of a table [..., |values|].

    Value j of a row is drawn when thresholds[j - 1] <= u < thresholds[j]. What rounding leaves
    of a row (it sums to 1 within 1e-6) goes to its last value of positive probability.
    """
    rows = cpt.reshape(-1, cpt.shape[-1])
    cumulative = np.rint(np.cumsum(rows, axis=1) * 2**BITS)
    last = rows.shape[1] - 1 - np.argmax(rows[:, ::-1] > 0, axis=1)
    cumulative[np.arange(rows.shape[1]) >= last[:, None]] = 2**BITS
    return np.ascontiguousarray(np.minimum(cumulative, 2**BITS)[:, :-1].T.astype(np.uint32))


class Sampler:
    """Draws rows of all variables of a world; `variables` in topological order."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = list(variables)
        self.sizes = {v.name: len(v.values) for v in variables}
        self.tables: dict[str, np.ndarray] = {}  # thresholds, made when first drawn from
        self.words = (len(self.variables) + 1) // 2  # 64-bit words that one row uses up

    def draw(self, n: int, seed: int, fixed: Mapping[str, int]) -> dict[str, np.ndarray]:
        """`n` rows as int64 arrays; the variables in `fixed` keep the code given there.

        Each row uses the same count of random words and each variable its own half of a word,
        whatever is fixed. So the first rows of a longer draw are those of a shorter one, and
        what doesn't descend from a fixed variable keeps its values.
        """
        if n * len(self.variables) > MAX_DRAWN:
            most = MAX_DRAWN // len(self.variables)
            raise WorldError(f"n is {n:,}; at most {most:,} rows can be drawn at once")
        source = np.random.PCG64(seed)
        out = {v.name: np.empty(n, np.int64) for v in self.variables}
        for name, code in fixed.items():
            out[name].fill(code)
        for start in range(0, n, CHUNK):
            stop = min(start + CHUNK, n)
            raw = source.random_raw((stop - start) * self.words).astype("<u8", copy=False)
            halves = raw.view("<u4").reshape(stop - start, 2 * self.words)
            codes: dict[str, np.ndarray | int] = dict(fixed)
            for column, variable in enumerate(self.variables):
                if variable.name not in fixed:
                    codes[variable.name] = self._draw_one(variable, halves[:, column], codes)
                    out[variable.name][start:stop] = codes[variable.name]
        return out

    def _draw_one(self, variable: Variable, halves: np.ndarray, codes: Mapping) -> np.ndarray:
        """Codes of one variable for one chunk, in the smallest dtype that holds them."""
        if (table := self.tables.get(variable.name)) is None:
            table = self.tables[variable.name] = thresholds(variable.cpt.numpy())
        uniform = halves >> (32 - BITS)
        row = self._row(variable, codes)
        drawn = np.zeros(len(uniform), np.min_scalar_type(len(table)))
        for threshold in table:
            limit = threshold[row] if isinstance(row, int) else threshold.take(row, mode="clip")
            drawn += uniform >= limit
        return drawn

    def _row(self, variable: Variable, codes: Mapping) -> np.ndarray | int:
        """Which row of the table the parents' codes select; an int where all are fixed."""
        sizes = [self.sizes[parent] for parent in variable.parents]
        small = np.min_scalar_type(math.prod(sizes))
        row: np.ndarray | int = 0
        for parent, size in zip(variable.parents, sizes, strict=True):
            code = codes[parent]
            row = row * size + (code if isinstance(code, int) else code.astype(small, copy=False))
        return row if isinstance(row, int) else row.astype(np.intp)
