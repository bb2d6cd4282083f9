"""Is doubt honest? Confidence against how often it was right, in bins; and a temperature.

A reader is calibrated if, of all the scenes that it reads with confidence 0.8, it gets 80 % right.
Calibration isn't knowledge: whoever always says "one in 432" is calibrated as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cimg.codes import SceneError, check_range, describe, whole_number
from cimg.world import World


@dataclass(frozen=True)
class Reliability:
    """Answers sorted by confidence into equal bins of [0, 1]; what a reliability diagram shows.

    Attributes:
        confidence: mean confidence in each bin, nan where it is empty, ``float64 [bins]``.
        right: share of right answers in each bin, nan where it is empty, ``float64 [bins]``.
        count: answers in each bin, ``int64 [bins]``.
        ece: expected calibration error, the mean distance of the two, weighted by count (Naeini et
            al. 2015; Guo et al. 2017). With few answers it isn't 0 even for perfect doubt.
    """

    confidence: Tensor
    right: Tensor
    count: Tensor
    ece: float


def reliability(confidence: Tensor, right: Tensor, bins: int = 15) -> Reliability:
    """Sort answers by confidence.

    Args:
        confidence: probability that was given to each answer, ``float [n]`` from 0 to 1.
        right: whether it was right, ``bool [n]``.

    Raises:
        SceneError: no answers, other types or lengths, a confidence that isn't from 0 to 1, no
            bins.
    """
    good = isinstance(confidence, Tensor) and confidence.is_floating_point()
    if not good or confidence.dim() != 1 or not len(confidence):
        raise SceneError(f"confidence: expected float [n], found {describe(confidence)}")
    if (
        not isinstance(right, Tensor)
        or right.dtype != torch.bool
        or right.shape != confidence.shape
    ):
        raise SceneError(f"right: expected bool [{len(confidence)}], found {describe(right)}")
    if not bool(((confidence >= 0) & (confidence <= 1 + 1e-6)).all()):
        found = f"{float(confidence.min())} to {float(confidence.max())}"
        raise SceneError(f"confidence: expected 0 to 1, found {found}")
    confidence, bins = confidence.double(), whole_number(bins, "bins", 1)
    which = (confidence * bins).long().clamp_max(bins - 1)
    count = which.bincount(minlength=bins)
    said, true = (which.bincount(x.double(), bins) for x in (confidence, right))
    ece = float((said - true).abs().sum() / len(confidence))
    return Reliability(said / count, true / count, count, ece)


def answers(world: World, table: Tensor, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The most probable labels, all together: confidence ``float [n]``, and whether all of them
    are right, ``bool [n]``.

    Args:
        table: P(labels | scene), ``[n, |label 1|, ...]`` in the order of ``world.visible``.
        values: the true values, ``int64 [n]`` each.
    """
    confidence, best = table.flatten(1).max(1)
    sizes = [len(world.variables[name].values) for name in world.visible]
    codes = torch.unravel_index(best, sizes)
    same = [code == values[name] for code, name in zip(codes, world.visible, strict=True)]
    return confidence, torch.stack(same).all(0)


def temperature(log_q: Tensor, truth: Tensor) -> float:
    """The T for which softmax(log q / T) gives the truth the most probability (temperature
    scaling; Guo et al. 2017). Above 1 it adds doubt. One number can't change any ranking.

    Args:
        log_q: logits or log-probabilities, ``float [n, classes]``.
        truth: the right class, ``int64 [n]``.

    The loss is convex in 1/T, so that bisection on its slope finds the least (T from 0.01 to 100;
    one of these two says that the best T lies beyond).

    Raises:
        SceneError: other types or shapes; a truth that is no class, or has probability 0, which no
            T mends.
    """
    good = isinstance(log_q, Tensor) and log_q.is_floating_point() and log_q.dim() == 2
    if not good or not len(log_q):
        raise SceneError(f"log_q: expected float [n, classes], found {describe(log_q)}")
    n, classes = log_q.shape
    if not isinstance(truth, Tensor) or truth.dtype != torch.int64 or truth.shape != (n,):
        raise SceneError(f"truth: expected int64 [{n}], found {describe(truth)}")
    check_range(truth, "truth", classes)
    if not log_q.gather(1, truth[:, None]).isfinite().all():
        raise SceneError("log_q: a truth has log-probability -inf, and has it at every temperature")
    log_q = log_q.double().clamp_min(-1e4)
    low, high = 0.01, 100.0  # of 1 / T
    for _ in range(60):
        middle = (low * high) ** 0.5
        expected = ((middle * log_q).softmax(1) * log_q).sum(1)
        slope = (expected - log_q.gather(1, truth[:, None])[:, 0]).mean()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 1 / middle
