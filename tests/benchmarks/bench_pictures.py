"""How fast the model draws, answers and learns, and how much room it takes.

`python -m tests.benchmarks pictures`; the shipped weights of the duel; threads as torch likes.
"""

import sys
from collections.abc import Iterator

import torch

from cimg import checkpoint
from cimg.data import Batches, draw, held_out
from cimg.imagine import imagine
from cimg.scorecard import TEACHABLE, runs
from cimg.step import Settings, advance, optimisers
from cimg.train import load, settings_of_shipped
from cimg.vae import CausalVAE
from cimg.world import World
from tests.benchmarks.clock import milliseconds, rate, turns

STEPS = 30  # of training, at a time


def training(world: World) -> Iterator[dict]:
    """Steps of a run with the settings that come with cimg, past the warm-up."""
    settings = Settings()
    torch.manual_seed(settings.seed)
    model = CausalVAE(world, settings.hidden)
    found = optimisers(model, settings)
    batches = Batches(world, settings.batch, keep=~held_out(world, settings.held_out))

    def some() -> None:
        for i in range(settings.warm_up, settings.warm_up + STEPS):
            advance(model, found, settings, i, *batches[i])

    row = rate("training steps", STEPS, *turns(some, repeat=5))
    yield row | {"note": f"of {settings.batch} scenes"}


def to_quality(world: World) -> Iterator[dict]:
    """Whole runs, from nothing: how long they take, and how much of what they then draw is right.
    Beside ours a conditional VAE with a plain decoder, as they are usually built."""
    shipped = settings_of_shipped("duel").steps
    for what, steps, minutes in (
        ("a teachable run", TEACHABLE, 1),
        ("training to the target, as shipped", shipped, 10),
    ):
        (ours,) = runs(world, Settings(steps=steps), range(1))
        note = f"{steps:,} steps; {right(ours)}"
        if steps == TEACHABLE:
            (plain,) = runs(world, Settings(steps=steps, model="plain"), range(1))
            note += f". A plain conditional VAE: {plain['seconds']:.0f} s, {right(plain)}"
        row = {"what": what, "value": ours["seconds"], "unit": "s", "target": f"≤ {60 * minutes:g}"}
        yield row | {"note": note, "main": True}


def right(run: dict) -> str:
    """Of fresh counterfactual pictures, how many are right in each pixel."""
    return f"then {run['identical pictures']:.1%} of 1,000 counterfactual pictures are identical"


def peak() -> Iterator[dict]:
    """The most memory that this process has held so far, where the system tells."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    value = getrusage(RUSAGE_SELF).ru_maxrss * unit / 1e6
    what = "peak memory, after 1,000 pictures at once"
    yield {"what": what, "value": value, "unit": "MB", "target": "≤ 1,500"}


def measure() -> Iterator[dict]:
    model = load("duel")
    scenes, values = draw(model.world, 1000, seed=1)
    z, _ = model.encode(scenes, values)
    size = (checkpoint.FOLDER / "duel.safetensors").stat().st_size / 1e6
    parameters = sum(p.numel() for p in model.parameters())
    yield {"what": "parameters", "value": parameters, "unit": "", "target": "≤ 2,000,000"}
    yield {"what": "weights on disk", "value": size, "unit": "MB", "target": "≤ 10"}

    def part(n: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return z[:n], {name: codes[:n] for name, codes in values.items()}

    one, few = part(1), part(64)
    for what, work, repeat, target in (
        ("weights loaded", lambda: load("duel"), 10, ""),
        ("1 picture decoded", lambda: model.decode(*one), 100, ""),
        ("64 pictures decoded", lambda: model.decode(*few), 25, "≤ 50"),
        ("1,000 pictures decoded", lambda: model.decode(z, values), 5, ""),
        ("1,000 scenes encoded", lambda: model.encode(scenes, values), 5, ""),
        ("labels of 1,000 scenes read", lambda: model.read(scenes), 5, ""),
    ):
        yield milliseconds(what, *turns(work, repeat=repeat), target, target != "")
    yield from peak()
    what = "one counterfactual from an image: read, abduct, act, predict"
    (took,) = turns(lambda: imagine(model, scenes[0], {"action": "attack"}), repeat=100)
    yield milliseconds(what, took, "≤ 20", True)
    yield from training(model.world)
    yield from to_quality(model.world)
