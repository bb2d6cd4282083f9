"""The characters' pictures: read the palette and the sheets, check them, hand them on.

A sheet is one PNG file for each character and type, `satyr-type1.png`, six poses side by side, each
24 x 24 pixels, all facing right. Its colours are those of `palette.gpl`, a GIMP palette that any
pixel editor reads. `sprites/README.md` tells how to draw one's own.
"""

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .files import path_of, read_file

SIZE = 24  # pixels, the width and height of one pose
POSES = ("attack", "taunt", "walk", "die", "hurt", "idle")
SHEET = (SIZE * len(POSES), SIZE)  # pixels, width and height
COLOURS = 24
TRANSPARENT = 24  # the index after the colours': nothing is drawn here
MARGIN = 1  # empty columns at the left and right of a pose, empty rows at its top

SHEET_NAME = r"([a-z][a-z0-9_]*)-([a-z][a-z0-9_]*)\.png"  # character, hyphen, type

MAX_SHEET, MAX_PALETTE = 2**20, 2**16  # bytes: far more than either needs

_HERE = Path(__file__).resolve().parent
_PACKED = _HERE / "_course" / "sprites"  # there if cimg was installed from a wheel
FOLDER = _PACKED if _PACKED.is_dir() else _HERE.parent / "sprites"


class SpriteError(ValueError):
    """A palette or a sheet that can't be used; the message names the file and the pixel."""


@dataclass(frozen=True)
class Palette:
    """The colours: their names, and their red, green and blue as a uint8 tensor [24, 3]."""

    names: tuple[str, ...]
    rgb: Tensor


def load_palette(path: str | Path = FOLDER / "palette.gpl") -> Palette:
    """Reads a GIMP palette of 24 named colours; a colour's index is its place in the file, from 0.

    Raises SpriteError, naming the line, if the file can't be read, isn't a GIMP palette, has a line
    that isn't `red green blue name`, names or lists a colour twice, or hasn't 24 colours.
    """
    path = path_of(path, SpriteError)
    try:
        lines = read_file(path, MAX_PALETTE).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SpriteError(f"{path.name}: can't be read as a text file ({why})") from error
    if not lines or lines[0].strip() != "GIMP Palette":
        found = repr(lines[0][:60]) if lines else "an empty file"
        raise SpriteError(f"{path.name}, line 1: expected 'GIMP Palette', found {found}")
    colours: dict[str, tuple[int, ...]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or re.match(r"\s*(#|Name:|Columns:)", line):
            continue
        where = f"{path.name}, line {number}"
        *numbers, name = line.strip().split(maxsplit=3)
        rgb = tuple(int(x) for x in numbers if re.fullmatch(r"[0-9]{1,3}", x))
        if len(numbers) != 3 or len(rgb) != 3 or max(rgb) > 255:
            found = repr(line[:60])
            raise SpriteError(f"{where}: expected red, green, blue (0-255), name; found {found}")
        if name in colours or rgb in colours.values():
            found = repr(line[:60])
            raise SpriteError(f"{where}: the name or the colour of {found} is there already")
        colours[name] = rgb
    if len(colours) != COLOURS:
        raise SpriteError(f"{path.name}: expected {COLOURS} colours, found {len(colours)}")
    return Palette(tuple(colours), torch.tensor(list(colours.values()), dtype=torch.uint8))


def load_sheet(path: str | Path, palette: Palette) -> Tensor:
    """Reads one sheet: uint8 [6, 24, 24] of palette indices, `TRANSPARENT` where nothing is drawn.

    The poses come in the order of `POSES`. Any PNG colour mode will do: colours are matched to the
    palette exactly, pixel by pixel, never to the nearest one. Raises SpriteError, naming file, pose
    and pixel, for a file that isn't a sound PNG of 144 x 24 pixels, a half transparent pixel, a
    colour outside the palette, an empty pose, a drawn margin, or a figure that doesn't stand.
    """
    path = path_of(path, SpriteError)
    rgba = _read_png(path)
    red, green, blue, alpha = rgba.long().unbind(-1)
    code = (red << 16) | (green << 8) | blue
    r, g, b = palette.rgb.long().unbind(-1)
    match = code[..., None] == ((r << 16) | (g << 8) | b)  # [24, 144, colours]
    indices = torch.where(alpha == 0, TRANSPARENT, match.int().argmax(-1)).to(torch.uint8)
    poses = indices.reshape(SIZE, len(POSES), SIZE).transpose(0, 1)

    partly = (alpha > 0) & (alpha < 255)
    foreign = (alpha == 255) & ~match.any(-1)
    if partly.any():
        x, y, where = _first(path, partly)
        raise SpriteError(f"{where}: expected opacity 0 or 255, found {int(alpha[y, x])}")
    if foreign.any():
        x, y, where = _first(path, foreign)
        found = f"#{int(code[y, x]):06x}"
        raise SpriteError(f"{where}: expected a colour of the palette, found {found}")
    _check_poses(path, poses)
    return poses.contiguous()


def load_sheets(folder: str | Path = FOLDER) -> dict[str, dict[str, Tensor]]:
    """Reads every sheet of a folder: {"golem": {"type1": uint8 [6, 24, 24], ...}, "satyr": ...}.

    The folder holds `palette.gpl` and one `character-type.png` for each character and type; every
    character has the same types. Both come in alphabetical order. `contact-sheet.png`, the
    overview, is passed over.
    Raises SpriteError as `load_palette` and `load_sheet` do, and for a file name that isn't
    `character-type.png`, a folder without sheets, or a type that a character lacks.
    """
    folder = path_of(folder, SpriteError)
    sheets = read_sheets(folder, load_palette(folder / "palette.gpl"))
    types = sorted({kind for of in sheets.values() for kind in of})
    for character, of in sheets.items():
        for kind in types:
            if kind not in of:
                raise SpriteError(
                    f"{character}-{kind}.png is missing in {folder}: every character needs"
                    f" the types {', '.join(types)}; {character} has {', '.join(of)}"
                )
    return sheets


def read_sheets(folder: Path, palette: Palette) -> dict[str, dict[str, Tensor]]:
    """The sheets of a folder, as `load_sheets`, but a character may lack types of another."""
    sheets: dict[str, dict[str, Tensor]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".png" or path.name == "contact-sheet.png":
            continue
        name = re.fullmatch(SHEET_NAME, path.name)
        if name is None:
            raise SpriteError(
                f"{path.name}: expected a name like satyr-type1.png: character, hyphen, type, in"
                " small letters, digits and underscores"
            )
        sheets.setdefault(name[1], {})[name[2]] = load_sheet(path, palette)
    if not sheets:
        raise SpriteError(f"{folder}: expected sheets like satyr-type1.png, found none")
    return sheets


def _read_png(path: Path) -> Tensor:
    """The file as uint8 [24, 144, 4]: red, green, blue and opacity.

    The header is checked before a pixel is decoded: a small file may claim to be a huge picture.
    """
    try:
        content = read_file(path, MAX_SHEET)
    except OSError as error:
        raise SpriteError(f"{path.name}: can't be read ({error.strerror})") from error
    header = content[:25]
    if len(header) < 25 or header[:8] != b"\x89PNG\r\n\x1a\n" or header[12:16] != b"IHDR":
        raise SpriteError(f"{path.name}: expected a PNG file, found something else")
    width, height, bits = struct.unpack(">IIB", header[16:])
    if (width, height) != SHEET:
        raise SpriteError(
            f"{path.name}: expected {SHEET[0]} x {SHEET[1]} pixels, {len(POSES)} poses side by"
            f" side, found {width} x {height}"
        )
    if bits > 8:
        raise SpriteError(f"{path.name}: expected at most 8 bits for each colour, found {bits}")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != SHEET:  # the decoder believes the last header, not the first
                raise ValueError("it has two headers")
            frames = getattr(image, "n_frames", 1)
            data = bytearray(image.convert("RGBA").tobytes())
    except Exception as error:  # a damaged file makes the decoder raise many kinds of error
        raise SpriteError(f"{path.name}: a damaged PNG file ({error})") from error
    if frames != 1:
        raise SpriteError(f"{path.name}: expected a still picture, found {frames} frames")
    return torch.frombuffer(data, dtype=torch.uint8).reshape(height, width, 4)


def _first(path: Path, wrong: Tensor) -> tuple[int, int, str]:
    """The first wrong pixel of a sheet, in reading order, and the words that say where it is."""
    y, x = wrong.nonzero()[0].tolist()
    return x, y, f"{path.name}, pose {POSES[x // SIZE]}, pixel ({x}, {y}) of the sheet"


def _check_poses(path: Path, poses: Tensor) -> None:
    """Every pose is drawn, leaves its margins empty, and stands on the bottom row."""
    drawn = poses != TRANSPARENT  # [6, 24, 24]
    edge = drawn.clone()
    edge[:, MARGIN:, MARGIN : SIZE - MARGIN] = False
    if edge.any():
        *_, where = _first(path, edge.transpose(0, 1).reshape(SIZE, -1))
        raise SpriteError(
            f"{where}: expected {MARGIN} empty pixel at the left, right and top of each pose,"
            " found a drawn one"
        )
    for pose, picture in zip(POSES, drawn, strict=True):
        where = f"{path.name}, pose {pose}"
        if not picture.any():
            raise SpriteError(f"{where}: expected a figure, found an empty pose")
        if not picture[-1].any():
            lowest = int(picture.any(1).nonzero().max())
            raise SpriteError(
                f"{where}: expected the figure to stand on the bottom row, {SIZE - 1}, found its"
                f" lowest pixel in row {lowest}"
            )
