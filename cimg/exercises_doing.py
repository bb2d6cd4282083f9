"""Judges of the exercises of notebooks 04 and 05: seeing and doing.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cimg.answers import (
    TRUTH,
    Hint,
    Open,
    call,
    choice,
    exercise,
    fields,
    first,
    is_open,
    number,
    numbers,
)
from cimg.exercises_world import duel
from cimg.query import log_evidence, probability
from cimg.world import World

ATTACK = {"action": "attack"}
AGREE = {"must agree": ("agree", "agrees", True), "may differ": ("differ", "differs", False)}
FOUR = {  # the other variable, and the one that is seen or set
    "a": ("reaction", "actor_character"),
    "b": ("action", "reaction"),
    "c": ("reaction", "reactor_defense"),
    "d": ("reaction", "reactor_type"),
}
SETS = ("sky", "actor_type", "sky actor_type", "crowd")


# --- 04: seeing -----------------------------------------------------------------------------------


@exercise("04.1")
def weights_of_rows(weights_by_hand: Any) -> str | None:
    names = ("reactor_character", "reactor_type", "reaction", "actor_strength", "action")
    for codes in ((1, 0, 0, 1, 1), (0, 2, 3, 0, 0)):
        seen = dict(zip(names, codes, strict=True))
        rows = duel().sample(256, seed=8, do=seen)
        found = call(weights_by_hand, dict(rows), dict(seen))
        found = numbers(found, (256,), "one weight for each row, a tensor [n]")
        parts = entries(rows, seen)
        if alike(found / found.mean(), parts.prod(0) / parts.prod(0).mean()):
            continue
        notebooks = entries(rows, names[:3]).prod(0)  # as if the notebook's own evidence were meant
        mistakes = {
            "notebook": alike(found / found.mean(), notebooks / notebooks.mean()),
            "log": alike(found, parts.prod(0).log()),
            "all": alike(found, entries(rows, duel().variables).prod(0)),
            "sum": alike(found, parts.sum(0)),
            "one": any(alike(found, part) for part in parts),
            "equal": alike(found, found[0]),
        }
        return first(mistakes, "other")
    return None


def entries(rows: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    """The table's entry for each row's value, given that row's parents: [|names|, n]."""
    variables = [duel().variables[name] for name in names]
    return torch.stack([v.cpt[tuple(rows[x] for x in (*v.parents, v.name))] for v in variables])


def alike(found: Tensor, truth: Tensor) -> bool:
    return torch.allclose(found, truth.expand_as(found), rtol=1e-4)


@exercise("04.2")
def tool_for_the_rare(rows_kept: Any, trusted: Any) -> str | Hint | None:
    if is_open(rows_kept) or is_open(trusted):
        raise Open("One of the two is still open")
    rare, n = {"action": "walk", "reaction": "die"}, 100_000
    said = number(rows_kept, what="a number of rows")
    method = choice(getattr(trusted, "__name__", trusted), ("rejection", "importance"))
    log_p = log_evidence(duel(), rare)
    p, codes = math.exp(log_p), duel().encode(rare)
    apart = math.prod(float(probability(duel(), name)[code]) for name, code in codes.items())
    if abs(said - n * p) <= 4 * math.sqrt(n * p):  # as far as a count may stray
        return None if method == "importance" else "method"
    near = {
        "log": log_p,
        "times log": n * log_p,
        "share": p,
        "apart": n * apart,
        "twice": 2 * n * p,
    }
    mistakes = {name: math.isclose(said, x, rel_tol=0.05) for name, x in near.items()}
    return Hint(first(mistakes, "other"), {"said": said})


@exercise("04.3")
def up_or_down(prediction: Any) -> str | None:
    said = choice(prediction, {"up": ("higher",), "down": ("lower",), "same": ("the same",)})
    golem = {"actor_character": "golem", "actor_type": "type3", **ATTACK}
    known = (golem, golem | {"actor_defense": "high"})
    before, after = (float(probability(duel(), "actor_attack", seen)[1]) for seen in known)
    truth = "same" if abs(after - before) < 1e-9 else "up" if after > before else "down"
    return None if said == truth else said


@exercise("04.4")
def turned_round(mended: Any) -> str | None:
    said = number(mended, what="a probability")
    joint = probability(duel(), ("action", "reaction"))
    both, attack, die = (float(x) for x in (joint[0, 0], joint[0].sum(), joint[:, 0].sum()))
    if abs(said - both / die) < 0.01:
        return None
    near = {"colleague": both / attack, "joint": both, "attack": attack, "die": die}
    near |= {"rest": 1 - both / die}
    nearest = min(near, key=lambda name: abs(said - near[name]))
    mistakes = {"outside": not 0 <= said <= 1, nearest: abs(said - near[nearest]) < 0.01}
    return first(mistakes, "other")


# --- 05: doing ------------------------------------------------------------------------------------


@exercise("05.1")
def where_they_agree(predicted: Any) -> str | None:
    said = {key: choice(x, AGREE) for key, x in fields(predicted, list(FOUR)).items()}
    for key, (target, cause) in FOUR.items():
        truth = "must agree" if no_back_door(duel(), cause, target, ()) else "may differ"
        if said[key] != truth:
            return key
    return None


def no_back_door(world: World, cause: str, effect: str, given: Iterable[str]) -> bool:
    """Whether `given` blocks every path between the two that enters the cause."""
    import networkx as nx

    graph = world.graph()
    graph.remove_edges_from(list(graph.out_edges(cause)))
    return nx.is_d_separator(graph, {cause}, {effect}, set(given))


@cache
def arena() -> World:
    return World.load("arena")


@cache
def photographs() -> tuple[Tensor, Tensor, Tensor]:
    """Sky, action and whether there was harm, in the notebook's 20,000 scenes of the arena."""
    rows = arena().sample(20_000, seed=5)
    return rows["sky"], rows["action"], (rows["reaction"] <= 1).double()


def averaged(action: int, shares: Tensor) -> float:
    """Σ over skies of share × P(harm | action, sky), counted in the photographs."""
    sky, acted, harm = photographs()
    return sum(float(shares[s] * harm[(sky == s) & (acted == action)].mean()) for s in range(4))


@exercise("05.2")
def colleagues_average(total: Any) -> str | None:
    said = number(total, what="a probability")
    sky, acted, harm = photographs()
    count = torch.bincount(sky, minlength=4).double()
    attacks = torch.bincount(sky[acted == 0], minlength=4).double()
    others = count - attacks
    near = {
        "unchanged": averaged(0, attacks / attacks.sum()),
        "unweighted": averaged(0, torch.ones(4)),
        "even": averaged(0, torch.full((4,), 0.25)),
        "joint": averaged(0, attacks / count.sum()),
        "others": averaged(0, others / others.sum()),
        "taunt": averaged(1, count / count.sum()),
        "harm": float(harm.mean()),
    }
    if abs(said - averaged(0, count / count.sum())) < 1e-3:
        return None
    near["exact"] = float(probability(arena(), "reaction", do=ATTACK)[:2].sum())
    mistakes = {name: abs(said - value) < 1e-3 for name, value in near.items()}
    return first({**mistakes, "outside": not 0 <= said <= 1}, "other")


@exercise("05.3")
def another_road(weights: Any) -> str | None:
    sky, acted, _ = photographs()
    n = len(sky)
    said = numbers(weights, (n,), f"a weight for each photograph, a tensor [{n}]")
    cell = torch.bincount(3 * sky + acted).double()[3 * sky + acted]
    of_sky, of_action = (torch.bincount(x).double()[x] for x in (sky, acted))
    if alike(said, of_sky / cell):
        return None
    near = {
        "inverse": cell / of_sky,
        "marginal": n / of_action,
        "joint": n / cell,
        "turned": of_action / cell,
        "sky": n / of_sky,
        "count": cell,
    }
    mistakes = {name: alike(said, value) for name, value in near.items()}
    nearly = torch.allclose(said, of_sky / cell, rtol=0.1)
    return first({**mistakes, "nearly": nearly}, "other")


@exercise("05.4")
def which_sets(right: Any) -> str | None:
    said = {key: choice(x, TRUTH) == "yes" for key, x in fields(right, SETS).items()}
    for by in SETS:
        known = set(by.split()) - {"crowd"}
        known |= {"time"} if "sky" in known else set()  # which the sky tells without fail
        enough = "crowd" not in by and no_back_door(arena(), "action", "reaction", known)
        if said[by] != enough:
            return by
    return None
