"""How fast counterfactuals are answered: `python -m tests.benchmarks counterfactual`.

Medians on one core. The rival is
what one would write from the definition: draw Gumbel noise for every variable, run the world twice
on it, and keep the rows that agree with what was seen.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from cimg.counterfactual import abduct, bounds, predict, probability_had, twin_samples
from cimg.world import World
from tests.benchmarks.clock import milliseconds, row, turns

SEEN = {"action": "taunt", "reaction": "hurt"}
DO = {"action": "attack"}
N = 100_000


def by_rejection(world: World, n: int, random: np.random.Generator) -> tuple[dict, dict]:
    """`n` twin samples from the definition of Gumbel-max, by drawing until enough rows agree."""
    seen, do = world.encode(SEEN), world.encode(DO)
    kept, count = [], 0
    while count < n:
        was, would = {}, {}
        for v in world.variables.values():
            noise = random.gumbel(size=(n, len(v.values)))
            for values in (was, would):
                rows = np.log(v.cpt.numpy())[tuple(values[p] for p in v.parents)]
                values[v.name] = (rows + noise).argmax(-1)
            if v.name in do:
                would[v.name] = np.full(n, do[v.name])
        agree = np.all([was[name] == code for name, code in seen.items()], axis=0)
        kept.append([{name: x[agree] for name, x in values.items()} for values in (was, would)])
        count += agree.sum()
    return tuple(
        {name: np.concatenate([pair[i][name] for pair in kept])[:n] for name in world.variables}
        for i in (0, 1)
    )


def first_answer() -> None:
    """A world that has not been asked before: its twin is built, the question is planned."""
    probability_had(World.load("duel"), "reaction", SEEN, DO)


def measure() -> Iterator[dict]:
    torch.set_num_threads(1)
    duel, random = World.load("duel"), np.random.default_rng(0)
    facts = duel.sample(N)
    by_chance = partial(by_rejection, duel, N, random)
    for coupling in ("gumbel", "monotone"):
        ours = partial(twin_samples, duel, N, SEEN, DO, coupling)
        what = f"{N:,} twin samples of the duel, {coupling}"
        if coupling == "gumbel":
            took, rejected = turns(ours, by_chance, repeat=3)
            yield row(what, took, "s", "≤ 1", True, rejection=rejected)
        else:
            yield row(what, *turns(ours, repeat=7), "s", "≤ 1")
    everyone = {"actor_character": "golem", "reactor_character": "golem"}
    (took,) = turns(partial(twin_samples, duel, N, SEEN, everyone), repeat=7)
    yield row(f"{N:,} twin samples, ten variables affected", took, "s", "≤ 1")
    (took,) = turns(lambda: predict(duel, facts, abduct(duel, facts)), repeat=7)
    yield row(f"{N:,} rows, all noise abducted and replayed", took, "s")
    (first,) = turns(first_answer, repeat=7)
    yield milliseconds("an exact counterfactual, the world loaded first", first)
    (again,) = turns(lambda: probability_had(duel, "reaction", SEEN, DO), repeat=9, loops=[20])
    yield milliseconds("an exact counterfactual, repeated", again, main=True)
    for what, do in (("one mechanism", DO), ("two mechanisms", {"actor_strength": "high"})):
        (took,) = turns(lambda do=do: bounds(duel, {"reaction": "die"}, SEEN, do), loops=[3])
        yield milliseconds(f"bounds, {what}", took)
