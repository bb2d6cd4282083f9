"""Exact answers on a world: P(targets | given; do), and samples from the joint posterior.

    probability(world, "reaction", do={"action": "attack"})
    probability(world, ("actor_character", "actor_type"), given={"reaction": "die"})

`do` first cuts the arrows into the variables that it sets (the truncated factorisation; Pearl,
Causality, 2009, ch. 3); `given` then conditions in the world that is left. So what is given is
what is seen *after* the intervention. For "it was seen so, what if it had been otherwise", ask
`counterfactual.py`: that takes more than tables. Assumed of the DAG: no common cause is left out.

A row may sum to 1 only within 1e-6; its entries are used as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cimg.contract import Contraction
from cimg.draw import Sampler
from cimg.eliminate import posterior_network
from cimg.question import Values, evidence, impossible, question
from cimg.separation import backdoor_sets, d_separated, frontdoor_sets, is_adjustable, upstream
from cimg.tables import whole
from cimg.weighting import Estimate, estimate
from cimg.world import World

__all__ = [
    "Estimate",
    "backdoor_sets",
    "d_separated",
    "estimate",
    "frontdoor_sets",
    "impossible",
    "is_adjustable",
    "log_evidence",
    "probability",
    "sample_posterior",
]

MAX_PLANS = 256  # kept for each world,
MAX_KEPT = 2**23  # with at most so many numbers in them (64 MiB)


def probability(
    world: World,
    targets: str | Sequence[str],
    given: Values | None = None,
    do: Values | None = None,
) -> Tensor:
    """P(targets | given; do), exactly: a float64 tensor [|target 1|, ..., |target k|], sum 1.

    The work is planned once for each shape of question (which targets, which variables given,
    which set) and the plan is kept with the world. Raises WorldError for unknown names or values,
    no target, a target that is given or set, a variable given one value and set to another,
    evidence of probability 0, and a world too dense to contract.
    """
    names, seen, done = question(world, targets, given, do)
    contraction = _plan(world, names, seen, done)
    codes = {**seen, **done}
    table, _ = contraction(codes)
    total = table.sum()
    if not total > 1e-250:  # impossible, or only too small to be told from it: look again
        table, _ = contraction(codes, rescale=True)
        total = table.sum()
        if not total > 0:
            raise impossible(world, seen, done)
    shape = [len(world.variables[name].values) for name in names]
    return torch.from_numpy((table / total).reshape(shape))


def log_evidence(world: World, given: Values, do: Values | None = None) -> float:
    """log P(given; do), natural logarithm; -inf where the evidence is impossible, 0 for none."""
    seen, done = evidence(world, given, do)
    table, scale = _plan(world, (), seen, done)({**seen, **done}, rescale=True)
    return math.log(table) + scale if table > 0 else -math.inf


def sample_posterior(
    world: World, n: int, given: Values | None = None, do: Values | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """`n` independent rows of *all* variables from P(everything | given; do): a dict of int64
    tensors [n]. What is given or set keeps its value in every row.

    Exact but for the resolution of `World.sample`, 2**-31. Raises WorldError as `probability`.
    """
    n, seed = whole(n, "n"), whole(seed, "seed")
    seen, done = evidence(world, given, do)
    if log_evidence(world, seen, done) == -math.inf:
        raise impossible(world, seen, done)
    sampler = Sampler(posterior_network(world, seen, done))
    drawn = sampler.draw(n, seed, {**seen, **done})
    return {name: torch.from_numpy(drawn[name]) for name in world.variables}


def _plan(
    world: World, targets: tuple[str, ...], seen: Mapping[str, int], done: Mapping[str, int]
) -> Contraction:
    """The contraction that answers all questions of this shape; kept in `world.plans`."""
    key = (targets, tuple(seen), tuple(done))
    if (plan := world.plans.get(key)) is None:
        fixed = {*seen, *done}
        sizes = {name: len(v.values) for name, v in world.variables.items()}
        output = tuple(name for name in targets if sizes[name] > 1)
        factors = _factors(world, targets, fixed, done)
        plan = Contraction(factors, fixed, output, sizes)
        world.plans[key] = plan
        while len(world.plans) > MAX_PLANS or sum(p.kept for p in world.plans.values()) > MAX_KEPT:
            del world.plans[next(iter(world.plans))]  # the oldest
    return plan


def _factors(
    world: World, targets: tuple[str, ...], fixed: set[str], done: Mapping[str, int]
) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """The tables that bear on the question, each with the names of its axes.

    What is not upstream of a target or of evidence sums to 1 and is left out. So is a group of
    tables that what is known separates from every target: it only scales the answer. But it may
    scale it by 0, and then the evidence is impossible: so it must have no 0 in it to be left out.
    """
    factors = []
    for name in upstream(world, (*targets, *fixed.difference(done)), done):
        if name not in done:
            v = world.variables[name]
            axes = [a for a in (*v.parents, name) if len(world.variables[a].values) > 1]
            table = v.cpt.numpy().reshape([len(world.variables[a].values) for a in axes])
            factors.append((tuple(axes), table))
    if not targets:
        return factors
    kept = []
    for group in _groups([set(axes) - fixed for axes, _ in factors]):
        asked = any(a in targets for i in group for a in factors[i][0])
        if asked or any(factors[i][1].min() == 0 for i in group):
            kept += group
    return [factors[i] for i in sorted(kept)]


def _groups(sets: Sequence[set[str]]) -> list[list[int]]:
    """Positions of the sets that hang together by shared members, directly or by way of others."""
    holders: dict[str, list[int]] = {}
    for i, members in enumerate(sets):
        for member in members:
            holders.setdefault(member, []).append(i)
    groups, placed = [], set()
    for start in range(len(sets)):
        group, waiting = [], [start]
        while waiting:
            i = waiting.pop()
            if i not in placed:
                placed.add(i)
                group.append(i)
                waiting += [j for member in sets[i] for j in holders.pop(member, ())]
        if group:
            groups.append(group)
    return groups
