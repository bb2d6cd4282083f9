"""Reliability, its error, a temperature, and the figure of them."""

import pytest
import torch

from cimg.calibration import answers, reliability, temperature
from cimg.codes import SceneError
from cimg.reliability_figure import reliability_diagram
from cimg.world import World


def test_error_by_hand():
    confidence = torch.tensor([0.61, 0.65, 0.99, 1.0])
    right = torch.tensor([True, False, True, True])
    found = reliability(confidence, right, bins=10)
    assert found.count.tolist() == [0] * 6 + [2, 0, 0, 2]
    assert found.ece == pytest.approx((abs(0.61 + 0.65 - 1) + abs(1.99 - 2)) / 4)
    assert float(found.confidence[6]) == pytest.approx(0.63) and float(found.right[6]) == 0.5
    assert found.right[0].isnan()


def test_honest_doubt_has_a_small_error_and_false_doubt_a_large_one():
    torch.manual_seed(0)
    confidence = torch.rand(50_000, dtype=torch.float64)
    honest = torch.rand(50_000) < confidence
    assert reliability(confidence, honest).ece < 0.01
    assert reliability((confidence + 1) / 2, honest).ece == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_a_temperature_is_found_again(true):
    torch.manual_seed(1)
    logits = 3 * torch.randn(20_000, 6, dtype=torch.float64)
    truth = torch.distributions.Categorical(logits=logits / true).sample()
    assert temperature(logits, truth) == pytest.approx(true, rel=0.05)


def test_answers_are_right_only_with_all_labels():
    world = World.load("duel")
    values = world.sample(50, seed=1)
    table = torch.zeros(50, 2, 3, 2, 3, 3, 4)
    table[(torch.arange(50), *(values[name] for name in world.visible))] = 0.7
    confidence, right = answers(world, table, values)
    assert right.all() and (confidence == 0.7).all()
    values["reaction"] = (values["reaction"] + 1) % 4
    assert not answers(world, table, values)[1].any()


def test_figure():
    torch.manual_seed(2)
    confidence = torch.rand(500)
    found = reliability(confidence, torch.rand(500) < confidence)
    picture = reliability_diagram({"one": found, "two": found}, "Two readers")
    assert picture.png[:4] == b"\x89PNG" and len(picture.png) < 60_000
    assert "Two readers" in picture.alt and "one, two" in picture.alt
    right, sure = found.right[found.count >= 20][0], found.confidence[found.count >= 20][0]
    n = int(found.count[found.count >= 20][0])
    assert f"; two: {right:.2f} at {sure:.2f} ({n}), " in picture.alt and "0." not in repr(picture)
    with pytest.raises(ValueError, match="1 to 5 readers, found 0"):
        reliability_diagram({})


@pytest.mark.parametrize(
    "bad, message",
    [
        (lambda: reliability(torch.rand(3), torch.ones(3)), "right: expected bool"),
        (lambda: reliability(torch.rand(3), torch.ones(2, dtype=torch.bool)), r"bool \[3\]"),
        (lambda: reliability(torch.rand(2, 2), torch.ones(2, dtype=torch.bool)), "confidence"),
        (lambda: reliability(torch.zeros(0), torch.ones(0, dtype=torch.bool)), "confidence"),
        (lambda: reliability(torch.ones(2) * 2, torch.ones(2).bool()), "expected 0 to 1"),
        (lambda: reliability(torch.ones(2) * torch.nan, torch.ones(2).bool()), "expected 0 to 1"),
        (lambda: reliability(torch.ones(2) * -0.2, torch.ones(2).bool()), "found -0.2"),
        (lambda: reliability(torch.tensor(0.5), torch.tensor(True)), "confidence"),
        (lambda: reliability(torch.rand(2), torch.ones(2).bool(), bins=0), "bins"),
        (lambda: temperature(torch.rand(3), torch.zeros(3).long()), "log_q"),
        (lambda: temperature(torch.rand(3, 2), torch.zeros(3, 1).long()), "truth"),
        (lambda: temperature(torch.rand(3, 2), torch.tensor(0)), "truth"),
        (lambda: temperature(torch.rand(3, 2), torch.tensor([0, 1, 2])), "row 2: expected 0 to 1"),
        (lambda: temperature(torch.rand(3, 2), torch.zeros(2).long()), "truth"),
        (lambda: temperature(torch.tensor([[0.0, -torch.inf]]), torch.tensor([1])), "-inf"),
    ],
)
def test_bad_input(bad, message):
    with pytest.raises(SceneError, match=message):
        bad()
