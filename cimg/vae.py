"""The causal VAE: each part of a picture hears its own causes, and nothing else.

z has one block for each independent mechanism: sky, sun and hills of the background, and the place
of each character (see `mechanisms.py`). What a world says of the background, such as the sky in
the arena, is heard instead of that block. What doesn't depend on networks is in `conditional.py`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cimg.conditional import START, ConditionalVAE
from cimg.mechanisms import Background, Cast, Eye, Outline, Placed, Tint, halves, mlp
from cimg.scene import HALF, ROLES, WIDTH, SceneError, check_world, stage
from cimg.sprites import POSES
from cimg.world import World

# Dimensions of a block of z: of sky, sun or hills; of a character's place.
BEHIND, PLACE = 4, 2
SKY = ("sky", "sun", "hills")  # what a world may say about the background
BLOCKS = (BEHIND, BEHIND, BEHIND, PLACE, PLACE)
HIDDEN = ("background", "eye", "outline", "tint", "glance", "to_place")  # matrices for Muon
Looks = tuple[Tensor, Tensor, Tensor, Tensor]


class CausalVAE(ConditionalVAE):
    """A picture model with the structure of a world.

    Args:
        world: what it draws: characters, types and poses of both, and as much of `SKY` as it likes.
        hidden: width of the networks that look.

    Raises:
        SceneError: the world lacks one of these, or has another visible variable.
    """

    def __init__(self, world: World, hidden: int = 128):
        check_world(world)
        super().__init__(world, BLOCKS)
        self.hidden = hidden
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

        self.background = Background(*(sizes.get(name, BEHIND) for name in SKY))
        self.cast = Cast(looks, PLACE)
        if self.settings_of_sky:
            self.eye = Eye(WIDTH, hidden)  # sees the scene, to read what a label says of the sky
        self.tint = Tint(hidden)  # sees its colours, but not where
        self.outline = Outline(hidden)  # sees its shapes, but no colours
        self.glance = Eye(HALF, hidden)  # sees one half, the reactor's mirrored
        self.to_sky = nn.Linear(hidden, 2 * BEHIND)
        self.to_shapes = nn.Linear(hidden, 2 * 2 * BEHIND)
        self.to_place = mlp(hidden + looks, hidden // 2, 2 * PLACE)
        heads = {self.kinds.get(name, name): sizes[name] for name in sizes}
        self.heads = nn.ModuleDict({f"read_{k}": nn.Linear(hidden, v) for k, v in heads.items()})
        for layer in (self.to_sky, self.to_shapes, self.to_place[-1]):
            nn.init.constant_(layer.bias[len(layer.bias) // 2 :], START)

    # ── Labels ──────────────────────────────────────────────────────────────────────────────────

    def figures(self, values: Mapping[str, Tensor]) -> Tensor:
        """Which figure each one is: ``int64 [2n]``, the actors', then the reactors'."""
        drawn, which = stage().variables, []
        for role, pose in ROLES.items():
            poses = torch.tensor([POSES.index(value) for value in drawn[pose]])
            look = values[f"{role}_character"] * len(drawn[f"{role}_type"]) + values[f"{role}_type"]
            which.append(look * len(POSES) + poses.to(look.device)[values[pose]])
        return torch.cat(which)

    def said(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the labels say of the background, one-hot (nothing in the duel)."""
        known = stage().variables
        return {k: F.one_hot(values[k], len(known[k])).float() for k in self.settings_of_sky}

    # ── Training ────────────────────────────────────────────────────────────────────────────────

    def rated(self) -> dict[str, list[nn.Parameter]]:
        """Tables of logits learn faster than networks; the figures' fastest of all."""
        behind = self.background
        rated = {
            "figures": [self.cast.figures],
            "sky": [behind.sky.usual, behind.sky.layers],
            "land": [behind.land.usual, behind.land.layers],
            "colours": [*behind.land_colour.parameters(), *behind.sun_colour.parameters()],
        }
        taken = {id(p) for group in rated.values() for p in group}
        named = self.named_parameters()
        hidden = [p for k, p in named if k.startswith(HIDDEN) and p.dim() == 2]
        return rated | {"muon": [p for p in hidden if id(p) not in taken]}

    def ripen(self, done: float, blurred: float, sharpness: float) -> None:
        """Places are blurred first, so that no figure is learnt off centre: it forms as the mean
        over all places. Then the choice of a place becomes sharper."""
        end = 1.5 * blurred
        blur = (end - done) / (end - blurred) if end else 0.0
        self.cast.blur.fill_(min(1.0, max(0.0, blur)))
        self.cast.sharpness.fill_(1 + (sharpness - 1) * done)
        self.background.sharpness.fill_(sharpness)

    # ── The model ───────────────────────────────────────────────────────────────────────────────

    def scene_given(self, z: Tensor, values: Mapping[str, Tensor]) -> Placed:
        """p(scene | labels, z), a distribution over scenes for each row of ``z [n, z]``."""
        *behind, actor, reactor = z.split(BLOCKS, 1)
        said = self.said(values)
        codes = (said.get(name, code) for name, code in zip(SKY, behind, strict=True))
        places = self.cast.places(torch.cat([actor, reactor]))
        return Placed(self.background(*codes), self.cast.figures, self.figures(values), places)

    # ── The guide ───────────────────────────────────────────────────────────────────────────────

    def look(self, scenes: Tensor) -> Looks:
        """What the eyes see, ``[n, hidden]`` each: its colours, its shapes, the whole scene (where
        a label says something of the sky); and its halves, ``[2n, hidden]``."""
        scenes = scenes.long()
        whole = self.eye(scenes) if self.settings_of_sky else scenes.new_zeros(len(scenes), 0)
        return self.tint(scenes), self.outline(scenes), whole, self.glance(halves(scenes))

    def z_given(self, looks: Looks, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene, labels), each ``[n, z]``."""
        colours, shapes, _, half = looks
        figure = F.one_hot(self.figures(values), len(self.cast.figures)).float()
        sky, rest = self.to_sky(colours).chunk(2, 1), self.to_shapes(shapes).chunk(2, 1)
        place = self.to_place(torch.cat([half, figure], 1)).chunk(2, 1)
        of_all = zip(sky, rest, place, strict=True)
        loc, log_var = (torch.cat([a, b, *c.chunk(2)], 1) for a, b, c in of_all)
        return loc, (log_var / 2).exp()

    def label_logits(self, looks: Looks) -> dict[str, Tensor]:
        """q(label | scene) for each label, as logits ``[n, |values|]``."""
        _, _, scene, half = looks
        halves_of = dict(zip(ROLES, half.chunk(2), strict=True))
        owner = {pose: role for role, pose in ROLES.items()}
        return {
            name: self.heads[f"read_{self.kinds.get(name, name)}"](
                halves_of[owner.get(name, name.split("_")[0])] if name in self.kinds else scene
            )
            for name in self.world.visible
        }
