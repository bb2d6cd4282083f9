"""Answers by weighted draws, for worlds that are too dense to contract: with a standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cimg.contract import check_size
from cimg.question import Values, question
from cimg.tables import WorldError, whole
from cimg.world import World


@dataclass(frozen=True)
class Estimate:
    """An answer by sampling: `probability` and `standard_error`, float64 [|t1|, ..., |tk|], and
    `effective_size`, the count of unweighted draws that would be worth as much."""

    probability: Tensor
    standard_error: Tensor
    effective_size: float


def estimate(
    world: World,
    targets: str | Sequence[str],
    given: Values | None = None,
    do: Values | None = None,
    n: int = 100_000,
    seed: int = 0,
) -> Estimate:
    """P(targets | given; do) from `n` draws, for worlds that are too dense to contract.

    Likelihood weighting (Fung and Chang 1989): the evidence is held fixed while the rest is drawn
    forward, and each row is weighted by how probable it makes the evidence. The standard error is
    that of a ratio of means, and at least 1 / effective_size where a value came up never or
    always; with an effective size of a few dozen or less, trust neither. Raises WorldError as
    `probability`, and if no row agrees with the evidence.
    """
    names, seen, done = question(world, targets, given, do)
    n = whole(n, "n", 1)
    check_size([len(world.variables[name].values) for name in names], "the answer")
    rows = world.sample(n, seed, {**seen, **done})
    log_weight = torch.zeros(n, dtype=torch.float64)
    for name in seen:
        v = world.variables[name]
        log_weight += v.cpt.log()[tuple(rows[a] for a in (*v.parents, name))]
    return weighted(world, names, rows, log_weight)


def weighted(
    world: World, targets: Sequence[str], rows: Mapping[str, Tensor], log_weight: Tensor
) -> Estimate:
    """The estimate from rows and the log weight of each, float64 [n]; only their ratios count."""
    n, shape = len(log_weight), [len(world.variables[name].values) for name in targets]
    if log_weight.max() == -math.inf:
        raise WorldError(f"none of {n:,} draws agrees with the evidence: it is impossible or rare")
    weight = (log_weight - log_weight.max()).exp()
    cell = torch.zeros(n, dtype=torch.int64)
    for name, size in zip(targets, shape, strict=True):
        cell = cell * size + rows[name]
    first = torch.bincount(cell, weight, math.prod(shape)) / weight.sum()
    second = torch.bincount(cell, weight**2, math.prod(shape)) / weight.sum() ** 2
    error = (second * (1 - first) ** 2 + (second.sum() - second) * first**2).sqrt()
    never_or_always = (first == 0) | (first == 1)
    error = torch.where(never_or_always, error.clamp(min=float(second.sum())), error)
    return Estimate(first.reshape(shape), error.reshape(shape), 1 / float(second.sum()))
