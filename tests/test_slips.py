"""What a learner gets wrong gets a sentence: a name for a thing, no thing at all, an endless list.

Everything here is a ValueError of the course's own with words in it; thousands more are made by
chance in `fuzz`.
"""

import itertools
import os

import pytest

from cimg import data, gan, reader, show, train
from cimg.check import Check
from cimg.course import copy_course
from cimg.imagine import imagine, see
from cimg.query import d_separated, probability
from cimg.reading import ExactReader
from cimg.scene import add_sprites, render, sample_uniform, save_png, stage, stage_of, style_of
from cimg.sprites import load_palette, load_sheet
from cimg.tables import Variable
from cimg.world import World

DUEL = World.load("duel")
SCENES = render(sample_uniform(stage().variables, 2))
SHORT = train.Settings(steps=1, batch=2, hidden=8)


@pytest.mark.parametrize("thing", ["duel", None, 5, {"action": "attack"}])
@pytest.mark.parametrize(
    "ask",
    [
        lambda x: data.draw(x, 1),
        lambda x: data.labels_of(x),
        stage_of,
        style_of,
        ExactReader,
        lambda x: train.train(x, SHORT),
        lambda x: probability(x, "action"),
        lambda x: d_separated(x, "action", "reaction"),
        show.graph,
        lambda x: reader.load().log_likelihood(x, SCENES),
        lambda x: train.load("duel", world=x or 7),
    ],
)
def test_no_world(ask, thing):
    with pytest.raises(ValueError, match="expected a World, as World.load gives it; found"):
        ask(thing)


@pytest.mark.parametrize("thing", ["duel", None, DUEL])
def test_no_model(thing):
    for ask in (lambda: imagine(thing, SCENES[0], {}), lambda: see(thing, {})):
        with pytest.raises(ValueError, match="expected a model, as cimg.load gives it; found"):
            ask()


@pytest.mark.parametrize("thing", [None, 1, True, [], b"here", 2.5])
@pytest.mark.parametrize(
    "ask",
    [
        World.from_json,
        World.from_bif,
        DUEL.to_json,
        load_palette,
        add_sprites,
        copy_course,
        lambda x: load_sheet(x, stage().palette),
        lambda x: data.export(x, DUEL, 1),
        lambda x: train.train(DUEL, SHORT, x or 5),
        train.load,
        gan.load,
        reader.load,
        lambda x: save_png(SCENES[0], x),
    ],
)
def test_no_path(ask, thing):
    """A whole number is a file that is open already, to Python: 1 would be this test's output."""
    with pytest.raises(ValueError, match="expected a (path|file name)"):
        ask(thing)
    os.fstat(1)  # it is still open


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: World(None), "expected the world's variables, found"),
        (lambda: World(["rain"]), "number 1: expected a Variable, found str 'rain'"),
        (lambda: World([Variable("a", 5, (), True, [1.0])]), "'a': values must be a tuple"),
        (lambda: World([Variable("a", ("x",), 5, True, [1.0])]), "'a': parents must be a tuple"),
        (lambda: render({3: 4}), "is needed; given: 3"),
        (lambda: render({}, stage=5), "expected a stage"),
        (lambda: save_png(SCENES[0], "x.png", zoom=10**30), "at most 67,108,864 are saved"),
        (lambda: sample_uniform(stage().variables, 10**30), "rows can be drawn at once"),
        (lambda: show.scenes(SCENES, captions=5), "captions: expected 2"),
        (lambda: show.scenes(SCENES, columns="x"), "columns must be a whole number"),
        (lambda: show.scenes(SCENES, zoom=17), "zoom 1 to 16"),
        (lambda: show.scenes(SCENES, zoom=2.5), "zoom must be a whole number"),
        (lambda: show.distributions({"p": [1]}, ["a"], digits=10**9), "digits: at most 15"),
        (lambda: show.table([[0.5]], ["a"], digits=10**9), "digits: at most 15"),
        (lambda: show.scenes(SCENES, title=None), "expected text, found NoneType"),
        (lambda: show.graph(DUEL, highlight=[[]]), "expected names and arrows"),
        (lambda: show.distributions(None, ["a"]), "a dict of 1 to 5 series"),
        (lambda: show.distributions({"p": [1]}, 5), "the names of some values"),
        (lambda: show.distributions({"p": [1]}, ["a"], digits=None), "digits must be a whole"),
        (lambda: show.distributions({"p": [1]}, ["a"], errors=5), "errors of int 5"),
        (lambda: show.curves(None), "a dict of 1 to 5 curves"),
        (lambda: show.curves({"p": {}}), "expected numbers"),
        (lambda: show.curves({3: [1, 2]}), "expected names of curves"),
    ],
)
def test_other_slips(ask, said):
    with pytest.raises(ValueError, match=said):
        ask()


@pytest.mark.parametrize(
    ("number", "answers"),
    [
        ("04.2", (range(10**9), range(10**9))),
        ("05.2", (range(10**9),)),
        ("05.2", ([range(10**9)],)),
        ("05.3", ([[range(10**9)] * 3] * 3,)),
        ("02.3", (itertools.cycle([("action", "reaction")]),)),
        ("01.1", (itertools.repeat(0.5),)),
    ],
)
def test_an_answer_that_is_endless_or_huge_is_refused_by_its_size(number, answers):
    """Each of these would fill the memory of any machine, or go on for ever."""
    assert "Can't be read" in repr(Check().look(number, *answers))
