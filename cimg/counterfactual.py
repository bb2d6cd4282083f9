"""Counterfactuals on worlds: given what was seen, what would have happened, had ...

    seen = {"action": "taunt", "reaction": "hurt"}
    twin_samples(world, 1000, given=seen, do={"action": "attack"})          # was and would be
    probability_had(world, "reaction", given=seen, do={"action": "attack"}) # exact
    bounds(world, {"reaction": "die"}, given=seen, do={"action": "attack"}) # whatever the coupling

Three steps (Pearl 2009, section 7.1). Abduction: what the evidence says about all variables and
their noise. Action: set the intervened variables and cut the arrows into them. Prediction: run
the world again with the same noise. `given` is what was seen in the world as it is, with no
intervention; `do` is what is changed in thought, and may contradict it. Only the intervened
variables and their descendants can come out differently. Assumed: DAG and tables are right, no
common cause is left out, and the noises of different variables are independent. How was and would
hang together is the coupling, which the tables leave open: see `cimg.coupling`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cimg.bounds import Bounds, bounds, posterior
from cimg.coupling import (
    COUPLINGS,
    Coupling,
    affected,
    coupling_of,
    draw_noise,
    had,
    spread,
    transition,
    value_of,
)
from cimg.query import sample_posterior
from cimg.question import check_targets, targets_of
from cimg.tables import MAX_ENTRIES, Variable, whole
from cimg.world import World, WorldError

__all__ = ["COUPLINGS", "Bounds", "abduct", "bounds", "predict",
           "probability_had", "twin_samples", "twin_world"]  # fmt: skip

Assignment = Mapping[str, str | int]


# Samples


def abduct(
    world: World,
    values: Mapping[str, Tensor],
    coupling: Coupling = "gumbel",
    seed: int = 0,
    names: Collection[str] | None = None,
) -> dict[str, Tensor]:
    """The noise behind `values`, drawn from its exact posterior, for all variables or for `names`.

    `values` holds an integer tensor [n] for every variable (from partial evidence they come from
    `query.sample_posterior`). Returns float64 tensors: [n, |values|] where the coupling is
    "gumbel", [n] where it is "monotone". In one world, a variable's noise depends only on the
    seed, its coupling and its own and its parents' values, not on `names`. Raises WorldError for
    bad values, a variable that is missing, and a value of probability 0 given its parents."""
    world.check(values)
    rule, seed = coupling_of(world, coupling), whole(seed, "seed")
    for name in names or ():
        world.variable(name)
    noise = {}
    for position, v in enumerate(world.variables.values()):
        if names is not None and v.name not in names:
            continue
        seen = values[_present(values, v.name)].numpy()
        p = _rows(v, values, len(seen))
        if (never := p[np.arange(len(p)), seen] <= 0).any():
            i = int(never.argmax())
            raise WorldError(
                f"row {i}: {v.name}={v.values[seen[i]]} has probability 0 given its parents"
            )
        random = np.random.default_rng((seed, position))  # a stream of its own for each variable
        noise[v.name] = torch.from_numpy(draw_noise(p, seen, rule[v.name], random))
    return noise


def predict(
    world: World,
    values: Mapping[str, Tensor],
    noise: Mapping[str, Tensor],
    coupling: Coupling = "gumbel",
    do: Assignment | None = None,
) -> dict[str, Tensor]:
    """Run the world again with `noise` under `do`: int64 tensors [n] of all variables. Those for
    which there is no noise and no `do` keep their `values`. Raises WorldError."""
    world.check(values)
    rule, do = coupling_of(world, coupling), world.encode(do)
    n = len(next(iter(values.values()), ()))
    would: dict[str, Tensor] = {}
    for v in world.variables.values():
        if v.name in do:
            would[v.name] = torch.full((n,), do[v.name], dtype=torch.int64)
        elif v.name in noise:
            p, drawn = _rows(v, would, n), noise[v.name].numpy()
            if drawn.shape != (p.shape if rule[v.name] == "gumbel" else (n,)):
                found = list(drawn.shape)
                raise WorldError(f"{v.name}: noise of shape {found} is not {rule[v.name]} noise")
            would[v.name] = torch.from_numpy(value_of(p, drawn, rule[v.name]))
        else:
            would[v.name] = values[_present(values, v.name)].long().clone()
    return would


def twin_samples(
    world: World,
    n: int,
    given: Assignment | None = None,
    do: Assignment | None = None,
    coupling: Coupling = "gumbel",
    seed: int = 0,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """`n` draws from the joint distribution of what was and what would have been, given what was
    seen: (factual, counterfactual), each a dict of int64 tensors [n] of all variables.

    Exact but for the resolution of `World.sample`, from full, partial or no evidence. The facts
    depend on `given` and the seed only, the noise behind them on these and the coupling, so that
    two interventions can be compared on the same rows. Raises WorldError for unknown names,
    values or couplings and for impossible evidence."""
    do = world.encode(do)
    coupling_of(world, coupling)
    facts = sample_posterior(world, n, given, seed=seed)
    noise = abduct(world, facts, coupling, seed, affected(world, do))
    return facts, predict(world, facts, noise, coupling, do)


def _rows(v: Variable, values: Mapping[str, Tensor], n: int) -> np.ndarray:
    """Each of the `n` rows' probabilities of `v` given its parents' values, [n, |values|]."""
    if not v.parents:
        return np.broadcast_to(v.cpt.numpy(), (n, len(v.values)))
    return v.cpt.numpy()[tuple(values[_present(values, p)].numpy() for p in v.parents)]


def _present(values: Mapping[str, Tensor], name: str) -> str:
    if name not in values:
        raise WorldError(f"{name} is missing: abduction needs the values of all variables")
    return name


# Exact answers


def twin_world(
    world: World,
    do: Assignment,
    coupling: Coupling = "gumbel",
    targets: Collection[str] | None = None,
) -> World:
    """The twin network (Balke & Pearl 1994) as a world: all variables as they are, and beside
    them, with a prime, those that `do` sets or can change, as they would be.

    A variable and its copy share their noise; summed out, it leaves an arrow from one to the
    other, P(would | was, parents, parents'), which has a closed form. Anything may be given, and
    asked about both at once: probability(twin, ["reaction", "reaction'"], given). But that arrow
    is no cause: a further `do` on the twin world would take it for one.

    With `targets` only the copies that matter for them. Raises WorldError, also for a table that
    would be too large."""
    do, rule = world.encode(do), coupling_of(world, coupling)
    changed = affected(world, do, targets)
    copied = {name: had(name) for name in world.variables if name in do or name in changed}
    if taken := [name for name in copied.values() if name in world.variables]:
        raise WorldError(f"{taken[0]!r} is a variable already; it is needed as a copy's name")
    twins = []
    for name in copied:
        v = world.variables[name]
        if name in do:
            point = torch.eye(len(v.values), dtype=torch.float64)[do[name]]
            twins.append(Variable(had(name), v.values, (), v.in_image, point))
        else:
            twins.append(_copy(world, v, copied, rule[name]))
    name = f"{world.name:.190}, twin".removeprefix(", ")  # a name has at most 200 characters
    return World([*world.variables.values(), *twins], name, world.about)


def _copy(world: World, v: Variable, copied: Mapping[str, str], kind: str) -> Variable:
    """The variable as it would be, with parents: the parents as they are, their copies, and the
    variable as it is."""
    parents = [*v.parents, *(copied[p] for p in v.parents if p in copied)]
    axes = [*parents, v.name]
    size = v.cpt.numel() * len(v.values)
    for parent in v.parents:
        size *= len(world.variables[parent].values) if parent in copied else 1
    if size > MAX_ENTRIES:
        raise WorldError(
            f"the twin table of {v.name} would have {size:,} entries; at most {MAX_ENTRIES:,} "
            "are allowed: use twin_samples"
        )
    before = spread(v.cpt.numpy(), [*v.parents, v.name], axes)
    after = spread(v.cpt.numpy(), [*(copied.get(p, p) for p in v.parents), v.name], axes)
    table = torch.from_numpy(transition(before, after, kind))
    return Variable(had(v.name), v.values, tuple(axes), v.in_image, table)


def probability_had(
    world: World,
    targets: str | Sequence[str],
    given: Assignment | None = None,
    do: Assignment | None = None,
    coupling: Coupling = "gumbel",
) -> Tensor:
    """P(targets, had `do` been done | given): exact, float64, [|target 1|, ..., |target k|].

    With no `do` it is P(targets | given); with nothing given it is P(targets; do). Raises
    WorldError for an empty question, a target that is intervened upon, unknown names, values or
    couplings, impossible evidence, and tables that would be too large."""
    names = targets_of(targets)
    given, do = world.encode(given), world.encode(do)
    check_targets(world, names, (), do)  # what is given may be asked for: had it been otherwise?
    rule = tuple(coupling_of(world, coupling).items())
    changed = tuple(affected(world, do, names))
    twin = _kept_twin(world, tuple(do.items()), rule, changed)
    known = posterior(twin, [had(n) if n in changed else n for n in names], given)
    answer = torch.zeros([len(world.variables[n].values) for n in names], dtype=torch.float64)
    unchanged = [n not in changed and n in given for n in names]  # it is still what was seen
    place = tuple(slice(given[n], given[n] + 1) if same else slice(None)
                  for n, same in zip(names, unchanged, strict=True))  # fmt: skip
    answer[place] = torch.from_numpy(known)
    return answer


@lru_cache(maxsize=64)
def _kept_twin(world: World, do: tuple, coupling: tuple, targets: tuple) -> World:
    return twin_world(world, dict(do), dict(coupling), targets) if targets else world
