"""Judges of the exercises of notebook 08: guides, drawers of z, and a painter with two files.

The texts of their hints are in ``hints.json``. No model is loaded here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cimg.answers import TRUTH, Hint, call, choice, exercise, fields, first, numbers
from cimg.exercises_world import duel
from cimg.query import probability
from cimg.score import total_variation
from cimg.vae import BLOCKS

ABILITIES = ("reactor_strength", "reactor_defense", "reactor_attack")
PARTS = ("sky", "sun", "hills", "actor_distance", "reactor_distance")
SKIES, COLUMNS = 4, 8
RUNGS = ("seeing", "doing", "imagining")


@exercise("08.1")
def guide_of_abilities(q_abilities: Any) -> str | Hint | None:
    world, rows, mistakes = duel(), duel().sample(6, seed=8), []
    for i in range(6):
        labels = world.describe({name: rows[name] for name in world.visible}, i)
        found = numbers(call(q_abilities, dict(labels)), (2, 2, 2), "probabilities [2, 2, 2]")
        mistakes.append(of_guide(found, labels))
    return next((mistake for mistake in mistakes if mistake), None)


def of_guide(found: Tensor, labels: dict[str, str]) -> str | Hint | None:
    """What is wrong with one table of the reactor's abilities, given these labels."""
    if abs(total := float(found.sum()) - 1) > 1e-6:
        return Hint("sum", {"total": total + 1})
    exact = probability(duel(), ABILITIES, given=labels)
    if total_variation(found, exact) < 1e-6:
        return None
    who = {name: labels[name] for name in labels if name not in ("action", "reaction")}
    near = {
        "unchanged": probability(duel(), ABILITIES, given=who),
        "action": probability(duel(), ABILITIES, given=who | {"reaction": labels["reaction"]}),
        "even": torch.full((2, 2, 2), 1 / 8, dtype=torch.float64),
    }
    close = {name: total_variation(found, p) < 1e-6 for name, p in near.items()}
    return first(close, "other")


@exercise("08.2")
def one_drawer(swapped: Any) -> str | Hint | None:
    z, other = torch.randn(2, 3, sum(BLOCKS))
    shape, ends = (3, sum(BLOCKS)), torch.tensor(BLOCKS).cumsum(0)
    found = {}
    for part in PARTS:
        answer = call(swapped, z.clone(), other.clone(), part)
        found[part] = numbers(answer, shape, f"z, a tensor {list(shape)}").float()
    for part, size, end in zip(PARTS, BLOCKS, ends, strict=True):
        wanted = z.clone()
        wanted[:, end - size : end] = other[:, end - size : end]
        if torch.equal(found[part], wanted):
            continue
        reverse = torch.where(wanted == z, other, z)
        mistakes = {
            "nothing": torch.equal(found[part], z),
            "everything": torch.equal(found[part], other),
            "reverse": torch.equal(found[part], reverse),
            "mixed": not ((found[part] == z) | (found[part] == other)).all(),
        }
        return Hint(first(mistakes, "borders"), {"part": part})
    return None


@exercise("08.3")
def two_files(rogue: Any) -> str | Hint | None:
    sky, code = torch.cartesian_prod(torch.arange(SKIES), torch.arange(COLUMNS)).T
    what = "a column for each row, a tensor [32]"
    found = numbers(call(rogue, sky.clone(), code.clone()), (len(sky),), what)
    if ((found < 0) | (found >= COLUMNS) | (found != found.round())).any():
        return "range"
    table = found.long().view(SKIES, COLUMNS)
    for k in range(SKIES):
        if len(reached := table[k].unique()) < COLUMNS:
            names = {"sky": ("dawn", "day", "dusk", "night")[k], "columns": len(reached)}
            return Hint("lost", names)
    mistakes = {
        "unchanged": (table == torch.arange(COLUMNS)).all(),
        "alike": (table == table[0]).all(),
    }
    return first(mistakes)


@exercise("08.4")
def where_they_differ(differ: Any) -> str | None:
    said = {rung: choice(x, TRUTH) for rung, x in fields(differ, RUNGS).items()}
    mistakes = {
        "alike": set(said.values()) == {"no"},
        "imagining": said["imagining"] == "no",
        "doing": said["doing"] == "yes" and said["seeing"] == "no",
        "seeing": said["seeing"] == "yes" or said["doing"] == "yes",
    }
    return first(mistakes)
