"""Judges of the exercises of notebook 10, about a generator without a causal model.

The texts of their hints are in ``hints.json``. No GAN is loaded here: the truth is the world's.
"""

from __future__ import annotations

from typing import Any

import networkx as nx

from cimg.answers import RUNGS, TRUTH, Hint, call, choice, exercise, fields, number, rows_of
from cimg.exercises_doing import arena
from cimg.query import probability
from cimg.score import total_variation

ATTACK, PICTURES = {"action": "attack"}, 2000
STAYS = ("sky", "actor_type", "reactor_character", "reaction")


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
        return "share"  # or per cent
    return "other rung" if abs(count - done) <= 150 else "far"


@exercise("10.2")
def orders_for_the_painter(orders: Any) -> str | Hint | None:
    world, n = arena(), PICTURES
    values = rows_of(call(orders, n), world.visible, n)
    codes = world.encode(ATTACK)
    if (values["action"] != codes["action"]).any():
        return Hint(
            "action", {"share": float((values["action"] == codes["action"]).double().mean())}
        )
    names = ("sky", "reaction")
    sizes = [len(world.variables[name].values) for name in names]
    flat = values["sky"] * sizes[1] + values["reaction"]
    found = flat.bincount(minlength=sizes[0] * sizes[1]).double().view(sizes) / n
    near = {
        None: probability(world, names, do=ATTACK),
        "unchanged": probability(world, names, given=ATTACK),
        "kept": probability(world, names),
    }
    close = {name: total_variation(found, p) for name, p in near.items()}
    best = min(close, key=close.__getitem__)
    return best if close[best] < 3 / n**0.5 else "other"


@exercise("10.3")
def who_stays(stays: Any) -> str | Hint | None:
    said = {name: choice(x, TRUTH) for name, x in fields(stays, STAYS).items()}
    after = nx.descendants(arena().graph(), "action")
    for name, answer in said.items():
        if (answer == "yes") == (name in after):
            return Hint("descends" if name in after else "upstream", {"name": name})
    return None
