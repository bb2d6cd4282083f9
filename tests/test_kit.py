"""The teacher's kit: schedules, guide, slides, cheat sheet, glossary, template."""

import re
import string
from itertools import pairwise

import nbformat
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import build
import rules
from cimg import World, probability
from docs import HERE, ROOT, kit, numbers, page, sources
from docs.schedule import LEVELS, RESERVE, Measured, ScheduleError, fill, formats, plan
from docs.slides import deck, gist, shortened, slides

TAUGHT = sources.taught()
IDS = [lesson.name for lesson in TAUGHT]
NOTES = sorted((HERE / "notes").glob("[0-9]*.yaml"))
FORMATS = formats(HERE / "notes" / "schedules.yaml")


def each_notebook(test):
    return pytest.mark.parametrize("lesson", TAUGHT, ids=IDS)(test)


# --- schedules ------------------------------------------------------------------------------------

small = st.integers(0, 40)
measured = st.builds(
    Measured, st.just(""), st.just(""), small, small, small, st.just(3), small, st.just((1,))
)
wishes = st.lists(
    st.tuples(st.sampled_from(["00", "01", "02", "77"]), st.sampled_from(LEVELS)), max_size=6
)


@given(st.lists(measured, min_size=3, max_size=3), st.integers(0, 200), wishes)
def test_a_session_never_takes_more_than_its_time_less_the_reserve(found, minutes, wanted):
    known = dict(zip(["00", "01", "02"], found, strict=True))
    session = {"minutes": minutes, "wishes": [" ".join(wish) for wish in wanted]}
    try:
        taken = fill(session, known)
    except ScheduleError:
        number, level = next(wish for wish in wanted if wish[0] in known)
        assert known[number].minutes(level) > int(minutes * (1 - RESERVE))
        return
    assert sum(known[n].minutes(level) for n, level in taken.items()) <= minutes * (1 - RESERVE)
    assert list(taken) == sorted(taken) and "77" not in taken
    for number, level in taken.items():
        assert (number, level) in wanted


def test_minutes_of_a_notebook():
    found = Measured("05", "Doing", 22, 1, 20, 4, 10, (1, 4))
    assert [found.minutes(level) for level in LEVELS] == [0, 16, 16 + 10 + 3, 43]
    with pytest.raises(ScheduleError, match="unknown level 'sung'; known: home, shown, led, whole"):
        found.minutes("sung")


def test_later_wishes_wait_for_earlier_ones():
    known = {n: Measured(n, n, 0, 0, 10, 1, 10, (1,)) for n in ("00", "01")}  # shown 15, led 28
    session = {"minutes": 50, "wishes": ["01 shown", "00 shown", "01 led"]}
    assert fill(session, known) == {"00": "shown", "01": "led"}
    assert fill(session | {"minutes": 40}, known) == {"00": "shown", "01": "shown"}
    with pytest.raises(ScheduleError, match="'01 shown' alone takes more than 9 minutes"):
        fill(session | {"minutes": 10}, known)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_fits_the_course_as_it_is(name):
    known = {lesson.lesson.number: kit.measure(lesson) for lesson in TAUGHT}
    sessions = FORMATS[name]["sessions"]
    blocks = plan(sessions, known)
    assert blocks[-1].ends == sum(s["minutes"] + s.get("pause", 0) for s in sessions)
    assert all(a.ends == b.begins for a, b in pairwise(blocks))
    for block in blocks:
        if block.number:
            assert block.ends - block.begins == known[block.number].minutes(block.level) > 0
    assert {"00", "05", "06", "09"} & known.keys() <= {block.number for block in blocks}
    for wish in (wish for session in sessions for wish in session["wishes"]):
        number, level = wish.split()
        assert level in LEVELS and number in {path.stem for path in NOTES}


# --- notes and guide ------------------------------------------------------------------------------


def test_every_notebook_has_teachers_notes():
    there = {path.stem for path in NOTES}
    assert {lesson.lesson.number for lesson in TAUGHT} <= there
    assert {path.stem[:2] for path in (ROOT / "notebooks" / "source").glob("*.py")} <= there
    for path in NOTES:
        sources.read_notes(path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"about": ""}, "'about' should be a str and not empty"),
        ({"class": "1"}, "'class' should be a list"),
        ({"discuss": [{"ask": "why?"}]}, r"each of 'discuss' should have \['ask', 'expect'\]"),
        ({"more": 1}, "expected the keys about, class, stumble, discuss, cut"),
    ],
)
def test_notes_that_do_not_follow_the_format(change, message, tmp_path):
    notes = yaml.safe_load((HERE / "template.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "13.yaml"
    path.write_text(yaml.safe_dump(notes))
    assert sources.read_notes(path) == notes
    path.write_text(yaml.safe_dump(notes | change))
    with pytest.raises(sources.NotesError, match=f"13.yaml: {message}"):
        sources.read_notes(path)


def test_notes_speak_of_what_is_there():
    lesson = TAUGHT[0]
    for change, message in (
        ({"cut": [{"section": "No such"}]}, "00.yaml: there is no section 'No such' to cut"),
        ({"class": [9]}, "00.yaml: there is no exercise 9 to do in class"),
    ):
        wrong = sources.Taught(lesson.lesson, lesson.minutes, lesson.cells, lesson.notes | change)
        with pytest.raises(sources.NotesError, match=message):
            sources.check_notes(wrong, "00.yaml")


def test_the_kit_is_what_the_notebooks_give():
    made = kit.pages(TAUGHT)
    late = [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    assert late == [], "out of date: make notebooks"
    assert set((HERE / "guide").glob("*.md")) <= made.keys()


@each_notebook
def test_the_guide_tells_every_mistake_and_every_hint(lesson):
    told = (HERE / "guide" / f"{lesson.name}.md").read_text(encoding="utf-8")
    for mistake in lesson.lesson.about["mistakes"]:
        assert f"- {mistake}\n" in told
    said = {k: v for k, v in sources.hints().items() if k.startswith(lesson.lesson.number)}
    assert len(said) == len(lesson.exercises) >= 2
    for hint in (hint for hints in said.values() for hint in hints.values()):
        assert kit.cell(hint) in told or hint in told
    for item in lesson.notes["discuss"]:
        assert item["ask"] in told and item["expect"].strip() in told
    for exercise in lesson.exercises:
        assert lesson.solution(exercise) and lesson.solution(exercise) in told
    for question in lesson.lesson.about["quiz"]:
        right = question["options"]["abc".index(question["answer"])]
        assert f"*{question['ask']}*<br>**{question['answer']}**, {right}. " in told
    assert not re.search(r"\{\w*\}", re.sub(r"```.*?```", "", told, flags=re.DOTALL))


def test_what_a_cut_saves():
    lesson = TAUGHT[0]
    share = -(-lesson.minutes["exercises"] // len(lesson.exercises))
    assert lesson.saved(lesson.exercises[0]) == share
    whole = sum(lesson.saved(h) for h in lesson.headings if h not in lesson.exercises)
    assert 0 < whole <= lesson.minutes["reading"] + len(lesson.headings)


# --- slides ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, most, expected",
    [
        ("One two. Three four. Five six.", 4, "One two. Three four."),
        ("A first sentence that is too long. Another.", 3, "A first sentence that is too long."),
        ("Look here. What comes:\n\n```python\nx = 1\n```", 20, "Look here."),
        ("Yes. (A note. That goes on.) End.", 4, "Yes."),
        ("See [the scenes](01.ipynb) now.", 9, "See the scenes now."),
        ("- one thing\n- two things\n- three", 4, "- one thing\n- two things"),
        ("![A golem.](golem.png)", 9, ""),
        ("P(a) = Σ P(a | b, c, d, e, f, g, h) P(b, c, d)\n\nMore.", 9, None),
    ],
)
def test_the_gist_of_a_text(text, most, expected):
    assert gist(text, most) == (text if expected is None else expected)


@given(st.text(string.ascii_letters + " .:\n-*(", max_size=200), st.integers(1, 30))
def test_a_gist_is_short_and_adds_nothing(text, most):
    made = gist(text, most)
    assert set(made.split()) <= set(text.split())
    if rules.count_words(made) > most:  # then it is one piece that couldn't be cut
        assert gist(text, 1) == made


def test_a_long_table_is_cut_for_the_slide():
    table = "<table>" + "".join(f"<tr><td>{i}</td></tr>" for i in range(17)) + "</table>"
    cut = shortened(table)
    assert cut.count("<tr") == 11 and "<td>10</td>" in cut and "and 6 more rows" in cut
    assert shortened(cut.split("<p>")[0]) == cut.split("<p>")[0]


@each_notebook
def test_slides_have_every_section_exercise_idea_and_question(lesson):
    made = slides(lesson)
    titles = [slide.title for slide in made]
    assert titles[0] == lesson.lesson.title and set(lesson.exercises) <= set(titles)
    about = lesson.lesson.about
    assert sum(slide.kind == "quiz" for slide in made) == len(about["quiz"])
    told = "\n".join(slide.text for slide in made)
    for text in (*about["key_ideas"], *about["objectives"], *about["mistakes"]):
        assert text in told
    assert [s.text for s in made if s.kind == "question"] == [
        item["ask"] for item in lesson.notes["discuss"]
    ]


@each_notebook
def test_slides_keep_every_picture_with_its_alt_text_and_need_no_other_file(lesson):
    shown = deck(lesson, None)
    wanted = []
    for cell in lesson.cells:
        found = [o for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
        if found and "exercise" not in rules.tags(cell) and "check(" not in cell.source:
            wanted.append(" ".join(found[-1].metadata["image/png"]["alt"].split()))
    alts = page.alts(shown)
    assert wanted and [alt for alt in alts if alt in wanted] == wanted and all(alts)
    addresses = re.findall(r'(?:href|src)="([^"]*)"', shown)
    assert [a for a in addresses if not re.match(r"data:|https://|index\.html$", a)] == []
    assert "<script src" not in shown and "@import" not in shown and "url(" not in shown


# --- pages to look things up in -------------------------------------------------------------------


def terms() -> list[tuple[str, str]]:
    text = (HERE / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^### (.+)\n\n((?:(?!^###).*\n?)*)", text, re.MULTILINE)


def test_the_glossary_is_in_order_and_each_word_is_used_where_it_says():
    names = [name.lower() for name, _ in terms()]
    assert len(names) > 50 and names == sorted(set(names))
    texts = {
        path.name[:2]: path.read_text(encoding="utf-8").lower()
        for path in (ROOT / "notebooks" / "source").glob("*.py")
    }
    for name, text in terms():
        number = re.search(r"\[(\d\d)\]\s*\Z", text.strip())
        if not number:
            assert re.search(r"\*See\* ([\w-]+)", text)[1] in names
        elif number[1] in texts:
            words = re.split(r", ", name.lower())
            assert [w for w in words if w.split()[0].rstrip("s") in texts[number[1]]], name
    vocabulary = (
        "variable world table parents style given do imagining abduction actor palette scene"
    )
    said = " ".join(names)
    assert [word for word in vocabulary.split() if word not in said] == []


def test_the_cheat_sheets_calls_run_and_return_what_it_says(tmp_path, monkeypatch):
    text = (HERE / "cheat-sheet.md").read_text(encoding="utf-8")
    lines = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1].splitlines()
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    seen = {}
    for line in filter(None, lines):
        said = line.partition("#")[2].strip()
        try:
            seen[said] = eval(line, names)
        except SyntaxError:
            exec(line, names)  # noqa: S102
    assert seen["False: a collider"] is False
    assert seen["[set()]: nothing to block"] == [set()]
    low, high, _ = seen["Bounds(low, high, sharp)"]
    assert 0 <= low < high <= 1
    assert seen["exact, float64 [4]"].shape == (4,)
    assert list(names["scenes"].shape) == [4, 36, 64] and (tmp_path / "scene.png").exists()
    assert len(names["rows"]["action"]) == 1000 == len(names["would"]["reaction"])
    for call in re.findall(r"`(\w+)\(w?,? ?", text):
        assert call in names, call


def test_the_kits_numbers():
    arena = World.load("arena")
    assert numbers.foggy(0).to_dict()["variables"] == arena.to_dict()["variables"]
    truth = numbers.harm(arena, do={"action": "attack"}) - numbers.harm(
        arena, do={"action": "taunt"}
    )
    assert abs(numbers.adjusted(arena) - truth) < 1e-12  # the sky tells the time without fail
    seen = numbers.harm(arena, {"action": "attack"}) - numbers.harm(arena, {"action": "taunt"})
    assert seen < 0 < truth
    fog = numbers.foggy(0.5)  # a sky that tells nothing: as if nothing were adjusted for
    assert abs(numbers.adjusted(fog) - seen) < 1e-12
    assert "| attack | 0.171 | 0.373 |" in numbers.rungs()  # as in the README of the worlds


def test_the_text_next_to_the_numbers():
    """What guide and limits say in words about the tables."""
    rows = [line.split("|")[2:-1] for line in numbers.couplings().splitlines()[2:]]
    gumbel, monotone = ([float(p) for p in row] for row in rows[:2])
    spans = [[float(p) for p in cell.split(" and ")] for cell in rows[2]]
    assert abs(sum(gumbel) - 1) < 0.002 and abs(sum(monotone) - 1) < 0.002 and gumbel != monotone
    for (low, high), a, b in zip(spans, gumbel, monotone, strict=True):
        assert low - 0.0005 <= min(a, b) and max(a, b) <= high + 0.0005


# --- for authors ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def from_template(tmp_path_factory):
    """A course of one notebook, made from the template."""
    root = tmp_path_factory.mktemp("course")
    source = root / "notebooks" / "source"
    source.mkdir(parents=True)
    (root / "README.md").write_text("# A course\n")
    text = (HERE / "template.py").read_text(encoding="utf-8")
    (source / "99-from-template.py").write_text(text, encoding="utf-8")
    build.build(source, source.parent, root / "record.json", [], False)
    return root


@pytest.mark.parametrize("copy", ["learner", "worked"])
def test_the_template_keeps_every_rule(from_template, copy):
    path = build.path_of("99-from-template", copy, from_template / "notebooks")
    assert rules.findings(nbformat.read(path, as_version=4), path) == []


def test_slides_and_guide_can_be_made_of_the_template(from_template):
    (from_template / "docs" / "notes").mkdir(parents=True)
    notes = (HERE / "template.yaml").read_text(encoding="utf-8")
    (from_template / "docs" / "notes" / "99.yaml").write_text(notes, encoding="utf-8")
    (lesson,) = sources.taught(from_template)
    assert len(slides(lesson)) > 8
    assert "# Teaching 99" in kit.page(lesson, kit.measure(lesson))


def test_the_templates_answer():
    text = (HERE / "template.py").read_text(encoding="utf-8")
    exact = float(probability(World.load("duel"), "action")[0])
    assert f"\nattack = {exact:.2f}\n" in text
