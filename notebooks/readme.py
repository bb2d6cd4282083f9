"""Bring the README up to date: its picture, and its table of notebooks.

python notebooks/readme.py            # `make notebooks` runs it last
python notebooks/readme.py --check    # change nothing, say what is out of date
"""

import sys

from build import HERE, ROOT, read_lessons, read_notebook, write_atomically
from cimg.files import put_between, write_file
from lesson import Lesson

README = ROOT / "README.md"
COVER = HERE / "cover.png"
START, END = "<!-- notebooks: written by notebooks/readme.py -->", "<!-- end of notebooks -->"


def table(lessons: list[Lesson]) -> str:
    """The table of notebooks, with the minutes that each one states."""
    rows = ["| # | notebook | the question | minutes |", "|---|---|---|---|"]
    for lesson in lessons:
        notebook = read_notebook(HERE / f"{lesson.name}.ipynb")
        minutes = sum(notebook["metadata"]["cimg"]["minutes"].values()) if notebook else "–"
        number, about = lesson.name[:2], lesson.about
        link = f"[{about['title']}](notebooks/{lesson.name}.ipynb)"
        rows.append(f"| {number} | {link} | {about['question']} | {minutes} |")
    return "\n".join(rows)


def cover() -> bytes:
    """The README's picture: seeing, doing and imagining on one scene, by the shipped model."""
    import torch

    import cimg
    from cimg import show
    from cimg.imagine import do, imagine, see
    from cimg.scene import stage

    names = {
        "actor_character": "satyr",
        "actor_type": "type2",
        "action": "taunt",
        "reactor_character": "golem",
        "reactor_type": "type1",
        "reaction": "hurt",
        "sky": "dusk",
        "sun": "2",
        "hills": "round",
        "actor_distance": "1",
        "reactor_distance": "1",
    }
    drawn = stage().variables
    scene = cimg.render({k: torch.tensor([drawn[k].index(v)]) for k, v in names.items()})[0]
    model, attack = cimg.load("duel"), {"action": "attack"}
    seeing, doing = see(model, attack, 4, seed=3).scenes, do(model, attack, 4, seed=4).scenes
    return show.rungs(
        seeing, doing, imagine(model, scene, attack, 1, seed=1).scenes, scene, digest=False
    ).png


def main(arguments: list[str]) -> int:
    """Write what has changed, or with --check only say so (exit code 1)."""
    text = README.read_text(encoding="utf-8")
    new = put_between(text, START, END, table(read_lessons(HERE / "source")))
    if "--check" in arguments:
        if new != text:
            print("README.md: the table of notebooks is out of date: make notebooks")
        return int(new != text)
    if write_atomically(README, new):
        print("README.md: table of notebooks written")
    write_file(COVER, cover())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
