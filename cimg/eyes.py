"""What looks at a scene in the causal VAE: eyes, each of which sees only what its part of z is for.

An eye can't put into z what it doesn't see. So the background is looked at where nobody ever
stands, a sky by its colours alone, and the sun and the land by their shapes alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cimg.mechanisms import COLOURS, PLACES, mlp
from cimg.scene import HEIGHT, TOP, WIDTH
from cimg.sprites import SIZE

PATCH = 4  # a scene is looked at in patches of 4 x 4 pixels
BETWEEN = slice(PLACES[0] + SIZE, WIDTH - PLACES[0] - SIZE)  # columns where nobody ever stands


def to_patches(x: Tensor) -> Tensor:
    """``[n, H, W] -> [n, cells, 16]``."""
    n, h, w = x.shape
    x = x.view(n, h // PATCH, PATCH, w // PATCH, PATCH).transpose(2, 3)
    return x.flatten(3).flatten(1, 2)


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


class Outline(nn.Module):
    """An eye for shapes: of a picture ``[n, height, width]`` it sees where two neighbouring pixels
    differ, not in which colours they do. So a hill looks the same under every sky."""

    def __init__(self, height: int, width: int, features: int, code: int = 16):
        super().__init__()
        self.patch = nn.Linear(2 * PATCH * PATCH, code)
        self.out = nn.Linear(height * width // PATCH**2 * code, features)

    def forward(self, picture: Tensor) -> Tensor:
        across = F.pad(picture[:, :, 1:] != picture[:, :, :-1], (1, 0))
        down = F.pad(picture[:, 1:] != picture[:, :-1], (0, 0, 1, 0))
        patches = torch.cat([to_patches(across), to_patches(down)], 2).float()
        return F.gelu(self.out(F.gelu(self.patch(patches)).flatten(1)))


class Tint(nn.Module):
    """An eye for colours: of a picture ``[n, HEIGHT, WIDTH]`` it sees which colours there are above
    the characters, not where. So a sky looks the same over every hill."""

    def __init__(self, features: int):
        super().__init__()
        self.out = mlp(COLOURS, features, features)

    def forward(self, picture: Tensor) -> Tensor:
        there = torch.zeros(len(picture), COLOURS, device=picture.device)
        return F.gelu(self.out(there.scatter_(1, picture[:, :TOP].flatten(1), 1.0)))
