"""Few labels: a reader that learns from labelled pictures and from those without labels.

    python -m cimg.label_runs      # all runs that notebook 11 reports

The model: looks ~ even, z ~ N(0, I), scene ~ p(scene | looks, z), with guide q(z | scene). A look
that isn't known is enumerated (semi-supervised M2; Kingma et al. 2014), but not with an amortised
q(look | scene): the sum over the 18 looks of the actor and the 24 of the reactor is exact. The two
sums are apart, since given the background the two don't meet in any pixel; so is the sum over the
places where a character may stand. The reader q(looks | scene) is taught by cross-entropy: by
the labels where there are some, and elsewhere by what the picture model makes of the scene.

The rival is that reader on its own: the same network, taught by the labels alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pyro
import pyro.distributions as dist
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from cimg.data import draw_evenly, seeds
from cimg.eyes import Eye
from cimg.mechanisms import COLOURS, PLACES, halves, mlp
from cimg.muon import Muon
from cimg.reader import Reader, combined
from cimg.scene import FOOT, HEIGHT, ROLES, TOP, WIDTH, stage
from cimg.sprites import POSES, SIZE
from cimg.study import check_settings
from cimg.world import World

STYLE = 8  # dimensions of z: the background
CLEAR = 8.0  # logit of transparency before training, against 24 colours' 0
LIMITS = dict.fromkeys(("scenes", "steps", "batch"), (1, 10**6))  # 0 and 1 for all others
LIMITS |= dict.fromkeys(("seed", "alone", "reading"), (0, 10**6))
TINY = 1e-3  # added to each colour of a pixel in a figure's window: no single one decides


@dataclass(frozen=True)
class Settings:
    """All that a run depends on; rates are peak learning rates."""

    scenes: int = 1000
    share: float = 0.05  # of them labelled
    seed: int = 0
    steps: int = 200
    alone: int = 60  # of these steps with labelled pictures alone
    batch: int = 32  # labelled pictures, and as many without labels
    reading: float = 50.0  # weight of the cross-entropy
    drop: float = 0.5
    decay: float = 0.0
    muon: float = 0.02
    adam: float = 4e-3
    pixels: float = 0.2  # tables of logits: figures and backgrounds

    def __post_init__(self) -> None:
        """Raises ValueError for a setting of another type, or out of its range."""
        check_settings(self, LIMITS, usual=(0, 1))


class Learner(nn.Module):
    """The picture model and its guide: figures and backgrounds as tables of logits, two eyes."""

    def __init__(self, drop: float = 0.5, layers: int = 48):
        super().__init__()
        kinds = len(stage().variables["actor_character"]) * len(stage().variables["actor_type"])
        self.reader = Reader(16, 128, drop)
        self.eye = nn.Sequential(Eye(WIDTH, 128), nn.Linear(128, 2 * STYLE))
        nn.init.constant_(self.eye[1].bias[STYLE:], -5.0)  # little noise at first, so z gets used
        self.mix = mlp(STYLE, 64, 64, layers)
        self.usual = nn.Parameter(torch.zeros(COLOURS, HEIGHT * WIDTH))
        self.layers = nn.Parameter(0.01 * torch.randn(layers, COLOURS, HEIGHT * WIDTH))
        self.figures = nn.Parameter(torch.zeros(kinds * len(POSES), COLOURS + 1, SIZE * SIZE))
        with torch.no_grad():  # clear at first: what the background explains is left to it
            self.figures[:, COLOURS] = CLEAR
        self.looks = {}  # role -> row of `figures` for each of its looks
        for role, pose in ROLES.items():
            poses = torch.tensor([POSES.index(value) for value in stage().variables[pose]])
            self.looks[role] = (torch.arange(kinds)[:, None] * len(POSES) + poses).flatten()

    def background(self, scenes: Tensor, z: Tensor) -> Tensor:
        """log-probability of each pixel's colour, were there no character: ``[n, H, W]``."""
        logits = self.usual + torch.tensordot(self.mix(z), self.layers, 1)
        seen = scenes.flatten(1).long()[:, None]
        return logits.log_softmax(1).gather(1, seen).view(-1, HEIGHT, WIDTH)

    def character(
        self, half: Tensor, behind: Tensor, role: str, look: Tensor | None = None
    ) -> Tensor:
        """log p(half | look, z), its place summed out: for every look, ``[n, looks]``, or for that
        of each row, ``look int64 [n]``, alone, ``[n, 1]``.

        ``half`` is what is seen in the characters' band, ``int64 [n, SIZE, HALF]``, the reactor's
        mirrored; ``behind`` the log-probabilities of the background there.
        """
        figures = self.figures[self.looks[role]].softmax(1)
        if look is None:
            every = figures[:, :COLOURS].permute(1, 2, 0).flatten(0, 1)  # [colour, pixel; looks]
            clear, pixel = figures[:, COLOURS].T, torch.arange(SIZE * SIZE)
        else:
            mine = figures[look]
            clear = mine[:, COLOURS, :, None]
        found = []
        for x in PLACES:
            seen, back = (a[..., x : x + SIZE].flatten(1) for a in (half, behind))
            if look is None:
                own = F.embedding(seen * SIZE * SIZE + pixel, every)
            else:
                own = mine.gather(1, seen[:, None]).movedim(1, 2)
            p = own + clear * back.exp()[..., None] + TINY
            around = behind.sum((1, 2)) - back.sum(1)
            found.append(p.log().sum(1) + around[:, None])
        floor = SIZE * SIZE * math.log1p(COLOURS * TINY)  # so that each pixel's colours sum to 1
        return torch.stack(found).logsumexp(0) - math.log(len(PLACES)) - floor

    def parts(
        self, scenes: Tensor, z: Tensor, known: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """log p(what no character covers | z), ``[n]``, and for each role `character`."""
        behind = self.background(scenes, z)
        around = behind[:, :TOP].sum((1, 2)) + behind[:, FOOT:].sum((1, 2))
        seen, back = (halves(x[:, TOP:FOOT]).chunk(2) for x in (scenes.long(), behind))
        roles = zip(ROLES, seen, back, strict=True)
        return around, {r: self.character(x, y, r, known.get(r)) for r, x, y in roles}

    def encode(self, scenes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene), ``[n, STYLE]`` each."""
        loc, log_var = self.eye(scenes.long()).chunk(2, 1)
        return loc, (log_var / 2).exp()

    def elbo(
        self, scenes: Tensor, known: Mapping[str, Tensor], beta: float = 1.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The bound for each scene, ``[n]``, by hand; ``known`` are the looks of all these scenes,
        or none. Also log p(half, look | z) for every look of each role: the model's own reading."""
        loc, scale = self.encode(scenes)
        around, tables = self.parts(scenes, loc + scale * torch.randn_like(loc), known)
        bound = around - beta * ((loc**2 + scale**2 - 1) / 2 - scale.log()).sum(1)
        for role, table in tables.items():  # all looks are as probable
            bound = bound + table.logsumexp(1) - math.log(len(self.looks[role]))
        return bound, tables

    # The same as Pyro programs, to be trained with TraceEnum_ELBO(max_plate_nesting=1)

    def model(self, scenes: Tensor, known: Mapping[str, Tensor]) -> None:
        """p(looks, z, scene) with scenes and known looks observed; others are enumerated."""
        rows = torch.arange(len(scenes))
        with pyro.plate("scenes", len(scenes)):
            z = pyro.sample("z", dist.Normal(torch.zeros(STYLE), 1.0).to_event(1))
            around, tables = self.parts(scenes, z, known)
            pyro.factor("around", around)
            for role, table in tables.items():
                even = dist.Categorical(torch.ones(len(self.looks[role])))
                how = {"infer": {"enumerate": "parallel"}} if not known else {"obs": known[role]}
                look = pyro.sample(role, even, **how)
                pyro.factor(f"{role} drawn", table[:, 0] if known else table[rows, look])

    def guide(self, scenes: Tensor, known: Mapping[str, Tensor]) -> None:
        """q(z | scene)."""
        with pyro.plate("scenes", len(scenes)):
            pyro.sample("z", dist.Normal(*self.encode(scenes)).to_event(1))


def reading_loss(reader: Reader, scenes: Tensor, known: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of q(looks | scene), per scene."""
    return sum(F.nll_loss(x, known[k]) for k, x in reader(scenes).items() if k in ROLES)


def following_loss(reader: Reader, scenes: Tensor, tables: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of q(looks | scene) with the model's own reading, per scene."""
    read = reader(scenes)
    return -sum((tables[role].detach().softmax(1) * read[role]).sum(1).mean() for role in ROLES)


# ── Data ────────────────────────────────────────────────────────────────────────────────────────


def training_set(settings: Settings) -> tuple[Tensor, dict[str, Tensor], int]:
    """Scenes, the looks in them, and how many of them, from the first on, are labelled.

    These are balanced, as in Kingma et al. 2014: each in turn is one whose looks were labelled the
    least so far. Smaller shares are the beginnings of larger ones.
    """
    world = World.load("duel")
    scenes, values = draw_evenly(world, settings.scenes, seeds(settings.seed, 6, n=1)[0])
    looks = {role: codes for role, codes in combined(values).items() if role in ROLES}
    count = max(1, round(settings.share * settings.scenes))
    had = {role: torch.zeros(int(codes.max()) + 1) for role, codes in looks.items()}
    left, chosen = torch.ones(len(scenes), dtype=torch.bool), []
    for _ in range(count):
        score = sum(len(had[role]) * had[role][codes] for role, codes in looks.items())
        i = int(score.where(left, torch.inf).argmin())
        left[i] = False
        chosen.append(i)
        for role, codes in looks.items():
            had[role][codes[i]] += 1
    order = chosen + left.nonzero()[:, 0].tolist()
    return scenes[order], {role: codes[order] for role, codes in looks.items()}, count


# ── Training ────────────────────────────────────────────────────────────────────────────────────


def optimisers(module: nn.Module, settings: Settings) -> list[Optimizer]:
    """Muon for the hidden matrices, AdamW for the rest, tables of logits at their own rate."""
    rates = dict.fromkeys(("figures", "usual", "layers"), settings.pixels)
    last = ("look.weight", "sky.weight", "eye.1.weight")
    inner, others = [], []
    for name, p in module.named_parameters():
        if p.dim() == 2 and name not in rates and not name.endswith(last):
            inner.append(p)
        else:
            decay = 0.0 if name in rates else settings.decay
            rate = rates.get(name, settings.adam)
            others.append({"params": [p], "lr": rate, "weight_decay": decay})
    found = [
        Muon(inner, lr=settings.muon, weight_decay=settings.decay),
        AdamW(others, betas=(0.9, 0.95)),
    ]
    for optimiser in found:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return found


def descend(loss: Tensor, found: list[Optimizer], step: int, steps: int) -> None:
    """One step, with warm-up and cosine."""
    rate = min(1.0, (step + 1) / 30) * (1 + math.cos(math.pi * step / steps)) / 2
    for optimiser in found:
        optimiser.zero_grad()
    loss.backward()
    for optimiser in found:
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        optimiser.step()


def supervised(settings: Settings) -> Reader:
    """The rival: the reader alone, on the labelled pictures alone."""
    torch.manual_seed(settings.seed)
    scenes, looks, count = training_set(settings)
    reader = Reader(16, 128, settings.drop)
    found = optimisers(reader, settings)
    for step in tqdm(range(settings.steps)):
        rows = torch.randperm(count)[: 2 * settings.batch]
        loss = reading_loss(reader, scenes[rows], {k: x[rows] for k, x in looks.items()})
        descend(loss, found, step, settings.steps)
    return reader.eval()


def semi_supervised(settings: Settings) -> Learner:
    """Labelled pictures for a start, then both."""
    torch.manual_seed(settings.seed)
    scenes, looks, count = training_set(settings)
    learner = Learner(settings.drop)
    found = optimisers(learner, settings)
    for step in tqdm(range(settings.steps)):
        beta = min(1.0, (step + 1) / (0.8 * settings.steps))
        rows = torch.randperm(count)[: settings.batch]
        known = {k: x[rows] for k, x in looks.items()}
        loss = -learner.elbo(scenes[rows], known, beta)[0].mean()
        loss = loss + settings.reading * reading_loss(learner.reader, scenes[rows], known)
        if step >= settings.alone and count < len(scenes):
            rows = count + torch.randperm(len(scenes) - count)[: settings.batch]
            bound, tables = learner.elbo(scenes[rows], {}, beta)
            following = following_loss(learner.reader, scenes[rows], tables)
            loss = loss - bound.mean() + settings.reading * following
        descend(loss, found, step, settings.steps)
    return learner.eval()
