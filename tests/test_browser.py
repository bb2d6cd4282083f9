"""The explorer in a real browser: notebook 00 and its own one in JupyterLab, and Voilà's page.

Controls are moved by keyboard and mouse, and what is asserted is what is on the page. Left out
where there is no chromium, and with CIMG_CHROMIUM=none (see `browser.py`).
"""

import json
import re
import time
from importlib.util import find_spec
from statistics import median, quantiles

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect, sync_playwright

import cimg
from cimg.explorer import Controls, answer
from tests import browser

pytestmark = pytest.mark.skipif(
    browser.chromium() is None, reason="no chromium here (or CIMG_CHROMIUM=none)"
)
ALLOWED = 100  # ms from a control's change to the new picture, at the 95th percentile
CHANGES = 48
TRIALS, PATIENCE = 5, 90  # no new trial is begun after so many seconds
SPIN, QUIET = 0.02, 0.9  # seconds of counting, and the share of them that a quiet machine gives
COUNTING, SLOW = (
    0.02,
    1.5,
)  # seconds for `count` on the machine of the plan; how much slower it may be
MOVES = [
    ("scene", "next"),
    ("ask about", "this"),
    ("action", "done: attack"),
    ("action", "done: walk"),
    ("reactor_type", "done: type2"),
    ("scene", "next"),
    ("ask about", "any"),
    ("actor_attack", "seen: high"),
    ("action", "seen: taunt"),
    ("reactor_type", "free"),
    ("actor_attack", "free"),
    ("action", "free"),
]
WAIT = 120_000  # ms, for a kernel that starts on a busy machine
expect.set_options(timeout=WAIT)  # which would wait five seconds

# Notes when a control was changed, and when the pictures that follow are decoded and about to be
# painted.
STOPWATCH = """() => {
  window.times = []; let begun = null;
  document.addEventListener('change', event => { begun = event.timeStamp }, true);
  const box = document.querySelector('.cimg-strip').closest('.widget-html');
  new MutationObserver(async () => {
    const start = begun; begun = null;
    if (start === null) return;
    await Promise.allSettled([...box.querySelectorAll('img')].map(image => image.decode()));
    requestAnimationFrame(() => window.times.push(performance.now() - start));
  }).observe(box, {childList: true, subtree: true});
}"""


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        yield program
        program.close()


SPOKEN = """import os
os.environ["CIMG_PICTURES"] = "html"
import torch
from cimg import load, show
from cimg.data import draw
show.scenes(draw(load("duel").world, 1, 7)[0], ["a fight"])"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    spoken = new_notebook(cells=[new_code_cell(SPOKEN)])
    spoken.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(spoken, folder / "spoken.ipynb")
    with browser.jupyterlab(folder) as address:
        yield address


@pytest.fixture(scope="module")
def voila(tmp_path_factory):
    if find_spec("voila") is None:
        pytest.skip("voila isn't installed")
    with browser.voila(tmp_path_factory.mktemp("voila")) as address:
        yield address


def visit(chromium, address: str, width: int = 1400) -> Page:
    """A new page that writes down whom it asked for anything."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(WAIT)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address, wait_until="domcontentloaded")
    return page


def in_lab(chromium, lab: str, notebook: str, width: int = 1400) -> Page:
    page = visit(chromium, lab.format(notebook), width)
    cells = len(json.loads((browser.NOTEBOOKS / notebook).read_text(encoding="utf-8"))["cells"])
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells, timeout=WAIT)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=WAIT)
    return page


def run_all(page: Page) -> None:
    """Run every cell, by the menu, and wait until each has got its number."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".cimg-page svg").wait_for()
    prompts = page.locator(".jp-CodeCell .jp-InputArea-prompt")
    expect(prompts).to_have_text([re.compile(r"\[\d+\]")] * prompts.count(), timeout=WAIT)


@pytest.fixture(scope="module", params=["JupyterLab", "Voilà"])
def explorer(request, chromium):
    """The explorer, started, in one and in the other."""
    if request.param == "JupyterLab":
        page = in_lab(chromium, request.getfixturevalue("lab"), "page/explorer.ipynb")
        run_all(page)
    else:
        page = visit(chromium, request.getfixturevalue("voila"))
        page.locator(".cimg-page svg").wait_for()
    page.evaluate(STOPWATCH)
    yield page
    page.close()


@pytest.fixture
def fresh(explorer):
    """The explorer with everything free, at scene 0."""
    control(explorer, "scene").fill("0")
    control(explorer, "scene").press("Enter")
    button(explorer, "reset").click()
    says(explorer, "Nothing is seen or done")
    expect(explorer.locator(".cimg-fact")).to_contain_text("scene 0, as read")
    return explorer


def control(page, name):
    return page.get_by_label(name, exact=True)


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def says(page, text):
    expect(page.locator(".cimg-page [role=status]")).to_contain_text(text, timeout=WAIT)


def pictures(page) -> list[str]:
    return page.eval_on_selector_all(".cimg-strip img", "all => all.map(image => image.src)")


def choose(page, name, wanted):
    """Choose from a list by keyboard: Space opens it, arrows move in it, Enter takes what is there.
    (JupyterLab takes an arrow for itself where the list isn't open.)"""
    box = control(page, name)
    offered = box.locator("option").all_text_contents()
    offered = [text.replace("\xa0", " ") for text in offered]
    [to] = [i for i, text in enumerate(offered) if text.startswith(wanted)]
    steps = to - box.evaluate("box => box.selectedIndex")
    box.focus()
    page.keyboard.press("Space")
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")
    page.keyboard.press("Enter")
    expect(box).to_have_value(offered[to], timeout=WAIT)


def assert_all_well(page):
    """No error in any output, no widget that never came; every picture with words."""
    for kind in ("error", "stderr"):
        assert page.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').count() == 0
    text = page.locator("body").inner_text()
    for wrong in ("Loading widget", "Error displaying widget", "Traceback"):
        assert wrong not in text
    alts = page.eval_on_selector_all(".cimg-page img", "all => all.map(image => image.alt)")
    assert alts and all(len(alt) > 15 for alt in alts)


# ── Notebook 00 ─────────────────────────────────────────────────────────────────────────────────


def test_notebook_00_from_its_stored_outputs_to_its_explorer(chromium, lab):
    page = in_lab(chromium, lab, "00-start-here.ipynb")
    cell = page.locator(".jp-CodeCell").filter(has_text="Explorer(model)")
    stored = cell.locator(".jp-OutputArea-output img")
    expect(stored).to_be_visible()  # before anything is run: a strip of pictures, no widget
    assert page.locator(".jupyter-widgets").count() == 0
    assert "Loading widget" not in page.locator("body").inner_text()
    run_all(page)
    assert_all_well(page)
    says(page, "Had action been attack")
    before = pictures(page)
    choose(page, "action", "done: taunt")
    says(page, "Had action been taunt")
    assert pictures(page)[0] == before[0] and pictures(page)[1:] != before[1:]
    assert_all_well(page)
    page.close()


def test_a_screen_reader_gets_the_words_of_a_picture(chromium, lab):
    page = visit(chromium, lab.format("spoken.ipynb"))
    page.locator(".jp-CodeCell").click()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=WAIT)
    page.keyboard.press("Control+Enter")
    image = page.locator(".jp-OutputArea-output img")
    said = re.compile(r"^1 scene: a fight\. .*(satyr|golem) type\d")
    expect(image).to_have_attribute("alt", said)
    assert image.evaluate("image => image.naturalWidth") > 300
    page.close()


# ── The explorer, in JupyterLab and as a page ───────────────────────────────────────────────────


def test_every_control_has_a_name_and_takes_the_keyboard(explorer):
    world = cimg.load("duel").world
    sides = {"actor": 1, "reactor": 2}  # what happens comes first, then who they are
    by_side = sorted(world.variables, key=lambda name: sides.get(name.split("_")[0], 0))
    names = ["scene", "ask about", *by_side]
    for name in names:
        expect(control(explorer, name)).to_have_count(1)
    for name in ("see what the scene shows", "draw others", "undo", "reset"):
        expect(button(explorer, name)).to_have_count(1)
    expect(explorer.get_by_role("checkbox", name="show the true pictures")).to_have_count(1)
    control(explorer, "scene").focus()
    reached = []
    for _ in range(len(names) + 12):
        reached.append(explorer.evaluate("document.activeElement.labels?.[0]?.textContent"))
        explorer.keyboard.press("Tab")
    in_order = [name for name in dict.fromkeys(reached) if name in names]
    assert in_order == names  # as one reads


def test_seeing_by_keyboard(fresh):
    before = pictures(fresh)
    choose(fresh, "reaction", "seen: die")
    model = cimg.load("duel")
    shown = answer(model, Controls(seen={"reaction": "die"}))
    says(fresh, shown.sentence)
    expect(fresh.locator(".cimg-title")).to_have_text("1 Seeing: P(… | reaction = die)")
    assert pictures(fresh)[0] == before[0] and pictures(fresh)[1:] != before[1:]
    graph = fresh.locator(".cimg-page svg")  # a widget of its own, that may come a little later
    expect(graph).to_have_attribute("aria-label", re.compile("Seen: reaction = die"))
    said = graph.get_attribute("aria-label")
    satyr = shown.chances["actor_character"][0]
    assert "Seen: reaction = die" in said and f"actor_character: satyr {satyr:.2f}" in said
    assert "cut" not in said
    assert_all_well(fresh)


def test_doing_by_mouse_and_the_truth_a_click_away(fresh):
    control(fresh, "action").select_option("done: attack")
    says(fresh, "Every scene is made to have action = attack: 3 arrows are cut.")
    svg = fresh.locator(".cimg-page svg")
    expect(svg.locator("text", has_text="✂")).to_have_count(3)
    assert "actor_attack → action" in svg.get_attribute("aria-label")
    assert len(pictures(fresh)) == 5
    before = pictures(fresh)
    button(fresh, "draw others").click()
    expect(fresh.locator(".cimg-strip img").nth(1)).not_to_have_attribute("src", before[1])
    fresh.get_by_role("checkbox", name="show the true pictures").click()
    expect(fresh.locator(".cimg-strip img")).to_have_count(9)
    expect(fresh.locator(".cimg-strip")).to_contain_text("the truth: ")
    fresh.get_by_role("checkbox", name="show the true pictures").click()
    expect(fresh.locator(".cimg-strip img")).to_have_count(5)
    button(fresh, "undo").click()
    button(fresh, "undo").click()
    says(fresh, "Nothing is seen or done")
    assert_all_well(fresh)


def test_imagining_the_current_scene(fresh):
    control(fresh, "scene").focus()
    fresh.keyboard.press("ArrowUp")
    choose(fresh, "ask about", "this")
    choose(fresh, "action", "done: attack")
    shown = answer(cimg.load("duel"), Controls(1, done={"action": "attack"}, imagine=True))
    says(fresh, shown.sentence)
    expect(fresh.locator(".cimg-drawn figure")).to_have_count(len(shown.drawn))
    for caption in shown.captions:
        expect(fresh.locator(".cimg-strip")).to_contain_text(caption)
    assert_all_well(fresh)


def test_what_cannot_be_is_said_with_the_way_back(fresh):
    read = answer(cimg.load("duel"), Controls()).read["action"]
    other = next(x for x in ("attack", "taunt", "walk") if x != read)
    choose(fresh, "ask about", "this")
    says(fresh, "The scene as it is")
    choose(fresh, "action", f"seen: {other}")
    says(fresh, f"This can't be: the scene shows action = {read}, so {other} can't be seen in it.")
    assert len(pictures(fresh)) == 1
    button(fresh, "undo").click()
    says(fresh, "The scene as it is")
    choose(fresh, "action", f"seen: {other}")
    says(fresh, "This can't be")
    button(fresh, "reset").press("Enter")
    says(fresh, "Nothing is seen or done")
    assert_all_well(fresh)


def test_the_page_fits_a_narrow_window(explorer):
    wide = explorer.viewport_size
    explorer.set_viewport_size({"width": 700, "height": 900})
    boxes = ".cimg-strip, .widget-dropdown, .widget-button, .cimg-note"
    explorer.wait_for_function(
        """boxes => [...document.querySelectorAll(boxes)].map(box => box.getBoundingClientRect())
        .every(at => at.left >= 0 && at.right <= 700)""",
        arg=boxes,
    )
    assert explorer.locator(boxes).count() >= 20  # there are parts to speak of
    explorer.set_viewport_size(wide)


@pytest.mark.timed
def test_a_change_is_answered_within_a_tenth_of_a_second(fresh, record_property):
    """All kinds of change, by keyboard, on all three rungs; the best of a few trials. A trial in
    which other programs kept the processor busy says nothing of the explorer, unless it is fast."""
    trials, start = [], time.monotonic()
    while len(trials) < TRIALS and (not trials or time.monotonic() < start + PATIENCE):
        times, share = measure(fresh)
        trials.append((quantiles(times, n=20)[-1], median(times), share))
        if trials[-1][0] <= ALLOWED:
            break
    said = "; ".join(
        f"{slow:.0f} ms (median {half:.0f}), with {share:.0%} of a processor to be had"
        for slow, half, share in trials
    )
    said = f"from a change to the new picture, 95th percentile: {said}"
    record_property("latency", said)
    print(said)
    if min(trials)[0] > ALLOWED and max(share for *_, share in trials) < QUIET:
        pytest.skip(f"this machine is too busy to measure it: {said}")
    slower = count() / COUNTING  # than the machine of the plan
    assert min(trials)[0] <= ALLOWED * (slower if slower > SLOW else 1), f"{slower:.1f}: {said}"


def count() -> float:
    """Seconds of the processor for a little work that is always the same, the best of some."""
    taken = []
    for _ in range(9):
        start = time.process_time()
        sum(i * i for i in range(300_000))
        taken.append(time.process_time() - start)
    return min(taken)


def measure(page) -> tuple[list[float], float]:
    """Milliseconds from each of `CHANGES` to the picture that followed it; and how much of one
    processor this test got where it wanted all of it, between the changes."""
    page.evaluate("window.times.length = 0")
    wanted, got = 0.0, 0.0
    for i in range(CHANGES):
        name, to = MOVES[i % len(MOVES)]
        if to == "next":
            control(page, name).focus()
            page.keyboard.press("ArrowUp")
        else:
            choose(page, name, to)
        page.wait_for_function(f"window.times.length > {i}")
        start, spent = time.perf_counter(), time.thread_time()
        while time.thread_time() - spent < SPIN:
            pass
        wanted, got = wanted + time.perf_counter() - start, got + time.thread_time() - spent
    return page.evaluate("window.times"), got / wanted


def test_nothing_was_fetched_from_elsewhere(explorer):
    outside = [
        url for url in explorer.asked if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)
    ]
    assert outside == []
