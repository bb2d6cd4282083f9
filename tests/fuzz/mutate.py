"""Ways to spoil things: bytes, trees of lists and dicts, the chunks of a PNG file.

Each takes a `random.Random` and gives the same damage for the same state of it.
"""

import copy
import json
import math
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WORDS = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"{",
    b"}",
    b"[",
    b'"',
    b"(",
    b")",
    b";",
    b",",
    b"|",
    b"/*",
    b"//",
]
WORDS += [
    b"\n",
    b"\r",
    b" ",
    b"nan",
    b"-1",
    b"1e999",
    b"0x1",
    b"null",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
]
WORDS += [b"9" * 5000, b"[" * 3000, b"1 " * 500, b"\xe2\x80\xa8", b"default", b"table", b"property"]


def nasty(rng: random.Random) -> Any:
    """A value that hardly any reader hopes for; all but a few can be written as JSON."""
    depth = rng.choice([1, 3, 50, 400])
    nest: Any = 0
    for _ in range(depth):
        nest = [nest] if rng.random() < 0.8 else {"a": nest}
    return rng.choice(
        [
            None, True, False, 0, 1, -1, 2, 7, 10**30, -(10**400), 0.5, -0.5, 1e308, math.nan,
            math.inf, -math.inf, "", " ", "a", "\0", "\ud800", "é", "\u202e", "x" * 201,
            "x" * 50_000,
            "../../../etc/passwd", "/dev/zero", "__class__", "type1", "attack", "duel", [], {},
            [[]], ["a", "a"], {"": 0}, [None] * 40, list(range(300)), nest,
        ]
    )  # fmt: skip


def spoil_bytes(rng: random.Random, data: bytes, times: int | None = None) -> bytes:
    """One to four cuts, changes, insertions, repetitions or swaps at random places."""
    spoilt = bytearray(data)
    for _ in range(times or rng.randint(1, 4)):
        at = rng.randrange(len(spoilt) + 1)
        length = min(rng.choice([1, 1, 1, 2, 4, 16, 200]), len(spoilt) - at)
        match rng.randrange(7):
            case 0:
                del spoilt[at : at + length]
            case 1:
                spoilt[at : at + length] = rng.randbytes(length)
            case 2:
                spoilt[at:at] = rng.randbytes(rng.randint(1, 8))
            case 3:
                spoilt[at:at] = spoilt[at : at + length] * rng.choice([1, 2, 50])
            case 4:
                spoilt[at:at] = rng.choice(WORDS)
            case 5:
                if at < len(spoilt):
                    spoilt[at] ^= 1 << rng.randrange(8)
            case 6:
                if rng.random() < 0.3:
                    del spoilt[at:]
    return bytes(spoilt)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """All (holder, key) of a tree of lists and dicts."""
    found = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def spoil_tree(rng: random.Random, tree: Any, strange: Callable = nasty) -> Any:
    """A copy in which one to three entries are replaced, dropped, doubled, renamed or moved."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = places(tree)
        if not found:
            break
        holder, key = rng.choice(found)
        match rng.randrange(6):
            case 0 | 1:
                holder[key] = strange(rng)
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[str(rng.choice(["", "a", key, "é", "x" * 300])) + "_"] = holder.pop(key)
            case 3:
                holder.insert(key, copy.deepcopy(rng.choice(holder)))
            case 4:
                other, place = rng.choice(found)
                if isinstance(other, dict | list) and (
                    isinstance(other, dict) or place < len(other)
                ):
                    holder[key] = copy.deepcopy(other.get(place) if isinstance(other, dict)
                                                else other[place])  # fmt: skip
            case 5:
                value = holder[key]
                if isinstance(value, int | float) and abs(value) < 10**9:
                    holder[key] = value + rng.choice([1e-5, -1e-5, 1, -1, 0.1])
                elif isinstance(value, str):
                    holder[key] = value + rng.choice([" ", "\n", "2", "\0"])
                else:
                    holder[key] = [value]
    return tree


def spoil_json(rng: random.Random, tree: Any) -> bytes:
    """A tree spoilt, as JSON text, sometimes spoilt once more as text."""
    if rng.random() < 0.15:
        return spoil_bytes(rng, json.dumps(tree).encode())
    text = json.dumps(spoil_tree(rng, tree), ensure_ascii=rng.random() < 0.8)
    data = text.encode("utf-8", "surrogatepass")
    return spoil_bytes(rng, data, 1) if rng.random() < 0.2 else data


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and data of each chunk of a PNG file."""
    found, at = [], len(SIGNATURE)
    while at + 8 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG file of these chunks, each with the checksum that it should have."""
    whole = [SIGNATURE]
    for kind, data in parts:
        whole += [struct.pack(">I", len(data)), kind, data]
        whole.append(struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(whole)


def bomb(size: int = 50_000_000) -> bytes:
    """Some kilobytes that unfold to `size` zero bytes."""
    return zlib.compress(bytes(size), 9)


BOMB = bomb()


def spoil_png(rng: random.Random, data: bytes) -> bytes:
    """A PNG file with damaged bytes, or with right checksums around damaged chunks."""
    if rng.random() < 0.25:
        return spoil_bytes(rng, data)
    parts = chunks(data)
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(parts)) if parts else 0
        kind, inside = parts[i] if parts else (b"IHDR", b"")
        match rng.randrange(8):
            case 0:
                parts[i : i + 1] = []
            case 1:
                parts.insert(rng.randrange(len(parts) + 1), (kind, inside))
            case 2:
                parts[i : i + 1] = [(rng.choice([b"IDAT", b"PLTE", b"tRNS", b"IEND"]), inside)]
            case 3:
                parts[i : i + 1] = [(kind, spoil_bytes(rng, inside))]
            case 4:
                rng.shuffle(parts)
            case 5:
                extra = rng.choice(
                    [
                        (b"zTXt", b"a\0\0" + BOMB),
                        (b"iCCP", b"a\0\0" + BOMB),
                        (b"iTXt", b"a\0\1\0\0\0" + BOMB),
                        (b"acTL", struct.pack(">II", rng.choice([0, 1, 2, 2**31]), 0)),
                        (b"IDAT", BOMB),
                        (b"eXIf", rng.randbytes(40)),
                        (b"tRNS", rng.randbytes(rng.randint(0, 300))),
                    ]
                )
                parts.insert(rng.randint(0, len(parts)), extra)
            case 6 if kind == b"IHDR":
                fields = bytearray(inside.ljust(13, b"\0"))
                fields[rng.randrange(13)] = rng.choice([0, 1, 2, 3, 4, 6, 8, 16, 24, 144, 255])
                parts[i : i + 1] = [(kind, bytes(fields))]
            case _ if kind == b"IDAT":
                try:
                    raw = zlib.decompress(inside)
                except zlib.error:
                    raw = inside
                parts[i : i + 1] = [(kind, zlib.compress(spoil_bytes(rng, raw)))]
    return png(parts)
