"""Judges of the exercises of notebooks 00 and 06: which rung, and imagining.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cimg.answers import (
    RUNGS,
    Hint,
    Open,
    choice,
    exercise,
    fields,
    first,
    is_open,
    number,
    numbers,
)
from cimg.bounds import bounds
from cimg.counterfactual import COUPLINGS, probability_had
from cimg.exercises_world import duel
from cimg.query import probability

ATTACK, TAUNT, HURT = {"action": "attack"}, {"action": "taunt"}, {"reaction": "hurt"}
LOW = dict.fromkeys(("reactor_strength", "reactor_defense", "reactor_attack"), "low")
# Questions in their parts: what is seen, what is done, and the fact that is to be otherwise.
START = {
    "a": {"do": ATTACK},
    "b": {"given": {"reaction": "die"}},
    "c": {"fact": ATTACK | {"reaction": "die"}, "do": TAUNT},
}
REACTORS = {
    "a": {"given": HURT},
    "b": {"do": ATTACK},
    "c": {"fact": TAUNT | HURT, "do": {"action": "walk"}},
    "d": {"do": ATTACK, "given": HURT},
}


# --- which rung? ----------------------------------------------------------------------------------


@exercise("00.1")
def three_questions(rungs: Any) -> Hint | None:
    return sort_out(rungs, START)


@exercise("06.3")
def four_questions(rung: Any) -> Hint | None:
    return sort_out(rung, REACTORS)


def sort_out(answer: Any, questions: Mapping[str, Mapping]) -> Hint | None:
    said = {key: choice(x, RUNGS) for key, x in fields(answer, list(questions)).items()}
    for key, parts in questions.items():
        if said[key] != rung_of(parts):
            after = said[key] == "imagining" and "given" in parts and "do" in parts
            return Hint("order" if after else f"{rung_of(parts)} {said[key]}", {"key": key})
    return None


def rung_of(question: Mapping) -> str:
    """The rung that a question is on, by its parts."""
    return "imagining" if "fact" in question else "doing" if "do" in question else "seeing"


@exercise("00.3")
def best_objection(letter: Any) -> str | None:
    said = choice(letter, "abcd")
    return None if said == "c" else said


# --- 06: imagining --------------------------------------------------------------------------------


@exercise("06.1")
def fewest_and_most(fewest: Any, most: Any) -> str | None:
    if is_open(fewest) or is_open(most):
        raise Open("One of the two numbers is still open")
    low, high, hurt = number(fewest, 0, 20), number(most, 0, 20), 12
    least, top, _ = map(float, bounds(duel(), {"reaction": "die"}, LOW | TAUNT | HURT, ATTACK))
    right = abs(low - hurt * least) < 1e-6, abs(high - hurt * top) < 1e-6
    if all(right):
        return None
    mistakes = {
        "order": low > high,
        "shares": abs(low - least) + abs(high - top) < 0.02,
        "all": high >= hurt,
        "zero": low == 0,
        "single": low == high,
        "most": right[0],
        "fewest": right[1],
    }
    return first(mistakes, "other")


@exercise("06.2")
def averaged_over_facts(mixtures: Any) -> Hint | None:
    found = fields(mixtures, list(COUPLINGS))
    rows = {c: numbers(x, (4,), "four probabilities for each coupling") for c, x in found.items()}
    if not any(row.any() for row in rows.values()):
        raise Open("mixtures is still all zeros: add in place, with mixture += …")
    attack, taunt, _ = duel().variables["reaction"].cpt[0, 0, 0]
    golem = {"reactor_character": "golem"}
    reactors = ({}, golem, golem | {"reactor_type": "type1"})
    others = [probability(duel(), "reaction", given=who, do=ATTACK) for who in reactors]
    for coupling, row in rows.items():
        if torch.allclose(row, attack, atol=1e-3):
            continue
        single, untold = (
            [
                probability_had(duel(), "reaction", f | {"reaction": k}, ATTACK, coupling)
                for k in range(4)
            ]
            for f in (LOW | TAUNT, LOW)
        )
        untold = sum(p * one for p, one in zip(taunt, untold, strict=True))
        mistakes = {
            "taunt": torch.allclose(row, taunt, atol=1e-3),
            "four": abs(row.sum() - 4) < 1e-3,
            "sum": abs(row.sum() - 1) > 1e-3,
            "last": any(torch.allclose(row, one, atol=1e-3) for one in single),
            "golem": any(torch.allclose(row, one, atol=1e-3) for one in others),
            "fact": torch.allclose(row, untold, atol=1e-3),
        }
        told = {"coupling": coupling, "total": float(row.sum())}
        return Hint(first(mistakes, "weights"), told)
    return None
