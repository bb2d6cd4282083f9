"""How far from the truth: the measures of the course.

The renderer is ours, so that every picture asked for has a right answer, pixel by pixel; and what a
picture says is read back by an exact oracle (`oracle.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cimg.conditional import ConditionalVAE
from cimg.data import draw, draw_counterfactuals, draw_evenly
from cimg.oracle import read_back
from cimg.query import probability
from cimg.scene import stage_of, style_of

TEST_SEED = 2_000_000  # training and tuning use seeds below


def same(pictures: Tensor, truth: Tensor) -> tuple[float, float]:
    """Share of pictures identical to the truth, and share of identical pixels."""
    equal = pictures == truth
    return float(equal.flatten(1).all(1).float().mean()), float(equal.double().mean())


def agree(found: Mapping[str, Tensor], values: Mapping[str, Tensor], names) -> float:
    """Share of rows in which all of these variables agree."""
    return float(torch.stack([found[k] == values[k] for k in names]).all(0).float().mean())


@dataclass(frozen=True)
class Counterfactuals:
    """True counterfactual pictures with the model's: the same style, other labels."""

    fact: Tensor
    values: dict[str, Tensor]
    truth: Tensor
    wanted: dict[str, Tensor]
    drawn: Tensor


def counterfactuals(
    model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED, keep: Tensor | None = None
) -> Counterfactuals:
    """Encode ``n`` fresh scenes of the world, decode them with new labels drawn evenly.

    Args:
        keep: combinations of labels to draw from, ``bool [combinations]``; all by default.
    """
    fact, values, wanted = draw_counterfactuals(model.world, n, seed, keep)
    truth, (z, _) = stage_of(model.world).render(wanted), model.encode(fact, values)
    return Counterfactuals(fact, values, truth, wanted, model.decode(z, wanted))


def score_counterfactuals(
    model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED, keep: Tensor | None = None
) -> dict[str, float]:
    """Counterfactual pictures against the true ones, as shares from 0 to 1."""
    cf = counterfactuals(model, n, seed, keep)
    images, pixels = same(cf.drawn, cf.truth)
    found, _ = read_back(cf.drawn, stage_of(model.world))
    alike = cf.fact == cf.truth
    style = list(style_of(model.world))
    return {
        "identical images": images,
        "identical pixels": pixels,
        "labels read back": agree(found, cf.wanted, model.world.visible),
        "style kept": agree(found, cf.values, style),
        "untouched pixels kept": float((cf.drawn == cf.fact)[alike].double().mean()),
    }


def score_style(model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED) -> dict[str, float]:
    """Share of counterfactual pictures that show the true style, for each factor of style."""
    cf = counterfactuals(model, n, seed)
    found, _ = read_back(cf.drawn, stage_of(model.world))
    style = list(style_of(model.world))
    return {name: agree(found, cf.values, [name]) for name in style}


def score_reading(model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED) -> float:
    """Share of clean scenes of which the model reads every label right."""
    scenes, values = draw(model.world, n, seed)
    found = {name: probs.argmax(1) for name, probs in model.read(scenes).items()}
    return agree(found, values, model.world.visible)


def score_repetition(
    model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED, times: int = 10
) -> dict[str, float]:
    """Composition (``times`` null interventions in a row) and reversibility (there and back):
    shares of pictures identical to the first (Monteiro et al. 2023)."""
    cf = counterfactuals(model, n, seed)
    scenes = cf.fact
    for _ in range(times):
        scenes = model.decode(model.encode(scenes, cf.values)[0], cf.values)
    back = model.decode(model.encode(cf.drawn, cf.wanted)[0], cf.values)
    return {"composition": same(scenes, cf.fact)[0], "reversibility": same(back, cf.fact)[0]}


def score_prior(model: ConditionalVAE, n: int = 1000, seed: int = TEST_SEED) -> dict[str, float]:
    """Pictures with labels given and style drawn by the model: could the renderer draw them?"""
    _, values = draw_evenly(model.world, n, seed + 2)
    drawn = model.decode(model.sample_style(n, seed), values)
    found, wrong = read_back(drawn, stage_of(model.world))
    labels = agree(found, values, model.world.visible)
    return {"renderable": float((wrong == 0).float().mean()), "labels read back": labels}


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the sum of absolute differences of two distributions of one shape."""
    return float((p - q).abs().sum() / 2)


def score_doing(
    model: ConditionalVAE, action: str | None = None, n: int = 10_000, seed: int = TEST_SEED
) -> float:
    """Total variation between (action, reaction) as read from ``n`` pictures drawn under
    ``do(action)`` and the exact distribution. A perfect sampler's is not 0: it has n draws. Of the
    world's actions it is the first, attack in the course's, where none is named."""
    from cimg.imagine import do

    actions = model.world.variables["action"].values
    action = actions[0] if action is None else action
    names = ("action", "reaction")
    exact = probability(model.world, "reaction", do={"action": action})
    counts = torch.zeros(len(actions), len(exact), dtype=torch.float64)
    for i in range(0, n, 1000):
        drawn = do(model, {"action": action}, min(1000, n - i), seed + i).scenes
        found, _ = read_back(drawn, stage_of(model.world))
        cell = tuple(found[name] for name in names)
        counts.index_put_(cell, torch.ones(len(cell[0]), dtype=torch.float64), accumulate=True)
    joint = torch.zeros_like(counts)
    joint[model.world.encode({"action": action})["action"]] = exact
    return total_variation(counts / n, joint)
