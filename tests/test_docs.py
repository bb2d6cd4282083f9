"""The reading copy: complete, with every alt text, sound links, a search, whole in a browser."""

import json
import re
import shutil
from pathlib import PurePosixPath

import nbformat
import pytest
from browser import chromium

import rules
from docs import ROOT, page
from docs.site import INDEX, Site, SiteError, main

COPIES = [*ROOT.glob("notebooks/[0-9]*.ipynb"), *ROOT.glob("notebooks/solutions/[0-9]*.ipynb")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    Site().write(folder)
    return folder


def at(site, path):
    """The page of a notebook."""
    return (site / path.relative_to(ROOT).with_suffix(".html")).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(COPIES), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_notebook_is_there_with_its_text_code_outputs_and_alt_texts(path, site):
    cells, shown = nbformat.read(path, as_version=4).cells, at(site, path)
    alts, said = [], page.words(shown)
    for cell in cells:
        if cell.cell_type == "markdown":
            alts += [alt for image, alt, _ in rules.LINK.findall(cell.source) if image]
            for heading in re.findall(r"^#+ (.+)", cell.source, re.MULTILINE):
                assert page.inline(heading) in shown
        for found in cell.get("outputs", ()):
            data = found.get("data", {})
            if "image/png" in data:
                alts.append(" ".join(found.metadata["image/png"]["alt"].split()))
            elif "text" in found:
                assert " ".join(found["text"].split()) in said
        if cell.cell_type == "code" and cell.source:
            assert "".join(cell.source.split()) in "".join(said.split())
    assert [a for a in page.alts(shown) if not a.startswith(r"P(\text")] == alts and all(alts)


def test_no_page_fetches_anything(site):
    for path in (p for p in site.rglob("*") if p.suffix in (".html", ".css", ".js")):
        text = path.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:img|script|iframe|source)[^>]*src="([^"]*)"', text)
        fetched += re.findall(r'<link[^>]*href="([^"]*)"', text) + re.findall(
            r"url\(([^)]*)\)", text
        )
        assert [a for a in fetched if re.match(r"https?:|//", a)] == [], path.name
        assert "fetch(" not in text and "XMLHttpRequest" not in text


def test_the_search_knows_every_section_and_gives_no_solution_away(site):
    text = (site / INDEX).read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("window.searchIndex = ").removesuffix(";\n"))
    places = {place for place, *_ in entries}
    for path in COPIES:
        name = path.relative_to(ROOT).with_suffix(".html").as_posix()
        known = [place for place in places if place.startswith(f"{name}#")]
        assert bool(known) == (path.parent.name != "solutions")
        shown = (site / name).read_text(encoding="utf-8")
        assert all(f'id="{place.partition("#")[2]}"' in shown for place in known)
    glossary = {heading for place, _, heading, _ in entries if "glossary" in place}
    assert {"abduction", "coupling", "do"} <= glossary


# --- a small course -------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    root = tmp_path / "course"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text(
        "# Front\n\n[a](docs/a.md#A-Part) [own](#front) [licence](LICENSE) [folder](docs)\n"
    )
    (root / "docs" / "README.md").write_text("# Docs\n\n[up](../README.md) ![A dot.](dot.png)\n")
    (root / "docs" / "a.md").write_text(
        "# A\n\n## A part\n\n## A part\n\n`[x](none.md)` <b>b</b>\n"
    )
    (root / "docs" / "dot.png").write_bytes(b"PNG")
    (root / "LICENSE").write_text("free")
    return root


def test_links_are_bent_to_pages_headings_and_files(small, tmp_path):
    Site(small).write(tmp_path / "site")
    front = (tmp_path / "site" / "index.html").read_text()
    for address in ("docs/a.html#a-part", "#front", "LICENSE", "docs/index.html"):
        assert f'href="{address}"' in front
    assert 'src="dot.png" alt="A dot."' in (tmp_path / "site" / "docs" / "index.html").read_text()
    assert (tmp_path / "site" / "docs" / "dot.png").read_bytes() == b"PNG"
    again = (tmp_path / "site" / "docs" / "a.html").read_text()
    assert 'id="a-part"' in again and 'id="a-part-1"' in again and "none.md" in again


@pytest.mark.parametrize(
    "text, message",
    [
        ("[x](none.md)", "docs/a.md: a link to none.md, and there is no such file"),
        ("[x](../README.md#none)", "docs/a.md: there is no heading #none in README.md"),
        ("![x](none.png)", "docs/a.md: a link to none.png, and there is no such file"),
    ],
)
def test_a_link_that_leads_nowhere_stops_the_command(text, message, small, tmp_path):
    with (small / "docs" / "a.md").open("a") as file:
        file.write(f"\n{text}\n")
    with pytest.raises(SiteError, match=re.escape(message)):
        Site(small).write(tmp_path / "site")


def test_a_folder_with_something_else_in_it_is_left_alone(small, tmp_path, capsys, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(SiteError, match="mine holds something that isn't a reading copy"):
        Site(small).write(tmp_path / "mine")
    monkeypatch.setattr("docs.site.Site", lambda: Site(small))
    assert main([str(tmp_path / "mine")]) == 1
    assert "docs: mine holds something" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_second_run_replaces_the_first_and_gives_the_same(small, tmp_path):
    def contents(folder):
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    Site(small).write(tmp_path / "site")
    first = contents(tmp_path / "site")
    (tmp_path / "site" / "old.html").write_text("gone")
    Site(small).write(tmp_path / "site")
    assert contents(tmp_path / "site") == first


def test_equal_pictures_are_one_file(small):
    found = Site(small)
    assert found.keep(b"a", "png") == found.keep(b"a", "png") != found.keep(b"b", "png")
    assert all(place.parent == PurePosixPath("pictures") for place in found.files)


# --- Markdown -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("# A *b* `c`!", '<h1 id="a-b-c">A <em>b</em> <code>c</code>!</h1>'),
        ("| a |\n|---|\n| b |", '<div class="scroll" tabindex="0"><table>'),
        ("<!-- a mark -->\ntext", "<p>text</p>"),
        ("```python\nx = 1\n```", '<pre class="code" tabindex="0"><code>'),
        ("```nonsense\n<x>\n```", "&lt;x&gt;"),
        ("$$P(x)$$", 'alt="P(x)" class="formula"'),
        ("<details><summary>s</summary>\n\n1. **a**\n\n</details>", "<li><strong>a</strong></li>"),
    ],
)
def test_markdown(text, expected):
    assert expected in page.reader()(text)


def test_alt_texts_are_escaped_and_read_back():
    said = 'P(a | b) < "1" & more'
    assert page.alts(page.picture("x.png", said)) == [said]
    assert page.alts("<img src='x.png'>") == [""]


# --- in the browser -------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(chromium() is None, reason="no chromium (see tests/browser.py)")
LOOKED_AT = ["index.html", "docs/index.html", "docs/guide.html", "docs/cheat-sheet.html"]


@needs_browser
def test_nothing_is_broken_in_the_browser(site):
    """All slides, some pages of each other kind; `make docs ARGS=--look` opens all."""
    from docs.look import look

    lessons = sorted(path.stem for path in COPIES if path.parent.name == "notebooks")
    names = [*LOOKED_AT]
    for name in {lessons[0], lessons[-1]}:
        names += [f"notebooks/{name}.html", f"notebooks/solutions/{name}.html"]
        names.append(f"docs/guide/{name}.html")
    names += [path.relative_to(site).as_posix() for path in sorted(site.glob("slides/*.html"))]
    assert look(site, names) == []


@needs_browser
def test_looking_finds_what_is_broken(site, tmp_path):
    from docs.look import look

    shutil.copy(site / "site.css", tmp_path)
    (tmp_path / "bad.html").write_text(
        '<img src="none.png" alt="A golem."><a href="none.html">x</a><a href="#none">y</a>'
        '<div style="width: 5000px">wide</div><script>throw new Error("oh no")</script>'
        '<img src="http://example.org/a.png" alt="far">'
    )
    found = "\n".join(look(tmp_path, ["bad.html"]))
    for said in ("broken picture none.png", "none.html, which isn't there", "#none, which isn't in",
                 "wider than the window", "oh no", "fetches http://example.org"):  # fmt: skip
        assert said in found


@needs_browser
def test_search_slides_and_print_by_keyboard(site, tmp_path):
    from docs.look import browser

    with browser() as context:
        tab = context.new_page()
        tab.goto((site / "index.html").as_uri())
        tab.keyboard.press("/")
        tab.keyboard.type("explaining away")
        tab.wait_for_selector("#found a")
        tab.keyboard.press("ArrowDown")
        assert tab.evaluate("document.activeElement.textContent").startswith("explaining away")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/glossary.html#explaining-away")
        tab.locator("#search").fill("zzzz")
        tab.wait_for_selector("text=Nothing found")
        name = min(path.stem for path in COPIES if path.parent.name == "notebooks")
        tab.goto((site / "slides" / f"{name}.html").as_uri())
        tab.keyboard.press("ArrowRight")
        assert tab.locator(".slide.now").get_attribute("id") == "s2"
        tab.keyboard.press("n")
        assert tab.locator(".slide.now .notes").is_visible()
        tab.keyboard.press("End")
        answer = tab.locator(".slide.now .answer")
        assert answer.evaluate("e => getComputedStyle(e).visibility") == "hidden"
        tab.keyboard.press(" ")
        assert answer.evaluate("e => getComputedStyle(e).visibility") == "visible"
        tab.goto((site / "docs" / "cheat-sheet.html").as_uri())
        sheet = tab.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1  # one sheet of paper
