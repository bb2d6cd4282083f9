"""Judges of the exercises of notebooks 02 and 03: the graph, the program.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations
from typing import Any

import torch
from torch import Tensor

from cimg.answers import (
    TRUTH,
    Broken,
    Hint,
    Unclear,
    arrows,
    call,
    choice,
    describe,
    exercise,
    fields,
    first,
    number,
    numbers,
)
from cimg.query import d_separated, probability
from cimg.scene import sample_uniform, style_of
from cimg.world import World

PAIRS = {
    "1": ("actor_type", "reaction", ()),
    "2": ("actor_type", "reaction", ("action",)),
    "3": ("action", "reactor_type", ()),
    "4": ("action", "reactor_type", ("reaction",)),
    "5": ("actor_strength", "actor_attack", ("actor_type",)),
}
ROWS = (500, 50_000, 5_000_000)


@cache
def duel() -> World:
    return World.load("duel")


def moments(n: int, seed: int) -> dict[str, Tensor]:
    """Labels from the duel, style by chance."""
    return duel().sample(n, seed=seed) | sample_uniform(style_of(duel()), n, seed=seed)


# --- 02: the causal graph -------------------------------------------------------------------------


@exercise("02.1")
def separated_by_hand(guesses: Any) -> str | None:
    said = {key: choice(x, TRUTH) == "yes" for key, x in fields(guesses, list(PAIRS)).items()}
    wrong = [key for key, pair in PAIRS.items() if d_separated(duel(), *pair) != said[key]]
    return first({"alike": len(set(said.values())) == 1}, wrong[0] if wrong else None)


@exercise("02.2")
def separators(separator: Any) -> str | Hint | None:
    names = (
        "actor_character",
        "actor_attack",
        "actor_type",
        "action",
        "reactor_attack",
        "reaction",
    )
    for x, y in [*combinations(names, 2), ("actor_strength", "actor_attack")]:
        least, found = smallest(x, y), call(separator, x, y, none=True)
        told = {"pair": f"{x} and {y}", "found": "nothing"}
        if found is None and least is not None:
            return Hint("none", told)
        if found is None:
            continue
        found = (found,) if isinstance(found, str) else found
        sort = isinstance(found, tuple | list | set | frozenset)
        if not sort or not all(isinstance(name, str) for name in found):
            raise Unclear(f"expected a set of names or None, found {describe(found)}")
        if mistake := wrong_set({x, y}, set(found), least):
            odd = [n for n in found if n not in duel().visible]
            name = odd[0] if odd else ""
            return Hint(mistake, told | {"name": name, "found": ", ".join(found) or "nothing"})
    return None


def wrong_set(pair: set[str], found: set[str], least: int | None) -> str | None:
    """What is wrong with a set that is to separate a pair; `least` is the smallest set's size."""
    mistake = first(
        {
            "itself": found & pair,
            "unknown": found - set(duel().variables),
            "hidden": found - set(duel().visible),
            "arrow": least is None,
        }
    )
    if mistake:
        return mistake
    separates = d_separated(duel(), *pair, found)
    return first({"open": not separates, "large": len(found) != least})


@cache
def smallest(x: str, y: str) -> int | None:
    """The size of the smallest separating sets among what is drawn."""
    pool = [name for name in duel().visible if name not in (x, y)]
    sets = (s for size in range(len(pool) + 1) for s in combinations(pool, size))
    return next((len(s) for s in sets if d_separated(duel(), x, y, s)), None)


@exercise("02.3")
def mended_drawing(mended: Any) -> str | Hint | None:
    graph, drawn = World.load("arena").graph(), arrows(mended)
    for name in {end for arrow in drawn for end in arrow} - set(graph):
        raise Unclear(f"there is no variable {describe(name)} in the arena")
    extra = drawn - set(graph.edges)
    missing = {arrow for arrow in graph.edges if {"time", "sky"} & set(arrow)} - drawn
    mistake = first(
        {
            "reversed": {(b, a) for a, b in extra} & set(graph.edges),
            "sky": any(tail == "sky" for tail, _ in extra),
            "extra": extra,
            "few": missing,
        }
    )
    arrow = " → ".join(min(extra, default=()))
    return mistake and Hint(mistake, {"arrow": arrow, "count": len(missing)})


# --- 03: a world in Pyro --------------------------------------------------------------------------


@exercise("03.1")
def reactors_half(reactor: Any) -> str | Hint | None:
    n = 48
    actions = torch.arange(n) % 3
    try:
        returned, sites = run_in_plate(reactor, n, actions)
    except Broken as stopped:
        if "IndexError" in str(stopped) or "Shape mismatch" in str(stopped):
            return Hint("stopped", {"what": stopped})
        raise
    values = {"action": actions}
    for name in (*(v for v in duel().variables if v.startswith("reactor_")), "reaction"):
        if name not in sites:
            return Hint("missing", {"name": name})
        cpt, site = duel().variables[name].cpt, sites[name]
        if site["value"].shape not in ((), (n,)):
            return Hint("plate", {"name": name, "shape": list(site["value"].shape), "n": n})
        values[name] = site["value"].expand(n)
        logs = [
            site["fn"].log_prob(torch.full_like(site["value"], k)) for k in range(cpt.shape[-1])
        ]
        used = torch.stack([log.exp().double().expand(n) for log in logs], -1)
        if mistake := wrong_row(cpt, used, [values[p] for p in duel().variables[name].parents]):
            return Hint(mistake, {"name": name})
    same = isinstance(returned, Tensor) and torch.equal(returned, values["reaction"])
    return None if same else "return"


def run_in_plate(function: Any, n: int, *arguments: Any) -> tuple[Any, dict]:
    """What a program returns inside a plate of n rows, and its trace's nodes."""
    import pyro

    returned: list[Any] = []

    def program() -> None:
        with pyro.plate("rows checked", n):
            returned.append(call(function, *arguments))

    nodes = pyro.poutine.trace(program).get_trace().nodes
    return returned[0], nodes


def wrong_row(cpt: Tensor, used: Tensor, parents: list[Tensor]) -> str | None:
    """Whether a site drew from the rows that its parents pick; if not, in which way."""
    for order in permutations(range(len(parents))):
        fits = all(cpt.shape[axis] == cpt.shape[i] for axis, i in enumerate(order))
        row = cpt[tuple(parents[i] for i in order)] if fits else used + 1
        if torch.allclose(used, row.expand_as(used), atol=1e-5):
            return None if order == tuple(range(len(parents))) else "order"
    return "row"


@exercise("03.2")
def rows_needed(guess: Any) -> str | Hint | None:
    said = number(guess, 1, 1e12, "a number of rows")
    cpt = duel().variables["action"].cpt
    abilities = probability(duel(), ("actor_strength", "actor_defense", "actor_attack"))
    both = (torch.einsum("sda,sdax->x", abilities, t) for t in (cpt, cpt.transpose(0, 1)))
    p, q = (float(action[2]) for action in both)
    need = p * (1 - p) * (4 / (p - q)) ** 2
    if said not in ROWS:
        return "other"
    if said == min(ROWS, key=lambda rows: max(rows / need, need / rows)):
        return None
    told = {"rows": said, "error": (p * (1 - p) / said) ** 0.5, "change": abs(p - q)}
    return Hint("few" if said < need else "many", told)


@exercise("03.3")
def mended_troop(troop: Any) -> str | Hint | None:
    what = "character and type of each actor, a tensor [2, n]"
    troops = torch.stack([numbers(call(troop, 64), (2, 64), what) for _ in range(4)])
    if (troops < 0).any() or (troops > torch.tensor([1, 2])[:, None]).any() or (troops % 1).any():
        raise Unclear("expected characters 0 or 1, and types 0, 1 or 2")
    characters, types = (troops == troops[..., :1]).all(-1).all(0).tolist()  # alike in each troop?
    golems, kinds = troops[:, 0].mean(), troops[:, 1].long().flatten().bincount(minlength=3)
    mistake = first(
        {
            "none": characters and types,
            "unchanged": characters,
            "types": types,
            "share": not 0.35 < golems < 0.65,
            "missing": (kinds == 0).any(),
        }
    )
    return mistake and Hint(mistake, {"share": float(golems)})


@exercise("03.4")
def what_it_claimed(letter: Any) -> str | None:
    said = choice(letter, "abcd")
    return None if said == "c" else said
