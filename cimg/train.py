"""Training: stochastic variational inference on scenes drawn evenly over the labels.

    python -m cimg.train duel                 # a model to learn with, in a minute or two
    python -m cimg.train duel --steps 5000    # the shipped weights, less than ten minutes

The loss is minus the ELBO of p(scene | labels, z) with guide q(z | scene, labels) (Kingma and
Welling 2014), plus the cross-entropy of q(labels | scene), as in Kingma et al. 2014. Hidden
matrices are trained with Muon (Jordan et al. 2024), everything else with AdamW.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyro
import torch
import torch.nn.functional as F
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer
from tqdm import tqdm

from cimg import checkpoint
from cimg.checkpoint import CheckpointError
from cimg.data import Batches, held_out, seeds
from cimg.vae import CausalVAE
from cimg.world import World

STYLES_KEPT = 2048  # scenes whose q(z | ...) is kept with the weights, see `sample_style`
Report = Callable[[int, dict[str, float]], None]


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
    usual: float = 0.1  # logits of the usual background
    details: float = 0.02  # codes of the patches, layers of single pixels
    warm_up: int = 50  # steps
    annealing: float = 0.8  # share of the run over which the KL term's weight grows from 0 to 1
    blurred: float = 0.12  # share of the run in which every place counts alike
    sharpness: float = 11.0  # of the choice of a place, at the end


# ── One step ────────────────────────────────────────────────────────────────────────────────────


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
    rate = min(1.0, step / settings.warm_up) * (1 + math.cos(math.pi * done)) / 2
    for group in (group for optimiser in found for group in optimiser.param_groups):
        group["lr"] = rate * group["peak"]
    # Figures first form as the mean over all places, so that no figure is learnt off centre.
    start, end = settings.blurred, 1.5 * settings.blurred
    model.cast.blur.fill_(min(1.0, max(0.0, (end - done) / (end - start))))
    model.cast.sharpness.fill_(1 + (settings.sharpness - 1) * done)
    return min(1.0, (step + 1) / (settings.annealing * settings.steps))


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


# ── A run ───────────────────────────────────────────────────────────────────────────────────────


def train(
    world: World,
    settings: Settings | None = None,
    path: str | Path | None = None,
    every: int = 250,
    report: Report | None = None,
) -> CausalVAE:
    """Train a model from scratch, or go on where a killed run of the same settings stopped.

    Args:
        path: where to keep the weights (.safetensors). Every ``every`` steps the state of the run
            is kept beside them, and taken up again by the next call.
        report: called every ``every`` steps with the step and the mean losses since the last.

    Raises:
        CheckpointError: the files can't be written, or the kept state is of another run.
    """
    settings = settings or Settings()
    torch.manual_seed(settings.seed)
    model = CausalVAE(world, settings.hidden)
    found = optimisers(model, settings)
    state = Path(path).with_suffix(".run.safetensors") if path else None
    first = resume(model, found, settings, state) if state and state.is_file() else 0
    batches = Batches(world, settings.batch, settings.seed, ~held_out(world, settings.held_out))
    sums: dict[str, float] = {}
    for step in tqdm(range(first, settings.steps), initial=first, total=settings.steps):
        losses = advance(model, found, settings, step, *batches[step])
        sums = {name: sums.get(name, 0.0) + float(x) for name, x in losses.items()}
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            if report:
                report(step + 1, {name: total / every for name, total in sums.items()})
            sums = {}
            if state and step + 1 < settings.steps:
                keep_run(state, model, found, settings, step + 1)
    finish(model, settings, batches)
    if path:
        save(model, settings, Path(path))
        state.unlink(missing_ok=True)
        state.with_suffix(".json").unlink(missing_ok=True)
    return model


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


def finish(model: CausalVAE, settings: Settings, batches: Batches) -> None:
    """Keep the styles of some training scenes, and get the model ready for use."""
    model.eval().requires_grad_(False)
    scenes, values = Batches(batches.world, STYLES_KEPT, settings.seed + 1, batches.keep)[0]
    model.remember_styles(scenes, values)


# ── To and from disk ────────────────────────────────────────────────────────────────────────────


def description(model: CausalVAE, settings: Settings) -> dict:
    world = model.world
    about = {"format": 1, "world": world.name, "drawn": checkpoint.fingerprint(world)}
    return about | {"settings": asdict(settings)}


def save(model: CausalVAE, settings: Settings, path: Path) -> None:
    """Write weights (.safetensors) and their description (.json beside them)."""
    checkpoint.write(path, model.state_dict(), description(model, settings))


def load(name: str | Path = "duel", world: World | None = None) -> CausalVAE:
    """A trained model: the shipped one of a world, by name, or any other, by its file's path.

    Args:
        world: needed if the weights' world doesn't come with cimg.

    Raises:
        CheckpointError: no such weights, a broken file, or weights of another world or model.
    """
    shipped = isinstance(name, str) and not name.endswith(".safetensors")
    path = checkpoint.FOLDER / f"{name}.safetensors" if shipped else Path(name)
    if shipped and not path.is_file():
        there = ", ".join(sorted(p.stem for p in checkpoint.FOLDER.glob("*.safetensors"))) or "none"
        raise CheckpointError(f"no weights named '{name}' are shipped; there are: {there}")
    tensors, about = checkpoint.read(path)
    settings = settings_of(about, path)
    world = world or World.load(about["world"])
    if about.get("drawn") != checkpoint.fingerprint(world):
        raise CheckpointError(
            f"{path}: made for world '{about['world']}' with other visible variables or values "
            f"than world '{world.name}' has"
        )
    model = CausalVAE(world, settings.hidden)
    checkpoint.fit(model, tensors, path)
    return model.eval().requires_grad_(False)


def settings_of(about: Mapping, path: Path) -> Settings:
    """The run's settings out of a checkpoint's description."""
    try:
        if about["format"] != 1 or not isinstance(about["world"], str):
            raise CheckpointError(f"{path}: format {about['format']}, expected 1")
        return Settings(**about["settings"])
    except (KeyError, TypeError) as error:
        names = ", ".join(f.name for f in fields(Settings))
        raise CheckpointError(f"{path}: expected settings {names} ({error})") from error


def keep_run(
    path: Path, model: CausalVAE, found: list[Optimizer], settings: Settings, step: int
) -> None:
    """Keep all that the next step needs: weights, optimisers' moments, and the step."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, optimiser in enumerate(found):
        for j, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{j}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    checkpoint.write(path, tensors, description(model, settings) | {"step": step})


def resume(model: CausalVAE, found: list[Optimizer], settings: Settings, path: Path) -> int:
    """Take up a run that `keep_run` kept; returns its step."""
    tensors, about = checkpoint.read(path)
    if {k: about.get(k) for k in description(model, settings)} != description(model, settings):
        raise CheckpointError(f"{path}: of a run with other settings; remove it to start anew")
    own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    checkpoint.fit(model, own, path)
    for i, optimiser in enumerate(found):
        state = optimiser.state_dict()
        for key, x in tensors.items():
            if key.startswith(f"optimiser.{i}."):
                j, name = key.split(".", 3)[2:]
                state["state"].setdefault(int(j), {})[name] = x
        optimiser.load_state_dict(state)
    return int(about["step"])


def main() -> None:
    """The command: train one world's model, with every setting as an option."""
    parser = argparse.ArgumentParser("python -m cimg.train", description=__doc__.split("\n")[0])
    parser.add_argument("world", help="name of a world that comes with cimg, or a JSON file")
    parser.add_argument("--out", type=Path, help="where to keep the weights")
    for field in fields(Settings):
        kind = type(field.default)
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=field.default, help=f"{field.default}")
    given = vars(parser.parse_args())
    name, out = given.pop("world"), given.pop("out")
    world = World.from_json(name) if name.endswith(".json") else World.load(name)
    start = time.perf_counter()

    def report(step: int, losses: dict[str, float]) -> None:
        parts = ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in losses.items())
        tqdm.write(f"step {step}, {time.perf_counter() - start:.0f} s: {parts}")

    out = out or checkpoint.FOLDER / f"{world.name}.safetensors"
    model = train(world, Settings(**given), out, report=report)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{out}: {parameters:,} parameters, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
