"""Judges of exercises about reading pictures and honest doubt: notebook 11.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cimg.answers import Unclear, call, choice, exercise, fields, first, number, numbers
from cimg.calibration import answers, reliability
from cimg.exercises_world import duel
from cimg.query import probability
from cimg.reading import label_prior

SIZES = {"less than half": ("less", "less than a half", "less than 1/2", "below half", "<")}
SIZES |= {"half": ("0.5", "a half", "one half", "exactly half", "1/2", "equal", "=")}
SIZES |= {"more than half": ("more", "more than a half", "more than 1/2", "above half", ">")}
ERRORS = ("below 0.02", "about 0.5", "above 0.9")
OFTEN = ("nearly always", "half the time", "seldom")
TWINS = [(0, 0, 1, 2, 2, 2), (0, 2, 1, 2, 2, 2)]  # satyr of type 1 or 3, walking; an idle golem


def among_twins(do: dict[str, str] | None) -> str:
    """How probable the first is where only these two are possible: less than half, half, more."""
    first_, second = (label_prior(duel(), do)[twin] for twin in TWINS)
    if abs(float(first_ - second)) < 1e-12:
        return "half"
    return "more than half" if first_ > second else "less than half"


@exercise("11.1")
def behind_the_stone(guess: Any) -> str | None:
    said = {k: choice(x, SIZES) for k, x in fields(guess, ["seen", "made to walk"]).items()}
    seen, made = among_twins(None), among_twins({"action": "walk"})
    alike = said["seen"] == said["made to walk"]
    mistakes = {"alike": alike, "made": said["made to walk"] != made, "seen": said["seen"] != seen}
    return first(mistakes)


def pieces() -> tuple[Tensor, Tensor]:
    """Evidence under even labels, any, and P(labels), on which the two ways differ."""
    prior = label_prior(duel())
    even = torch.rand(prior.shape, dtype=prior.dtype) ** 4
    return even / even.sum(), prior


def by_label(even: Tensor, prior: Tensor) -> Tensor:
    """The friend's update: the product of the labels' own ones."""
    result = torch.ones((), dtype=prior.dtype)
    for axis in range(prior.dim()):
        others = [a for a in range(prior.dim()) if a != axis]
        one = even.sum(others) * prior.sum(others)
        result = result[..., None] * one / one.sum()
    return result


@exercise("11.2")
def mended_update(update: Any) -> str | None:
    even, prior = pieces()
    found = numbers(call(update, even.clone(), prior.clone()), prior.shape, "a table like `prior`")
    joint = even * prior
    if torch.allclose(found, joint / joint.sum(), rtol=0, atol=1e-6):
        return None

    def same(other: Tensor) -> bool:
        return torch.allclose(found, other, rtol=1e-4, atol=1e-7)

    mistakes = {
        "unchanged": same(by_label(even, prior)),
        "sum": same(joint),
        "prior": same(even),
        "evidence": same(prior),
    }
    return first(mistakes, "other")


def trial() -> tuple[Tensor, Tensor]:
    """Confidences and verdicts of 400 answers, some far too sure, some not sure enough."""
    confidence = torch.rand(400, dtype=torch.float64)
    return confidence, torch.rand(400) < 0.3 + 0.2 * confidence


def with_empty_bins(calibration_error: Any) -> str | None:
    """The same where nobody is in some of the bins: a mean over nobody isn't a number."""
    confidence, right = trial()
    confidence = 0.6 + 0.4 * confidence
    try:
        found = number(call(calibration_error, confidence, right), what="one number")
    except Unclear:
        return "empty"
    return None if abs(found - reliability(confidence, right).ece) < 1e-5 else "empty"


@exercise("11.3")
def error_by_hand(calibration_error: Any) -> str | None:
    confidence, right = trial()
    found = number(call(calibration_error, confidence, right), what="one number")
    exact = reliability(confidence, right)
    if abs(found - exact.ece) < 1e-5:
        return with_empty_bins(calibration_error)
    filled = exact.count > 0
    gaps = (exact.confidence - exact.right).abs()[filled]
    signed = (exact.confidence - exact.right)[filled] * exact.count[filled] / len(right)
    near = {
        "signed": abs(float(signed.sum())),
        "alike": float(gaps.mean()),
        "sum": exact.ece * len(right),
        "single": float((confidence - right.double()).abs().mean()),
        "largest": float(gaps.max()),
        "per cent": 100 * exact.ece,
        "ten": reliability(confidence, right, 10).ece,
    }
    return first({k: abs(abs(found) - x) < 1e-5 * max(1, x) for k, x in near.items()}, "other")


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
        return "right"
    honest = reliability(confidence, right).ece < 0.02
    return first({"half": error == ERRORS[1], "error": (error == ERRORS[0]) != honest})
