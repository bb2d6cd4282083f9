"""The explorer: its pure functions at every value of every control, its pages, and its shell."""

import re
from itertools import product
from xml.etree import ElementTree

import pytest
import torch

import cimg
from cimg import explorer_graph, explorer_page, explorer_words
from cimg.counterfactual import probability_had
from cimg.data import draw
from cimg.explorer import SCENES, Controls, Explorer, answer, ask, options
from cimg.explorer_answer import PICTURES, contradiction, outcomes
from cimg.query import log_evidence, probability
from cimg.scene import SceneError
from cimg.vae import CausalVAE
from cimg.world import Variable, World, WorldError


@pytest.fixture(scope="module")
def model():
    return cimg.load("duel")


@pytest.fixture(scope="module")
def untrained():
    """A model of the arena that has learnt nothing: whatever it draws and reads, nothing fails."""
    torch.manual_seed(0)
    arena = CausalVAE(World.load("arena")).eval().requires_grad_(False)
    arena.remember_styles(*draw(arena.world, 20))
    return arena


@pytest.fixture(params=["model", "untrained"])
def any_model(request):
    return request.getfixturevalue(request.param)


def html(shown, truth=True):
    return explorer_page.answer(shown, truth) + explorer_graph.graph(shown)


def controls_of(setting, name, **others):
    """Controls with one variable as in `setting`: "free", "seen: attack", …"""
    kind, _, value = setting.partition(": ")
    return Controls(**{kind: {name: value}} if value else {}, **others)


# ── The answer ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("imagine", [False, True])
def test_every_value_of_every_control_is_answered(any_model, imagine):
    world = any_model.world
    for name in world.variables:
        for setting in options(world, name):
            controls = controls_of(setting, name, scene=3, imagine=imagine)
            shown = answer(any_model, controls)
            if shown.conflict:
                assert imagine and setting.startswith("seen") and name in shown.conflict
                assert "This can't be" in shown.sentence and not len(shown.drawn)
            else:
                assert 1 <= len(shown.drawn) == len(shown.captions) <= PICTURES
                assert shown.drawn.shape[1:] == shown.scene.shape
                for variable, odds in shown.chances.items():
                    assert len(odds) == len(world.variables[variable].values)
                    assert float(odds.sum()) == pytest.approx(1, abs=1e-9)
                kind, _, value = setting.partition(": ")
                if kind != "free":
                    code = world.variables[name].values.index(value)
                    assert shown.chances[name][code] == 1 or (imagine and kind == "seen")
            assert_well_formed(html(shown, truth=imagine))


@pytest.mark.parametrize("imagine", [False, True])
def test_every_pair_of_settings_of_action_and_reaction_is_answered(any_model, imagine):
    world = any_model.world
    pairs = product(options(world, "action"), options(world, "reaction"))
    for i, (action, reaction) in enumerate(pairs):
        one, two = controls_of(action, "action"), controls_of(reaction, "reaction")
        seen, done = {**one.seen, **two.seen}, {**one.done, **two.done}
        shown = answer(any_model, Controls(i, seen, done, imagine, seed=i))
        assert shown.controls.rung == ("imagine" if imagine else "do" if done else "see")
        assert_well_formed(html(shown, truth=False))


def test_every_scene_can_be_looked_at(model):
    for number in range(SCENES):
        shown = answer(model, Controls(number, done={"action": "attack"}, imagine=True))
        assert re.match(r"Had action been attack.*probability \d\.\d\d\); .*", shown.sentence)


def test_seeing_and_doing_are_exact(model):
    given = {"reaction": "die", "actor_strength": "high"}
    for done in ({}, {"action": "taunt"}):
        shown = answer(model, Controls(0, given, done))
        for name in model.world.variables.keys() - given.keys() - done.keys():
            exact = probability(model.world, name, given, done)
            assert torch.equal(shown.chances[name], exact)
        for name, value in {**given, **done}.items():
            if name in model.world.visible:
                code = model.world.encode({name: value})[name]
                assert (shown.labels[name] == code).all()


def test_imagining_is_exact_and_shows_the_likeliest_in_order(model):
    for number, done in ((2, {"action": "attack"}), (5, {"reactor_type": "type1"})):
        shown = answer(model, Controls(number, done=done, imagine=True))
        for name in model.world.variables.keys() - done.keys():
            exact = probability_had(model.world, name, shown.read, done)
            assert torch.equal(shown.chances[name], exact)
        reaction = shown.chances["reaction"]
        assert (shown.odds[:-1] >= shown.odds[1:]).all() and float(shown.odds.sum()) <= 1 + 1e-9
        assert shown.odds.tolist() == reaction[shown.labels["reaction"]].tolist()
        assert float(shown.odds[0]) == float(reaction.max())


def test_of_several_open_variables_the_outcomes_are_joint(model):
    read = answer(model, Controls(0)).read
    labels, odds = outcomes(model.world, read, {"actor_type": "type2"})
    table = probability_had(model.world, ["action", "reaction"], read, {"actor_type": "type2"})
    assert odds.tolist() == table[labels["action"], labels["reaction"]].tolist()
    assert (labels["actor_type"] == 1).all() and float(odds[0]) == float(table.max())


def test_what_was_so_anyway_changes_nothing(model):
    for number in range(5):
        action = answer(model, Controls(number)).read["action"]
        said = ask(model, number, "action", action).sentence
        assert (
            "(as it was): most probably nothing else would have changed (probability 1.00)" in said
        )


def test_true_pictures_have_the_style_of_the_scene_or_that_which_the_model_has_chosen(model):
    would = ask(model, 1, "action", "attack")
    kept = cimg.render(
        {k: v.expand(len(would.drawn)) for k, v in would.style.items()} | would.labels
    )
    assert torch.equal(would.truth, kept)
    assert int(would.wrong[0]) == int((would.drawn[0] != would.truth[0]).sum())
    any_scene = answer(model, Controls(seen={"action": "attack"}))
    assert any_scene.wrong.float().mean() < 50  # read back, not made up: near the drawn ones


def test_another_seed_gives_other_pictures_of_the_same_question(model):
    one, two = (answer(model, Controls(seen={"action": "walk"}, seed=seed)) for seed in (0, 1))
    assert not torch.equal(one.drawn, two.drawn)
    assert all(torch.equal(one.chances[name], two.chances[name]) for name in one.chances)


def test_unknown_names_and_contradictory_controls_are_refused(model):
    with pytest.raises(WorldError, match="colour"):
        ask(model, 0, "colour", "red")
    with pytest.raises(WorldError, match="attack, taunt, walk"):
        ask(model, 0, "action", "sing")
    with pytest.raises(WorldError, match="seen"):
        answer(model, Controls(seen={"action": "walk"}, done={"action": "walk"}))
    with pytest.raises(WorldError, match="-1"):
        answer(model, Controls(-1))
    with pytest.raises(SceneError, match="no styles"):
        answer(CausalVAE(model.world), Controls())


# ── What can't be ───────────────────────────────────────────────────────────────────────────────


def test_a_contradiction_names_only_what_contradicts():
    arena = World.load("arena")
    seen = {"reaction": "die", "time": "night", "action": "walk", "sky": "day"}
    assert contradiction(arena, seen, {}) == ["time", "sky"]
    assert contradiction(arena, seen, {"time": "night"} | {}) in ([["time", "sky"]], ["sky"])
    assert contradiction(arena, {"time": "night", "sky": "night"}, {}) == []
    for left_out in ("time", "sky"):
        rest = {k: v for k, v in seen.items() if k != left_out}
        assert log_evidence(arena, rest) > -float("inf")


def test_impossible_evidence_is_said_with_the_way_back(untrained):
    shown = answer(untrained, Controls(seen={"time": "night", "action": "walk", "sky": "day"}))
    assert shown.conflict == ("time", "sky") and shown.chances == {}
    assert "time = night and sky = day contradict each other" in shown.sentence
    assert "“undo” or “reset”" in shown.sentence and "action" not in shown.sentence
    assert "red: contradictory" in html(shown) and 'class="cimg-wrong"' in html(shown)
    after = answer(untrained, Controls(seen={"sky": "day"}, done={"time": "night"}))
    assert "sky = day never happens where time = night is done. Set sky free" in after.sentence
    assert shown.picture.alt.startswith("This can't be")


def test_evidence_that_the_scene_denies_is_said(model):
    read = answer(model, Controls(4)).read
    other = next(x for x in model.world.variables["action"].values if x != read["action"])
    shown = answer(model, Controls(4, seen={"action": other}, imagine=True))
    assert shown.conflict == ("action",)
    why = f"the scene shows action = {read['action']}, so {other} can't be seen in it"
    assert f"This can't be: {why}. Set action free" in shown.sentence
    same = answer(model, Controls(4, seen={"action": read["action"]}, imagine=True))
    assert not same.conflict and same.chances["action"].max() == 1


# ── The page ────────────────────────────────────────────────────────────────────────────────────


def assert_well_formed(text):
    """HTML that an XML reader takes, too: every tag closed, every attribute quoted."""
    closed = re.sub(r"<(img[^>]*[^/])>", r"<\1/>", text)
    ElementTree.fromstring(f"<page>{closed}</page>")


def test_the_graph_marks_evidence_interventions_and_cut_arrows(model):
    shown = answer(model, Controls(0, {"reaction": "die"}, {"action": "attack"}))
    kinds = explorer_graph.kinds(shown)
    assert kinds["action"] == {"done"} and kinds["reaction"] == {"seen"}
    assert kinds["actor_attack"] == {"hidden"} and kinds["actor_type"] == set()
    parents = model.world.variables["action"].parents
    assert explorer_graph.cut_arrows(shown) == {(parent, "action") for parent in parents}
    svg = explorer_graph.graph(shown)
    assert svg.count("✂</text>") == len(parents) and svg.count(">do<") == svg.count(">seen<") == 1
    arrows = model.world.graph().number_of_edges() + len(model.world.visible)
    assert svg.count("<path") == svg.count("<polygon") == arrows
    free = explorer_graph.graph(answer(model, Controls()))
    assert "✂" not in free and ">do<" not in free and free.count("<path") == arrows
    would = explorer_graph.kinds(ask(model, 0, "action", "attack"))
    assert would["reaction"] == {"open", "was"} and would["action"] == {"done", "was"}
    assert would["actor_type"] == {"seen"} and would["reactor_strength"] == {"hidden"}


def test_the_graph_says_in_words_what_it_shows(model):
    shown = answer(model, Controls(0, {"reaction": "die"}, {"action": "attack"}))
    said = explorer_graph.in_words(shown)
    assert "Seen: reaction = die" in said and "Done: action = attack" in said
    assert "actor_attack → action" in said
    satyr, golem = shown.chances["actor_character"].tolist()
    assert f"actor_character: satyr {satyr:.2f}, golem {golem:.2f}" in said


def test_bars_are_as_long_as_they_are_probable(model):
    svg = ElementTree.fromstring(explorer_graph.graph(answer(model, Controls())).split("<p ")[0])
    lengths = [float(r.get("width")) for r in svg.iter("rect") if "#6a6a74" in r.get("style")]
    assert len(lengths) == sum(len(v.values) for v in model.world.variables.values())
    chances = answer(model, Controls()).chances.values()
    room = [float(r.get("width")) for r in svg.iter("rect") if "#dcdce2" in r.get("style")]
    for length, full, p in zip(lengths, room, torch.cat(list(chances)).tolist(), strict=True):
        assert length == pytest.approx(full * p, abs=0.06)


def test_names_of_any_kind_are_written_as_text():
    fair = torch.tensor([0.5, 0.5], dtype=torch.float64)
    world = World([Variable("<b>&", ("<i>", '"'), (), False, fair)], "<script>")
    shown = type("S", (), {})  # only what the graph needs of an answer
    shown.world, shown.controls, shown.seen, shown.conflict = world, Controls(), {}, ()
    shown.chances = {"<b>&": fair}
    assert_well_formed(explorer_graph.graph(shown))
    assert "<script>" not in explorer_graph.graph(shown)


def test_titles_say_the_rung_and_the_question(model):
    title = lambda *a, **k: explorer_words.title(answer(model, Controls(*a, **k)))
    die, attack = {"reaction": "die"}, {"action": "attack"}
    assert title() == "1 Seeing: P(…)"
    assert title(0, die) == "1 Seeing: P(… | reaction = die)"
    assert title(0, die, attack) == "2 Doing: P(… | reaction = die; do(action = attack))"
    assert title(0, {}, attack, True) == "3 Imagining: P(…, had action been attack | this scene)"
    strong = {"reactor_strength": "high"}
    assert title(0, strong, {}, True) == "3 Imagining: P(… | this scene, reactor_strength = high)"


def test_sentences_count_what_they_say(model):
    share = f"{float(probability(model.world, 'reaction')[0]):.2g}"
    assert (
        f"a share of {share} has reaction = die"
        in answer(model, Controls(seen={"reaction": "die"})).sentence
    )
    said = answer(model, Controls(done={"action": "attack", "actor_type": "type1"})).sentence
    assert (
        said
        == "Every scene is made to have action = attack and actor_type = type1: 4 arrows are cut."
    )
    assert "no arrow to cut" in answer(model, Controls(done={"actor_character": "golem"})).sentence
    shown = ask(model, 0, "action", "attack")
    for wrong, words in ((0, "the true picture"), (1, "1 pixel off"), (7, "7 pixels off")):
        vars(shown)["wrong"] = torch.tensor([wrong])
        assert words in explorer_words.sentence(shown)


def test_pixels_that_are_not_the_true_ones_are_framed_and_counted(model):
    shown = ask(model, 0, "action", "attack")
    drawn = shown.drawn.clone()
    drawn[0, 3, 5] += 1
    off = type(shown)(
        **{f: getattr(shown, f) for f in shown.__dataclass_fields__} | {"drawn": drawn}
    )
    vars(off)["truth"] = shown.drawn
    assert "1 pixel differs, framed above" in explorer_page.answer(off, truth=True)
    assert "same, pixel for pixel" in explorer_page.answer(off, truth=True)
    large = explorer_page.framed(drawn[0].numpy(), (drawn[0] != shown.drawn[0]).numpy(), 6)
    assert large.shape == (36 * 6, 64 * 6) and (large == 24).sum() == 6 * 6 - 4 * 4
    assert (large[19:23, 31:35] == int(drawn[0, 3, 5])).all()


# ── The shell ───────────────────────────────────────────────────────────────────────────────────


def test_the_shell_follows_its_controls(model):
    shell = Explorer(model)
    assert shell.controls() == Controls(done={"action": "attack"}, imagine=True)
    assert "Had action been attack" in shell.answer.value
    shell.variables["action"].value = "done: walk"
    assert "Had action been walk" in shell.answer.value
    shell.about.value = shell.about.options[0]
    shell.variables["reaction"].value = "seen: die"
    now = Controls(0, {"reaction": "die"}, {"action": "walk"})
    assert shell.controls() == now
    expected = answer(model, now)
    assert shell.answer.value == explorer_page.answer(expected)
    assert shell.graph.value == explorer_page.page(explorer_graph.graph(expected))
    shell.truth.value = True
    assert shell.answer.value == explorer_page.answer(expected, truth=True)
    shell.scene.value = 5
    assert shell.controls().scene == 5 and "scene 5" in shell.answer.value


def test_the_buttons(model):
    shell, press = Explorer(model), {}
    for box in shell.children:
        press |= {
            b.description: b.click for b in getattr(box, "children", ()) if hasattr(b, "click")
        }
    shell.variables["actor_type"].value = "seen: type1"
    before = shell.controls()
    press["reset"]()
    assert shell.controls() == Controls() and "Nothing is seen" in shell.answer.value
    press["undo"]()
    assert shell.controls() == before
    press["undo"]()
    assert shell.controls() == Controls(done={"action": "attack"}, imagine=True)
    press["undo"]()  # nothing is left to take back
    assert shell.controls() == Controls(done={"action": "attack"}, imagine=True)
    press["see what the scene shows"]()
    read = {k: v for k, v in shell.shown.read.items() if k != "action"}
    assert shell.controls().seen == read and shell.controls().done == {"action": "attack"}
    press["reset"]()
    drawn = shell.shown.drawn
    press["draw others"]()
    assert not torch.equal(shell.shown.drawn, drawn)
    press["undo"]()
    assert torch.equal(shell.shown.drawn, drawn)


def test_the_shell_takes_every_value_of_every_control(untrained):
    shell = Explorer(untrained)
    for about in shell.about.options:
        shell.reset()
        shell.about.value = about
        for control in shell.variables.values():
            for setting in control.options:
                control.value = setting
                assert 'role="status"' in shell.answer.value
            control.value = "free"


def test_an_answer_that_cannot_be_had_is_said_and_not_raised(model, monkeypatch):
    shell = Explorer(model)

    def too_large(*_):
        raise WorldError("the twin table of <reaction> would have 9 entries")

    monkeypatch.setattr("cimg.explorer.answer", too_large)
    shell.variables["action"].value = "done: walk"
    assert "table of &lt;reaction&gt; would have 9 entries" in shell.answer.value
    monkeypatch.undo()
    shell.undo()
    assert "Had action been attack" in shell.answer.value


def test_every_control_is_described(model):
    shell = Explorer(model, Controls(7, seen={"reaction": "hurt"}))
    assert shell.controls() == Controls(7, seen={"reaction": "hurt"})
    controls = [shell.scene, shell.about, shell.truth, *shell.variables.values()]
    assert all(control.description for control in controls)
    assert list(shell.variables) == list(model.world.variables)


def test_without_a_kernel_there_is_a_strip_of_pictures(model):
    bundle, metadata = Explorer(model)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    shown = ask(model, 0, "action", "attack")
    assert bundle["image/png"] == shown.picture._repr_mimebundle_()[0]["image/png"]
    assert bundle["text/plain"].startswith("Explorer") and "P = 0." in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == shown.picture.alt
