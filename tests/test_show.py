"""Figures: what they say in words, that they are small, the same each time, and readable."""

import base64
import gc
import hashlib
import io
import itertools
import re
import struct
import sys
from html.parser import HTMLParser

import matplotlib
import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colors
from matplotlib.figure import Figure
from PIL import Image

from cimg import graph_figure, plots, show
from cimg.graph_figure import LINE, layout, text_width
from cimg.picture import GREY
from cimg.scene import (
    SceneError,
    palette,
    render,
    sample_uniform,
    stage_of,
    style_of,
    to_rgb,
)
from cimg.scene_words import LONG, STYLE, scenes_in_words
from cimg.world import World, WorldError

DUEL = World.load("duel")
REACTIONS = ("die", "hurt", "idle", "attack")
FIGHT = {
    "actor_character": "satyr", "actor_type": "type1", "action": "attack",
    "reactor_character": "golem", "reactor_type": "type2", "reaction": "die",
    "sky": "day", "sun": "1", "hills": "mesa", "actor_distance": "2", "reactor_distance": "0",
}  # fmt: skip


def coin(name: str, parents: tuple = (), in_image: bool = True) -> dict:
    table = np.full((2,) * (len(parents) + 1), 0.5).tolist()
    return {
        "name": name,
        "values": ["no", "yes"],
        "parents": list(parents),
        "in_image": in_image,
        "cpt": table,
    }


CONFOUNDED = World.from_dict(
    {
        "name": "confounded",
        "variables": [
            coin("time", in_image=False),
            coin("sky", ("time",)),
            coin("action", ("time",)),
            coin("reaction", ("action", "time")),
        ],
    }
)


def some_scenes(n: int, seed: int = 0) -> torch.Tensor:
    return render(DUEL.sample(n, seed) | sample_uniform(style_of(DUEL), n, seed))


class Tags(HTMLParser):
    """The tags of a piece of HTML, with their attributes."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    @classmethod
    def of(cls, text: str) -> list[tuple[str, dict]]:
        parser = cls()
        parser.feed(text)
        return parser.found


def noise(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 24, shape, generator=generator, dtype=torch.uint8)


def pixels_of(picture: show.Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))


def examples() -> dict[str, show.Picture]:
    numbers = {"exact": [0.26, 0.33, 0.31, 0.1], "model": torch.tensor([0.25, 0.35, 0.3, 0.1])}
    scenes = some_scenes(8)
    return {
        "graph": show.graph(DUEL, title="What causes what"),
        "cut": show.graph(DUEL, given={"reaction": "die"}, do={"action": "attack"}, style=True),
        "scenes": show.scenes(scenes[:6], [f"number {i}" for i in range(6)]),
        "bars": show.distributions(numbers, REACTIONS, "reactions", {"model": [0.01] * 4}),
        "curves": show.curves({"loss": [3.0, 2.0, 1.5], "test": [4.0, 3.0, 2.5]}, ylabel="nats"),
        "rungs": show.rungs(scenes[:4], scenes[4:8], scenes[0], scene=scenes[0]),
    }


@pytest.fixture(scope="module")
def pictures() -> dict[str, show.Picture]:
    return examples()


def figures_of(draw) -> list[tuple[Figure, dict]]:
    """The figures that are finished while `draw` runs, each with its texts and their boxes."""
    kept, finish = [], show.finish

    def keep(figure: Figure, *args, **kwargs) -> show.Picture:
        picture = finish(figure, *args, **kwargs)
        kept.append((figure, {text: text.get_window_extent() for text in texts_of(figure)}))
        return picture

    with pytest.MonkeyPatch.context() as patch:
        for module in [m for name, m in sys.modules.items() if name.startswith("cimg.")]:
            if getattr(module, "finish", None) is finish:
                patch.setattr(module, "finish", keep)
        draw()
    return kept


def texts_of(figure: Figure) -> list[matplotlib.text.Text]:
    """The texts that can be seen in a figure."""
    texts = list(figure.texts)
    for ax in figure.axes:
        texts += [*ax.texts, ax.xaxis.label, ax.yaxis.label]
        texts += ax.get_legend().get_texts() if ax.get_legend() else []
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            texts += [label for at, label in ticks if low <= at <= high]
    return [text for text in texts if text.get_text().strip()]


# Every picture


def test_a_notebook_gets_image_words_and_width(pictures):
    for name, picture in pictures.items():
        data, metadata = picture._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]) == picture.png, name
        assert data["text/plain"] == repr(picture) == (picture.compared or picture.alt)
        assert name in ("curves", "scenes", "rungs") or repr(picture) == picture.alt
        assert metadata == {"image/png": {"alt": picture.alt, "width": picture.width}}
        ratio = pixels_of(picture).shape[1] / picture.width
        assert ratio == pytest.approx(1.5 if name in ("graph", "cut", "rungs") else 2, abs=0.01)


def test_as_html_a_picture_has_its_words_in_jupyterlab_too(pictures, monkeypatch):
    monkeypatch.setenv("CIMG_PICTURES", "html")
    picture = show.scenes(some_scenes(1), ['a "golem" < b'], digest=False)
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"} and metadata == {}
    [(tag, found)] = Tags.of(data["text/html"])
    assert tag == "img" and found["alt"] == picture.alt and found["width"] == str(picture.width)
    assert base64.b64decode(found["src"].removeprefix("data:image/png;base64,")) == picture.png


def test_the_same_bytes_each_time_and_nothing_left_behind(pictures):
    import matplotlib.pyplot as plt

    def alive() -> int:
        gc.collect()
        return sum(type(thing) is Figure for thing in gc.get_objects())

    before, open_before = alive(), plt.get_fignums()
    reader_has_set = {"font.size": 25, "axes.facecolor": "red", "lines.linewidth": 9}
    with matplotlib.rc_context(reader_has_set):
        again = examples()
    assert alive() == before
    assert plt.get_fignums() == open_before
    assert {k: p.png for k, p in again.items()} == {k: p.png for k, p in pictures.items()}
    assert {k: p.alt for k, p in again.items()} == {k: p.alt for k, p in pictures.items()}


def test_files_hold_pixels_and_nothing_about_when_or_with_what_they_were_made(pictures):
    for picture in pictures.values():
        kinds, at = set(), 8
        while at < len(picture.png):
            length, kind = struct.unpack(">I4s", picture.png[at : at + 8])
            kinds.add(kind)
            at += length + 12
        assert kinds == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


def test_files_are_small(pictures):
    sizes = {name: len(picture.png) / 1024 for name, picture in pictures.items()}
    assert sizes.pop("rungs") < 60
    assert max(sizes.values()) < 40, sizes


def test_save(tmp_path, pictures):
    path = pictures["bars"].save(tmp_path / "bars.png")
    assert path.read_bytes() == pictures["bars"].png


def test_flat_colours_survive_the_palette(pictures):
    found = {tuple(p) for p in pixels_of(pictures["bars"]).reshape(-1, 3)}
    for colour in (*show.BARS[:2], "white"):
        assert tuple(round(255 * c) for c in colors.to_rgb(colour)) in found


def more_examples() -> None:
    show.graph(CONFOUNDED, {"time": "yes"}, {"action": "no"}, ["reaction", ("time", "reaction")])
    show.scenes(some_scenes(3), ["a caption that is too long for one line under a scene"] * 3)
    show.rungs(action="walk")
    many = {f"series {k}": [0.123] * 12 for k in range(5)}
    show.distributions(many, [f"value {i}" for i in range(12)])
    show.curves({"ours": [0.1, 1, 30], "theirs": [1, 20, 900]}, [8, 37, 900], logx=True, logy=True)


@pytest.mark.parametrize("draw", [examples, more_examples])
def test_texts_are_large_neither_overlap_nor_leave_the_figure(draw):
    for figure, boxes in figures_of(draw):
        assert len(boxes) >= 3
        assert min(text.get_size() for text in boxes) >= 11  # points
        for text, box in boxes.items():
            assert 0 <= box.x0 and box.x1 <= figure.bbox.x1, text
            assert 0 <= box.y0 and box.y1 <= figure.bbox.y1, text
        for (text, a), (other, b) in itertools.combinations(boxes.items(), 2):
            wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(wide, high) < 3, f"{text} overlaps {other}"


# Without colour


def luminance(colour: str) -> float:
    return 255 * float(np.dot(colors.to_rgb(colour), (0.299, 0.587, 0.114)))


def test_series_differ_in_grey_and_in_pattern():
    greys = sorted(map(luminance, show.BARS))
    assert min(np.diff(greys)) > 40
    assert len(set(zip(show.BARS, show.HATCHES, strict=True))) == len(show.BARS)
    assert len({str(dash) for dash in show.DASHES}) == len(show.LINES)
    assert min(255 - luminance(line) for line in show.LINES) > 90  # all dark enough on white
    assert not {*show.BARS, *show.LINES} & {*show.COLOURS.values()}  # which are the rungs' own
    assert GREY not in show.LINES and len(set(show.HATCHES)) == len(show.HATCHES)
    assert min(np.diff(sorted(map(luminance, show.COLOURS.values())))) > 25


# Graphs


def arrows_cut(alt: str) -> set[tuple[str, str]]:
    said = [sentence for sentence in alt.rstrip(".").split(". ") if " cuts " in sentence]
    arrows = [arrow for s in said for arrow in s.split(" cuts ")[1].split(", ")]
    return {tuple(arrow.split(" → ")) for arrow in arrows if arrow != "no arrow"}


def test_graph_in_words():
    alt = show.graph(DUEL, {"reaction": "die", "actor_type": 1}, {"action": "attack"}).alt
    assert "Given: reaction = die, actor_type = type2." in alt
    assert "do(action = attack) cuts actor_strength → action, actor_defense → action" in alt
    assert "Hidden: actor_strength, actor_defense, actor_attack, reactor_strength" in alt
    assert "action → reaction, picture;" in alt
    assert "style" not in alt and "style → picture" in show.graph(DUEL, style=True).alt


@settings(max_examples=10, deadline=None)
@given(st.sets(st.sampled_from(sorted(DUEL.variables)), max_size=4))
def test_exactly_the_arrows_into_what_is_done_are_cut(names):
    drawn = {}

    def record(graph, lines, kinds, title):
        drawn.update(kinds)
        return Figure(figsize=(1, 1)), lines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show, "draw", record)
        patch.setattr(show, "finish", lambda figure, alt, **how: show.Picture(b"", alt, 1))
        alt = show.graph(DUEL, do=dict.fromkeys(names, 0)).alt
    expected = {(p, n) for n in names for p in DUEL.variables[n].parents}
    assert {x for x, kinds in drawn.items() if "cut" in kinds} == expected
    assert arrows_cut(alt) == expected
    assert {n for n in DUEL.variables if "do" in drawn[n]} == names


def test_a_world_that_draws_nothing_has_no_picture_and_nothing_hidden():
    spec = {"name": "plain", "variables": [coin("a", (), False), coin("b", ("a",), False)]}
    alt = show.graph(World.from_dict(spec)).alt
    assert alt == "Causal graph of plain. Arrows: a → b."


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"given": {"mood": "bad"}}, "mood"),
        ({"given": {"action": "dance"}}, "dance"),
        ({"do": {"action": 7}}, "7"),
        ({"given": {"action": "walk"}, "do": {"action": "attack"}}, "action: given is 'walk'"),
        ({"highlight": ["mood"]}, "mood"),
        ({"highlight": [("reaction", "action")]}, "reaction"),
    ],
)
def test_graph_refuses_what_it_does_not_know(question, message):
    with pytest.raises(WorldError, match=message):
        show.graph(DUEL, **question)


def test_graph_refuses_a_variable_with_the_name_of_the_picture():
    world = World.from_dict({"name": "odd", "variables": [coin("picture")]})
    with pytest.raises(WorldError, match="'picture'"):
        show.graph(world)


def curve_points(route: np.ndarray) -> np.ndarray:
    t = np.linspace(0, 1, 30)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    pieces = [route[i : i + 4] for i in range(0, len(route) - 1, 3)]
    return np.concatenate([sum(w * p for w, p in zip(weights, c, strict=True)) for c in pieces])


def check_layout(graph: nx.DiGraph) -> graph_figure.Layout:
    sizes = {n: (max(64, text_width(n) + 22), LINE + 14) for n in graph}
    plan = layout(graph, sizes)
    rims = {n: np.array([plan.centres[n], sizes[n]]) for n in graph}
    for (centre, size), (other, size2) in itertools.combinations(rims.values(), 2):
        assert (abs(centre - other) * 2 >= size + size2 + 6).any(), "two boxes touch"
    for centre, size in rims.values():
        assert (centre - size / 2 >= 0).all()
        assert (centre + size / 2 <= (plan.width, plan.height)).all()
    for (cause, effect), route in plan.routes.items():
        assert plan.centres[cause][1] < plan.centres[effect][1], "causes stand above effects"
        points = curve_points(route)
        for n, (centre, size) in rims.items():
            slack = 1 if n in (cause, effect) else -2
            inside = (abs(points - centre) * 2 < size - 2 * slack).all(1)
            assert not inside.any(), f"{cause} → {effect} runs through {n}"
    return plan


def test_the_duel_has_its_actor_on_the_left():
    graph = DUEL.graph()
    graph.add_edges_from((n, "picture") for n in DUEL.visible)
    plan = check_layout(graph)
    x = {n: plan.centres[n][0] for n in graph}
    assert max(x[n] for n in x if n.startswith("actor")) < min(
        x[n] for n in x if n.startswith("reactor")
    )
    assert show.graph(DUEL).width < 800


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.floats(0, 0.12), st.integers(0, 2**16))
def test_no_arrow_runs_through_a_box_in_any_graph(n, density, seed):
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"variable {i}" for i in range(n))
    names = list(graph)
    for i, j in itertools.combinations(range(n), 2):
        if rng.random() < density:
            graph.add_edge(names[i], names[j])
    check_layout(graph)


def test_untangling_finds_the_order_without_crossings():
    graph = nx.DiGraph()
    graph.add_nodes_from("abcdwxyz")  # in this order all arrows would cross
    graph.add_edges_from([("a", "z"), ("b", "y"), ("c", "x"), ("d", "w")])
    plan = check_layout(graph)
    causes, effects = ([plan.centres[n][0] for n in names] for names in ("abcd", "zyxw"))
    assert np.argsort(causes).tolist() == np.argsort(effects).tolist()
    assert causes == pytest.approx(effects)


# Scenes


def test_scenes_are_drawn_pixel_for_pixel():
    scene = noise(36, 64)
    picture = pixels_of(show.scenes(scene, zoom=3))
    corner, zoom = 2 * 14, 2 * 3
    for dy, dx in itertools.product((1, zoom - 2), repeat=2):
        drawn = picture[
            corner + dy : corner + 36 * zoom : zoom, corner + dx : corner + 64 * zoom : zoom
        ]
        inner = np.s_[1:-1, 1:-1]  # the frame lies on the outermost pixels
        assert (drawn[inner] == to_rgb(scene).numpy()[inner]).all()


def test_what_machines_compare_changes_with_each_pixel():
    scenes = some_scenes(2)
    picture = show.scenes(scenes, ["truth", "model"])
    digest = hashlib.sha256(scenes.numpy().tobytes()).hexdigest()[:8]
    assert repr(picture) == f"{picture.alt} Pixels {digest}." and "Pixels" not in picture.alt
    scenes[1, 35, 63] = (scenes[1, 35, 63] + 1) % 24
    assert repr(show.scenes(scenes, ["truth", "model"])) != repr(picture)


def test_a_text_of_one_s_own_takes_the_place_of_what_is_read():
    scenes = some_scenes(2)
    picture = show.scenes(scenes, ["a", "b"], digest=False)
    assert repr(picture) == "2 scenes: a; b." and "1 (a): " in picture.alt
    assert show.scenes(scenes, says="Speckle!", digest=False, title="Why?").alt == (
        "Why? 2 scenes. Speckle!"
    )
    assert show.scenes(scenes[..., :32], ["a", "b"], digest=False).alt == "2 pictures: a; b."
    hole = scenes.clone()
    hole[0, 0, 0] = 24
    assert show.scenes(hole, digest=False).alt == "2 scenes."
    assert "Its answer: 2 scenes. Doing" in show.rungs(seeing=hole, scene=hole[0]).alt
    marks = torch.zeros(2, 36, 64, dtype=torch.bool)  # where a model errs, say: a trained number
    marked = show.scenes(scenes, ["a", ""], marks=marks, digest=False)
    assert repr(marked) == "2 scenes: a;." and "0 pixels marked. " in marked.alt
    assert " 2: " in marked.alt and "()" not in marked.alt


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    captions=st.lists(st.sampled_from(["truth", "model"]), min_size=2, max_size=LONG),
    name=st.sampled_from(["duel", "storm"]),
)
def test_what_is_in_scenes_is_said_of_each(seed, captions, name):
    """Each scene can be rebuilt from what is said of all, of its run, and of it alone."""
    stage, n = stage_of(World.load(name)), len(captions)
    codes = sample_uniform(stage.variables, n, seed)
    for variable in list(codes)[seed % 5 :: 2]:  # some are the same in all
        codes[variable] = codes[variable][:1].expand(n)
    text = scenes_in_words(stage.render(codes), captions, stage)
    said: list[str] = [""] * n
    for sentence in text.split(". "):
        head, _, what = sentence.partition(": ")
        first, _, last = re.sub(r" \(.*", "", head).partition(" to ")
        everyone = (
            range(n) if head.startswith("In all") else range(int(first) - 1, int(last or first))
        )
        for i in everyone:
            said[i] += f"; {what}"
            assert f"({captions[i]})" in head or what
    for i, found in enumerate(said):
        for variable, values in stage.variables.items():
            value = values[codes[variable][i]]
            tail = f"{variable} {value} of" if value.isdigit() else value
            assert tail in found, (variable, i, text)
        assert "but for" not in found


def test_scenes_that_share_much_are_told_apart_by_the_rest():
    codes = {k: v.expand(2) for k, v in DUEL.sample(1, 0).items()}
    codes |= {k: v.expand(2) for k, v in sample_uniform(style_of(DUEL), 1, 0).items()}
    codes["action"] = torch.tensor([0, 1])
    scenes = render(codes)
    assert re.fullmatch(
        r"In all 2: [^:]*\. 1: action attack\. 2: action taunt", scenes_in_words(scenes)
    )
    twice = scenes[:1].repeat(2, 1, 1)
    assert re.fullmatch("In all 2: [^:]*", scenes_in_words(twice))
    twice[1, 0, 0] = (twice[1, 0, 0] + 1) % 24
    assert scenes_in_words(twice).endswith(". 2: but for 1 pixel in the sky")
    twice[1, 35, :40] = 0
    assert scenes_in_words(twice).endswith(
        "2: but for 41 pixels: 1 in the sky, 32 on the left, 8 on the right"
    )
    assert scenes_in_words(twice[1:]).endswith(
        "; but for 41 pixels: 1 in the sky, 32 on the left, 8 on the right"
    )


def test_what_a_spoilt_scene_doesn_t_show_isn_t_told():
    stage = stage_of(DUEL)
    codes = {k: torch.tensor([stage.variables[k].index(v)]) for k, v in FIGHT.items()}
    scene = render(codes)
    whole = scenes_in_words(scene)
    assert whole == (
        "actor satyr type1, attack; reactor golem type2, die; sky day; sun 1 of 7; "
        "actor_distance 2 of 3; reactor_distance 0 of 3; hills mesa"
    )
    for sky in ("day", "night"):
        codes["sky"] = torch.tensor([stage.variables["sky"].index(sky)])
        no_sun = render(codes)
        stars = stage.backgrounds.reshape(4, 8, 4, 36, 64)[codes["sky"], 7, codes["hills"]]
        no_sun[0, :10, 8:16] = torch.from_numpy(stars)[:10, 8:16]
        words = scenes_in_words(no_sun)
        assert f"; sky {sky}; sun none; " in words and "but for" not in words
        red = no_sun.clone()
        red[0, 1:8, 8:15] = palette().names.index("red")
        assert f"; sky {sky}; sun can't be told; " in scenes_in_words(red)
        some = no_sun.clone()
        some[0, 3, 49:51] = palette().names.index("white")
        assert "; sun none; " in scenes_in_words(some)
    two = scene.clone()
    two[0, 1:8, 48:55] = scene[0, 1:8, 8:15]
    assert "; sun at 1 and 6 of 7; " in scenes_in_words(two) and "but for" not in scenes_in_words(
        two
    )
    stone = scene.clone()
    stone[0, 10:, :32] = 0
    words = scenes_in_words(stone)
    assert words.startswith("reactor golem type2, die; sky day;") and "actor can't be told" in words
    assert (
        words.endswith(" on the left")
        and "satyr" not in words
        and "actor_distance" not in (words.replace("reactor_distance", ""))
    )
    speckle = scenes_in_words(noise(1, 36, 64))
    for part in ("actor", "reactor", "sky", "sun", "hills"):
        assert f"{part} can't be told" in speckle
    assert re.search(
        r"but for \d{4} pixels: \d+ in the sky, \d+ on the left, \d+ on the right", speckle
    )


def test_parts_are_told_of_which_more_than_half_is_there():
    """Hills are judged where nobody stands, figures where they are."""
    stage = stage_of(DUEL)
    scene = render({k: torch.tensor([stage.variables[k].index(v)]) for k, v in FIGHT.items()})
    bare = torch.from_numpy(stage.backgrounds).reshape(4, 8, 4, 36, 64)[1, 1, 2]
    figure = scene[0] != bare
    place, other = torch.arange(36 * 64).reshape(36, 64), (scene + 1) % 24
    for share, told in ((4, True), (6, False)):  # tenths that are spoilt
        spoilt = figure & (place % 10 < share)
        spoilt[:, 32:] = False
        words = scenes_in_words(other.where(spoilt, scene))
        assert ("actor satyr type1, attack" in words) == told, words
        assert "reactor golem type2, die" in words and "hills mesa" in words
        land = ~figure & (place % 10 < share)
        land[:16] = False
        words = scenes_in_words(other.where(land, scene))
        assert ("hills mesa" in words) == told and "actor satyr type1, attack" in words


def test_of_many_scenes_part_of_the_style_is_left_out():
    words = scenes_in_words(some_scenes(LONG + 1))
    assert "sun" in words and "hills" not in words and "distance" not in words
    assert "hills" in scenes_in_words(some_scenes(LONG))
    assert "sky" not in scenes_in_words(some_scenes(2), without=["sky"])


def test_marks_are_counted_and_outlined():
    scenes = torch.zeros(1, 36, 64, dtype=torch.uint8)
    marks = torch.zeros(1, 36, 64, dtype=torch.bool)
    yellow = np.array([0xF0, 0xE4, 0x42])
    assert not (pixels_of(show.scenes(scenes, marks=marks)) == yellow).all(-1).any()
    marks[0, 10, 20] = True
    picture = show.scenes(scenes, marks=marks, zoom=4)
    rows, columns = (pixels_of(picture) == yellow).all(-1).nonzero()
    assert "1 pixel marked" in picture.alt
    top, left = 28 + 10 * 8, 28 + 20 * 8
    assert top - 3 <= rows.min() <= top + 3 and top + 5 <= rows.max() <= top + 11
    assert left - 3 <= columns.min() <= left + 3 and left + 5 <= columns.max() <= left + 11


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scenes": noise(2, 36, 64), "captions": ["one"]}, ValueError, "expected 2.*found 1"),
        ({"scenes": noise(2, 36, 64), "captions": "ab"}, ValueError, "captions"),
        ({"scenes": noise(2, 36, 64).float()}, SceneError, "float32"),
        ({"scenes": noise(36)}, SceneError, r"\[36\]"),
        ({"scenes": noise(0, 36, 64)}, SceneError, r"\[0, 36, 64\]"),
        ({"scenes": noise(101, 4, 4)}, SceneError, "100"),
        ({"scenes": noise(2, 36, 64) * 0 + 30}, SceneError, "scene 0, row 0, column 0.*30"),
        ({"scenes": noise(1, 4, 4), "marks": noise(1, 4, 4)}, ValueError, "marks.*uint8"),
        ({"scenes": noise(1, 4, 4), "zoom": 0}, ValueError, "zoom"),
        ({"scenes": noise(1, 4, 4), "columns": 0}, ValueError, "columns"),
    ],
)
def test_scenes_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        show.scenes(**arguments)


# Distributions and curves


def test_bars_named_by_a_rung_have_its_colour_and_a_hatch_each(monkeypatch):
    names = ["seeing", "Doing, exact", "the model", "seeing: day", "imagining (this scene)"]
    looks = plots._looks(names)
    see, do, imagine = show.COLOURS.values()
    assert [colour for colour, _ in looks] == [see, do, show.BARS[0], see, imagine]
    assert [hatch for _, hatch in looks] == list(show.HATCHES)
    for name in ("seeings", "made-up data", ""):
        assert plots._looks([name]) == plots._looks(["x"])
    bars = show.distributions({name: [0.5, 0.5] for name in names}, ["a", "b"])
    found = {tuple(p) for p in pixels_of(bars).reshape(-1, 3)}
    for colour, _ in looks:
        assert tuple(round(255 * c) for c in colors.to_rgb(colour)) in found


def test_distributions_in_words():
    picture = show.distributions(
        {"exact": {"hurt": 0.6, "die": 0.4}, "model": torch.tensor([0.396, 0.604])},
        ["die", "hurt"],
        title="reactions",
        errors={"model": [0.02, 0.021]},
    )
    assert picture.alt == (
        "reactions: bars, probability. exact: die 0.40, hurt 0.60. "
        "model: die 0.40 ± 0.02, hurt 0.60 ± 0.02."
    )
    alt = show.distributions({"exact": [0.5, 0.3548]}, ["a", "b"], digits=4).alt
    assert "b 0.3548" in alt


@pytest.mark.parametrize(
    ("series", "more", "message"),
    [
        ({}, {}, "1 to 5 series"),
        ({str(i): [0.5, 0.5] for i in range(6)}, {}, "1 to 5 series"),
        ({"exact": [0.5, 0.3, 0.2]}, {}, r"exact: expected 2 numbers, found \[3\]"),
        ({"exact": {"die": 1.0}}, {}, "exact: expected die, hurt; found die"),
        ({"exact": [0.5, 1.5]}, {}, "exact, hurt.*1.5"),
        ({"exact": [float("nan"), 0.5]}, {}, "exact, die.*nan"),
        ({"exact": {"die": None, "hurt": 1.0}}, {}, "exact, die.*nan"),
        ({"exact": {"die": [0.5, 0.5], "hurt": 1.0}}, {}, "exact, die: expected a number"),
        ({"exact": [0.5, 0.5]}, {"errors": {"model": [0, 0]}}, "model"),
        ({"exact": [0.5, 0.5]}, {"errors": {"exact": [0]}}, "errors of exact"),
    ],
)
def test_distributions_refuses(series, more, message):
    with pytest.raises(ValueError, match=message):
        show.distributions(series, ["die", "hurt"], **more)


def test_curves_in_words():
    series = {"loss": [3.14159, 2.0], "test": torch.tensor([4.0, 2.5], requires_grad=True)}
    picture = show.curves(series, ylabel="nats")
    assert repr(picture) == "curves of nats over step: loss; test."
    highest = "loss 3.14 at 1 (highest), 2 at 2 (lowest); test 4 at 1 (highest), 2.5 at 2 (lowest)"
    assert highest in picture.alt
    assert "loss 3.1 to 2; test 4 to 2.5" in repr(show.curves(series, logy=True, digits=2))
    long = {"loss": [7242.4, 1234.5, 0.0, *range(30, 60)]}
    told = show.curves(long, range(0, 330, 10), title="Why?").alt
    assert told.endswith(
        "loss 7,240 at 0 (highest), 1,230 at 10, 0 at 20 (lowest), 35 at 80, 43 at 160, 51 at 240, "
        "59 at 320."
    )
    assert told.startswith("Why? curves of")
    tiny = show.curves({"loss": [1e-9, 5e-324]}, [1_234_567, 2e12], logy=True, title=" ").alt
    assert tiny.startswith("curves of")
    assert "loss 1e-09 at 1,234,567 (highest), 4.94e-324 at 2e+12 (lowest)" in tiny


@pytest.mark.parametrize(
    ("series", "more", "message"),
    [
        ({}, {}, "1 to 5 curves"),
        ({"loss": []}, {}, "loss"),
        ({"loss": [1.0, 2.0]}, {"x": [1, 2, 3]}, r"loss: expected 3 numbers, found \[2\]"),
        ({"loss": [1.0, float("inf")]}, {}, "loss, place 1.*inf"),
        ({"loss": [1.0, 0.0]}, {"logy": True}, "loss, place 1.*above 0"),
        ({"loss": [1.0, 2.0]}, {"x": [0, 1], "logx": True}, "x of loss, place 0.*above 0"),
    ],
)
def test_curves_refuses(series, more, message):
    with pytest.raises(ValueError, match=message):
        show.curves(series, **more)


# The fixed figure


def test_rungs_in_words():
    scenes = some_scenes(3)
    picture = show.rungs(seeing=scenes, scene=scenes[0])
    alt = picture.alt
    one, all_of = (hashlib.sha256(x.numpy().tobytes()).hexdigest()[:8] for x in (scenes[0], scenes))
    assert repr(picture) == f"{alt} Pixels {one} (the scene), {all_of} (see)."
    assert f"The scene asked about: {scenes_in_words(scenes[:1])}. Seeing: We see an attack" in alt
    assert f"Its answer: 3 scenes: {scenes_in_words(scenes, without=STYLE)}. Doing: " in alt
    for question in ("P(reaction | do(action = attack))", "P(reaction_attack | this picture)"):
        assert re.search(re.escape(question) + r"\. [^.]*\. Its answer is still to come\.", alt)
    assert "Only the third is about this very picture." in alt
    assert "this very picture" not in show.rungs(seeing=scenes).alt
    whole = scenes_in_words(scenes, stage=stage_of(DUEL))
    assert f"Its answer: 3 scenes: {whole}." in show.rungs(imagining=scenes).alt
    assert "action → reaction ← reactor" in alt
    assert "action → sky → reaction ← reactor; for doing" in show.rungs(between="sky").alt
    behind = show.rungs(between="sky", behind="fever").alt
    assert "reaction ← reactor, action ← fever → reaction; for doing" in behind
    assert "the arrows into action are cut" in behind and "the arrow into action is cut" in alt
    assert "The same fighters, fever and luck" in behind and "fever" not in alt
    assert "had the action been a taunt" in show.rungs(action="taunt").alt
    plain = repr(show.rungs(seeing=scenes, digest=False))
    assert "Its answer: 3 scenes. Doing: " in plain and "Pixels" not in plain


def test_rungs_refuses():
    with pytest.raises(SceneError, match="1 to 4"):
        show.rungs(doing=noise(5, 36, 64))
    with pytest.raises(SceneError, match=r"\[1, 24, 24\]"):
        show.rungs(imagining=noise(1, 24, 24))
    with pytest.raises(SceneError, match="dance"):
        show.rungs(action="dance")


# Tables


def test_tables_are_rounded_aligned_and_escaped():
    rows = [["P(die | attack)", 0.26131, torch.tensor(0.5)], ["a < b", 12, None]]
    table = show.table(rows, ["question", "exact", "model"], digits=2)
    assert repr(table).splitlines() == [
        "question         exact  model",
        "---------------  -----  -----",
        "P(die | attack)   0.26   0.50",
        "a < b               12",
    ]
    assert "<td>a &lt; b</td><td>12</td><td></td>" in table._repr_html_()
    with pytest.raises(ValueError, match="row 1: expected 3 cells, found 2"):
        show.table([[1, 2, 3], [1, 2]], ["a", "b", "c"])
