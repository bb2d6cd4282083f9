"""Judges of exercises about reading pictures and honest doubt: notebook 11.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from cimg.answers import Unclear, call, choice, exercise, fields, first, number, numbers
from cimg.calibration import answers, reliability
from cimg.exercises_world import duel
from cimg.query import probability
from cimg.reading import label_prior

SIZES = {
    "less than half": ("less", "<", "lower", "< half", "less than 1/2", "less than 0.5"),
    "half": ("a half", "one half", "1/2", "exactly half", "= half", "50 %", "50%"),
    "more than half": ("more", ">", "higher", "> half", "more than 1/2", "more than 0.5"),
}
ERRORS = {
    "below 0.02": ("below .02", "below", "< 0.02", "<0.02"),
    "about 0.5": ("about .5", "about", "0.5"),
    "above 0.9": ("above .9", "above", "> 0.9", ">0.9"),
}
OFTEN = {
    "nearly always": ("always", "almost always"),
    "half the time": ("half", "half of the time"),
    "seldom": ("rarely", "hardly ever", "almost never"),
}
TWINS = [(0, 0, 1, 2, 2, 2), (0, 2, 1, 2, 2, 2)]  # satyr of type 1 or 3, walking; an idle golem


def among_twins(do: dict[str, str] | None) -> str:
    """How probable the first is where only these two are possible: less than half, half, more."""
    first_, second = (label_prior(duel(), do)[twin] for twin in TWINS)
    if abs(float(first_ - second)) < 1e-12:
        return "half"
    return "more than half" if first_ > second else "less than half"


def against_half(said: Any) -> str:
    """Less than half, half or more, said in words or as a probability."""
    try:
        p = number(said, 0, 1)
    except Unclear:
        return choice(said, SIZES)
    return "half" if p == 0.5 else "less than half" if p < 0.5 else "more than half"


@exercise("11.1")
def behind_the_stone(guess: Any) -> str | None:
    said = {k: against_half(x) for k, x in fields(guess, ["seen", "made to walk"]).items()}
    seen, made = among_twins(None), among_twins({"action": "walk"})
    alike = said["seen"] == said["made to walk"]
    mistakes = {"alike": alike, "made": said["made to walk"] != made, "seen": said["seen"] != seen}
    return first(mistakes)


def pieces() -> tuple[Tensor, Tensor]:
    """Evidence under even labels, any, and P(labels), on which the two ways differ."""
    prior = label_prior(duel())
    even = torch.rand(prior.shape, dtype=prior.dtype) ** 4
    return even / even.sum(), prior


def apart(table: Tensor) -> Tensor:
    """The product of a table's marginals, normalised: what one label says of another is lost."""
    result = torch.ones((), dtype=table.dtype)
    for axis in range(table.dim()):
        one = table.sum([a for a in range(table.dim()) if a != axis])
        result = result[..., None] * one / one.sum()
    return result


def normalised(table: Tensor) -> Tensor:
    return table / table.sum()


@exercise("11.2")
def mended_update(update: Any) -> str | None:
    even, prior = pieces()
    found = numbers(call(update, even.clone(), prior.clone()), prior.shape, "a table like `prior`")
    joint = even * prior
    if torch.allclose(found, normalised(joint), rtol=0, atol=1e-6):
        return None

    def same(other: Tensor) -> bool:
        return torch.allclose(found, other, rtol=1e-4, atol=1e-7)

    mistakes = {
        "unchanged": same(normalised(apart(even) * apart(prior))),  # the friend's
        "sum": abs(float(found.sum()) - 1) > 1e-4,
        "half": same(normalised(apart(even) * prior)) or same(normalised(even * apart(prior))),
        "prior": same(even),
        "evidence": same(prior),
    }
    return first(mistakes, "other")


def trial() -> tuple[Tensor, Tensor]:
    """Confidences and verdicts of 400 answers, some far too sure, some not sure enough; none of
    them in the lowest bins, as from any reader that has looked."""
    confidence = 0.2 + 0.8 * torch.rand(400, dtype=torch.float64)
    return confidence, torch.rand(400) < 0.3 + 0.2 * confidence


def is_nan(answer: Any) -> bool:
    try:
        return math.isnan(float(answer))
    except Exception:  # noqa: BLE001  (no number: the readers say so)
        return False


@exercise("11.3")
def error_by_hand(calibration_error: Any) -> str | None:
    confidence, right = trial()
    returned = call(calibration_error, confidence.clone(), right.clone())
    if is_nan(returned):
        return "empty"
    found = number(returned, what="one number")
    exact = reliability(confidence, right)
    if abs(found - exact.ece) < 1e-5:
        return None
    filled = exact.count > 0
    gaps = (exact.confidence - exact.right).abs()[filled]
    weights = exact.count[filled] / len(right)
    signed = (exact.confidence - exact.right)[filled] * weights
    middles = (torch.arange(15)[filled] + 0.5) / 15
    near = {
        "signed": abs(float(signed.sum())),
        "alike": float(gaps.mean()),
        "sum": exact.ece * len(right),
        "single": float((confidence - right.double()).abs().mean()),
        "largest": float(gaps.max()),
        "middle": float(((middles - exact.right[filled]).abs() * weights).sum()),
        "per cent": 100 * exact.ece,
        "ten": reliability(confidence, right, 10).ece,
    }
    made = {k: abs(abs(found) - x) < 1e-5 * max(1, x) for k, x in near.items()}
    made["alike"] |= any(abs(found - x) < 1e-5 for x in (float(gaps.sum()), float(gaps.sum()) / 15))
    return first(made, "other")


@exercise("11.4")
def asleep(guess: Any) -> str | None:
    entries = fields(guess, ["error", "right"])
    error, often = choice(entries["error"], ERRORS), choice(entries["right"], OFTEN)
    world = duel()
    values = world.sample(20_000, seed=4)
    table = probability(world, list(world.visible)).expand(20_000, *label_prior(world).shape)
    confidence, right = answers(world, table, values)
    share = float(right.double().mean())
    seldom = "seldom" if share < 0.25 else "half the time" if share < 0.75 else "nearly always"
    if often != seldom:
        return "often"
    honest = reliability(confidence, right).ece < 0.02
    return first({"half": error == "about 0.5", "error": (error == "below 0.02") != honest})
