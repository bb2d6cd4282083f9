"""Couplings: how a variable's value in fact hangs together with the value it would have had.

A table says how often each value comes; it doesn't say which value *this* row would have had under
other parents. A structural model does: value = f(parents, noise), with noise that stays the same
when something else is changed. Two such models that agree with every table:

- **gumbel** (Gumbel-max: Oberst & Sontag 2019). The values run a race: value k needs the time
  E_k / p_k, where p_k, its probability given the parents, is its speed and E_k ~ Exp(1) is the
  noise; the first one home is the value. (-log E_k is Gumbel noise, and argmin E_k / p_k is
  argmax log p_k - log E_k.) No order of the values is assumed; the race is.
- **monotone** (inverse CDF). One uniform number; the value is where it falls when the
  probabilities are laid end to end in the listed order. For values that have an order.

Rows of probabilities are float64 arrays [..., k]; `was` and `would` index the last axes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from cimg.world import World, WorldError

COUPLINGS = ("gumbel", "monotone")

Coupling = str | Mapping[str, str]


def coupling_of(world: World, coupling: Coupling) -> dict[str, str]:
    """Each variable's coupling. A str is for all variables; in a dict, those not named have
    "gumbel". Raises WorldError for an unknown variable or coupling."""
    every = dict.fromkeys(world.variables, coupling)
    chosen = coupling if isinstance(coupling, Mapping) else every
    for name, kind in chosen.items():
        world.variable(name)
        if kind not in COUPLINGS:
            raise WorldError(f"unknown coupling {kind!r}; there are: {', '.join(COUPLINGS)}")
    return dict.fromkeys(world.variables, "gumbel") | dict(chosen)


# Which variables an intervention can change, and their tables before and after it


def had(name: str) -> str:
    """What a variable's copy is called, as it would have been: had("reaction") is "reaction'"."""
    return name + "'"


def affected(
    world: World, do: Collection[str], targets: Collection[str] | None = None
) -> list[str]:
    """The variables that `do` can change, in topological order: descendants of the intervened
    ones, without these. With `targets`, only those that matter for the targets."""
    touched, changed = set(do), []
    for v in world.variables.values():
        if v.name not in do and touched.intersection(v.parents):
            touched.add(v.name)
            changed.append(v.name)
    if targets is None:
        return changed
    needed = set(targets)
    for name in reversed(changed):
        if name in needed:
            needed.update(world.variables[name].parents)
    return [name for name in changed if name in needed]


def spread(table: np.ndarray, names: Sequence[str], axes: Sequence[str]) -> np.ndarray:
    """`table`, whose axes are called `names`, with one axis for each of `axes`: of length 1 where
    it has none. Tables spread over the same axes multiply elementwise."""
    order = sorted(range(len(names)), key=lambda i: axes.index(names[i]))
    size = dict(zip(names, table.shape, strict=True))
    return table.transpose(order).reshape([size.get(name, 1) for name in axes])


# Tables: P(value it would have | value it has), in closed form


def transition(before: np.ndarray, after: np.ndarray, coupling: str) -> np.ndarray:
    """P(would = j | was = i), [..., k, k], where `before` [..., k] are the probabilities given
    the parents as they were and `after` [..., k] those given the parents as they would be.

    Each row sums to 1. Where was = i has probability 0 the row is a valid one, of no meaning."""
    before, after = np.broadcast_arrays(before, after)
    table = _CLOSED_FORM[coupling](before, after)
    return table / table.sum(-1, keepdims=True)  # exactly the identity where before == after


def _gumbel_table(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Both races are run with the same E. With u_k = p_k / (p_k + q_k), N(u) = sum_k of
    max((1-u) p_k, u q_k), and G(u) the integral of 1 / N² from 0 to u:

        P(would = i | was = i) = q_i / ((p_i + q_i) N(u_i))
        P(would = j | was = i) = q_j (G(u_i) - G(u_j)) where u_j < u_i, else 0

    so a value only ever gives way to one whose odds against it the change has raised. N is linear
    between neighbouring u_k, and there the integral is width / (N at one end · N at the other)."""
    total = p + q
    u = np.divide(p, total, out=np.full_like(total, 0.5), where=total > 0)
    order = np.argsort(u, -1)
    ends = np.take_along_axis(u, order, -1)
    height = _n(ends, p, q)
    pieces = np.diff(ends) / (height[..., 1:] * height[..., :-1])
    g = np.zeros_like(u)
    np.put_along_axis(g, order[..., 1:], np.cumsum(pieces, -1), -1)
    table = q[..., None, :] * np.maximum(g[..., :, None] - g[..., None, :], 0)
    k = np.arange(p.shape[-1])
    table[..., k, k] = np.divide(q, total, out=np.full_like(q, 0.5), where=total > 0) / _n(u, p, q)
    return table


def _n(u: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """N at each u: [..., m]. It is never below 1/2."""
    u = u[..., :, None]
    return np.maximum((1 - u) * p[..., None, :], u * q[..., None, :]).sum(-1)


def _monotone_table(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The share of i's interval, of length p_i, that lies in j's, of length q_j."""
    (p_low, p_high), (q_low, q_high) = _intervals(p), _intervals(q)
    overlap = np.minimum(p_high[..., :, None], q_high[..., None, :])
    overlap = np.maximum(overlap - np.maximum(p_low[..., :, None], q_low[..., None, :]), 0)
    return np.where(overlap.sum(-1, keepdims=True) > 0, overlap, q[..., None, :])


def _intervals(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each value's interval of the uniform noise: lower ends and upper ends, [..., k]."""
    high = np.cumsum(p, -1)
    high = high / high[..., -1:]  # the last end is 1 exactly, whatever the additions rounded to
    return np.concatenate([np.zeros_like(high[..., :1]), high[..., :-1]], -1), high


_CLOSED_FORM = {"gumbel": _gumbel_table, "monotone": _monotone_table}


# Noise: drawn given the value that was seen (abduction), and turned into a value again


def draw_noise(
    p: np.ndarray, seen: np.ndarray, coupling: str, random: np.random.Generator
) -> np.ndarray:
    """Noise given that, under probabilities `p` [n, k], the values `seen` [n] came out: an exact
    draw from the posterior. `value_of(p, noise)` is `seen` again, in every row.

    [n, k] for "gumbel", the E of the race; [n] for "monotone", uniform in the value's interval."""
    if coupling == "monotone":
        low, high = (np.take_along_axis(end, seen[:, None], 1)[:, 0] for end in _intervals(p))
        drawn = low + (high - low) * random.random(len(p))
        return np.minimum(drawn, np.nextafter(high, 0))  # rounding must not reach the next one
    # The winner's time is Exp(1), whoever wins; from then on the others run on as if fresh.
    noise = random.standard_exponential(p.shape) + 1e-200  # never 0, so that 0 / 0 is not met
    row = np.arange(len(p))
    time = noise[row, seen]
    noise += time[:, None] * p * (1 + 2e-15)  # by a hair later than the winner, after rounding too
    noise[row, seen] = time * p[row, seen]
    return noise


def value_of(p: np.ndarray, noise: np.ndarray, coupling: str) -> np.ndarray:
    """The structural equation: the values [n] that come out of `noise` under `p` [n, k]."""
    if coupling == "monotone":
        return (noise[:, None] >= _intervals(p)[1][:, :-1]).sum(-1)
    with np.errstate(divide="ignore", over="ignore"):  # a value of probability 0 never arrives
        return np.argmin(noise / p, -1)
