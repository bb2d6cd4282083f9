"""Training a conditional GAN: two networks against each other.

    python -m cimg.gan_train arena                     # told every label
    python -m cimg.gan_train arena --given action      # told the action alone

The loss compares a true and a drawn scene of the same labels (relativistic pairing: Jolicoeur-
Martineau 2018), with zero-centred gradient penalties on both (R1, R2), which together keep modes
from being dropped (Huang et al. 2024). No likelihood is computed, and nothing is encoded.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam
from tqdm import tqdm

from cimg import checkpoint
from cimg.data import Batches, draw, draw_evenly, held_out, seeds
from cimg.gan import GAN, save
from cimg.gan_networks import (
    COLOURS,
    PIXELS,
    SEGMENTS,
    Discriminator,
    Drawn,
    Generator,
    hot,
    in_rgb,
)
from cimg.study import check_settings, complaints
from cimg.world import World

Report = Callable[[int, dict[str, float]], None]
LIMITS = {  # least and most; 0 and 1 for all others
    "steps": (1, 10**7),
    "batch": (1, 10**4),
    "seed": (0, 2**63 - 1),
    "hidden": (1, 4096),
    "penalty": (0, 1000),
}


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, besides the world and what is given. Rates are the highest."""

    steps: int = 1500
    batch: int = 32
    seed: int = 0
    hidden: int = 128  # of the generator
    held_out: float = 0.2  # share of label combinations never shown, if all labels are given
    networks: float = 2e-3
    tables: float = 0.03  # figures and backgrounds
    discriminator: float = 1e-3
    penalty: float = 5.0  # weight of R1 and R2
    average: float = 0.995  # of the generator's weights over steps; the average is what is kept

    def __post_init__(self) -> None:
        """Raises ValueError for a setting of another type, or out of its range."""
        check_settings(self, LIMITS, usual=(0, 1))


# ── A run ───────────────────────────────────────────────────────────────────────────────────────


def scenes_of(world: World, given: Sequence[str], settings: Settings):
    """Batch i of a run: what the world shows, or, if all labels are given, labels drawn evenly, as
    for the causal VAE."""
    if len(given) == len(world.visible):
        keep = ~held_out(world, settings.held_out)
        return Batches(world, settings.batch, settings.seed, keep).__getitem__
    return lambda i: draw(world, settings.batch, *seeds(settings.seed, 4, i, n=1))


def apart(pixels: Tensor, centres: Tensor) -> Tensor:
    """Squared distances, ``float [pixels, centres]``, of ``[pixels, k]`` and ``[centres, k]``, less
    each pixel's squared length: one-hot, as they are, all have the same, and without it nothing
    large is copied."""
    return centres.square().sum(1) - 2 * (pixels @ centres.T)


@torch.no_grad()
def outline(generator: Generator, world: World, rounds: int = 12) -> None:
    """First outlines: pixels that change colour together are one part (k-means, on 300 scenes)."""
    scenes = draw_evenly(world, 300)[0].flatten(1)
    pixels = F.one_hot(scenes.long(), COLOURS).transpose(0, 1).flatten(1).float()
    centres = pixels[:1]
    for _ in range(SEGMENTS - 1):  # each next one as far from the others as can be
        far = apart(pixels, centres).min(1).values.argmax()
        centres = torch.cat([centres, pixels[far, None]])
    for _ in range(rounds):
        nearest = F.one_hot(apart(pixels, centres).argmin(1), SEGMENTS).float()
        centres = nearest.T @ pixels / nearest.sum(0)[:, None].clamp_min(1)
    generator.map.copy_(2 * nearest.T.reshape(SEGMENTS * PIXELS))
    usual = centres.unflatten(1, (-1, COLOURS)).mean(1)
    generator.paint.bias.copy_((usual.T + 0.02).log().flatten())


def inherit(
    module: nn.Module, parent: nn.Module, given: Sequence[str], told: Sequence[str], drawn: Drawn
) -> None:
    """Begin where another network ended. Inputs for labels that aren't given any more fall away."""
    columns, at = [], 0
    for name in told:
        size = len(drawn[name])
        columns += range(at, at + size) if name in given else ()
        at += size
    own = module.state_dict()
    for name, x in parent.state_dict().items():
        if x.shape != own[name].shape:  # labels are a layer's last inputs
            first = x.shape[1] - at
            x = x[:, [*range(first), *(first + c for c in columns)]]
        own[name].copy_(x)


@dataclass
class Game:
    """Both players, and the optimiser of each."""

    gan: GAN
    discriminator: Discriminator
    optimisers: tuple[Adam, Adam]

    @classmethod
    def new(cls, gan: GAN, settings: Settings, parent: "Game | None" = None) -> "Game":
        """A game that begins, or that takes over what another one has learnt."""
        own, judge = gan.generator, Discriminator(gan.given, drawn=gan.generator.drawn)
        if parent is None:
            outline(own, gan.world)
        else:
            told = parent.gan.given
            inherit(own, parent.gan.generator, gan.given, told, own.drawn)
            inherit(judge, parent.discriminator, gan.given, told, own.drawn)
        tables = [own.map, own.sheets, own.figures]
        rest = [p for p in own.parameters() if all(p is not t for t in tables)]
        groups = [
            {"params": rest, "lr": settings.networks},
            {"params": tables, "lr": settings.tables},
        ]
        beta = (0.0, 0.99)  # no momentum: the opponent moves
        draws = Adam(groups, betas=beta, fused=True)
        judges = Adam(judge.parameters(), settings.discriminator, beta, fused=True)
        return cls(gan, judge, (draws, judges))


def advance(
    game: Game, scenes: Tensor, labels: Mapping[str, Tensor], noise: Tensor, penalty: float
) -> dict[str, float]:
    """One move of each: the generator's against the discriminator, then the other way round.

    ``penalty`` is the weight of R1 and R2 in this step, or 0 to leave them out.
    """
    judge, (draws, judges) = game.discriminator, game.optimisers
    told, true = hot(labels, game.gan.generator.drawn), in_rgb(scenes)
    drawn = game.gan.generator(noise, labels)
    judge.requires_grad_(False)
    better = F.softplus(judge(true, told) - judge(drawn, told)).mean()
    draws.zero_grad()
    better.backward()
    draws.step()
    judge.requires_grad_(True)
    both = torch.cat([true, drawn.detach()]).requires_grad_(penalty > 0)
    opinion = judge(both, told.repeat(2, 1))
    of_true, of_drawn = opinion.chunk(2)
    worse = F.softplus(of_drawn - of_true).mean()
    total = worse
    if penalty:
        (slope,) = torch.autograd.grad(opinion.sum(), both, create_graph=True)
        total = worse + penalty * slope.square().flatten(1).sum(1).mean()
    judges.zero_grad()
    total.backward()
    judges.step()
    return {"generator": better.item(), "discriminator": worse.item()}


LAZY = 4  # the penalties are computed in every fourth step, with four times the weight


def play(game: Game, settings: Settings, every: int = 250, report: Report | None = None) -> None:
    """All steps of a run; at the end the generator's weights are their average, rounded to what
    `save` keeps."""
    torch.manual_seed(seeds(settings.seed, 5, n=1)[0] % 2**63)
    own, batches = game.gan.generator, scenes_of(game.gan.world, game.gan.given, settings)
    peaks = [[group["lr"] for group in x.param_groups] for x in game.optimisers]
    mean = {name: x.clone() for name, x in own.state_dict().items()}
    for step in tqdm(range(settings.steps)):
        rate = min(1.0, (step + 1) / 50, 2 * (1 - step / settings.steps))
        for optimiser, peak in zip(game.optimisers, peaks, strict=True):
            for group, lr in zip(optimiser.param_groups, peak, strict=True):
                group["lr"] = rate * lr
        scenes, values = batches(step)
        labels = game.gan.labels(values)
        noise = game.gan.noise(len(scenes), seeds(settings.seed, 6, step, n=1)[0])
        weight = LAZY * settings.penalty * (step % LAZY == 0)
        losses = advance(game, scenes, labels, noise, weight)
        share = min(settings.average, (step + 1) / (step + 10))
        for name, x in own.state_dict().items():
            mean[name].lerp_(x, 1 - share)
        if report and ((step + 1) % every == 0 or step + 1 == settings.steps):
            report(step + 1, losses)
    own.load_state_dict({name: x.half().float() for name, x in mean.items()})


def train(
    world: World,
    given: Sequence[str] = ("action",),
    settings: Settings | None = None,
    path: str | Path | None = None,
    parent: Game | None = None,
    report: Report | None = None,
) -> Game:
    """Train a GAN from scratch, or begin with what another one has learnt to draw.

    Returns:
        The game: ``.gan`` is what one wants.

    Raises:
        CheckpointError: the files can't be written. GANError, SceneError: see `GAN`.
    """
    settings = settings or Settings()
    if path:
        checkpoint.check_place(path := checkpoint.to_path(path))
    torch.manual_seed(settings.seed)
    game = Game.new(GAN(world, given, settings.hidden), settings, parent)
    play(game, settings, report=report)
    game.gan.eval().requires_grad_(False)
    if path:
        save(game.gan, path, asdict(settings))
    return game


def main() -> None:
    """The command: train one GAN, with every setting as an option."""
    parser = argparse.ArgumentParser("python -m cimg.gan_train", description=__doc__.split("\n")[0])
    parser.add_argument("world", help="name of a world that comes with cimg")
    parser.add_argument("--given", default="all", help="labels it is told, with commas; all")
    parser.add_argument("--out", type=Path, help="where to keep the weights")
    for field in fields(Settings):
        flag = f"--{field.name.replace('_', '-')}"
        kind = type(field.default)
        parser.add_argument(flag, type=kind, default=field.default, help=f"{field.default}")
    options = vars(parser.parse_args())
    name, told, out = (options.pop(k) for k in ("world", "given", "out"))
    start = time.perf_counter()

    def report(step: int, losses: dict[str, float]) -> None:
        parts = ", ".join(f"{k} {v:.2f}" for k, v in losses.items())
        tqdm.write(f"step {step}, {time.perf_counter() - start:.0f} s: {parts}")

    with complaints(parser):
        world = World.load(name)
        given = world.visible if told == "all" else told.split(",")
        out = out or checkpoint.FOLDER / f"gan-{name}-{told.replace(',', '-')}.safetensors"
        game = train(world, given, Settings(**options), out, report=report)
    parameters = sum(p.numel() for p in game.gan.parameters())
    print(f"{out}: {parameters:,} parameters, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
