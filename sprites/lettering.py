"""A pixel alphabet, three by five, for the names on the contact sheet."""

SCALE = 2
LABEL_HEIGHT = 24

# Each glyph is five rows of three bits, one digit a row: 7 is ###, 5 is #.#, 2 is .#. and so on.
GLYPHS = {
    "a": "25755", "c": "34443", "d": "65556", "e": "74647", "f": "74644", "g": "34553",
    "h": "55755", "i": "72227", "k": "55655", "l": "44447", "m": "57755", "n": "65555",
    "o": "25552", "p": "65644", "r": "65655", "s": "34216", "t": "72222", "u": "55557",
    "w": "55775", "y": "55222", "1": "26227", "2": "61247", "3": "61216",
}  # fmt: skip


def write(page: list[list[int]], text: str, x: int, y: int, colour: int) -> None:
    """Writes `text` on a page of colour indices, its middle at `(x, y)`."""
    left = x - (4 * len(text) - 1) * SCALE // 2
    top = y - 5 * SCALE // 2
    for place, letter in enumerate(text):
        for row, bits in enumerate(GLYPHS[letter]):
            for column in range(3):
                if int(bits) >> (2 - column) & 1:
                    for i in range(SCALE * SCALE):
                        px = left + (4 * place + column) * SCALE + i % SCALE
                        page[top + row * SCALE + i // SCALE][px] = colour
