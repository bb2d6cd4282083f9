"""The reading copy: python -m docs.site [FOLDER] [--look]     (`make docs`: build/site)

The whole course as pages: notebooks and worked copies with their stored outputs, every document,
the slides, and a search. Needs no network and no server, when it is made or when it is read. With
--look each page is opened in a browser as well, to see whether anything is broken.
"""

import html
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import nbformat

from build import write_atomically
from docs import HERE, ROOT, page, slides
from docs.sources import NotesError, taught

DOCUMENTS = ("*.md", "docs/**/*.md", "sprites/*.md", "notebooks/source/*.md", "workshop/*.md")
TEMPLATE = PurePosixPath("notebooks/template/my-world.ipynb")  # for a world of the learner's own
NOTEBOOKS = ("notebooks/[0-9]*.ipynb", "notebooks/solutions/[0-9]*.ipynb", str(TEMPLATE))
INDEX = "search-index.js"
NAV = {  # in the order of the page's side; what isn't there is left out
    "Look up": ["docs/cheat-sheet.md", "docs/glossary.md", "docs/limits.md"],
    "Teach": ["docs/guide.md"],
    "Take part": [
        "docs/authors.md",
        "notebooks/source/README.md",
        "sprites/README.md",
        "workshop/README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ],
}
HEADING = re.compile(r'<h([1-3]) id="([^"]*)">(.*?)</h\1>', re.DOTALL)


class SiteError(ValueError):
    """A page that can't be made: names the page, and the link that leads nowhere."""


@dataclass
class Page:
    """A document of the course: where it stands, where it goes, what it says."""

    source: PurePosixPath  # in the course's folder
    title: str
    body: str  # HTML, its links as in the source

    @property
    def place(self) -> PurePosixPath:
        """In the site: the same place, as HTML; a README is its folder's index."""
        if self.source.name == "README.md":
            return self.source.with_name("index.html")
        return self.source.with_suffix(".html")

    @property
    def anchors(self) -> set[str]:
        return {anchor for _, anchor, _ in HEADING.findall(self.body)} | set(
            re.findall(r' id="([^"]*)"', self.body)
        )


class Site:
    """All pages, and the pictures and files that they show or link to."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root, self.files = root, {}
        self.pages: dict[PurePosixPath, Page] = {}
        for pattern in (*DOCUMENTS, *NOTEBOOKS):
            for path in sorted(root.glob(pattern)):
                found = self.read(path)
                self.pages[found.source] = found

    def read(self, path: Path) -> Page:
        """A Markdown document or a notebook."""
        source = PurePosixPath(path.relative_to(self.root).as_posix())
        if path.suffix == ".ipynb":
            body = page.notebook(nbformat.read(path, as_version=4).cells, self.keep)
        else:
            body = page.reader()(path.read_text(encoding="utf-8"))
        title = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
        return Page(source, page.words(title[1]) if title else source.name, body)

    def keep(self, picture: bytes, ending: str) -> str:
        """A notebook's picture becomes a file; equal ones become one."""
        name = page.named(picture, ending)
        self.files[PurePosixPath("pictures", name)] = picture
        return f"pictures:{name}"

    def bend(self, here: Page, address: str, anchor: str) -> str:
        """Where a link of the source leads in the site; raises SiteError if nowhere."""
        if address.startswith("pictures:"):
            return relative(PurePosixPath("pictures", address.removeprefix("pictures:")), here)
        if re.match(r"[a-z]+:", address):
            return address + anchor
        target = here.source
        if address:
            path = os.path.normpath(here.source.parent / unquote(address))
            target = PurePosixPath(Path(path).as_posix())
        if (self.root / target).is_dir() and target / "README.md" in self.pages:
            target = target / "README.md"
        if target in self.pages:
            there = self.pages[target]
            anchor = f"#{page.slug(unquote(anchor[1:]))}" if anchor else ""
            if anchor and anchor[1:] not in there.anchors:
                raise SiteError(f"{here.source}: there is no heading {anchor} in {target}")
            return (relative(there.place, here) if there is not here else "") + anchor or "#"
        if not (self.root / target).is_file():
            raise SiteError(f"{here.source}: a link to {address}, and there is no such file")
        self.files[target] = (self.root / target).read_bytes()
        return relative(target, here)

    def write(self, folder: Path) -> int:
        """All of it; returns the number of pages."""
        clear(folder)
        for here in self.pages.values():
            inner = page.links(here.body, lambda a, b, here=here: self.bend(here, a, b))
            write_atomically(folder / here.place, self.page(here, inner))
        slides.build(folder / "slides", taught(self.root))
        for name in ("site.css", "site.js"):
            self.files[PurePosixPath(name)] = (HERE / "assets" / name).read_bytes()
        self.files[PurePosixPath("code.css")] = page.FORMATTER.get_style_defs(".code").encode()
        for place, data in self.files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(data)
        entries = json.dumps(self.index(), ensure_ascii=False, separators=(",", ":"))
        write_atomically(folder / INDEX, f"window.searchIndex = {entries};\n")
        return len(self.pages)

    def index(self) -> list[list[str]]:
        """For the search: address, page, heading and text of every section. Not of worked copies:
        they say the same again, and give the answers away."""
        found = []
        for here in self.pages.values():
            if here.source.parent.name == "solutions":
                continue
            parts = HEADING.split(page.IMAGE.sub(said, here.body))
            for anchor, title, text in zip(parts[2::4], parts[3::4], parts[4::4], strict=True):
                place = f"{here.place}#{anchor}"
                found.append([place, here.title, page.words(title), page.words(text)])
        return found

    def page(self, here: Page, inner: str) -> str:
        """A whole page: search, side, text."""
        up = relative(PurePosixPath("."), here)
        head = "".join(
            f'<link rel="stylesheet" href="{up}/{name}">\n' for name in ("site.css", "code.css")
        )
        kind = here.source.stem
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{html.escape(here.title)} · cimg</title>\n<link rel="icon" href="data:,">\n'
            f'{head}</head>\n<body class="{kind}" data-up="{up}">\n'
            '<a class="skip" href="#text">To the text</a>\n'
            f'<header><a class="home" href="{up}/index.html">cimg</a>\n'
            '<div class="search" role="search"><label for="search">Search</label>'
            '<input id="search" type="search" autocomplete="off" spellcheck="false" '
            'placeholder="a word, or several ( / )" aria-controls="found">'
            '<div id="found" aria-live="polite" hidden></div></div></header>\n'
            f'<div class="columns">\n<nav aria-label="Contents">\n{self.side(here)}</nav>\n'
            f'<main id="text">\n{inner}</main>\n</div>\n'
            f'<script src="{up}/site.js" defer></script>\n</body>\n</html>\n'
        )

    def side(self, here: Page) -> str:
        """Links to every page but the worked copies and the guide's; here with its sections."""
        course = [s for s in self.pages if s.match("notebooks/*.ipynb") and len(s.parts) == 2]
        others = {k: map(PurePosixPath, v) for k, v in NAV.items()}
        groups = {"The course": [*course, TEMPLATE], **others}
        made = []
        for title, sources in groups.items():
            items = [self.entry(self.pages[s], here) for s in sources if s in self.pages]
            if title == "Teach":
                address = relative(PurePosixPath("slides/index.html"), here)
                items.append(f'<li><a href="{address}">Slides</a></li>\n')
            made.append(f"<h2>{title}</h2>\n<ul>\n{''.join(items)}</ul>\n")
        return "".join(made)

    def entry(self, there: Page, here: Page) -> str:
        """A line of the side."""
        if there is not here:
            address = relative(there.place, here)
            return f'<li><a href="{address}">{html.escape(there.title)}</a></li>\n'
        inner = "".join(
            f'<li><a href="#{anchor}">{html.escape(page.words(text))}</a></li>\n'
            for level, anchor, text in HEADING.findall(here.body)
            if level == "2"
        )
        title = f'<a href="#text" aria-current="page">{html.escape(here.title)}</a>'
        return f"<li>{title}\n<ul>\n{inner}</ul></li>\n" if inner else f"<li>{title}</li>\n"


def said(image: re.Match[str]) -> str:
    """What a picture says to a reader who can't see it."""
    return f" {html.escape(page.alts(image[0])[0])} "


def relative(place: PurePosixPath, here: Page) -> str:
    return Path(os.path.relpath(place, here.place.parent)).as_posix()


def clear(folder: Path) -> None:
    """Remove an older copy; raises SiteError if something else is there."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / INDEX).exists():
            raise SiteError(f"{folder.name} holds something that isn't a reading copy")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / INDEX, "")  # the mark by which the next run knows it


def main(arguments: list[str]) -> int:
    named = [a for a in arguments if not a.startswith("-")]
    folder = Path(named[0]) if named else ROOT / "build" / "site"
    try:
        count = Site().write(folder)
    except (SiteError, NotesError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = error.filename or folder
        print(f"docs: {place}: can't be written: {error.strerror}", file=sys.stderr)
        return 1
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    print(f"{count} pages: open {shown / 'index.html'} in a browser")
    if "--look" not in arguments:
        return 0
    from docs.look import look

    findings = look(folder)
    print("\n".join(findings) or "nothing broken in the browser")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
