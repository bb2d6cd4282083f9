"""An oracle for counterfactuals, by brute force and without the package's mathematics.

A structural model of a world gives each variable one uniform noise and, for each row of its
table, an order in which the values are laid end to end along [0, 1]. Any orders are right: every
one of these models has the world's tables. With the listed order in every row it is the monotone
coupling. Noise matters only through the piece of [0, 1] it is in, so the model has finitely many
units (one piece for each variable), which are all written down.
"""

from itertools import product

import numpy as np
import torch
from hypothesis import strategies as st

from cimg.world import Variable, World


def listed(world):
    """The listed order in every row of every table."""
    return {
        v.name: np.broadcast_to(np.arange(len(v.values)), v.cpt.shape)
        for v in world.variables.values()
    }


def shuffled(world, random):
    """An order at random for every row."""
    return {name: random.permuted(order, axis=-1) for name, order in listed(world).items()}


def pieces(cpt, order):
    """The pieces of [0, 1] and, for each, the value that every row gives: [m], [m, ..., rows]."""
    ends = np.cumsum(np.take_along_axis(cpt, order, -1), -1)[..., :-1]
    cuts = np.unique(np.concatenate([[0.0], ends.ravel(), [1.0]]).clip(0, 1))
    middles = (cuts[1:] + cuts[:-1]) / 2
    place = (middles.reshape(-1, *[1] * cpt.ndim) >= ends).sum(-1)
    values = np.take_along_axis(np.broadcast_to(order, (len(middles), *order.shape)),
                                place[..., None], -1)[..., 0]  # fmt: skip
    return np.diff(cuts), values


def answer(world, orders, given, do, event):
    """P(event(would) | given) in the structural model with these orders; `event` gets a dict of
    arrays of codes, one entry for each unit."""
    given, do = world.encode(given), world.encode(do)
    parts = [pieces(v.cpt.numpy(), orders[v.name]) for v in world.variables.values()]
    units = np.stack(np.unravel_index(
        np.arange(np.prod([len(w) for w, _ in parts])), [len(w) for w, _ in parts]
    ))  # fmt: skip
    weight = np.prod([w[u] for (w, _), u in zip(parts, units, strict=True)], axis=0)

    def run(do):
        values = {}
        for v, (_, response), unit in zip(world.variables.values(), parts, units, strict=True):
            row = response[(unit, *(values[p] for p in v.parents))]
            values[v.name] = np.full_like(row, do[v.name]) if v.name in do else row
        return values

    was, would = run({}), run(do)
    seen = np.prod([was[name] == code for name, code in given.items()], axis=0) * weight
    return (seen * event(would)).sum() / seen.sum()


def all_orders(world, names):
    """Every choice of orders for the tables of `names`; listed order elsewhere."""
    base = listed(world)
    rows = [(n, at) for n in names for at in np.ndindex(base[n].shape[:-1])]
    choices = [list(map(list, _permutations(base[n].shape[-1]))) for n, _ in rows]
    for choice in product(*choices):
        orders = {n: order.copy() for n, order in base.items()}
        for (n, at), order in zip(rows, choice, strict=True):
            orders[n][at] = order
        yield orders


def _permutations(k):
    return np.stack(np.meshgrid(*[range(k)] * k), -1).reshape(-1, k)[
        [len(set(p)) == k for p in product(range(k), repeat=k)]
    ]


def table(random, shape, zeros=0.0):
    """Random rows; some entries are 0 with probability `zeros`."""
    weights = random.integers(1, 100, shape) * (random.random(shape) >= zeros)
    weights[..., 0] += weights.sum(-1) == 0
    return torch.from_numpy(weights / weights.sum(-1, keepdims=True))


@st.composite
def worlds(draw, most=4, values=(2, 3), zeros=0.0):
    """A small random world: up to `most` variables, each with up to 2 parents."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = [draw(st.integers(*values)) for _ in range(draw(st.integers(2, most)))]
    return random_world(random, sizes, zeros)


def random_world(random, sizes, zeros=0.0):
    """Variables a, b, c, ... of the given sizes; arrows only from earlier to later ones."""
    names, variables = "abcdefgh"[: len(sizes)], []
    for i, name in enumerate(names):
        count = int(random.integers(min(i, 1), min(i, 2) + 1))
        chosen = sorted(random.choice(i, count, replace=False)) if i else []
        cpt = table(random, [*(sizes[j] for j in chosen), sizes[i]], zeros)
        values = tuple(f"{name}{k}" for k in range(sizes[i]))
        variables.append(Variable(name, values, tuple(names[j] for j in chosen), True, cpt))
    return World(variables, "random")


@st.composite
def questions(draw, most=4, zeros=0.0):
    """(world, given, do, target): evidence that is possible, and a target that is not in do."""
    world = draw(worlds(most, zeros=zeros))
    names = list(world.variables)
    row = world.describe(world.sample(1, draw(st.integers(0, 10**6))))
    target = draw(st.sampled_from(names[1:]))
    others = [name for name in names if name != target]
    do = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True))
    do = {name: draw(st.sampled_from(world.variables[name].values)) for name in do}
    given = draw(st.lists(st.sampled_from(names), max_size=len(names), unique=True))
    return world, {name: row[name] for name in given}, do, target
