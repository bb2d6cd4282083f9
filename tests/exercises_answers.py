"""For every exercise: right answers in several forms, likely wrong ones with the mistake that the
check should recognise, and what no hint may give away. Data for `test_check.py`."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import combinations

import networkx as nx
import numpy as np
import pyro
import torch
import torch.nn.functional as F
from pyro.distributions import Categorical

from cimg import World, probability_had, render
from cimg.counterfactual import abduct, predict
from cimg.data import draw
from cimg.imagine import Answer
from cimg.query import d_separated, probability, sample_posterior
from cimg.scene import HALF, TOP, sample_uniform, stage, style_of
from cimg.sprites import SIZE, TRANSPARENT

DUEL, ARENA, NAMES = World.load("duel"), World.load("arena"), stage().variables


@dataclass
class Case:
    """`right` and `wrong` are tuples of what stands behind the number in `check(...)`."""

    right: list[tuple]
    wrong: list[tuple[str, tuple]]
    unclear: list[tuple] = field(default_factory=list)
    secret: str = "(?!)"  # what no hint may say, a regular expression; nothing by default


def one(*answers):
    """Each of these as the only answer."""
    return [(answer,) for answer in answers]


def wrong(**mistakes):
    return [(name.replace("_", " "), (answer,)) for name, answer in mistakes.items()]


def codes(values, n=1):
    return {k: torch.full((n,), NAMES[k].index(v)) for k, v in values.items()}


CASES: dict[str, Case] = {}
WHO = {"actor_character": "satyr", "actor_type": "type2"}
WHO |= {"reactor_character": "golem", "reactor_type": "type1"}
SCENE = WHO | {"action": "taunt", "reaction": "hurt"}
STYLE = {"sky": "dusk", "sun": "2", "hills": "round", "actor_distance": "1"}
STYLE |= {"reactor_distance": "1"}
ATTACK, WALK = {"action": "attack"}, {"action": "walk"}

# --- 00 -------------------------------------------------------------------------------------------

CASES["00.1"] = Case(
    one({"a": 2, "b": 1, "c": 3}, {"c": "3", "a": "doing", "b": "See"}, [2, 1, 3], (2.0, 1, 3)),
    [
        ("seeing doing", ({"a": 2, "b": 2, "c": 3},)),
        ("seeing imagining", ({"a": 2, "b": 3, "c": 3},)),
        ("doing seeing", ({"a": 1, "b": 1, "c": 3},)),
        ("doing imagining", ({"a": 3, "b": 1, "c": 3},)),
        ("imagining seeing", ({"a": 2, "b": 1, "c": 1},)),
        ("imagining doing", ({"a": 2, "b": 1, "c": 2},)),
    ],
    one({"a": 2, "b": 1, "c": 4}, {"a": 2, "x": 1}, 3, [1, 2]),
)


def answer(labels, style=STYLE, n=1):
    values = codes(labels | style, n)
    return Answer(render(values), values)


CASES["00.2"] = Case(
    one(answer(SCENE | WALK), answer(SCENE | WALK | {"reaction": "idle"}, n=3)),
    wrong(
        action=answer(SCENE | ATTACK),
        strangers=answer(SCENE | WALK | {"actor_character": "golem"}),
        style=answer(SCENE | WALK, STYLE | {"sky": "night", "sun": "7"}),
    ),
    one(render(codes(SCENE | STYLE)), "a walk", {"action": "walk"}),
)
CASES["00.3"] = Case(one("c", "C", "c: it has to be asked anew", "(c)"), wrong(a="a", b="b", d="D"))

# --- 01 -------------------------------------------------------------------------------------------

CASES["01.1"] = Case(one("B", "b", "B: in the satyr only"), wrong(a="A", c="c"), one("D", 3))


def over(background, figure, left=lambda half: half):
    """A `draw_over`: what becomes of the reactor's half, its figure, and the other half."""

    def draw_over(v):
        values = {name: torch.tensor([NAMES[name].index(v[name])]) for name in NAMES}
        drawn = render(values)[0]
        back = stage().backgrounds.reshape(4, 8, 4, 36, 64)
        behind = back[tuple(int(values[name]) for name in ("sky", "sun", "hills"))]
        half = background(torch.tensor(behind)[:, HALF:])
        parts = ("reactor_character", "reactor_type", "reaction", "reactor_distance")
        views = stage().figures("reactor").reshape(*(len(NAMES[x]) for x in parts), SIZE, HALF)
        view = figure(torch.tensor(views[tuple(int(values[x]) for x in parts)]))
        band = half[TOP : TOP + SIZE]
        band.copy_(torch.where(view == TRANSPARENT, band, view))
        return torch.cat([left(drawn[:, :HALF]), half], 1)

    return draw_over


def same(x):
    return x.clone()


def turned(x):
    return x.flip(1)


CASES["01.2"] = Case(
    one(over(same, same), lambda v: over(same, same)(v).numpy().tolist()),
    wrong(left=over(same, same, turned), twice=over(same, turned), behind=over(torch.flipud, same))
    + wrong(both=over(turned, turned)),
    one(lambda v: v["golem"], lambda v: torch.zeros(36, 64, 3), over, 7),
)


def sun(picture):
    return int((picture[5] != picture[0, 0]).nonzero()[0]) // 8


CASES["01.3"] = Case(
    one(sun, lambda p: torch.tensor(float(sun(p))), lambda p: np.int64(sun(p))),
    wrong(constant=lambda p: 0, pixels=lambda p: 8 * sun(p) + 2, fraction=lambda p: sun(p) + 0.25)
    + [("from 1", (lambda p: sun(p) + 1,))]
    + wrong(
        skies=lambda p: int((p[5] == 9).nonzero()[0] // 8),  # gold: there is none by night
        partly=lambda p: sun(p) if p[20, 12] != p[20, 40] else 7 - sun(p),
        rarely=lambda p: 7 - sun(p),
    ),
    one(lambda p: "left", lambda p: p, lambda p: float("nan"), lambda p: p[99]),
)
BLOB = torch.full((6, 24, 24), TRANSPARENT, dtype=torch.uint8)
for pose in range(6):
    BLOB[pose, 20 - pose :, 5:15] = 3


def spoilt(pose, rows, columns, colour):
    sheet = BLOB.clone()
    sheet[pose, rows, columns] = colour
    return sheet


CASES["01.4"] = Case(
    one(BLOB, BLOB.numpy(), BLOB.tolist()),
    wrong(
        empty=spoilt(2, slice(24), slice(24), TRANSPARENT),
        margin=spoilt(4, 12, 0, 3),
        floats=spoilt(1, 23, slice(24), TRANSPARENT),
        alike=BLOB[:1].expand(6, -1, -1),
    ),
    one(BLOB[:5], BLOB.float() + 0.5, BLOB.int() - 9, "slime"),
)

# --- 02 -------------------------------------------------------------------------------------------

SEPARATED = [False, True, True, False, False]


def but(values, i, value):
    return [value if k == i else v for k, v in enumerate(values)]


CASES["02.1"] = Case(
    one(SEPARATED, torch.tensor(SEPARATED), ["no", "yes", "Yes", "no", "False"], (0, 1, 1, 0, 0)),
    [(str(i + 1), (but(SEPARATED, i, not SEPARATED[i]),)) for i in range(5)]
    + [("alike", ([False] * 5,))],
    one([True] * 4, ["maybe"] * 5, True),
)


def separator(x, y, pool=DUEL.visible, sizes=range(7)):
    pool = [name for name in pool if name not in (x, y)]
    sets = (given for size in sizes for given in combinations(pool, size))
    return next((given for given in sets if d_separated(DUEL, x, y, given)), None)


CASES["02.2"] = Case(
    one(separator, lambda x, y: (s := separator(x, y)) and set(s), lambda x, y: separator(y, x)),
    wrong(
        arrow=lambda x, y: separator(x, y) or ("actor_type",),
        unknown=lambda x, y: ("weather",),
        hidden=lambda x, y: separator(x, y, DUEL.variables, (2, 3, 1, 0)),
        itself=lambda x, y: (x,),
        open=lambda x, y: () if separator(x, y) else separator(x, y),
        large=lambda x, y: separator(x, y, sizes=(3, 2, 1, 0)),
        none=lambda x, y: None,
    ),
    one(lambda x, y: 7, lambda x, y: [x, 3], separator("action", "reactor_type"), lambda x: x),
)
ARROWS = {("time", "sky"), ("time", "action"), ("time", "reaction")}
CASES["02.3"] = Case(
    one(
        ARROWS, list(ARROWS), [f"{a} -> {b}" for a, b in ARROWS], ARENA.graph(), nx.DiGraph(ARROWS)
    ),
    wrong(
        reversed={("sky", "time"), ("time", "action"), ("time", "reaction")},
        sky={("time", "sky"), ("sky", "action"), ("sky", "reaction")},
        extra=ARROWS | {("time", "actor_type")},
        few={("time", "sky"), ("time", "action")},
    ),
    one({("time", "weather")}, "time", {"time": "sky"}, [("time", "sky", "action")], 3),
)

# --- 03 -------------------------------------------------------------------------------------------


def site(name, *parents):
    return pyro.sample(name, Categorical(DUEL.variables[name].cpt[parents]))


def reactor(action, order=(0, 1, 2, 3), rename=str, alone=False, skip=None, returned=None):
    character = site("reactor_character")
    kind = site("reactor_type", character)
    above = (0 * character, kind) if alone else (character, kind)
    abilities = [
        site(f"reactor_{x}", *above) for x in ("strength", "defense", "attack") if x != skip
    ]
    parents = [*abilities, action]
    reaction = site("reaction", *(parents[i] for i in order))
    return reaction if returned is None else abilities[returned]


def in_logits(action):
    """Another way to write the same program."""
    values = {"action": action}
    for name in (*(n for n in DUEL.variables if n.startswith("reactor_")), "reaction"):
        v = DUEL.variables[name]
        row = v.cpt[tuple(values[parent] for parent in v.parents)]
        values[name] = pyro.sample(name, Categorical(logits=row.log().float()))
    return values["reaction"]


def nameless(action):
    pyro.sample("type", Categorical(torch.ones(3)))
    return action


def in_a_plate(action):
    with pyro.plate("own", 5):
        return reactor(0 * action[0])


CASES["03.1"] = Case(
    one(reactor, in_logits),
    [
        ("missing", (nameless,)),
        ("order", (partial(reactor, order=(1, 0, 2, 3)),)),
        ("row", (partial(reactor, alone=True),)),
        ("return", (partial(reactor, returned=0),)),
        ("stopped", (partial(reactor, order=(3, 0, 1, 2)),)),
        ("plate", (in_a_plate,)),
    ],
    one("reactor", site, lambda: None),
)
CASES["03.2"] = Case(
    one(50_000, "50,000", 5e4, torch.tensor(50_000), [50_000]),
    wrong(few=500, many=5_000_000, other=60_000),
    one("many", -3, float("nan"), [1, 2], True),
    r"50[,.]?000",
)


def troop(n, inside=True, kinds=True):
    rows = pyro.plate("actors", n)
    if not inside:
        character = site("actor_character").expand(n)
        if not kinds:
            return torch.stack([character, site("actor_type", character[0]).expand(n)])
        with rows:
            return torch.stack([character, site("actor_type", character)])
    with rows:
        character = site("actor_character")
        if kinds:
            return torch.stack([character, site("actor_type", character)])
    return torch.stack([character, site("actor_type", character[0]).expand(n)])


def lopsided(n):
    return troop(n) * torch.tensor([0, 1])[:, None] + (torch.arange(n) < 3) * torch.tensor(
        [[1], [0]]
    )


CASES["03.3"] = Case(
    one(troop, lambda n: troop(n).double(), lambda n: troop(n).numpy()),
    wrong(
        none=partial(troop, inside=False, kinds=False),
        types=partial(troop, kinds=False),
        share=lopsided,
        missing=lambda n: troop(n).clamp(max=1),
    ),
    one(lambda n: torch.zeros(n), lambda n: troop(n) + 0.5, lambda n: troop(n) + 7, 1000),
)
CASES["03.4"] = Case(one("c", "C)", "c. they share a cause"), wrong(a="a", b="b", d="d"), one("e"))

# --- 04 -------------------------------------------------------------------------------------------


def entry(rows, name):
    v = DUEL.variables[name]
    return v.cpt[tuple(rows[x] for x in (*v.parents, name))]


def weights(rows, seen, combine=lambda parts: parts.prod(0)):
    return combine(torch.stack([entry(rows, name) for name in seen]))


CASES["04.1"] = Case(
    one(
        weights,
        lambda r, s: weights(r, s).float().numpy(),
        lambda r, s: (7 * weights(r, s)).tolist(),
    ),
    wrong(
        log=lambda r, s: weights(r, s).log(),
        notebook=lambda r, s: weights(r, list(s)[:3]),
        all=lambda r, s: weights(r, DUEL.variables),
        sum=partial(weights, combine=lambda parts: parts.sum(0)),
        one=partial(weights, combine=lambda parts: parts[-1]),
        equal=lambda r, s: torch.ones(len(r["action"])),
        other=lambda r, s: torch.rand(len(r["action"])),
    ),
    one(lambda r, s: weights(r, s).sum(), lambda r: r, lambda r, s: r["nobody"], torch.ones(5)),
)
JOINT = probability(DUEL, ("action", "reaction"))
ROWS_KEPT, RARE = 1e5 * float(JOINT[2, 0]), float(JOINT[2, 0].log())
CASES["04.2"] = Case(
    [(ROWS_KEPT, "importance"), (40, "Importance"), (torch.tensor(39.5), "importance")],
    [
        ("log", (RARE, "importance")),
        ("times log", (1e5 * RARE, "importance")),
        ("share", (ROWS_KEPT / 1e5, "importance")),
        ("apart", (1e5 * float(JOINT[2].sum() * JOINT[:, 0].sum()), "importance")),
        ("twice", (2 * ROWS_KEPT, "importance")),
        ("method", (ROWS_KEPT, "rejection")),
        ("other", (1234, "rejection")),
    ],
    [(40, "luck"), ("many", "importance"), (float("inf"), "importance")],
    r"39|\b40\b|importance",
)
CASES["04.3"] = Case(
    one("down", "Down", "lower"), wrong(up="up", same="same"), one("left", 0.5), "down|lower"
)
GIVEN_DEATH = float(JOINT[0, 0] / JOINT[:, 0].sum())
CASES["04.4"] = Case(
    one(GIVEN_DEATH, "0.61", torch.tensor(0.611), np.float64(0.6085), Fraction(609, 1000)),
    wrong(
        colleague=JOINT[0, 0] / JOINT[0].sum(),
        joint=JOINT[0, 0],
        attack=JOINT[0].sum(),
        die=float(JOINT[:, 0].sum()),
        rest=1 - GIVEN_DEATH,
        outside=1 / GIVEN_DEATH,
        other=0.5,
    ),
    one("often", [0.6, 0.4], {"p": 0.61}, True),
    r"0\.6|61",
)

# --- 05 -------------------------------------------------------------------------------------------

WORDS = {"a": "must agree", "b": "may differ", "c": "may differ", "d": "may differ"}
CASES["05.1"] = Case(
    one(WORDS, dict(reversed(WORDS.items())), ["agree", "differ", "May differ", "differ"]),
    wrong(
        a=WORDS | {"a": "may differ"},
        b=WORDS | {"b": "must agree"},
        c=WORDS | {"c": "must agree"},
        d=WORDS | {"d": "must agree"},
    ),
    one(WORDS | {"a": "perhaps"}, WORDS | {"e": "may differ"}, "must agree"),
)
PHOTOS = ARENA.sample(20_000, seed=5)
SKY, ACTED, HARM = PHOTOS["sky"], PHOTOS["action"], (PHOTOS["reaction"] <= 1).double()


def average(shares, action=0):
    here = [HARM[(SKY == s) & (ACTED == action)].mean() for s in range(4)]
    return float(sum(share * harm for share, harm in zip(shares, here, strict=True)))


def shares(rows):
    return torch.bincount(rows, minlength=4).double() / len(rows)


ADJUSTED = average(shares(SKY))
CASES["05.2"] = Case(
    one(ADJUSTED, torch.tensor(ADJUSTED), f"{ADJUSTED:.4f}", "0.37"),
    wrong(
        unweighted=average([1] * 4),
        joint=average(shares(SKY[ACTED == 0]) * (ACTED == 0).double().mean()),
        others=average(shares(SKY[ACTED != 0])),
        taunt=average(shares(SKY), 1),
        harm=HARM.mean(),
        even=average([0.25] * 4),
        exact=float(probability(ARENA, "reaction", do=ATTACK)[:2].sum()),
        outside=37,
        other=0.25,
    ),
    one([0.1] * 4, "half", None.__class__, False),
    r"0\.37",
)
CELL = torch.bincount(3 * SKY + ACTED).double()[3 * SKY + ACTED]
OF_SKY, OF_ACTION = torch.bincount(SKY).double()[SKY], torch.bincount(ACTED).double()[ACTED]
CASES["05.3"] = Case(
    one(OF_SKY / CELL, (OF_SKY / CELL).numpy(), (OF_SKY / CELL).float(), (OF_SKY / CELL).tolist()),
    wrong(
        inverse=CELL / OF_SKY,
        marginal=20_000 / OF_ACTION,
        joint=20_000 / CELL,
        turned=OF_ACTION / CELL,
        sky=20_000 / OF_SKY,
        count=CELL,
        nearly=1.05 * OF_SKY / CELL,
        other=torch.ones(20_000),
    ),
    one(OF_SKY[:100] / CELL[:100], 3.0, "weights", (OF_SKY / CELL) * float("nan")),
)
ENOUGH = {"sky": True, "actor_type": False, "sky actor_type": True, "crowd": False}
CASES["05.4"] = Case(
    one(ENOUGH, {name: "yes" if x else "no" for name, x in ENOUGH.items()}, list(ENOUGH.values())),
    [(name, (ENOUGH | {name: not x},)) for name, x in ENOUGH.items()],
    one({"sky": True, "moon": True}, True, ENOUGH | {"sky": 3}),
)

# --- 06 -------------------------------------------------------------------------------------------

CASES["06.1"] = Case(
    [(2, 10), ("2", 10.0), (torch.tensor(2), Fraction(10))],
    [
        ("order", (10, 2)),
        ("shares", (1 / 6, 5 / 6)),
        ("all", (2, 12)),
        ("zero", (0, 10)),
        ("single", (6, 6)),
        ("most", (2, 8)),
        ("fewest", (4, 10)),
        ("other", (3, 9)),
    ],
    [(-1, 10), (2, 40), ("two", 10), ([2, 3], 10)],
    r"\b10\b",
)
LOW = dict.fromkeys(("reactor_strength", "reactor_defense", "reactor_attack"), "low")
BACK = {"action": "taunt"}
ATTACKED, TAUNTED, _ = DUEL.variables["reaction"].cpt[0, 0, 0]


def had(k, coupling="gumbel", seen=BACK):
    return probability_had(DUEL, "reaction", LOW | seen | {"reaction": k}, ATTACK, coupling)


def both(row):
    return {"gumbel": row, "monotone": row}


CASES["06.2"] = Case(
    one(
        both(ATTACKED),
        {c: sum(TAUNTED[k] * had(k, c) for k in range(4)) for c in ("monotone", "gumbel")},
        both(ATTACKED.tolist()),
        [ATTACKED.numpy()] * 2,
    ),
    wrong(
        taunt=both(TAUNTED),
        four=both(sum(had(k) for k in range(4))),
        sum=both(TAUNTED[3] * had(3)),
        last=both(had(3)),
        weights=both(sum(had(k) for k in range(4)) / 4),
        golem=both(probability(DUEL, "reaction", given={"reactor_character": "golem"}, do=ATTACK)),
        fact={c: sum(TAUNTED[k] * had(k, c, {}) for k in range(4)) for c in ("gumbel", "monotone")},
    ),
    one(both([0.5, 0.5]), {"gumbel": ATTACKED, "clayton": ATTACKED}, ATTACKED, both("half")),
)
RUNG = {"a": "seeing", "b": "doing", "c": "imagining", "d": "doing"}
CASES["06.3"] = Case(
    one(RUNG, list(RUNG.values()), {"d": 2, "c": 3, "b": 2, "a": 1}),
    [
        ("seeing doing", (RUNG | {"a": "doing"},)),
        ("seeing imagining", (RUNG | {"a": "imagining"},)),
        ("doing seeing", (RUNG | {"b": "seeing"},)),
        ("doing imagining", (RUNG | {"b": "imagining"},)),
        ("imagining seeing", (RUNG | {"c": "seeing"},)),
        ("imagining doing", (RUNG | {"c": "doing"},)),
        ("order", (RUNG | {"d": "imagining"},)),
    ],
    one(RUNG | {"a": "guessing"}, "seeing", ["seeing"] * 3),
)

# --- 07 -------------------------------------------------------------------------------------------

GUESS = {"categorical": 95, "Bernoulli": 80, "Gaussian": 75}
CASES["07.1"] = Case(
    one(GUESS, {k: f"{v} %" for k, v in GUESS.items()}, [95, 80, 75], dict(sorted(GUESS.items()))),
    wrong(
        percent={"categorical": 0.95, "Bernoulli": 0.8, "Gaussian": 0.75},
        low=GUESS | {"Gaussian": 5},
        perfect=GUESS | {"categorical": 100},
        order=GUESS | {"Gaussian": 96},
        kind=GUESS | {"Bernoulli": 93},
    ),
    one(GUESS | {"Gaussian": 120}, GUESS | {"Poisson": 1}, 95, GUESS | {"Gaussian": "fog"}),
)
TEST = draw(DUEL, 500, seed=200_000)[0].long()


def loss(drawn, cost, axes=(1, 2), k=1.0, scenes=1.0):
    pixels = F.cross_entropy(drawn, TEST, reduction="none")
    return scenes * pixels.sum(axes).mean() + k * cost.mean()


def by_hand(drawn, cost):
    """Another way to write it, up to a factor."""
    picked = drawn.log_softmax(1).gather(1, TEST[:, None])
    return (cost.sum() - picked.sum()).item() / 500 / 2304


CASES["07.2"] = Case(
    one(loss, by_hand),
    wrong(
        free=partial(loss, k=0.0),
        sign=partial(loss, k=-1.0),
        scenes=partial(loss, scenes=500.0),
        axis=partial(loss, axes=(1,)),
        kl=partial(loss, k=10.0),
        other=partial(loss, scenes=7.0),
    ),
    one(lambda drawn, cost: drawn, lambda drawn: drawn, lambda d, c: c, "sum"),
)
THREE = [{"action": 0.1, "actor_distance": 0.9}, {"action": 0.8, "actor_distance": 0.5}]
THREE += [{"action": 0.9, "actor_distance": 0.4}]
CASES["07.3"] = Case(
    one(THREE, [{k: torch.tensor(v) for k, v in x.items()} | {"sky": 1.0} for x in THREE]),
    wrong(
        direction=[THREE[2], THREE[1], THREE[0]],
        alike=[THREE[1]] * 3,
        kept=[x | {"actor_distance": 0.5} for x in THREE],
    ),
    one(
        *(THREE[:2], 3, [1, 2, 3], [{"action": 7, "actor_distance": 0}] * 3),
        [(torch.zeros(1), one_of) for one_of in THREE],
    ),
)

# --- 08 -------------------------------------------------------------------------------------------

ABLE = ["reactor_strength", "reactor_defense", "reactor_attack"]
BLOCKS_OF_Z = {"sky": 4, "sun": 4, "hills": 4, "actor_distance": 2, "reactor_distance": 2}


def believed(*without, f=lambda p: p):
    """P(abilities | labels), with some labels forgotten."""

    def q(labels):
        return f(probability(DUEL, ABLE, {k: v for k, v in labels.items() if k not in without}))

    return q


def by_bayes(labels):
    """The same by hand: out of the joint table of everything about the reactor."""
    joint = probability(DUEL, [*ABLE, *labels])
    table = joint[(..., *DUEL.encode(labels).values())]
    return (table / table.sum()).numpy()


CASES["08.1"] = Case(
    one(believed(), by_bayes, believed(f=lambda p: p.tolist())),
    wrong(
        sum=believed(f=lambda p: 2 * p),
        action=believed("action"),
        even=lambda labels: np.full((2, 2, 2), 1 / 8),
        other=believed(f=lambda p: p.flip(0, 1)),
    ),
    one(believed(f=lambda p: p.flatten()), lambda: 1, 0.5, lambda labels: labels),
    "given=labels|\\breaction\\b.*\\baction\\b",
)


def drawer(z, other, part):
    names = list(BLOCKS_OF_Z)
    at = torch.tensor([name == part for name in names])
    return torch.where(at.repeat_interleave(torch.tensor(list(BLOCKS_OF_Z.values()))), other, z)


def written(z, other, part):
    end = np.cumsum(list(BLOCKS_OF_Z.values()))[list(BLOCKS_OF_Z).index(part)]
    z[:, end - BLOCKS_OF_Z[part] : end] = other[:, end - BLOCKS_OF_Z[part] : end]
    return z.tolist()


CASES["08.2"] = Case(
    one(drawer, written),
    wrong(
        nothing=lambda z, other, part: z,
        everything=lambda z, other, part: other,
        reverse=lambda z, other, part: drawer(other, z, part),
        mixed=lambda z, other, part: (z + drawer(z, other, part)) / 2,
        borders=lambda z, other, part: torch.cat([other[:, :3], z[:, 3:]], 1),
    ),
    one(lambda z, other, part: z[:, :4], lambda z: z, "sky", lambda z, other, part: part),
)
CASES["08.3"] = Case(
    one(
        lambda sky, sun: (sun + 2 * sky) % 8,
        lambda sky, sun: torch.where(sky == 3, 7 - sun, sun).tolist(),
        lambda sky, sun: (sun.numpy() * np.array([1, 3, 5, 7])[sky]) % 8,
    ),
    wrong(
        range=lambda sky, sun: sun + sky,
        lost=lambda sky, sun: (sun * (1 + sky)) % 8,
        alike=lambda sky, sun: (sun + 1) % 8,
    ),
    one(lambda sky, sun: sun[:3], lambda sky: sky, 3, lambda sky, sun: "night"),
    "% 8",
)
CASES["08.4"] = Case(
    one({"seeing": "no", "doing": False, "imagining": "Yes"}, [0, 0, 1], ["no", "no", "yes"]),
    wrong(
        alike={"seeing": "no", "doing": "no", "imagining": "no"},
        imagining={"seeing": "yes", "doing": "yes", "imagining": "no"},
        doing={"seeing": "no", "doing": "yes", "imagining": "yes"},
        seeing={"seeing": True, "doing": True, "imagining": True},
    ),
    one("yes", ["no", "no"], {"seeing": "perhaps", "doing": 0, "imagining": 1}),
)

# --- 09 -------------------------------------------------------------------------------------------

CASES["09.1"] = Case(
    one({"doing": 25, "imagining": 260}, {"imagining": "250", "doing": 40.0}, [10, 270]),
    wrong(
        shares={"doing": 0.08, "imagining": 0.9},
        swapped={"doing": 260, "imagining": 25},
        fresh={"doing": 25, "imagining": 30},
        fact={"doing": 250, "imagining": 260},
        doing={"doing": 150, "imagining": 260},
        imagining={"doing": 25, "imagining": 150},
    ),
    one({"doing": 25, "imagining": 900}, 25, {"doing": 25, "thinking": 3}),
    r"\b25\b|26\d",
)
FREE = style_of(DUEL)


def drawn(labels, style):
    return render({**labels, **style})


def style_in(x):
    from cimg.score import read_back

    return {name: column for name, column in read_back(x)[0].items() if name in FREE}


def strangers(x, y, new, seed=9):
    return drawn(new, sample_uniform(FREE, len(x), seed))


def mixed(x, y, new):
    old, fresh = style_in(x), sample_uniform(FREE, len(x), 9)
    keep = torch.arange(len(x)) % 4 > 0
    return drawn(new, {name: torch.where(keep, old[name], fresh[name]) for name in FREE})


CASES["09.2"] = Case(
    one(strangers, lambda x, y, new: strangers(x, y, new, 3).numpy()),
    wrong(
        old=lambda x, y, new: strangers(x, y, y),
        honest=lambda x, y, new: drawn(new, style_in(x)),
        one=lambda x, y, new: drawn(new, {k: c[:1].expand(len(x)) for k, c in style_in(x).items()}),
        labels=lambda x, y, new: strangers(x, y, {k: c.roll(1) for k, c in new.items()}),
        style=mixed,
    ),
    one(lambda x, y, new: x[:3], lambda x, y: x, lambda x, y, new: x.long() + 99, render),
)
FACTS = sample_posterior(DUEL, 1000, given=SCENE, seed=9)


def would(coupling="gumbel", do=ATTACK, noise=None):
    noise = abduct(DUEL, FACTS, coupling, seed=9) if noise is None else noise
    return predict(DUEL, FACTS, noise, coupling, do=do)


def redrawn(names=("reaction",)):
    tracks = torch.from_numpy(np.random.default_rng(3).exponential(size=(1000, 4)))
    return would(noise={"reaction": tracks})


CASES["09.3"] = Case(
    one(would(), {name: x.tolist() for name, x in would().items()}, Answer(None, would())),
    wrong(
        action=would(do={"action": "walk"}),
        strangers=would(do=ATTACK | {"actor_type": "type1"}),
        doing=sample_posterior(DUEL, 1000, given=WHO, do=ATTACK, seed=2),
        luck=redrawn(),
        monotone=would("monotone"),
        other=would() | {"reaction": torch.arange(1000) % 4 // 3 * 3},
    ),
    one({"action": torch.zeros(5)}, codes(SCENE, 5), "rows", {name: "x" for name in SCENE}, [1, 2]),
)
NOISE = abduct(DUEL, FACTS, seed=9)
CASES["09.4"] = Case(
    one(predict(DUEL, would(), NOISE, do=BACK), FACTS),
    wrong(
        action=would(),
        anew=predict(DUEL, would(), abduct(DUEL, would(), seed=4), do=BACK),
        strangers=predict(DUEL, would(), NOISE, do=BACK | {"reactor_type": "type3"}),
    ),
    one(
        *(3, {"action": [1, 1]}, {name: torch.zeros(0) for name in SCENE}),
        {name: column[:4] for name, column in FACTS.items()},  # too few to tell luck from noise
    ),
)

# --- 10 -------------------------------------------------------------------------------------------

CASES["10.1"] = Case(
    [("seeing", 1600), ("See", "1,606"), (1, 1500.0)],
    [
        ("doing", ("doing", 1600)),
        ("imagining", (3, 1600)),
        ("share", ("seeing", "80 %")),
        ("other rung", ("seeing", 1136)),
        ("far", ("seeing", 300)),
    ],
    [("painting", 1600), ("seeing", 5000), ("seeing", "many")],
    "(?i)1[,.]?6|seeing",
)


def ordered(n, given=None, do=None, **changed):
    values = sample_posterior(ARENA, n, given, do, seed=8)
    return values | {k: torch.full((n,), code) for k, code in changed.items()}


def reactions_anew(n):
    """Rows of any action, the action set; then reactions to an attack under the same sky, whoever
    reacts."""
    values = ordered(n, action=0)
    for sky in range(4):
        rows = values["sky"] == sky
        anew = ordered(int(rows.sum()), ATTACK | {"sky": sky})
        values["reaction"][rows] = anew["reaction"]
    return values


CASES["10.2"] = Case(
    one(
        lambda n: ordered(n, do=ATTACK),
        lambda n: {k: x.tolist() for k, x in ordered(n, None, {"action": 0}).items()},
    ),
    wrong(
        action=lambda n: ordered(n, do=WALK),
        kept=lambda n: ordered(n, action=0),
        other=lambda n: ordered(n, do=ATTACK, sky=3),
        strangers=reactions_anew,
    ),
    one(
        lambda n: ordered(n - 1, do=ATTACK),
        lambda: 1,
        ordered(5),
        lambda n: {"action": [0] * n},
        lambda n: ordered(n, do=ATTACK, reaction=4),
    ),
    "do=ATTACK",
)
CASES["10.3"] = Case(
    one(
        {"sky": "yes", "actor_type": True, "reactor_character": 1, "reaction": "no"},
        ["Yes", "yes", "yes", False],
    ),
    wrong(
        descends={"sky": True, "actor_type": True, "reactor_character": True, "reaction": True},
        upstream={"sky": False, "actor_type": True, "reactor_character": True, "reaction": False},
    )
    + wrong(upstream=["yes", "yes", "no", "no"]),
    one("yes", {"sky": "perhaps", "actor_type": 1, "reactor_character": 1, "reaction": 0}, [1, 1]),
)
# --- 11 -------------------------------------------------------------------------------------------


CASES["11.1"] = Case(
    one(
        {"seen": "less than half", "made to walk": "half"},
        {"made to walk": "1/2", "seen": "Less"},
        ["less", "one half"],
        {"seen": 0.4, "made to walk": 0.5},
        [torch.tensor(0.4), "50 %"],
    ),
    wrong(
        alike={"seen": "half", "made to walk": "half"},
        made={"seen": "less than half", "made to walk": "more"},
        seen={"seen": "more than half", "made to walk": "half"},
    ),
    one(
        "half",
        {"seen": "rather", "made to walk": "half"},
        {"seen": 40, "made to walk": True},
        ["half"],
        {"walked": "half"},
    ),
    "(?i)less than|type 3",
)


def weighed(even, prior):
    return even * prior / (even * prior).sum()


def label_by_label(even, prior):
    result = torch.ones(())
    for axis in range(6):
        others = [a for a in range(6) if a != axis]
        one = even.sum(others) * prior.sum(others)
        result = result[..., None] * one / one.sum()
    return result


def half_by_label(even, prior):
    product = even
    for axis in range(6):
        shape = [-1 if a == axis else 1 for a in range(6)]
        product = product * prior.sum([a for a in range(6) if a != axis]).view(shape)
    return product / product.sum()


CASES["11.2"] = Case(
    one(
        weighed,
        lambda even, prior: (even.log() + prior.log()).flatten().softmax(0).view(prior.shape),
        lambda even, prior: weighed(even, prior).tolist(),
    ),
    wrong(
        sum=lambda even, prior: even * prior,
        prior=lambda even, prior: even,
        evidence=lambda even, prior: prior,
        half=half_by_label,
        other=lambda even, prior: (even + prior) / 2,
    ),
    one(lambda even, prior: 1.0, lambda even: even, "joint", lambda even, prior: even[0]),
    r"even \* prior|divided by its sum",
)


def binned(confidence, right, bins=15, skip=True):
    which = (bins * confidence).long().clamp(max=bins - 1)
    return [
        (confidence[which == k], right[which == k].double())
        for k in range(bins)
        if (which == k).any() or not skip
    ]


CASES["11.3"] = Case(
    one(
        lambda c, r: sum(abs((a - b).sum()) for a, b in binned(c, r)) / len(r),
        lambda c, r: float(sum(len(a) * abs(a.mean() - b.mean()) for a, b in binned(c, r))) / 400,
    ),
    wrong(
        signed=lambda c, r: (c.sum() - r.sum()) / len(r),
        alike=lambda c, r: torch.stack([(a - b).mean().abs() for a, b in binned(c, r)]).mean(),
        sum=lambda c, r: sum(abs((a - b).sum()) for a, b in binned(c, r)),
        single=lambda c, r: (c - r.double()).abs().mean(),
        largest=lambda c, r: max((a - b).mean().abs() for a, b in binned(c, r)),
        empty=lambda c, r: sum(
            len(a) * (a.mean() - b.mean()).abs() for a, b in binned(c, r, skip=False)
        ),
        middle=lambda c, r: (
            sum(
                len(a) * ((15 * a[0]).floor() / 15 + 1 / 30 - b.mean()).abs()
                for a, b in binned(c, r)
            )
            / len(r)
        ),
        **{
            "per cent": lambda c, r: 100 * sum(abs((a - b).sum()) for a, b in binned(c, r)) / len(r)
        },
        ten=lambda c, r: sum(abs((a - b).sum()) for a, b in binned(c, r, 10)) / len(r),
        other=lambda c, r: 0.25,
    ),
    one(0.1, lambda c: 1, lambda c, r: c, lambda c, r: "small"),
)
CASES["11.4"] = Case(
    one(
        {"error": "below 0.02", "right": "seldom"},
        ["Below 0.02", "Seldom"],
        ["< 0.02", "rarely"],
    ),
    wrong(
        often={"error": "below 0.02", "right": "nearly always"},
        error={"error": "above 0.9", "right": "seldom"},
    )
    + wrong(half=["about 0.5", "seldom"]),
    one("seldom", {"error": 0.01, "right": "seldom"}, ["seldom"]),
    "below|seldom",
)
# --- 12, and the template for a world of one's own ------------------------------------------------

CASES["12.1"] = Case(
    one(
        {"a": "world", "b": "nobody", "c": "world", "d": "stage"},
        ["World", "nobody", "the world", "the stage"],
        ["validation", "nobody", "validation", "stage"],
    ),
    wrong(
        a=["stage", "nobody", "world", "stage"],
        b=["world", "world", "world", "stage"],
        c=["world", "nobody", "nobody", "stage"],
        d=["world", "nobody", "world", "world"],
    ),
    one(["world"] * 3, {"a": "teacher", "b": "nobody", "c": "world", "d": "stage"}, "world"),
)


def doors(outer, inner):
    """Σ over skies of `outer` x Σ over actions of `inner` x P(harm | action, sky), by counting."""

    def front_door(photos, action):
        did, sky, harm = photos["action"], photos["sky"], (photos["reaction"] <= 1).double()
        total = 0.0
        for s in range(4):
            here = sky == s
            weights = [inner(did, here, a, action) for a in range(3)]
            harms = [harm[here & (did == a)].mean() for a in range(3)]
            inside = sum(w * x for w, x in zip(weights, harms, strict=True))
            total += outer(did, here, action) * inside
        return total

    return front_door


def brought(did, here, action):
    return here[did == action].double().mean()


def everywhere(did, here, action):
    return here.double().mean()


def as_frequent(did, here, a, action):
    return (did == a).double().mean()


def only_that(did, here, a, action):
    return float(a == action)


def one_sky(s):
    """Returned too early, or `total =` in place of `total +=`: one term of the outer sum."""

    def front_door(photos, action):
        did, here = photos["action"], photos["sky"] == s
        harm = (photos["reaction"] <= 1).double()
        inside = [(did == a).double().mean() * harm[here & (did == a)].mean() for a in range(3)]
        return brought(did, here, action) * sum(inside)

    return front_door


CASES["12.2"] = Case(
    one(
        doors(brought, as_frequent),
        lambda photos, action: torch.tensor([doors(brought, as_frequent)(photos, action)]),
        lambda photos, action: float(doors(brought, as_frequent)(photos, action)),
    ),
    wrong(
        seeing=doors(brought, only_that),
        back_door=doors(everywhere, only_that),
        sky=doors(brought, lambda did, here, a, action: (did[here] == a).double().mean()),
        uneven=doors(brought, lambda did, here, a, action: 1 / 3),
        outer=doors(everywhere, as_frequent),
        first=one_sky(0),
        last=one_sky(3),
        inner_pairs=doors(
            brought, lambda did, here, a, action: (here & (did == a)).double().mean()
        ),
        outer_pairs=doors(
            lambda did, here, action: (here & (did == action)).double().mean(), as_frequent
        ),
        other=lambda photos, action: 0.5,
    ),
    one(0.47, lambda photos: 0.47, lambda photos, action: photos, lambda p, a: p["fever"]),
)
CASES["12.3"] = Case(
    one(
        {"a": "breaks", "b": "breaks", "c": "keeps", "d": "keeps"},
        [True, True, False, False],
        torch.tensor([1, 1, 0, 0]),
        ["Breaks", "broken", "keep", "Kept"],
    ),
    wrong(
        a=["keeps", "breaks", "keeps", "keeps"],
        b=["breaks", "keeps", "keeps", "keeps"],
        c=["breaks", "breaks", "breaks", "keeps"],
        d=["breaks", "breaks", "keeps", "breaks"],
    ),
    one("breaks", ["breaks"], {"a": "breaks", "e": "keeps"}, ["opens"] * 4),
)


def story(name="storm", **tables):
    """A world that is shipped, with other tables or other parts."""
    spec = World.load(name).to_dict()
    for entry in spec["variables"]:
        entry.update(tables.get(entry["name"], {}))
    return spec


EVEN = {"action": {"cpt": [[[0.4, 0.3, 0.3]] * 2] * 2}}  # the fever has no say in the action
OWN = story(fever={"cpt": [0.5, 0.5]})
STRANGER = {"values": ["satyr", "golem", "faun"]}
GOLEM_DIED = {"actor_character": "witch", "actor_type": "type1", "action": "attack"}
GOLEM_DIED |= {"reactor_character": "golem", "reactor_type": "type2", "sky": "night"}
GOLEM_DIED |= {"reaction": "die"}
SEEING = {"of": {"fever": "yes"}, "given": {"reaction": "die"}}
DOING = {"of": {"reaction": "die"}, "do": {"action": "attack"}}
IMAGINING = {"of": {"reaction": "die"}, "given": GOLEM_DIED, "do": WALK}


def three(seeing=SEEING, doing=DOING, imagining=IMAGINING):
    return {"seeing": seeing, "doing": doing, "imagining": imagining}


CASES["my.1"] = Case(
    one(OWN, World.from_dict(OWN), World.from_dict(story(**EVEN))),
    wrong(
        drawn=story(actor_character=STRANGER, reactor_character=STRANGER),
        copied=story("arena"),
        idle=story(reaction={"parents": ["sky"], "cpt": [[0.25] * 4] * 4}),
        never=story(action={"cpt": [[[0.5, 0.5, 0.0]] * 2] * 2}),
    ),
    one(3, "no-such-file.json", {"name": "mine"}, story(fever={"cpt": [0.5, 0.6]})),
)
CASES["my.2"] = Case(
    [(OWN, three()), (World.from_dict(OWN), [SEEING, DOING, IMAGINING])],
    [
        ("seeing", (OWN, three(seeing=SEEING | {"do": ATTACK}))),
        ("doing", (OWN, three(doing={"of": {"reaction": "die"}, "given": ATTACK}))),
        ("imagining", (OWN, three(imagining=DOING))),
        ("fact", (OWN, three(imagining=IMAGINING | {"do": ATTACK}))),
        ("untouched", (OWN, three(doing=DOING | {"of": {"fever": "yes"}}))),
        ("itself", (OWN, three(doing=DOING | {"given": {"reaction": "die"}}))),
        ("itself", (OWN, three(doing=DOING | {"of": {"action": "attack"}}))),
        ("itself", (OWN, three(seeing=SEEING | {"given": {"fever": "yes"}}))),
        ("twice", (OWN, three(doing=DOING | {"given": WALK}))),
        ("nothing", (OWN, three(seeing=SEEING | {"given": {"sky": "night", "action": "walk",
                                                            "fever": "yes"},
                                                 "of": {"reactor_ward": "weak"}}))),
    ],
    [
        (OWN, "three questions"),
        (OWN, three(seeing="P(fever | die)")),
        (OWN, three(seeing=SEEING | {"given": {"weather": "bad"}})),
        (OWN, three(doing=DOING | {"because": "I say so"})),
        (3, three()),
    ],
)  # fmt: skip
CLAIM = {"cause": "action", "effect": "reaction", "confounded": True}
CASES["my.4"] = Case(
    [
        (OWN, CLAIM),
        (OWN, ["action", "reaction", "yes"]),
        (OWN, {"cause": "actor_craft", "effect": "action", "confounded": False}),
        (OWN, {"cause": "Actor craft", "effect": "action", "confounded": "no"}),
        (story(**EVEN), CLAIM | {"confounded": 0}),
    ],
    [
        ("idle", (OWN, CLAIM | {"cause": "reaction", "effect": "action"})),
        ("same", (OWN, CLAIM | {"cause": "reaction"})),
        ("agree", (OWN, CLAIM | {"confounded": "no"})),
        ("apart", (story(**EVEN), CLAIM)),
    ],
    [(OWN, "it is confounded"), (OWN, CLAIM | {"cause": "weather"}), (7, CLAIM)],
)
MINE = World.from_dict(OWN)
EXACT = {
    "seeing": probability(MINE, "fever", {"reaction": "die"})[1],
    "doing": probability(MINE, "reaction", do=ATTACK)[0],
    "imagining": probability_had(MINE, "reaction", GOLEM_DIED, WALK)[0],
}
MADE, PRIOR = probability(MINE, "reaction", do=WALK)[0], probability(MINE, "fever")[1]
ALSO = probability_had(MINE, "reaction", GOLEM_DIED, WALK, "monotone")[0]
CASES["my.3"] = Case(
    [
        (OWN, three(), EXACT),
        (MINE, three(), [float(x) for x in EXACT.values()]),
        (MINE, three(), EXACT | {"imagining": ALSO}),
    ],
    [
        (name, (OWN, three(), EXACT | {rung: x}))
        for name, rung, x in (
            ("prior", "seeing", PRIOR),
            ("joint", "seeing", probability(MINE, ["fever", "reaction"])[1, 0]),
            ("seen", "doing", probability(MINE, "reaction", ATTACK)[0]),
            ("fact", "imagining", 1.0),
            ("made", "imagining", MADE),
            ("outside", "doing", 1.2),
            ("other", "doing", 0.01),
        )
    ],
    [
        (OWN, three(), 0.5),
        (OWN, three(), EXACT | {"doing": "often"}),
        (OWN, three(doing=DOING | {"do": {"weather": "bad"}}), EXACT),
    ],
)
OPEN = {  # what a stub holds, besides `...`: as the mistake was, and nothing changed
    "01.2": (over(turned, same),),
    "01.3": (lambda picture: None,),
    "02.1": ([...] * 5,),
    "02.2": (lambda x, y: "...",),
    "03.1": (lambda action: ...,),
    "03.3": (partial(troop, inside=False),),
    "05.2": (average(shares(SKY[ACTED == 0])),),
    "06.2": (both(torch.zeros(4)),),
    "07.2": (lambda drawn, cost: F.cross_entropy(drawn, TEST) + cost.mean(),),
    "08.1": (believed("reaction"),),
    "08.3": (lambda sky, sun: sun,),
    "09.1": ({"doing": None, "imagining": None},),
    "09.2": (lambda x, y, new: x,),
    "09.3": (codes(SCENE | ATTACK, 1000),),
    "10.2": (lambda n: ordered(n, ATTACK),),
    "11.2": (label_by_label,),
}
