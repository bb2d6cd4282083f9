"""One step of training: what is made smaller, by which optimisers, on which schedule.

The loss is minus the ELBO of p(scene | labels, z) with guide q(z | scene, labels) (Kingma and
Welling 2014), plus the cross-entropy of q(labels | scene), as in Kingma et al. 2014. Hidden
matrices are trained with Muon (Jordan et al. 2024), everything else with AdamW.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import pyro
import torch
import torch.nn.functional as F
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from cimg.data import seeds
from cimg.vae import CausalVAE

LIMITS = {  # least and most; 0 and 1000 for all others
    "steps": (1, 10**7),
    "batch": (1, 10**4),
    "seed": (0, 2**63 - 1),
    "hidden": (1, 4096),
    "warm_up": (0, 10**7),
    "held_out": (0, 1),
    "annealing": (0, 1),
    "blurred": (0, 1),
}


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, besides the world. Rates are peak learning rates."""

    steps: int = 1500
    batch: int = 32
    seed: int = 0
    hidden: int = 128
    held_out: float = 0.2  # share of label combinations never shown
    muon: float = 0.02  # hidden matrices
    adam: float = 4e-3  # biases, heads, patch codes
    figures: float = 0.2  # logits of the figures
    usual: float = 0.03  # logits of the usual background
    details: float = 0.05  # codes of the patches, layers of single pixels
    warm_up: int = 50  # steps
    annealing: float = 0.8  # share of the run over which the KL term's weight grows from 0 to 1
    blurred: float = 0.12  # share of the run in which every place counts alike
    sharpness: float = 11.0  # of the choice of a place, at the end

    def __post_init__(self) -> None:
        """Raises ValueError for a setting of another type, or out of its range."""
        for field in fields(self):
            value, whole = getattr(self, field.name), isinstance(field.default, int)
            least, most = LIMITS.get(field.name, (0, 1000))
            good = isinstance(value, int if whole else int | float) and least <= value <= most
            if not good or isinstance(value, bool):
                kind = "a whole number" if whole else "a number"
                raise ValueError(
                    f"setting '{field.name}': expected {kind} from {least} to {most}, "
                    f"found {value!r}"
                )


def optimisers(model: CausalVAE, settings: Settings) -> list[Optimizer]:
    """Muon for the hidden matrices, AdamW for the rest, tables of logits at rates of their own."""
    background = model.background
    tables = [
        {"params": [model.cast.figures], "lr": settings.figures},
        {"params": [background.usual], "lr": settings.usual},
        {"params": [background.cell, background.layers], "lr": settings.details},
    ]
    hidden = [
        p
        for name, p in model.named_parameters()
        if name.endswith("weight") and name.startswith(("background", "eye", "glance", "to_place"))
    ]
    taken = {id(p) for p in hidden} | {id(p) for group in tables for p in group["params"]}
    rest = [p for p in model.parameters() if id(p) not in taken]
    found = [
        Muon(hidden, lr=settings.muon, weight_decay=0.0),
        AdamW(
            [{"params": rest, "lr": settings.adam}, *tables], betas=(0.9, 0.95), weight_decay=0.0
        ),
    ]
    for group in (group for optimiser in found for group in optimiser.param_groups):
        group["peak"] = group["lr"]
    return found


def schedule(step: int, settings: Settings, model: CausalVAE, found: list[Optimizer]) -> float:
    """Set learning rates and the choice of places for this step; returns the KL term's weight."""
    done = step / settings.steps
    rate = min(1.0, step / max(1, settings.warm_up)) * (1 + math.cos(math.pi * done)) / 2
    for group in (group for optimiser in found for group in optimiser.param_groups):
        group["lr"] = rate * group["peak"]
    # Figures first form as the mean over all places, so that no figure is learnt off centre.
    start, end = settings.blurred, 1.5 * settings.blurred
    blur = (end - done) / (end - start) if end else 0.0
    model.cast.blur.fill_(min(1.0, max(0.0, blur)))
    model.cast.sharpness.fill_(1 + (settings.sharpness - 1) * done)
    return min(1.0, (step + 1) / max(1, settings.annealing * settings.steps))


def loss(
    model: CausalVAE, scenes: Tensor, values: Mapping[str, Tensor], beta: float = 1.0
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
    model: CausalVAE,
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
