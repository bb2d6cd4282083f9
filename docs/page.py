"""Markdown and notebooks -> HTML, for slides and reading copy. Nothing is run or fetched."""

import base64
import hashlib
import html
import io
import re
from collections.abc import Callable
from typing import Any

import mistune
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

Keep = Callable[[bytes, str], str]  # a picture's bytes and ending -> where the page finds it
TAG = re.compile(r"<[^>]+>")
ATTRIBUTE = re.compile(r'\b(href|src)="([^"#]*)(#[^"]*)?"')
IMAGE = re.compile(r"<img\b[^>]*>")
FORMATTER = HtmlFormatter(nowrap=True)


def slug(title: str) -> str:
    """A heading's anchor, as GitHub writes it."""
    return re.sub(r"[^\w\- ]", "", html.unescape(TAG.sub("", title)).lower()).replace(" ", "-")


def code(text: str, language: str = "python") -> str:
    """A block of code, coloured; scrolled to with the Tab key where it is wider than the page."""
    try:
        shown = highlight(text.rstrip("\n"), get_lexer_by_name(language), FORMATTER)
    except ClassNotFound:
        shown = html.escape(text)
    return f'<pre class="code" tabindex="0"><code>{shown.rstrip()}</code></pre>\n'


def formula(tex: str) -> str:
    """A formula as a drawing that needs neither fonts nor scripts; its alt text is the TeX."""
    from matplotlib import rc_context
    from matplotlib.mathtext import math_to_image

    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": "cimg", "mathtext.fontset": "cm"}):
        math_to_image(f"${tex.strip()}$", drawn, format="svg")
    svg = re.sub(rb"<metadata>.*?</metadata>", b"", drawn.getvalue(), flags=re.DOTALL)
    return picture("data:image/svg+xml;base64," + base64.b64encode(svg).decode(), tex, "formula")


def picture(address: str, alt: str, kind: str = "") -> str:
    says = html.escape(" ".join(alt.split()))
    return f'<img src="{address}" alt="{says}"' + (f' class="{kind}">' if kind else ">")


class Renderer(mistune.HTMLRenderer):
    """Headings have anchors, code is coloured, wide tables scroll by themselves."""

    def __init__(self) -> None:
        super().__init__(escape=False)
        self.used: dict[str, int] = {}

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        anchor = slug(text)
        self.used[anchor] = again = self.used.get(anchor, -1) + 1
        anchor += f"-{again}" if again else ""
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def block_code(self, code_: str, info: str | None = None) -> str:
        return code(code_, info or "text")

    def block_math(self, text: str) -> str:
        return f'<p class="formula">{formula(text)}</p>\n'

    def inline_math(self, text: str) -> str:
        return formula(text)


def reader() -> Callable[[str], str]:
    """A function from Markdown to HTML; one for each page, so that its anchors differ."""
    read = mistune.create_markdown(renderer=Renderer(), plugins=["table", "math"])

    def to_html(text: str) -> str:
        made = str(read(re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)))
        made = re.sub(r"<t([hd]) style=\"text-align:(\w+)\"", r'<t\1 class="\2"', made)
        return made.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace(
            "</table>", "</table></div>"
        )

    return to_html


def inline(text: str) -> str:
    """Markdown of one paragraph, without its <p>."""
    return re.sub(r"\A<p>|</p>\Z", "", reader()(text).strip())


# --- notebooks ------------------------------------------------------------------------------------


def embedded(png: bytes, ending: str) -> str:
    """A picture inside the page."""
    return f"data:image/{ending};base64," + base64.b64encode(png).decode()


def named(png: bytes, ending: str) -> str:
    """A file name for a picture: the same for the same bytes."""
    return f"{hashlib.sha256(png).hexdigest()[:16]}.{ending}"


def alt_of(found: NotebookNode) -> str:
    """What a picture among the outputs says in words."""
    said = found.metadata.get("image/png", {}).get("alt") or found.data.get("text/plain", "")
    return " ".join(said.split())


def output(found: NotebookNode, keep: Keep) -> str:
    """One output of a cell: a picture with its alt text, a table, or text."""
    data = found.get("data", {})
    if "image/png" in data:
        shown = keep(base64.b64decode(data["image/png"]), "png")
        return f"<figure>{picture(shown, alt_of(found))}</figure>\n"
    if "text/html" in data:
        return f'<div class="output scroll" tabindex="0">{data["text/html"]}</div>\n'
    text = found.get("text") or data.get("text/plain", "")
    return f'<pre class="output" tabindex="0">{html.escape(text.rstrip())}</pre>\n' if text else ""


def notebook(cells: list[NotebookNode], keep: Keep) -> str:
    """All cells with their outputs."""
    made, to_html = [], reader()
    for cell in cells:
        if cell.cell_type == "markdown":
            made.append(to_html(cell.source))
        elif cell.cell_type == "code":
            shown = code(cell.source) + "".join(output(found, keep) for found in cell.outputs)
            kind = "cell exercise" if "exercise" in cell.metadata.get("tags", ()) else "cell"
            made.append(f'<div class="{kind}">\n{shown}</div>\n')
    return "".join(made)


def links(page: str, bend: Callable[[str, str], str]) -> str:
    """The page with each address, and its #anchor, as `bend(address, anchor)` has it."""

    def bent(match: re.Match[str]) -> str:
        attribute, address, anchor = match[1], html.unescape(match[2]), match[3] or ""
        return f'{attribute}="{html.escape(bend(address, anchor))}"'

    return ATTRIBUTE.sub(bent, page)


def alts(page: str) -> list[str]:
    """The alt texts of all pictures, in order; "" for a picture without."""
    found = [re.search(r'\balt="([^"]*)"', tag) for tag in IMAGE.findall(page)]
    return [html.unescape(alt[1]) if alt else "" for alt in found]


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(TAG.sub(" ", page)).split())
