"""Judges of the exercises of notebook 10, about a generator without a causal model.

The texts of their hints are in ``hints.json``. No GAN is loaded here: the truth is the world's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from cimg.answers import (
    RUNGS,
    TRUTH,
    Hint,
    Unclear,
    call,
    choice,
    exercise,
    fields,
    number,
    rows_of,
)
from cimg.exercises_doing import arena
from cimg.query import probability
from cimg.score import total_variation
from cimg.tables import WorldError

ATTACK, PICTURES = {"action": "attack"}, 2000
ORDERED = 10_000  # rows: few would hide it if reactions don't go with who reacts
STAYS = ("sky", "actor_type", "reactor_character", "reaction")
FAR = 3 / ORDERED**0.5  # in total variation; chance alone stays well below it
WHO = (("actor_character", "actor_type"), ("reactor_character", "reactor_type", "reaction"))


def shares(values: dict[str, Tensor], names: Sequence[str]) -> Tensor:
    """How often each combination of these variables comes up in rows of the arena."""
    sizes = [len(arena().variables[name].values) for name in names]
    cell = torch.zeros_like(values[names[0]])
    for name, size in zip(names, sizes, strict=True):
        cell = cell * size + values[name]
    counts = cell.bincount(minlength=prod(sizes)).double()
    return counts.view(sizes) / len(cell)


@exercise("10.1")
def which_rung(rung: Any, idle: Any) -> str | None:
    said, count = choice(rung, RUNGS), number(idle, 0, PICTURES)
    place = arena().encode({"reaction": "idle"})["reaction"]
    seen = PICTURES * float(probability(arena(), "reaction", given=ATTACK)[place])
    done = PICTURES * float(probability(arena(), "reaction", do=ATTACK)[place])
    if said != "seeing":
        return said
    if abs(count - seen) <= 250:
        return None
    if 0 < count <= 100:
        return "share"
    return "other rung" if abs(count - done) <= 150 else "far"


@exercise("10.2")
def orders_for_the_painter(orders: Any) -> str | Hint | None:
    world, n = arena(), ORDERED
    values = rows_of(call(orders, n), world.visible, n)
    try:
        world.check(values)
    except WorldError as error:
        raise Unclear(str(error)) from None
    codes = world.encode(ATTACK)
    if (values["action"] != codes["action"]).any():
        return Hint(
            "action", {"share": float((values["action"] == codes["action"]).double().mean())}
        )
    names = ("sky", "reaction")
    found = shares(values, names)
    near = {
        None: probability(world, names, do=ATTACK),
        "unchanged": probability(world, names, given=ATTACK),
        "kept": probability(world, names),
    }
    close = {name: total_variation(found, p) for name, p in near.items()}
    best = min(close, key=close.__getitem__)
    if close[best] >= FAR:
        return "other"
    far = (total_variation(shares(values, x), probability(world, x, do=ATTACK)) for x in WHO)
    return "strangers" if best is None and max(far) >= FAR else best


@exercise("10.3")
def who_stays(stays: Any) -> str | Hint | None:
    said = {name: choice(x, TRUTH) for name, x in fields(stays, STAYS).items()}
    after = nx.descendants(arena().graph(), "action")
    for name, answer in said.items():
        if (answer == "yes") == (name in after):
            return Hint("descends" if name in after else "upstream", {"name": name})
    return None
