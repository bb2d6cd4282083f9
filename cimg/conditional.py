"""A conditional VAE of scenes, whatever its networks: two Pyro programs, and the way in and out.

    labels ~ world        z ~ p(z)        scene ~ p(scene | labels, z)       the model
    q(z | scene, labels)                  q(labels | scene)                  the guide

`draw` is the drawing half as a Pyro program, `model` the whole, with the world inside. A pixel is
a *categorical* variable over the palette. A picture model fills in the networks: `vae.CausalVAE`
with the structure of the world, `plain.PlainVAE` without (Sohn et al. 2015).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor, nn

from cimg.scene import SceneError, Stage, check_scenes, describe, stage_of, whole_number
from cimg.world import World

START = -5.0  # log-variance of q(z | ...) before training: little noise, so that z gets used
PART = 8  # scenes looked at or drawn at once: so much stays in the processor's cache

# Where the system's memory is glibc's, freed tensors of a megabyte go back to the kernel, and the
# next ones are fetched anew, page by page, until a block nearly as large as this one (32 MB is the
# most that counts) has been freed once. It is never written to, so it costs nothing; decoding takes
# a third less time, and training a little less.
torch.empty(30 * 2**20, dtype=torch.uint8)


class ConditionalVAE(nn.Module):
    """What picture models have in common.

    Attributes:
        world: what it draws.
        blocks: dimensions of the parts of z that are drawn independently of each other.
    """

    world: World
    blocks: tuple[int, ...]

    def __init__(self, world: World, blocks: tuple[int, ...]):
        super().__init__()
        self.world, self.blocks = world, blocks
        self.register_buffer("seen_loc", torch.zeros(0, sum(blocks)))
        self.register_buffer("seen_scale", torch.zeros(0, sum(blocks)))

    @property
    def stage(self) -> Stage:
        """What draws true pictures of the model's world."""
        return stage_of(self.world)

    # ── To be filled in ─────────────────────────────────────────────────────────────────────────

    def scene_given(self, z: Tensor, values: Mapping[str, Tensor]) -> Any:
        """p(scene | labels, z), a distribution over scenes for each row of ``z [n, z]``."""
        raise NotImplementedError

    def look(self, scenes: Tensor) -> Any:
        """What is seen in scenes, for `z_given` and `label_logits`."""
        raise NotImplementedError

    def z_given(self, looks: Any, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene, labels), each ``[n, z]``."""
        raise NotImplementedError

    def label_logits(self, looks: Any) -> dict[str, Tensor]:
        """q(label | scene) for each label, as logits ``[n, |values|]``."""
        raise NotImplementedError

    # ── What training has to know ───────────────────────────────────────────────────────────────

    def rated(self) -> dict[str, list[nn.Parameter]]:
        """Parameters with a learning rate of their own, by the setting (`step.Settings`) that it
        is. Those under "muon" are matrices and trained by Muon, all others by AdamW."""
        return {}

    def ripen(self, done: float, blurred: float, sharpness: float) -> None:
        """Called before each step with the share of training that is done; see `CausalVAE`."""

    # ── As Pyro programs ────────────────────────────────────────────────────────────────────────

    def draw(self, values: Mapping[str, Tensor], beta: float = 1.0) -> dict[str, Tensor]:
        """The drawing half as a Pyro program: z from its prior, then the scene.

        ``beta`` weighs the prior's term in training (KL annealing; Bowman et al. 2016).
        """
        prior = torch.zeros(sum(self.blocks), device=self.seen_loc.device)
        with pyro.plate("scenes", len(values["action"])):
            with poutine.scale(scale=beta):
                z = pyro.sample("z", dist.Normal(prior, 1.0).to_event(1))
            scene = pyro.sample("scene", self.scene_given(z, values))
        return {"z": z, "scene": scene}

    def model(self, n: int = 1) -> dict[str, Tensor]:
        """The whole as a Pyro program: labels and hidden variables from the world, then `draw`."""
        values = self.world.program(n)()
        return values | self.draw(values)

    def guide(self, looks: Any, values: Mapping[str, Tensor], beta: float = 1.0) -> None:
        """q(z | scene, labels) as a Pyro program, the guide of `draw`."""
        loc, scale = self.z_given(looks, values)
        with pyro.plate("scenes", len(loc)), poutine.scale(scale=beta):
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))

    # ── In and out ──────────────────────────────────────────────────────────────────────────────

    @torch.no_grad()
    def encode(self, scenes: Tensor, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Abduct style: mean and standard deviation of q(z | scene, labels), ``[n, z]`` each.

        Raises:
            SceneError: not ``uint8 [n, HEIGHT, WIDTH]``, a colour outside the palette, a label
                that is missing, or more or fewer rows of labels than scenes.
            WorldError: a label that is no integer tensor ``[n]`` or out of range.
        """
        check_scenes(scenes)
        labels = self.labels(values, len(scenes))
        found = [self.z_given(self.look(scenes[i]), rows(labels, i)) for i in parts(len(scenes))]
        loc, scale = (torch.cat(x) for x in zip(*found, strict=True))
        return loc, scale

    @torch.no_grad()
    def decode(self, z: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """The most probable colour of each pixel, ``uint8 [n, HEIGHT, WIDTH]``; raises as
        `encode`, and SceneError unless z is ``float [n, z]``."""
        good = isinstance(z, Tensor) and z.is_floating_point() and z.dim() == 2
        if not good or z.shape[1] != sum(self.blocks):
            raise SceneError(f"expected z, float [n, {sum(self.blocks)}], found {describe(z)}")
        labels = self.labels(values, len(z))
        drawn = [self.scene_given(z[i], rows(labels, i)).mode for i in parts(len(z))]
        return torch.cat(drawn).to(torch.uint8)

    @torch.no_grad()
    def read(self, scenes: Tensor) -> dict[str, Tensor]:
        """q(label | scene) for each label: probabilities ``[n, |values|]``."""
        check_scenes(scenes)
        found = [self.label_logits(self.look(scenes[i])) for i in parts(len(scenes))]
        return {name: torch.cat([x[name] for x in found]).softmax(1) for name in found[0]}

    def labels(self, values: Mapping[str, Tensor], n: int) -> dict[str, Tensor]:
        """The labels among the values, checked; hidden variables and style are left out."""
        if not isinstance(values, Mapping):
            raise SceneError(f"expected labels, a dict of tensors, found {describe(values)}")
        missing = [name for name in self.world.visible if name not in values]
        if missing:
            raise SceneError(f"to draw, {missing[0]!r} is needed; given: {', '.join(values)}")
        labels = {name: values[name] for name in self.world.visible}
        self.world.check(labels)
        if (found := len(labels["action"])) != n:
            raise SceneError(f"{n} scenes, but labels of {found}")
        return {name: codes.long() for name, codes in labels.items()}

    # ── Style ───────────────────────────────────────────────────────────────────────────────────

    @torch.no_grad()
    def remember_styles(self, scenes: Tensor, values: Mapping[str, Tensor]) -> None:
        """Keep q(z | scene, labels) of these scenes, for `sample_style`."""
        self.seen_loc, self.seen_scale = self.encode(scenes, values)

    def sample_style(self, n: int, seed: int = 0) -> Tensor:
        """Draw z from the mixture of the posteriors of scenes seen in training, block by block.

        The ELBO's prior N(0, I) also covers what lies *between* the scenes, and draws two half
        suns there. The mixture of posteriors (Hoffman and Johnson 2016; Tomczak and Welling 2018)
        is where the training scenes are. Blocks are drawn independently, as style is.

        Returns:
            ``float [n, z]``.

        Raises:
            SceneError: no styles were kept yet; or n or seed is no whole number from 0.
        """
        n, seed = whole_number(n, "n"), whole_number(seed, "seed")
        if not len(self.seen_loc):
            raise SceneError("the model knows no styles yet: train it, or `remember_styles`")
        generator = torch.Generator().manual_seed(seed % 2**64)
        device = self.seen_loc.device
        blocks, seen = ([], (x.split(self.blocks, 1) for x in (self.seen_loc, self.seen_scale)))
        for loc, scale in zip(*seen, strict=True):
            pick = torch.randint(len(loc), (n,), generator=generator).to(device)
            noise = torch.randn((n, loc.shape[1]), generator=generator).to(device)
            blocks.append(loc[pick] + scale[pick] * noise)
        return torch.cat(blocks, 1)


def parts(n: int) -> Iterator[slice]:
    """Slices that part n rows; one, an empty one, if n is 0."""
    return (slice(i, i + PART) for i in range(0, max(n, 1), PART))


def rows(values: Mapping[str, Tensor], index: Tensor | Sequence[int] | slice) -> dict[str, Tensor]:
    """Some rows of a dict of tensors."""
    return {name: x[index] for name, x in values.items()}
