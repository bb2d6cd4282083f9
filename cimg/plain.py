"""The plain rival: the convolutional VAE of a textbook, told all labels at once (Sohn et al. 2015).

Same pixels, same loss, same size of z as the causal VAE, and no structure: any label may change
any pixel. It is here to be compared with, on labels that training never showed together.
"""

from collections.abc import Mapping

import pyro.distributions as dist
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cimg.conditional import START, ConditionalVAE
from cimg.mechanisms import COLOURS
from cimg.scene import HEIGHT, WIDTH, check_world
from cimg.world import World

CODE = 16  # dimensions of z, in one block
CHANNELS = 64
GRID = (CHANNELS, HEIGHT // 4, WIDTH // 4)  # after two convolutions, each of which halves


class PlainVAE(ConditionalVAE):
    """A picture model without the structure of a world.

    Args:
        world: what it draws; every visible variable is a label.
        hidden: width of the layer between convolutions and z.
    """

    def __init__(self, world: World, hidden: int = 128):
        check_world(world)
        super().__init__(world, (CODE,))
        self.sizes = {name: len(world.variables[name].values) for name in world.visible}
        told, cells = sum(self.sizes.values()), GRID[0] * GRID[1] * GRID[2]
        self.eye = nn.Sequential(
            nn.Conv2d(COLOURS, CHANNELS // 2, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(CHANNELS // 2, CHANNELS, 4, 2, 1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(cells, hidden),
            nn.GELU(),
        )
        self.to_z = nn.Linear(hidden + told, 2 * CODE)
        self.heads = nn.ModuleDict(
            {f"read_{k}": nn.Linear(hidden, v) for k, v in self.sizes.items()}
        )
        self.draws = nn.Sequential(
            nn.Linear(CODE + told, hidden),
            nn.GELU(),
            nn.Linear(hidden, cells),
            nn.GELU(),
            nn.Unflatten(1, GRID),
            nn.ConvTranspose2d(CHANNELS, CHANNELS // 2, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(CHANNELS // 2, COLOURS, 4, 2, 1),
        )
        nn.init.constant_(self.to_z.bias[CODE:], START)

    def told(self, values: Mapping[str, Tensor]) -> Tensor:
        """All labels, one-hot, side by side: ``float [n, told]``."""
        return torch.cat([F.one_hot(values[k], v) for k, v in self.sizes.items()], 1).float()

    def scene_given(self, z: Tensor, values: Mapping[str, Tensor]) -> dist.Independent:
        """p(scene | labels, z), a distribution over scenes for each row of ``z [n, 16]``."""
        logits = self.draws(torch.cat([z, self.told(values)], 1)).movedim(1, -1)
        return dist.Categorical(logits=logits).to_event(2)

    def look(self, scenes: Tensor) -> Tensor:
        """What the convolutions see, ``[n, hidden]``."""
        return self.eye(F.one_hot(scenes.long(), COLOURS).movedim(-1, 1).float())

    def z_given(self, looks: Tensor, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene, labels), each ``[n, 16]``."""
        loc, log_var = self.to_z(torch.cat([looks, self.told(values)], 1)).chunk(2, 1)
        return loc, (log_var / 2).exp()

    def label_logits(self, looks: Tensor) -> dict[str, Tensor]:
        """q(label | scene) for each label, as logits ``[n, |values|]``."""
        return {name: self.heads[f"read_{name}"](looks) for name in self.sizes}

    def rated(self) -> dict[str, list[nn.Parameter]]:
        """Muon for the matrices between convolutions and z, as in the causal VAE."""
        matrices = [self.eye[5].weight, self.draws[0].weight, self.draws[2].weight]
        return {"muon": matrices}
