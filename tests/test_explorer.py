"""The explorer: its pure functions at every value of every control, and its shell."""

import re

import pytest
import torch

import cimg
from cimg import explorer
from cimg.counterfactual import probability_had
from cimg.world import WorldError


@pytest.fixture(scope="module")
def model():
    return cimg.load("duel")


def controls(world):
    return [(name, value) for name in world.visible for value in world.variables[name].values]


def test_every_value_of_every_control_gives_a_picture_and_a_sentence(model):
    for number in (0, 1, explorer.SCENES - 1):
        for variable, value in controls(model.world):
            shown = explorer.ask(model, number, variable, value)
            assert shown.picture.png.startswith(b"\x89PNG")
            assert f"the model: {variable} = {value}" in shown.picture.alt
            found = re.fullmatch(
                r"Had (\w+) been (\w+).*probability (\d\.\d\d)\).*", shown.sentence
            )
            assert found and found.group(1, 2) == (variable, value), shown.sentence
            assert 0 < float(found[3]) <= 1


def test_what_was_so_anyway_changes_nothing(model):
    for number in range(5):
        _, values = explorer.scene(model.world, number)
        action = model.world.describe({"action": values["action"]})["action"]
        said = explorer.ask(model, number, "action", action).sentence
        assert (
            "(as it was): most probably nothing else would have changed (probability 1.00)" in said
        )


def test_the_likeliest_is_no_less_probable_than_any_other(model):
    world = model.world
    for number in range(5):
        _, values = explorer.scene(world, number)
        seen = {name: int(values[name]) for name in world.visible}
        labels, probability = explorer.likeliest(world, seen, {"action": "attack"})
        table = probability_had(world, "reaction", seen, {"action": "attack"})
        assert probability == pytest.approx(float(table.max()), abs=1e-12)
        assert int(labels["reaction"]) == int(table.argmax())
        for name in world.visible:
            if name not in ("action", "reaction"):
                assert int(labels[name]) == seen[name]


def test_wrong_pixels_are_counted_and_said(model):
    world = model.world
    seen = {name: 0 for name in world.visible}
    would = {name: torch.tensor([0]) for name in world.visible}
    for wrong, words in ((0, "the true picture"), (1, "1 pixel off"), (7, "7 pixels off")):
        said = explorer.sentence(world, seen, would, {"action": "attack"}, 0.5, wrong)
        assert words in said


def test_unknown_names_are_refused(model):
    with pytest.raises(WorldError, match="colour"):
        explorer.ask(model, 0, "colour", "red")
    with pytest.raises(WorldError, match="attack, taunt, walk"):
        explorer.ask(model, 0, "action", "sing")


def test_the_shell_follows_its_controls(model):
    shell = explorer.Explorer(model)
    first = shell.answer.value
    assert 'alt="3 scenes' in first and "Had action been attack" in first
    shell.value.value = "walk"
    assert "Had action been walk" in shell.answer.value
    shell.variable.value = "actor_type"
    assert shell.value.options == ("type1", "type2", "type3")
    assert "Had actor_type been type1" in shell.answer.value
    shell.number.value = 5
    assert shell.answer.value == explorer.html(explorer.ask(model, 5, "actor_type", "type1"))


def test_the_shell_says_in_words_what_it_is(model):
    bundle = explorer.Explorer(model)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Explorer" in bundle["text/plain"] and "PNG" not in bundle["text/plain"]
