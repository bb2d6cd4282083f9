"""Scenes side by side, and what differs between them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from textwrap import wrap

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from torch import Tensor

from cimg.picture import (
    INK,
    MARK,
    Picture,
    finish,
    house_style,
    sentences,
    sheet,
    text_width,
    titled,
)
from cimg.scene import HEIGHT, WIDTH, SceneError, Stage, describe, to_rgb
from cimg.scene_words import scenes_in_words
from cimg.sprites import TRANSPARENT
from cimg.tables import whole


@house_style
def scenes(
    scenes: Tensor,
    captions: Collection[str] | None = None,
    columns: int | None = None,
    zoom: int = 4,
    marks: Tensor | None = None,
    title: str = "",
    digest: bool = True,
    stage: Stage | None = None,
    says: str | None = None,
) -> Picture:
    """Scenes side by side, each pixel a square of `zoom` pixels, captions underneath.

    Args:
        scenes: uint8 [n, H, W] (or one, [H, W]) of palette indices; TRANSPARENT stays white.
        captions: one for each scene. columns: how many side by side, by default what fits.
        marks: bool [n, H, W], pixels to be outlined, such as those where model and truth differ.
        digest: the text that machines compare has all of the alternative text, and a digest of the
            pixels. Leave it out where they come from a network, whose last bits may differ from
            machine to machine: then it has the captions alone.
        stage: what draws the scenes, such as `stage_of(world)`; by default the course's own. The
            alternative text says what is in them, as read on it by the exact oracle; of more than
            eight, hills and distances are left out.
        says: what they show, in words, instead.

    Raises SceneError for what isn't a scene, ValueError for captions or marks that don't fit."""
    pixels = pixels_of(scenes)
    n, height, width = pixels.shape
    listed = isinstance(captions, Collection) and not isinstance(captions, str)
    if captions is not None and (not listed or len(captions) != n):
        found = len(captions) if listed else repr(captions)
        raise ValueError(f"captions: expected {n}, one for each scene, found {found}")
    captions = None if captions is None else [str(text) for text in captions]
    if marks is not None and (describe(marks) != f"bool {list(scenes.shape)}"):
        raise ValueError(f"marks: expected bool {list(scenes.shape)}, found {describe(marks)}")
    zoom = whole(zoom, "zoom", 1)
    columns = None if columns is None else whole(columns, "columns", 1)
    if zoom > 16:
        raise ValueError(f"expected zoom 1 to 16, found {zoom}")
    w, h, gap = width * zoom, height * zoom, 14
    columns = min(n, columns or max(1, 920 // (w + gap)))
    texts = [wrap(str(text), max(6, int(w / 7.8))) for text in captions or []]
    step = h + gap + 20 * max(map(len, texts), default=0)
    wide = max(columns * (w + gap) + gap, text_width(title, 13) + 2 * gap)
    figure, ax = sheet(wide, -(-n // columns) * step + gap, 30 * bool(title))
    ax.text(gap, -10, title, size=13, weight="bold", va="center")
    for i, scene in enumerate(pixels):
        x, y = gap + i % columns * (w + gap), gap + i // columns * step
        place(ax, scene, x, y, zoom)
        if marks is not None:
            _outline(ax, marks.reshape(pixels.shape)[i].numpy(), x, y, zoom)
        for j, line in enumerate(texts[i] if texts else []):
            ax.text(x + w / 2, y + h + 13 + 20 * j, line, ha="center", va="center")
    alt, compared = _in_words(pixels, captions, marks, title, stage, says)
    pinned = f" Pixels {digest_of(pixels)}."
    return finish(figure, alt, compared=alt + pinned if digest else compared)


def _in_words(
    pixels: Tensor,
    captions: Collection[str] | None,
    marks: Tensor | None,
    title: str,
    stage: Stage | None,
    says: str | None,
) -> tuple[str, str]:
    """The alternative text of scenes, [n, H, W]; and what of it doesn't depend on their pixels."""
    n, what = len(pixels), "scene" if pixels.shape[1:] == (HEIGHT, WIDTH) else "picture"
    count = titled(title, f"{n} {what}{'s' * (n > 1)}")
    listed = f"{count}: {'; '.join(map(str, captions))}" if captions else count
    k = 0 if marks is None else int(marks.sum())
    marked = f"{k} pixel{'s' * (k != 1)} marked" if marks is not None else ""
    read = says is None and scenes_in_words(pixels, captions, stage)
    head = count if read and n > 1 else listed  # the words name each scene's caption themselves
    return sentences([head, marked, read or says or ""]), sentences([listed])


def pixels_of(scenes: Tensor, most: int = 100, size: tuple[int, int] | None = None) -> Tensor:
    """Scenes as [n, H, W], checked."""
    good = isinstance(scenes, Tensor) and scenes.dtype == torch.uint8 and scenes.dim() in (2, 3)
    if not good or scenes.shape[-2:] != (size or scenes.shape[-2:]):
        raise SceneError(f"expected scenes, uint8 [n, {HEIGHT}, {WIDTH}], found {describe(scenes)}")
    scenes = scenes.detach().cpu().reshape(-1, *scenes.shape[-2:])
    if not 1 <= len(scenes) <= most or not scenes.numel():
        raise SceneError(f"expected 1 to {most} scenes to show, found {describe(scenes)}")
    if (bad := (scenes > TRANSPARENT).nonzero()).numel():
        i, y, x = bad[0].tolist()
        found = int(scenes[i, y, x])
        raise SceneError(f"scene {i}, row {y}, column {x}: the palette has no colour {found}")
    return scenes


def digest_of(pixels: Tensor) -> str:
    return hashlib.sha256(pixels.contiguous().numpy().tobytes()).hexdigest()[:8]


def place(ax: Axes, scene: Tensor, x: float, y: float, zoom: int) -> None:
    """One scene in a thin frame, its upper left corner at (x, y)."""
    clear = scene == TRANSPARENT
    rgb = to_rgb(scene.masked_fill(clear, 0)).masked_fill(clear[..., None], 255)
    w, h = scene.shape[1] * zoom, scene.shape[0] * zoom
    place = {"extent": (x, x + w, y + h, y), "aspect": "auto", "zorder": 2}
    ax.imshow(rgb.numpy(), interpolation="nearest", **place)
    ax.add_patch(Rectangle((x, y), w, h, fill=False, ec=INK, lw=1, zorder=2))


def _outline(ax: Axes, marks: np.ndarray, x: float, y: float, zoom: int) -> None:
    """A line around each region of marked pixels, dark and bright, to be seen on any colour."""
    m = np.pad(marks, 1)
    level = [((c, r), (c + 1, r)) for r, c in np.argwhere(m[1:, 1:-1] != m[:-1, 1:-1])]
    upright = [((c, r), (c, r + 1)) for r, c in np.argwhere(m[1:-1, 1:] != m[1:-1, :-1])]
    lines = np.array(level + upright, float).reshape(-1, 2, 2) * zoom + (x, y)
    for colour, width in ((INK, 3.2), (MARK, 1.4)):
        ax.add_collection(
            LineCollection(lines, colors=colour, lw=width, capstyle="round", zorder=3)
        )
