"""The networks of the causal VAE: independent mechanisms that draw, and eyes that look.

Each part of a picture hears only its own causes (independent mechanisms: Parascandolo et al. 2018;
Besserve et al. 2020). What is built in: a character stands in one of the possible places, the
reactor is the mirror image of an actor, characters stand in front of the background. What is
learnt: every colour of every figure and background, and what each part of z means.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor, nn

from cimg.scene import DISTANCES, FOOT, HALF, HEIGHT, STEP, TOP, WIDTH
from cimg.sprites import SIZE

COLOURS = 24
NO_SHAPE = torch.Size()
PATCH = 4  # a background is drawn, and a scene is looked at, in patches of 4 x 4 pixels
PLACES = [STEP * (len(DISTANCES) - 1 - distance) for distance in range(len(DISTANCES))]


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of these sizes, with GELU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.GELU()]
    return nn.Sequential(*layers[:-1])


def to_patches(x: Tensor) -> Tensor:
    """``[n, H, W] -> [n, cells, 16]``."""
    n, h, w = x.shape
    x = x.view(n, h // PATCH, PATCH, w // PATCH, PATCH).transpose(2, 3)
    return x.flatten(3).flatten(1, 2)


def from_patches(x: Tensor, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """``[..., cells, 16] -> [..., H, W]``: the inverse of `to_patches`."""
    grid = (height // PATCH, width // PATCH)
    x = x.unflatten(-1, (PATCH, PATCH)).unflatten(-3, grid).transpose(-3, -2)
    return x.flatten(-2).flatten(-3, -2)


def halves(x: Tensor) -> Tensor:
    """``[n, ..., WIDTH] -> [2n, ..., HALF]``: left halves, then right halves mirrored."""
    return torch.cat([x[..., :HALF], x[..., HALF:].flip(-1)])


def whole(x: Tensor) -> Tensor:
    """``[2n, ..., HALF] -> [n, ..., WIDTH]``: the inverse of `halves`."""
    left, right = x.chunk(2)
    return torch.cat([left, right.flip(-1)], -1)


class Eye(nn.Module):
    """What a network sees of a picture: ``[n, HEIGHT, width]`` colours -> ``[n, features]``."""

    def __init__(self, width: int, features: int, code: int = 16):
        super().__init__()
        cells = (HEIGHT // PATCH) * (width // PATCH)
        self.patch = nn.Linear(COLOURS * PATCH * PATCH, code)
        self.out = nn.Linear(cells * code, features)

    def forward(self, picture: Tensor) -> Tensor:
        one_hot = torch.eye(COLOURS, device=picture.device)
        patches = F.embedding(to_patches(picture), one_hot).flatten(2)
        return F.gelu(self.out(F.gelu(self.patch(patches)).flatten(1)))


class Background(nn.Module):
    """A background out of its own block of z (and its own labels, if the world has any).

    Three terms add up: what is usual in each pixel; a network that draws every patch, told which
    one by a code of its own (a spatial broadcast decoder: Watters et al. 2019), so that what it
    learns in one patch helps in another; and a few layers of single pixels, mixed by a code out of
    z, for the details that belong to one place only, such as a tuft of grass.
    """

    def __init__(self, inputs: int, hidden: int = 64, layers: int = 16):
        super().__init__()
        cells, colours = HEIGHT * WIDTH // PATCH**2, COLOURS * PATCH * PATCH
        self.usual = nn.Parameter(torch.zeros(cells, colours))
        self.first = nn.Linear(inputs, hidden)
        self.cell = nn.Parameter(torch.randn(cells, hidden))
        self.middle = nn.Linear(hidden, hidden)
        self.patch = nn.Linear(hidden, colours)
        self.mix = mlp(inputs, 2 * hidden, 2 * hidden, layers)
        self.layers = nn.Parameter(torch.zeros(layers, cells, colours))

    def forward(self, inputs: Tensor) -> Tensor:
        """``[n, inputs] ->`` log-probabilities ``[n, cells, COLOURS, 16]``."""
        h = F.gelu(self.middle(F.gelu(self.first(inputs)[:, None] + self.cell)))
        logits = self.usual + self.patch(h) + torch.tensordot(self.mix(inputs), self.layers, 1)
        return logits.unflatten(2, (COLOURS, PATCH * PATCH)).log_softmax(2)


class Cast(nn.Module):
    """The characters: one table of figures with transparency, used for actor and reactor alike,
    and the way from each one's block of z to the place where it stands."""

    def __init__(self, figures: int, inputs: int, hidden: int = 32):
        super().__init__()
        self.figures = nn.Parameter(torch.zeros(figures, COLOURS + 1, SIZE * SIZE))
        self.place = mlp(inputs, hidden, len(PLACES))
        self.register_buffer("sharpness", torch.ones(()))  # grows in training, see train.py
        self.register_buffer("blur", torch.zeros(()))

    def places(self, z: Tensor) -> Tensor:
        """Probabilities of the places, ``[m, inputs] -> [m, places]``."""
        chosen = (self.sharpness * self.place(z)).softmax(1)
        return (1 - self.blur) * chosen + self.blur / len(PLACES)


def spread(window: Tensor, beside: float) -> Iterable[Tensor]:
    """A figure's window ``[..., SIZE, SIZE]`` in each place of its half, ``[..., SIZE, HALF]``."""
    return (F.pad(window, (x, HALF - SIZE - x), value=beside) for x in PLACES)


class Placed(TorchDistribution):
    """Scenes in which each half is a background with one character in one of the places.

    Given the parameters the pixels are independent: with the probability of each place the
    character stands there, and the pixel shows its colour or, where it is transparent, the
    background's. Events are scenes, ``[HEIGHT, WIDTH]``.

    Args:
        background: log-probabilities of colours, ``[n, cells, COLOURS, 16]``.
        figures: logits of each figure's colours and (last) transparency,
            ``[figures, COLOURS + 1, SIZE * SIZE]``, facing right.
        which: which figure, ``int64 [2n]``: n actors, then n reactors.
        places: probabilities of the places, ``[2n, places]``.
    """

    support = constraints.independent(constraints.nonnegative_integer, 2)
    arg_constraints: ClassVar[dict] = {}

    def __init__(self, background: Tensor, figures: Tensor, which: Tensor, places: Tensor):
        self.background, self.which, self.places = background, which, places
        self.figures = figures.softmax(1)
        shape = background.shape[:1]
        super().__init__(shape, torch.Size((HEIGHT, WIDTH)), validate_args=False)

    def log_prob(self, scenes: Tensor) -> Tensor:
        """Log-likelihood ``[n]``. Only the probability of the colour that is there is computed."""
        scenes = scenes.long()
        seen = to_patches(scenes)[:, :, None]
        behind = from_patches(self.background.gather(2, seen)[:, :, 0])
        band = self._composed(halves(scenes[:, TOP:FOOT]), halves(behind[:, TOP:FOOT]).exp())
        around = behind[:, :TOP].sum((1, 2)) + behind[:, FOOT:].sum((1, 2))
        return around + whole(band.clamp_min(1e-12).log()).sum((1, 2))

    def _composed(self, seen: Tensor, behind: Tensor) -> Tensor:
        """Probability of each colour seen in the characters' band, ``[2n, SIZE, HALF]``."""
        pixel = torch.arange(SIZE * SIZE, device=seen.device).view(SIZE, SIZE)
        table, row = self.figures.flatten(), self.which[:, None, None] * (COLOURS + 1)
        clear = self.figures[self.which, COLOURS].unflatten(1, (SIZE, SIZE))
        total, places = torch.zeros_like(behind), self.places.unbind(1)
        for place, x, through in zip(places, PLACES, spread(clear, 1.0), strict=True):
            own = table[(row + seen[..., x : x + SIZE]) * SIZE * SIZE + pixel]
            own = F.pad(own, (x, HALF - SIZE - x))
            total = total + place[:, None, None] * (own + through * behind)
        return total

    @property
    def probs(self) -> Tensor:
        """Probability of every colour of every pixel, ``[n, COLOURS, HEIGHT, WIDTH]``."""
        floor = -60.0  # below about -87, exp gives denormal numbers, which take ten times as long
        behind = self.background.clamp_min(floor).exp()
        behind = halves(from_patches(behind.transpose(1, 2)))
        figure = self.figures[self.which].unflatten(2, (SIZE, SIZE))
        places = [place[:, None, None, None] for place in self.places.unbind(1)]
        own = sum(p * f for p, f in zip(places, spread(figure[:, :COLOURS], 0.0), strict=True))
        clear = sum(p * f for p, f in zip(places, spread(figure[:, COLOURS:], 1.0), strict=True))
        band = own + clear * behind[:, :, TOP:FOOT]
        return whole(torch.cat([behind[:, :, :TOP], band, behind[:, :, FOOT:]], 2))

    @property
    def mode(self) -> Tensor:
        """The most probable colour of each pixel, ``uint8 [n, HEIGHT, WIDTH]``."""
        return self.probs.max(1).indices.to(torch.uint8)  # argmax(1) is five times as slow

    def sample(self, sample_shape: torch.Size = NO_SHAPE) -> Tensor:
        """Scenes with each pixel drawn on its own, ``uint8 [..., n, HEIGHT, WIDTH]``."""
        drawn = torch.distributions.Categorical(self.probs.movedim(1, -1)).sample(sample_shape)
        return drawn.to(torch.uint8)
