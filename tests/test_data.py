"""Data: the same for a seed everywhere, even where it should be, nothing of what is held out."""

import csv
import itertools
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

import cimg.data
import cimg.files
from cimg.data import Batches, combinations, draw, draw_evenly, export, held_out, labels_of, seeds
from cimg.query import probability
from cimg.scene import SceneError, render, stage, style_of, to_rgb
from cimg.world import World, WorldError

DUEL, ARENA = World.load("duel"), World.load("arena")
WORLDS = pytest.mark.parametrize("world", [DUEL, ARENA], ids=["duel", "arena"])


def digest(*tensors: torch.Tensor) -> str:
    return sha256(b"".join(x.contiguous().numpy().tobytes() for x in tensors)).hexdigest()[:16]


def equal(one, other) -> bool:
    """Two batches, bit for bit."""
    (scenes, values), (others, theirs) = one, other
    same = all(torch.equal(values[k], theirs[k]) for k in values)
    return list(values) == list(theirs) and same and torch.equal(scenes, others)


def combination(values: dict[str, torch.Tensor], world: World) -> torch.Tensor:
    """Which combination of labels each row has, counted by hand."""
    index = torch.zeros(len(values["action"]), dtype=torch.long)
    for name in world.visible:
        index = index * len(world.variables[name].values) + values[name]
    return index


# ── The same everywhere ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "world, values_digest, scenes_digest",
    [
        (DUEL, "bf78dd3c1c533a2d", "25c4795a0bcf8846"),
        (ARENA, "94e8a981c4ac86ea", "0399c1e98c7fb3d6"),
    ],
    ids=["duel", "arena"],
)
def test_a_batch_is_the_same_on_every_machine(world, values_digest, scenes_digest):
    scenes, values = Batches(world, 64, seed=7)[3]
    assert digest(*values.values()) == values_digest
    assert digest(scenes) == scenes_digest  # changes with the art


def test_a_seed_s_seeds_are_the_same_on_every_machine():
    assert seeds(0, 1) == [5836529245451711556, 8811601478698894690]
    assert seeds(3, 2, 5, n=1) == [16915429354210642500]


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    straight = list(itertools.islice(Batches(DUEL, 8, seed=1), 5))
    asked = Batches(DUEL, 8, seed=1)
    for i in (4, 0, 2, 2, 3, 1):
        assert equal(asked[i], straight[i])
    digests = {digest(*values.values()) for _, values in straight}
    digests |= {digest(*Batches(DUEL, 8, seed=2)[i][1].values()) for i in range(5)}
    assert len(digests) == 10


@pytest.mark.parametrize("workers", [0, 2])
def test_torch_s_loader_gives_the_batches_in_order_and_each_once(workers):
    loader = DataLoader(Batches(DUEL, 4, seed=1), batch_size=None, num_workers=workers)
    got = list(itertools.islice(loader, 5))
    assert all(equal(batch, Batches(DUEL, 4, seed=1)[i]) for i, batch in enumerate(got))


def test_draws_and_even_draws_and_batches_of_one_seed_have_nothing_in_common():
    names = [n for n in DUEL.visible]
    found = [draw(DUEL, 500, 5)[1], draw_evenly(DUEL, 500, 5)[1], Batches(DUEL, 500, 5)[0][1]]
    for one, other in itertools.combinations(found, 2):
        for name in (*names, *style_of(DUEL)):
            agree = float((one[name] == other[name]).float().mean())
            assert agree < 0.75, name  # 2 values by chance: 0.5, sd 0.022; reaction is skewed


# ── What is drawn ───────────────────────────────────────────────────────────────────────────────


@WORLDS
@pytest.mark.parametrize("do", [None, {"action": "attack"}, {"action": 1, "reactor_type": "type3"}])
def test_draws_are_the_world_s_and_the_scenes_are_true(world, do):
    n = 4000
    scenes, values = draw(world, n, seed=11, do=do)
    assert scenes.dtype == torch.uint8 and scenes.shape == (n, 36, 64)
    assert set(values) == {*world.variables, *style_of(world)}
    assert all(x.dtype == torch.int64 and x.shape == (n,) for x in values.values())
    assert torch.equal(render(values), scenes)
    for name, code in world.encode(do or {}).items():
        assert (values[name] == code).all()
    free = [name for name in ("action", "reaction", "actor_type") if name not in (do or {})]
    for name in free:
        exact = probability(world, name, do=do)
        counted = torch.bincount(values[name], minlength=len(exact)) / n
        assert (counted - exact).abs().max() < 4 * 0.5 / n**0.5, name
    for name, own in style_of(world).items():
        counted = torch.bincount(values[name], minlength=len(own)) / n
        assert (counted - 1 / len(own)).abs().max() < 4 * 0.5 / n**0.5, name


@WORLDS
def test_even_draws_are_even_over_all_combinations_and_styles(world):
    n, cells = 200_000, combinations(world)
    values = draw_evenly_values(world, n)
    assert set(values) == {*world.visible, *style_of(world)}
    for index, size in (
        (combination(values, world), cells),
        (values["sun"] * 16 + values["actor_distance"] * 4 + values["reactor_distance"], 128),
        (combination(values, world) % 12 * 8 + values["sun"], 96),  # labels and style together
    ):
        counts = torch.bincount(index, minlength=size).double()
        assert len(counts) == size
        chi_square = float(((counts - n / size) ** 2 / (n / size)).sum())
        assert abs(chi_square - (size - 1)) < 4.5 * (2 * (size - 1)) ** 0.5


def draw_evenly_values(world: World, n: int) -> dict[str, torch.Tensor]:
    """Values of many draws, a few thousand at a time: their scenes aren't kept."""
    some = [draw_evenly(world, 4000, seed)[1] for seed in range(n // 4000)]
    return {name: torch.cat([values[name] for values in some]) for name in some[0]}


def test_even_draws_pay_no_heed_to_the_tables():
    changed = DUEL.to_dict()
    for variable in changed["variables"]:
        if not variable["parents"]:
            variable["cpt"] = [0.9, 0.1]
    other = World.from_dict(changed)
    assert equal(draw_evenly(DUEL, 100, 3), draw_evenly(other, 100, 3))
    assert not equal(draw(DUEL, 100, 3), draw(other, 100, 3))


# ── What is held out ────────────────────────────────────────────────────────────────────────────


@WORLDS
@pytest.mark.parametrize("share", [0, 0.001, 0.2, 1 / 3, 0.5, 1])
def test_the_share_held_out_is_exact(world, share):
    mask = held_out(world, share)
    assert mask.dtype == torch.bool and mask.shape == (combinations(world),)
    assert int(mask.sum()) == round(share * combinations(world))


def test_what_is_held_out_depends_on_the_seed_alone_and_grows_with_the_share():
    assert digest(held_out(DUEL, 0.2)) == "622f722a26a274d1"
    assert torch.equal(held_out(DUEL, 0.2, seed=4), held_out(DUEL, 0.2, seed=4))
    assert not torch.equal(held_out(DUEL, 0.2, seed=4), held_out(DUEL, 0.2, seed=5))
    assert (held_out(DUEL, 0.2) <= held_out(DUEL, 0.4)).all()


@WORLDS
def test_what_is_held_out_is_never_drawn_and_all_else_is(world):
    unseen = held_out(world, 0.2)
    batches = Batches(world, 3000, seed=3, keep=~unseen)
    found = torch.cat([combination(batches[i][1], world) for i in range(8)])
    assert set(found.tolist()) == set((~unseen).nonzero()[:, 0].tolist())
    other = combination(draw_evenly(world, 20_000, 3, keep=unseen)[1], world)
    assert set(other.tolist()) == set(unseen.nonzero()[:, 0].tolist())


@given(st.integers(0, 431), st.integers(0, 2**64), st.integers(1, 20))
def test_one_combination_can_be_asked_for(index, seed, n):
    keep = torch.zeros(432, dtype=torch.bool)
    keep[index] = True
    _, values = draw_evenly(DUEL, n, seed, keep)
    assert (combination(values, DUEL) == index).all() and len(values["action"]) == n


def test_labels_of():
    assert list(labels_of(DUEL)) == list(DUEL.visible) and combinations(DUEL) == 432
    assert labels_of(ARENA)["sky"] == ("dawn", "day", "dusk", "night")
    assert combinations(ARENA) == 4 * 432


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────

ALL = torch.ones(432, dtype=torch.bool)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: held_out(DUEL, 1.01), "share held out must be a number from 0 to 1, found 1.01"),
        (lambda: held_out(DUEL, -0.2), "found -0.2"),
        (lambda: held_out(DUEL, float("nan")), "found nan"),
        (lambda: held_out(DUEL, "0.2"), "found '0.2'"),
        (lambda: held_out(DUEL, True), "found True"),
        (lambda: held_out(DUEL, 0.2, seed=-1), "seed must be a whole number from 0 up, found int"),
        (lambda: draw(DUEL, -1), "n must be a whole number"),
        (lambda: draw(DUEL, 1.5), "n must be a whole number"),
        (lambda: draw(DUEL, 1, seed=-1), "seed must be a whole number"),
        (lambda: draw(DUEL, 1, do={"acton": "attack"}), "unknown variable 'acton'; there are: act"),
        (
            lambda: draw(DUEL, 1, do={"action": "fly"}),
            "unknown value 'fly' .*: attack, taunt",
        ),
        (lambda: draw_evenly(DUEL, -1), "n must be a whole number"),
        (lambda: draw_evenly(DUEL, 1, seed="1"), "seed must be a whole number"),
        (lambda: draw_evenly(DUEL, 1, keep=~ALL), "no combination of labels is left"),
        (lambda: draw_evenly(DUEL, 1, keep=ALL[1:]), r"expected bool \[432\], found bool \[431\]"),
        (lambda: draw_evenly(DUEL, 1, keep=ALL.long()), r"expected bool \[432\], found int64"),
        (lambda: draw_evenly(DUEL, 1, keep=[True]), "found list"),
        (lambda: Batches(DUEL, 0), "size must be a whole number from 1 up"),
        (lambda: Batches(DUEL, 4, seed=-2), "seed must be a whole number"),
        (lambda: Batches(DUEL, 4)[-1], "seed must be a whole number"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(WorldError, match=message):
        call()


def test_a_world_that_cannot_be_drawn():
    weather = {"name": "weather", "values": ["rain"], "cpt": [1.0], "in_image": True}
    world = World.from_dict({"name": "mine", "variables": [weather]})
    for call in (draw, draw_evenly):
        with pytest.raises(SceneError, match="'weather' is in the image but can't be drawn"):
            call(world, 1)


def test_nothing_is_drawn_where_nothing_is_asked_for():
    for scenes, values in (draw(DUEL, 0), draw_evenly(DUEL, 0)):
        assert scenes.shape == (0, 36, 64) and len(values["sun"]) == 0


# ── Export ──────────────────────────────────────────────────────────────────────────────────────


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@WORLDS
@pytest.mark.parametrize("zoom", [1, 3])
def test_what_is_exported_comes_back(world, zoom, tmp_path):
    scenes, values = draw(world, 12, seed=9, do={"reaction": "die"})
    table = export(tmp_path / "a" / "b", world, 12, 9, {"reaction": "die"}, zoom)
    assert table == tmp_path / "a" / "b" / "labels.csv"
    found = read_table(table)
    names = {k: v.values for k, v in world.variables.items()} | stage().variables
    assert len(found) == 12 and set(found[0]) == {"file", *values}
    for i, row in enumerate(found):
        with Image.open(table.parent / row["file"]) as image:
            assert image.size == (64 * zoom, 36 * zoom)
            indices, rgb = np.array(image), np.array(image.convert("RGB"))
        assert np.array_equal(indices[::zoom, ::zoom], scenes[i].numpy())
        assert np.array_equal(rgb[::zoom, ::zoom], to_rgb(scenes[i]).numpy())
        assert {k: names[k].index(row[k]) for k in values} == {k: int(values[k][i]) for k in values}
    assert len(list(table.parent.iterdir())) == 13


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_written_over(tmp_path):
    """The same export again changes nothing; another one, or one over other files, is refused."""
    table = export(tmp_path / "out", DUEL, 3, seed=1)
    before = contents(tmp_path)
    assert export(tmp_path / "out", DUEL, 3, seed=1) == table
    for other in ({"n": 3, "seed": 2}, {"n": 2, "seed": 1}, {"n": 3, "seed": 1, "zoom": 2}):
        with pytest.raises(SceneError, match="out: .* there already: remove it, or name another"):
            export(tmp_path / "out", DUEL, **other)
    (tmp_path / "out" / ".DS_Store").touch()  # a system puts such there by itself
    assert export(tmp_path / "out", DUEL, 3, seed=1) == table
    (tmp_path / "empty").mkdir()  # somebody may be in it
    with pytest.raises(SceneError, match="empty: .* there already"):
        export(tmp_path / "empty", DUEL, 1)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("all of it")
    before = contents(tmp_path)
    with pytest.raises(SceneError, match="own: .* there already: remove it, or name another"):
        export(tmp_path / "own", DUEL, 3, seed=1)
    assert contents(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "out", "own"]


def test_what_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    saved = cimg.data.save_png

    def full(scene, path, zoom):
        if path.name == "000001.png":
            raise SceneError(f"{path}: can't be written: No space left on device")
        return saved(scene, path, zoom)

    monkeypatch.setattr(cimg.data, "save_png", full)
    with pytest.raises(SceneError, match="000001.png: can't be written: No space left"):
        export(tmp_path / "out", DUEL, 3, seed=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/below", "labels.csv"])
def test_a_file_where_a_folder_is_to_go(place, tmp_path):
    (tmp_path / "file").write_text("here before")
    (tmp_path / "good" / "labels.csv").mkdir(parents=True)
    folder = tmp_path / ("good" if place == "labels.csv" else place)
    with pytest.raises(SceneError, match=f"{folder.name}: can't be written to: "):
        export(folder, DUEL, 2)
    assert (tmp_path / "file").read_text() == "here before"
    assert not list((tmp_path / "good").glob("*.png"))


@pytest.mark.parametrize("what", ["mkdir", "rename", "open", "replace"])
def test_no_permission(what, tmp_path, monkeypatch):
    """By a stand-in: root may write anywhere."""

    def refuse(path, *arguments, **options):
        if what in ("mkdir", "rename") or "labels.csv" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return good(path, *arguments, **options)

    place = {"open": cimg.files, "mkdir": Path}.get(what, os)
    good = getattr(place, what, open)
    monkeypatch.setattr(place, what, refuse, raising=False)
    with pytest.raises(SceneError, match="out: can't be written to: Permission denied"):
        export(tmp_path / "out", DUEL, 2)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_in_the_folder_are_not_followed(tmp_path):
    """Whoever gave the folder away may have put them there."""
    (folder := tmp_path / "out").mkdir()
    (other := tmp_path / "other").write_text("not yours")
    for name in ("labels.csv", "000000.png", "000001.png"):
        (folder / name).symlink_to(other)
    with pytest.raises(SceneError, match="there already"):
        export(folder, DUEL, 2)
    assert other.read_text() == "not yours" and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"zoom": 0}, SceneError, "zoom must be a whole number from 1"),
        ({"n": -1}, WorldError, "n must be a whole number"),
        ({"do": {"action": "fly"}}, WorldError, "unknown value 'fly'"),
    ],
)
def test_bad_input_changes_nothing(options, error, message, tmp_path):
    export(tmp_path / "out", DUEL, 2)
    before = contents(tmp_path)
    for folder in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(error, match=message):
            export(folder, DUEL, **{"n": 2, "seed": 5, **options})
    assert contents(tmp_path) == before
