"""The causal VAE: each part of a picture hears its own causes, and nothing else.

z has one block for each independent mechanism: sky, sun and hills of the background, and the place
of each character (see `mechanisms.py`). What a world says of the background, such as the sky in
the arena, has no block: it is heard. What doesn't depend on networks is in `conditional.py`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cimg.background import COLUMNS, SKY
from cimg.conditional import START, ConditionalVAE, parts, rows
from cimg.eyes import BETWEEN, Eye, Outline, Tint
from cimg.mechanisms import (
    COLUMN,
    EVERY,
    PLACES,
    Background,
    Cast,
    Placed,
    Rounded,
    halves,
)
from cimg.scene import HALF, HEIGHT, ROLES, WIDTH, SceneError, check_world
from cimg.sprites import POSES
from cimg.world import World

# Dimensions of a block of z: of sky, sun or hills; of a character's place.
BEHIND, PLACE = 4, 2
LEAST = 0.1  # a figure's colours that are less probable are dropped halfway through training
BLOCKS = (BEHIND, BEHIND, BEHIND, PLACE, PLACE)  # in a world that says nothing of it
HIDDEN = ("background", "outline", "ridge", "tint", "glance", "to_place")  # matrices for Muon
Looks = dict[str, Tensor]


class CausalVAE(ConditionalVAE):
    """A picture model with the structure of a world.

    Args:
        world: what it draws: characters, types and poses of both, and as much of `SKY` as it likes.
        hidden: width of the networks that look.

    Raises:
        SceneError: the world lacks one of these, or has another visible variable.
    """

    def __init__(self, world: World, hidden: int = 128):
        drawn = check_world(world).variables
        unsaid = [name for name in SKY if name not in world.visible]
        super().__init__(world, (BEHIND,) * len(unsaid) + (PLACE, PLACE))
        self.hidden = hidden
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
        # The background is looked at where nobody ever stands: so z can't tell who stands there.
        self.tint = Tint(hidden)  # sees which colours there are above the characters
        self.outline = Outline(COLUMN, WIDTH, hidden)  # sees shapes above them
        self.ridge = Outline(HEIGHT, BETWEEN.stop - BETWEEN.start, hidden)  # and between them
        self.glance = Eye(HALF, hidden)  # sees one half, the reactor's mirrored
        self.to_z = nn.ModuleDict({name: nn.Linear(hidden, 2 * BEHIND) for name in unsaid})
        # normalised, or for some figure in some place all its neurons may die, and stay so
        self.to_place = nn.Sequential(
            nn.Linear(hidden + looks, hidden // 2),
            nn.LayerNorm(hidden // 2),
            nn.GELU(),
            nn.Linear(hidden // 2, 2 * PLACE),
        )
        self.round_place = Rounded(len(PLACES), 2 * PLACE)
        self.round_sun = Rounded(len(COLUMNS), 2 * BEHIND)
        heads = {self.kinds.get(name, name): sizes[name] for name in sizes}
        self.heads = nn.ModuleDict({f"read_{k}": nn.Linear(hidden, v) for k, v in heads.items()})
        for layer in (*self.to_z.values(), self.to_place[-1]):
            nn.init.constant_(layer.bias[len(layer.bias) // 2 :], START)

    # ── Labels ──────────────────────────────────────────────────────────────────────────────────

    def figures(self, values: Mapping[str, Tensor]) -> Tensor:
        """Which figure each one is: ``int64 [2n]``, the actors', then the reactors'."""
        drawn, which = self.stage.variables, []
        for role, pose in ROLES.items():
            poses = torch.tensor([POSES.index(value) for value in drawn[pose]])
            look = values[f"{role}_character"] * len(drawn[f"{role}_type"]) + values[f"{role}_type"]
            which.append(look * len(POSES) + poses.to(look.device)[values[pose]])
        return torch.cat(which)

    def said(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the labels say of the background, one-hot (nothing in the duel)."""
        known = self.stage.variables
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
        over all places. Then the choice of a place becomes sharper. Halfway, figures settle."""
        end = 1.5 * blurred
        blur = (end - done) / (end - blurred) if end else 0.0
        self.cast.blur.fill_(min(1.0, max(0.0, blur)))
        self.cast.sharpness.fill_(1 + (sharpness - 1) * done)
        self.background.sharpness.fill_(sharpness)
        self.cast.least.fill_(LEAST if done > 0.5 else 0.0)

    # ── The model ───────────────────────────────────────────────────────────────────────────────

    def scene_given(self, z: Tensor, values: Mapping[str, Tensor]) -> Placed:
        """p(scene | labels, z), a distribution over scenes for each row of ``z [n, z]``."""
        *behind, actor, reactor = z.split(self.blocks, 1)
        codes = dict(zip(self.to_z, behind, strict=True)) | self.said(values)
        background = self.background(*(codes[name] for name in SKY))
        places = self.cast.places(torch.cat([actor, reactor]))
        which, used = self.figures(values), EVERY
        if not self.training:  # few scenes need few of the figures
            used, which = which.unique(return_inverse=True)
        return Placed(background, self.cast.settled(used), which, places)

    # ── The guide ───────────────────────────────────────────────────────────────────────────────

    def look(self, scenes: Tensor) -> Looks:
        """What the eyes see of each part of a picture, ``[n, hidden]`` each."""
        scenes = scenes.long()
        actor, reactor = self.glance(halves(scenes)).chunk(2)
        return {
            "sky": self.tint(scenes),
            "sun": self.outline(scenes[:, :COLUMN]),
            "hills": self.ridge(scenes[:, :, BETWEEN]),
            "actor": actor,
            "reactor": reactor,
        }

    def z_given(self, looks: Looks, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | scene, labels), each ``[n, z]``."""
        codes = self.codes(looks, values)
        codes["place"] = self.round_place(codes["place"], self.place_of(codes["place"]))
        if "sun" in codes:
            codes["sun"] = self.round_sun(codes["sun"], self.column_of(codes["sun"]))
        *behind, place = codes.values()
        blocks = [code.chunk(2, 1) for code in (*behind, *place.chunk(2))]
        loc, log_var = (torch.cat(x, 1) for x in zip(*blocks, strict=True))
        return loc, (log_var / 2).exp()

    def codes(self, looks: Looks, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean and log-variance of each block, before rounding, side by side: of the background
        ``[n, 2 * BEHIND]``, of the place, last, ``[2n, 2 * PLACE]``: actors, then reactors."""
        half = torch.cat([looks[role] for role in ROLES])
        figure = F.one_hot(self.figures(values), len(self.cast.figures)).float()
        behind = {name: head(looks[name]) for name, head in self.to_z.items()}
        return behind | {"place": self.to_place(torch.cat([half, figure], 1))}

    def place_of(self, codes: Tensor) -> Tensor:
        """The most probable place, ``int64 [m]``."""
        return self.cast.places(codes[:, :PLACE]).argmax(1)

    def column_of(self, codes: Tensor) -> Tensor:
        """The sun's column, ``int64 [n]``."""
        return self.background.place_of(codes[:, :BEHIND])

    def label_logits(self, looks: Looks) -> dict[str, Tensor]:
        """q(label | scene) for each label, as logits ``[n, |values|]``."""
        owner = {pose: role for role, pose in ROLES.items()}
        return {
            name: self.heads[f"read_{self.kinds.get(name, name)}"](
                looks[owner.get(name, name.split("_")[0])]
            )
            for name in self.world.visible
        }

    @torch.no_grad()
    def remember_styles(self, scenes: Tensor, values: Mapping[str, Tensor]) -> None:
        """Keep q(z | scene, labels) of these scenes, for `sample_style`; its blocks for the places
        and the sun's column are rounded from now on, to the mean of all that are drawn in the same
        place. So z tells where somebody stands and nothing of who does, or where the sun is and
        not whether it is a moon, which training alone leaves in it."""
        labels = self.labels(values, len(scenes))
        found = [self.codes(self.look(scenes[i]), rows(labels, i)) for i in parts(len(scenes))]
        codes = {name: torch.cat([x[name] for x in found]) for name in found[0]}
        self.round_place.keep(codes["place"], self.place_of(codes["place"]))
        if "sun" in codes:
            self.round_sun.keep(codes["sun"], self.column_of(codes["sun"]))
        super().remember_styles(scenes, values)
