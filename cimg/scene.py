"""The renderer: the true picture of any labels and style, as palette indices.

A scene is a deterministic function of its *drawn variables*. A world decides some of them (its
labels: who, of which type, doing what); the rest are *style*, uniform and independent. Since every
step is an integer look-up, the same values give the same scene, bit for bit, on every machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from .background import COLUMNS, HEIGHT, HILLS, SKIES, SKY, WIDTH, paint
from .cast import (
    ACTIONS,
    CHARACTERS,
    REACTIONS,
    ROLES,
    Cast,
    add_sprites,
    cast_of,
    palette,
    sheets_of,
)
from .codes import (
    SceneError,
    check_range,
    check_sheets,
    describe,
    integers,
    sample_uniform,
    unflatten,
    whole_number,
)
from .pixels import check_scenes, save_png, to_rgb
from .sprites import POSES, SIZE, TRANSPARENT, Palette
from .tables import some
from .world import World

__all__ = [
    "ACTIONS", "CHARACTERS", "COLUMNS", "DISTANCES", "FOOT", "HALF", "HEIGHT", "HILLS", "REACTIONS",
    "ROLES", "SKIES", "STEP", "TOP", "WIDTH", "SceneError", "Stage", "add_sprites", "check_range",
    "check_scenes", "check_world", "describe", "integers", "palette", "render", "sample_uniform",
    "save_png", "stage", "stage_of", "style_of", "to_rgb", "unflatten", "whole_number",
]  # fmt: skip

HALF = WIDTH // 2
TOP = 10  # row of the scene at which a sprite's row 0 is drawn: the sky above it stays free
FOOT = TOP + SIZE
STEP = 2  # pixels that one unit of distance moves a character away from the middle
DISTANCES = tuple(str(i) for i in range(4))


# ── The stage ───────────────────────────────────────────────────────────────────────────────────


class Stage:
    """Everything that can be drawn: a palette and the sheets of the characters.

    Args:
        sheets: ``{character: {type: uint8 [6, 24, 24]}}``, as `sprites.load_sheets` gives it.
        palette: the colours that the indices stand for.
        actions, reactions: the poses, of `sprites.POSES`, in which each role is drawn.

    Raises:
        SceneError: no character or no type, a type that a character lacks, what isn't a sheet, or
            a palette without one of the colours that backgrounds are painted with.
    """

    def __init__(
        self,
        sheets: Mapping[str, Mapping[str, Tensor]],
        palette: Palette,
        actions: Sequence[str] = ACTIONS,
        reactions: Sequence[str] = REACTIONS,
    ):
        check_sheets(sheets, palette)
        self.palette = palette
        self.actions, self.reactions = tuple(actions), tuple(reactions)
        self.characters = tuple(sheets)
        self.types = tuple(next(iter(sheets.values())))
        self._sheets = np.stack([[sheet[t] for t in self.types] for sheet in sheets.values()])

    @cached_property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """The drawn variables and their values; a value's code is its place."""
        who = {"character": self.characters, "type": self.types}
        cast = {f"{role}_{part}": values for role in ROLES for part, values in who.items()}
        return cast | {
            "action": self.actions,
            "reaction": self.reactions,
            "sky": SKIES,
            "sun": COLUMNS,
            "actor_distance": DISTANCES,
            "reactor_distance": DISTANCES,
            "hills": HILLS,
        }

    @cached_property
    def digest(self) -> str:
        """Digest of the sheets: the same where the same figures are drawn."""
        return sha256(self._sheets.tobytes()).hexdigest()[:16]

    @cached_property
    def apart(self) -> int:
        """In how many pixels, at least, a figure differs from any other."""
        figures = torch.from_numpy(self._sheets).flatten(3).flatten(0, 2).float()
        far = torch.cdist(figures, figures, 0)  # counts pixels that differ
        return int(far.fill_diagonal_(SIZE * SIZE).min())

    @cached_property
    def backgrounds(self) -> np.ndarray:
        """All backgrounds, ``uint8 [sky * sun * hills, HEIGHT, WIDTH]``."""
        shape = (len(SKIES), len(COLUMNS), len(HILLS))
        return np.stack([paint(*codes, self.palette.names) for codes in np.ndindex(*shape)])

    def figures(self, role: str) -> np.ndarray:
        """All views of one character, ``uint8 [character * type * pose * distance, SIZE, HALF]``.

        The poses are those of the role's own variable. The reactor's are mirrored to face left.
        """
        return self._views[role]

    @cached_property
    def _views(self) -> dict[str, np.ndarray]:
        return {role: self._seen(role) for role in ROLES}

    def _seen(self, role: str) -> np.ndarray:
        poses = [POSES.index(pose) for pose in self.variables[ROLES[role]]]
        sprites = self._sheets[:, :, poses].reshape(-1, SIZE, SIZE)
        views = np.full((len(sprites), len(DISTANCES), SIZE, HALF), TRANSPARENT, np.uint8)
        for distance in range(len(DISTANCES)):
            x = STEP * (len(DISTANCES) - 1 - distance)
            views[:, distance, :, x : x + SIZE] = sprites
        views = views.reshape(-1, SIZE, HALF)
        return views if role == "actor" else np.ascontiguousarray(views[:, :, ::-1])

    def render(self, values: Mapping[str, Tensor]) -> Tensor:
        """Draw the true picture of each row of values.

        Args:
            values: integer tensors ``[n]``, one for each of `variables`; others are ignored (a
                world's hidden variables aren't drawn).

        Returns:
            Scenes, ``uint8 [n, HEIGHT, WIDTH]`` of palette indices.

        Raises:
            SceneError: a drawn variable is missing, out of range, of another length than the
                others, or no integer tensor with one dimension.
        """
        codes = self._codes(values)
        back = self._flat(codes, SKY)
        scenes = self.backgrounds.take(back, axis=0)
        band = scenes[:, TOP:FOOT]
        for role, half in (("actor", band[..., :HALF]), ("reactor", band[..., HALF:])):
            parts = (f"{role}_character", f"{role}_type", ROLES[role], f"{role}_distance")
            figure = self.figures(role).take(self._flat(codes, parts), axis=0)
            np.copyto(half, figure, where=figure != TRANSPARENT)
        return torch.from_numpy(scenes)

    def _codes(self, values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """The drawn variables' codes, checked."""
        if not isinstance(values, Mapping):
            raise SceneError(f"expected a dict of integer tensors [n], found {describe(values)}")
        codes: dict[str, np.ndarray] = {}
        for name, allowed in self.variables.items():
            if name not in values:
                given = some(list(values))
                raise SceneError(f"to draw a scene, '{name}' is needed; given: {given}")
            code = integers(values[name], f"'{name}'")
            if code.dim() != 1:
                raise SceneError(f"'{name}': expected a tensor [n], found {describe(code)}")
            for first, other in codes.items():
                if len(other) != len(code):
                    raise SceneError(f"'{name}' has {len(code)} rows, '{first}' has {len(other)}")
            check_range(code, f"'{name}'", len(allowed), f"({', '.join(allowed)})")
            codes[name] = code.numpy()
        return codes

    def _flat(self, codes: Mapping[str, np.ndarray], names: Iterable[str]) -> np.ndarray:
        """Row-major index of several variables' codes taken together."""
        index: np.ndarray | int = 0
        for name in names:
            index = index * len(self.variables[name]) + codes[name]
        return np.asarray(index)


def stage() -> Stage:
    """The course's own stage: satyr and golem, of three types each."""
    return _stage(Cast())


def stage_of(world: World) -> Stage:
    """The stage on which a world can be drawn: its characters and types, in its order.

    Of what the world doesn't say, the course's. The sheets are looked up by name; see
    `add_sprites` for those of one's own.

    Raises:
        SceneError: actor and reactor differ in characters or types; a pose that isn't one; a sheet
            that isn't there (it names the file); two figures that nobody could tell apart.
        SpriteError: a sheet that can't be used.
    """
    return _stage(cast_of(world))


@lru_cache(maxsize=16)
def _stage(cast: Cast) -> Stage:
    made = Stage(sheets_of(cast), palette(), cast.actions, cast.reactions)
    for role, pose in ROLES.items():
        parts = (f"{role}_character", f"{role}_type", pose, f"{role}_distance")
        variables, first = {name: made.variables[name] for name in parts}, {}
        for i, view in enumerate(made.figures(role)):
            if (j := first.setdefault(view.tobytes(), i)) != i:
                codes = unflatten(variables, torch.tensor([j, i]))
                names = [[variables[k][x[row]] for k, x in codes.items()] for row in (0, 1)]
                alike = " and ".join("{} {}, {}".format(*values) for values in names)
                raise SceneError(f"{alike} are drawn alike: nobody could tell which it is")
    return made


def render(values: Mapping[str, Tensor], stage: Stage | None = None) -> Tensor:
    """`Stage.render`, on the course's own stage if no other is given.

    Raises SceneError, as that does, and for what is no stage."""
    if stage is not None and not isinstance(stage, Stage):
        raise SceneError(f"expected a stage, as stage_of gives it; found {describe(stage)}")
    return (stage or _stage(Cast())).render(values)


# ── Style ───────────────────────────────────────────────────────────────────────────────────────


def check_world(world: World) -> Stage:
    """The stage that draws the world (`stage_of`), if there is one that draws all of it.

    Each visible variable has to be one that is drawn, with the same values in the same order (who
    is drawn, and in which poses, is the world's to say); and no hidden variable may go by the name
    of one that is drawn.

    Raises:
        SceneError: of these, what is wrong first; or as `stage_of`.
    """
    stage = stage_of(world)
    for name, variable in world.variables.items():
        drawn, where = stage.variables.get(name), f"world '{world.name}': '{name}'"
        if variable.in_image and drawn is None:
            names = ", ".join(stage.variables)
            raise SceneError(f"{where} is in the image but can't be drawn; these can: {names}")
        if variable.in_image and variable.values != drawn:
            found = ", ".join(variable.values)
            raise SceneError(f"{where} should have the values {', '.join(drawn)}; found {found}")
        if not variable.in_image and drawn is not None:
            raise SceneError(f"{where} is hidden, but a variable of that name is drawn")
    return stage


def style_of(world: World, stage: Stage | None = None) -> dict[str, tuple[str, ...]]:
    """The drawn variables that the world doesn't decide, and their values; on the world's own stage
    (raises as `stage_of`), or on another."""
    drawn = (stage or stage_of(world)).variables
    return {name: values for name, values in drawn.items() if name not in world.variables}
