"""One step of training: what is made smaller, by which optimisers, on which schedule.

The loss is minus the ELBO of p(scene | labels, z) with guide q(z | scene, labels) (Kingma and
Welling 2014), plus the cross-entropy of q(labels | scene), as in Kingma et al. 2014. Hidden
matrices are trained with Muon (Jordan et al. 2024), everything else with AdamW.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pyro
import torch
import torch.nn.functional as F
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor
from torch.optim import AdamW, Optimizer

from cimg.conditional import ConditionalVAE
from cimg.data import seeds
from cimg.muon import Muon
from cimg.plain import PlainVAE
from cimg.study import check_settings
from cimg.vae import CausalVAE

# Adam takes full steps however small the gradients are. A pixel that hides behind the characters
# has next to none: it would be driven, at full speed, to a colour that nobody saw there, and once
# it is sure of that, the few scenes that show it are put down to the figure. Below this size of
# gradients the tables' steps get smaller.
EPS = 1e-3
MODELS = {"causal": CausalVAE, "plain": PlainVAE}
LIMITS = {  # least and most; 0 and 1000 for all others
    "model": tuple(MODELS),
    "steps": (1, 10**7),
    "batch": (1, 10**4),
    "seed": (0, 2**63 - 1),
    "hidden": (2, 4096),
    "warm_up": (0, 10**7),
    "held_out": (0, 1),
    "annealing": (0, 1),
    "blurred": (0, 1),
}


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, besides the world. Rates are peak learning rates."""

    steps: int = 1500
    batch: int = 16
    seed: int = 0
    hidden: int = 128
    model: str = "causal"  # or "plain"
    held_out: float = 0.2  # share of label combinations never shown
    muon: float = 0.02  # hidden matrices
    adam: float = 4e-3  # biases, heads
    figures: float = 0.2  # logits of the figures
    sky: float = 0.04  # logits of the sky
    land: float = 0.03  # how much each pixel belongs to the land
    colours: float = 0.05  # colours of land and sun
    warm_up: int = 50  # steps
    annealing: float = 0.8  # share of the run over which the KL term's weight grows from 0 to 1
    blurred: float = 0.12  # share of the run in which every place counts alike
    sharpness: float = 11.0  # of the choice of a place, at the end

    def __post_init__(self) -> None:
        """Raises ValueError for a setting of another type, or out of its range."""
        check_settings(self, LIMITS, usual=(0, 1000))


def optimisers(model: ConditionalVAE, settings: Settings) -> list[Optimizer]:
    """Muon for hidden matrices, AdamW for the rest, some of it at rates of its own."""
    rated = model.rated()
    taken = {id(p) for group in rated.values() for p in group}
    rest = [p for p in model.parameters() if id(p) not in taken]
    muon = rated.pop("muon", [])
    groups = [{"params": rest, "lr": settings.adam}]
    groups += [{"params": p, "lr": getattr(settings, k), "eps": EPS} for k, p in rated.items()]
    found = [
        Muon(muon, lr=settings.muon, weight_decay=0.0),
        AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
    for group in (group for optimiser in found for group in optimiser.param_groups):
        group["peak"] = group["lr"]
    return found


def schedule(step: int, settings: Settings, model: ConditionalVAE, found: list[Optimizer]) -> float:
    """Set learning rates and the choice of places for this step; returns the KL term's weight."""
    done = step / settings.steps
    rate = min(1.0, step / max(1, settings.warm_up)) * (1 + math.cos(math.pi * done)) / 2
    for group in (group for optimiser in found for group in optimiser.param_groups):
        group["lr"] = rate * group["peak"]
    model.ripen(done, settings.blurred, settings.sharpness)
    return min(1.0, (step + 1) / max(1, settings.annealing * settings.steps))


def loss(
    model: ConditionalVAE, scenes: Tensor, values: Mapping[str, Tensor], beta: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Minus the ELBO plus the reader's cross-entropy, per scene; and the two on their own."""
    looks = model.look(scenes)
    program = pyro.condition(lambda _, v, b: model.draw(v, b), data={"scene": scenes})
    elbo = TraceMeanField_ELBO()
    minus_elbo = elbo.differentiable_loss(program, model.guide, looks, values, beta) / len(scenes)
    logits = model.label_logits(looks)
    reading = sum(F.cross_entropy(logits[name], values[name]) for name in logits)
    return minus_elbo + reading, {"minus_elbo": minus_elbo.detach(), "reading": reading.detach()}


def advance(
    model: ConditionalVAE,
    found: list[Optimizer],
    settings: Settings,
    step: int,
    scenes: Tensor,
    values: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """One step of training. Its noise depends on the seed and the step alone."""
    torch.manual_seed(seeds(settings.seed, 3, step, n=1)[0] % 2**63)
    beta = schedule(step, settings, model, found)
    total, parts = loss(model, scenes, values, beta)
    for optimiser in found:
        optimiser.zero_grad(set_to_none=True)
    total.backward()
    for optimiser in found:
        optimiser.step()
    return parts
