"""The fixed figure: seeing, doing and imagining, Pearl's three rungs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle
from torch import Tensor

from cimg.picture import COLOURS, GREY, Picture, arrow, box, finish, house_style, sentences, sheet
from cimg.scene import HEIGHT, WIDTH, SceneError, Stage
from cimg.scene_figure import digest_of, pixels_of, place
from cimg.scene_words import STYLE, scenes_in_words
from cimg.sprites import POSES

HEADLINE = "How would this image look,\nhad the action been {an}?"
NOTE = "Three questions one may ask.\nOnly the third is about this very picture."
CARD = 292  # pixels, width of a panel
SHARES = (0, 1 / 3, 2 / 3, 1)  # of the way, the points that make a curve straight
SMALL_GRAPHS = (
    "Small graphs: actor → action → {between}reaction ← reactor{behind}; for doing and imagining "
    "what points into the action is cut, for imagining actor and reactor are kept"
)


# Pearl's three rungs: heading, question, notation, caption, what is what in the little graph.
RUNGS = {
    "see": (
        "Seeing",
        "We see {an}: what else\ndo we expect to see?",
        "P(reaction | action = {what})",
        "Many pictures fit what was seen;\nsome are likelier than others.",
        {"action": "given"},
    ),
    "do": (
        "Doing",
        "We make it {an}:\nwhat will happen?",
        "P(reaction | do(action = {what}))",
        "The actor no longer decides:\n{arrows} cut.",
        {"action": "do"},
    ),
    "imagine": (
        "Imagining",
        "How would this picture look,\nhad the action been {an}?",
        "P(reaction_{what} | this picture)",
        "The same fighters, {same} and luck:\nonly what follows may change.",
        {"action": "do", "actor": "kept", "reactor": "kept"},
    ),
}


@house_style
def rungs(
    seeing: Tensor | None = None,
    doing: Tensor | None = None,
    imagining: Tensor | None = None,
    scene: Tensor | None = None,
    action: str = "attack",
    between: str = "",
    behind: str = "",
    digest: bool = True,
    stage: Stage | None = None,
) -> Picture:
    """The fixed figure: seeing, doing and imagining (Pearl 2009), three questions about one scene.

    Args:
        seeing, doing, imagining: one to four scenes each, uint8 [n, 36, 64]: the answers. None: a
            panel still to come.
        scene: the scene that is asked about, uint8 [36, 64], shown above the panels.
        action: the action asked about. digest, stage: as in `scenes`.
        between: what the action reaches the reaction through, if it does: such as "sky" in a world
            where the action turns the sky, and the reactor minds the sky alone.
        behind: what else is a cause of both action and reaction, and isn't drawn, if anything is.

    The alternative text says what is in the scenes, without the style of those seen or done.

    Raises SceneError for what isn't one to four scenes, and for an action that there isn't."""
    if action not in POSES:
        raise SceneError(f"action: expected one of {', '.join(POSES)}, found {action!r}")
    words = {"what": action, "an": f"{'an' if action[0] in 'aeiou' else 'a'} {action}"}
    words |= {"between": between, "behind": behind}
    words["arrows"] = "the arrows into action are" if behind else "the arrow into action is"
    words["same"] = behind or ("hills" if between == "sky" else "sky")
    answers = dict(zip(RUNGS, (seeing, doing, imagining), strict=True))
    answers = {
        key: None if x is None else pixels_of(x, 4, (HEIGHT, WIDTH)) for key, x in answers.items()
    }
    top, gap = 0 if scene is None else 180, 14
    figure, ax = sheet(3 * CARD + 4 * gap, top + 510 + 2 * gap, dpi=144)
    if scene is not None:
        place(ax, pixels_of(scene, 1, (HEIGHT, WIDTH))[0], gap + 18, 2 * gap, 4)
        _text(ax, 318, 76, HEADLINE.format(**words), 40, size=20, weight="bold")
        _text(ax, 318, 146, NOTE, 22, size=12)
    for i, (key, answer) in enumerate(answers.items()):
        _panel(ax, key, gap + i * (CARD + gap), top + gap, answer, words)
    said = _in_words(words, scene, answers, stage)
    alt = sentences([f"{text}: {shown}" if shown else text for text, shown in said])
    compared = sentences([text for text, _ in said])
    if digest:
        there = {"the scene": scene, **answers}
        listed = [f"{digest_of(x)} ({name})" for name, x in there.items() if x is not None]
        compared = f"{alt} Pixels {', '.join(listed)}."
    return finish(figure, alt, compared=compared)


def _in_words(
    words: Mapping, scene: Tensor | None, answers: Mapping, stage: Stage | None
) -> list[tuple[str, str]]:
    """All that the figure says, and with each text what is to be seen in the scenes beside it."""
    said = [(f"Seeing, doing, imagining: three questions about {words['an']}", "")]
    if scene is not None:
        said += [(HEADLINE.format(**words), ""), (NOTE, "")]
        said += [("The scene asked about", scenes_in_words(pixels_of(scene), stage=stage))]
    for key, answer in answers.items():
        heading, question, notation, caption = (text.format(**words) for text in RUNGS[key][:4])
        said += [(f"{heading}: {question} {notation}", ""), (caption, "")]
        if answer is None:
            said += [("Its answer is still to come", "")]
            continue
        style = () if key == "imagine" else STYLE  # that of strangers is of no interest
        shown = scenes_in_words(answer, stage=stage, without=style)
        said += [(f"Its answer: {len(answer)} scene{'s' * (len(answer) > 1)}", shown)]
    between = f"{words['between']} → " if words["between"] else ""
    behind = f", action ← {words['behind']} → reaction" if words["behind"] else ""
    return said + [(SMALL_GRAPHS.format(between=between, behind=behind), "")]


def _panel(ax: Axes, key: str, x: float, y: float, answer: Tensor | None, words: Mapping) -> None:
    """One rung: a card with the question in words, in symbols, as a graph, and its answer."""
    heading, question, notation, caption, kinds = RUNGS[key]
    left, middle = x + 18, x + CARD / 2
    ax.add_patch(Rectangle((x, y), CARD, 510, fc="white", ec="#c9c9d1", lw=1.2))
    ax.add_patch(Rectangle((x, y), CARD, 9, fc=COLOURS[key], ec="none", zorder=2))
    ax.add_patch(Circle((left + 15, y + 38), 13, fc="white", ec=COLOURS[key], lw=3.5))
    _text(ax, left + 15, y + 39, str(list(RUNGS).index(key) + 1), weight="bold", ha="center")
    _text(ax, left + 38, y + 39, heading, size=16, weight="bold")
    _text(ax, left, y + 86, question.format(**words))
    symbols = re.sub("_(\\w+)", r"$_\\mathrm{\1}$", notation.format(**words))  # a subscript
    _text(ax, left, y + 131, symbols)
    _little_graph(ax, left + 60, y + 175, kinds, words)
    if answer is None:
        corner, dashes = (middle - 128, y + 300), (0, (4, 3))
        ax.add_patch(Rectangle(corner, 256, 144, fc="#f7f7f9", ec=GREY, ls=dashes))
        _text(ax, middle, y + 372, "to come", color=GREY, size=13, ha="center")
    elif len(answer) == 1:
        place(ax, answer[0], middle - 128, y + 300, 4)
    else:
        for i, scene in enumerate(answer):
            place(ax, scene, middle - 132 + i % 2 * 136, y + 296 + i // 2 * 80, 2)
    _text(ax, middle, y + 478, caption.format(**words), ha="center")


def _little_graph(ax: Axes, x: float, y: float, kinds: Mapping[str, str], words: Mapping) -> None:
    """Who does what to whom, in four boxes, and in small ones what is between action and reaction,
    and what is behind both; the first has its centre at (x, y), or left of it beside a small one.
    """
    action, between, behind = words["what"], words["between"], words["behind"]
    wide, far = (98, 154) if between or behind else (116, 136)
    above = 116
    x -= (116 - wide) / 2
    if behind:  # all that there is room for
        above, far, x = 104, 160, x - 3
    texts = {"given": "{}\n= {}", "do": "do({}\n= {})", "kept": "{}, kept", "drawn": "{}"}
    for i, name in enumerate(("actor", "reactor", "action", "reaction")):
        at, kind = (x + i % 2 * far, y + i // 2 * 76), kinds.get(name, "drawn")
        box(
            ax,
            at,
            ((above, 30), (wide, 48))[i // 2],
            texts[kind].format(name, action).split("\n"),
            {kind},
        )
    cut = {"cut"} if kinds["action"] == "do" else ()
    arrow(ax, [(x, y + down) for down in (15, 36, 44, 52)], cut)
    arrow(ax, [(x + far, y + down) for down in (15, 27, 40, 52)])
    if behind:
        box(ax, (x + far / 2, y), (44, 30), [behind], {"hidden", kinds.get("actor", "drawn")})
        for side, kind in ((-1, cut), (1, ())):
            start, end = x + far / 2 + side * 10, x + far / 2 + side * (far / 2 - 35)
            path = [(start + share * (end - start), y + 15 + share * 37) for share in SHARES]
            arrow(ax, path, kind)
    stops = [wide / 2, far - wide / 2]
    if between:
        box(ax, (x + far / 2, y + 76), (30, 30), [between], {"drawn"})
        stops = [wide / 2, far / 2 - 15, far / 2 + 15, far - wide / 2]
    for a, b in zip(stops[::2], stops[1::2], strict=True):
        arrow(ax, [(x + a + share * (b - a), y + 76) for share in SHARES])


def _text(ax: Axes, x: float, y: float, text: str, step: int = 20, **how) -> None:
    """Lines of text around the height y, `step` apart whatever letters are in them."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        ax.text(x, y + step * (i - (len(lines) - 1) / 2), line, va="center", **how)
