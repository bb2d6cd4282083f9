"""Shapes, shading and outlines: the few tools with which the characters are drawn.

A shape is a set of pixels `(x, y)`; x runs to the right, y runs DOWN, `(0, 0)` is the top left
pixel. A `Frame` is one 24 x 24 picture: shapes are laid on it from back to front, each is shaded
as it is laid down, and last of all the whole figure gets its dark outline. Everything is integer
arithmetic, so the same pixels come out on every machine.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

SIZE = 24
TRANSPARENT = 24
MARGIN = 1  # free columns at the left and right, free rows at the top
BASELINE = 23  # the bottom row, where the outline of the feet is

# The palette's colours by name, in the palette's order.
NAMES = [
    *("outline", "night", "indigo", "purple", "orange", "pink", "peach", "sky", "haze", "gold"),
    *("white", "pine", "grass", "fur_dark", "fur", "skin", "stone_dark", "stone", "stone_light"),
    *("red_dark", "red", "blue", "crystal", "mustard"),
]
COLOUR = {name: index for index, name in enumerate(NAMES)}

# One letter for each colour, for the hand-drawn pixel maps ("stamps"). A dot draws nothing.
LETTERS = dict(zip("knipoqeszywgGfFS123drbcm", NAMES, strict=True))

Point = tuple[int, int]
Shape = set[Point]
Ramp = tuple[str, str, str]  # three colour names: in shadow, plain, lit


def pen(width: int) -> list[Point]:
    """The pixels of a brush `width` pixels wide; brushes of 3 and more have rounded corners."""
    low = -((width - 1) // 2)
    side = range(low, low + width)
    corners = {low, low + width - 1}
    return [(x, y) for x in side for y in side if width < 3 or not (x in corners and y in corners)]


def stroke(points: Sequence[Point], width: int = 1) -> Shape:
    """A brush `width` pixels wide, drawn along straight lines from point to point."""
    path: Shape = {points[0]}
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):  # rounded to the nearest pixel, in integers
            x = (2 * (x0 * (steps - i) + x1 * i) + steps) // (2 * steps)
            y = (2 * (y0 * (steps - i) + y1 * i) + steps) // (2 * steps)
            path.add((x, y))
    return {(x + dx, y + dy) for x, y in path for dx, dy in pen(width)}


def ellipse(left: int, top: int, right: int, bottom: int) -> Shape:
    """The ellipse that just fills the box from `(left, top)` to `(right, bottom)`, both drawn."""
    w, h = right - left + 1, bottom - top + 1
    return {
        (x, y)
        for x in range(left, right + 1)
        for y in range(top, bottom + 1)
        if (2 * (x - left) + 1 - w) ** 2 * h * h + (2 * (y - top) + 1 - h) ** 2 * w * w
        <= w * w * h * h
    }


def polygon(*corners: Point) -> Shape:
    """The convex polygon with these corners, its edges drawn too, corners going clockwise."""
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    xs, ys = zip(*corners, strict=True)
    inside = {
        (x, y)
        for x in range(min(xs), max(xs) + 1)
        for y in range(min(ys), max(ys) + 1)
        if all((bx - ax) * (y - ay) >= (by - ay) * (x - ax) for (ax, ay), (bx, by) in edges)
    }
    return inside | stroke([*corners, corners[0]])


def neighbours(shape: Shape) -> Shape:
    """The pixels that touch the shape from the left, right, above or below."""
    around = {(x + dx, y + dy) for x, y in shape for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))}
    return around - shape


class Frame:
    """One picture being drawn: a dict from pixel to colour index; what isn't in it is clear."""

    def __init__(self) -> None:
        self.pixels: dict[Point, int] = {}

    def fill(self, shape: Iterable[Point], colour: str) -> None:
        """Paints every pixel of the shape in one colour, over what is there."""
        for point in shape:
            self.pixels[point] = COLOUR[colour]

    def seam(self, shape: Shape, colour: str = "outline") -> None:
        """A line around the shape where it lies on other parts: it keeps limbs from melting."""
        self.fill(neighbours(shape) & self.pixels.keys(), colour)

    def part(self, shape: Shape, ramp: Ramp, seam: str | None = "outline", depth: int = 1) -> None:
        """Lays a shaded shape on the picture.

        The light falls from the upper right, where the opponent stands: the reactor is mirrored,
        so both are lit from the middle of the scene. A pixel whose upper right neighbour is
        outside the shape is lit; one within `depth` of the lower left edge is in shadow.
        """
        if seam:
            self.seam(shape, seam)
        dark, plain, lit = ramp
        for x, y in shape:
            if (x + 1, y - 1) not in shape:
                colour = lit
            elif any((x - d, y + d) not in shape for d in range(1, depth + 1)):
                colour = dark
            else:
                colour = plain
            self.pixels[x, y] = COLOUR[colour]

    def stamp(
        self,
        at: Point,
        art: str,
        letters: dict[str, str] | None = None,
        seam: str | None = None,
        lying: bool = False,
    ) -> None:
        """Lays a hand-drawn pixel map on the picture, its top left corner at `at`.

        `letters` gives colour names for letters of this map, beside those of `LETTERS`; `lying`
        turns the map on its back (its top to the left, its right side up).
        """
        key = {**LETTERS, **(letters or {})}
        rows = art.split()
        if lying:
            rows = ["".join(column) for column in zip(*rows, strict=True)][::-1]
        drawn = {
            (at[0] + x, at[1] + y): key[letter]
            for y, row in enumerate(rows)
            for x, letter in enumerate(row)
            if letter != "."
        }
        if seam:
            self.seam(set(drawn), seam)
        for point, colour in drawn.items():
            self.pixels[point] = COLOUR[colour]

    def outline(self) -> None:
        """Puts the dark line around the whole figure. It comes last."""
        self.fill(neighbours(set(self.pixels)), "outline")

    def rows(self) -> list[list[int]]:
        """The picture as 24 rows of 24 colour indices, `TRANSPARENT` where nothing is drawn."""
        low, high = MARGIN, SIZE - 1 - MARGIN
        for x, y in self.pixels:
            if not (low <= x <= high and MARGIN <= y <= BASELINE):
                raise ValueError(f"pixel ({x}, {y}) is drawn on the margin")
        return [[self.pixels.get((x, y), TRANSPARENT) for x in range(SIZE)] for y in range(SIZE)]
