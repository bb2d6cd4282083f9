"""What stands behind the characters: sky, sun or moon, hills, ground; painted by rule, row by row.

Only whole numbers are used, so that the same background comes out on every machine.
"""

from collections.abc import Sequence

import numpy as np

HEIGHT, WIDTH = 36, 64  # pixels of a scene
SKIES = ("dawn", "day", "dusk", "night")
COLUMNS = tuple(str(i) for i in range(8))  # where the sun or moon stands, from the left
HILLS = ("round", "peaks", "mesa", "valley")
SKY = ("sky", "sun", "hills")  # the drawn variables that decide a background
HORIZON = 30  # first row of the ground

# sky: (upper colour, lower colour, sun's rim, sun's core, hills, ground, tufts), by palette name
_COLOURS = {
    "dawn": ("pink", "peach", "gold", "white", "purple", "grass", "pine"),
    "day": ("sky", "haze", "gold", "white", "pine", "grass", "pine"),
    "dusk": ("purple", "orange", "gold", "peach", "indigo", "pine", "grass"),
    "night": ("night", "indigo", "haze", "white", "night", "pine", "outline"),
}
COLOURS = tuple(dict.fromkeys(name for row in _COLOURS.values() for name in row))
_SUN = ("..###..", ".#ooo#.", "#ooooo#", "#ooooo#", "#ooooo#", ".#ooo#.", "..###..")
_MOON = ("..###..", ".#oo#..", "#oo#...", "#oo#...", "#oo#...", ".#oo#..", "..###..")
_STARS = ((3, 9), (11, 2), (18, 8), (27, 1), (34, 9), (41, 4), (47, 8), (55, 2), (61, 9), (23, 12))


def hill_tops(hills: str) -> list[int]:
    """For each column the height of the hills above the horizon, in pixels."""
    x = range(WIDTH)
    if hills == "round":
        return [max(0, 13 - (abs(c - 20) ** 2) // 26, 10 - (abs(c - 50) ** 2) // 22) for c in x]
    if hills == "peaks":
        return [max(17 - abs(c - 31), 12 - abs(c - 10), 11 - abs(c - 54), 2) for c in x]
    if hills == "mesa":
        return [min(11, max(0, 3 * (c - 14)), max(0, 3 * (51 - c))) + 2 for c in x]
    return [max(2, (abs(c - 32) * 3) // 5 - 3) for c in x]


def paint(sky: int, sun: int, hills: int, names: Sequence[str]) -> np.ndarray:
    """One background, ``uint8 [HEIGHT, WIDTH]`` of palette indices.

    Sky, sun or moon, hills and ground are painted in that order, each over what is there already.

    Args:
        sky, sun, hills: codes, places in `SKIES`, `COLUMNS` and `HILLS`.
        names: the palette's colours in order; those of `COLOURS` have to be among them.
    """
    upper, lower, rim, core, hill, ground, tuft = map(names.index, _COLOURS[SKIES[sky]])
    picture = np.full((HEIGHT, WIDTH), lower, np.uint8)
    picture[:12] = upper
    picture[12:16:2, ::2] = picture[13:16:2, 1::2] = upper  # dither where the colours meet
    if SKIES[sky] == "night":
        for x, y in _STARS:
            picture[y, x] = rim
    for y, row in enumerate(_MOON if SKIES[sky] == "night" else _SUN):
        for x, pixel in enumerate(row):
            if pixel != ".":
                picture[1 + y, 8 * sun + x] = core if pixel == "o" else rim
    for x, height in enumerate(hill_tops(HILLS[hills])):
        picture[HORIZON - height : HORIZON, x] = hill
    picture[HORIZON:] = ground
    for x in range(WIDTH):
        if (y := (x * x * 5 + 3 * x) % 17) < HEIGHT - HORIZON:
            picture[HORIZON + y, x] = tuft
    return picture
