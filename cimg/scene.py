"""The renderer: the true picture of any labels and style, as palette indices.

A scene is a deterministic function of its *drawn variables*. A world decides some of them (its
labels: who, of which type, doing what); the rest are *style*, uniform and independent. Since every
step is an integer look-up, the same values give the same scene, bit for bit, on every machine.
"""

import io
import os
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from math import prod
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .background import COLUMNS, HEIGHT, HILLS, SKIES, WIDTH, paint
from .codes import SceneError, check_range, check_sheets, describe, integers, whole_number
from .files import write_file
from .sprites import POSES, SIZE, TRANSPARENT, Palette, load_palette, load_sheets
from .world import World

HALF = WIDTH // 2
TOP = 10  # row of the scene at which a sprite's row 0 is drawn: the sky above it stays free
FOOT = TOP + SIZE
STEP = 2  # pixels that one unit of distance moves a character away from the middle
CHARACTERS = ("satyr", "golem")
ACTIONS = ("attack", "taunt", "walk")
REACTIONS = ("die", "hurt", "idle", "attack")
DISTANCES = tuple(str(i) for i in range(4))
ROLES = {"actor": "action", "reactor": "reaction"}  # who is drawn, and what says in which pose


# ── The stage ───────────────────────────────────────────────────────────────────────────────────


class Stage:
    """Everything that can be drawn: a palette and the sheets of the characters.

    Args:
        sheets: ``{character: {type: uint8 [6, 24, 24]}}``, as `sprites.load_sheets` gives it.
        palette: the colours that the indices stand for.

    Raises:
        SceneError: no character or no type, a type that a character lacks, what isn't a sheet, or
            a palette without one of the colours that backgrounds are painted with.
    """

    def __init__(self, sheets: Mapping[str, Mapping[str, Tensor]], palette: Palette):
        check_sheets(sheets, palette)
        self.palette = palette
        self.characters = tuple(sheets)
        self.types = tuple(next(iter(sheets.values())))
        self._sheets = np.stack([[sheet[t] for t in self.types] for sheet in sheets.values()])

    @cached_property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """The drawn variables and their values; a value's code is its place."""
        who = {"character": self.characters, "type": self.types}
        cast = {f"{role}_{part}": values for role in ROLES for part, values in who.items()}
        return cast | {
            "action": ACTIONS,
            "reaction": REACTIONS,
            "sky": SKIES,
            "sun": COLUMNS,
            "actor_distance": DISTANCES,
            "reactor_distance": DISTANCES,
            "hills": HILLS,
        }

    @cached_property
    def backgrounds(self) -> np.ndarray:
        """All backgrounds, ``uint8 [sky * sun * hills, HEIGHT, WIDTH]``."""
        shape = (len(SKIES), len(COLUMNS), len(HILLS))
        return np.stack([paint(*codes, self.palette.names) for codes in np.ndindex(*shape)])

    @cache  # noqa: B019  (a stage lives as long as the program)
    def figures(self, role: str) -> np.ndarray:
        """All views of one character, ``uint8 [character * type * pose * distance, SIZE, HALF]``.

        The poses are those of the role's own variable. The reactor's are mirrored to face left.
        """
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
        back = self._flat(codes, ("sky", "sun", "hills"))
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
                raise SceneError(f"to draw a scene, '{name}' is needed; given: {', '.join(values)}")
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


@cache
def stage() -> Stage:
    """The course's own stage: the sheets and the palette in ``sprites/``."""
    sheets = load_sheets()
    return Stage({character: sheets[character] for character in CHARACTERS}, load_palette())


def render(values: Mapping[str, Tensor]) -> Tensor:
    """`Stage.render` on the course's own stage."""
    return stage().render(values)


# ── Style ───────────────────────────────────────────────────────────────────────────────────────


def check_world(world: World) -> None:
    """Raise `SceneError` unless the course's stage can draw the world.

    Each visible variable has to be one that is drawn, with the same values in the same order; and
    no hidden variable may go by the name of one that is drawn.
    """
    for name, variable in world.variables.items():
        drawn, where = stage().variables.get(name), f"world '{world.name}': '{name}'"
        if variable.in_image and drawn is None:
            names = ", ".join(stage().variables)
            raise SceneError(f"{where} is in the image but can't be drawn; these can: {names}")
        if variable.in_image and variable.values != drawn:
            found = ", ".join(variable.values)
            raise SceneError(f"{where} should have the values {', '.join(drawn)}; found {found}")
        if not variable.in_image and drawn is not None:
            raise SceneError(f"{where} is hidden, but a variable of that name is drawn")


def style_of(world: World) -> dict[str, tuple[str, ...]]:
    """The drawn variables that the world doesn't decide, with their values."""
    return {k: v for k, v in stage().variables.items() if k not in world.variables}


def sample_uniform(
    variables: Mapping[str, tuple[str, ...]], n: int, seed: int = 0
) -> dict[str, Tensor]:
    """Draw each variable uniformly and independently: ``{name: LongTensor[n]}``.

    Bit-exact for a seed on every machine: one raw 64-bit integer per row, reduced modulo the number
    of combinations (the bias, below 2**-40 for any variables drawn here, can't be noticed).
    Raises SceneError where `n` or `seed` isn't a whole number from 0.
    """
    n, seed = whole_number(n, "n"), whole_number(seed, "seed")
    combinations = prod(len(values) for values in variables.values())
    raw = np.random.PCG64(seed).random_raw(n) % np.uint64(combinations)
    return unflatten(variables, torch.from_numpy(raw.astype(np.int64)))


def unflatten(variables: Mapping[str, tuple[str, ...]], index: Tensor) -> dict[str, Tensor]:
    """Row-major index -> ``{name: LongTensor}``: with ``arange(prod)``, every combination once.

    Raises SceneError where the index isn't an integer tensor, or counts beyond the combinations.
    """
    shape = [len(values) for values in variables.values()]
    index = integers(index, "index")
    check_range(index, "index", prod(shape))
    return dict(zip(variables, torch.unravel_index(index, shape), strict=True))


# ── Out ─────────────────────────────────────────────────────────────────────────────────────────


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


def to_rgb(scenes: Tensor) -> Tensor:
    """Palette indices ``uint8 [..., H, W]`` -> colours ``uint8 [..., H, W, 3]``.

    Raises SceneError for what isn't an integer tensor, and for an index that is no colour's."""
    index = integers(scenes, "scenes")
    check_range(index, "scenes", len(stage().palette.rgb))
    return stage().palette.rgb[index]


def save_png(scene: Tensor, path: str | Path, zoom: int = 8) -> Path:
    """Save one scene ``uint8 [H, W]`` as an indexed PNG, each pixel a square of ``zoom`` pixels.

    The file is there whole or not at all.

    Raises:
        SceneError: what isn't one scene, or has an index that is no colour's; a zoom that isn't a
            whole number from 1; a name that doesn't end in ``.png``; a file that can't be written.
    """
    good = isinstance(scene, Tensor) and scene.dtype == torch.uint8 and scene.dim() == 2
    if not good or not scene.numel():
        raise SceneError(f"expected one scene, uint8 [{HEIGHT}, {WIDTH}], found {describe(scene)}")
    colours = stage().palette.rgb
    check_range(scene, "scene", len(colours))
    zoom = whole_number(zoom, "zoom", 1)
    if not isinstance(path, str | os.PathLike) or Path(path).suffix.lower() != ".png":
        raise SceneError(f"expected a file name that ends in .png, found {str(path)!r}")
    image = Image.fromarray(scene.numpy().repeat(zoom, 0).repeat(zoom, 1))
    image.putpalette(colours.flatten().tolist())
    png = io.BytesIO()
    try:
        image.save(png, "PNG", optimize=True)
        write_file(path, png.getvalue())
    except OSError as error:
        raise SceneError(f"{path}: can't be written: {error.strerror}") from error
    return Path(path)
