"""The causal VAE: its two Pyro programs, who may hear what, and the way in and out.

An untrained model will do: what is tested here is structure, which no training changes.
"""

from itertools import combinations

import pyro
import pytest
import torch
import torch.nn.functional as F
from pyro import poutine

from cimg.conditional import PART, parts, rows
from cimg.data import draw, draw_evenly
from cimg.mechanisms import Rounded
from cimg.scene import FOOT, HALF, HEIGHT, TOP, WIDTH, SceneError, check_scenes, render, stage
from cimg.sprites import POSES
from cimg.step import loss
from cimg.vae import BLOCKS, CausalVAE
from cimg.world import World, WorldError

DUEL, ARENA = World.load("duel"), World.load("arena")
DIMS = {"duel": sum(BLOCKS), "arena": sum(BLOCKS[1:])}  # in the arena the sky is a label


def untrained(world: World, seed: int = 0) -> CausalVAE:
    """A model that draws something: figures, backgrounds and places are random, not uniform."""
    torch.manual_seed(seed)
    model = CausalVAE(world, hidden=32)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.startswith(("cast.figures", "background")) and p.dim() > 1:
                p.normal_(0, 0.4)
        model.cast.sharpness.fill_(4.0)
    return model.requires_grad_(False)


MODELS = {"duel": untrained(DUEL), "arena": untrained(ARENA)}


@pytest.fixture(params=MODELS, ids=MODELS)
def model(request) -> CausalVAE:
    return MODELS[request.param]


def dims(model: CausalVAE) -> int:
    return DIMS[model.world.name]


def some(model: CausalVAE, n: int = 5, seed: int = 0):
    scenes, values = draw(model.world, n, seed)
    return (
        scenes,
        values,
        torch.randn(n, dims(model), generator=torch.Generator().manual_seed(seed)),
    )


def changed(values: dict, world: World, name: str) -> dict:
    """The same values but for one variable, which has another value in each row."""
    size = len(world.variables[name].values)
    return values | {name: (values[name] + 1) % size}


# ── As Pyro programs ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [1, 4])
def test_the_model_draws_all_variables_z_and_the_scene(model, n):
    trace = poutine.trace(model.model).get_trace(n)
    sites = {k: site for k, site in trace.nodes.items() if site["type"] == "sample"}
    drawn = {name for name in sites if name not in ("rows", "scenes")}
    assert drawn == {*model.world.variables, "z", "scene"}
    out = trace.nodes["_RETURN"]["value"]
    assert set(out) == drawn
    assert out["scene"].shape == (n, HEIGHT, WIDTH) and out["scene"].dtype == torch.uint8
    assert out["z"].shape == (n, dims(model))
    assert all(out[name].shape == (n,) for name in model.world.variables)
    trace.compute_log_prob()
    assert all(sites[name]["log_prob"].shape == (n,) for name in drawn)
    assert all(torch.isfinite(sites[name]["log_prob_sum"]) for name in drawn)


def test_the_scene_s_site_has_the_scene_s_distribution(model):
    pyro.set_rng_seed(1)
    trace = poutine.trace(model.model).get_trace(3)
    out = trace.nodes["_RETURN"]["value"]
    mine = model.scene_given(out["z"], out).log_prob(out["scene"])
    trace.compute_log_prob()
    torch.testing.assert_close(trace.nodes["scene"]["log_prob"], mine)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(out["z"]).sum(1)
    torch.testing.assert_close(trace.nodes["z"]["log_prob"], normal)


def test_doing_and_conditioning_on_labels(model):
    attack = torch.tensor(0)
    for handler in (pyro.do, pyro.condition):
        pyro.set_rng_seed(0)
        out = handler(model.model, data={"action": attack})(64)
        assert (out["action"] == 0).all() and out["scene"].shape == (64, HEIGHT, WIDTH)
        assert len(out["reaction"].unique()) > 1
    trace = poutine.trace(pyro.condition(model.model, data={"action": attack})).get_trace(64)
    assert trace.nodes["action"]["is_observed"]
    trace.compute_log_prob()
    below = {name for name in model.world.variables if name != "action"}
    assert torch.isfinite(trace.log_prob_sum(lambda name, site: name in below))


def test_doing_leaves_what_does_not_descend_as_it_was():
    free = DUEL.program(200)
    pyro.set_rng_seed(3)
    before = free()
    pyro.set_rng_seed(3)
    after = pyro.do(free, data={"reaction": torch.tensor(0)})()
    assert all(torch.equal(before[k], after[k]) for k in DUEL.variables if k != "reaction")
    assert (after["reaction"] == 0).all()


def test_the_guide_has_the_sites_of_the_drawing_half(model):
    scenes, values, _ = some(model)
    guide = poutine.trace(model.guide).get_trace(model.look(scenes), values)
    program = poutine.trace(pyro.condition(model.draw, data={"scene": scenes})).get_trace(values)
    assert set(guide.stochastic_nodes) - {"scenes"} == {"z"}  # "scenes" is the plate
    assert set(program.stochastic_nodes) - {"scenes"} == {"z"}
    assert program.observation_nodes == ["scene"]
    assert guide.nodes["z"]["fn"].batch_shape == program.nodes["z"]["fn"].batch_shape == (5,)
    assert (
        guide.nodes["z"]["fn"].event_shape == program.nodes["z"]["fn"].event_shape == (dims(model),)
    )
    loc, scale = model.encode(scenes, values)
    torch.testing.assert_close(guide.nodes["z"]["fn"].base_dist.loc, loc)
    torch.testing.assert_close(guide.nodes["z"]["fn"].base_dist.scale, scale)


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_the_loss_is_minus_the_elbo_worked_out_by_hand(model, beta):
    scenes, values, _ = some(model, 6)
    torch.manual_seed(5)
    total, told = loss(model, scenes, values, beta)
    loc, scale = model.z_given(model.look(scenes), values)
    torch.manual_seed(5)  # the same noise
    z = torch.distributions.Normal(loc, scale).rsample()
    p = model.scene_given(z, values).probs
    log_p = p.gather(1, scenes[:, None].long())[:, 0].log().sum((1, 2))
    kl = 0.5 * (loc**2 + scale**2 - 1 - 2 * scale.log()).sum(1)
    read = torch.zeros(6)
    for name, logits in model.label_logits(model.look(scenes)).items():
        read -= logits.log_softmax(1)[torch.arange(6), values[name]]
    torch.testing.assert_close(told["minus_elbo"], (beta * kl - log_p).mean(), rtol=1e-5, atol=1e-2)
    torch.testing.assert_close(told["reading"], read.mean())
    torch.testing.assert_close(total, told["minus_elbo"] + told["reading"])


# ── Who hears what ──────────────────────────────────────────────────────────────────────────────


def test_a_background_hears_the_labels_that_are_its_own_and_no_other(model):
    _, values, z = some(model)
    before = model.scene_given(z, values).background
    for name in model.world.visible:
        after = model.scene_given(z, changed(values, model.world, name)).background
        assert torch.equal(before, after) == (name != "sky"), name


def test_each_half_hears_its_own_character_only(model):
    """Bit for bit: what is changed on one side cannot be seen on the other."""
    _, values, z = some(model)
    before = model.scene_given(z, values).probs
    for name in model.world.visible:
        if name == "sky":
            continue
        after = model.scene_given(z, changed(values, model.world, name)).probs
        own, others = (
            (before[..., :HALF], after[..., :HALF]),
            (before[..., HALF:], after[..., HALF:]),
        )
        if name == "reaction" or name.startswith("reactor"):
            own, others = others, own
        assert torch.equal(*others) and not torch.equal(*own), name
        assert torch.equal(before[:, :, :TOP], after[:, :, :TOP])
        assert torch.equal(before[:, :, FOOT:], after[:, :, FOOT:])


def test_each_block_of_z_has_its_own_part_of_the_picture(model):
    _, values, z = some(model)
    z.requires_grad_(True)
    d = model.scene_given(z, values)
    behind, actor, reactor = (slice(0, -4), slice(-4, -2), slice(-2, None))
    for part, heard in (
        (d.probs[:, :, :TOP], {0}),
        (d.probs[:, :, TOP:FOOT, :HALF], {0, 1}),
        (d.probs[:, :, TOP:FOOT, HALF:], {0, 2}),
    ):
        gradient = torch.autograd.grad((part**2).sum(), z, retain_graph=True)[0]
        blocks = (behind, actor, reactor)
        assert {i for i, block in enumerate(blocks) if gradient[:, block].any()} == heard


def test_both_characters_are_drawn_by_one_mechanism(model):
    """Trade the places of actor and reactor, in the one pose that both have: a mirror image."""
    _, values, z = some(model)
    z[:, -2:] = z[:, -4:-2]
    values = values | {"action": torch.zeros(5).long(), "reaction": torch.full((5,), 3)}
    traded = dict(values)
    for part in ("character", "type"):
        traded[f"actor_{part}"] = values[f"reactor_{part}"]
        traded[f"reactor_{part}"] = values[f"actor_{part}"]
    one, other = model.scene_given(z, values), model.scene_given(z, traded)
    assert torch.equal(one.figures[one.which[:5]], other.figures[other.which[5:]])
    assert torch.equal(one.figures[one.which[5:]], other.figures[other.which[:5]])
    torch.testing.assert_close(one.places[:5], other.places[5:])


def test_what_the_guide_hears(model):
    """A block of z comes from its own part: the actor's from the actor's half and labels."""
    scenes, values, _ = some(model)
    loc, _ = model.encode(scenes, values)
    for name in model.world.visible:
        moved = (model.encode(scenes, changed(values, model.world, name))[0] != loc).any(0)
        heard = {i for i, x in enumerate(moved.split(model.blocks)) if x.any()}
        owner = len(model.blocks) - (1 if name == "reaction" or "reactor" in name else 2)
        assert heard == (set() if name == "sky" else {owner}), name
    other = scenes.clone()
    other[..., HALF:] = 3
    moved = model.encode(other, values)[0] != loc
    assert not moved[:, -4:-2].any() and moved[:, -2:].any()


def test_the_background_s_blocks_of_z_hear_nothing_of_who_is_there(model):
    """The same style with every label but the sky another: not a bit of these blocks changes."""
    values = draw(model.world, 20)[1]
    other = dict(values)
    for name in model.world.visible:
        other = other if name == "sky" else changed(other, model.world, name)
    one, two = (model.encode(render(v), v)[0] for v in (values, other))
    assert torch.equal(one[:, :-4], two[:, :-4]) and not torch.equal(one, two)


def test_places_are_rounded_to_the_mean_of_all_that_are_drawn_there():
    model = untrained(DUEL)
    model.to_place[-1].weight.mul_(60)  # before training they are all alike
    scenes, values, _ = some(model, 30)
    before = model.encode(scenes, values)[0][:, -4:]
    at = model.cast.places(torch.cat(before.chunk(2, 1))).argmax(1)
    assert len(at.unique()) > 1
    model.eval().remember_styles(scenes, values)
    after = torch.cat(model.encode(scenes, values)[0][:, -4:].chunk(2, 1))
    before = torch.cat(before.chunk(2, 1))
    for place in at.unique():
        mean = before[at == place].mean(0).expand(int((at == place).sum()), -1)
        torch.testing.assert_close(after[at == place], mean)


def test_a_code_of_a_place_that_was_not_among_those_kept_is_left_as_it_is():
    rounded = Rounded(3, 2).eval()
    codes, choice = torch.randn(4, 2), torch.tensor([0, 0, 1, 2])
    assert torch.equal(rounded(codes, choice), codes)  # nothing is kept yet
    rounded.keep(codes[:3], choice[:3])
    assert torch.equal(rounded(codes, choice)[2:], codes[2:])
    torch.testing.assert_close(rounded(codes, choice)[:2], codes[:2].mean(0).expand(2, -1))


@pytest.mark.parametrize("world", [DUEL, ARENA])
def test_the_sun_s_block_is_rounded_to_the_mean_of_all_in_the_same_column(world):
    model = untrained(world)
    with torch.no_grad():
        model.to_z["sun"].weight.mul_(60)  # before training they are all alike
        model.background.column[0].weight.mul_(20)
    scenes, values, _ = some(model, 60)
    at = list(model.to_z).index("sun")
    before = model.encode(scenes, values)[0].split(model.blocks, 1)[at]
    column = model.background.place_of(before)
    assert len(column.unique()) > 1
    model.eval().remember_styles(scenes, values)
    after = model.encode(scenes, values)[0].split(model.blocks, 1)[at]
    for one in column.unique():
        mean = before[column == one].mean(0).expand(int((column == one).sum()), -1)
        torch.testing.assert_close(after[column == one], mean)


def test_the_figures_of_all_labels_are_different_and_shared_by_both(model):
    drawn = stage().variables
    n = 2 * 3 * 3 * 4
    i = torch.arange(n)
    values = {
        "actor_character": i % 2,
        "actor_type": i // 2 % 3,
        "action": i // 6 % 3,
        "reactor_character": i % 2,
        "reactor_type": i // 2 % 3,
        "reaction": i // 18,
    }
    which = model.figures(values)
    assert which.shape == (2 * n,) and which.dtype == torch.int64
    assert len(model.cast.figures) == 36 and 0 <= int(which.min()) <= int(which.max()) < 36
    for row in range(n):
        who = int(values["actor_character"][row]) * 3 + int(values["actor_type"][row])
        action = drawn["action"][values["action"][row]]
        reaction = drawn["reaction"][values["reaction"][row]]
        assert which[row] == who * 6 + POSES.index(action)
        assert which[n + row] == who * 6 + POSES.index(reaction)


# ── In and out ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [0, 1, PART, 2 * PART + 1])
def test_shapes(model, n):
    scenes, values, z = some(model, n)
    loc, scale = model.encode(scenes, values)
    assert loc.shape == scale.shape == (n, dims(model)) and (scale > 0).all()
    pictures = model.decode(z, values)
    assert pictures.shape == (n, HEIGHT, WIDTH) and pictures.dtype == torch.uint8
    read = model.read(scenes)
    assert list(read) == list(model.world.visible)
    for name, probabilities in read.items():
        assert probabilities.shape == (n, len(model.world.variables[name].values))
        torch.testing.assert_close(probabilities.sum(1), torch.ones(n))


def test_many_at_once_are_the_same_as_one_by_one(model):
    n = 2 * PART + 3
    scenes, values, z = some(model, n)
    loc, scale = model.encode(scenes, values)
    pictures, read = model.decode(z, values), model.read(scenes)
    for i in (0, PART - 1, PART, n - 1):
        one = rows(values, [i])
        found = model.encode(scenes[i : i + 1], one)
        torch.testing.assert_close(found, (loc[i : i + 1], scale[i : i + 1]))
        assert torch.equal(model.decode(z[i : i + 1], one)[0], pictures[i])
        for name, probabilities in model.read(scenes[i : i + 1]).items():
            torch.testing.assert_close(probabilities[0], read[name][i])


def test_what_is_decoded_is_the_mode(model):
    _, values, z = some(model)
    assert torch.equal(model.decode(z, values), model.scene_given(z, values).mode)


def test_labels_of_any_integer_type_will_do(model):
    scenes, values, z = some(model)
    for kind in (torch.uint8, torch.int32):
        short = {name: codes.to(kind) for name, codes in values.items()}
        assert torch.equal(model.decode(z, short), model.decode(z, values))
        assert torch.equal(model.encode(scenes, short)[0], model.encode(scenes, values)[0])


def test_nothing_that_is_passed_in_is_changed(model):
    scenes, values, z = some(model)
    before = scenes.clone(), z.clone(), {k: x.clone() for k, x in values.items()}
    model.encode(scenes, values)
    model.decode(z, values)
    model.read(scenes)
    assert torch.equal(scenes, before[0]) and torch.equal(z, before[1])
    assert all(torch.equal(values[k], before[2][k]) for k in values)


def test_parts():
    assert list(parts(0)) == [slice(0, PART)]
    for n in (1, PART, PART + 1, 5 * PART):
        assert torch.equal(torch.cat([torch.arange(n)[i] for i in parts(n)]), torch.arange(n))


def test_rows():
    values = {"a": torch.arange(4), "b": torch.arange(4) * 10}
    assert rows(values, slice(1, 3))["b"].tolist() == [10, 20]
    assert rows(values, [3, 0])["a"].tolist() == [3, 0]


@pytest.mark.parametrize("world", [DUEL, ARENA], ids=["duel", "arena"])
def test_the_networks_keep_to_their_budget(world):
    assert sum(p.numel() for p in CausalVAE(world).parameters()) <= 2_000_000


# ── Style ───────────────────────────────────────────────────────────────────────────────────────


def test_styles_are_drawn_from_those_remembered_block_by_block(model):
    model = untrained(model.world)
    torch.manual_seed(0)
    model.seen_loc, model.seen_scale = (
        torch.randn(50, dims(model)) * 100,
        torch.full((50, dims(model)), 1e-3),
    )
    z = model.sample_style(4000, seed=1)
    assert z.shape == (4000, dims(model))
    picks = []
    for block, seen in zip(
        z.split(model.blocks, 1), model.seen_loc.split(model.blocks, 1), strict=True
    ):
        distance = torch.cdist(block.double(), seen.double())
        assert (distance.min(1).values < 0.02).all()
        picks.append(distance.argmin(1))
        counts = torch.bincount(picks[-1], minlength=50).double()
        assert float(((counts - 80) ** 2 / 80).sum()) < 49 + 4.5 * 98**0.5
    for i, j in combinations(
        range(len(model.blocks)), 2
    ):  # the blocks of one draw come from different scenes
        assert float((picks[i] == picks[j]).double().mean()) < 0.04


def test_styles_are_the_same_for_a_seed(model):
    model = untrained(model.world)
    model.seen_loc, model.seen_scale = torch.randn(50, dims(model)), torch.rand(50, dims(model))
    assert torch.equal(model.sample_style(9, seed=1), model.sample_style(9, seed=1))
    assert not torch.equal(model.sample_style(9, seed=1), model.sample_style(9, seed=2))
    assert model.sample_style(0).shape == (0, dims(model))
    assert model.sample_style(1, seed=2**64 + 5).shape == (1, dims(model))


def test_the_styles_of_scenes_are_remembered(model):
    model = untrained(model.world)
    scenes, values, _ = some(model, 20)
    model.remember_styles(scenes, values)
    loc, scale = model.encode(scenes, values)
    assert torch.equal(model.seen_loc, loc) and torch.equal(model.seen_scale, scale)
    assert {"seen_loc", "seen_scale"} <= set(model.state_dict())


def test_no_style_before_training():
    with pytest.raises(SceneError, match="knows no styles yet: train it"):
        untrained(DUEL).sample_style(1)


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────

SCENES, VALUES = draw(DUEL, 2)
SPOILT = SCENES.clone()
SPOILT[1, 30, 7] = 24
SPOILT[1, 31, 2] = 200
BAD_SCENES = [
    (SCENES.numpy(), "found ndarray"),
    (None, "found NoneType"),
    (SCENES.long(), r"found int64 \[2, 36, 64\]"),
    (SCENES.float() / 255, "found float32"),
    (SCENES[0], r"uint8 \[n, 36, 64\], found uint8 \[36, 64\]"),
    (SCENES[:, None], r"found uint8 \[2, 1, 36, 64\]"),
    (SCENES[:, :, 1:], r"found uint8 \[2, 36, 63\]"),
    (SCENES.transpose(1, 2), r"found uint8 \[2, 64, 36\]"),
    (SPOILT, r"scene 1, pixel \(7, 30\): colour 24 is not in the palette, 0 to 23"),
]


@pytest.mark.parametrize("scenes, message", BAD_SCENES)
def test_what_is_no_scene(scenes, message):
    for call in (check_scenes, MODELS["duel"].read, lambda x: MODELS["duel"].encode(x, VALUES)):
        with pytest.raises(SceneError, match=message):
            call(scenes)


@pytest.mark.parametrize(
    "values, error, message",
    [
        ({}, SceneError, "to draw, 'actor_character' is needed; given: $"),
        (
            {name: codes for name, codes in VALUES.items() if name != "reaction"},
            SceneError,
            "to draw, 'reaction' is needed; given: actor_character, ",
        ),
        (VALUES | {"action": torch.tensor([0, 3])}, WorldError, "action, row 1: code 3 is not in"),
        (VALUES | {"action": torch.tensor([-1, 0])}, WorldError, "action, row 0: code -1"),
        (VALUES | {"action": torch.tensor([0.0, 1.0])}, WorldError, "action: expected integers"),
        (VALUES | {"action": torch.tensor([[0], [1]])}, WorldError, "action: expected a tensor of"),
        (VALUES | {"action": torch.tensor([0, 1, 2])}, WorldError, "action: 3 rows, but"),
        (VALUES | {"action": [0, 1]}, WorldError, "action: expected a tensor"),
        (VALUES | {"action": "attack"}, WorldError, "action: expected a tensor"),
        (rows(VALUES, [0]), SceneError, "2 scenes, but labels of 1"),
        (rows(VALUES, [0, 1, 1]), SceneError, "2 scenes, but labels of 3"),
    ],
)
def test_labels_that_will_not_do(values, error, message):
    model = MODELS["duel"]
    for call in (
        lambda: model.encode(SCENES, values),
        lambda: model.decode(torch.zeros(2, sum(BLOCKS)), values),
    ):
        with pytest.raises(error, match=message):
            call()


def test_what_the_model_does_not_draw_is_passed_over():
    """Hidden variables and style come along in a dict of values; so may anything else."""
    model, z = MODELS["duel"], torch.zeros(2, sum(BLOCKS))
    labels = {name: VALUES[name] for name in DUEL.visible}
    more = labels | {"weather": torch.tensor([5.5]), "sky": torch.tensor([1])}
    assert torch.equal(model.decode(z, more), model.decode(z, VALUES))


@pytest.mark.parametrize(
    "z, message",
    [
        (torch.zeros(2, 11), r"expected z, float \[n, 16\], found float32 \[2, 11\]"),
        (torch.zeros(12), r"found float32 \[12\]"),
        (torch.zeros(2, 12).long(), "found int64"),
        ([0.0] * 12, "found list"),
    ],
)
def test_what_is_no_z(z, message):
    with pytest.raises(SceneError, match=message):
        MODELS["duel"].decode(z, VALUES)


@pytest.mark.parametrize(
    "n, seed, message", [(-1, 0, "n must be a whole"), (1.5, 0, "n must be"), (1, -1, "seed must")]
)
def test_a_bad_number_of_styles(n, seed, message):
    with pytest.raises(SceneError, match=message):
        MODELS["duel"].sample_style(n, seed)


def spelt(*more: tuple[str, bool], without: str = "") -> World:
    """A world without tables of interest: the duel's labels, and more."""
    names = [(name, True) for name in DUEL.visible if name != without] + list(more)
    variables = []
    for name, in_image in names:
        values = stage().variables.get(name, ("a", "b"))
        cpt = [1 / len(values)] * len(values)
        variables.append({"name": name, "values": values, "in_image": in_image, "cpt": cpt})
    return World.from_dict({"name": "mine", "variables": variables})


@pytest.mark.parametrize(
    "world, message",
    [
        (
            spelt(without="reaction"),
            "perhaps sky, sun, hills; in world 'mine' 'reaction' is missing",
        ),
        (spelt(("actor_distance", True)), "in world 'mine' 'actor_distance' is one too many"),
        (spelt(("weather", True)), "'weather' is in the image but can't be drawn"),
        (spelt(("hills", False)), "'hills' is hidden, but a variable of that name is drawn"),
    ],
)
def test_a_world_that_the_model_cannot_draw(world, message):
    with pytest.raises(SceneError, match=message):
        CausalVAE(world)


@pytest.mark.parametrize("more", [(), ("sun",), ("hills", "sky"), ("sky", "sun", "hills")])
def test_a_world_of_one_s_own(more):
    world = spelt(*((name, True) for name in more), ("mood", False))
    model = untrained(world)
    scenes, values = draw_evenly(world, 4)
    z, _ = model.encode(scenes, values)
    assert model.decode(z, values).shape == scenes.shape
    assert set(model.read(scenes)) == {*DUEL.visible, *more}
    assert float(loss(model, scenes, values)[0]) > 0
    before = model.scene_given(z, values).background
    for name in more:
        other = values | {name: (values[name] + 1) % len(stage().variables[name])}
        assert not torch.equal(model.scene_given(z, other).background, before), name


def test_the_sky_is_a_label_in_the_arena():
    scenes, values = draw(ARENA, 8)
    assert torch.equal(render(values), scenes) and "time" not in MODELS["arena"].world.visible
    said = MODELS["arena"].said(values)
    assert list(said) == ["sky"] and torch.equal(said["sky"], F.one_hot(values["sky"], 4).float())
    assert MODELS["duel"].said(draw(DUEL, 8)[1]) == {}
