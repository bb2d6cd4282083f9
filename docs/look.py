"""The reading copy in a real browser: nothing broken, nothing fetched from elsewhere.

Chromium is found as in the tests (CIMG_CHROMIUM names another). Every page is opened as a file.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs import ROOT

WAIT = 120_000  # milliseconds; a busy machine is slow

PICTURES = """() => [...document.images]
    .filter((image) => !image.complete || !image.naturalWidth || !image.alt.trim())
    .map((image) => image.getAttribute("src").slice(0, 60))"""
LINKS = """() => [...document.querySelectorAll("a[href]")].map((link) => link.href)"""
CRAMPED = """() => {
    const found = [];
    for (let i = 1; i <= document.querySelectorAll(".slide").length; i++) {
        location.hash = `#${i}`;
        dispatchEvent(new HashChangeEvent("hashchange"));
        const slide = document.querySelector(".slide.now"), body = slide.querySelector(".body");
        const size = parseFloat(getComputedStyle(slide).fontSize);
        if (slide.id !== `s${i}`) found.push(`slide ${i} isn't shown`);
        if (size < innerHeight * 0.0249) found.push(`slide ${i}: letters of ${size} pixels`);
        if (body.scrollHeight > body.clientHeight + 1) found.push(`slide ${i} is too full`);
    }
    return found;
}"""
WIDE = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


@contextmanager
def browser() -> Iterator:
    """A browser without a network: whatever isn't a file is refused."""
    sys.path.append(str(ROOT / "tests"))
    from browser import FLAGS, chromium
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        raise RuntimeError("no chromium was found; CIMG_CHROMIUM names one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=WAIT)
        context = started.new_context(viewport={"width": 1280, "height": 720}, offline=True)
        context.set_default_timeout(WAIT)
        yield context
        started.close()


def look(folder: Path, names: list[str] | None = None) -> list[str]:
    """Open these pages (all by default); returns what is wrong with them."""
    paths = [folder / n for n in names] if names else sorted(folder.rglob("*.html"))
    found: list[str] = []
    with browser() as context:
        tab = context.new_page()
        said: list[str] = []
        tab.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda r: said.append(f"fetches {r.url}") if elsewhere(r.url) else None)
        for path in paths:
            name = path.relative_to(folder).as_posix()
            said.clear()
            tab.goto(path.as_uri(), wait_until="load")
            found += [f"{name}: {text}" for text in said]
            found += [f"{name}: broken picture {src}" for src in tab.evaluate(PICTURES)]
            found += [f"{name}: {text}" for text in broken(tab.evaluate(LINKS))]
            if tab.evaluate(WIDE) > 0:
                found.append(f"{name}: wider than the window")
            if tab.locator(".deck").count():
                found += [f"{name}: {text}" for text in tab.evaluate(CRAMPED)]
    return found


def elsewhere(address: str) -> bool:
    return not address.startswith(("file:", "data:", "blob:"))


def broken(addresses: list[str]) -> list[str]:
    """Links to files that aren't there, or to headings that aren't in them."""
    from urllib.parse import unquote, urlsplit
    from urllib.request import url2pathname

    found = []
    for address in {a for a in addresses if a.startswith("file:")}:
        parts = urlsplit(address)
        path, anchor = Path(url2pathname(parts.path)), unquote(parts.fragment)
        if not path.is_file():
            found.append(f"a link to {path.name}, which isn't there")
        elif (
            anchor
            and path.suffix == ".html"
            and not re.search(rf'\bid="{re.escape(anchor)}"', path.read_text(encoding="utf-8"))
        ):
            found.append(f"a link to #{anchor}, which isn't in {path.name}")
    return found
