"""Every picture is distinct, whole, and the same on every machine; what can't be drawn is refused.

The oracle draws by hand, pixel by pixel, from the sheets as they are loaded; it shares with the
renderer only the backgrounds, and those are looked at by rule (sun, hills, ground) on their own.
"""

import os
from hashlib import sha256
from itertools import product
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cimg.scene import (
    ACTIONS,
    CHARACTERS,
    FOOT,
    HALF,
    HEIGHT,
    HILLS,
    REACTIONS,
    SKIES,
    STEP,
    TOP,
    WIDTH,
    SceneError,
    Stage,
    check_world,
    render,
    sample_uniform,
    save_png,
    stage,
    style_of,
    to_rgb,
    unflatten,
)
from cimg.sprites import POSES, SIZE, TRANSPARENT, Palette, load_palette, load_sheets
from cimg.world import World

SHEETS, PALETTE = load_sheets(), load_palette()
VARIABLES = stage().variables
DUEL, ARENA = World.load("duel"), World.load("arena")
STYLE = style_of(DUEL)
LABELS = {name: values for name, values in VARIABLES.items() if name not in STYLE}
STYLES, COMBINATIONS = prod(map(len, STYLE.values())), prod(map(len, VARIABLES.values()))
TYPES = ("type1", "type2", "type3")
TWO = {name: torch.zeros(2, dtype=torch.long) for name in VARIABLES}


def digest(tensor: torch.Tensor) -> str:
    return sha256(tensor.contiguous().numpy().tobytes()).hexdigest()[:16]


def row(values: dict[str, torch.Tensor], i: int) -> dict[str, int]:
    return {name: int(values[name][i]) for name in VARIABLES}


def cast(codes: dict[str, int]) -> list[tuple[torch.Tensor, list[int]]]:
    """For actor and reactor: the sprite, facing right, and the scene's column of each of its own.

    By hand: 6 pixels from the edge, 2 fewer for each step away; the reactor's counted from the
    right edge, leftwards."""
    found = []
    for role, doing, poses in (("actor", "action", ACTIONS), ("reactor", "reaction", REACTIONS)):
        sheet = SHEETS[CHARACTERS[codes[f"{role}_character"]]][TYPES[codes[f"{role}_type"]]]
        sprite = sheet[POSES.index(poses[codes[doing]])]
        columns = [6 - 2 * codes[f"{role}_distance"] + x for x in range(24)]
        found.append((sprite, columns if role == "actor" else [63 - x for x in columns]))
    return found


def by_hand(codes: dict[str, int]) -> torch.Tensor:
    """One scene, pixel by pixel."""
    place = (codes["sky"] * 8 + codes["sun"]) * 4 + codes["hills"]
    scene = torch.from_numpy(stage().backgrounds[place].copy())
    for sprite, columns in cast(codes):
        for y, x in product(range(24), range(24)):
            if sprite[y, x] != TRANSPARENT:
                scene[10 + y, columns[x]] = sprite[y, x]
    return scene


# ── Every combination ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def everything() -> tuple[set[bytes], int]:
    """All scenes, drawn once: their digests, and how many sprites' pixels don't show.

    Style runs fastest: for each of the 432 label combinations, all styles, in 16 groups of equal
    distances. Columns that lie outside of the scene would raise an IndexError."""
    digests, styles = set(), unflatten(STYLE, torch.arange(STYLES))
    apart = {d: [] for d in product(range(4), range(4))}
    for i, d in enumerate(zip(styles["actor_distance"], styles["reactor_distance"], strict=True)):
        apart[int(d[0]), int(d[1])].append(i)
    labels, lost = unflatten(LABELS, torch.arange(prod(map(len, LABELS.values())))), 0
    for k in range(len(labels["action"])):
        here = {name: code[k].expand(STYLES) for name, code in labels.items()}
        scenes = render(here | styles).numpy()
        digests.update(sha256(scene).digest() for scene in scenes)
        for (actor, reactor), rows in apart.items():
            codes = {name: int(code[k]) for name, code in labels.items()}
            codes |= {"actor_distance": actor, "reactor_distance": reactor}
            for sprite, columns in cast(codes):
                y, x = np.nonzero(sprite.numpy() != TRANSPARENT)
                shown = scenes[np.ix_(rows)][:, TOP + y, np.array(columns)[x]]
                lost += int((shown != sprite.numpy()[y, x]).sum())
    return digests, lost


def test_all_combinations_give_different_pictures(everything):
    assert COMBINATIONS == 884_736 == 432 * 2_048
    assert len(everything[0]) == COMBINATIONS


def test_no_pixel_of_a_character_is_cropped_or_covered_in_any_combination(everything):
    assert everything[1] == 0


@pytest.mark.parametrize("role, doing", [("actor", "action"), ("reactor", "reaction")])
def test_a_view_holds_every_pixel_of_its_sprite_inside_its_own_half(role, doing):
    poses = [POSES.index(pose) for pose in VARIABLES[doing]]
    drawn = [
        int((SHEETS[c][t][pose] != TRANSPARENT).sum())
        for c, t, pose in product(CHARACTERS, TYPES, poses)
    ]
    views = stage().figures(role)
    assert views.shape == (len(drawn) * 4, SIZE, HALF)
    assert (views != TRANSPARENT).sum((1, 2)).tolist() == np.repeat(drawn, 4).tolist()
    assert min(drawn) > 50


def test_the_stage_holds_the_figures_with_room_to_move():
    assert (HEIGHT, WIDTH, HALF) == (36, 64, 32)
    assert TOP >= 0 and FOOT <= HEIGHT
    assert 3 * STEP + SIZE <= HALF


# ── The same as by hand, one by one, on every machine ───────────────────────────────────────────


@settings(max_examples=60)
@given(st.integers(0, COMBINATIONS - 1))
def test_a_scene_is_what_is_drawn_by_hand(index):
    values = unflatten(VARIABLES, torch.tensor([index]))
    assert torch.equal(render(values)[0], by_hand(row(values, 0)))


def test_many_at_once_are_the_same_as_one_by_one():
    values = sample_uniform(VARIABLES, 500, seed=3)
    scenes = render(values)
    assert scenes.dtype == torch.uint8 and scenes.shape == (500, HEIGHT, WIDTH)
    for i in range(500):
        assert torch.equal(scenes[i], render({k: v[i : i + 1] for k, v in values.items()})[0])
    assert torch.equal(render({k: v.flip(0) for k, v in values.items()}), scenes.flip(0))


def test_ten_thousand_scenes_bit_for_bit():
    """Where these digests change, the course's pictures have: no number in it holds any more."""
    assert digest(render(sample_uniform(VARIABLES, 10_000, seed=0))) == "7b0e5178b6d9ff12"
    values = DUEL.sample(10_000, seed=1) | sample_uniform(STYLE, 10_000, seed=2)
    assert digest(render(values)) == "fdd0e23b19cd2a56"
    values = ARENA.sample(10_000, seed=1) | sample_uniform(style_of(ARENA), 10_000, seed=2)
    assert digest(render(values)) == "83a2d320a5bd2eb9"


def test_scenes_are_the_caller_s_own():
    """Drawing into a scene changes neither the stage nor the next scene."""
    first = render(TWO)
    kept = first.clone()
    first.fill_(0)
    assert torch.equal(render(TWO), kept)


def test_no_rows_no_scenes():
    empty = {name: code[:0] for name, code in TWO.items()}
    assert render(empty).shape == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16])
def test_any_integers_will_do(dtype):
    values = sample_uniform(VARIABLES, 300, seed=4)
    short = {name: code.to(dtype) for name, code in values.items()}
    assert torch.equal(render(short), render(values))


def test_short_integers_do_not_overflow_on_a_larger_stage():
    sheet = SHEETS["golem"]["type1"]
    large = Stage({f"c{i}": dict.fromkeys(TYPES, sheet) for i in range(9)}, PALETTE)
    values = sample_uniform(large.variables, 300, seed=5)
    assert int(values["reactor_character"].max()) == 8
    short = {name: code.to(torch.int8) for name, code in values.items()}
    assert torch.equal(large.render(short), large.render(values))


def test_all_colours_are_the_palette_s():
    scenes = render(sample_uniform(VARIABLES, 2_000, seed=6))
    assert int(scenes.max()) < TRANSPARENT == len(PALETTE.rgb)
    assert torch.equal(to_rgb(scenes), PALETTE.rgb[scenes.long()])


# ── What each variable moves, and what it leaves alone ──────────────────────────────────────────


def changed(name: str) -> torch.Tensor:
    """bool [HEIGHT, WIDTH]: the pixels that ever change where this one variable does."""
    values = sample_uniform(VARIABLES, 3_000, seed=7)
    other = values | {name: (values[name] + 1) % len(VARIABLES[name])}
    return (render(values) != render(other)).any(0)


@pytest.mark.parametrize(
    "name, rows, columns",
    [
        ("actor_character", (TOP, FOOT), (0, HALF)),
        ("actor_type", (TOP, FOOT), (0, HALF)),
        ("actor_distance", (TOP, FOOT), (0, HALF)),
        ("action", (TOP, FOOT), (0, HALF)),
        ("reactor_character", (TOP, FOOT), (HALF, WIDTH)),
        ("reactor_type", (TOP, FOOT), (HALF, WIDTH)),
        ("reactor_distance", (TOP, FOOT), (HALF, WIDTH)),
        ("reaction", (TOP, FOOT), (HALF, WIDTH)),
        ("sun", (1, 8), (0, WIDTH)),
        ("sky", (0, HEIGHT), (0, WIDTH)),
        ("hills", (12, 30), (0, WIDTH)),
    ],
)
def test_a_variable_changes_its_own_part_of_the_picture_only(name, rows, columns):
    where = changed(name)
    assert where.any()
    where[slice(*rows), slice(*columns)] = False
    assert not where.any(), where.nonzero()[0]


def test_the_reactor_is_the_actor_mirrored():
    """Both do what both can do, attack. (Every other pose was looked at above.)"""
    twins = sample_uniform({k: VARIABLES[k] for k in ("actor_character", "actor_type")}, 200, 8)
    twins |= sample_uniform(STYLE, 200, seed=9)
    twins["action"] = torch.full((200,), ACTIONS.index("attack"))
    twins["reaction"] = torch.full((200,), REACTIONS.index("attack"))
    for part in ("character", "type", "distance"):
        twins[f"reactor_{part}"] = twins[f"actor_{part}"]
    for scene, i in zip(render(twins), range(200), strict=True):
        sprite, columns = cast(row(twins, i))[0]
        y, x = (sprite != TRANSPARENT).nonzero(as_tuple=True)
        left = scene[TOP + y, torch.tensor(columns)[x]]
        right = scene.flip(1)[TOP + y, torch.tensor(columns)[x]]
        assert torch.equal(left, right) and torch.equal(left, sprite[y, x])
    actor = stage().figures("actor").reshape(6, 3, 4, SIZE, HALF)
    reactor = stage().figures("reactor").reshape(6, 4, 4, SIZE, HALF)
    attacks = ACTIONS.index("attack"), REACTIONS.index("attack")
    assert np.array_equal(actor[:, attacks[0]], reactor[:, attacks[1], ..., ::-1])


def test_the_background_by_rule():
    """The sun's seven columns hold its two colours, the ground and the hills theirs."""
    names = PALETTE.names.index
    backgrounds = stage().backgrounds.reshape(4, 8, 4, HEIGHT, WIDTH)
    assert len(np.unique(backgrounds.reshape(128, -1), axis=0)) == 128
    for sky, sun in product(range(4), range(8)):
        rim = names("haze" if SKIES[sky] == "night" else "gold")
        box = backgrounds[sky, sun, :, 1:8, 8 * sun : 8 * sun + 7]
        assert (box == rim).any((1, 2)).all()
        others = np.delete(backgrounds[sky, sun, 0, 1:8].reshape(7, 8, 8), sun, axis=1)
        if SKIES[sky] != "night":  # at night the stars have the moon's colour
            assert not (others == rim).any()
    for sky, hills in product(range(4), range(4)):
        upper = names(
            {"dawn": "pink", "day": "sky", "dusk": "purple", "night": "night"}[SKIES[sky]]
        )
        assert (backgrounds[sky, 0, hills, 0] == upper).sum() >= WIDTH - 2
        horizon = backgrounds[sky, 0, hills, 29], backgrounds[sky, 0, hills, 30:]
        assert len(np.unique(horizon[1])) == 2, HILLS[hills]  # the ground, and tufts on it


def test_a_hidden_variable_is_not_drawn():
    values = DUEL.sample(300, seed=1) | sample_uniform(STYLE, 300, seed=2)
    assert {"actor_strength", "reactor_attack"} < values.keys()
    scenes = render(values)
    assert torch.equal(render({k: v for k, v in values.items() if k in VARIABLES}), scenes)
    more = values | {"mood": torch.zeros(1), "actor_strength": values["actor_strength"].flip(0)}
    assert torch.equal(render(more), scenes)


# ── Style ───────────────────────────────────────────────────────────────────────────────────────


def test_style_is_what_the_world_does_not_decide():
    assert list(STYLE) == ["sky", "sun", "actor_distance", "reactor_distance", "hills"]
    assert STYLES == 2_048 and prod(map(len, LABELS.values())) == 432
    assert {n: DUEL.variables[n].values for n in DUEL.visible} == LABELS
    assert style_of(ARENA) == {name: values for name, values in STYLE.items() if name != "sky"}
    assert "sky" in ARENA.visible and "time" in ARENA.hidden


def test_uniform_values_are_uniform_and_independent():
    n = 204_800
    values = sample_uniform(STYLE, n, seed=11)
    assert values.keys() == STYLE.keys()
    index = torch.zeros(n, dtype=torch.long)
    for name, allowed in STYLE.items():
        assert values[name].dtype == torch.int64 and values[name].shape == (n,)
        index = index * len(allowed) + values[name]
    counts = torch.bincount(index, minlength=STYLES).double()
    chi = float(((counts - 100) ** 2 / 100).sum())
    assert len(counts) == STYLES
    assert abs(chi - 2_047) < 4 * (2 * 2_047) ** 0.5  # mean and deviation of a chi-square, 2,047 df


def test_uniform_values_bit_for_bit():
    values = sample_uniform(VARIABLES, 10_000, seed=0)
    assert digest(torch.stack(list(values.values()))) == "519a270a316eb461"
    again = sample_uniform(VARIABLES, 10_000, seed=0)
    assert all(torch.equal(values[name], again[name]) for name in VARIABLES)
    other = sample_uniform(VARIABLES, 10_000, seed=1)
    assert not any(torch.equal(values[name], other[name]) for name in VARIABLES)
    fewer = sample_uniform(VARIABLES, 10, seed=0)
    assert all(torch.equal(values[name][:10], fewer[name]) for name in VARIABLES)


def test_uniform_values_by_hand():
    """PCG64 (O'Neill 2014), its step and output function written out, and division with rest."""
    start = np.random.PCG64(12).state["state"]
    state, values = start["state"], sample_uniform(VARIABLES, 50, seed=12)
    for i in range(50):
        state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + start["inc"]) % 2**128
        mixed, turn = (state >> 64 ^ state) % 2**64, state >> 122
        raw = (mixed >> turn | mixed << (64 - turn)) % 2**64
        index = raw % COMBINATIONS
        for name in reversed(VARIABLES):
            index, code = divmod(index, len(VARIABLES[name]))
            assert int(values[name][i]) == code


def test_unflatten_counts_through_all_combinations():
    variables = {"a": ("x", "y"), "b": ("p", "q", "r")}
    values = unflatten(variables, torch.arange(6))
    assert values["a"].tolist() == [0, 0, 0, 1, 1, 1]
    assert values["b"].tolist() == [0, 1, 2, 0, 1, 2]
    assert sample_uniform({}, 3) == {}


@pytest.mark.parametrize("index", [[6], [-1], [0, 7]])
def test_unflatten_refuses_what_lies_beyond(index):
    with pytest.raises(SceneError, match=rf"index, row {len(index) - 1}: .*0 to 5.*{index[-1]}"):
        unflatten({"a": ("x", "y"), "b": ("p", "q", "r")}, torch.tensor(index))


@pytest.mark.parametrize("name, number", [("n", -1), ("n", 2.5), ("n", True), ("seed", -1)])
def test_a_bad_size_or_seed(name, number):
    with pytest.raises(SceneError, match=f"{name} must be a whole number from 0 up, found"):
        sample_uniform(STYLE, **({"n": 2, "seed": 0} | {name: number}))


# ── What can't be drawn ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("sun", torch.tensor([0.0, 1.0]), "'sun': expected an integer tensor, found float32"),
        ("sun", torch.tensor([True, False]), "'sun': expected an integer tensor, found bool"),
        ("sun", torch.tensor([0j, 1j]), "'sun': expected an integer tensor, found complex64"),
        ("sun", torch.zeros(2, 1).long(), r"'sun': expected a tensor \[n\], found int64 \[2, 1\]"),
        ("sun", torch.tensor(3), r"'sun': expected a tensor \[n\], found int64 \[\]"),
        ("sun", ["dawn", "day"], "'sun': expected an integer tensor, found list"),
        ("sun", None, "'sun': expected an integer tensor, found NoneType"),
        ("sun", torch.tensor([1]), "'sun' has 1 rows, 'actor_character' has 2"),
        ("sun", torch.tensor([1, 2, 3]), "'sun' has 3 rows, 'actor_character' has 2"),
        ("sun", torch.tensor([7, 8]), "'sun', row 1: expected 0 to 7 .*, found 8"),
        (
            "action",
            torch.tensor([-1, 0]),
            r"'action', row 0: expected 0 to 2 \(attack, taunt, w",
        ),
        ("action", torch.tensor([0, 3]), "'action', row 1: .*found 3"),
        ("hills", torch.tensor([2**40, 0]), "'hills', row 0: .*found 1099511627776"),
    ],
)
def test_values_that_cannot_be_drawn(name, value, message):
    with pytest.raises(SceneError, match=message):
        render(TWO | {name: value})


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_is_missing_or_out_of_range_is_named(name):
    with pytest.raises(SceneError, match=f"'{name}' is needed; given: "):
        render({key: code for key, code in TWO.items() if key != name})
    for code in (-1, len(VARIABLES[name])):
        with pytest.raises(SceneError, match=rf"'{name}', row 1: .*found {code}$"):
            render(TWO | {name: torch.tensor([0, code])})


def test_a_scene_is_no_dict_of_values():
    with pytest.raises(SceneError, match=r"expected a dict of integer tensors \[n\], found uint8"):
        render(render(TWO))


def test_a_refused_call_changes_nothing():
    before = {name: code.clone() for name, code in TWO.items()}
    with pytest.raises(SceneError):
        render(TWO | {"sky": torch.tensor([0, 9])})
    assert all(torch.equal(TWO[name], before[name]) for name in TWO)


# ── A stage of one's own ────────────────────────────────────────────────────────────────────────


def test_a_stage_of_one_s_own():
    own = Stage({"lava": {"only": SHEETS["golem"]["type2"]}}, PALETTE)
    assert own.variables["actor_character"] == ("lava",)
    assert own.variables["reactor_type"] == ("only",)
    values = sample_uniform(own.variables, 100, seed=13)
    theirs = values | {"actor_character": torch.ones(100, dtype=torch.long)}
    theirs |= {"reactor_character": theirs["actor_character"], "actor_type": torch.ones(100).long()}
    theirs |= {"reactor_type": theirs["actor_type"]}
    assert torch.equal(own.render(values), render(theirs))


SHEET = SHEETS["golem"]["type1"]
SPOILT = SHEET.clone()
SPOILT[2, 3, 5] = TRANSPARENT + 1
OTHER = Palette(tuple("rust" if n == "pink" else n for n in PALETTE.names), PALETTE.rgb)


@pytest.mark.parametrize(
    "sheets, palette, message",
    [
        ({}, PALETTE, "at least one character"),
        ({"a": {}}, PALETTE, "at least one type"),
        ({"a": {"t": SHEET}, "b": {"u": SHEET}}, PALETTE, "same types.* a has t; b has u"),
        ({"a": {"t": SHEET}, "b": {}}, PALETTE, "at least one type"),
        ({"a": {"t": SHEET, "u": SHEET}, "b": {"u": SHEET, "t": SHEET}}, PALETTE, "same order"),
        ({"a": {"t": SHEET[:5]}}, PALETTE, r"a, t: .*uint8 \[6, 24, 24\], found uint8 \[5, 24, 24"),
        ({"a": {"t": SHEET.long()}}, PALETTE, "a, t: expected a sheet.*found int64"),
        ({"a": {"t": SHEET.numpy()}}, PALETTE, "a, t: expected a sheet.*found ndarray"),
        ({"a": {"t": SPOILT}}, PALETTE, r"a, t, place \[2, 3, 5\]: expected 0 to 24, found 25"),
        ({"a": {"t": SHEET}}, OTHER, "the palette lacks 'pink'"),
    ],
)
def test_a_stage_that_cannot_be_set(sheets, palette, message):
    with pytest.raises(SceneError, match=message):
        Stage(sheets, palette)


# ── Worlds that fit ─────────────────────────────────────────────────────────────────────────────


def world(name: str, values: list[str], in_image: bool = True) -> World:
    cpt = [1 / len(values)] * len(values)
    listed = {"name": name, "values": values, "parents": [], "in_image": in_image, "cpt": cpt}
    return World.from_dict({"name": "mine", "about": "", "variables": [listed]})


def test_the_shipped_worlds_can_be_drawn():
    check_world(DUEL)
    check_world(ARENA)
    check_world(world("action", list(ACTIONS)))
    check_world(world("mood", ["good", "bad"], in_image=False))


@pytest.mark.parametrize(
    "name, values, in_image, message",
    [
        ("weather", ["rain", "sun"], True, "'mine': 'weather' is in the image but can't be drawn"),
        ("sun", ["1", "0"], True, "'sun' should have the values 0, 1, .*; found 1, 0$"),
        ("hills", list(HILLS[:3]), True, "'hills' .*; found round, peaks, mesa$"),
        ("action", ["taunt", "sing"], True, "'action' may have .*idle, the poses .*; found sing$"),
        ("sky", list(SKIES), False, "'sky' is hidden, but a variable of that name is drawn"),
    ],
)
def test_a_world_that_cannot_be_drawn(name, values, in_image, message):
    with pytest.raises(SceneError, match=message):
        check_world(world(name, values, in_image))


# ── Out ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("zoom", [1, 3, 8])
def test_a_saved_scene_comes_back_pixel_for_pixel(tmp_path, zoom):
    for i, scene in enumerate(render(sample_uniform(VARIABLES, 5, seed=14))):
        path = save_png(scene, tmp_path / f"{i}.png", zoom)
        assert path == tmp_path / f"{i}.png"
        with Image.open(path) as image:
            assert image.format == "PNG" and image.mode == "P"
            assert image.size == (WIDTH * zoom, HEIGHT * zoom)
            indices, rgb = np.array(image), np.array(image.convert("RGB"))
        blocks = torch.from_numpy(indices.reshape(HEIGHT, zoom, WIDTH, zoom))
        assert torch.equal(blocks, scene[:, None, :, None].expand(-1, zoom, -1, zoom))
        assert np.array_equal(rgb[::zoom, ::zoom], to_rgb(scene).numpy())
    assert len(list(tmp_path.iterdir())) == 5


def test_the_same_scene_is_saved_as_the_same_bytes_over_what_was_there(tmp_path):
    scene = render(TWO)[0]
    first = save_png(scene, tmp_path / "a.png").read_bytes()
    (tmp_path / "b.PNG").write_text("something else")
    assert save_png(scene, str(tmp_path / "b.PNG")).read_bytes() == first
    assert save_png(scene.T.contiguous().T, tmp_path / "a.png").read_bytes() == first


@pytest.mark.parametrize(
    "scene, name, zoom, message",
    [
        (render(TWO), "a.png", 8, r"expected one scene, uint8 \[36, 64\], found uint8 \[2, 36, 64"),
        (render(TWO)[0].long(), "a.png", 8, "found int64"),
        (render(TWO)[0].numpy(), "a.png", 8, "found ndarray"),
        (render(TWO)[0][:0], "a.png", 8, r"found uint8 \[0, 64\]"),
        (
            render(TWO)[0].index_fill(0, torch.tensor(4), 24),
            "a.png",
            8,
            r"place \[4, 0\].*found 24",
        ),
        (render(TWO)[0], "a.png", 0, "zoom must be a whole number from 1 up, found int 0"),
        (render(TWO)[0], "a.png", 2.5, "zoom must be a whole number.*found float 2.5"),
        (render(TWO)[0], "a.png", True, "zoom must be a whole number"),
        (render(TWO)[0], "a.jpg", 8, "name that ends in .png, found '.*a.jpg'"),
        (render(TWO)[0], "a", 8, "name that ends in .png"),
        (render(TWO)[0], None, 8, "name that ends in .png, found 'None'"),
        (render(TWO)[0], "missing/a.png", 8, "a.png: can't be written: "),
        (render(TWO)[0], "file/a.png", 8, "a.png: can't be written: "),
        (render(TWO)[0], "folder.png", 8, "folder.png: can't be written: "),
        (render(TWO)[0], "a\0.png", 8, "can't be written: "),
    ],
)
def test_what_cannot_be_saved_leaves_everything_as_it_was(tmp_path, scene, name, zoom, message):
    (tmp_path / "file").write_text("here before")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SceneError, match=message):
        save_png(scene, name and tmp_path / name, zoom)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.png"}
    assert (tmp_path / "file").read_text() == "here before"


@pytest.mark.parametrize("step", ["save", "replace"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch, step):
    """No permission, or a disk that is full halfway: one clear error, and the old file stays."""
    path = save_png(render(TWO)[0], tmp_path / "a.png")
    before = path.read_bytes()

    def refuse(*arguments, **options):
        if step == "save":
            arguments[1].write(b"half a pic")
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(*((Image.Image, "save") if step == "save" else (os, "replace")), refuse)
    with pytest.raises(SceneError, match=r"a\.png: can't be written: Permission denied"):
        save_png(render(TWO)[1], path, zoom=2)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="other systems keep permissions in other ways")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    """Really, not by a stand-in; root, who may write anywhere, becomes nobody for as long."""
    save_png(render(TWO)[0], tmp_path / "before.png")
    (folder := tmp_path / "closed").mkdir(mode=0o500)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(SceneError, match="a.png: can't be written: Permission denied"):
            save_png(render(TWO)[0], folder / "a.png")
    finally:
        os.seteuid(user)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "scenes, message",
    [
        (torch.zeros(2, 2), r"scenes: expected an integer tensor, found float32 \[2, 2\]"),
        (torch.tensor([[3, 24]]), r"scenes, place \[0, 1\]: expected 0 to 23, found 24"),
        (torch.tensor([[-1]]), r"scenes, place \[0, 0\]: .*found -1"),
    ],
)
def test_what_has_no_colours(scenes, message):
    with pytest.raises(SceneError, match=message):
        to_rgb(scenes)
