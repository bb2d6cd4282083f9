"""The explorer's page: what it shows, as HTML."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import lru_cache
from html import escape

import numpy as np
from PIL import Image
from torch import Tensor

from cimg import explorer_words as words
from cimg.explorer_answer import Shown
from cimg.picture import COLOURS, INK, MARK
from cimg.scene import palette

ZOOM = 3  # screen pixels to a pixel's side
STYLE = f"""<style>
.cimg-part, .cimg-part .widget-html-content {{ min-width: 0; width: 100% }}
.cimg-page {{ background: white; color: {INK}; padding: 10px 12px; line-height: 1.45;
  font-size: 14px; font-family: "DejaVu Sans", Verdana, sans-serif; white-space: normal }}
.cimg-page p {{ margin: 4px 0; max-width: 62em }}
.cimg-page .cimg-title {{ font-size: 17px; font-weight: bold; padding-left: 9px }}
.cimg-page .cimg-note {{ font-size: 13px; color: #55555f }}
.cimg-page .cimg-wrong {{ border: 2px solid #b00020; padding: 6px 10px; font-weight: bold }}
.cimg-page .cimg-strip {{ display: flex; gap: 14px; margin: 8px 0 }}
.cimg-page .cimg-drawn {{ flex: 1; display: grid; gap: 10px 12px;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)) }}
.cimg-page figure {{ margin: 0; font-size: 13px; max-width: {64 * ZOOM}px }}
.cimg-page img {{ width: 100%; image-rendering: pixelated; display: block; margin: 0 0 3px;
  box-shadow: 0 0 0 1px {INK} }}
.cimg-page figure.cimg-fact {{ flex: 0 1 {64 * ZOOM}px; padding-right: 14px;
  border-right: 2px solid #c9c9d1 }}
.cimg-page .cimg-graph {{ overflow-x: auto }}
.cimg-page svg {{ display: block; margin: auto; font-size: 12.5px; font-family: inherit }}
.cimg-page svg text {{ fill: {INK} }}
</style>"""


def page(body: str) -> str:
    """A part of the page, in the page's own colours and letters."""
    return f'<div class="cimg-page">{body}</div>'


def answer(shown: Shown, truth: bool = False) -> str:
    """Rung, sentence and pictures; with `truth`, the true picture under each one drawn."""
    title = f"border-left: 7px solid {COLOURS[shown.controls.rung]}"
    said = f'<p class="cimg-title" style="{title}">{escape(words.title(shown))}</p>'
    wrong = ' class="cimg-wrong"' * bool(shown.conflict)
    said += f'<p role="status"{wrong}>{escape(shown.sentence)}</p>'
    return page(said + strip(shown, truth) + note(shown))


def problem(error: Exception) -> str:
    """What can't be answered, and why."""
    return page(f'<p role="status" class="cimg-wrong">{escape(str(error))}</p>')


def note(shown: Shown) -> str:
    """What is exact, what is the model's, what is assumed."""
    if shown.conflict:
        return ""
    return f'<p class="cimg-note">{escape(words.ASSUMED[shown.controls.rung])}</p>'


def strip(shown: Shown, truth: bool) -> str:
    """The scene that is looked at, and the model's pictures."""
    number = f"scene {shown.controls.scene}"
    read = words.labels_in_words(shown.read)
    fact = picture(shown.scene, f"{number}, a true picture: {read}")
    first = f'<figure class="cimg-fact">{fact}<b>{number}</b>, as read: {escape(read)}</figure>'
    figures = []
    for i, caption in enumerate(shown.captions):
        marks = (shown.drawn[i] != shown.truth[i]).numpy() if truth else None
        inside = picture(shown.drawn[i], f"the model: {caption}", marks)
        inside += f"<b>the model</b>: {escape(caption)}"
        if truth:
            inside += picture(shown.truth[i], f"the truth: {caption}") + far_off(
                int(shown.wrong[i])
            )
        figures.append(f"<figure>{inside}</figure>")
    drawn = f'<div class="cimg-drawn">{"".join(figures)}</div>'
    return f'<div class="cimg-strip">{first}{drawn}</div>'


def far_off(wrong: int) -> str:
    """How far a picture is from the true one above this text."""
    if not wrong:
        return "<b>the truth</b>: the same, pixel for pixel"
    differ = "1 pixel differs" if wrong == 1 else f"{wrong} pixels differ"
    return f"<b>the truth</b>: {differ}, framed above"


def picture(scene: Tensor, alt: str, marks: np.ndarray | None = None) -> str:
    """A scene, ``uint8 [H, W]``, as ``<img>``; `marks`, ``bool [H, W]``, are framed."""
    pixels = scene.numpy()
    if marks is not None and marks.any():
        pixels = framed(pixels, marks)
    png = encoded(pixels.tobytes(), pixels.shape[1])
    return f'<img src="data:image/png;base64,{png}" alt="{escape(alt)}">'


def framed(pixels: np.ndarray, marks: np.ndarray, size: int = 6) -> np.ndarray:
    """Each pixel a square of `size`, the marked ones in a frame of the colour after the last."""
    squares = np.ones((size, size), np.uint8)
    frame = np.pad(np.zeros((size - 2, size - 2), bool), 1, constant_values=True)
    large = np.kron(pixels, squares)
    large[np.kron(marks, frame)] = len(palette().names)
    return large


@lru_cache(maxsize=512)
def encoded(pixels: bytes, width: int) -> str:
    """Palette indices, row by row, as a PNG in base 64; the colour after the last is `MARK`."""
    image = Image.frombytes("P", (width, len(pixels) // width), pixels)
    mark = [int(MARK[i : i + 2], 16) for i in (1, 3, 5)]
    image.putpalette([*palette().rgb.flatten().tolist(), *mark])
    file = io.BytesIO()
    image.save(file, "PNG")
    return b64encode(file.getvalue()).decode()
