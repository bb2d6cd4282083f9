"""Questions whose answer is a picture: seeing, doing, imagining.

see(model, {"action": "attack"}, n=4)       # pictures in which an attack was seen
do(model, {"action": "attack"}, n=4)        # pictures of a world in which every actor attacks
imagine(model, scene, {"action": "attack"}) # this very picture, had the action been an attack
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cimg.conditional import ConditionalVAE, check_scenes
from cimg.counterfactual import twin_samples
from cimg.query import sample_posterior
from cimg.scene import HEIGHT, WIDTH, SceneError, describe

Values = Mapping[str, str | int]
UNEXPLAINED = 0.02  # share of a picture's pixels that its best explanation may get wrong


@dataclass(frozen=True)
class Answer:
    """Pictures with what they show.

    Attributes:
        scenes: ``uint8 [n, HEIGHT, WIDTH]``.
        values: the world's variables, hidden ones included, behind each: ``{name: int64 [n]}``.
    """

    scenes: Tensor
    values: dict[str, Tensor]


def see(model: ConditionalVAE, given: Values | None = None, n: int = 1, seed: int = 0) -> Answer:
    """Draw pictures of P(scene | given): what one sees where this is seen.

    Raises:
        WorldError: unknown names or values, or evidence of probability 0.
    """
    return do(model, {}, n, seed, given)


def do(
    model: ConditionalVAE,
    do: Values,
    n: int = 1,
    seed: int = 0,
    given: Values | None = None,
) -> Answer:
    """Draw pictures of P(scene | given; do(...)): what one sees where this is done.

    ``given`` is what is seen *after* the intervention. A picture of the same individual in another
    course of events is not asked for here; see `imagine`.

    Raises:
        WorldError: unknown names or values, or evidence of probability 0.
    """
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
) -> Answer:
    """Draw this very picture, had things been otherwise: abduct, act, predict.

    Abduction takes the labels as read from the scene (or as given), hidden variables and structural
    noise from their posterior given these labels, and style z from q(z | scene, labels). Action
    cuts; prediction replays the same noise and draws with the same z. The ``n`` answers differ
    where the scene leaves open what would have followed.

    What is not identified: how noise couples the fact to what would have been. ``coupling`` is an
    assumption; `cimg.counterfactual.bounds` says what holds whatever it is.

    Args:
        scene: one picture, ``uint8 [HEIGHT, WIDTH]``.
        labels: the labels, by name, if they are known; otherwise they are read.

    Raises:
        SceneError: not a picture of the right kind, or one that the model can't explain.
        WorldError: unknown names or values, or labels of probability 0.
    """
    if not isinstance(scene, Tensor) or scene.dim() != 2:
        found = describe(scene)
        raise SceneError(f"imagine takes one scene, uint8 [{HEIGHT}, {WIDTH}], found {found}")
    check_scenes(scene[None])
    seen = model.world.encode(labels) if labels else read_labels(model, scene)
    facts = {name: torch.tensor([code]) for name, code in seen.items()}
    z, _ = model.encode(scene[None], facts)
    check_explained(scene, model.decode(z, facts)[0])
    _, values = twin_samples(model.world, n, seen, do, coupling, seed)
    return Answer(model.decode(z.expand(n, -1), values), values)


def read_labels(model: ConditionalVAE, scene: Tensor) -> dict[str, int]:
    """The most probable value of each label of one scene ``uint8 [HEIGHT, WIDTH]``."""
    return {name: int(probs.argmax()) for name, probs in model.read(scene[None]).items()}


def check_explained(scene: Tensor, explained: Tensor) -> None:
    """Raise SceneError if the model's own picture of what it has read is another picture."""
    wrong = float((scene != explained).float().mean())
    if wrong > UNEXPLAINED:
        raise SceneError(
            f"the model can't explain this picture: its best explanation gets {wrong:.0%} of the "
            f"pixels wrong (at most {UNEXPLAINED:.0%} allowed); is it a scene of this world?"
        )
