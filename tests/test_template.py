"""The template for a world of one's own: blank it runs and says what is to do; filled in, it goes
from the file to the score card. `test_check.py` tries its checks on likely mistakes."""

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest

import build
import rules
from cimg.check import check
from cimg.exercises_own_world import RUNGS
from cimg.query import probability
from cimg.train import load
from cimg.world import World

PATH = Path(build.HERE) / "template" / "my-world.ipynb"
NOTEBOOK = nbformat.read(PATH, as_version=4)
CODE = {cell.id: cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"}
TEXT = "\n\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")

FACT = {"actor_character": "satyr", "actor_type": "type2", "action": "taunt",
        "reactor_character": "golem", "reactor_type": "type1", "reaction": "hurt"}  # fmt: skip
FILLED = {
    "add-sprites": {},
    "world": {"world = ...": "world = World.from_dict(SPEC)"},
    "questions": {
        '"of": ..., "given": ...}': '"of": {"actor_attack": "high"}, "given": {"reaction": "die"}}',
        '"of": ..., "do": ...}': '"of": {"reaction": "die"}, "do": {"action": "attack"}}',
        '"of": ..., "given": ..., "do": ...}': '"of": {"reaction": "die"}, "given": FACT, '
        '"do": {"action": "attack"}}',
    },
    "answers": {
        '"seeing": ...': '"seeing": cimg.probability(world, "actor_attack", '
        '{"reaction": "die"})[1]',
        '"doing": ...': '"doing": cimg.probability(world, "reaction", do={"action": "attack"})[0]',
        '"imagining": ...': '"imagining": cimg.probability_had(world, "reaction", FACT, '
        '{"action": "attack"})[0]',
    },
    "claim": {'"cause": ..., "effect": ..., "confounded": ...': '"cause": "action", '
              '"effect": "reaction", "confounded": False'},
    "training": {"steps = ...": "steps = 500", "train(world, Settings(steps=steps))":
                 'load("duel", world)'},
    "pictures": {},
    "card": {"n=500": "n=20"},
}  # fmt: skip


def spec() -> dict:
    """The duel, with fighters who walk on less often: drawn as the duel is, by its weights."""
    changed = World.load("duel").to_dict()
    action = next(v for v in changed["variables"] if v["name"] == "action")
    action["cpt"] = [[[[0.5, 0.3, 0.2]] * 2] * 2, [[[0.7, 0.2, 0.1]] * 2] * 2]
    return changed


def run(cells: dict[str, str]) -> tuple[str, list, dict]:
    """What the cells print and show, one after the other, and the names that they leave."""
    shown: list = []
    names = {"display": shown.append, "SPEC": spec(), "FACT": FACT, "World": World, "load": load}
    said = io.StringIO()
    with redirect_stdout(said):
        for source in cells.values():
            exec(compile(source, str(PATH), "exec"), names)  # noqa: S102
    return said.getvalue(), shown, names


def filled() -> dict[str, str]:
    assert set(FILLED) == set(CODE)
    cells = dict(CODE)
    for name, gaps in FILLED.items():
        for gap, answer in gaps.items():
            assert cells[name].count(gap) == 1, (name, gap)
            cells[name] = cells[name].replace(gap, answer)
    return cells


def verdicts(text: str) -> dict[str, str]:
    return dict(re.findall(r"^. (my\.\d) ([\w ]+)\.", text, re.MULTILINE))


def test_it_is_blank_and_was_run_blank():
    assert sum(source.count("...") for source in CODE.values()) > 15
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code":
            assert cell.execution_count and not any(o.output_type == "error" for o in cell.outputs)


def test_blank_it_runs_and_says_what_is_to_do():
    said, shown, _ = run(CODE)
    assert verdicts(said) == dict.fromkeys(("my.1", "my.2", "my.3", "my.4"), "Not done yet")
    assert shown == []


@pytest.mark.parametrize("last", [name for name in CODE if "steps" not in CODE[name]])
def test_half_filled_in_it_runs_as_well(last):
    """Cell by cell: what is filled in up to here goes with blanks below; no training here."""
    done = list(CODE).index(last)
    mixed = {k: filled()[k] if i <= done else CODE[k] for i, k in enumerate(CODE)}
    said, _, _ = run(mixed)
    assert set(verdicts(said).values()) <= {"Right", "Not done yet"}


def test_filled_in_it_goes_to_the_score_card():
    said, shown, names = run(filled())
    assert verdicts(said) == dict.fromkeys(("my.1", "my.2", "my.3", "my.4"), "Right"), said
    assert "back-door sets: [frozenset()]" in said
    assert len(shown) == 2 and all(picture.alt for picture in shown)
    assert "counterfactual: identical pictures" in said and len(said.splitlines()) > 20
    assert set(names["answers"]) == set(RUNGS)
    exact = probability(names["world"], "reaction", do={"action": "attack"})[0]
    assert float(names["answers"]["doing"]) == float(exact)


def test_every_check_of_the_template_has_its_hints():
    asked = re.findall(r'check\("(my\.\d)"', "\n".join(CODE.values()))
    hints = json.loads((Path(build.ROOT) / "cimg" / "hints.json").read_text(encoding="utf-8"))
    assert sorted(asked) == sorted(k for k in hints if k.startswith("my."))


def test_its_links_lead_somewhere_and_the_worked_copy_is_notebook_12():
    assert rules.links(TEXT, PATH.parent) == []
    check.tries.clear()
    wrong = (World.load("duel"),)
    verdict = [check.look("my.1", *wrong) for _ in range(3)][-1]
    assert verdict.link and (PATH.parent / verdict.link).is_file()
    check.tries.clear()
