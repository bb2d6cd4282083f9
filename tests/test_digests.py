"""The same pixels on every machine and in every year: digests of what is exact, pinned.

Should one of these change, then pictures, stored outputs and weights have changed with it: that
is a new version of the course, and is told in CHANGELOG.md. `python -m tests.digests --write` pins
them anew.
"""

import json

import pytest
import torch

from cimg import checkpoint
from cimg.sprites import load_palette, load_sheets
from tests import digests
from tests.digests import digest


@pytest.mark.parametrize("part", digests.PARTS)
def test_all_is_as_pinned(part):
    assert not digests.changes(part, digests.PARTS[part]())


def test_all_that_there_is_is_pinned():
    """Each sheet, each world, each file of weights has a digest of its own."""
    pinned = json.loads(digests.PINNED.read_text(encoding="utf-8"))
    sheets = {f"{who}-{kind}" for who, own in load_sheets().items() for kind in own}
    assert pinned["sprites"].keys() == {*sheets, "palette", "backgrounds"}
    assert {"arena", "duel"} <= set(digests.WORLDS) <= pinned["scenes"].keys()
    shipped = {path.stem for path in checkpoint.FOLDER.glob("*.safetensors")}
    assert {"arena", "duel", "reader"} <= shipped == pinned["weights"].keys()
    every = [x for part in pinned.values() for x in part.values()]
    assert len(set(every)) == len(every) and all(len(x) == 16 for x in every)


def test_the_palettes_first_colours():
    assert load_palette().names[:2] == ("outline", "night")


def test_a_digest_tells_one_pixel_a_type_and_a_shape():
    x = torch.zeros(4, 6, dtype=torch.uint8)
    other = x.clone()
    other[3, 5] = 1
    tensors = [(x,), (other,), (x.reshape(6, 4),), (x.to(torch.int8),), (x, x)]
    assert len({digest(*some) for some in tensors}) == 5 and digest(x) == digest(x.clone())


def test_a_digest_tells_names():
    x, y = torch.zeros(2), torch.ones(2)
    found = [{"a": x, "b": y}, {"a": y, "b": x}, {"a": x, "c": y}, {"a": x}]
    assert len({digests.of_named(values) for values in found}) == 4
    assert digests.of_named({"b": y, "a": x}) == digests.of_named({"a": x, "b": y})


def test_the_command_says_what_has_changed_and_pins_it_when_told(tmp_path, monkeypatch, capsys):
    before = digests.PINNED.read_text(encoding="utf-8")
    changed = json.loads(before)
    name = next(iter(changed["weights"]))
    changed["weights"][name] = "0" * 16
    changed["weights"]["gone"] = "1" * 16
    (path := tmp_path / "digests.json").write_text(json.dumps(changed))
    monkeypatch.setattr(digests, "PINNED", path)
    digests.pinned.cache_clear()
    try:
        assert digests.main(["weights"]) == 1
        said = capsys.readouterr().out
        assert f"weights, {name}: was {'0' * 16}, is " in said
        assert f"weights, gone: was {'1' * 16}, is gone" in said and "Pinned" not in said
        assert digests.main(["--write", "weights"]) == 0
        assert path.read_text(encoding="utf-8") == before
        assert digests.main(["weights"]) == 0
        with pytest.raises(SystemExit):
            digests.main(["weight"])
    finally:
        digests.pinned.cache_clear()
