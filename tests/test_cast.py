"""A cast of one's own: any number of characters and types, under any names, in any order.

Casts are made from the course's sheets: other colours, another name. What is drawn of them is read
back exactly, by the same oracle that reads the course's scenes.
"""

import json
import pickle
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from cimg import cast, checkpoint, decoders, explorer, gan, gan_train, reader, scene, score, show
from cimg.cast import add_sprites
from cimg.checkpoint import CheckpointError
from cimg.damage import Damage
from cimg.data import Batches, draw, draw_evenly, labels_of
from cimg.doubt import explain
from cimg.gan_score import score_doing as score_gan
from cimg.imagine import do, imagine, see
from cimg.reading import ExactReader, marginals, posterior
from cimg.scene import (
    ACTIONS,
    CHARACTERS,
    REACTIONS,
    SceneError,
    check_world,
    render,
    sample_uniform,
    stage,
    stage_of,
    style_of,
)
from cimg.score import read_back
from cimg.scorecard import image_in, leak
from cimg.sprites import POSES, SIZE, TRANSPARENT, SpriteError, load_palette, load_sheets
from cimg.train import Settings, load, main, settings_of, train
from cimg.world import World

SHEETS, PALETTE = load_sheets(), load_palette()
DUEL = World.load("duel")
OURS = [SHEETS[who][kind] for who in CHARACTERS for kind in SHEETS[who]]
TINY = Settings(steps=6, batch=6, hidden=16)


def forget() -> None:
    """As if Python had been started anew."""
    cast._added.clear()
    scene._stage.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_added():
    """What a test adds is gone after it."""
    forget()
    yield
    forget()


def recoloured(sheet: torch.Tensor, by: int) -> torch.Tensor:
    """The same figures, every colour `by` places on in the palette."""
    return torch.where(sheet == TRANSPARENT, sheet, (sheet + by) % TRANSPARENT)


def write_sheet(sheet: torch.Tensor, path: Path) -> None:
    """A sheet, uint8 [6, 24, 24], as a PNG file with transparency."""
    flat = sheet.transpose(0, 1).reshape(SIZE, -1)
    rgba = torch.full((*flat.shape, 4), 255, dtype=torch.uint8)
    rgba[..., :3] = PALETTE.rgb[flat.long().clamp(max=TRANSPARENT - 1)]
    rgba[flat == TRANSPARENT] = 0
    Image.fromarray(rgba.numpy()).save(path)


def write_cast(folder: Path, characters, types) -> Path:
    """Sheets for all of them: of ours in turn, in other colours, each six in others again."""
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(f"{who}-{kind}" for who in characters for kind in types):
        write_sheet(recoloured(OURS[i % 6], 1 + i // 6), folder / f"{name}.png")
    return folder


def world_of(characters, types, actions=ACTIONS, reactions=REACTIONS, name="own") -> World:
    """Everything even, but for the reaction, which follows the action."""
    both = {"character": characters, "type": types}
    values = {f"{role}_{k}": v for role in scene.ROLES for k, v in both.items()}
    values |= {"action": actions, "reaction": reactions}
    listed = [
        {"name": k, "values": list(v), "in_image": True, "cpt": [1 / len(v)] * len(v)}
        for k, v in values.items()
    ]
    n, m = len(actions), len(reactions)
    rows = [[(1 + (i == j)) / (m + (i < m)) for j in range(m)] for i in range(n)]
    listed[-1] |= {"parents": ["action"], "cpt": rows}
    return World.from_dict({"name": name, "variables": listed})


names = st.from_regex(r"[a-z][a-z0-9_]{0,7}", fullmatch=True)


@st.composite
def casts(draw, least=2):
    """Names of 2 to 4 characters and 1 to 4 types, in any order; some of the six poses."""
    characters = draw(st.lists(names, min_size=least, max_size=4, unique=True))
    types = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    poses = [draw(st.permutations(POSES))[: draw(st.integers(1, 6))] for _ in range(2)]
    characters = [f"x_{who}" for who in characters]  # none of ours
    return characters, types, *poses


# ── Laws ────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=15, deadline=None)
@given(casts(), st.integers(0, 2**32))
def test_every_scene_of_a_cast_is_read_back(tmp_path_factory, own, seed):
    characters, types, actions, reactions = own
    forget()
    add_sprites(write_cast(tmp_path_factory.mktemp("cast"), characters, types))
    world = world_of(characters, types, actions, reactions)
    on = check_world(world)
    assert (on.characters, on.types) == (tuple(characters), tuple(types))
    assert {k: on.variables[k] for k in labels_of(world)} == labels_of(world)
    assert list(style_of(world)) == ["sky", "sun", "actor_distance", "reactor_distance", "hills"]
    scenes, values = draw_evenly(world, 60, seed)
    found, wrong = read_back(scenes, on)
    assert not wrong.any()
    assert all(torch.equal(found[name], values[name]) for name in on.variables)
    read = posterior(world, ExactReader(world)(scenes[:2]))
    for name, p in marginals(world, read).items():
        assert torch.equal(p.argmax(1), values[name][:2])


@settings(max_examples=15, deadline=None)
@given(casts(least=1), st.permutations(CHARACTERS), st.integers(0, 3), st.integers(0, 2**32))
def test_the_course_s_stage_is_part_of_a_larger_one(tmp_path_factory, own, ours, at, seed):
    """The same names, the same picture, whoever else is there and whatever the order."""
    forget()
    more, kinds = own[0][:2], stage().types
    add_sprites(write_cast(tmp_path_factory.mktemp("more"), more, kinds))
    names = [*more[:at], *ours, *more[at:]]
    large, values = (
        stage_of(world_of(names, kinds[::-1])),
        sample_uniform(stage().variables, 40, seed),
    )
    moved = {
        name: torch.tensor([large.variables[name].index(value) for value in drawn])[values[name]]
        for name, drawn in stage().variables.items()
    }
    assert torch.equal(render(moved, large), render(values))


def test_a_world_with_the_course_s_cast_has_the_course_s_stage():
    assert stage_of(DUEL) is stage() is stage_of(World.load("arena"))
    assert stage_of(world_of(CHARACTERS, stage().types)) is stage()
    assert stage_of(World([DUEL.variables["actor_character"]], "few")) is stage()
    fewer = stage_of(world_of(("golem",), ("type2",)))
    values = sample_uniform(fewer.variables, 30, 1)
    ours = values | {f"{role}_character": torch.ones(30).long() for role in scene.ROLES}
    ours |= {f"{role}_type": torch.ones(30).long() for role in scene.ROLES}
    assert torch.equal(render(values, fewer), render(ours))


def test_further_sheets_beside_the_course_s_change_nothing_of_it(tmp_path, monkeypatch):
    """A new sheet in sprites/, even a broken one, is none of the two characters' business."""
    before = stage().digest
    for who in CHARACTERS:
        for kind in stage().types:
            write_sheet(SHEETS[who][kind], tmp_path / f"{who}-{kind}.png")
    (tmp_path / "troll-type1.png").write_bytes(b"not a picture")
    monkeypatch.setattr(cast, "FOLDER", tmp_path)
    scene._stage.cache_clear()
    assert stage().digest == before
    with pytest.raises(SpriteError, match=r"troll-type1\.png: expected a PNG file"):
        stage_of(world_of(("satyr", "troll"), ("type1",)))


# ── A model of three characters ─────────────────────────────────────────────────────────────────


@pytest.fixture
def imps(tmp_path, monkeypatch):
    """A world with a third character, and its sheets."""
    monkeypatch.setattr("cimg.train.STYLES_KEPT", 64)
    folder = write_cast(tmp_path / "sheets", ("imp",), ("type1", "type2", "type3"))
    for kind in ("type1", "type2", "type3"):
        sheet = SHEETS["satyr"][kind].flip(2)  # the satyr seen from behind, in other colours
        write_sheet(recoloured(sheet, 3), folder / f"imp-{kind}.png")
    assert add_sprites(folder) == {"imp": ("type1", "type2", "type3")}
    return world_of(("satyr", "imp", "golem"), ("type1", "type2", "type3"))


def test_a_model_is_trained_kept_loaded_and_asked(imps, tmp_path):
    path = tmp_path / "own.safetensors"
    model = train(imps, TINY, path)
    again = load(path, imps)
    assert model.cast.figures.shape[0] == 3 * 3 * 6
    assert all(torch.equal(x, again.state_dict()[k]) for k, x in model.state_dict().items())
    scenes, values = draw(imps, 4, 1)
    read = again.read(scenes)
    assert read["actor_character"].shape == (4, 3) and read["reactor_type"].shape == (4, 3)
    assert see(again, {"actor_character": "imp"}, 3).scenes.shape == (3, 36, 64)
    assert set(do(again, {"action": "walk"}, 3).values["action"].tolist()) == {2}
    fact = imps.describe({name: values[name] for name in imps.visible})
    with pytest.raises(SceneError, match="as this world's are drawn, so the model needs more"):
        imagine(again, scenes[0], {"action": "attack"})
    had = imagine(again, scenes[0], {"actor_character": "imp"}, 2, fact, unexplained=1.0)
    assert had.values["actor_character"].tolist() == [1, 1]
    found = explain(again, scenes[0], most=1.0)
    assert float(found.probability.sum()) == pytest.approx(1)


def test_a_run_is_taken_up_again(imps, tmp_path, monkeypatch):
    path, seen = tmp_path / "own.safetensors", []
    monkeypatch.setattr("cimg.train.finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(imps, TINY, path, every=4)
    monkeypatch.undo()
    monkeypatch.setattr("cimg.train.STYLES_KEPT", 64)
    forget()
    add_sprites(tmp_path / "sheets")
    train(imps, TINY, path, every=1, report=lambda step, _: seen.append(step))
    assert seen == [5, 6]
    assert load(path, imps).world is imps


def test_weights_know_the_pictures_that_they_were_trained_on(imps, tmp_path):
    path, state = tmp_path / "own.safetensors", tmp_path / "own.run.safetensors"
    train(imps, TINY, path)
    about = checkpoint.read(path)[1]
    assert about["pictures"] == stage_of(imps).digest != stage().digest
    assert settings_of(about, path) == TINY
    tensors, about = checkpoint.read(path)
    checkpoint.write(state, tensors, about | {"step": 3})
    write_sheet(recoloured(SHEETS["golem"]["type2"], 5), tmp_path / "sheets" / "imp-type2.png")
    forget()
    add_sprites(tmp_path / "sheets")
    with pytest.raises(CheckpointError, match="trained on other sheets of the same characters"):
        load(path, imps)
    with pytest.raises(CheckpointError, match=r"another run \(the sheets were others\)"):
        train(imps, TINY, path)
    forget()
    with pytest.raises(SceneError, match=r"expected a sheet imp-type1\.png in sprites"):
        load(path, imps)


class Perfect:
    """A model that knows the renderer: z is the index of a style."""

    def __init__(self, world: World):
        self.world, self.style, self.on = world, style_of(world), stage_of(world)
        self.sizes = [len(values) for values in self.style.values()]

    def encode(self, scenes, values):
        found, _ = read_back(scenes, self.on)
        z = torch.zeros(len(scenes), dtype=torch.long)
        for name, size in zip(self.style, self.sizes, strict=True):
            z = z * size + found[name]
        return z[:, None].float(), torch.zeros(len(z), 1)

    def decode(self, z, values):
        style = scene.unflatten(self.style, z[:, 0].long())
        return render({k: values[k] for k in self.world.visible} | style, self.on)

    def read(self, scenes):
        found, _ = read_back(scenes, self.on)
        return {
            name: torch.nn.functional.one_hot(found[name], len(values)).float()
            for name, values in labels_of(self.world).items()
        }

    def sample_style(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(prod(self.sizes), (n, 1), generator=generator).float()

    stage = property(lambda self: self.on)


def test_every_measure_knows_the_cast(imps):
    """Full marks for a perfect model."""
    model, n = Perfect(imps), 60
    for measure in ("counterfactuals", "style", "repetition", "prior"):
        marks = getattr(score, f"score_{measure}")(model, n)
        assert set(marks.values()) == {1.0}, (measure, marks)
    assert score.score_reading(model, n) == image_in(model, 10) == 1
    assert score.score_doing(model, n=400) < 0.1
    told = leak(model, 200)
    assert told.keys() == labels_of(imps).keys() and max(told.values()) < 0.2
    learning = replace(TINY, model="plain", steps=1)
    marks = decoders.marks(train(imps, learning), True, 10)
    assert marks["identical images"] == 0 and 0 <= marks["labels"] <= 1


def test_what_is_done_is_the_first_action_of_a_world_without_attacks(imps):
    peaceful = world_of(("imp",), ("type1",), ("walk", "idle"), ("taunt", "hurt", "die"), "peace")
    model = Perfect(peaceful)
    assert score.score_doing(model, n=400) == score.score_doing(model, "walk", n=400) < 0.1
    assert score.score_counterfactuals(model, 50)["identical images"] == 1


def test_doubt_knows_figures_that_hardly_differ(imps, tmp_path):
    """Two types that differ in few pixels: the limit below which one is sure becomes smaller."""
    twin = SHEETS["golem"]["type1"].clone()
    spots = [(pose, *(twin[pose] < 24).nonzero()[20:28].T) for pose in range(6)]
    for pose, y, x in spots:
        twin[pose, y, x] = (twin[pose, y, x] + 1) % 24
    folder = tmp_path / "twins"
    folder.mkdir()
    write_sheet(SHEETS["golem"]["type1"], folder / "twin-one.png")
    write_sheet(twin, folder / "twin-two.png")
    add_sprites(folder)
    on = stage_of(world_of(("twin",), ("one", "two")))
    assert on.apart == 8 and stage().apart >= 85
    values = sample_uniform(on.variables, 50, 4)
    assert torch.equal(read_back(render(values, on), on)[0]["actor_type"], values["actor_type"])


# ── Everything else that draws ──────────────────────────────────────────────────────────────────


def test_workers_know_the_cast_wherever_they_run(imps):
    """A loader's worker may be a new process, in which nothing was added."""
    batches = Batches(imps, 5, seed=2)
    expected = [batches[i][0] for i in range(3)]
    packed = pickle.dumps(batches)
    forget()
    loader = DataLoader(pickle.loads(packed), batch_size=None)
    assert all(torch.equal(x, y[0]) for x, y in zip(expected, loader, strict=False))


def test_a_damaged_scene_is_read(imps):
    scenes, values = draw(imps, 3, 5)
    damage = Damage(noise=0.1, stone=False)
    exact = ExactReader(imps, damage)
    p = posterior(imps, exact(damage(scenes, 1)))
    assert p.shape == (3, *(len(v) for v in labels_of(imps).values()))
    assert torch.equal(marginals(imps, p)["actor_character"].argmax(1), values["actor_character"])
    drawn = exact.sample(scenes[0], 4, 1)
    assert torch.equal(render(drawn, stage_of(imps))[0], scenes[0])


def test_a_reader_learns_the_cast(imps, tmp_path):
    on, path = stage_of(imps), tmp_path / "reader.safetensors"
    few = reader.Settings(steps=2, batch=4, code=4, hidden=8)
    taught = reader.train(few, on)
    reader.save(taught, few, path)
    again, (scenes, _) = reader.load(path, on), draw(imps, 2, 1)
    table = again.log_likelihood(imps, scenes)
    assert table.shape == (2, 3, 3, 3, 3, 3, 4)
    assert torch.equal(table, taught.log_likelihood(imps, scenes))
    with pytest.raises(CheckpointError, match="not the weights of a reader of these scenes"):
        reader.load(path)
    with pytest.raises(SceneError, match="taught satyr, imp, golem, .*world 'duel' has others"):
        again.log_likelihood(DUEL, scenes)
    with pytest.raises(SceneError, match="taught satyr, golem, .*world 'own' has others"):
        reader.load().log_likelihood(imps, scenes)


def test_a_gan_of_the_cast(imps, tmp_path):
    few, path = gan_train.Settings(steps=2, batch=4, hidden=8), tmp_path / "gan.safetensors"
    game = gan_train.train(imps, imps.visible, few, path)
    again = gan.load(path, imps)
    assert again.generator.figures_in_all == 54
    pictures, values = again.see({"reactor_character": "golem"}, 3)
    assert pictures.shape == (3, 36, 64) and values["reactor_character"].tolist() == [2, 2, 2]
    assert 0 <= score_gan(again, 20)["effectiveness"] <= 1
    told_less = gan_train.train(imps, ("action",), replace(few, steps=1), parent=game)
    assert told_less.gan.given == ("action",)
    write_sheet(recoloured(SHEETS["golem"]["type2"], 5), tmp_path / "sheets" / "imp-type2.png")
    forget()
    add_sprites(tmp_path / "sheets")
    with pytest.raises(CheckpointError, match="trained on other sheets"):
        gan.load(path, imps)


def test_the_explorer_and_the_figures(imps):
    model = train(imps, TINY)
    box = explorer.Explorer(model)
    assert "imp" in str(box.variables["actor_character"].options)
    box.set(explorer.Controls(2, {"actor_character": "imp"}, {"action": "walk"}))
    assert "imp" in box.answer.value and box.shown.truth.shape == (4, 36, 64)
    assert len(box.shown.wrong) == 4 and "walk" in box.shown.picture.alt
    shown = explorer.ask(model, 1, "actor_character", "imp")
    assert (shown.labels["actor_character"] == 1).all()
    assert "reactor_character" in show.graph(imps).alt
    scenes, _ = draw(imps, 2)
    assert "2 scenes" in show.scenes(scenes).alt
    assert "idle" in show.rungs(scenes, scenes, scenes[:1], scenes[0], action="idle").alt


def test_the_command_trains_a_world_file(imps, tmp_path, monkeypatch, capsys):
    file = tmp_path / "mine.json"
    imps.to_json(file)
    forget()
    command = ["train", str(file), "--steps", "2", "--batch", "2", "--hidden", "8"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "expected a sheet imp-type1.png in sprites" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", [*command, "--sprites", str(tmp_path / "sheets")])
    main()
    weights = tmp_path / "mine-model.safetensors"  # beside the world, not among the course's
    assert World.from_json(file).to_dict() == imps.to_dict()  # which is left as it was
    assert str(weights) in capsys.readouterr().out
    assert json.loads(weights.with_suffix(".json").read_text())["world"] == "own"
    assert load(weights, imps).cast.figures.shape[0] == 54


# ── What can't be ───────────────────────────────────────────────────────────────────────────────


def sheet(folder: Path, name: str, picture: torch.Tensor = OURS[0]) -> None:
    folder.mkdir(exist_ok=True)
    write_sheet(picture, folder / name)


def test_a_folder_may_be_added_twice_and_may_hold_the_course_s_own(tmp_path):
    sheet(tmp_path, "imp-type1.png")
    sheet(tmp_path, "satyr-type1.png")
    (tmp_path / "palette.gpl").write_bytes((cast.FOLDER / "palette.gpl").read_bytes())
    for _ in range(2):
        assert add_sprites(str(tmp_path)) == {"imp": ("type1",), "satyr": ("type1",)}


@pytest.mark.parametrize(
    "name, message",
    [
        (None, "expected a folder of sheets like imp-type1.png, found none"),
        ("", "expected sheets like satyr-type1.png, found none"),
        ("imp.png", r"imp\.png: expected a name like satyr-type1\.png"),
        ("Imp-type1.png", r"Imp-type1\.png: expected a name"),
        ("satyr-type1.png", r"satyr-type1 is there already, with another picture, from .*sprites"),
        ("palette.gpl", "expected the palette of the course, found other colours"),
    ],
)
def test_a_folder_that_cannot_be_added(tmp_path, name, message):
    folder = tmp_path / "own"
    if name == "palette.gpl":
        sheet(folder, "imp-type1.png")
        text = (cast.FOLDER / name).read_text().replace("outline", "line")
        (folder / name).write_text(text)
    elif name:
        sheet(folder, name, OURS[1])
    elif name == "":
        folder.mkdir()
    with pytest.raises(SpriteError, match=message):
        add_sprites(folder)
    assert not cast._added


def test_one_bad_sheet_and_none_of_the_folder_is_added(tmp_path):
    sheet(tmp_path, "imp-type1.png")
    (tmp_path / "imp-type2.png").write_bytes(b"no picture")
    with pytest.raises(SpriteError, match=r"imp-type2\.png: expected a PNG file"):
        add_sprites(tmp_path)
    assert not cast._added


def test_a_sheet_that_was_drawn_anew_says_what_to_do(tmp_path):
    sheet(tmp_path / "a", "imp-type1.png")
    add_sprites(tmp_path / "a")
    sheet(tmp_path / "b", "imp-type1.png", OURS[1])
    with pytest.raises(SpriteError, match=r"imp-type1 is there already.* from .*a; .*Python anew"):
        add_sprites(tmp_path / "b")


def changed(**values: list[str]) -> World:
    """A world of the course's cast in which some variables have other values."""
    spec = world_of(CHARACTERS, stage().types).to_dict()
    for variable in spec["variables"]:
        own = values.get(variable["name"], variable["values"])
        variable |= {"values": own, "parents": [], "cpt": [1 / len(own)] * len(own)}
    return World.from_dict(spec)


@pytest.mark.parametrize(
    "values, message",
    [
        (
            {"actor_character": ["satyr"]},
            "'actor_character' and 'reactor_character' should .*; found satyr and satyr, golem$",
        ),
        ({"reactor_type": ["type2", "type1"]}, "'actor_type' and 'reactor_type' .*; found type1, "),
        ({"action": ["attack", "sing"]}, "'action' may have .*the poses of the sheets; found sing"),
        ({"reaction": ["Die"]}, "'reaction' may have the values attack, taunt, .*; found Die$"),
        (
            {"actor_character": ["satyr", "imp"], "reactor_character": ["satyr", "imp"]},
            r"'imp' of type 'type1' can't .*: expected a sheet imp-type1\.png in sprites",
        ),
        (
            {"actor_type": ["type1", "type9"], "reactor_type": ["type1", "type9"]},
            r"'satyr' of type 'type9' can't be drawn: expected a sheet satyr-type9\.png",
        ),
        (
            {"actor_character": ["Satyr", "golem"], "reactor_character": ["Satyr", "golem"]},
            "'Satyr' of type 'type1' can't be drawn: a sheet has a name like imp-type1.png",
        ),
    ],
)
def test_a_world_whose_cast_cannot_be_drawn(values, message):
    world = changed(**values)
    for ask in (
        stage_of,
        check_world,
        style_of,
        ExactReader,
        lambda w: draw(w, 1),
        lambda w: Batches(w, 4),
    ):
        with pytest.raises(SceneError, match=message):
            ask(world)


def test_two_figures_that_are_alike(tmp_path):
    """Also where they are only alike a step further on."""
    sheet(tmp_path, "imp-type1.png", OURS[3])
    add_sprites(tmp_path)
    twins = world_of(("golem", "imp"), ("type1",))
    with pytest.raises(SceneError, match="golem type1, attack and imp type1, attack are drawn al"):
        stage_of(twins)
    forget()
    narrow = torch.full((6, SIZE, SIZE), TRANSPARENT, dtype=torch.uint8)
    narrow[:, 10:, 8:12] = torch.arange(6)[:, None, None].byte()
    sheet(tmp_path / "narrow", "post-one.png", narrow)
    sheet(tmp_path / "narrow", "post-two.png", narrow.roll(2, 2))
    add_sprites(tmp_path / "narrow")
    with pytest.raises(SceneError, match="post one, attack and post two, attack are drawn alike"):
        stage_of(world_of(("post",), ("one", "two")))
