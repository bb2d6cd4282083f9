"""Judges of the exercises of notebook 12: who refuses a draft, the front door and what breaks it.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from torch import Tensor

from cimg.answers import call, choice, exercise, fields, first, number
from cimg.scene import SceneError, check_world
from cimg.separation import frontdoor_sets
from cimg.world import World, WorldError

WHO = {
    "world": ("the world", "validation"),
    "stage": ("the stage",),
    "nobody": ("none", "no one", "no-one"),
}
BREAKS = {
    "breaks": ("break", "broken", "it breaks", True, "yes", 1),
    "keeps": ("keep", "kept", "it keeps", False, "no", 0),
}
ARROWS = {
    "a": ("fever", "sky"),
    "b": ("action", "reaction"),
    "c": ("fever", "reactor_ward"),
    "d": ("actor_craft", "reaction"),
}
ENDS = ("action", "reaction")


@cache
def storm() -> World:
    return World.load("storm")


def drafts(world: World) -> dict[str, dict[str, Any]]:
    """Four drafts of a world file, each with one slip, as `World.to_dict` gives the file."""
    made = {key: deepcopy(world.to_dict()) for key in "abcd"}
    at = {v["name"]: i for i, v in enumerate(made["a"]["variables"])}
    made["a"]["variables"][at["sky"]]["cpt"][0] = [0.02, 0.08, 0.2, 0.8]
    made["b"]["variables"][at["action"]]["parents"] = ["actor_craft", "fever"]
    made["c"]["variables"][at["actor_craft"]]["parents"] = ["reaction", "actor_type"]
    made["d"]["variables"][at["action"]]["values"] = ["attack", "dance", "walk"]
    return made


def refused_by(draft: Mapping[str, Any]) -> str:
    try:
        check_world(World.from_dict(draft))
    except WorldError:
        return "world"
    except SceneError:
        return "stage"
    return "nobody"


@exercise("12.1")
def who_refuses(refused: Any) -> str | None:
    found = drafts(storm())
    said = {key: choice(x, WHO) for key, x in fields(refused, list(found)).items()}
    return next((key for key in found if said[key] != refused_by(found[key])), None)


@exercise("12.2")
def by_the_front_door(front_door: Any) -> str | None:
    mistakes: set[str] = set()
    for seed, action in ((12, 0), (13, 2)):
        rows = storm().sample(20_000, seed=seed)
        photos = {name: rows[name] for name in storm().visible}
        found = number(call(front_door, dict(photos), action), what="a probability")
        near = estimates(photos["action"], photos["sky"], photos["reaction"] <= 1, action)
        if abs(found - near.pop("front door")) < 1e-5:
            continue
        mistakes.add(first({k: abs(found - x) < 1e-5 for k, x in near.items()}, "other"))
    return first({"other": len(mistakes) > 1}, mistakes.pop()) if mistakes else None


def estimates(action: Tensor, sky: Tensor, harm: Tensor, asked: int) -> dict[str, float]:
    """P(harm | do(action)) by the front door, and what goes by that name now and then."""
    harm, made = harm.double(), action == asked
    skies = [sky == s for s in range(4)]
    after = [float(s[made].double().mean()) for s in skies]  # P(sky | action)
    shares = [float((action == a).double().mean()) for a in range(3)]
    inside = [[float(harm[s & (action == a)].mean()) for a in range(3)] for s in skies]
    averaged = [sum(p * x for p, x in zip(shares, row, strict=True)) for row in inside]
    both = [[float((s & (action == a)).double().mean()) for a in range(3)] for s in skies]
    front = sum(p * x for p, x in zip(after, averaged, strict=True))
    return {
        "front door": front,
        "seeing": float(harm[made].mean()),
        "back door": sum(float(s.double().mean()) * x[asked]
                         for s, x in zip(skies, inside, strict=True)),
        "sky": sum(p * float(harm[s].mean()) for p, s in zip(after, skies, strict=True)),
        "uneven": sum(p * sum(row) / 3 for p, row in zip(after, inside, strict=True)),
        "outer": sum(float(s.double().mean()) * x for s, x in zip(skies, averaged, strict=True)),
        "first": after[0] * averaged[0],
        "last": after[-1] * averaged[-1],
        "inner pairs": sum(p * sum(q * x for q, x in zip(weights, row, strict=True))
                           for p, weights, row in zip(after, both, inside, strict=True)),
        "outer pairs": front * shares[asked],
    }  # fmt: skip


@exercise("12.3")
def what_breaks_it(breaks: Any) -> str | None:
    said = {key: choice(x, BREAKS) for key, x in fields(breaks, list(ARROWS)).items()}
    for key, arrow in ARROWS.items():
        through = frozenset({"sky"}) in frontdoor_sets(with_arrow(storm(), *arrow), *ENDS)
        if said[key] != ("keeps" if through else "breaks"):
            return key
    return None


def with_arrow(world: World, cause: str, effect: str) -> World:
    """The world with one more arrow, which its table doesn't heed: for questions to the graph."""
    spec = world.to_dict()
    entry = next(v for v in spec["variables"] if v["name"] == effect)
    entry["cpt"] = [entry["cpt"]] * len(world.variables[cause].values)
    entry["parents"] = [cause, *entry["parents"]]
    return World.from_dict(spec)
