"""What the explorer says: which rung it is on, what the answer is, what is assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cimg.query import log_evidence
from cimg.scene import ROLES

if TYPE_CHECKING:
    from cimg.explorer_answer import Shown

RUNGS = {"see": "1 Seeing", "do": "2 Doing", "imagine": "3 Imagining"}
EXACT = (
    "Exact: the bars, for the tables of this world. The model's: the pictures. They are of any "
    "scene, not of the one on the left; their labels are drawn as the bars say, in styles learnt."
)
ASSUMED = {
    "see": EXACT,
    "do": f"{EXACT} Assumed: the graph is right, and no common cause is left out of it.",
    "imagine": (
        "Exact: the bars and probabilities, given the labels as the model reads them in the scene. "
        "The model's: this reading, the style that it keeps, and the pictures. Assumed: the graph, "
        "and the Gumbel-max coupling of what was with what would have been: no data can test it."
    ),
}


def listed(values: Mapping[str, str], verb: str = "=") -> str:
    """ "action = attack and sky = day"."""
    parts = [f"{name} {verb} {value}" for name, value in values.items()]
    return " and ".join([", ".join(parts[:-1]), *parts[-1:]] if len(parts) > 1 else parts)


def title(shown: Shown) -> str:
    """The rung, and what is shown, in symbols."""
    controls, rung = shown.controls, RUNGS[shown.controls.rung]
    seen = {
        k: v for k, v in controls.seen.items() if not controls.imagine or shown.read.get(k) != v
    }
    given = ", ".join(f"{k} = {v}" for k, v in seen.items())
    done = ", ".join(f"{k} = {v}" for k, v in controls.done.items())
    if controls.imagine:
        had = f", had {listed(controls.done, 'been')}" if done else ""
        return f"{rung}: P(…{had} | this scene{', ' * bool(given)}{given})"
    bar = f" | {given}" if given else ""
    return f"{rung}: P(…{bar}{f'; do({done})' if done else ''})"


def sentence(shown: Shown) -> str:
    """The answer in words; or what can't be, and the way back."""
    if shown.conflict:
        return impossible(shown)
    if shown.controls.imagine:
        return would_be(shown)
    seen, done = shown.controls.seen, shown.controls.done
    share = f"{math.exp(log_evidence(shown.world, seen, done)):.2g}"
    if done:
        cut = sum(len(shown.world.variables[name].parents) for name in done)
        what = {0: "there is no arrow to cut", 1: "1 arrow is cut"}.get(
            cut, f"{cut} arrows are cut"
        )
        said = f"Every scene is made to have {listed(done)}: {what}."
        return said + (f" Of these scenes, a share of {share} has {listed(seen)}." if seen else "")
    if seen:
        return f"Of all scenes, a share of {share} has {listed(seen)}. What goes along with it?"
    return "Nothing is seen or done: the world as it is."


def would_be(shown: Shown) -> str:
    """What would have been, how probably, and how far the model's picture is from the true one."""
    done, wrong = shown.controls.done, int(shown.wrong[0])
    off = f"{wrong} pixel{'s' * (wrong > 1)} off the truth"
    pixels = off if wrong else "pixel for pixel the true picture"
    if not done:
        return f"The scene as it is, drawn from what the model has seen in it; {pixels}."
    was = " (as it was)" * all(shown.read.get(name) == value for name, value in done.items())
    follows = changes(shown, 0) or "nothing else would have changed"
    odds = f"probability {float(shown.odds[0]):.2f}"
    return f"Had {listed(done, 'been')}{was}: most probably {follows} ({odds}); {pixels}."


def changes(shown: Shown, i: int) -> str:
    """What would have come out otherwise in outcome i: "reaction hurt → die"."""
    found = shown.world.describe(shown.labels, i)
    names = [k for k, was in shown.read.items() if k not in shown.controls.done and found[k] != was]
    return ", ".join(f"{name} {shown.read[name]} → {found[name]}" for name in names)


def caption(shown: Shown, i: int) -> str:
    """What picture i is to show; when imagining, what has changed in it, and how probable it is."""
    if shown.controls.imagine:
        said = changes(shown, i) or "nothing else changed"
        return f"{said}, probability {float(shown.odds[i]):.2f}"
    return labels_in_words(shown.world.describe(shown.labels, i))


def labels_in_words(labels: Mapping[str, str]) -> str:
    """ "satyr type1, attack; golem type2, die; sky dusk"."""
    parts = [
        f"{labels[f'{r}_character']} {labels[f'{r}_type']}, {labels[x]}" for r, x in ROLES.items()
    ]
    own = {*ROLES.values(), *(f"{role}_{part}" for role in ROLES for part in ("character", "type"))}
    return "; ".join(
        parts + [f"{name} {value}" for name, value in labels.items() if name not in own]
    )


def impossible(shown: Shown) -> str:
    """Which evidence contradicts what, and how to go back."""
    seen, names = shown.controls.seen, shown.conflict
    denied = [name for name in names if shown.seen[name] != seen.get(name, shown.seen[name])]
    back = "Set one of them free, or press “undo” or “reset”."
    if denied:
        name = denied[0]
        why = f"the scene shows {name} = {shown.read[name]}, so {seen[name]} can't be seen in it"
        back = back.replace("one of them", name)
    elif len(names) == 1:
        why, back = f"{listed_seen(shown)} never happens", back.replace("one of them", names[0])
    else:
        why = f"{listed_seen(shown)} contradict each other: they never happen together"
    done = "" if shown.controls.imagine else listed(shown.controls.done)
    return f"This can't be: {why}{f' where {done} is done' if done else ''}. {back}"


def listed_seen(shown: Shown) -> str:
    return listed({name: shown.seen[name] for name in shown.conflict})
