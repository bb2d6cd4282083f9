"""Judges of the template for a world of one's own, ``notebooks/template/my-world.ipynb``.

An open task has no one right answer. These judges ask the learner's own world instead: they
compute, by exact inference, whether it is what is claimed of it.

The texts of their hints are in ``hints.json``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import torch

from cimg.answers import (
    TRUTH,
    Hint,
    Open,
    Unclear,
    choice,
    closed,
    describe,
    exercise,
    fields,
    first,
    is_open,
    number,
)
from cimg.counterfactual import probability_had
from cimg.query import log_evidence, probability
from cimg.scene import SceneError
from cimg.vae import CausalVAE
from cimg.world import World, WorldError

ENDS = ("action", "reaction")
APART = 0.05  # total variation from which seeing is said to differ from doing
CLOSE = 0.005  # of an answer to the exact probability
RUNGS = ("seeing", "doing", "imagining")


def own(answer: Any) -> World:
    """The learner's world: as it is, as a dict, or from its file."""
    found = closed(answer)
    try:
        if isinstance(found, Mapping):
            found = World.from_dict(found)
        if isinstance(found, str | os.PathLike):
            found = World.from_json(found)
    except WorldError as error:
        raise Unclear(f"this is no world yet: {error!s:.200}") from None
    if not isinstance(found, World):
        raise Unclear(f"expected a World, its dict or its file, found {describe(answer)}")
    return found


@exercise("my.1")
def a_world_of_one_s_own(world: Any) -> str | Hint | None:
    found = own(world)
    try:
        CausalVAE(found, hidden=2)
    except SceneError as error:
        return Hint("drawn", {"why": f"{error!s:.200}"})
    if copied := next((name for name in ("duel", "arena", "storm") if as_in(found, name)), None):
        return Hint("copied", {"name": copied})
    if not affects(found, *ENDS):
        return "idle"
    least = probability(found, "action").min()
    return first({"never": least < 1e-9})


def as_in(world: World, name: str) -> bool:
    """Whether nothing but names of the world, or the order, was changed in one that is shipped."""
    other = World.load(name).variables
    return set(other) == set(world.variables) and all(
        set(v.parents) == set(other[k].parents) and same_table(v, other[k])
        for k, v in world.variables.items()
    )


def same_table(one: Any, other: Any) -> bool:
    order = [one.parents.index(parent) for parent in other.parents]
    cpt = one.cpt.permute(*order, len(order))
    return one.values == other.values and torch.equal(cpt, other.cpt)


def affects(world: World, cause: str, effect: str) -> bool:
    """Whether doing something about the cause changes the effect at all."""
    values = world.variables[cause].values
    tables = [probability(world, effect, do={cause: value}) for value in values]
    return any(bool((table - tables[0]).abs().max() > 1e-9) for table in tables)


@exercise("my.2")
def one_question_on_each_rung(world: Any, questions: Any) -> str | Hint | None:
    found, asked = own(world), read_questions(questions)
    seeing, doing, imagining = (asked[rung] for rung in RUNGS)
    if seeing["do"]:
        return "seeing"
    if not doing["do"]:
        return "doing"
    if not imagining["do"] or not imagining["given"]:
        return "imagining"
    if twice := [name for name in doing["do"] if name in doing["given"]]:
        return Hint("twice", {"name": twice[0]})
    for rung, question in asked.items():
        if wrong := misfit(found, rung, question):
            return wrong
    same = {k: v for k, v in imagining["do"].items() if imagining["given"].get(k) == v}
    return "fact" if same or not set(imagining["do"]) <= set(imagining["given"]) else None


def misfit(world: World, rung: str, question: Mapping[str, Any]) -> Hint | None:
    """What is wrong with a question, whatever its rung."""
    (name,), given, done = question["of"], question["given"], question["do"]
    try:
        world.encode(question["of"]), world.encode(done)
        possible = log_evidence(world, given, None if rung == "imagining" else done)
    except WorldError as error:
        raise Unclear(f"{rung}: {error!s:.200}") from None
    if possible == -math.inf:
        raise Unclear(f"{rung}: what is given never happens in your world")
    if name in done or (name in given and rung != "imagining"):
        return Hint("itself", {"rung": rung, "name": name})
    if done and not any(affects(world, cause, name) for cause in done):
        return Hint("untouched", {"rung": rung, "name": name})
    if rung == "seeing":
        told = exact(world, question) - exact(world, question, given={})
        return Hint("nothing", {"name": name}) if abs(told) < 1e-9 else None
    return None


def read_questions(answer: Any) -> dict[str, dict[str, Any]]:
    """Each question as {"of": {one variable: value}, "given": {...}, "do": {...}}."""
    made = {}
    for rung, question in fields(answer, RUNGS).items():
        if not isinstance(question, Mapping):
            raise Unclear(f"{rung}: expected a dict with of, given, do; found {describe(question)}")
        if odd := [key for key in question if key not in ("of", "given", "do")]:
            raise Unclear(f"{rung}: expected of, given, do; found {describe(odd[0])}")
        parts = {key: question.get(key) for key in ("of", "given", "do")}
        if is_open(parts["of"]) or ... in question.values():
            raise Open(f"Still open: {rung}")
        parts |= {key: parts[key] or {} for key in ("given", "do")}
        if not all(isinstance(part, Mapping) for part in parts.values()) or len(parts["of"]) != 1:
            raise Unclear(f"{rung}: expected dicts {{variable: value}}, and one variable in `of`")
        made[rung] = parts
    return made


def exact(world: World, question: Mapping[str, Any], coupling: str = "", **other: Any) -> float:
    """The exact answer to a question, with other parts if named; with a coupling, on rung three."""
    parts = {**question, **other}
    ((name, value),) = parts["of"].items()
    code = world.encode({name: value})[name]
    if coupling:
        return float(probability_had(world, name, parts["given"], parts["do"], coupling)[code])
    if name in parts["given"]:
        return float(world.encode(parts["given"])[name] == code)
    return float(probability(world, name, parts["given"], parts["do"])[code])


@exercise("my.4")
def seeing_against_doing(world: Any, claim: Any) -> str | Hint | None:
    found = own(world)
    said = fields(claim, ["cause", "effect", "confounded"])
    cause, effect = (choice(said[key], list(found.variables)) for key in ("cause", "effect"))
    confounded = choice(said["confounded"], TRUTH) == "yes"
    if cause == effect:
        return Hint("same", {"cause": cause})
    if not affects(found, cause, effect):
        return Hint("idle", {"cause": cause, "effect": effect})
    far = max(
        float((probability(found, effect, {cause: x}) - probability(found, effect, do={cause: x}))
              .abs().sum() / 2)
        for x in found.variables[cause].values
        if probability(found, cause)[found.encode({cause: x})[cause]] > 0
    )  # fmt: skip
    said_so = {"agree": not confounded and far >= CLOSE, "apart": confounded and far < APART}
    mistake = first(said_so)
    return Hint(mistake, {"far": far}) if mistake else None


@exercise("my.3")
def three_answers(world: Any, questions: Any, answers: Any) -> str | Hint | None:
    found, asked = own(world), read_questions(questions)
    given = {k: number(x, what="a probability") for k, x in fields(answers, RUNGS).items()}
    try:
        return next(
            (hint for rung in RUNGS if (hint := off(found, asked, rung, given[rung]))), None
        )
    except WorldError as error:
        raise Unclear(f"the questions have to be right first (my.2): {error!s:.150}") from None


def off(world: World, asked: Mapping[str, Any], rung: str, said: float) -> Hint | None:
    """What seems to have gone wrong with the answer on one rung."""
    question = asked[rung]
    given, done = question["given"], question["do"]
    if rung == "seeing":
        truths = [exact(world, question)]
        both = truths[0] * math.exp(log_evidence(world, given))
        near = {"prior": exact(world, question, given={}), "joint": both}
    elif rung == "doing":
        truths = [exact(world, question)]
        near = {"seen": exact(world, question, given={**given, **done}, do={})}
    else:
        truths = [exact(world, question, coupling) for coupling in ("gumbel", "monotone")]
        near = {"fact": exact(world, question, do={}), "made": exact(world, question, given={})}
    if any(abs(said - x) < CLOSE for x in truths):
        return None
    close = {name: abs(said - x) < CLOSE for name, x in near.items()}
    return Hint(first({"outside": not 0 <= said <= 1, **close}, "other"), {"rung": rung})
