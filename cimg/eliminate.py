"""The posterior of a world, as a network that can be drawn from.

Eliminating a variable multiplies the tables that hold it into one, and sums it out. That product,
divided by its sum, is the variable's distribution given the others in it. Draw the variables in
the reverse order, each from its own such table, and the rows are exact draws from the joint
posterior (variable elimination with backward sampling; Koller and Friedman 2009, ch. 9).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np
import torch

from cimg.contract import Names, check_size
from cimg.separation import upstream
from cimg.tables import Variable, WorldError
from cimg.world import World


def posterior_network(
    world: World, seen: Mapping[str, int], done: Mapping[str, int]
) -> list[Variable]:
    """Variables with tables whose joint distribution is the posterior, parents before children.

    The variables that are seen or set come first, with their tables as they were, to be held at
    their codes. Then those upstream of evidence, with new parents and new tables, and last the
    others, as they were. `seen` must be possible. Raises WorldError if a table gets too large.
    """
    fixed = {**seen, **done}
    bearing = [name for name in upstream(world, seen, done) if name not in done]
    tables = [_cut(world.variables[name], fixed) for name in bearing]
    free = [name for name in bearing if name not in fixed]
    sizes = {name: len(v.values) for name, v in world.variables.items()}
    order = elimination_order([names for names, _ in tables], free, sizes)
    for name, others in order:
        check_size([sizes[a] for a in (*others, name)], f"the table of {name} in the posterior")
    drawn_first = _eliminate(world, tables, order)
    rest = [v for name, v in world.variables.items() if name not in fixed and name not in free]
    return [world.variables[name] for name in fixed] + drawn_first + rest


def elimination_order(
    scopes: Iterable[Iterable[str]], free: Sequence[str], sizes: Mapping[str, int]
) -> list[tuple[str, Names]]:
    """Each free variable with the others in its table when its turn comes.

    The next is always the one whose table is the smallest (the min-weight heuristic)."""
    place = {name: i for i, name in enumerate(free)}
    near: dict[str, set[str]] = {name: set() for name in free}
    for scope in scopes:
        members = [name for name in scope if name in near]
        for name in members:
            near[name].update(members)
    for name in free:
        near[name].discard(name)

    def weight(name: str) -> tuple[int, int]:
        return math.prod(sizes[other] for other in near[name]) * sizes[name], -place[name]

    weights = {name: weight(name) for name in free}
    order = []
    while weights:
        name = min(weights, key=weights.__getitem__)
        del weights[name]
        others = near.pop(name)
        for other in others:
            near[other] |= others
            near[other] -= {name, other}
        weights.update((other, weight(other)) for other in others)
        order.append((name, tuple(sorted(others, key=place.__getitem__))))
    return order


def _eliminate(
    world: World, tables: Sequence[tuple[Names, np.ndarray]], order: Sequence[tuple[str, Names]]
) -> list[Variable]:
    """The new tables, last eliminated first."""
    held: dict[str, list[tuple[Names, np.ndarray]]] = {name: [] for name, _ in order}
    turn = {name: i for i, (name, _) in enumerate(order)}

    def hand_over(names: Names, table: np.ndarray) -> None:
        """Keep a table with the variable in it that is eliminated first."""
        if names:
            held[min(names, key=turn.__getitem__)].append((names, table))

    for names, table in tables:
        hand_over(names, table)
    network = []
    for name, others in order:
        axes = (*others, name)
        product = reduce(_times, (_align(*entry, axes) for entry in held.pop(name)))
        total = product.sum(-1, keepdims=True)
        conditional = np.divide(product, total, out=np.zeros_like(product), where=total > 0)
        old = world.variables[name]
        cpt = torch.from_numpy(conditional)
        network.append(Variable(name, old.values, others, old.in_image, cpt))
        hand_over(others, total[..., 0])
    return network[::-1]


def _times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product up to a factor: its largest entry is 1, so that many tables don't underflow."""
    product = left * right
    if not (largest := product.max()) > 0:
        raise WorldError("impossible evidence, or too improbable to be told from it")
    return product / largest


def _cut(variable: Variable, fixed: Mapping[str, int]) -> tuple[Names, np.ndarray]:
    """A variable's table at the codes of those of its axes that are fixed."""
    axes = (*variable.parents, variable.name)
    table = variable.cpt.numpy()[tuple(fixed.get(a, slice(None)) for a in axes)]
    return tuple(a for a in axes if a not in fixed), table


def _align(names: Names, table: np.ndarray, axes: Names) -> np.ndarray:
    """The table with its axes in the order of `axes` and length 1 for those it doesn't have."""
    table = table.transpose([names.index(a) for a in axes if a in names])
    lengths = iter(table.shape)
    return table.reshape([next(lengths) if a in names else 1 for a in axes])
