"""Every exercise and quiz: right in any form, each likely mistake met by its own hint, never a
traceback. The answers are in `exercises_answers.py`."""

import json
import random
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from exercises_answers import CASES, OPEN
from hypothesis import given, settings
from hypothesis import strategies as st

import build
import lesson
from cimg.answers import JUDGES, Unclear, choice, describe, fields, numbers
from cimg.check import HINTS, QUIZZES, SAID, Check, check, read_judges

FOLDER = Path(build.HERE)
SOURCES = {path.stem[:2]: path for path in sorted((FOLDER / "source").glob("*.py"))}
TEXTS = json.loads(HINTS.read_text(encoding="utf-8"))
QUIZ = json.loads(QUIZZES.read_text(encoding="utf-8"))
NUMBERS = sorted(read_judges())
WRONG = [
    pytest.param(number, mistake, answers, id=f"{number} {mistake}")
    for number, case in CASES.items()
    for mistake, answers in case.wrong
]


def fits(hint: str, text: str) -> bool:
    """Whether a text is this hint with its braces filled."""
    pattern = re.sub(r"\\{.*?\\}", ".*", re.escape(hint))
    return re.fullmatch(pattern, text, re.DOTALL) is not None


# --- the exercises --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_right_answers_in_every_form(number):
    assert len(CASES[number].right) >= 2
    for answers in CASES[number].right:
        verdict = Check().look(number, *answers)
        assert verdict.state == "right", verdict
        assert verdict.lines == (TEXTS[number]["right"],)


@pytest.mark.parametrize("number, mistake, answers", WRONG)
def test_each_mistake_gets_its_own_hint(number, mistake, answers):
    verdict = Check().look(number, *answers)
    assert verdict.state == "wrong", verdict
    assert fits(TEXTS[number][mistake], verdict.lines[0]), verdict


@pytest.mark.parametrize("number", NUMBERS)
def test_no_two_mistakes_get_the_same_text(number):
    tried = [*(answers for _, answers in CASES[number].wrong), *CASES[number].unclear]
    texts = [Check().look(number, *answers).lines for answers in tried]
    assert len(set(texts[: len(CASES[number].wrong)])) == len(CASES[number].wrong)
    assert len(set(texts)) >= 3


@pytest.mark.parametrize("number", NUMBERS)
def test_every_hint_is_reached(number):
    met = {mistake for mistake, _ in CASES[number].wrong} | {"right", "second"}
    if number in OPEN or number == "01.4":  # the course's slime is not typed in again here
        met |= {"unchanged"} & set(TEXTS[number])
    assert met == set(TEXTS[number])


@pytest.mark.parametrize("number", NUMBERS)
def test_what_cannot_be_read_is_said_in_a_line(number):
    for answers in CASES[number].unclear:
        verdict = Check().look(number, *answers)
        stopped = " stopped with " in verdict.lines[0]  # a try as good as any other
        assert verdict.state == ("wrong" if stopped else "unclear"), verdict
        assert len(verdict.lines) == 1 and 10 < len(verdict.lines[0]) < 250, verdict


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stub_is_not_done_yet_and_no_try(number):
    checked, expected = Check(), len(CASES[number].right[0])
    for empty in (..., None):
        assert checked.look(number, *[empty] * expected).state == "open"
    if number in OPEN:
        assert checked.look(number, *OPEN[number]).state == "open"
    assert checked.tries == {}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_hint_gives_the_answer_away(number):
    secret = CASES[number].secret
    for name, text in TEXTS[number].items():
        assert name == "right" or not re.search(secret, text), text


def test_there_are_texts_for_every_judge_and_cases_for_every_text():
    assert NUMBERS == sorted(TEXTS) == sorted(CASES)
    for number, texts in TEXTS.items():
        for name, text in texts.items():
            assert name not in ("right", "second") or "{" not in text  # nothing fills these
            assert text == text.strip() and text[-1] in ".?)" or name == "unchanged", (number, name)


def test_a_stronger_hint_then_the_worked_copy():
    checked, (mistake, answers) = Check(), CASES["05.3"].wrong[0]
    first, second, third = (checked.look("05.3", *answers) for _ in range(3))
    assert first.lines == (TEXTS["05.3"][mistake],) and not first.link
    assert second.lines == (*first.lines, f"Second hint: {TEXTS['05.3']['second']}")
    assert third.lines == second.lines and (FOLDER / third.link).exists()
    assert (
        "05-doing" in third.link and third.link in repr(third) and third.link in third._repr_html_()
    )
    other = checked.look("04.4", *CASES["04.4"].wrong[0][1])
    assert len(other.lines) == 1  # each exercise is counted by itself
    checked.look("05.3", "no weights")  # nor does it count what couldn't be read
    assert checked.tries["05.3"] == 3
    assert checked.look("05.3", *CASES["05.3"].right[0]).state == "right"
    assert checked.look("05.3", *answers).lines == first.lines  # after that it begins anew


# --- whatever is handed in ------------------------------------------------------------------------


class Broken:
    """An object that breaks whenever it is looked at."""

    def _no(self, *arguments):
        raise RuntimeError("don't")

    __len__ = __iter__ = __getitem__ = __eq__ = __bool__ = __float__ = __int__ = _no
    __str__ = __repr__ = __format__ = __array__ = __getattr__ = __call__ = __contains__ = _no
    __hash__ = object.__hash__


def raising(error):
    def function(*arguments):
        raise error

    return function


LEAVES = st.one_of(
    st.none(),
    st.just(...),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.sampled_from(["a", "b", "taunt", "doing", "nan", "inf", "1e999", "yes", "time", "sky"]),
    st.builds(torch.zeros, st.lists(st.integers(0, 6), max_size=3)),
    st.builds(np.full, st.lists(st.integers(0, 6), max_size=2), st.floats()),
    st.sampled_from([np.array(["a"]), np.array([None, 1]), torch.tensor(float("nan"))]),
    st.sampled_from([torch.zeros(2, dtype=torch.complex64), torch.zeros(4).to_sparse()]),
    st.sampled_from([raising(KeyError("x")), raising(SystemExit(3)), raising(RecursionError())]),
    st.sampled_from([lambda *x: None, lambda *x: x, lambda: 3, print, int, Broken, type]),
    st.builds(lambda x: lambda *arguments: x, st.floats() | st.text(max_size=3)),
    st.builds(Broken),
    st.builds(object),
)
KEYS = st.sampled_from(["a", "b", "c", "d", "sky", "doing", "gumbel", "action", "reaction"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS | st.integers(), inner, max_size=5)
        | st.tuples(inner, inner)
        | st.builds(lambda x: lambda *arguments: x, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("number", [n for n in NUMBERS if n != "07.2"])
def test_nothing_raises(number, data):
    count = len(CASES[number].right[0])
    answers = data.draw(st.lists(ANYTHING, min_size=count, max_size=count))
    verdict = Check().look(number, *answers)
    assert verdict.state in SAID and len(repr(verdict)) < 2000 and verdict._repr_html_()


def test_nothing_raises_where_a_check_takes_longer():
    for value in (
        Broken(),
        raising(ValueError("no")),
        raising(SystemExit()),
        "sum",
        lambda d, c: c,
    ):
        assert Check().look("07.2", value).state in ("unclear", "wrong")


def test_options_are_recognised_with_and_without_underscores():
    options = {"actor_craft": ("the craft_of it",), "sky": ()}
    for said in ("actor_craft", "Actor craft", " actor_craft. ", "the craft of it"):
        assert choice(said, options) == "actor_craft"
    with pytest.raises(Unclear, match="expected one of 'actor_craft'"):
        choice("actor", options)


@pytest.mark.parametrize("found", [torch.ones(1) * 1j, np.array([1j]), [1 + 1j], 2j])
def test_complex_numbers_are_refused(found):
    with pytest.raises(Unclear, match="expected one number"):
        numbers(found)


@pytest.mark.parametrize(
    "found",
    [torch.tensor(0.5, requires_grad=True), torch.tensor([0.5], dtype=torch.bfloat16),
     torch.nn.Parameter(torch.tensor(0.5)), np.float32(0.5), "0.5"],
)  # fmt: skip
def test_a_number_may_come_in_any_clothes(found):
    assert numbers(found).item() == 0.5


def test_an_answer_that_claims_to_be_huge_is_not_made_so():
    huge = torch.zeros(1).expand(10**12)
    for read in (numbers, lambda x: fields(x, ["a", "b"]), lambda x: choice(x, ["a", "b"])):
        with pytest.raises(Unclear, match=r"a Tensor of shape \[1000000000000\]"):
            read(huge)
    assert describe(10**5000) == "of thousands of digits"


@settings(max_examples=100, deadline=None)
@given(number=ANYTHING, answers=st.lists(ANYTHING, max_size=4))
def test_nothing_raises_whatever_is_asked(number, answers):
    for verdict in (Check().look(number, *answers), Check().look_at_quiz(number, *answers)):
        assert verdict.state == "unclear" and repr(verdict) and verdict._repr_html_()


@settings(max_examples=100, deadline=None)
@given(letters=st.lists(ANYTHING, min_size=3, max_size=3))
def test_nothing_raises_in_a_quiz(letters):
    verdict = Check().look_at_quiz("05", *letters)
    assert verdict.state in SAID and repr(verdict)


def test_calls_that_ask_for_nothing_in_particular(capsys):
    check()
    check("05.9", 3)
    check("5.2", 3)
    check("05.2")
    check("05.2", 1, 2)
    check("05.2", total=..., more=None)
    check.quiz()
    check.quiz("13", "a", "b", "c")
    check.quiz("05", "a")
    said = capsys.readouterr().out.strip().splitlines()
    assert "say which one" in said[0] and "05.1, 05.2, 05.3, 05.4" in said[1]
    assert all("expected 1" in said[i] for i in (3, 4, 5)) and "say which one" in said[6]
    assert "expected 3 letters, found 1" in said[8]


def test_a_function_that_stops_is_named_with_its_error():
    def sun_of(picture):
        return {}["sun"]

    verdict = Check().look("01.3", sun_of)
    assert verdict.lines == ("sun_of stopped with KeyError: 'sun'.",) and verdict.state == "wrong"


def test_a_function_that_stops_is_a_try():
    checked = Check()
    verdicts = [checked.look("11.3", raising(ValueError("no"))) for _ in range(3)]
    assert ["Second hint" in repr(v) for v in verdicts] == [False, True, True]
    assert verdicts[2].link.startswith("solutions/")


def test_a_check_leaves_nothing_behind(capsys):
    """No print of the learner's function, no warning, no random number drawn."""

    def noisy(picture):
        print("looking")
        torch.rand(1)
        return torch.tensor([1]).to(torch.int8)

    torch.manual_seed(3)
    before, other = torch.get_rng_state(), random.getstate()
    Check().look("01.3", noisy)
    assert torch.equal(before, torch.get_rng_state()) and other == random.getstate()
    assert capsys.readouterr() == ("", "")
    assert Check().look("03.3", *CASES["03.3"].right[0]).state == "right"
    assert torch.equal(before, torch.get_rng_state())


def test_a_verdict_says_the_same_as_text_and_as_html():
    for number, case in CASES.items():
        verdict = Check().look(number, *case.right[0])
        text = re.sub("<[^>]*>", "", verdict._repr_html_())
        assert "<" not in repr(verdict) and len(text) > len(number)
        assert repr(verdict).startswith(f"✓ {number} Right.")


# --- the quizzes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", sorted(QUIZ))
def test_a_quiz_answered_rightly_and_wrongly(notebook):
    questions, checked = QUIZ[notebook]["questions"], Check()
    right = [question["answer"] for question in questions]
    verdict = checked.look_at_quiz(notebook, *right)
    assert verdict.state == "right"
    for question, line in zip(questions, verdict.lines[1:], strict=True):
        assert question["why"] in line
    assert checked.look_at_quiz(notebook, *map(str.upper, right)).state == "right"
    texts = []
    for i, question in enumerate(questions):
        for letter in question["letters"].replace(question["answer"], ""):
            said = Check().look_at_quiz(notebook, *[*right[:i], letter, *right[i + 1 :]])
            assert said.state == "wrong" and question["why"] not in said.lines[i + 1]
            texts.append(said.lines[i + 1])
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("notebook", sorted(SOURCES))
def test_there_is_a_hint_for_every_wrong_letter(notebook):
    for question in QUIZ[notebook]["questions"]:
        assert set(question["hints"]) == set(question["letters"]) - {question["answer"]}
        for hint in question["hints"].values():
            assert question["why"] not in hint


def test_an_unfinished_quiz():
    assert Check().look_at_quiz("05", ..., ..., ...).state == "open"
    partly = Check().look_at_quiz("05", "b", ..., None)
    assert partly.state == "open" and partly.lines[2].endswith("still open")
    odd = Check().look_at_quiz("05", "b", "z", "b")
    assert odd.state == "unclear" and "'a', 'b', 'c'" in odd.lines[2]


def test_a_quiz_too_brings_a_second_hint_and_the_worked_copy():
    checked = Check()
    verdicts = [checked.look_at_quiz("05", "a", "a", "a") for _ in range(3)]
    assert ["Second hint" in repr(v) for v in verdicts] == [False, True, True]
    assert [bool(v.link) for v in verdicts] == [False, False, True]


# --- the notebooks --------------------------------------------------------------------------------


def code_of(notebook: str, copy: str) -> list[str]:
    about = lesson.read_lesson(SOURCES[notebook])
    cells = [cell for cell in about.cells if cell.cell_type == "code"]
    return [lesson.fill(cell.source, copy, about.name) for cell in cells]


@pytest.mark.parametrize("notebook", sorted(SOURCES))
def test_every_exercise_of_a_notebook_has_its_check(notebook):
    """Two to four, numbered in order, each with its heading; and no check without exercise."""
    text = SOURCES[notebook].read_text(encoding="utf-8")
    headings = re.findall(r"^# ### Exercise (\d)", text, flags=re.MULTILINE)
    asked = re.findall(r'^check\("(.*?)"', "\n".join(code_of(notebook, "learner")), re.MULTILINE)
    assert asked == [f"{notebook}.{k}" for k in headings]
    assert headings == [str(k + 1) for k in range(len(headings))] and 2 <= len(headings) <= 4
    assert asked == [number for number in NUMBERS if number[:2] == notebook]


def test_no_judge_is_without_a_notebook():
    template = (FOLDER / "template" / "my-world.ipynb").read_text(encoding="utf-8")
    for number in JUDGES:
        assert number[:2] in SOURCES or f'check(\\"{number}\\"' in template
    assert set(SOURCES) == set(QUIZ)


@pytest.mark.parametrize("notebook", sorted(SOURCES))
@pytest.mark.parametrize("copy, state", [("learner", "open"), ("worked", "right")])
def test_what_the_copies_show(notebook, copy, state):
    """The learner's says of every exercise and of the quiz: not done yet; the worked one: right."""
    path = build.path_of(SOURCES[notebook].stem, copy)
    shown = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            text = output.get("data", {}).get("text/plain", "")
            shown += re.findall(rf"^(. {notebook}[. ]\w+ \w+)", text)
    count = len([number for number in NUMBERS if number[:2] == notebook])
    assert len(shown) == count + 1
    mark, word = {"open": ("○", "Not"), "right": ("✓", "Right")}[state]
    assert all(text[0] == mark and text.endswith(word) for text in shown), shown


@pytest.mark.parametrize("notebook", sorted(SOURCES))
def test_the_pairs_in_the_text_are_those_of_the_check(notebook):
    """Where a check knows what the text asks, the two are held together."""
    text = SOURCES[notebook].read_text(encoding="utf-8")
    if notebook == "02":
        from cimg.exercises_world import PAIRS

        listed = re.findall(r"^# (\d)\. (\w+), (\w+) \((\w*)\)$", text, re.MULTILINE)
        assert {k: (x, y, (z,) if z else ()) for k, x, y, z in listed} == PAIRS
    if notebook == "03":
        from cimg.exercises_world import ROWS

        assert all(f"{rows:,}" in text for rows in ROWS)
    if notebook == "05":
        assert "arena.sample(20_000, seed=5)" in text
    if notebook == "07":
        assert "draw(duel, 500, seed=200_000)" in text
