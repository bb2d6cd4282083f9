"""Training: stochastic variational inference on scenes drawn evenly over the labels.

    python -m cimg.train duel                          # every setting is an option, see --help
    python -m cimg.train mine.json --sprites sheets    # a world and characters of one's own

What happens in one step is told in `cimg.step`; here is the run around it, which can be taken up
again where it was killed, and the way to disk and back.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from statistics import fmean

import torch
from torch.optim import Optimizer
from tqdm import tqdm

from cimg import checkpoint
from cimg.checkpoint import CheckpointError
from cimg.conditional import ConditionalVAE
from cimg.data import Batches, held_out
from cimg.scene import add_sprites
from cimg.step import MODELS, Settings, advance, loss, optimisers, schedule
from cimg.study import complaints
from cimg.tables import whole
from cimg.world import World

__all__ = ["Settings", "advance", "load", "loss", "optimisers", "save", "schedule", "train"]

FORMAT = 3  # of the description that is kept with the weights
STYLES_KEPT = 2048  # scenes whose q(z | ...) is kept with the weights, see `sample_style`
Report = Callable[[int, dict[str, float]], None]

# ── A run ───────────────────────────────────────────────────────────────────────────────────────


def train(
    world: World,
    settings: Settings | None = None,
    path: str | Path | None = None,
    every: int = 250,
    report: Report | None = None,
) -> ConditionalVAE:
    """Train a model from scratch, or go on where a killed run of the same settings stopped.

    On a GPU if torch finds one; the model that comes back is on the CPU.

    Args:
        path: where to keep the weights (.safetensors). Every ``every`` steps the state of the run
            is kept beside them, and taken up again by the next call.
        report: called every ``every`` steps with the step and the mean losses since the last.

    Raises:
        CheckpointError: the files can't be written, or the kept state is of another run.
        SceneError: the model can't draw this world.
    """
    settings, every = settings or Settings(), whole(every, "every", 1)
    if path:
        checkpoint.check_place(path := checkpoint.to_path(path))
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = MODELS[settings.model](world, settings.hidden).to(device)
    found = optimisers(model, settings)
    state = path.with_suffix(".run.safetensors") if path else None
    first = resume(model, found, settings, state) if state and state.is_file() else 0
    batches = Batches(world, settings.batch, settings.seed, ~held_out(world, settings.held_out))
    since: list[dict[str, float]] = []
    for step in tqdm(range(first, settings.steps), initial=first, total=settings.steps):
        scenes, values = batches[step]
        values = {name: codes.to(device) for name, codes in values.items()}
        losses = advance(model, found, settings, step, scenes.to(device), values)
        since.append({name: float(x) for name, x in losses.items()})
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            if report:
                report(step + 1, {k: fmean(x[k] for x in since) for k in losses})
            since = []
            if state and step + 1 < settings.steps:
                keep_run(state, model, found, settings, step + 1)
    finish(model, settings, batches)
    if path:
        save(model, settings, path)
        state.unlink(missing_ok=True)
        state.with_suffix(".json").unlink(missing_ok=True)
    return model


def finish(model: ConditionalVAE, settings: Settings, batches: Batches) -> None:
    """Keep the styles of some training scenes, and get the model ready for use: with the very
    numbers that `save` keeps, rounded to half precision."""
    model.cpu().eval().requires_grad_(False)
    scenes, values = Batches(batches.world, STYLES_KEPT, settings.seed + 1, batches.keep)[0]
    model.remember_styles(scenes, values)
    for x in model.state_dict().values():
        x.copy_(x.half())


# ── To and from disk ────────────────────────────────────────────────────────────────────────────


def description(model: ConditionalVAE, settings: Settings) -> dict:
    world = model.world
    about = {"format": FORMAT, "world": world.name, "drawn": checkpoint.fingerprint(world)}
    about |= {"pictures": model.stage.digest}
    return about | {"settings": asdict(settings)}


def save(model: ConditionalVAE, settings: Settings, path: Path) -> None:
    """Write weights (.safetensors, half precision) and their description (.json beside them)."""
    halved = {name: x.half() for name, x in model.state_dict().items()}
    checkpoint.write(path, halved, description(model, settings))


def load(name: str | Path = "duel", world: World | None = None) -> ConditionalVAE:
    """A trained model: the shipped one of a world, by name, or any other, by its file's path.

    Args:
        world: needed if the weights' world doesn't come with cimg.

    Raises:
        CheckpointError: no such weights, a broken file, or weights of another world or model.
        SceneError: the world can't be drawn; sheets of one's own are made known by `add_sprites`.
    """
    shipped = isinstance(name, str) and not name.endswith(".safetensors")
    path = checkpoint.FOLDER / f"{name}.safetensors" if shipped else checkpoint.to_path(name)
    if shipped and not path.is_file():
        there = ", ".join(shipped_models()) or "none"
        raise CheckpointError(f"no weights named '{name}' are shipped; there are: {there}")
    tensors, about = checkpoint.read(path)
    settings = settings_of(about, path)
    world = world or checkpoint.shipped_world(about["world"], path)
    if about.get("drawn") != checkpoint.fingerprint(world):
        raise CheckpointError(
            f"{path}: made for world '{about['world']}' with other visible variables or values "
            f"than world '{world.name}' has"
        )
    if checkpoint.other_pictures(about, world):
        raise CheckpointError(f"{path}: trained on other sheets of the same characters; train anew")
    model = MODELS[settings.model](world, settings.hidden)
    checkpoint.fit(model, tensors, path)
    return model.eval().requires_grad_(False)


def shipped_models() -> list[str]:
    """Names of the picture models that come with cimg; other weights lie beside theirs."""
    found = []
    for path in sorted(checkpoint.FOLDER.glob("*.safetensors")):
        with suppress(CheckpointError):
            settings_of(checkpoint.read(path)[1], path)
            found.append(path.stem)
    return found


def settings_of_shipped(name: str) -> Settings:
    """The settings with which shipped weights were trained; raises as `load`."""
    path = checkpoint.FOLDER / f"{name}.safetensors"
    return settings_of(checkpoint.read(path)[1], path)


def settings_of(about: Mapping, path: Path) -> Settings:
    """The run's settings out of a checkpoint's description."""
    if about.get("format") != FORMAT:
        raise CheckpointError(f"{path}: format {about.get('format')!r}, expected {FORMAT}")
    if not isinstance(about.get("world"), str):
        raise CheckpointError(f"{path}: expected a world's name, found {about.get('world')!r}")
    try:
        return Settings(**about["settings"])
    except (KeyError, TypeError, ValueError) as error:
        names = ", ".join(f.name for f in fields(Settings))
        raise CheckpointError(f"{path}: expected settings {names} ({error})") from error


def keep_run(
    path: Path, model: ConditionalVAE, found: list[Optimizer], settings: Settings, step: int
) -> None:
    """Keep all that the next step needs: weights, optimisers' moments, and the step."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, optimiser in enumerate(found):
        for j, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{j}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    checkpoint.write(path, tensors, description(model, settings) | {"step": step})


def resume(model: ConditionalVAE, found: list[Optimizer], settings: Settings, path: Path) -> int:
    """Take up a run that `keep_run` kept; returns its step. Raises CheckpointError for a broken
    file, and for one of another run: it says what is different."""
    tensors, about = checkpoint.read(path)
    now, before = asdict(settings), asdict(settings_of(about, path))
    differ = [f"{k} was {before[k]}, is {now[k]}" for k in now if before[k] != now[k]]
    if about.get("drawn") != checkpoint.fingerprint(model.world):
        differ.append(f"the world was '{about['world']}'")
    elif checkpoint.other_pictures(about, model.world):
        differ.append("the sheets were others")
    if differ:
        what = "; ".join(differ)
        raise CheckpointError(f"{path}: kept by another run ({what}); remove it to start anew")
    step = about.get("step")
    if type(step) is not int or not 0 < step < settings.steps:
        raise CheckpointError(f"{path}: expected a step of {settings.steps}, found {step!r}")
    own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    moments = {k: v for k, v in tensors.items() if not k.startswith("model.")}
    if {k: list(x.shape) for k, x in moments.items()} != moments_of(found):
        raise CheckpointError(f"{path}: the optimisers' moments are those of another model")
    for key, x in moments.items():
        signed = key.endswith(("momentum_buffer", "exp_avg"))  # all else counts, or is squared
        if x.dtype != torch.float32 or not x.isfinite().all() or not (signed or (x >= 0).all()):
            raise CheckpointError(f"{path}: '{key}' can't be what an optimiser remembers")
    checkpoint.fit(model, own, path)
    for i, optimiser in enumerate(found):
        state = optimiser.state_dict()
        for key, x in moments.items():
            k, j, name = key.removeprefix("optimiser.").split(".")
            if int(k) == i:
                state["state"].setdefault(int(j), {})[name] = x
        optimiser.load_state_dict(state)
    return step


def moments_of(found: list[Optimizer]) -> dict[str, list[int]]:
    """Shapes of all that Muon and AdamW remember of the parameters, by name."""
    shapes: dict[str, list[int]] = {}
    kinds = (("momentum_buffer",), ("step", "exp_avg", "exp_avg_sq"))
    for i, (optimiser, names) in enumerate(zip(found, kinds, strict=True)):
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        for j, p in enumerate(parameters):
            for name in names:
                shapes[f"optimiser.{i}.{j}.{name}"] = [] if name == "step" else list(p.shape)
    return shapes


def main() -> None:
    """The command: train one world's model, with every setting as an option."""
    parser = argparse.ArgumentParser("python -m cimg.train", description=__doc__.split("\n")[0])
    parser.add_argument("world", help="name of a world that comes with cimg, or a JSON file")
    parser.add_argument("--out", type=Path, help="where to keep the weights; beside a JSON file")
    parser.add_argument("--sprites", type=Path, help="a folder of sheets of your own")
    for field in fields(Settings):
        kind = type(field.default)
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=field.default, help=f"{field.default}")
    given = vars(parser.parse_args())
    name, out, sprites = (given.pop(key) for key in ("world", "out", "sprites"))
    start = time.perf_counter()

    def report(step: int, losses: dict[str, float]) -> None:
        parts = ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in losses.items())
        tqdm.write(f"step {step}, {time.perf_counter() - start:.0f} s: {parts}")

    with complaints(parser):
        if sprites:
            add_sprites(sprites)
        own = name.endswith(".json")
        world = World.from_json(name) if own else World.load(name)
        place = Path(name).with_suffix("") if own else checkpoint.FOLDER / name
        out = out or place.with_name(place.name + "-model" * own + ".safetensors")
        model = train(world, Settings(**given), out, report=report)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{out}: {parameters:,} parameters, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
