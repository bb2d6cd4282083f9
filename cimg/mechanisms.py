"""What draws in the causal VAE: independent mechanisms. (What looks is in `eyes.py`.)

Each part of a picture hears only its own causes (independent mechanisms: Parascandolo et al. 2018;
Besserve et al. 2020). What is built in: a character stands in one of the possible places, the
reactor is the mirror image of an actor, characters stand in front of the background. What is
learnt: every colour of every figure and background, and what each part of z means. Behind them
there is a sky, land of one colour, and a sun or moon in one of the possible columns.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor, nn

from cimg.background import COLUMNS
from cimg.scene import DISTANCES, FOOT, HALF, HEIGHT, STEP, TOP, WIDTH
from cimg.sprites import SIZE

COLOURS = 24
NO_SHAPE = torch.Size()
EVERY = slice(None)
NEVER = -60.0  # a logit; below about -87, exp gives denormal numbers, which take ten times as long
COLUMN = WIDTH // len(COLUMNS)  # pixels; a sun or moon has so much room
PLACES = [STEP * (len(DISTANCES) - 1 - distance) for distance in range(len(DISTANCES))]


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of these sizes, with GELU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.GELU()]
    return nn.Sequential(*layers[:-1])


def halves(x: Tensor) -> Tensor:
    """``[n, ..., WIDTH] -> [2n, ..., HALF]``: left halves, then right halves mirrored."""
    return torch.cat([x[..., :HALF], x[..., HALF:].flip(-1)])


def whole(x: Tensor) -> Tensor:
    """``[2n, ..., HALF] -> [n, ..., WIDTH]``: the inverse of `halves`."""
    left, right = x.chunk(2)
    return torch.cat([left, right.flip(-1)], -1)


class Mix(nn.Module):
    """Logits of single pixels: what is usual, plus a few layers, mixed by a code.

    ``[n, inputs] -> [n, *shape]``; ``spread`` is that of the layers before training.
    """

    def __init__(
        self,
        inputs: int,
        shape: tuple[int, ...],
        layers: int = 8,
        hidden: int = 64,
        spread: float = 0.01,
    ):
        super().__init__()
        self.usual = nn.Parameter(torch.zeros(shape))
        self.mix = mlp(inputs, hidden, hidden, layers)
        self.layers = nn.Parameter(spread * torch.randn(layers, *shape))

    def forward(self, code: Tensor) -> Tensor:
        mixed = torch.addmm(self.usual.flatten(), self.mix(code), self.layers.flatten(1))
        return mixed.unflatten(1, self.usual.shape)


class Background(nn.Module):
    """Sky, land, and the sun or moon: each hears its own code, and they add up their logits.

    What the land's shape and the sun's column mean is the same under every sky: the sky only
    decides which colours they have. Without that, with the sky a label, a network is free to
    trade the hills of one sky against those of another, and no likelihood would tell.

    Args:
        sky, sun, hills: length of the code that each one hears.
    """

    def __init__(self, sky: int, sun: int, hills: int, hidden: int = 64):
        super().__init__()
        self.sky = Mix(sky, (COLOURS, HEIGHT, WIDTH))
        # how much a pixel belongs to the land; with layers as faint as the sky's, some runs never
        # learn to tell the hills apart
        self.land = Mix(hills, (HEIGHT - COLUMN, WIDTH), spread=0.1)
        self.land_colour = mlp(sky, hidden, COLOURS)
        self.sun_colour = mlp(sky, hidden, COLOURS * COLUMN * COLUMN)  # or the moon's
        self.column = mlp(sun, hidden, len(COLUMNS))
        self.register_buffer("sharpness", torch.ones(()))  # grows in training, see step.py

    def place_of(self, sun: Tensor) -> Tensor:
        """The column that stands out, ``int64 [n]``: the sun's. It needn't be the most probable:
        a run may as well learn a sun in all columns and how to take it away, and then the sun is
        where nothing is taken away, in the column that is least probable by far."""
        column = self.column(sun)
        return (column - column.median(1, keepdim=True).values).abs().argmax(1)

    def forward(self, sky: Tensor, sun: Tensor, hills: Tensor) -> Tensor:
        """Codes ``[n, ...] ->`` log-probabilities ``[n, COLOURS, HEIGHT, WIDTH]``."""
        land = self.land(hills)[:, None] * self.land_colour(sky)[:, :, None, None]
        disc = self.sun_colour(sky).unflatten(1, (COLOURS, COLUMN, 1, COLUMN))
        column = (self.sharpness * self.column(sun)).softmax(1)
        high, low = self.sky(sky).split((COLUMN, HEIGHT - COLUMN), 2)
        high = high + (disc * column[:, None, None, :, None]).flatten(3)
        return torch.cat([high, low + land], 2).log_softmax(1)


class Rounded(nn.Module):
    """The code of each choice, for a mechanism whose code only chooses: a place, a column. Once it
    is kept, after training, a code of this choice is rounded to it, and tells nothing else. Of a
    choice that wasn't among what was kept it stays what it is.

    Args:
        choices: how many there are.
        length: of a code: mean and log-variance of a block of z.
    """

    def __init__(self, choices: int, length: int):
        super().__init__()
        self.register_buffer("codes", torch.zeros(choices, length))

    def forward(self, codes: Tensor, choice: Tensor) -> Tensor:
        """Codes ``[n, length]``, rounded if that was kept; choices are ``int64 [n]``."""
        kept = self.codes[choice]
        return codes if self.training else torch.where(kept.any(1, keepdim=True), kept, codes)

    def keep(self, codes: Tensor, choice: Tensor) -> None:
        """Keep for each choice the mean of these codes."""
        self.codes.zero_()
        for one in choice.unique():
            self.codes[one] = codes[choice == one].mean(0)


class Cast(nn.Module):
    """The characters: one table of figures with transparency, used for actor and reactor alike,
    and the way from each one's block of z to the place where it stands."""

    def __init__(self, figures: int, inputs: int, hidden: int = 32):
        super().__init__()
        self.figures = nn.Parameter(torch.zeros(figures, COLOURS + 1, SIZE * SIZE))
        self.place = mlp(inputs, hidden, len(PLACES))
        self.register_buffer("sharpness", torch.ones(()))  # grows in training, see train.py
        self.register_buffer("blur", torch.zeros(()))
        self.register_buffer("least", torch.zeros(()))

    def settled(self, which: Tensor | slice = EVERY) -> Tensor:
        """Logits of these figures; of pixels that are nearly decided, without what is less probable
        than `least`.

        Else a figure's clear pixels keep a little of every colour, as an excuse for a background
        that is sure of a wrong one; and what is excused is never learnt.
        """
        figures = self.figures[which]
        probs = figures.softmax(1)
        decided = probs.amax(1, keepdim=True) > 1 - 2 * self.least
        return figures.masked_fill(decided & (probs < self.least), NEVER)

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
        background: log-probabilities of colours, ``[n, COLOURS, HEIGHT, WIDTH]``.
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
        behind = self.background.gather(1, scenes[:, None])[:, 0]
        band = self._composed(halves(scenes[:, TOP:FOOT]), halves(behind[:, TOP:FOOT]).exp())
        around = behind[:, :TOP].sum((1, 2)) + behind[:, FOOT:].sum((1, 2))
        return around + whole(band.clamp_min(1e-30).log()).sum((1, 2))

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

    def _band(self) -> Tensor:
        """Probability of every colour where the characters are, ``[2n, COLOURS, SIZE, HALF]``."""
        behind = halves(self.background[:, :, TOP:FOOT]).clamp_min(NEVER).exp()
        figure = self.figures[self.which].unflatten(2, (SIZE, SIZE))
        own, covered = torch.zeros_like(behind), torch.zeros_like(behind[:, :1])
        for place, x in zip(self.places.unbind(1), PLACES, strict=True):
            place, window = place[:, None, None, None], slice(x, x + SIZE)
            own[..., window] += place * figure[:, :COLOURS]
            covered[..., window] += place * (1 - figure[:, COLOURS:])
        return own + (1 - covered).clamp_min(0) * behind

    @property
    def probs(self) -> Tensor:
        """Probability of every colour of every pixel, ``[n, COLOURS, HEIGHT, WIDTH]``."""
        around = self.background[:, :, :TOP], self.background[:, :, FOOT:]
        above, below = (logs.clamp_min(NEVER).exp() for logs in around)
        return torch.cat([above, whole(self._band()), below], 2)

    @property
    def mode(self) -> Tensor:
        """The most probable colour of each pixel, ``uint8 [n, HEIGHT, WIDTH]``."""
        parts = self.background[:, :, :TOP], whole(self._band()), self.background[:, :, FOOT:]
        found = [part.max(1).indices for part in parts]  # argmax(1) is five times as slow
        return torch.cat(found, 1).to(torch.uint8)

    def sample(self, sample_shape: torch.Size = NO_SHAPE) -> Tensor:
        """Scenes with each pixel drawn on its own, ``uint8 [..., n, HEIGHT, WIDTH]``."""
        drawn = torch.distributions.Categorical(self.probs.movedim(1, -1)).sample(sample_shape)
        return drawn.to(torch.uint8)
