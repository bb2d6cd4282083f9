"""Scenes as pictures: checked, in red, green and blue, as files."""

import io
import os
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .background import HEIGHT, WIDTH
from .cast import palette
from .codes import SceneError, check_range, describe, integers, whole_number
from .files import write_file

MOST_PIXELS = 2**26  # of a PNG file: a scene enlarged 170 times


def check_scenes(scenes: Tensor) -> None:
    """Raise SceneError unless this is ``uint8 [n, HEIGHT, WIDTH]`` with colours of the palette."""
    want = f"expected scenes, uint8 [n, {HEIGHT}, {WIDTH}]"
    if not isinstance(scenes, Tensor):
        raise SceneError(f"{want}, found {type(scenes).__name__}")
    if scenes.dtype != torch.uint8 or scenes.dim() != 3 or scenes.shape[1:] != (HEIGHT, WIDTH):
        raise SceneError(f"{want}, found {describe(scenes)}")
    colours = len(palette().names)
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
    check_range(index, "scenes", len(palette().rgb))
    return palette().rgb[index]


def save_png(scene: Tensor, path: str | Path, zoom: int = 8) -> Path:
    """Save one scene ``uint8 [H, W]`` as an indexed PNG, each pixel a square of ``zoom`` pixels.

    The file is there whole or not at all.

    Raises:
        SceneError: what isn't one scene, or has an index that is no colour's; a zoom that isn't a
            whole number from 1, or too large a one; a name that doesn't end in ``.png``; a file
            that can't be written.
    """
    good = isinstance(scene, Tensor) and scene.dtype == torch.uint8 and scene.dim() == 2
    if not good or not scene.numel():
        raise SceneError(f"expected one scene, uint8 [{HEIGHT}, {WIDTH}], found {describe(scene)}")
    colours = palette().rgb
    check_range(scene, "scene", len(colours))
    zoom = whole_number(zoom, "zoom", 1)
    if (pixels := scene.numel() * zoom**2) > MOST_PIXELS:
        raise SceneError(f"zoom {zoom:,}: {pixels:,} pixels; at most {MOST_PIXELS:,} are saved")
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
