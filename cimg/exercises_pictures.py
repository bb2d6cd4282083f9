"""Judges of exercises whose answers are pictures or networks: notebooks 00, 07 and 09.

The texts of their hints are in ``hints.json``. No model is loaded here: what a learner's function
draws is read back by the oracle and held against the truth.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cimg.answers import (
    Hint,
    Unclear,
    call,
    closed,
    describe,
    exercise,
    fields,
    first,
    number,
    numbers,
    rows_of,
    scenes,
)
from cimg.counterfactual import probability_had
from cimg.data import draw, draw_evenly
from cimg.exercises_world import duel
from cimg.query import probability
from cimg.scene import HEIGHT, WIDTH, stage, style_of
from cimg.score import read_back, total_variation

WHO = {
    "actor_character": "satyr",
    "actor_type": "type2",
    "reactor_character": "golem",
    "reactor_type": "type1",
}
SCENE = WHO | {"action": "taunt", "reaction": "hurt"}
STYLE = {"sky": "dusk", "sun": "2", "hills": "round", "actor_distance": "1"}
STYLE |= {"reactor_distance": "1"}
FIGHT = {
    "actor_character": "golem",
    "actor_type": "type3",
    "action": "attack",
    "reactor_character": "satyr",
    "reactor_type": "type2",
    "reaction": "die",
}
ATTACK, WEAK, ABILITIES = (
    {"action": "attack"},
    {"actor_attack": "low"},
    ("strength", "defense", "attack"),
)
KINDS, PIXELS = ("categorical", "Bernoulli", "Gaussian"), HEIGHT * WIDTH


# --- 00: start here -------------------------------------------------------------------------------


@exercise("00.2")
def question_of_ones_own(mine: Any) -> str | Hint | None:
    drawn = getattr(closed(mine), "scenes", None)
    if drawn is None:
        raise Unclear(f"expected what imagine returns, found {describe(mine)}")
    pictures = scenes(drawn, len(drawn), "pictures").byte()
    values = rows_of(mine, [*WHO, "action"], len(pictures))
    actions = duel().variables["action"].values
    if wrong := [actions[code] for code in values["action"] if actions[code] != "walk"]:
        return Hint("action", {"found": wrong[0]})
    found = read_back(pictures)[0]
    codes = {name: stage().variables[name].index(value) for name, value in (WHO | STYLE).items()}
    moved = [name for name in codes if (found[name] != codes[name]).any()]
    strangers = any((values[name] != codes[name]).any() for name in WHO)
    return first({"strangers": strangers or set(moved) & set(WHO), "style": moved})


# --- 07: a VAE for scenes -------------------------------------------------------------------------


@cache
def most_frequent() -> float:
    """The percentage of pixels right if each gets its most frequent colour, whatever the scene."""
    usual = draw(duel(), 2_000, seed=1)[0].mode(0).values
    return 100 * float((draw(duel(), 500, seed=2)[0] == usual).double().mean())


@exercise("07.1")
def percentages(guess: Any) -> str | Hint | None:
    what = "percentages from 0 to 100"
    said = {kind: number(x, 0, 100, what) for kind, x in fields(guess, KINDS).items()}
    if max(said.values()) <= 1:
        return "percent"
    floor = most_frequent()
    blurred = max(KINDS[1:], key=lambda kind: said[kind])
    least = min(KINDS, key=lambda kind: said[kind])
    if said[least] < floor:
        return Hint("low", {"kind": least, "floor": floor})
    if said[blurred] >= said["categorical"]:
        return "order"
    full = said["categorical"] > 99.9
    mistake = first({"perfect": full, "kind": said[blurred] > 90})
    return mistake and Hint(mistake, {"kind": "categorical" if full else blurred})


@exercise("07.2")
def colleagues_loss(loss: Any) -> str | Hint | None:
    test = draw(duel(), 500, seed=200_000)[0].long()  # the scenes that the notebook's loss is about
    logits = torch.randn(24, HEIGHT, WIDTH).expand(len(test), -1, -1, -1)
    cost = torch.linspace(0, 20, len(test))
    truth = F.cross_entropy(logits, test, reduction="none").double().sum((1, 2)).mean()
    what = "one number for all scenes"
    drawn = numbers(call(loss, logits, torch.zeros(len(test))), (), what) / truth
    both = numbers(call(loss, logits, cost), (), what) / truth
    slope = float((both - drawn) * truth / cost.mean())  # what a nat of KL costs; 1 is right
    dear, drawn = slope / float(drawn) if drawn else float("inf"), float(drawn)

    def near(x: float, value: float) -> bool:
        return abs(x - value) < 0.02 * abs(value)

    if near(dear, 1) and slope > 0:
        return None
    mistakes = {
        "free": abs(slope) < 1e-4,
        "sign": slope < 0,
        "unchanged": near(dear, PIXELS) and near(slope, 1),
        "scenes": near(dear, 1 / len(test)),
        "axis": near(dear, HEIGHT) or near(dear, WIDTH),
        "kl": near(drawn, 1),
    }
    return Hint(first(mistakes, "other"), {"factor": dear})


@exercise("07.3")
def attacks_and_places(shares: Any) -> str | None:
    found = closed(shares)
    if not isinstance(found, list | tuple) or len(found) != 3:
        raise Unclear(f"expected the shares of three moves, found {describe(shares)}")
    if any(isinstance(closed(x), list | tuple) for x in found):
        raise Unclear("expected for each move its shares, moved(...)[1]; found all that it returns")
    names = ("action", "actor_distance")
    rows = [fields({name: closed(x).get(name) for name in names}, names) for x in found]
    action, place = ([number(row[name], 0, 1) for row in rows] for name in names)
    mistakes = {
        "alike": action[0] == action[1] == action[2],
        "direction": action[0] > action[2],
        "kept": place[0] <= place[2],
    }
    return first(mistakes)


# --- 09: asking pictures --------------------------------------------------------------------------


@exercise("09.1")
def of_three_hundred(guesses: Any) -> str | None:
    keys = ("doing", "imagining")
    said = {k: number(x, 0, 300, "from 0 to 300") for k, x in fields(guesses, keys).items()}
    pair = {name: FIGHT[name] for name in WHO}
    doing = 300 * float(probability(duel(), "reaction", given=pair, do=WEAK)[0])
    imagining = 300 * float(probability_had(duel(), "reaction", FIGHT, WEAK)[0])

    def near(value: float, truth: float) -> bool:
        return abs(value - truth) <= 45

    right = near(said["doing"], doing), near(said["imagining"], imagining)
    if all(right):
        return None
    mistakes = {
        "shares": 0 < max(said.values()) <= 1,
        "swapped": near(said["doing"], imagining) and near(said["imagining"], doing),
        "fresh": near(said["imagining"], doing),
        "fact": near(said["doing"], imagining),
        "doing": not right[0],
    }
    return first(mistakes, "imagining")


@exercise("09.2")
def cheat(strangers: Any) -> str | None:
    n, visible = 60, duel().visible
    x, y = draw_evenly(duel(), n, seed=3)
    _, new = draw_evenly(duel(), n, seed=4)
    y, new = ({name: values[name] for name in visible} for values in (y, new))
    answer = scenes(call(strangers, x.clone(), dict(y), dict(new)), n, "a picture for each of x")
    found, before = read_back(answer.byte())[0], read_back(x)[0]

    def shown(values: dict[str, Tensor], names: Any = visible) -> float:
        return float(torch.stack([found[k] == values[k] for k in names]).double().mean())

    style = list(style_of(duel()))
    one = all((found[name] == found[name][0]).all() for name in style)
    mistakes = {
        "unchanged": torch.equal(answer, x.long()),
        "old": shown(y) > 0.95,
        "labels": shown(new) < 0.95,
        "one": one,
        "honest": shown(before, style) > 0.9,
        "style": shown(before, style) > 0.6,
    }
    return first(mistakes)


@exercise("09.3")
def friends_rows(mended: Any) -> str | Hint | None:
    values = rows_of(mended, SCENE)
    codes, n = duel().encode(SCENE | ATTACK), len(values["action"])
    if n < 100:
        raise Unclear(f"expected 1,000 rows, found {n}: too few to count")
    if (values["action"] != codes["action"]).any():
        return "action"
    for name in WHO:
        if (values[name] != codes[name]).any():
            return Hint("strangers", {"name": name})
    found = torch.bincount(values["reaction"], minlength=4).double() / n
    abilities = probability(duel(), [f"reactor_{x}" for x in ABILITIES], given=SCENE)
    rows = duel().variables["reaction"].cpt[:, :, :, 0]
    truth = probability_had(duel(), "reaction", SCENE, ATTACK)
    if total_variation(found, truth) < 2 / n**0.5:
        return None
    near = {
        "doing": probability(duel(), "reaction", given=WHO, do=ATTACK),
        "luck": torch.einsum("sda,sdax->x", abilities, rows),
        "monotone": probability_had(duel(), "reaction", SCENE, ATTACK, "monotone"),
    }
    close = {name: total_variation(found, p) for name, p in near.items()}
    kept = (values["reaction"] == codes["reaction"]).all()
    best = min(close, key=close.__getitem__)
    mistake = first({"unchanged": kept, best: close[best] < 2 / n**0.5}, "other")
    return Hint(mistake, {"share": float(found[codes["reaction"]])})


@exercise("09.4")
def there_and_back(kept: Any) -> str | Hint | None:
    values, codes = rows_of(kept, SCENE), duel().encode(SCENE)
    if (n := len(values["action"])) < 100:
        raise Unclear(f"expected 1,000 rows, found {n}: too few to count")
    if (values["action"] != codes["action"]).any():
        return "action"
    for name in WHO:
        if (values[name] != codes[name]).any():
            return Hint("strangers", {"name": name})
    hurt = (values["reaction"] == codes["reaction"]).double().mean()
    return None if hurt == 1 else Hint("anew", {"share": float(hurt)})
