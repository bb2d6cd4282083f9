"""Bounds on counterfactuals that hold whatever the coupling.

Tables leave the coupling of each variable's mechanism open, so they give an interval. Assumed is
what the world's DAG and tables say, and no more: no common cause is left out, and the noises of
different variables are independent. Inside one mechanism, was and would may hang together in any
way that keeps both rows of the table (Fréchet 1951; Balke & Pearl 1994; Tian & Pearl 2000).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from cimg.coupling import affected, had, spread
from cimg.query import impossible, log_evidence, probability
from cimg.tables import short, some
from cimg.world import World, WorldError

MAX_CELLS = 2**22  # of the working array: a few hundred MiB in all


class Bounds(NamedTuple):
    """`low` <= P <= `high` under every coupling. `sharp`: it is proven that each end is reached by
    some coupling; where it is False the interval is valid and may be wider than need be."""

    low: float
    high: float
    sharp: bool


def bounds(
    world: World,
    event: Mapping[str, str | int | list | tuple | set],
    given: Mapping[str, str | int] | None = None,
    do: Mapping[str, str | int] | None = None,
) -> Bounds:
    """Bounds on P(event, had `do` been done | given), e.g. of the event {"reaction": "die"} or
    {"reaction": ["die", "hurt"]}: one variable, one value or several.

    Sharp where only the event's own mechanism lies between the intervention and the event, and
    along a chain of mechanisms whose inputs and outputs, but for the event's variable, were all
    seen. Otherwise mechanism by mechanism is given its best coupling, each knowing more than it
    could: valid, not always sharp.

    Raises WorldError for unknown names and values, an empty event, an event on an intervened
    variable, impossible evidence, and where too many combinations would have to be looked at."""
    given, do = world.encode(given), world.encode(do)
    target, inside = _event(world, event, do)
    route = affected(world, do, [target])
    if not route:  # untouched by the intervention: it is what it was
        share = posterior(world, [target], given) @ inside[_seen(target, given)]
        return Bounds(float(share), float(share), True)
    high = min(_highest(world, route, inside, given, do), 1.0)
    low = max(1 - _highest(world, route, ~inside, given, do), 0.0)
    return Bounds(min(low, high), high, _is_sharp(world, route, given))


def _event(world: World, event: Mapping, do: Mapping[str, int]) -> tuple[str, np.ndarray]:
    """The event's variable, and for each of its values whether it is in the event, bool [k]."""
    if not isinstance(event, Mapping) or len(event) != 1:
        raise WorldError(f"an event is one variable with its value or values, found {short(event)}")
    ((target, values),) = event.items()
    inside = np.zeros(len(world.variable(target).values), bool)
    values = values if isinstance(values, list | tuple | set | frozenset) else [values]
    if not values:
        raise WorldError(f"the event names no value of {target}")
    if target in do:
        raise WorldError(f"the target {target} is set by do: its value is known")
    for value in values:
        inside[world.encode({target: value})[target]] = True
    return target, inside


def _seen(name: str, given: Mapping[str, int]) -> slice:
    """The part of a variable's axis that the evidence leaves: all of it, or one value."""
    return slice(given[name], given[name] + 1) if name in given else slice(None)


def posterior(world: World, names: Sequence[str], given: Mapping[str, int]) -> np.ndarray:
    """P(names | given) with one axis for each name, of length 1 where its value is given."""
    shape = [1 if n in given else len(world.variables[n].values) for n in names]
    if unseen := [name for name in names if name not in given]:
        return probability(world, unseen, given).numpy().reshape(shape)
    if log_evidence(world, given) == -np.inf:  # nothing is asked, and yet it must be possible
        raise impossible(world, given, {})
    return np.ones(shape)


def _inputs(world: World, route: list[str]) -> list[str]:
    """The mechanisms' variables and their parents, in topological order."""
    wanted = set(route).union(*(world.variables[v].parents for v in route))
    return [name for name in world.variables if name in wanted]


def _highest(
    world: World,
    route: list[str],
    inside: np.ndarray,
    given: Mapping[str, int],
    do: Mapping[str, int],
) -> float:
    """An upper bound on P(target' inside | given): the last mechanism gets the coupling that is
    best for each outcome of the earlier ones, then the last but one, and so on."""
    facts, target = _inputs(world, route), route[-1]
    twins = {name: had(name) for name in route}
    axes = [*facts, *twins.values()]
    lengths = [1 if f in given else len(world.variables[f].values) for f in facts]
    lengths += [len(world.variables[v].values) for v in route[:-1]] + [2]
    if prod(lengths) > MAX_CELLS:
        raise WorldError(
            f"bounds on {target} need {prod(lengths):,} combinations of {some(facts, 8)} "
            f"as they are and would be; at most {MAX_CELLS:,} are allowed: give more evidence"
        )

    def table(name: str) -> np.ndarray:
        v = world.variables[name]
        rows = v.cpt.numpy()[tuple(_seen(n, given) for n in (*v.parents, name))]
        return spread(rows, [*v.parents, name], axes)

    # worth: the evidence's weight on each combination, without the mechanisms' own probabilities
    worth = spread(posterior(world, facts, given), facts, axes)
    for name in route:
        p = table(name)
        worth = np.divide(worth, p, out=np.zeros(np.broadcast(worth, p).shape), where=p > 0)
    worth = worth * spread(np.array([0.0, 1.0]), [twins[target]], axes)  # outside, inside
    while route:
        name, route = route[-1], route[:-1]
        groups = np.eye(len(world.variables[name].values))
        if name == target:
            groups = np.stack([~inside, inside], -1).astype(float)
        after = _after(world, name, groups, given, do, twins, axes)
        same = _same(world, name, given, do, twins, axes)
        last = axes.index(name), axes.index(twins[name])
        worth = _best(
            *(np.moveaxis(x, last, (-2, -1)) for x in (table(name), after, worth, same)),
            groups[_seen(name, given)],
        )
        worth = np.moveaxis(worth[..., None, None], (-2, -1), last)
        done = [i for i, f in enumerate(facts) if f not in _inputs(world, route)]
        worth = worth.sum(tuple(done), keepdims=True)
    return float(worth.sum())


def _after(
    world: World,
    name: str,
    groups: np.ndarray,
    given: Mapping[str, int],
    do: Mapping[str, int],
    twins: Mapping[str, str],
    axes: list[str],
) -> np.ndarray:
    """The mechanism's table under the parents as they would be, spread over `axes`."""
    parents = world.variables[name].parents
    rows = world.variables[name].cpt.numpy()
    rows = rows[tuple(_seen(p, do if p in do else {} if p in twins else given) for p in parents)]
    return spread(rows @ groups, [*(twins.get(p, p) for p in parents), twins[name]], axes)


def _same(
    world: World,
    name: str,
    given: Mapping[str, int],
    do: Mapping[str, int],
    twins: Mapping[str, str],
    axes: list[str],
) -> np.ndarray:
    """Where the parents would be what they are: there the noise gives the same value again."""
    same = np.ones([1] * len(axes), bool)
    for parent in world.variables[name].parents:
        eye = np.eye(len(world.variables[parent].values), dtype=bool)[_seen(parent, given)]
        if parent in do:
            same = same & spread(eye[:, do[parent]], [parent], axes)
        elif parent in twins:
            same = same & spread(eye, [parent, twins[parent]], axes)
    return same


def _best(
    p: np.ndarray, q: np.ndarray, worth: np.ndarray, same: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """The most that sum_ij P(was = i, would = j) worth_ij can be, or an upper bound on it, over
    all couplings of p [..., i, 1] and q [..., 1, j].

    Filling each row with its dearest columns ignores that rows share the columns; filling columns
    ignores the converse. The smaller of the two is still a bound, and it is the maximum itself
    where there is one row (the value was seen) or one column that is worth anything."""
    shape = np.broadcast_shapes(p.shape, q.shape, worth.shape)
    worth = np.broadcast_to(worth, shape)
    rows, columns = p[..., 0], q[..., 0, :]
    by_row = _fill(worth, columns[..., None, :], rows).sum(-1)
    by_column = _fill(worth.swapaxes(-1, -2), rows[..., None, :], columns).sum(-1)
    replay = (rows[..., None] * groups * worth).sum((-2, -1))
    return np.where(same[..., 0, 0], replay, np.minimum(by_row, by_column))


def _fill(worth: np.ndarray, room: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """The worth of `amount` [...] put into places [..., k] of limited `room`, dearest first."""
    order = np.argsort(-worth, -1)
    room = np.take_along_axis(np.broadcast_to(room, worth.shape), order, -1)
    filled = np.minimum(np.cumsum(room, -1), amount[..., None])
    return (np.diff(filled, prepend=0) * np.take_along_axis(worth, order, -1)).sum(-1)


def _is_sharp(world: World, route: list[str], given: Mapping[str, int]) -> bool:
    """Whether the bounds are proven to be reached (see `bounds`)."""
    if len(route) == 1:
        return True
    if not set(_inputs(world, route)) - {route[-1]} <= set(given):
        return False
    for i, name in enumerate(route):  # may its coupling know all that it was chosen by?
        later = set().union(*(world.variables[v].parents for v in route[i:]))
        if not later.intersection(route[:i]) <= set(world.variables[name].parents):
            return False
    return True
