"""The reliability diagram: how often readers are right, over how sure they were."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cimg.calibration import Reliability
from cimg.picture import GREY, INK, Picture, finish, house_style, titled
from cimg.plots import DASHES, LINES

MARKERS = "osD^v"


@house_style
def reliability_diagram(
    series: Mapping[str, Reliability], title: str = "", least: int = 20
) -> Picture:
    """Share right over mean confidence for up to five readers, bin by bin, beside the diagonal of
    honest doubt: below it a reader is too sure. Bins with fewer than `least` answers are left out;
    the larger a mark, the more answers; bars are two standard errors of honest doubt. The numbers
    are in the alternative text alone: they come from networks.

    Raises:
        ValueError: no readers, or more than five.
    """
    if not 1 <= len(series) <= len(LINES):
        raise ValueError(f"expected 1 to {len(LINES)} readers, found {len(series)}")
    figure = Figure((7.2, 4.4), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title or None, x=0.02, ha="left", size=13, weight="bold")
    ax = figure.add_subplot(xlabel="confidence", ylabel="share right", aspect="equal")
    ax.plot([0, 1], [0, 1], color=GREY, lw=1.2, ls=(0, (2, 2)), label="honest doubt")
    shown = []
    for k, (name, found) in enumerate(series.items()):
        kept = (found.count >= least).numpy()
        x, y = found.confidence.numpy()[kept], found.right.numpy()[kept]
        n = found.count.numpy()[kept]
        size = 14 + 110 * np.sqrt(n / int(found.count.sum()))
        spread = 2 * np.sqrt((x * (1 - x)).clip(0) / n)
        ax.errorbar(x, y, spread, fmt="none", ecolor=LINES[k], elinewidth=1, alpha=0.6)
        ax.plot(x, y, color=LINES[k], ls=DASHES[k], lw=1.8)
        ax.scatter(x, y, size, LINES[k], marker=MARKERS[k], label=name, ec=INK, lw=0.6, zorder=3)
        told = zip(x, y, n, strict=True)
        bins = ", ".join(f"{b:.2f} at {a:.2f} ({int(count)})" for a, b, count in told)
        shown.append(f"{name}: {bins or 'too few answers'}")
    ax.set(xlim=(0, 1.03), ylim=(0, 1.03))
    ax.grid(color="#e4e4e4")
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1))
    said = titled(title, "reliability diagram, share right over confidence, for ")
    said += ", ".join(series) + "; a diagonal shows honest doubt."
    return finish(
        figure,
        f"{said} Share right at confidence (of so many answers), {'; '.join(shown)}.",
        compared=said,
    )
