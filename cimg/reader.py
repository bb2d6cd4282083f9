"""A reader that was learnt: q(labels | scene) for scenes clean or damaged.

    python -m cimg.reader        # train the shipped reader anew, about three minutes on one core

It sees scenes with labels and style drawn evenly, a quarter of them without noise, the others with
1 to 45 % of it, half of them behind a stone, and isn't told which. Cross-entropy is a proper score:
the best q is P(labels | scene) under just that law, doubt included. It is combined with a world's
tables by `cimg.reading`.
"""

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW
from tqdm import tqdm

from cimg import checkpoint, scene
from cimg.checkpoint import CheckpointError
from cimg.codes import SceneError
from cimg.damage import PLACES as STONES
from cimg.damage import put_noise, put_stone
from cimg.data import draw_evenly, seeds
from cimg.eyes import PATCH, to_patches
from cimg.mechanisms import COLOURS, PLACES, halves
from cimg.muon import Muon
from cimg.scene import FOOT, ROLES, TOP, Stage, check_scenes, check_world, sample_uniform
from cimg.sprites import POSES, SIZE
from cimg.study import check_settings, complaints
from cimg.world import World, check_is_world

FORMAT = 1  # of the description that is kept with the weights
SHIPPED = checkpoint.FOLDER / "reader.safetensors"
LEAST, MOST = 0.01, 0.45  # share of noise in training
AT_ONCE = 256  # scenes read at once
WIDEST = 1024  # code or hidden layer of a checkpoint: four times the shipped reader's
LIMITS = {  # least and most; 0 and 1 for all others
    "steps": (1, 10**7),
    "batch": (1, 10**4),
    "seed": (0, 2**63 - 1),
    "code": (1, WIDEST),
    "hidden": (1, WIDEST),
}


@dataclass(frozen=True)
class Settings:
    """All that a run depends on; rates are peak learning rates."""

    steps: int = 3000
    batch: int = 64
    seed: int = 0
    code: int = 24
    hidden: int = 256
    muon: float = 0.02
    adam: float = 4e-3

    def __post_init__(self) -> None:
        """Raises ValueError for a setting of another type, or out of its range."""
        check_settings(self, LIMITS, usual=(0, 1))


class Reader(nn.Module):
    """One network, that looks at a window in each place where a character may stand, in both halves
    alike, the reactor's mirrored.

    It says how well each look (character, type, pose) fits each place; places are then summed out,
    since they are style. So there is one distribution for the three labels of a character together:
    which pose it is may depend on who it is. All windows together tell the sky.

    Args:
        code: numbers kept of each patch of 4 x 4 pixels. hidden: width of the layer after it.
        drop: share of both that is dropped in training (Srivastava et al. 2014).
        stage: whose scenes it reads, by default the course's own.
    """

    def __init__(
        self, code: int = 24, hidden: int = 256, drop: float = 0.0, stage: Stage | None = None
    ):
        super().__init__()
        self.drop = nn.Dropout(drop)
        self.stage = stage or scene.stage()
        drawn = self.stage.variables
        cells = (SIZE // PATCH) ** 2
        self.kinds = len(drawn["actor_character"]) * len(drawn["actor_type"])
        self.patch = nn.Linear(COLOURS * PATCH * PATCH, code)
        self.join = nn.Linear(cells * code, hidden)
        self.look = nn.Linear(hidden, self.kinds * len(POSES))
        self.sky = nn.Linear(hidden, len(drawn["sky"]))

    def forward(self, scenes: Tensor) -> dict[str, Tensor]:
        """log q, ``[n, values]``, for the "actor" and the "reactor", each (character, type, pose)
        taken together in row-major order, and for the "sky"."""
        band = halves(scenes[:, TOP:FOOT].long())
        windows = torch.cat([band[..., x : x + SIZE] for x in PLACES])  # [places * 2n, SIZE, SIZE]
        one_hot = torch.eye(COLOURS, device=scenes.device)
        patches = F.embedding(to_patches(windows), one_hot).flatten(2)
        codes = self.drop(F.gelu(self.patch(patches)).flatten(1))
        seen = self.drop(F.gelu(self.join(codes)))
        fits = self.look(seen).unflatten(0, (len(PLACES), -1)).logsumexp(0)
        looks = fits.unflatten(1, (self.kinds, len(POSES))).chunk(2)
        found = {}
        for (role, pose), look in zip(ROLES.items(), looks, strict=True):
            poses = [POSES.index(value) for value in self.stage.variables[pose]]
            found[role] = look[:, :, poses].flatten(1).log_softmax(1)
        sky = self.sky(seen).unflatten(0, (2 * len(PLACES), -1)).mean(0)
        return found | {"sky": sky.log_softmax(1)}

    @torch.no_grad()
    def log_likelihood(self, world: World, scenes: Tensor) -> Tensor:
        """log q(labels | scene) under even labels, ``float64 [n, |label 1|, ...]``, labels in the
        order of ``world.visible``: for `reading.posterior`, in place of log P(scene | labels).

        Raises:
            SceneError: not scenes, or a world with a label that this reader doesn't tell, or with
                other characters than it was taught.
            WorldError: no world at all.
        """
        check_scenes(scenes)
        check_is_world(world)
        names = {"sky": ("sky",)} | {
            role: (f"{role}_character", f"{role}_type", pose) for role, pose in ROLES.items()
        }
        flat = [name for part in names.values() for name in part]
        if strange := [name for name in world.visible if name not in flat]:
            raise SceneError(f"this reader can't tell '{strange[0]}'; it tells {', '.join(flat)}")
        asked = check_world(world)
        if (asked.variables, asked.digest) != (self.stage.variables, self.stage.digest):
            known = ", ".join(self.stage.characters)
            raise SceneError(
                f"this reader was taught {known}, their types and poses; world '{world.name}' has "
                "others"
            )
        read = [self(part) for part in scenes.split(AT_ONCE)]
        table = torch.zeros((len(scenes), *[1] * len(flat)), dtype=torch.float64)
        for part, own in names.items():
            sizes = [len(self.stage.variables[k]) if k in own else 1 for k in flat]
            table = table + torch.cat([x[part] for x in read]).double().view(-1, *sizes)
        apart = [i for i, name in enumerate(flat, start=1) if name not in world.visible]
        table = table.logsumexp(apart) if apart else table
        left = [name for name in flat if name in world.visible]
        return table.permute(0, *[left.index(name) + 1 for name in world.visible])


def combined(values: dict[str, Tensor], stage: Stage | None = None) -> dict[str, Tensor]:
    """The right answers: codes of what `Reader.forward` tells, ``int64 [n]`` each."""
    drawn, found = (stage or scene.stage()).variables, {"sky": values["sky"]}
    for role, pose in ROLES.items():
        kind = values[f"{role}_character"] * len(drawn[f"{role}_type"]) + values[f"{role}_type"]
        found[role] = kind * len(drawn[pose]) + values[pose]
    return found


# ── Training ────────────────────────────────────────────────────────────────────────────────────


def damaged_batch(
    n: int, seed: int, stage: Stage | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Scenes drawn and damaged evenly, as told above, and their values."""
    ours, others, pixels = seeds(seed, 4, n=3)
    stage = stage or scene.stage()
    values = sample_uniform(stage.variables, n, ours)
    scenes = stage.render(values)
    raw = np.random.PCG64(others).random_raw(3 * n).reshape(3, n)
    behind = torch.from_numpy(raw[0] % 2 == 0)[:, None, None]
    places = torch.from_numpy((raw[1] % len(STONES)).astype(np.int64))
    scenes = torch.where(behind, put_stone(scenes, places), scenes)
    share = LEAST + (MOST - LEAST) * torch.from_numpy(raw[2] / 2.0**64)
    noisy = torch.from_numpy(raw[0] // 2 % 4 > 0)
    return put_noise(scenes, share * noisy, pixels), values


def train(settings: Settings | None = None, stage: Stage | None = None) -> Reader:
    """Train a reader from scratch, of the scenes of a stage, by default the course's own; the same
    settings give the same one on the same machine."""
    settings = settings or Settings()
    torch.manual_seed(settings.seed)
    reader = Reader(settings.code, settings.hidden, stage=stage)
    inner = [reader.patch.weight, reader.join.weight]
    rest = [p for p in reader.parameters() if all(p is not x for x in inner)]
    found = [
        Muon(inner, lr=settings.muon, weight_decay=0.0),
        AdamW(rest, lr=settings.adam, weight_decay=0.0),
    ]
    peaks = [optimiser.param_groups[0]["lr"] for optimiser in found]
    for step in tqdm(range(settings.steps)):
        scenes, values = damaged_batch(settings.batch, *seeds(settings.seed, 5, step, n=1), stage)
        truth = combined(values, stage)
        loss = sum(F.nll_loss(log_q, truth[k]) for k, log_q in reader(scenes).items())
        reader.zero_grad()
        loss.backward()
        rate = min(1.0, step / 50) * (1 + math.cos(math.pi * step / settings.steps)) / 2
        for optimiser, peak in zip(found, peaks, strict=True):
            optimiser.param_groups[0]["lr"] = peak * rate
            optimiser.step()
    for x in reader.state_dict().values():
        x.copy_(x.half())  # the very numbers that `save` keeps
    return reader.eval().requires_grad_(False)


@torch.no_grad()
def all_right(reader: Reader, n: int = 2000, seed: int = 1_000_001) -> float:
    """Share of fresh scenes, drawn evenly, of which a trained reader gets all six labels right."""
    scenes, values = draw_evenly(World.load("duel"), n, seed)
    truth, read = combined(values), [reader(part) for part in scenes.split(250)]
    found = {role: torch.cat([x[role] for x in read]).argmax(1) for role in ROLES}
    return float(torch.stack([found[k] == truth[k] for k in ROLES]).all(0).double().mean())


# ── To and from disk ────────────────────────────────────────────────────────────────────────────


def drawn_sizes(stage: Stage) -> dict[str, int]:
    """How many values each drawn variable has: weights belong to one such stage."""
    return {name: len(values) for name, values in stage.variables.items()}


def save(reader: Reader, settings: Settings, path: Path = SHIPPED) -> None:
    """Write weights (.safetensors, half precision) and their description (.json beside them)."""
    about = {"format": FORMAT, "drawn": drawn_sizes(reader.stage), "settings": asdict(settings)}
    about |= {"pictures": reader.stage.digest}
    checkpoint.write(path, {k: x.half() for k, x in reader.state_dict().items()}, about)


def load(path: str | Path = SHIPPED, stage: Stage | None = None) -> Reader:
    """A trained reader: the shipped one, or any other by its file's path.

    Args:
        stage: whose scenes it reads, by default the course's own.

    Raises:
        CheckpointError: no such file, a broken one, or weights of something else.
    """
    tensors, about = checkpoint.read(path := checkpoint.to_path(path))
    own = scene.stage()
    stage = stage or own
    fits = about.get("pictures", own.digest) == stage.digest  # the shipped ones don't say
    if about.get("format") != FORMAT or about.get("drawn") != drawn_sizes(stage) or not fits:
        raise CheckpointError(f"{path}: not the weights of a reader of these scenes")
    try:
        settings = Settings(**about["settings"])
        reader = Reader(settings.code, settings.hidden, stage=stage)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its settings can't be used ({error})") from error
    checkpoint.fit(reader, tensors, path)
    return reader.eval().requires_grad_(False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cimg.reader", description="Train the reader.")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    given = parser.parse_args()
    with complaints(parser):
        checkpoint.check_place(given.out)
        settings = Settings(steps=given.steps, seed=given.seed)
        save(train(settings), settings, given.out)
    print(f"kept in {given.out.name}")


if __name__ == "__main__":
    main()
