"""Digests of all that is exact: sprites, backgrounds, scenes, and the weights that are shipped.

    python -m tests.digests                    # what has changed since they were pinned
    python -m tests.digests --write [weights]  # pin them anew: all, or these parts

They are pinned in digests.json, which is written by this command alone: after `make weights` (which
calls it), or after a character, a world or the renderer has changed. `git diff` shows what that is.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cimg import checkpoint
from cimg.data import draw, draw_evenly
from cimg.files import write_file
from cimg.scene import sample_uniform, stage
from cimg.sprites import load_palette, load_sheets
from cimg.world import World

PINNED = Path(__file__).with_name("digests.json")
N, SEED = 10_000, 2026
WORLDS = sorted(path.stem for path in (checkpoint.FOLDER.parent / "worlds").glob("*.json"))


def digest(*tensors: Tensor) -> str:
    """SHA-256 of shapes, types and bytes, in little-endian order; its first 16 letters."""
    total = hashlib.sha256()
    for x in tensors:
        total.update(f"{x.dtype} {list(x.shape)}".encode())
        array = x.contiguous().numpy()
        total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()[:16]


def of_named(values: dict[str, Tensor]) -> str:
    """The digest of tensors with their names, in the order of these."""
    return digest(
        *(x for name in sorted(values) for x in (torch.tensor(list(name.encode())), values[name]))
    )


def of_sprites() -> dict[str, str]:
    """Palette, sheets, backgrounds."""
    found = {"palette": digest(load_palette().rgb)}
    for character, sheets in sorted(load_sheets().items()):
        found |= {f"{character}-{kind}": digest(sheet) for kind, sheet in sheets.items()}
    return found | {"backgrounds": digest(torch.from_numpy(stage().backgrounds))}


def of_scenes() -> dict[str, str]:
    """10,000 scenes as each world makes them, their values, and 10,000 drawn evenly."""
    found = {"values drawn uniformly": of_named(sample_uniform(stage().variables, N, SEED))}
    for name in WORLDS:
        world = World.load(name)
        scenes, values = draw(world, N, seed=SEED)
        evenly, _ = draw_evenly(world, N, seed=SEED)
        found |= {name: digest(scenes), f"{name}, values": of_named(values)}
        found |= {f"{name}, drawn evenly": digest(evenly)}
    return found


def of_weights() -> dict[str, str]:
    """Every tensor of each checkpoint that is shipped, with its name and type."""
    paths = sorted(checkpoint.FOLDER.glob("*.safetensors"))
    return {path.stem: of_named(checkpoint.read(path)[0]) for path in paths}


PARTS: dict[str, Callable[[], dict[str, str]]] = {
    "sprites": of_sprites,
    "scenes": of_scenes,
    "weights": of_weights,
}


@cache
def pinned() -> dict[str, dict[str, str]]:
    return json.loads(PINNED.read_text(encoding="utf-8")) if PINNED.exists() else {}


def changes(part: str, found: dict[str, str]) -> list[str]:
    """What isn't as it was pinned: a line each."""
    was = pinned().get(part, {})
    names = [name for name in was | found if was.get(name) != found.get(name)]
    return [
        f"{part}, {name}: was {was.get(name, 'not there')}, is {found.get(name, 'gone')}"
        for name in names
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.digests", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--write", action="store_true", help="pin what is found")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    found = {part: PARTS[part]() for part in PARTS if part in (options.parts or PARTS)}
    changed = [line for part, own in found.items() for line in changes(part, own)]
    print("\n".join(changed) or "All as pinned.")
    if options.write and changed:
        whole = pinned() | found
        text = json.dumps({part: whole[part] for part in PARTS if part in whole}, indent=1)
        write_file(PINNED, f"{text}\n".encode())
        pinned.cache_clear()
        print(f"Pinned in {PINNED.name}.")
    return 1 if changed and not options.write else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
