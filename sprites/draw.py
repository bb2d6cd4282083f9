"""Draws the nine sprite sheets and the contact sheet: `python sprites/draw.py [folder]`.

Needs nothing but Python. The PNG files are written here, uncompressed, so that they are the same
byte for byte on every machine (compressors differ from one build of zlib to the next).
"""

import os
import struct
import sys
import zlib
from pathlib import Path

import golem
import satyr
import witch
from lettering import LABEL_HEIGHT, write
from rig import NAMES, SIZE, TRANSPARENT, Frame

HERE = Path(__file__).resolve().parent
POSES = ("attack", "taunt", "walk", "die", "hurt", "idle")
TYPES = ("type1", "type2", "type3")
CHARACTERS = {"satyr": satyr.draw, "golem": golem.draw, "witch": witch.draw}

Rows = list[list[int]]


def read_palette(path: Path) -> list[tuple[int, int, int]]:
    """The colours of a GIMP palette, in order; their names have to be those that rig.py uses."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    colours = [line for line in lines if line and line[0].isdigit()]
    names = [line[3] for line in colours]
    if names != NAMES:
        raise ValueError(f"{path.name} names {names}, rig.py names {NAMES}")
    return [(int(r), int(g), int(b)) for r, g, b, _ in colours]


def draw_frame(character: str, kind: str, pose: str) -> Rows:
    """One figure, outlined."""
    frame = Frame()
    CHARACTERS[character](frame, kind, pose)
    frame.outline()
    try:
        return frame.rows()
    except ValueError as error:
        raise ValueError(f"{character}-{kind}, {pose}: {error}") from None


def draw_sheet(character: str, kind: str) -> Rows:
    """Six figures side by side, one for each pose."""
    frames = [draw_frame(character, kind, pose) for pose in POSES]
    return [[pixel for frame in frames for pixel in frame[y]] for y in range(SIZE)]


def contact_sheet(sheets: dict[tuple[str, str], Rows], zoom: int = 4) -> Rows:
    """All figures, enlarged, on a pale ground, with the names of types and poses."""
    ground, ink = NAMES.index("haze"), NAMES.index("night")
    left, step, rim = 68, SIZE * zoom, 8
    width, height = left + step * len(POSES) + rim, LABEL_HEIGHT + step * len(sheets) + rim
    page = [[ground] * width for _ in range(height)]
    for column, pose in enumerate(POSES):
        write(page, pose, left + column * step + step // 2, LABEL_HEIGHT // 2, ink)
    for row, ((character, kind), sheet) in enumerate(sheets.items()):
        top = LABEL_HEIGHT + row * step
        write(page, character, left // 2, top + step // 2 - 8, ink)
        write(page, kind, left // 2, top + step // 2 + 8, ink)
        for y in range(step):
            for x in range(step * len(POSES)):
                pixel = sheet[y // zoom][x // zoom]
                if pixel != TRANSPARENT:
                    page[top + y][left + x] = pixel
    return page


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk: length, kind, data, checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def stored(data: bytes) -> bytes:
    """`data` as a zlib stream without compression: blocks of at most 65,535 bytes, as they are."""
    blocks = [data[i : i + 65535] for i in range(0, len(data), 65535)]
    last = len(blocks) - 1
    body = b"".join(
        struct.pack("<BHH", i == last, len(block), 65535 - len(block)) + block
        for i, block in enumerate(blocks)
    )
    return b"\x78\x01" + body + struct.pack(">I", zlib.adler32(data))


def png(rows: Rows, colours: list[tuple[int, int, int]], compress: bool = False) -> bytes:
    """An indexed PNG file: 8 bits a pixel, the palette's colours and a transparent one after."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    palette = b"".join(bytes(colour) for colour in [*colours, (0, 0, 0)])
    opacity = bytes([255] * len(colours) + [0])
    data = b"".join(b"\0" + bytes(row) for row in rows)
    chunks = (
        chunk(b"IHDR", header),
        chunk(b"PLTE", palette),
        chunk(b"tRNS", opacity),
        chunk(b"IDAT", zlib.compress(data, 9) if compress else stored(data)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def put(path: Path, content: bytes) -> None:
    """A file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def main(folder: Path = HERE) -> None:
    """Writes the sheets and the contact sheet into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = read_palette(HERE / "palette.gpl")
    sheets = {(c, t): draw_sheet(c, t) for c in CHARACTERS for t in TYPES}
    for (character, kind), sheet in sheets.items():
        path = folder / f"{character}-{kind}.png"
        put(path, png(sheet, colours))
        print(f"wrote {path.name}")
    put(folder / "contact-sheet.png", png(contact_sheet(sheets), colours, compress=True))
    print("wrote contact-sheet.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
