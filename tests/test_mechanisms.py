"""Mechanisms: the likelihood of a scene against one put together pixel by pixel.

The oracle composes each scene's probabilities on its own, in numpy, from its places, its figure and
its background; it shares nothing with the module but the logits.
"""

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cimg.eyes import Eye, Outline, Tint, to_patches
from cimg.mechanisms import (
    COLOURS,
    PLACES,
    Background,
    Cast,
    Mix,
    Placed,
    halves,
    mlp,
    spread,
    whole,
)
from cimg.scene import render, sample_uniform, stage
from cimg.sprites import POSES, TRANSPARENT, load_sheets

H, W = 36, 64


def random_scenes(n: int, seed: int = 0) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    return torch.from_numpy(draw.integers(0, COLOURS, (n, H, W), dtype=np.uint8))


# ── Patches and halves ──────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 3), st.sampled_from([4, 8, 36]), st.sampled_from([4, 32, 64]))
def test_patches_are_taken_in_reading_order(n, height, width):
    x = torch.arange(n * height * width).view(n, height, width)
    patches = to_patches(x)
    assert patches.shape == (n, height * width // 16, 16)
    for i in range(n):
        for cell in range(patches.shape[1]):
            y, left = 4 * (cell // (width // 4)), 4 * (cell % (width // 4))
            assert torch.equal(patches[i, cell].view(4, 4), x[i, y : y + 4, left : left + 4])


@given(st.integers(0, 3), st.lists(st.integers(1, 3), max_size=2))
def test_halves_are_taken_apart_and_put_together(n, between):
    x = torch.arange(n * prod(between) * W).view(n, *between, W)
    parts = halves(x)
    assert parts.shape == (2 * n, *between, W // 2)
    assert torch.equal(parts[:n], x[..., :32])
    assert torch.equal(parts[n:], x[..., 32:].flip(-1))
    assert torch.equal(whole(parts), x) and torch.equal(halves(whole(parts)), parts)


def test_a_reactor_is_an_actor_seen_in_a_mirror():
    """What is built in is true of the renderer: the one pose that both have is the same."""
    poses = [stage().variables[name].index("attack") for name in ("action", "reaction")]
    actor = stage().figures("actor").reshape(2, 3, 3, 4, 24, 32)[:, :, poses[0]]
    reactor = stage().figures("reactor").reshape(2, 3, 4, 4, 24, 32)[:, :, poses[1]]
    assert np.array_equal(actor, reactor[..., ::-1])


# ── What looks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [32, 64])
def test_an_eye_is_a_linear_layer_on_one_hot_pixels(width):
    torch.manual_seed(0)
    eye = Eye(width, 10, code=7)
    picture = random_scenes(3)[..., :width].long()
    hot = torch.zeros(3, H, width, COLOURS).scatter_(3, picture[..., None], 1.0)
    cells = hot.view(3, H // 4, 4, width // 4, 4, COLOURS)
    weight = eye.patch.weight.view(7, 4, 4, COLOURS)
    code = torch.einsum("nyixjc,kijc->nyxk", cells, weight) + eye.patch.bias
    want = torch.nn.functional.gelu(code).flatten(1) @ eye.out.weight.T + eye.out.bias
    torch.testing.assert_close(eye(picture), torch.nn.functional.gelu(want))
    assert eye(picture[:0]).shape == (0, 10)


def test_an_outline_is_the_same_in_all_colours():
    """Whatever the palette is traded for, as long as different colours stay different."""
    torch.manual_seed(0)
    outline = Outline(H, W, 10)
    values = sample_uniform(stage().variables, 6, seed=1)
    scenes = render(values).long()
    traded = torch.randperm(COLOURS)[scenes]
    assert torch.equal(outline(traded), outline(scenes))
    moved = render(values | {"sun": (values["sun"] + 1) % 8}).long()
    assert not torch.equal(outline(moved), outline(scenes))
    assert outline(scenes[:0]).shape == (0, 10)


def test_an_outline_sees_every_edge():
    torch.manual_seed(0)
    outline, flat = Outline(H, W, 10), torch.zeros(1, H, W, dtype=torch.int64)
    for y, x in ((0, 0), (0, 63), (35, 0), (35, 63), (17, 30)):
        dotted = flat.clone()
        dotted[0, y, x] = 5
        assert not torch.equal(outline(dotted), outline(flat)), (y, x)


def test_a_tint_knows_which_colours_there_are_above_the_characters_and_not_where():
    torch.manual_seed(0)
    tint, scenes = Tint(10), random_scenes(4).long()
    above = scenes[:, :10].flatten(1)
    shuffled = scenes.clone()
    shuffled[:, :10] = above[:, torch.randperm(above.shape[1])].view(4, 10, W)
    shuffled[:, 10:] = 3
    assert torch.equal(tint(shuffled), tint(scenes))
    plain = torch.full((1, H, W), 7)
    other = plain.clone()
    other[0, 9, 63] = 8
    assert not torch.equal(tint(other), tint(plain))


def test_mlp_has_a_gelu_between_its_layers_and_none_at_the_end():
    torch.manual_seed(0)
    net, x = mlp(3, 5, 4, 2), torch.randn(6, 3)
    layers = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in layers] == [(5, 3), (4, 5), (2, 4)]
    want = x
    for layer in layers[:-1]:
        want = torch.nn.functional.gelu(layer(want))
    torch.testing.assert_close(net(x), layers[-1](want))


# ── What draws ──────────────────────────────────────────────────────────────────────────────────


def some_background(seed: int = 0, sharp: float = 4.0) -> Background:
    torch.manual_seed(seed)
    background = Background(5, 3, 2)
    with torch.no_grad():
        for p in background.parameters():
            p.normal_(0, 0.5)
        background.sharpness.fill_(sharp)
    return background.requires_grad_(False)


def test_a_background_gives_a_distribution_over_colours_for_each_pixel():
    out = some_background()(torch.randn(3, 5), torch.randn(3, 3), torch.randn(3, 2))
    assert out.shape == (3, COLOURS, H, W)
    torch.testing.assert_close(out.exp().sum(1), torch.ones(3, H, W))


def test_a_background_adds_up_sky_land_and_sun():
    """Pixel by pixel, from the networks' outputs."""
    background = some_background()
    sky, sun, hills = torch.randn(1, 5), torch.randn(1, 3), torch.randn(1, 2)
    out = background(sky, sun, hills)[0]
    disc = background.sun_colour(sky).view(COLOURS, 8, 8)
    column = (4.0 * background.column(sun)).softmax(1)[0]
    land, colour = background.land(hills)[0], background.land_colour(sky)[0]
    for y, x in ((0, 0), (3, 17), (7, 63), (8, 0), (20, 40), (35, 63)):
        logits = background.sky(sky)[0, :, y, x]
        if y < 8:
            logits = logits + column[x // 8] * disc[:, y, x % 8]
        else:
            logits = logits + land[y - 8, x] * colour
        torch.testing.assert_close(out[:, y, x], logits.log_softmax(0))


def test_the_sky_alone_has_colours_and_shapes_do_not_hear_it():
    background = some_background()
    sky, sun, hills = torch.randn(2, 5), torch.randn(2, 3), torch.randn(2, 2)
    before = background(sky, sun, hills)
    after = background(sky, torch.randn(2, 3), hills)
    assert torch.equal(before[:, :, 8:], after[:, :, 8:])
    assert not torch.equal(before[:, :, :8], after[:, :, :8])
    after = background(sky, sun, torch.randn(2, 2))
    assert torch.equal(before[:, :, :8], after[:, :, :8])
    assert not torch.equal(before[:, :, 8:], after[:, :, 8:])


def test_a_mix_is_what_is_usual_and_its_layers():
    torch.manual_seed(0)
    mix, code = Mix(3, (4, 5), layers=2, hidden=6), torch.randn(2, 3)
    with torch.no_grad():
        mix.usual.normal_()
        weights = mix.mix(code)
        want = [mix.usual + w[0] * mix.layers[0] + w[1] * mix.layers[1] for w in weights]
        torch.testing.assert_close(mix(code), torch.stack(want))


def test_figures_settle_without_their_improbable_colours():
    torch.manual_seed(0)
    cast = Cast(3, 2)
    with torch.no_grad():
        cast.figures.normal_(0, 3)
    before = cast.figures.softmax(1)
    assert torch.equal(cast.settled(), cast.figures)
    cast.least.fill_(0.1)
    after = cast.settled().softmax(1)
    few = (before < 0.1) & (before.amax(1, keepdim=True) > 0.8)
    assert few.any() and (after[few] < 1e-12).all()
    kept = before.masked_fill(few, 0)
    torch.testing.assert_close(after, kept / kept.sum(1, keepdim=True))


def test_places_blend_from_all_alike_to_a_sharp_choice():
    torch.manual_seed(0)
    cast, z = Cast(3, 2), torch.randn(50, 2) * 3
    with torch.no_grad():
        plain = cast.places(z)
        torch.testing.assert_close(plain, cast.place(z).softmax(1))
        cast.sharpness.fill_(50.0)
        sharp = cast.places(z)
        cast.blur.fill_(0.25)
        torch.testing.assert_close(cast.places(z), 0.75 * sharp + 0.25 / len(PLACES))
        cast.blur.fill_(1.0)
        assert torch.equal(cast.places(z), torch.full((50, len(PLACES)), 1 / len(PLACES)))
    assert sharp.max(1).values.mean() > plain.max(1).values.mean()
    torch.testing.assert_close(sharp.sum(1), torch.ones(50))


def test_the_places_are_the_renderer_s():
    """By drawing: the first column that a figure covers, against that of its sprite."""
    sheets, names = load_sheets(), stage().variables
    sprite = sheets["satyr"]["type1"][POSES.index("attack")].numpy() != TRANSPARENT
    first = int(sprite.any(0).argmax())
    views = stage().figures("actor").reshape(2, 3, 3, 4, 24, 32)
    views = views[0, 0, names["action"].index("attack")]
    assert [int((view != TRANSPARENT).any(0).argmax()) - first for view in views] == PLACES


def test_a_figure_s_window_is_moved_to_each_place():
    window = torch.rand(2, 24, 24)
    moved = list(spread(window, 0.5))
    assert len(moved) == len(PLACES) == 4
    for x, half in zip(PLACES, moved, strict=True):
        assert half.shape == (2, 24, 32)
        assert torch.equal(half[..., x : x + 24], window)
        assert (half[..., :x] == 0.5).all() and (half[..., x + 24 :] == 0.5).all()


# ── Scenes put together ─────────────────────────────────────────────────────────────────────────


def placed(n: int, seed: int, sharp: float = 1.0, figures: int = 5) -> Placed:
    """Random parameters; the sharper, the nearer to one colour for each pixel."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=g) * sharp

    return Placed(
        normal(n, COLOURS, H, W).log_softmax(1),
        normal(figures, COLOURS + 1, 24 * 24),
        torch.randint(figures, (2 * n,), generator=g),
        normal(2 * n, len(PLACES)).softmax(1),
    )


def by_hand(d: Placed, i: int) -> np.ndarray:
    """The i-th scene's probabilities [H, W, COLOURS], in float64, pixel by pixel."""
    n = len(d.background)
    behind = np.zeros((H, W, COLOURS))
    log = d.background[i].double().numpy()
    for y in range(H):
        for x in range(W):
            behind[y, x] = np.exp(log[:, y, x])
    out = behind.copy()
    for half in (0, 1):
        figure = d.figures[d.which[i + half * n]].double().numpy()
        figure = figure.reshape(COLOURS + 1, 24, 24)
        for y in range(24):
            for x in range(32):  # from the outer edge
                column = x if half == 0 else 63 - x
                mixed, places = np.zeros(COLOURS), d.places[i + half * n].double().tolist()
                for p, left in zip(places, (6, 4, 2, 0), strict=True):
                    if left <= x < left + 24:
                        own = figure[:, y, x - left]
                        mixed += p * (own[:COLOURS] + own[COLOURS] * behind[10 + y, column])
                    else:
                        mixed += p * behind[10 + y, column]
                out[10 + y, column] = mixed
    return out


@given(st.integers(1, 3), st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 4.0, 30.0]))
@settings(max_examples=8)
def test_probabilities_and_likelihood_are_those_put_together_by_hand(n, seed, sharp):
    d, scenes = placed(n, seed, sharp), random_scenes(n, seed)
    probs, logs = d.probs, d.log_prob(scenes)
    assert probs.shape == (n, COLOURS, H, W) and logs.shape == (n,)
    torch.testing.assert_close(probs.sum(1), torch.ones(n, H, W), rtol=0, atol=2e-5)
    for i in range(n):
        want = by_hand(d, i)
        np.testing.assert_allclose(probs[i].permute(1, 2, 0).numpy(), want, rtol=1e-4, atol=1e-6)
        seen = np.take_along_axis(want, scenes[i].numpy()[..., None].astype(int), 2)[..., 0]
        log = np.log(seen[10:34].clip(1e-30)).sum()  # the floor is stated in the module
        log += np.log(seen[:10]).sum() + np.log(seen[34:]).sum()
        np.testing.assert_allclose(logs[i].item(), log, rtol=1e-4)


def test_the_likelihood_is_that_of_the_probabilities():
    d, scenes = placed(4, 1), random_scenes(4)
    want = d.probs.gather(1, scenes[:, None].long())[:, 0].log().sum((1, 2))
    torch.testing.assert_close(d.log_prob(scenes), want, rtol=1e-5, atol=1e-2)


def test_an_impossible_scene_has_a_likelihood_still():
    """Once figures are certain, a scene that contradicts them gets the floor, not minus inf."""
    d = placed(1, 2, sharp=300.0)
    logs = d.log_prob(random_scenes(1))
    assert torch.isfinite(logs).all() and float(logs) < -1000


def test_the_most_probable_colours_and_their_type():
    d = placed(3, 3)
    assert torch.equal(d.mode.long(), d.probs.argmax(1)) and d.mode.dtype == torch.uint8


def test_samples_come_as_often_as_they_should():
    d, n = placed(2, 4), 2000
    drawn = d.sample(torch.Size([n]))
    assert drawn.shape == (n, 2, H, W) and drawn.dtype == torch.uint8
    assert d.sample().shape == (2, H, W) == d.shape()
    places = [(0, 0, 0), (0, 20, 15), (1, 20, 50), (1, 35, 63), (0, 12, 31), (1, 33, 32)]
    for i, y, x in places:
        p = d.probs[i, :, y, x].double()
        counts = torch.bincount(drawn[:, i, y, x].long(), minlength=COLOURS).double()
        chi_square = float(((counts - n * p) ** 2 / (n * p)).sum())
        assert chi_square < 23 + 4.5 * (2 * 23) ** 0.5, (i, y, x)
    both = drawn[:, 0, 20, 15] * COLOURS + drawn[:, 0, 20, 16]  # pixels are independent, given all
    assert len(torch.unique(both)) > 100


def test_gradients_reach_all_parameters():
    leaves = [
        torch.randn(2, COLOURS, H, W, requires_grad=True),
        torch.randn(5, COLOURS + 1, 576, requires_grad=True),
        torch.randn(4, len(PLACES), requires_grad=True),
    ]
    which = torch.tensor([0, 3, 2, 2])
    d = Placed(leaves[0].log_softmax(1), leaves[1], which, leaves[2].softmax(1))
    d.log_prob(random_scenes(2)).sum().backward()
    assert all(x.grad.isfinite().all() and x.grad.any() for x in leaves)
    used = leaves[1].grad.flatten(1).any(1)
    assert used.tolist() == [True, False, True, True, False]


def test_a_true_scene_is_certain_once_the_parameters_are_the_renderer_s():
    """With the renderer's own tables its scenes get probability 1: all it does can be said."""
    values = sample_uniform(stage().variables, 20, seed=3)
    scenes = render(values)
    place = (values["sky"] * 8 + values["sun"]) * 4 + values["hills"]
    behind = torch.from_numpy(stage().backgrounds)[place].long()
    hot = torch.nn.functional.one_hot(behind, COLOURS).movedim(-1, 1).float()
    sheets = load_sheets()
    tables, which = [], []
    for role, doing in (("actor", "action"), ("reactor", "reaction")):
        for i in range(20):
            character = stage().characters[values[f"{role}_character"][i]]
            sheet = sheets[character][stage().types[values[f"{role}_type"][i]]]
            pose = sheet[POSES.index(stage().variables[doing][values[doing][i]])]
            tables.append(torch.nn.functional.one_hot(pose.flatten().long(), COLOURS + 1).T)
            which.append(len(which))
    distance = torch.cat([values["actor_distance"], values["reactor_distance"]])
    d = Placed(
        (hot + 1e-9).log().log_softmax(1),
        60.0 * torch.stack(tables).float(),
        torch.tensor(which),
        torch.nn.functional.one_hot(distance, 4).float(),
    )
    assert torch.equal(d.mode, scenes)
    assert (d.log_prob(scenes) > -0.01).all()
