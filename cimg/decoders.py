"""The runs that notebook 08 reports: independent mechanisms against the plain decoder.

    python -m cimg.decoders        # half an hour on one quiet core; goes on where it was stopped

Half of the label combinations are never shown. A model abducts z from scenes whose labels it knows
together, then draws them with other labels: with combinations it was shown, and with combinations
it never saw. Three seeds; the plain rival's batches are twice as large, and its learning rate is
chosen among five on a seed apart, on combinations never shown, which favours the rival.
"""

import argparse
import base64
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cimg.conditional import ConditionalVAE
from cimg.data import draw_evenly, held_out
from cimg.scene import HEIGHT, WIDTH, stage_of, style_of
from cimg.score import agree, read_back, same
from cimg.step import Settings
from cimg.study import FOLDER, complaints, interval, read_runs, write_results
from cimg.train import train
from cimg.world import World

RESULTS = FOLDER / "decoders.json"
SEEDS, TUNING_SEED, FRESH = (0, 1, 2), 100, 1_500_000
HELD_OUT = 0.5
CAUSAL = Settings(steps=1500, held_out=HELD_OUT)
PLAIN = replace(CAUSAL, batch=2 * CAUSAL.batch, model="plain")
TRIED, TUNING_STEPS = (1e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2), 300  # 6.4e-2 diverges
KEPT = 4  # pictures of each run, to be looked at
Scores = dict[str, float]


def read(path: Path = RESULTS) -> dict:
    """The results: ``{"tuning", "runs"}``; empty ones if there is no file yet."""
    return read_runs(path, "tuning", "runs")


def counterfactuals(
    model: ConditionalVAE, unseen: bool, n: int = 500, seed: int = FRESH, share: float = HELD_OUT
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Scenes with labels that training showed together, had their labels been others.

    Args:
        unseen: whether the new labels are combinations that training never showed, or did.
        share: that of the combinations which training never showed.

    Returns:
        The model's pictures and the renderer's, ``uint8 [n, HEIGHT, WIDTH]``, and the values,
        labels and style, that the renderer drew.
    """
    hidden = held_out(model.world, share)
    fact, values = draw_evenly(model.world, n, seed, ~hidden)
    _, new = draw_evenly(model.world, n, seed + 1, hidden if unseen else ~hidden)
    wanted = values | {name: new[name] for name in model.world.visible}
    truth = stage_of(model.world).render(wanted)
    return model.decode(model.encode(fact, values)[0], wanted), truth, wanted


def marks(model: ConditionalVAE, unseen: bool, n: int = 500) -> Scores:
    """How far `counterfactuals` are from the truth, as shares from 0 to 1."""
    drawn, truth, wanted = counterfactuals(model, unseen, n)
    images, pixels = same(drawn, truth)
    found, _ = read_back(drawn, stage_of(model.world))
    return {
        "identical images": images,
        "identical pixels": pixels,
        "labels": agree(found, wanted, model.world.visible),
        "style": agree(found, wanted, list(style_of(model.world))),
    }


def to_text(scenes: Tensor) -> str:
    """Scenes as a short text, for a JSON file."""
    return base64.b64encode(zlib.compress(scenes.numpy().tobytes(), 9)).decode()


def from_text(text: str) -> Tensor:
    """The scenes that `to_text` made a text of, ``uint8 [n, HEIGHT, WIDTH]``."""
    flat = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return torch.from_numpy(flat.copy()).view(-1, HEIGHT, WIDTH)


def one(settings: Settings) -> dict:
    """Train a model of the duel and ask it: an entry of the results."""
    curve = []

    def report(step: int, losses: dict[str, float]) -> None:
        curve.append([step, round(losses["minus_elbo"], 2)])

    model = train(World.load("duel"), settings, every=50, report=report)
    scores = {"shown": marks(model, False), "never shown": marks(model, True)}
    drawn = to_text(counterfactuals(model, True)[0][:KEPT])
    about = {"settings": asdict(settings), "curve": curve}
    return about | scores | {"pictures": drawn}


def of(results: dict, settings: Settings) -> dict | None:
    """The run with these settings, if it is among the results."""
    wanted = asdict(settings)
    return next((run for run in results["runs"] if run["settings"] == wanted), None)


def figure(model: str, labels: str, measure: str, results: dict | None = None) -> tuple:
    """One figure as `interval`, such as ``("plain", "never shown", "identical images")``."""
    runs = (results or read())["runs"]
    mine = [run for run in runs if run["settings"]["model"] == model]
    return interval([run[labels][measure] for run in mine])


def tune(results: dict, path: Path) -> Settings:
    """The rival at the best of five learning rates, by pixels right after a short run."""
    for rate in TRIED:
        if not any(x["adam"] == rate for x in results["tuning"]):
            short = replace(PLAIN, steps=TUNING_STEPS, seed=TUNING_SEED, adam=rate)
            pixels = marks(train(World.load("duel"), short), True)["identical pixels"]
            results["tuning"].append({"adam": rate, "pixels": pixels})
            write_results(path, results)
    return replace(PLAIN, adam=max(results["tuning"], key=lambda x: x["pixels"])["adam"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cimg.decoders", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    path = parser.parse_args().out
    with complaints(parser):
        run_all(path)


def run_all(path: Path) -> None:
    """All runs that aren't among the results yet; then every figure."""
    results = read(path)
    rival = tune(results, path)
    for seed in SEEDS:
        for settings in (replace(CAUSAL, seed=seed), replace(rival, seed=seed)):
            if not of(results, settings):
                results["runs"].append(one(settings))
                write_results(path, results)
    for model in ("causal", "plain"):
        for labels in ("shown", "never shown"):
            for measure in results["runs"][0][labels]:
                middle, half = figure(model, labels, measure, results)
                print(f"{model}, {labels}, {measure}: {middle:.3f} ± {half:.3f}")


if __name__ == "__main__":
    main()
