"""Which labels explain a picture, and how sure one can be of them.

A clean scene of the world has one explanation. A picture that is spoilt, or put together from two
scenes, may have several that are nearly as good: the answer is then P(labels | scene), not the
best of them alone.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cimg.conditional import ConditionalVAE
from cimg.data import labels_of
from cimg.oracle import read_back
from cimg.query import probability
from cimg.scene import HALF, ROLES, SceneError, palette, unflatten

UNEXPLAINED = 0.02  # share of a picture's pixels that its best explanation may get wrong
CLEAR = 20  # wrong pixels up to which no second explanation is looked for: the course's figures
# differ in far more; where a world's differ in fewer, a quarter of the least is the limit
SPOILT = 0.02  # assumed share of pixels that show any colour whatever: a wrong one costs 7 nats
DOUBTFUL = 0.01  # doubt about the labels that has to be told
RARE = 1e-3  # explanations less probable than that are left out


@dataclass(frozen=True)
class Explanations:
    """Labels that explain one picture, the most probable first.

    Attributes:
        labels: ``{name: int64 [k]}``.
        probability: P(labels | scene), ``float64 [k]``; sums to 1.
        wrong: pixels that each one's picture gets wrong, ``int64 [k]``.
        z: style abducted under each one, ``float [k, z]``.
    """

    labels: dict[str, Tensor]
    probability: Tensor
    wrong: Tensor
    z: Tensor

    @property
    def doubt(self) -> float:
        """Probability that the labels are others than the most probable ones."""
        return max(0.0, 1.0 - float(self.probability[0]))


def explain(model: ConditionalVAE, scene: Tensor, most: float = UNEXPLAINED) -> Explanations:
    """What one scene ``uint8 [HEIGHT, WIDTH]`` shows, according to the model.

    P(labels | scene) is proportional to P(labels), of the world left alone, times the likelihood of
    the pixels: the model's picture, of which each pixel is spoilt with probability `SPOILT`.

    Args:
        most: share of the pixels that the best explanation may get wrong, from 0 to 1.

    Raises:
        SceneError: no labels explain that many of the pixels; the error says by how many, and
            names explanations that are about as good.
    """
    best = {name: probs.argmax(1) for name, probs in model.read(scene[None]).items()}
    found = weigh(model, scene, best, torch.ones(1, dtype=torch.float64))
    if int(found.wrong[0]) > min(CLEAR, model.stage.apart // 4):
        found = weigh(model, scene, *likely(model, scene))
    check_explained(model, found, scene, most)
    return found


def weigh(
    model: ConditionalVAE, scene: Tensor, labels: dict[str, Tensor], p: Tensor
) -> Explanations:
    """Draw each explanation's own picture, and count the pixels in which it is another."""
    z, _ = model.encode(scene.expand(len(p), -1, -1), labels)
    wrong = (model.decode(z, labels) != scene).flatten(1).sum(1)
    return Explanations(labels, p, wrong, z)


def likely(model: ConditionalVAE, scene: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """All combinations of labels of which P(labels | scene) isn't `RARE`, and that probability.

    Each half of a picture shows one character, so that its pixels are counted for the labels of
    that character alone: in the duel 24 pictures under each sky instead of 432.
    """
    world, known = model.world, labels_of(model.world)
    owned = {role: (f"{role}_character", f"{role}_type", pose) for role, pose in ROLES.items()}
    own = {role: {name: known[name] for name in names} for role, names in owned.items()}
    others = {k: v for k, v in known.items() if not any(k in names for names in owned.values())}
    of_role = {role: all_of(values) for role, values in own.items()}
    sizes = [math.prod(len(v) for v in values.values()) for values in own.values()]
    costs = []
    for rest in rows_of(others):
        i = torch.arange(max(sizes))
        shown = {k: x[i % len(x)] for combos in of_role.values() for k, x in combos.items()}
        shown |= {k: torch.full_like(i, code) for k, code in rest.items()}
        z, _ = model.encode(scene.expand(len(i), -1, -1), shown)
        off = model.decode(z, shown) != scene
        halves = off[..., :HALF].sum((1, 2)), off[..., HALF:].sum((1, 2))
        actor, reactor = (x[:size] for x, size in zip(halves, sizes, strict=True))
        costs.append(actor[:, None] + reactor)
    colours = len(palette().names)
    nats = math.log((1 - SPOILT) * (colours - 1) / SPOILT)
    order = [*others, *own["actor"], *own["reactor"]]
    joint = {name: known[name] for name in order}
    log_p = probability(world, order).log().flatten() - nats * torch.stack(costs).flatten()
    p = log_p.softmax(0)
    kept = p.argsort(descending=True, stable=True)[: max(1, int((p > RARE).sum()))]
    return unflatten(joint, kept), p[kept] / p[kept].sum()


def all_of(values: dict[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Every combination of these variables' codes, the last one changing fastest."""
    return unflatten(values, torch.arange(math.prod(len(v) for v in values.values())))


def rows_of(values: dict[str, tuple[str, ...]]) -> list[dict[str, int]]:
    """The same, one dict for each combination; one empty dict if there are no variables."""
    combos = all_of(values)
    n = math.prod(len(v) for v in values.values())
    return [{name: int(x[i]) for name, x in combos.items()} for i in range(n)]


def check_explained(
    model: ConditionalVAE, found: Explanations, scene: Tensor, most: float = UNEXPLAINED
) -> None:
    """Raise SceneError if the best explanation gets too large a share of the pixels wrong."""
    wrong = int(found.wrong.min()) / scene.numel()
    if wrong > most:
        others = f"; {in_words(model, found)}" if found.doubt > DOUBTFUL else ""
        raise SceneError(
            f"the model can't explain this picture: its best explanation gets {wrong:.0%} of the "
            f"pixels wrong (at most {most:.0%} allowed){others}; {whose_fault(model, scene)}"
        )


def whose_fault(model: ConditionalVAE, scene: Tensor) -> str:
    """Of the picture, or of the model: the renderer knows whether it could draw such a scene."""
    _, differ = read_back(scene[None], model.stage)
    if int(differ):
        return "is it a scene of this world?"
    return "yet it is a scene as this world's are drawn, so the model needs more training"


def in_words(model: ConditionalVAE, found: Explanations) -> str:
    """How many explanations there are, and in what the two best differ."""
    values = labels_of(model.world)
    one, other = ({k: values[k][int(x[i])] for k, x in found.labels.items()} for i in (0, 1))
    differ = [f"{k} {one[k]} or {other[k]}" for k in one if one[k] != other[k]]
    p = found.probability
    return (
        f"it can be explained in {len(p)} ways, the best of probability {float(p[0]):.2f}, "
        f"the next {float(p[1]):.2f}: {', '.join(differ)}"
    )
