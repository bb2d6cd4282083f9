"""The score card: intervals against an oracle, leaks that are found, and the command."""

import json
import sys

import pytest
import torch

from cimg import score, scorecard
from cimg.data import draw_evenly
from cimg.scorecard import card, image_in, leak, line, probe
from cimg.train import load, settings_of_shipped
from cimg.world import World

DUEL = World.load("duel")


@pytest.fixture(scope="module")
def shipped():
    return load("duel")


def test_a_probe_finds_what_is_there_and_nothing_where_nothing_is():
    torch.manual_seed(3)
    codes = torch.randint(3, (4000,))
    noise = torch.randn(4000, 5)
    assert abs(probe(noise, codes, 2000, 3) - 1 / 3) < 0.04
    told = noise.clone()
    told[:, 2] += 4 * codes
    assert probe(told, codes, 2000, 3) > 0.9


def test_a_z_that_carries_a_label_is_caught(shipped):
    class Cheat:
        world = shipped.world

        def encode(self, scenes, values):
            loc, scale = shipped.encode(scenes, values)
            loc[:, 0] = 10.0 * values["action"]
            return loc, scale

    assert leak(Cheat(), 1000)["action"] > 0.5
    assert leak(shipped, 1000)["action"] < 0.1


def test_an_image_in_and_no_labels(shipped):
    assert image_in(shipped, 40, seed=5) >= 0.95


def test_a_card_has_every_measure(shipped, monkeypatch):
    monkeypatch.setattr(score, "score_doing", lambda model: 0.01)
    monkeypatch.setattr(scorecard, "image_in", lambda model: 1.0)
    monkeypatch.setattr(scorecard, "leak", lambda model: {"action": 0.01, "reaction": 0.02})
    rows = card(shipped, settings_of_shipped("duel").held_out, n=60)
    assert {row["what"] for row in rows} >= {
        "counterfactual: identical pictures",
        "counterfactual: pixels left alone",
        "labels never seen together: identical pictures",
        "labels read, not given: identical pictures",
        "style kept: sun",
        "style drawn: renderable",
        "composition",
        "reversibility",
        "all labels read",
        "z tells of labels (reaction): above chance",
        "do(attack): total variation",
    }
    for row in rows:
        assert 0 <= row.get("low", 0) <= row["value"] + 1e-12 <= row.get("high", 1) + 2e-12
        assert row["what"] in line(row) and row["target"] in line(row)


def test_the_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    rows = [{"what": "a", "value": 0.5, "low": 0.4, "high": 0.6, "target": "≥ 99%"}]
    monkeypatch.setattr(scorecard, "card", lambda *_: rows)
    out = tmp_path / "deep" / "score.json"
    monkeypatch.setattr(sys, "argv", ["scorecard", "duel", "--out", str(out)])
    scorecard.main()
    assert json.loads(out.read_text()) == {"test seed": score.TEST_SEED, "duel": rows}
    assert "50.000%" in capsys.readouterr().out


def test_fresh_runs(tmp_path, monkeypatch, capsys):
    """Two trainings of a few steps: nobody is to expect pictures of them, but both are told."""
    monkeypatch.setattr(score, "score_counterfactuals", lambda *_, **__: {"identical images": 0.5})
    out = tmp_path / "score.json"
    argv = ["scorecard", "duel", "--runs", "2", "--steps", "3", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", argv)
    scorecard.main()
    found = json.loads(out.read_text())["duel"]
    assert [row["seed"] for row in found["runs"]] == [0, 1] and found["steps"] == 3
    assert all(row["seconds"] > 0 for row in found["runs"])
    assert "median 50.0%, worst 50.0%" in capsys.readouterr().out


def test_labels_for_the_probe_are_drawn_evenly():
    _, values = draw_evenly(DUEL, 4000, 1)
    assert (torch.bincount(values["reaction"]) > 900).all()
