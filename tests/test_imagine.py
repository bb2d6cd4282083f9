"""Questions whose answer is a picture, put to the shipped model, and read by the oracle.

What is exact is tested exactly (which labels an answer has), what is drawn by chance against exact
probabilities with a tolerance of four standard errors, what was learnt against the true picture.
"""

import pytest
import torch

from cimg.conditional import rows
from cimg.counterfactual import bounds, probability_had
from cimg.data import draw
from cimg.doubt import explain, likely, weigh
from cimg.imagine import Answer, DoubtfulScene, do, imagine, read_labels, see
from cimg.query import probability
from cimg.scene import HALF, HEIGHT, WIDTH, SceneError, render, stage, style_of
from cimg.score import read_back
from cimg.train import load
from cimg.world import World, WorldError

DUEL = World.load("duel")
UPSTREAM = [name for name in DUEL.variables if name not in ("action", "reaction")]


@pytest.fixture(scope="module")
def model():
    return load("duel")


def scene_where(**labels: str) -> tuple[torch.Tensor, dict[str, int]]:
    """A true scene with such labels, and all its values by code."""
    scenes, values = draw(DUEL, 300, seed=21, do=labels)
    i = int((values["sky"] == 1).nonzero()[0])  # by day
    return scenes[i], {name: int(codes[i]) for name, codes in values.items()}


def labels_of(values: dict[str, int]) -> dict[str, int]:
    return {name: values[name] for name in DUEL.visible}


def close(counts: torch.Tensor, exact: torch.Tensor, n: int) -> bool:
    error = (exact * (1 - exact) / n).sqrt()
    return bool(((counts / n - exact).abs() <= 4 * error + 1e-9).all())


# ── Seeing and doing ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "given, do_",
    [
        ({"action": "attack"}, {}),
        ({}, {"action": "attack"}),
        ({"reaction": "die"}, {}),
        ({"reaction": "hurt"}, {"action": "taunt"}),
        ({"actor_strength": "high"}, {"reactor_type": "type2"}),
    ],
)
def test_pictures_come_as_often_as_the_world_says(model, given, do_):
    n = 250
    answer = do(model, do_, n, seed=3, given=given)
    assert answer.scenes.shape == (n, HEIGHT, WIDTH) and answer.scenes.dtype == torch.uint8
    assert list(answer.values) == list(DUEL.variables)
    for name, code in DUEL.encode(given | do_).items():
        assert (answer.values[name] == code).all()
    free = [name for name in DUEL.visible if name not in given | do_]
    for name in free:
        exact = probability(DUEL, name, given, do_)
        counts = torch.bincount(answer.values[name], minlength=len(exact))
        assert close(counts, exact, n), name
    found, _ = read_back(answer.scenes)
    assert all(torch.equal(found[name], answer.values[name]) for name in DUEL.visible)


def test_seeing_is_doing_nothing_and_given(model):
    one, other = see(model, {"action": "attack"}, 20, seed=4), do(model, {}, 20, 4, {"action": 0})
    assert torch.equal(one.scenes, other.scenes)
    assert all(torch.equal(one.values[k], other.values[k]) for k in DUEL.variables)


def test_seeing_tells_about_causes_and_doing_does_not(model):
    """Who is it that attacks, if an attack was seen; and if one was made?"""
    strong = {
        "seen": float(probability(DUEL, "actor_attack", given={"action": "attack"})[1]),
        "done": float(probability(DUEL, "actor_attack", do={"action": "attack"})[1]),
    }
    assert abs(strong["seen"] - strong["done"]) > 0.1
    drawn = {
        "seen": see(model, {"action": "attack"}, n=400, seed=1).values["actor_attack"],
        "done": do(model, {"action": "attack"}, n=400, seed=1).values["actor_attack"],
    }
    for how, values in drawn.items():
        assert abs(float(values.double().mean()) - strong[how]) < 0.1, how


def test_style_of_what_is_drawn_is_uniform_and_has_nothing_to_do_with_the_labels(model):
    n, kept = 1000, len(model.seen_loc)
    found, _ = read_back(see(model, None, n, seed=5).scenes)
    for name, values in style_of(DUEL).items():
        counts = torch.bincount(found[name], minlength=len(values)).double()
        chi_square = float(((counts - n / len(values)) ** 2 / (n / len(values))).sum())
        chi_square /= 1 + n / kept  # the styles that were kept are a sample themselves
        assert chi_square < len(values) - 1 + 5 * (2 * (len(values) - 1)) ** 0.5, name
    for name in ("actor_distance", "sky"):
        joint = torch.bincount(found[name] * 3 + found["action"], minlength=12).view(4, 3).double()
        expected = joint.sum(1, keepdim=True) * joint.sum(0) / n
        assert float(((joint - expected) ** 2 / expected).sum()) < 6 + 5 * 12**0.5, name


def test_answers_are_the_same_for_a_seed(model):
    scene, _ = scene_where(action="taunt")
    for ask in (
        lambda seed: see(model, {"action": "attack"}, 3, seed),
        lambda seed: do(model, {"action": "attack"}, 3, seed),
        lambda seed: imagine(model, scene, {"action": "attack"}, 40, seed=seed),
    ):
        assert torch.equal(ask(1).scenes, ask(1).scenes)
        assert not all(torch.equal(ask(1).values[k], ask(2).values[k]) for k in DUEL.variables)


def test_no_pictures(model):
    scene, _ = scene_where(action="walk")
    asked = (see(model, n=0), do(model, {"action": 0}, n=0), imagine(model, scene, {}, n=0))
    for answer in asked:
        assert isinstance(answer, Answer) and answer.scenes.shape == (0, HEIGHT, WIDTH)


# ── Imagining ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("coupling", ["gumbel", "monotone", {"reaction": "monotone"}])
@pytest.mark.parametrize("reaction", ["die", "hurt", "idle", "attack"])
def test_nothing_changes_where_nothing_is_changed(model, reaction, coupling):
    """Consistency: no action, and the action that was taken anyway, leave all as it was."""
    scene, values = scene_where(action="attack", reaction=reaction)
    for act in ({}, {"action": "attack"}, {"action": 0, "reactor_type": values["reactor_type"]}):
        answer = imagine(model, scene, act, n=25, coupling=coupling, seed=7)
        for name in DUEL.visible:
            assert (answer.values[name] == values[name]).all(), name
        assert (answer.scenes == answer.scenes[0]).all()
        assert float((answer.scenes[0] != scene).double().mean()) < 0.002


def test_what_does_not_descend_from_an_action_keeps_its_value(model):
    scene, values = scene_where(action="taunt", reaction="idle")
    answer = imagine(model, scene, {"action": "attack"}, n=50)
    for name in DUEL.visible:
        if name in UPSTREAM:
            assert (answer.values[name] == values[name]).all()
    assert (answer.values["action"] == 0).all()
    assert len(answer.values["reaction"].unique()) > 1
    one = imagine(model, scene, {"reaction": "die"}, n=10)
    assert (one.values["action"] == values["action"]).all() and (one.values["reaction"] == 0).all()


@pytest.mark.parametrize("coupling", ["gumbel", "monotone"])
@pytest.mark.parametrize(
    "do_", [{"action": "attack"}, {"reactor_type": "type2", "action": "taunt"}]
)
def test_what_would_have_happened_comes_as_often_as_it_should(model, coupling, do_):
    n = 500
    scene, values = scene_where(action="walk", reaction="idle")
    seen = labels_of(values)
    answer = imagine(model, scene, do_, n, coupling=coupling, seed=8)
    exact = probability_had(DUEL, "reaction", seen, do_, coupling)
    counts = torch.bincount(answer.values["reaction"], minlength=4)
    assert close(counts, exact, n)
    for code, name in enumerate(DUEL.variables["reaction"].values):
        limits = bounds(DUEL, {"reaction": name}, seen, do_)
        assert limits.low - 1e-9 <= float(exact[code]) <= limits.high + 1e-9


def test_hidden_variables_are_abducted_from_the_labels(model):
    """Not drawn from the prior: someone who walks is more likely weak."""
    n = 500
    scene, values = scene_where(action="walk", reaction="idle")
    answer = imagine(model, scene, {"action": "attack"}, n)
    exact = probability(DUEL, "actor_attack", given=labels_of(values))
    assert close(torch.bincount(answer.values["actor_attack"], minlength=2), exact, n)


def test_the_picture_is_that_of_the_labels_in_the_style_of_the_scene(model):
    """The opening question, over many scenes: nearly all pixels are those of the true picture."""
    scenes, values = draw(DUEL, 40, seed=22)
    wrong = []
    for i, scene in enumerate(scenes):
        answer = imagine(model, scene, {"action": "attack"}, n=2, seed=i)
        truth = render(rows(values, [i, i]) | {k: answer.values[k] for k in DUEL.visible})
        wrong += (answer.scenes != truth).flatten(1).sum(1).tolist()
        other = values["action"][i] != 0
        assert not other or (answer.scenes[0, :, :HALF] != scene[:, :HALF]).any()
    assert sum(wrong) / len(wrong) / (HEIGHT * WIDTH) < 0.001
    assert sum(x == 0 for x in wrong) > 0.7 * len(wrong)


def test_labels_read_from_a_clean_scene_are_as_good_as_labels_given(model):
    scenes, values = draw(DUEL, 20, seed=23)
    for i, scene in enumerate(scenes):
        known = {name: int(values[name][i]) for name in DUEL.visible}
        assert read_labels(model, scene) == known
        spelt = {name: DUEL.variables[name].values[code] for name, code in known.items()}
        read = imagine(model, scene, {"action": "attack"}, n=3, seed=i)
        for labels in (known, spelt):
            told = imagine(model, scene, {"action": "attack"}, n=3, labels=labels, seed=i)
            assert torch.equal(read.scenes, told.scenes)
            assert all(torch.equal(read.values[k], told.values[k]) for k in DUEL.variables)


def test_more_may_be_known_than_the_picture_shows(model):
    scene, values = scene_where(action="walk")
    known = labels_of(values) | {"reactor_strength": "high", "reactor_defense": "low"}
    answer = imagine(model, scene, {"action": "attack"}, n=400, labels=known, seed=2)
    assert (answer.values["reactor_strength"] == 1).all()
    exact = probability_had(DUEL, "reaction", known, {"action": "attack"})
    assert close(torch.bincount(answer.values["reaction"], minlength=4), exact, 400)


def test_a_scene_passed_in_is_not_changed(model):
    scene, _ = scene_where(action="walk")
    before = scene.clone()
    imagine(model, scene, {"action": "attack"}, n=2)
    assert torch.equal(scene, before)


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────


def noise() -> torch.Tensor:
    return torch.randint(24, (HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).byte()


def half_black() -> torch.Tensor:
    scene, _ = scene_where(action="walk", reaction="idle")
    scene = scene.clone()
    scene[:, HALF:] = 0
    return scene


def mirrored() -> torch.Tensor:
    return scene_where(action="walk", reaction="die")[0].flip(-1)


def background_alone() -> torch.Tensor:
    scene, _ = scene_where(action="walk", reaction="idle")
    scene = scene.clone()
    scene[10:30] = 7
    return scene


@pytest.mark.parametrize(
    "scene",
    [noise, half_black, mirrored, background_alone, lambda: torch.full((36, 64), 3).byte()],
    ids=["noise", "half black", "mirrored", "no characters", "one colour"],
)
def test_what_is_no_scene_of_this_world(model, scene):
    said = (
        r"can't explain this picture: .* gets \d+% of the pixels.*; is it a scene of this world\?"
    )
    with pytest.raises(SceneError, match=said):
        imagine(model, scene(), {"action": "attack"})


@pytest.mark.parametrize(
    "scene, message",
    [
        (torch.zeros(1, 36, 64).byte(), r"one scene, uint8 \[36, 64\], found uint8 \[1, 36, 64\]"),
        (torch.zeros(64).byte(), r"found uint8 \[64\]"),
        (torch.zeros(36, 64), r"found float32 \[1, 36, 64\]"),
        (torch.zeros(36, 63).byte(), r"found uint8 \[1, 36, 63\]"),
        (torch.full((36, 64), 24).byte(), r"pixel \(0, 0\): colour 24 is not in the palette"),
        (torch.zeros(36, 64).byte().numpy(), "found ndarray"),
        ("scene.png", "found str"),
        (None, "found NoneType"),
    ],
)
def test_what_is_no_scene_at_all(model, scene, message):
    with pytest.raises(SceneError, match=message):
        imagine(model, scene, {"action": "attack"})


def test_wrong_labels_cannot_explain_a_scene(model):
    scene, values = scene_where(action="walk", reaction="die")
    lie = labels_of(values) | {"reaction": "attack"}
    with pytest.raises(SceneError, match="can't explain this picture"):
        imagine(model, scene, {"action": "attack"}, labels=lie)


def test_a_few_odd_pixels_are_forgiven_and_told_and_too_many_are_not(model):
    scene, values = scene_where(action="walk")
    truth = {name: int(values[name]) for name in model.world.visible}
    for n in (15, 46):  # below and above what counts as clear; 46 of 2304 are just under 2 %
        spoilt = scene.clone()
        spoilt[30:34].view(-1)[:n] = 20
        found = explain(model, spoilt)
        assert int(found.wrong[0]) == n and found.doubt < 1e-6
        assert {k: int(x[0]) for k, x in found.labels.items()} == truth
        answer = imagine(model, spoilt, {"action": "walk"})
        assert answer.unexplained == n / 2304 and answer.doubt < 1e-6
    spoilt[30:34].view(-1)[46] = 20
    with pytest.raises(SceneError, match="gets 2% of the pixels wrong .at most 2% allowed"):
        imagine(model, spoilt, {"action": "walk"})
    assert imagine(model, spoilt, {"action": "walk"}, unexplained=0.03).unexplained == 47 / 2304
    assert imagine(model, scene, {"action": "walk"}).unexplained == 0


# ── Doubt ───────────────────────────────────────────────────────────────────────────────────────


def between(poses: tuple[str, str], share: float) -> torch.Tensor:
    """A picture between two actions: a share of the pixels in which they differ is the second's.

    At a half both are equally far: a pixel left over gets a colour that neither has."""
    one, values = scene_where(action=poses[0], reaction="idle")
    code = stage().variables["action"].index(poses[1])
    codes = {k: torch.as_tensor(x).reshape(1) for k, x in (values | {"action": code}).items()}
    other = render(codes)[0]
    differ = (one != other).flatten().nonzero()[:, 0]
    order = torch.randperm(len(differ), generator=torch.Generator().manual_seed(0))
    taken = differ[order[: int(share * len(differ))]]
    mixed = one.clone()
    mixed.view(-1)[taken] = other.view(-1)[taken]
    if share == 0.5 and len(differ) % 2:
        at = differ[order[-1]]
        mixed.view(-1)[at] = next(
            c for c in range(24) if c not in (one.view(-1)[at], other.view(-1)[at])
        )
    return mixed


def nearest_actions() -> tuple[str, str]:
    """The two actions whose pictures differ least."""
    pairs = [("attack", "taunt"), ("attack", "walk"), ("taunt", "walk")]
    return min(pairs, key=lambda pair: int((between(pair, 0) != between(pair, 1)).sum()))


def test_a_picture_between_two_scenes_is_refused_with_its_doubt(model):
    """Half of the pixels that tell two actions apart are more than a scene may have wrong."""
    message = (
        "can't explain this picture: .*can be explained in 2 ways.*: action (attack|taunt|walk)"
    )
    with pytest.raises(SceneError, match=message):
        imagine(model, between(nearest_actions(), 0.5), {"reaction": "die"})


def test_whoever_allows_it_gets_answers_divided_among_the_explanations(model):
    pair = nearest_actions()
    mixed = between(pair, 0.5)
    with pytest.warns(DoubtfulScene, match="can be explained in 2 ways.*action"):
        answer = imagine(model, mixed, {"reaction": "die"}, n=400, unexplained=0.1)
    found = explain(model, mixed, 0.1)
    codes = [stage().variables["action"].index(pose) for pose in pair]
    shares = torch.bincount(answer.values["action"], minlength=3)[codes].double() / 400
    exact = torch.zeros(3, dtype=torch.float64)
    exact[found.labels["action"]] = found.probability
    assert shares.sum() == 1 and close(400 * shares, exact[codes], 400)
    assert 0 < answer.doubt < 1 and answer.doubt == found.doubt


def test_doubt_is_posterior_probability(model):
    """Where two explanations are equally wrong, what is left are their prior probabilities."""
    pair = nearest_actions()
    found = explain(model, between(pair, 0.0))
    assert found.doubt < 1e-9 and len(found.probability) == 1
    labels, p = likely(model, between(pair, 0.5))
    assert p.sum().item() == pytest.approx(1)
    joint = probability(model.world, model.world.visible)
    prior = torch.stack([joint[tuple(labels[k][i] for k in model.world.visible)] for i in (0, 1)])
    found = weigh(model, between(pair, 0.5), labels, p)
    assert found.wrong[0] == found.wrong[1]
    assert float(p[0] / p[1]) == pytest.approx(float(prior[0] / prior[1]), rel=1e-6)
    labels, p = likely(model, between(pair, 0.5 - 1 / 64))  # a pixel or two nearer to the first
    found = weigh(model, between(pair, 0.5 - 1 / 64), labels, p)
    assert len(p) == 1 or found.wrong[0] < found.wrong[1]


@pytest.mark.parametrize(
    "act, message",
    [
        ({"acton": "attack"}, "unknown variable 'acton'; there are: actor_character"),
        ({"action": "fly"}, "unknown value 'fly' of action; there are: attack, taunt, walk"),
        ({"action": 3}, "unknown value 3 of action"),
        ({"sky": "night"}, "unknown variable 'sky'"),
        ("attack", "expected a dict of variables and values"),
    ],
)
def test_unknown_names_and_values(model, act, message):
    scene, _ = scene_where(action="walk")
    for ask in (
        lambda: see(model, act),
        lambda: do(model, act),
        lambda: do(model, {}, given=act),
        lambda: imagine(model, scene, act),
    ):
        with pytest.raises(WorldError, match=message):
            ask()


@pytest.mark.parametrize(
    "n, seed, message", [(-1, 0, "n must be a whole"), (1.5, 0, "n must be"), (1, -1, "seed must")]
)
def test_bad_numbers(model, n, seed, message):
    scene, _ = scene_where(action="walk")
    for ask in (
        lambda: see(model, None, n, seed),
        lambda: do(model, {}, n, seed),
        lambda: imagine(model, scene, {}, n, seed=seed),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


def test_bad_labels_and_couplings(model):
    scene, values = scene_where(action="walk")
    known = labels_of(values)
    missing = {name: code for name, code in known.items() if name != "reaction"}
    for labels, error, message in (
        (missing, SceneError, "to draw, 'reaction' is needed; given: actor_character"),
        (known | {"action": "fly"}, WorldError, "unknown value 'fly'"),
        (known | {"sky": "day"}, WorldError, "unknown variable 'sky'"),
    ):
        with pytest.raises(error, match=message):
            imagine(model, scene, {"action": "attack"}, labels=labels)
    with pytest.raises(WorldError, match="coupling"):
        imagine(model, scene, {"action": "attack"}, coupling="magic")


@pytest.fixture(scope="module")
def never():
    """The shipped model in a world in which nobody dies of a taunt."""
    spec = DUEL.to_dict()
    tables = next(v for v in spec["variables"] if v["name"] == "reaction")
    for strength in tables["cpt"]:
        for defense in strength:
            for attack in defense:
                attack[1] = [0.0, 0.5, 0.25, 0.25]
    return load("duel", World.from_dict(spec | {"name": "never"}))


def test_evidence_that_is_impossible(never):
    impossible = {"action": "taunt", "reaction": "die"}
    with pytest.raises(WorldError, match="probability 0|impossible"):
        see(never, impossible)
    with pytest.raises(WorldError, match="probability 0|impossible"):
        do(never, {"action": "taunt"}, given={"reaction": "die"})
    scene, values = scene_where(**impossible)
    for labels in (None, labels_of(values)):  # read from the picture, or told
        with pytest.raises(WorldError, match="probability 0|impossible"):
            imagine(never, scene, {"action": "attack"}, labels=labels)


def test_what_is_impossible_can_still_be_done(never):
    """An intervention may force what never happens of itself."""
    answer = do(never, {"action": "taunt", "reaction": "die"}, n=3)
    assert (answer.values["reaction"] == 0).all()
    scene, _ = scene_where(action="walk", reaction="idle")
    drawn = imagine(never, scene, {"action": "taunt", "reaction": "die"})
    assert read_back(drawn.scenes)[0]["reaction"].tolist() == [0]
