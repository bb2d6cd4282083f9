"""Notebook 07's own training with three seeds: python notebooks/seeds.py

What the notebook compares, it trains once. Here its code, as it stands in the worked copy, runs up
to the comparison, and then again with other seeds. The shares of right pixels are kept in
`cimg/results/pixels.json`, with a digest of the code that they come from.
"""

import hashlib
import json
import sys
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from build import HERE, execute
from cimg.study import FOLDER, interval, write_results
from lesson import KERNELSPEC, fill, read_lesson

SOURCE = HERE / "source" / "07-a-vae-for-scenes.py"
RESULTS = FOLDER / "pixels.json"
LAST = "right = 100 *"  # in the cell that compares; all before it is what is measured
AGAIN = """
import json
found = {kind: [] for kind in start}
for seed in (0, 1, 2):
    for kind, settings in start.items():
        model = train(kind, *settings, seed)[0]
        right = (snapped(kind, model.decode(model.encode(test)[0])) == test).double().mean()
        found[kind].append(round(100 * right.item(), 2))
print(json.dumps(found))
"""


def code(source: Path = SOURCE) -> list[str]:
    """The notebook's code cells, as in the worked copy, before the one that compares.

    Raises:
        ValueError: there is no such cell.
    """
    lesson = read_lesson(source)
    cells = [cell.source for cell in lesson.cells if cell.cell_type == "code"]
    last = next((i for i, cell in enumerate(cells) if LAST in cell), None)
    if last is None:
        raise ValueError(f"{source.name}: no cell has {LAST!r}, before which training is done")
    return [fill(cell, "worked", lesson.name) for cell in cells[:last]]


def digest(cells: list[str]) -> str:
    """Of the code that is measured."""
    return hashlib.sha256("\n".join(cells).encode()).hexdigest()[:16]


def measure(cells: list[str], again: str = AGAIN) -> dict[str, list[float]]:
    """Run the cells in a fresh kernel, then train with each seed: % of right pixels, by kind."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in (*cells, again)])
    notebook.metadata["kernelspec"] = dict(KERNELSPEC)
    execute(notebook, HERE, SOURCE.stem, timeout=1800)
    return json.loads(notebook.cells[-1].outputs[0].text)


def main() -> int:
    cells = code()
    found = measure(cells)
    write_results(RESULTS, {"code": digest(cells), "right": found})
    for kind, values in found.items():
        middle, half = interval(values)
        print(f"{kind}: {middle:.1f} ± {half:.1f} % of the pixels right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
