"""The same questions asked the Pyro way, as the course teaches them.

All four work on `world.program`, with `pyro.do` for what is set and `pyro.condition` for what is
given (`rejection` looks at that afterwards); they differ in how they infer. `cimg.query` gives the
exact answers they are held against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyro
import torch
from pyro.infer import TraceEnum_ELBO, config_enumerate, infer_discrete
from torch import Tensor

from cimg.question import Values, evidence, impossible, question
from cimg.tables import whole
from cimg.weighting import Estimate, weighted
from cimg.world import World

Program = Callable[[], dict[str, Tensor]]


def program_of(world: World, n: int, seen: Mapping[str, int], done: Mapping[str, int]) -> Program:
    """The world's program for `n` rows, with `done` set and `seen` conditioned on.

    Run as it is, it does *not* in general draw from the posterior: a conditioned site is fixed, and
    what is upstream of it is still drawn forward. Each function below adds the missing inference.
    """
    program = pyro.do(world.program(n), data={a: torch.tensor(x) for a, x in done.items()})
    return pyro.condition(program, data={a: torch.tensor(x) for a, x in seen.items()})


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers from `seed`, and afterwards as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(whole(seed, "seed") % 2**64)
        yield


def enumerated(
    world: World,
    targets: str | Sequence[str],
    given: Values | None = None,
    do: Values | None = None,
) -> dict[str, Tensor]:
    """P(target | given; do) for each target on its own, float64 [|target|], by enumeration.

    `TraceEnum_ELBO` runs the program with every unseen site at all of its values at once and sums
    the others out. Exact, but one variable at a time: no joint of several targets.
    Raises WorldError for a bad question.
    """
    names, seen, done = question(world, targets, given, do)
    model, elbo = _enumerable(world, seen, done)
    marginals = elbo.compute_marginals(model, lambda: None)
    return {name: marginals[name].probs[0] for name in names}


def _enumerable(
    world: World, seen: Mapping[str, int], done: Mapping[str, int]
) -> tuple[Program, TraceEnum_ELBO]:
    """The program ready for enumeration and what enumerates it, if the evidence is possible.

    Two rows, of which one is read: `compute_marginals` (Pyro 1.9) fails in a plate of size 1."""
    model = config_enumerate(program_of(world, 2, seen, done), default="parallel")
    elbo = TraceEnum_ELBO(max_plate_nesting=1)
    if elbo.loss(model, lambda: None) == math.inf:  # minus the log evidence, here exactly
        raise impossible(world, seen, done)
    return model, elbo


def inferred(
    world: World, n: int, given: Values | None = None, do: Values | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """`n` rows of all variables from the joint posterior, int64 [n], by `infer_discrete`:
    enumerate forward, then draw backward. Exact, like `sample_posterior`."""
    seen, done = evidence(world, given, do)
    _enumerable(world, seen, done)
    model = config_enumerate(program_of(world, n, seen, done), default="parallel")
    with seeded(seed):
        return infer_discrete(model, first_available_dim=-2, temperature=1)()


def importance(
    world: World,
    targets: str | Sequence[str],
    given: Values | None = None,
    do: Values | None = None,
    n: int = 100_000,
    seed: int = 0,
) -> Estimate:
    """P(targets | given; do) by importance weights: run the conditioned program forward, weight
    each row by the probability of what was seen given its parents' values in that row. All rows at
    once, in one plate."""
    names, seen, done = question(world, targets, given, do)
    with seeded(seed):
        trace = pyro.poutine.trace(program_of(world, n, seen, done)).get_trace()
    trace.compute_log_prob()
    log_weight = sum(trace.nodes[name]["log_prob"] for name in seen) + torch.zeros(n).double()
    return weighted(world, names, trace.nodes["_RETURN"]["value"], log_weight)


def rejection(
    world: World,
    targets: str | Sequence[str],
    given: Values | None = None,
    do: Values | None = None,
    n: int = 100_000,
    seed: int = 0,
) -> Estimate:
    """P(targets | given; do) by rejection: draw forward, keep the rows that agree with `given`.

    The effective size is the number of rows kept."""
    names, seen, done = question(world, targets, given, do)
    with seeded(seed):
        rows = program_of(world, n, {}, done)()
    keep = torch.ones(n, dtype=torch.bool)
    for name, code in seen.items():
        keep &= rows[name] == code
    return weighted(world, names, rows, keep.double().log())
