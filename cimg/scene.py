"""The renderer: the true picture of any labels and style, as palette indices.

A scene is a deterministic function of its *drawn variables*. A world decides some of them (its
labels: who, of which type, doing what); the rest are *style*, uniform and independent. Since every
step is an integer look-up, the same values give the same scene, bit for bit, on every machine.
"""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from math import prod
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .sprites import POSES, SIZE, TRANSPARENT, Palette, load_palette, load_sheets
from .world import World

HEIGHT, WIDTH = 36, 64
HALF = WIDTH // 2
TOP = 10  # row of the scene at which a sprite's row 0 is drawn: the sky above it stays free
FOOT = TOP + SIZE
STEP = 2  # pixels that one unit of distance moves a character away from the middle
CHARACTERS = ("satyr", "golem")
ACTIONS = ("attack", "taunt", "walk")
REACTIONS = ("die", "hurt", "idle", "attack")
SKIES = ("dawn", "day", "dusk", "night")
HILLS = ("round", "peaks", "mesa", "valley")
COLUMNS = tuple(str(i) for i in range(8))
DISTANCES = tuple(str(i) for i in range(4))
ROLES = {"actor": "action", "reactor": "reaction"}  # who is drawn, and what says in which pose


class SceneError(ValueError):
    """Values that can't be drawn, or a picture that isn't a scene."""


# ── The background, row by row ──────────────────────────────────────────────────────────────────

# sky: (upper colour, lower colour, sun's rim, sun's core, hills, ground, tufts), by palette name
_COLOURS = {
    "dawn": ("pink", "peach", "gold", "white", "purple", "grass", "pine"),
    "day": ("sky", "haze", "gold", "white", "pine", "grass", "pine"),
    "dusk": ("purple", "orange", "gold", "peach", "indigo", "pine", "grass"),
    "night": ("night", "indigo", "haze", "white", "night", "pine", "outline"),
}
_SUN = ("..###..", ".#ooo#.", "#ooooo#", "#ooooo#", "#ooooo#", ".#ooo#.", "..###..")
_MOON = ("..###..", ".#oo#..", "#oo#...", "#oo#...", "#oo#...", ".#oo#..", "..###..")
_STARS = ((3, 9), (11, 2), (18, 8), (27, 1), (34, 9), (41, 4), (47, 8), (55, 2), (61, 9), (23, 12))
_HORIZON = 30  # first row of the ground


def _hill_tops(hills: str) -> list[int]:
    """For each column the height of the hills above the horizon, in pixels."""
    x = range(WIDTH)
    if hills == "round":
        return [max(0, 13 - (abs(c - 20) ** 2) // 26, 10 - (abs(c - 50) ** 2) // 22) for c in x]
    if hills == "peaks":
        return [max(17 - abs(c - 31), 12 - abs(c - 10), 11 - abs(c - 54), 2) for c in x]
    if hills == "mesa":
        return [min(11, max(0, 3 * (c - 14)), max(0, 3 * (51 - c))) + 2 for c in x]
    return [max(2, (abs(c - 32) * 3) // 5 - 3) for c in x]


def _background(sky: int, sun: int, hills: int, palette: Palette) -> np.ndarray:
    """One background ``uint8 [HEIGHT, WIDTH]``: sky, sun or moon, hills, ground, in that order."""
    index = palette.names.index
    upper, lower, rim, core, hill, ground, tuft = map(index, _COLOURS[SKIES[sky]])
    picture = np.full((HEIGHT, WIDTH), lower, np.uint8)
    picture[:12] = upper
    picture[12:16:2, ::2] = picture[13:16:2, 1::2] = upper  # dither where the colours meet
    if SKIES[sky] == "night":
        for x, y in _STARS:
            picture[y, x] = index("haze")
    for y, row in enumerate(_MOON if SKIES[sky] == "night" else _SUN):
        for x, pixel in enumerate(row):
            if pixel != ".":
                picture[1 + y, 8 * sun + x] = core if pixel == "o" else rim
    for x, height in enumerate(_hill_tops(HILLS[hills])):
        picture[_HORIZON - height : _HORIZON, x] = hill
    picture[_HORIZON:] = ground
    for x in range(WIDTH):
        if (y := (x * x * 5 + 3 * x) % 17) < HEIGHT - _HORIZON:
            picture[_HORIZON + y, x] = tuft
    return picture


# ── The stage ───────────────────────────────────────────────────────────────────────────────────


class Stage:
    """Everything that can be drawn: a palette and the sheets of the characters.

    Args:
        sheets: ``{character: {type: uint8 [6, 24, 24]}}``, as `sprites.load_sheets` gives it.
        palette: the colours that the indices stand for.
    """

    def __init__(self, sheets: Mapping[str, Mapping[str, Tensor]], palette: Palette):
        self.palette = palette
        self.characters = tuple(sheets)
        self.types = tuple(next(iter(sheets.values())))
        if any(tuple(sheet) != self.types for sheet in sheets.values()):
            raise SceneError(f"every character needs the types {', '.join(self.types)}")
        self._sheets = np.stack([[sheet[t] for t in self.types] for sheet in sheets.values()])

    @cached_property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """The drawn variables and their values."""
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
        return np.stack([_background(*i, self.palette) for i in np.ndindex(*shape)])

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
            SceneError: a drawn variable is missing, out of range, or of another length.
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
        codes, length = {}, None
        for name, allowed in self.variables.items():
            if name not in values:
                raise SceneError(f"to draw a scene, '{name}' is needed; given: {', '.join(values)}")
            code = torch.as_tensor(values[name])
            if code.dtype.is_floating_point or code.dtype == torch.bool or code.dim() != 1:
                found = describe(code)
                raise SceneError(f"'{name}': expected an integer tensor [n], found {found}")
            if length is not None and len(code) != length:
                raise SceneError(f"'{name}' has {len(code)} rows, the variables before it {length}")
            length = len(code)
            if length and not 0 <= int(code.min()) <= int(code.max()) < len(allowed):
                raise SceneError(
                    f"'{name}' takes codes 0 to {len(allowed) - 1} ({', '.join(allowed)}), "
                    f"found {int(code.min())} to {int(code.max())}"
                )
            codes[name] = code.numpy()
        return codes

    def _flat(self, codes: Mapping[str, np.ndarray], names: Iterable[str]) -> np.ndarray:
        """Row-major index of several variables' codes taken together."""
        index: np.ndarray | int = 0
        for name in names:
            index = index * len(self.variables[name]) + codes[name]
        return np.asarray(index)


def describe(x: Tensor) -> str:
    """A tensor's type and shape in words, for error messages."""
    return f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}"


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
    """Raise `SceneError` unless each visible variable of the world can be drawn with its values."""
    for name in world.visible:
        drawn, values = stage().variables.get(name), world.variables[name].values
        if drawn is None:
            raise SceneError(f"world '{world.name}': '{name}' is in the image but can't be drawn")
        if values != drawn:
            raise SceneError(f"world '{world.name}': '{name}' is {values}, drawn are {drawn}")


def style_of(world: World) -> dict[str, tuple[str, ...]]:
    """The drawn variables that the world doesn't decide, with their values."""
    return {k: v for k, v in stage().variables.items() if k not in world.variables}


def sample_uniform(
    variables: Mapping[str, tuple[str, ...]], n: int, seed: int = 0
) -> dict[str, Tensor]:
    """Draw each variable uniformly and independently: ``{name: LongTensor[n]}``.

    Bit-exact for a seed on every machine: one raw 64-bit integer per row, reduced modulo the number
    of combinations (the bias, below 2**-40 for any variables drawn here, can't be noticed).
    """
    shape = [len(values) for values in variables.values()]
    raw = np.random.PCG64(seed).random_raw(n) % np.uint64(prod(shape))
    return unflatten(variables, torch.from_numpy(raw.astype(np.int64)))


def unflatten(variables: Mapping[str, tuple[str, ...]], index: Tensor) -> dict[str, Tensor]:
    """Row-major index -> ``{name: LongTensor}``: with ``arange(prod)``, every combination once."""
    shape = [len(values) for values in variables.values()]
    return dict(zip(variables, torch.unravel_index(index, shape), strict=True))


# ── Out ─────────────────────────────────────────────────────────────────────────────────────────


def to_rgb(scenes: Tensor) -> Tensor:
    """Palette indices ``uint8 [..., H, W]`` -> colours ``uint8 [..., H, W, 3]``."""
    return stage().palette.rgb[scenes.long()]


def save_png(scene: Tensor, path: str | Path, zoom: int = 8) -> Path:
    """Save one scene ``uint8 [H, W]`` as an indexed PNG, each pixel a square of ``zoom`` pixels."""
    if scene.dim() != 2 or scene.dtype != torch.uint8:
        raise SceneError(f"expected one scene, uint8 [{HEIGHT}, {WIDTH}], found {describe(scene)}")
    if zoom < 1:
        raise SceneError(f"zoom is a whole number from 1, found {zoom}")
    image = Image.fromarray(scene.numpy().repeat(zoom, 0).repeat(zoom, 1), mode="P")
    image.putpalette(stage().palette.rgb.flatten().tolist())
    image.save(path, optimize=True)
    return Path(path)
