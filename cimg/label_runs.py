"""The runs with few labels that notebook 11 reports: four shares of labels, three seeds, a rival.

    python -m cimg.label_runs       # half an hour on one core; goes on where it was stopped

Each run has its own training set, its own choice of what is labelled and its own first weights.
The rival's dropout and weight decay are tuned on a seed apart, on the test scenes themselves,
which favours the rival; the semi-supervised reader takes them as they are.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from cimg.few_labels import Settings, semi_supervised, supervised
from cimg.reader import all_right
from cimg.study import FOLDER, complaints, interval, read_runs, write_results

RESULTS = FOLDER / "few_labels.json"
SHARES, SEEDS = (1.0, 0.2, 0.05, 0.01), (0, 1, 2)
TUNING_SEED = 100
GRID = tuple((drop, decay) for drop in (0.3, 0.5, 0.7) for decay in (0.0, 0.1))


def read(path: Path = RESULTS) -> dict:
    """The results: ``{"settings", "tuning", "runs"}``; empty ones if there is no file yet."""
    return {"settings": {}} | read_runs(path, "tuning", "runs")


def summary(results: dict) -> list[tuple[float, tuple[float, float], tuple[float, float]]]:
    """For each share of labels: supervised only and semi-supervised, each as `interval`.

    Raises ValueError for results that lack one of the runs, or a figure of one."""
    rows, kinds = [], ("supervised", "semi_supervised")
    try:
        for share in SHARES:
            of = [run for run in results["runs"] if run["share"] == share]
            rows.append((share, *(interval([run[kind] for run in of]) for kind in kinds)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the results of the runs lack {error}") from error
    return rows


def tune(results: dict, keep: Callable[[dict], None]) -> Settings:
    """The rival's best settings at 5 % labelled; what was tried before is taken from results."""
    for drop, decay in GRID:
        if not any((x["drop"], x["decay"]) == (drop, decay) for x in results["tuning"]):
            settings = Settings(seed=TUNING_SEED, drop=drop, decay=decay)
            right = all_right(supervised(settings))
            results["tuning"].append({"drop": drop, "decay": decay, "right": right})
            keep(results)
    best = max(results["tuning"], key=lambda x: x["right"])
    return Settings(drop=best["drop"], decay=best["decay"])


def one(settings: Settings) -> dict:
    """Both readers for one share and seed: shares of fresh scenes with all six labels right."""
    start = time.perf_counter()
    rival = all_right(supervised(settings))
    half = time.perf_counter()
    ours = all_right(semi_supervised(settings).reader)
    seconds = [round(half - start, 1), round(time.perf_counter() - half, 1)]
    who = {"share": settings.share, "seed": settings.seed}
    return who | {"supervised": rival, "semi_supervised": ours, "seconds": seconds}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cimg.label_runs", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    path = parser.parse_args().out
    with complaints(parser):
        run_all(path)


def run_all(path: Path) -> None:
    """All runs that aren't among the results yet; then the summary."""
    results = read(path)
    best = tune(results, lambda found: write_results(path, found))
    results["settings"] = asdict(best)
    for seed in SEEDS:
        for share in SHARES:
            done = {(run["share"], run["seed"]) for run in results["runs"]}
            if (share, seed) not in done:
                results["runs"].append(one(replace(best, share=share, seed=seed)))
                write_results(path, results)
    for share, rival, ours in summary(results):
        print(f"{share:.0%}: {rival[0]:.3f} ± {rival[1]:.3f}, {ours[0]:.3f} ± {ours[1]:.3f}")


if __name__ == "__main__":
    main()
