"""Questions whose answer is a picture: seeing, doing, imagining.

    see(model, {"action": "attack"}, n=4)       # pictures in which an attack was seen
    do(model, {"action": "attack"}, n=4)        # pictures of a world in which every actor attacks
    imagine(model, scene, {"action": "attack"}) # this very picture, had the action been an attack

Labels come from the world's tables, by exact inference; only the drawing is learnt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from warnings import warn

import torch
from torch import Tensor

from cimg.conditional import ConditionalVAE
from cimg.counterfactual import twin_samples
from cimg.doubt import (
    DOUBTFUL,
    UNEXPLAINED,
    Explanations,
    check_explained,
    explain,
    in_words,
    weigh,
)
from cimg.query import sample_posterior
from cimg.scene import HEIGHT, WIDTH, SceneError, check_scenes, describe, whole_number
from cimg.tables import WorldError, brief
from cimg.world import World

Values = Mapping[str, str | int]


class DoubtfulScene(UserWarning):
    """A picture that several combinations of labels explain about equally well."""


@dataclass(frozen=True)
class Answer:
    """Pictures with what they show.

    Attributes:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``.
        values: the world's variables, hidden ones included, behind each: ``{name: int64 [n]}``.
        doubt: of `imagine`: probability that the scene's labels are others than those read.
        unexplained: of `imagine`: share of the scene's pixels that the labels read don't explain.
    """

    scenes: Tensor
    values: dict[str, Tensor]
    doubt: float = 0.0
    unexplained: float = 0.0


def see(model: ConditionalVAE, given: Values | None = None, n: int = 1, seed: int = 0) -> Answer:
    """Draw pictures of P(scene | given): what one sees where this is seen.

    Raises:
        WorldError: unknown names or values, or evidence of probability 0.
    """
    return do(model, {}, n, seed, given)


def do(
    model: ConditionalVAE, do: Values, n: int = 1, seed: int = 0, given: Values | None = None
) -> Answer:
    """Draw pictures of P(scene | given; do(...)): what one sees where this is done.

    ``given`` is what is seen *after* the intervention. A picture of the same individual in another
    course of events is not asked for here; see `imagine`.

    Raises:
        WorldError: unknown names or values, or evidence of probability 0.
    """
    check_is_model(model)
    values = sample_posterior(model.world, n, given, do, seed)
    return Answer(model.decode(model.sample_style(n, seed), values), values)


def imagine(
    model: ConditionalVAE,
    scene: Tensor,
    do: Values,
    n: int = 1,
    labels: Values | None = None,
    coupling: str | Mapping[str, str] = "gumbel",
    seed: int = 0,
    unexplained: float = UNEXPLAINED,
) -> Answer:
    """Draw this very picture, had things been otherwise: abduct, act, predict.

    Abduction takes the labels as read from the scene (or as given), hidden variables and structural
    noise from their posterior given these labels, and style z from q(z | scene, labels). Action
    cuts; prediction replays the same noise and draws with the same z. The ``n`` answers differ
    where the scene leaves open what would have followed. Where it leaves open what it shows, they
    are divided among its explanations as P(labels | scene) says, the most probable first; a
    `DoubtfulScene` warning and the answer's ``doubt`` tell.

    What is not identified: how noise couples the fact to what would have been. ``coupling`` is an
    assumption; `cimg.counterfactual.bounds` says what holds whatever it is.

    Args:
        scene: one picture, ``uint8 [HEIGHT, WIDTH]``.
        labels: all labels, by name, if they are known; otherwise (None) they are read.
        unexplained: share of the pixels that the best explanation may get wrong. What it gets
            wrong is missing from the answers, whose ``unexplained`` says how much it is.

    Raises:
        SceneError: not a picture of the right kind, or one that the model can't explain.
        WorldError: unknown names or values, or labels of probability 0.
    """
    check_is_model(model)
    if not isinstance(scene, Tensor) or scene.dim() != 2:
        found = describe(scene)
        raise SceneError(f"imagine takes one scene, uint8 [{HEIGHT}, {WIDTH}], found {found}")
    check_scenes(scene[None])
    if labels is None:
        found = explain(model, scene, unexplained)
    else:
        found = known(model, scene, labels, unexplained)
    if found.doubt > DOUBTFUL:
        warn(f"of this scene: {in_words(model, found)}", DoubtfulScene, stacklevel=2)
    facts = [{k: int(x[i]) for k, x in found.labels.items()} for i in range(len(found.z))]
    beyond = model.world.encode(labels or {})  # hidden variables may be known as well
    shares = torch.bincount(divide(found.probability, n, seed), minlength=len(facts)).tolist()
    answers = []
    for i, (fact, share) in enumerate(zip(facts, shares, strict=True)):
        if share or i == 0:
            _, values = twin_samples(model.world, share, fact | beyond, do, coupling, seed + i)
            pictures = model.decode(found.z[i].expand(share, -1), values)
            answers.append((pictures, values))
    scenes = torch.cat([pictures for pictures, _ in answers])
    together = {k: torch.cat([values[k] for _, values in answers]) for k in answers[0][1]}
    return Answer(scenes, together, found.doubt, int(found.wrong[0]) / scene.numel())


def check_is_model(thing: Any) -> None:
    """Raises WorldError for what is no model: most often it is the name of one."""
    if not isinstance(getattr(thing, "world", None), World) or not hasattr(thing, "decode"):
        raise WorldError(f"expected a model, as cimg.load gives it; found {brief(thing)}")


def known(model: ConditionalVAE, scene: Tensor, labels: Values, most: float) -> Explanations:
    """Labels that are given are the one explanation, if they explain the scene at all."""
    codes = model.world.encode(labels)
    facts = {name: torch.tensor([code]) for name, code in codes.items()}
    found = weigh(model, scene, facts, torch.ones(1, dtype=torch.float64))
    check_explained(model, found, scene, most)
    return found


def divide(p: Tensor, n: int, seed: int) -> Tensor:
    """Which explanation each of n answers takes, drawn from ``p [k]``: ``int64 [n]``."""
    n, seed = whole_number(n, "n"), whole_number(seed, "seed")
    if len(p) == 1 or not n:
        return torch.zeros(n, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed % 2**64)
    return torch.multinomial(p, n, replacement=True, generator=generator)


def read_labels(model: ConditionalVAE, scene: Tensor) -> dict[str, int]:
    """The most probable value of each label of one scene ``uint8 [HEIGHT, WIDTH]``."""
    return {name: int(probs.argmax()) for name, probs in model.read(scene[None]).items()}
