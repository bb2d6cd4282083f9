"""The same pixels on every machine and in every year: digests of what is exact, pinned.

Should one of these change, then pictures, stored outputs and weights have changed with it: that
is a new version of the course, and is told in CHANGELOG.md.
"""

import hashlib

import pytest
import torch
from torch import Tensor

from cimg.data import draw, draw_evenly
from cimg.scene import sample_uniform, stage
from cimg.sprites import load_palette, load_sheets
from cimg.world import World


def digest(*tensors: Tensor) -> str:
    """SHA-256 of shapes, types and bytes, in little-endian order."""
    total = hashlib.sha256()
    for x in tensors:
        total.update(f"{x.dtype} {list(x.shape)}".encode())
        array = x.contiguous().numpy()
        total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()[:16]


def values_digest(values: dict[str, Tensor]) -> str:
    return digest(
        *(x for name in sorted(values) for x in (torch.tensor(list(name.encode())), values[name]))
    )


SHEETS = {
    "golem-type1": "64fa9f76eff38141",
    "golem-type2": "52adc130de3d0ae2",
    "golem-type3": "96f132ea6efeeeb6",
    "satyr-type1": "a441e6b6a06952df",
    "satyr-type2": "1fb106b5998e1a5e",
    "satyr-type3": "b268c01a8381e61c",
}
WORLDS = {  # 10,000 scenes as the world makes them, their values, and 10,000 drawn evenly
    "arena": ("fbbb219b6bd8e10f", "beb3e8deff9eff14", "0f31d7f44b3e5b4b"),
    "duel": ("84b824be4ebcd7fa", "5503e3495e735a59", "301e4a7115535119"),
}


def test_the_palette():
    palette = load_palette()
    assert palette.names[:2] == ("outline", "night") and digest(palette.rgb) == "445689d21d9800ee"


@pytest.mark.parametrize("name", SHEETS)
def test_sheets(name):
    character, kind = name.split("-")
    assert digest(load_sheets()[character][kind]) == SHEETS[name]


def test_backgrounds():
    assert digest(torch.from_numpy(stage().backgrounds)) == "9ac63fb1ee298146"


@pytest.mark.parametrize("name", WORLDS)
def test_ten_thousand_scenes(name):
    world = World.load(name)
    scenes, values = draw(world, 10_000, seed=2026)
    evenly, _ = draw_evenly(world, 10_000, seed=2026)
    assert (digest(scenes), values_digest(values), digest(evenly)) == WORLDS[name]


def test_uniform_draws():
    assert values_digest(sample_uniform(stage().variables, 10_000, seed=2026)) == "402e3efcdd41105b"


def test_a_digest_tells_one_pixel_a_type_and_a_shape():
    x = torch.zeros(4, 6, dtype=torch.uint8)
    other = x.clone()
    other[3, 5] = 1
    found = {
        digest(x),
        digest(other),
        digest(x.reshape(6, 4)),
        digest(x.to(torch.int8)),
        digest(x, x),
    }
    assert len(found) == 5 and digest(x) == digest(x.clone())
