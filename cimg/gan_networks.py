"""The two players of a conditional GAN: one draws out of noise and labels, one judges.

The generator has as much built in as the causal VAE: one table of figures for both characters,
mirrored for the reactor, and the possible places. All else it has to be taught by the judge.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cimg.eyes import PATCH
from cimg.mechanisms import COLOURS, PLACES, halves, mlp, spread, whole
from cimg.scene import FOOT, HALF, HEIGHT, ROLES, TOP, WIDTH, palette, stage
from cimg.sprites import POSES, SIZE

Drawn = Mapping[str, tuple[str, ...]]  # the drawn variables of a stage, the course's by default
PIXELS, FIGURE = HEIGHT * WIDTH, SIZE * SIZE
NORMAL = 16  # numbers of the noise that go through the networks; the others make the choices
SEGMENTS = 12  # parts of a background, each of one colour
SHEETS = 16  # ways in which the parts' outlines can change


def hot(labels: Mapping[str, Tensor], drawn: Drawn | None = None) -> Tensor:
    """Labels as one-hot vectors side by side, ``float [n, values]``."""
    drawn = drawn or stage().variables
    return torch.cat([F.one_hot(x, len(drawn[name])).float() for name, x in labels.items()], 1)


def colours() -> Tensor:
    """The palette as it is looked at: red, green, blue from -1 to 1, ``float [COLOURS, 3]``."""
    return palette().rgb / 127.5 - 1


def in_rgb(scenes: Tensor) -> Tensor:
    """``uint8 [n, H, W] -> float [n, 3, H, W]``."""
    return colours()[scenes.long()].movedim(-1, 1).contiguous()


class Hardest(torch.autograd.Function):
    """Probabilities ``[n, k, ...]`` -> one-hot along k of the largest; backwards the gradient
    passes straight through, as if nothing had been chosen (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx, p: Tensor) -> Tensor:
        return torch.zeros_like(p).scatter_(1, p.max(1, True).indices, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


def choose(logits: Tensor) -> Tensor:
    """``[n, k, ...]``: one-hot along k of the most probable, with the gradient of the softmax."""
    return Hardest.apply(logits.softmax(1))  # along the last dimension it would be slow


def gumbel(noise: Tensor) -> Tensor:
    """Standard normal noise -> standard Gumbel noise. Added to logits, the largest is a draw from
    the softmax (Gumbel-max; as a generator's choice: Jang et al. 2017)."""
    u = torch.special.ndtr(noise).clamp(1e-6, 1 - 1e-6)
    return -(-u.log()).log()


class Generator(nn.Module):
    """Noise and labels -> scenes.

    A background is a map of `SEGMENTS` parts, each painted in one colour; a figure is a row of a
    table. Which figure and which place are choices by Gumbel-max; a label that is given leaves only
    the figures of that label to choose from.
    """

    def __init__(self, given: Sequence[str], hidden: int = 128, drawn: Drawn | None = None):
        super().__init__()
        self.given, self.drawn = tuple(given), drawn or stage().variables
        drawn = self.drawn
        self.looks = len(drawn["actor_character"]) * len(drawn["actor_type"])
        self.figures_in_all = self.looks * len(POSES)
        self.noise_size = NORMAL + 2 * (self.figures_in_all + len(PLACES))
        labels = sum(len(drawn[name]) for name in given)
        self.trunk = nn.Sequential(mlp(NORMAL + labels, hidden, hidden), nn.GELU())
        self.who = nn.Linear(hidden, 2 * self.figures_in_all)
        self.where = nn.Linear(hidden, 2 * len(PLACES))
        self.mix = mlp(hidden, hidden, SHEETS)
        self.paint = nn.Linear(hidden, SEGMENTS * COLOURS)
        self.map = nn.Parameter(torch.zeros(SEGMENTS * PIXELS))
        self.sheets = nn.Parameter(torch.zeros(SHEETS, SEGMENTS * PIXELS))
        self.figures = nn.Parameter(torch.zeros(self.figures_in_all, COLOURS + 1, FIGURE))
        with torch.no_grad():
            self.figures[:, COLOURS] = 1.0  # nobody is there at first

    def allowed(self, labels: Mapping[str, Tensor], n: int) -> Tensor:
        """Which figures the labels leave to choose from: ``bool [2n, figures]``, the actors'
        first. A role's pose is one of its own, whatever is given."""
        drawn, found = self.drawn, []
        look = torch.arange(self.looks)
        for role, pose in ROLES.items():
            codes = torch.tensor([POSES.index(value) for value in drawn[pose]])
            poses = F.one_hot(codes, len(POSES)).any(0).expand(n, -1)
            if pose in labels:
                poses = F.one_hot(codes[labels[pose]], len(POSES)).bool()
            looks = torch.ones(n, self.looks, dtype=torch.bool)
            types = len(drawn[f"{role}_type"])
            for name, code in (("character", look // types), ("type", look % types)):
                if (label := labels.get(f"{role}_{name}")) is not None:
                    looks = looks & (code == label[:, None])
            found.append((looks[:, :, None] & poses[:, None]).flatten(1))
        return torch.cat(found)

    def parts(self, noise: Tensor, labels: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Logits of all that is chosen: figure ``[2n, figures]`` and place ``[2n, places]`` of
        actors and reactors, part of each pixel ``[n, SEGMENTS, PIXELS]``, and colour of each part
        ``[n, COLOURS, SEGMENTS]``."""
        sizes = [NORMAL, *[self.figures_in_all] * 2, *[len(PLACES)] * 2]
        z, *luck = noise.split(sizes, 1)
        h = self.trunk(torch.cat([z, hot(labels, self.drawn)], 1))
        who = torch.cat(self.who(h).chunk(2, 1)) + gumbel(torch.cat(luck[:2]))
        where = torch.cat(self.where(h).chunk(2, 1)) + gumbel(torch.cat(luck[2:]))
        who = who.masked_fill(~self.allowed(labels, len(noise)), -1e4)
        segments = (self.map + self.mix(h) @ self.sheets).unflatten(1, (SEGMENTS, PIXELS))
        return who, where, segments, self.paint(h).unflatten(1, (COLOURS, SEGMENTS))

    def forward(self, noise: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
        """Scenes to learn from, in red, green and blue from -1 to 1, ``[n, 3, HEIGHT, WIDTH]``:
        forwards those that `draw` draws, backwards with the gradients of all choices."""
        who, where, segments, paint = self.parts(noise, labels)
        behind = colours().T @ choose(paint) @ choose(segments)
        behind = halves(behind.unflatten(2, (HEIGHT, WIDTH)))
        rgba = F.pad(colours().T, (0, 1, 0, 1))
        rgba[3, COLOURS] = 1  # the last entry of a figure's pixel: transparent
        table = rgba @ choose(self.figures)
        figure = (choose(who) @ table.flatten(1)).unflatten(1, (4, SIZE, SIZE))
        places = [place[:, None, None, None] for place in choose(where).unbind(1)]
        own = sum(p * f for p, f in zip(places, spread(figure[:, :3], 0.0), strict=True))
        clear = sum(p * f for p, f in zip(places, spread(figure[:, 3:], 1.0), strict=True))
        band = own + clear * behind[:, :, TOP:FOOT]
        return whole(torch.cat([behind[:, :, :TOP], band, behind[:, :, FOOT:]], 2))

    @torch.no_grad()
    def draw(self, noise: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
        """Scenes, ``uint8 [n, HEIGHT, WIDTH]``: the same for the same noise and labels."""
        who, where, segments, paint = self.parts(noise, labels)
        behind = (
            paint.max(1).indices.gather(1, segments.max(1).indices).unflatten(1, (HEIGHT, WIDTH))
        )
        behind = halves(behind)
        figure = self.figures.max(1).indices[who.argmax(1)].unflatten(1, (SIZE, SIZE))
        views = torch.stack(list(spread(figure, COLOURS)))  # [places, 2n, SIZE, HALF]
        view = views[where.argmax(1), torch.arange(len(figure))]
        band = behind[:, TOP:FOOT]
        band.copy_(torch.where(view == COLOURS, band, view))
        return whole(behind).to(torch.uint8)


class Discriminator(nn.Module):
    """How true a scene looks, and how well it goes with its labels: a number for each.

    Looks at the whole and, with the same eye, at both halves, in patches. Labels come in by a
    product with what was seen (projection: Miyato and Koyama 2018).
    """

    def __init__(
        self,
        given: Sequence[str],
        hidden: int = 160,
        code: int = 32,
        drawn: Drawn | None = None,
    ):
        super().__init__()
        drawn = drawn or stage().variables
        labels = sum(len(drawn[name]) for name in given)
        self.eye, self.glance = (self.sight(w, hidden, code) for w in (WIDTH, HALF))
        self.mind = nn.Sequential(
            nn.Linear(3 * hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden)
        )
        self.true = nn.Linear(hidden, 1)
        self.fits = nn.Linear(labels, hidden, bias=False)

    @staticmethod
    def patches(pictures: Tensor) -> Tensor:
        """``[n, 3, HEIGHT, width] -> [n, cells, 48]``."""
        n, c, h, w = pictures.shape
        x = pictures.view(n, c, h // PATCH, PATCH, w // PATCH, PATCH)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * PATCH * PATCH)

    @staticmethod
    def sight(width: int, features: int, code: int) -> nn.Sequential:
        """``[n, cells, 48] -> [n, features]``."""
        cells = HEIGHT // PATCH * (width // PATCH)
        patch, out = nn.Linear(3 * PATCH * PATCH, code), nn.Linear(cells * code, features)
        slope = nn.LeakyReLU(0.2)
        return nn.Sequential(patch, slope, nn.Flatten(), out, slope)

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """``[n, 3, H, W]`` and one-hot labels ``[n, values]`` -> ``[n]``; higher is truer."""
        sides = self.glance(self.patches(halves(pictures)))
        seen = [self.eye(self.patches(pictures)), *sides.chunk(2)]
        h = F.leaky_relu(self.mind(torch.cat(seen, 1)), 0.2)
        return self.true(h)[:, 0] + (h * self.fits(labels)).sum(1) / h.shape[1] ** 0.5
