"""Damage does what its law says, and nothing else."""

import hashlib

import pytest
import torch

from cimg.codes import SceneError
from cimg.damage import PLACES, TALL, WIDE, Damage, menhir, put_noise, put_stone
from cimg.scene import HEIGHT, WIDTH, render, sample_uniform, stage

SCENES = render(sample_uniform(stage().variables, 200, seed=51))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4, 1.0])
def test_noise_replaces_its_share_by_every_colour_alike(share):
    noisy = put_noise(SCENES, share, seed=1)
    colours = len(stage().palette.names)
    changed = (noisy != SCENES).double().mean()  # one in 24 draws is the colour that was there
    assert float(changed) == pytest.approx(share * (1 - 1 / colours), abs=0.004)
    drawn = noisy[noisy != SCENES].long().bincount(minlength=colours).double()
    expected = torch.stack([(SCENES != c).double().sum() for c in range(colours)]) * share / colours
    assert ((drawn - expected).abs() < 5 * expected.sqrt()).all()


def test_each_scene_can_have_its_own_share():
    share = torch.tensor([0.0, 0.3, 1.0])
    changed = (put_noise(SCENES[:3], share, seed=2) != SCENES[:3]).double().mean((1, 2))
    torch.testing.assert_close(changed, share.double() * 23 / 24, atol=0.04, rtol=0)
    assert changed[0] == 0


def test_the_stone_hides_what_it_covers_and_nothing_else():
    colours, solid = menhir()
    for i, x in enumerate(PLACES):
        hidden = put_stone(SCENES[:1], torch.tensor([i]))[0]
        window = hidden[HEIGHT - TALL :, x : x + WIDE]
        assert torch.equal(window[solid], colours[solid])
        covered = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
        covered[HEIGHT - TALL :, x : x + WIDE] = solid
        assert torch.equal(hidden[~covered], SCENES[0][~covered])


def test_every_place_of_the_stone_is_as_likely():
    black = torch.zeros(5000, HEIGHT, WIDTH, dtype=torch.uint8)
    first = (Damage(stone=True)(black, seed=3)[:, -1] > 0).int().argmax(1)
    count = first.bincount(minlength=WIDTH)
    count = count[count > 0].double()
    assert len(count) == len(PLACES)
    assert ((count - 200).abs() < 5 * 200**0.5).all()


def test_no_damage_is_a_copy_and_input_is_left_alone():
    before = SCENES.clone()
    copy = Damage()(SCENES)
    assert torch.equal(copy, SCENES) and copy.data_ptr() != SCENES.data_ptr()
    Damage(0.5, True)(SCENES, seed=1)
    assert torch.equal(SCENES, before)


def test_the_same_for_a_seed_on_every_machine():
    damage = Damage(0.25, True)
    found = hashlib.sha256(damage(SCENES, seed=7).numpy().tobytes()).hexdigest()[:12]
    assert found == "44212476d6bb"
    assert not torch.equal(damage(SCENES, seed=7), damage(SCENES, seed=8))


@pytest.mark.parametrize(
    "bad, message",
    [
        (lambda: Damage(noise=1.5), "share from 0 to 1, found 1.5"),
        (lambda: Damage(noise="much"), "found 'much'"),
        (lambda: Damage(noise=True), "found True"),
        (lambda: Damage(stone=1), "expected True or False, found 1"),
        (lambda: Damage()(SCENES[0]), r"found uint8 \[36, 64\]"),
        (lambda: Damage()(SCENES.long()), "found int64"),
        (lambda: Damage()(SCENES + 24), "colour .* is not in the palette, 0 to 23"),
        (lambda: Damage(0.1)(SCENES, seed=-1), "seed"),
        (lambda: put_noise(SCENES, float("nan")), "share from 0 to 1"),
        (lambda: put_noise(SCENES, -0.1), "share from 0 to 1"),
        (lambda: put_noise(SCENES, "much"), "found str"),
        (lambda: put_noise(SCENES, torch.rand(3)), "expected one share or 200"),
        (lambda: put_stone(SCENES[:1], torch.tensor([len(PLACES)])), "places, row 0"),
        (lambda: put_stone(SCENES[:2], torch.tensor([1])), r"expected int64 \[2\]"),
        (lambda: put_stone(SCENES[:1], torch.tensor([1.0])), "found float32"),
    ],
)
def test_bad_input(bad, message):
    with pytest.raises(SceneError, match=message):
        bad()
