"""The causal VAE: the world's graph says what is drawn, networks learn how.

    labels ~ world        z ~ p(z)        scene ~ p(scene | labels, z)       the model
    q(z | scene, labels)                  q(labels | scene)                  the guide

`draw` is the drawing half as a Pyro program, `model` the whole, with the world inside. A pixel is
a *categorical* variable over the palette. z has one block for each independent mechanism: the
background's, and one for the place of each character (see `mechanisms.py`).
"""

from collections.abc import Iterator, Mapping, Sequence

import pyro
import pyro.distributions as dist
import torch
import torch.nn.functional as F
from pyro import poutine
from torch import Tensor, nn

from cimg.mechanisms import HALF, WIDTH, Background, Cast, Eye, Placed, halves, mlp
from cimg.scene import HEIGHT, ROLES, SceneError, check_world, describe, stage, whole_number
from cimg.sprites import POSES
from cimg.world import World

BACKGROUND, PLACE = 8, 2  # dimensions of the blocks of z
BLOCKS = (BACKGROUND, PLACE, PLACE)
START = -5.0  # log-variance of q(z | ...) before training: little noise, so that z gets used
SKY = ("sky", "sun", "hills")  # what a world may say about the background
PART = 8  # scenes looked at or drawn at once: so much stays in the processor's cache


def check_scenes(scenes: Tensor) -> None:
    """Raise SceneError unless this is ``uint8 [n, HEIGHT, WIDTH]`` with colours of the palette."""
    want = f"expected scenes, uint8 [n, {HEIGHT}, {WIDTH}]"
    if not isinstance(scenes, Tensor):
        raise SceneError(f"{want}, found {type(scenes).__name__}")
    if scenes.dtype != torch.uint8 or scenes.dim() != 3 or scenes.shape[1:] != (HEIGHT, WIDTH):
        raise SceneError(f"{want}, found {describe(scenes)}")
    colours = len(stage().palette.names)
    if len(scenes) and int(scenes.max()) >= colours:
        scene, y, x = (scenes >= colours).nonzero()[0].tolist()
        raise SceneError(
            f"scene {scene}, pixel ({x}, {y}): colour {int(scenes[scene, y, x])} is not in the "
            f"palette, 0 to {colours - 1}"
        )


class CausalVAE(nn.Module):
    """A picture model with the structure of a world.

    Args:
        world: what it draws: characters, types and poses of both, and as much of `SKY` as it likes.
        hidden: width of the networks that look.

    Raises:
        SceneError: the world lacks one of these, or has another visible variable.
    """

    def __init__(self, world: World, hidden: int = 128):
        super().__init__()
        check_world(world)
        self.world, self.hidden = world, hidden
        drawn = stage().variables
        self.kinds = {  # label -> what an eye has to tell apart; actor and reactor share two heads
            f"{role}_{part}": part for role in ROLES for part in ("character", "type")
        } | {pose: pose for pose in ROLES.values()}
        self.settings_of_sky = tuple(name for name in world.visible if name not in self.kinds)
        lacks = [name for name in self.kinds if name not in world.visible]
        beyond = [name for name in self.settings_of_sky if name not in SKY]
        if lacks or beyond:
            wrong = f"'{lacks[0]}' is missing" if lacks else f"'{beyond[0]}' is one too many"
            raise SceneError(
                f"a model needs a world with visible {', '.join(self.kinds)}, and perhaps "
                f"{', '.join(SKY)}; in world '{world.name}' {wrong}"
            )
        sizes = {name: len(drawn[name]) for name in (*self.kinds, *self.settings_of_sky)}
        looks = len(drawn["actor_character"]) * len(drawn["actor_type"]) * len(POSES)
        context = sum(sizes[name] for name in self.settings_of_sky)

        self.background = Background(BACKGROUND + context)
        self.cast = Cast(looks, PLACE)
        self.eye = Eye(WIDTH, hidden)  # sees the scene
        self.glance = Eye(HALF, hidden)  # sees one half, the reactor's mirrored
        self.to_background = nn.Linear(hidden + context, 2 * BACKGROUND)
        self.to_place = mlp(hidden + looks, hidden // 2, 2 * PLACE)
        heads = {self.kinds.get(name, name): sizes[name] for name in sizes}
        self.heads = nn.ModuleDict({f"read_{k}": nn.Linear(hidden, v) for k, v in heads.items()})
        for layer in (self.to_background, self.to_place[-1]):
            nn.init.constant_(layer.bias[len(layer.bias) // 2 :], START)
        self.register_buffer("seen_loc", torch.zeros(0, sum(BLOCKS)))
        self.register_buffer("seen_scale", torch.zeros(0, sum(BLOCKS)))

    # ── Labels ──────────────────────────────────────────────────────────────────────────────────

    def figures(self, values: Mapping[str, Tensor]) -> Tensor:
        """Which figure each one is: ``int64 [2n]``, the actors', then the reactors'."""
        drawn, which = stage().variables, []
        for role, pose in ROLES.items():
            poses = torch.tensor([POSES.index(value) for value in drawn[pose]])
            look = values[f"{role}_character"] * len(drawn[f"{role}_type"]) + values[f"{role}_type"]
            which.append(look * len(POSES) + poses.to(look.device)[values[pose]])
        return torch.cat(which)

    def context(self, values: Mapping[str, Tensor]) -> Tensor:
        """The labels that the background hears, one-hot ``[n, context]`` (none in the duel)."""
        n, device = len(values["action"]), values["action"].device
        hot = [F.one_hot(values[k], len(stage().variables[k])) for k in self.settings_of_sky]
        return torch.cat([torch.zeros(n, 0, device=device), *hot], 1)

    # ── The model ───────────────────────────────────────────────────────────────────────────────

    def scene_given(self, z: Tensor, values: Mapping[str, Tensor]) -> Placed:
        """p(scene | labels, z), a distribution over scenes for each row of ``z [n, 12]``."""
        behind, *places = z.split(BLOCKS, 1)
        background = self.background(torch.cat([behind, self.context(values)], 1))
        places = self.cast.places(torch.cat(places))
        return Placed(background, self.cast.figures, self.figures(values), places)

    def draw(self, values: Mapping[str, Tensor], beta: float = 1.0) -> dict[str, Tensor]:
        """The drawing half as a Pyro program: z from its prior, then the scene.

        ``beta`` weighs the prior's term in training (KL annealing; Bowman et al. 2016).
        """
        prior = torch.zeros(sum(BLOCKS), device=self.cast.figures.device)
        with pyro.plate("scenes", len(values["action"])):
            with poutine.scale(scale=beta):
                z = pyro.sample("z", dist.Normal(prior, 1.0).to_event(1))
            scene = pyro.sample("scene", self.scene_given(z, values))
        return {"z": z, "scene": scene}

    def model(self, n: int = 1) -> dict[str, Tensor]:
        """The whole as a Pyro program: labels and hidden variables from the world, then `draw`."""
        values = self.world.program(n)()
        return values | self.draw(values)

    # ── The guide ───────────────────────────────────────────────────────────────────────────────

    def look(self, scenes: Tensor) -> tuple[Tensor, Tensor]:
        """What the eyes see: of the whole ``[n, hidden]`` and of the halves ``[2n, hidden]``."""
        scenes = scenes.long()
        return self.eye(scenes), self.glance(halves(scenes))

    def z_given(
        self, looks: tuple[Tensor, Tensor], values: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene, labels), each ``[n, 12]``."""
        scene, half = looks
        figure = F.one_hot(self.figures(values), len(self.cast.figures)).float()
        behind = self.to_background(torch.cat([scene, self.context(values)], 1)).chunk(2, 1)
        place = self.to_place(torch.cat([half, figure], 1)).chunk(2, 1)
        loc, log_var = (torch.cat([b, *p.chunk(2)], 1) for b, p in zip(behind, place, strict=True))
        return loc, (log_var / 2).exp()

    def guide(
        self, looks: tuple[Tensor, Tensor], values: Mapping[str, Tensor], beta: float = 1.0
    ) -> None:
        """q(z | scene, labels) as a Pyro program, the guide of `draw`."""
        loc, scale = self.z_given(looks, values)
        with pyro.plate("scenes", len(loc)), poutine.scale(scale=beta):
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))

    def label_logits(self, looks: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """q(label | scene) for each label, as logits ``[n, |values|]``."""
        scene, half = looks
        halves_of = dict(zip(ROLES, half.chunk(2), strict=True))
        owner = {pose: role for role, pose in ROLES.items()}
        return {
            name: self.heads[f"read_{self.kinds.get(name, name)}"](
                halves_of[owner.get(name, name.split("_")[0])] if name in self.kinds else scene
            )
            for name in self.world.visible
        }

    # ── In and out ──────────────────────────────────────────────────────────────────────────────

    @torch.no_grad()
    def encode(self, scenes: Tensor, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Abduct style: mean and standard deviation of q(z | scene, labels), ``[n, 12]`` each.

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
        `encode`, and SceneError unless z is ``float [n, 12]``."""
        good = isinstance(z, Tensor) and z.is_floating_point() and z.dim() == 2
        if not good or z.shape[1] != sum(BLOCKS):
            raise SceneError(f"expected z, float [n, {sum(BLOCKS)}], found {describe(z)}")
        labels = self.labels(values, len(z))
        return torch.cat([self.scene_given(z[i], rows(labels, i)).mode for i in parts(len(z))])

    @torch.no_grad()
    def read(self, scenes: Tensor) -> dict[str, Tensor]:
        """q(label | scene) for each label: probabilities ``[n, |values|]``."""
        check_scenes(scenes)
        found = [self.label_logits(self.look(scenes[i])) for i in parts(len(scenes))]
        return {name: torch.cat([x[name] for x in found]).softmax(1) for name in found[0]}

    def labels(self, values: Mapping[str, Tensor], n: int) -> dict[str, Tensor]:
        """The labels among the values, checked; hidden variables and style are left out."""
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
            ``float [n, 12]``.

        Raises:
            SceneError: no styles were kept yet; or n or seed is no whole number from 0.
        """
        n, seed = whole_number(n, "n"), whole_number(seed, "seed")
        if not len(self.seen_loc):
            raise SceneError("the model knows no styles yet: train it, or `remember_styles`")
        generator = torch.Generator().manual_seed(seed % 2**64)
        device = self.seen_loc.device
        blocks, seen = [], (x.split(BLOCKS, 1) for x in (self.seen_loc, self.seen_scale))
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
