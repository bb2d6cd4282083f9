"""The numbers in the kit's pages, computed from the worlds: exact, so the same on every machine."""

import torch

from cimg import World, probability, probability_had
from cimg.bounds import bounds

SCENE = {"actor_character": "satyr", "actor_type": "type2", "action": "taunt"}
SCENE |= {"reactor_character": "golem", "reactor_type": "type1", "reaction": "hurt"}
HARM = ("die", "hurt")
LIES = (0, 0.01, 0.05, 0.2)


def rows(head: list[str], body: list[list]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def couplings() -> str:
    """The opening question's answer, by what is assumed."""
    duel, attack = World.load("duel"), {"action": "attack"}
    values = duel.variables["reaction"].values
    answers = {
        "Gumbel-max coupling": probability_had(duel, "reaction", SCENE, attack, "gumbel"),
        "monotone coupling": probability_had(duel, "reaction", SCENE, attack, "monotone"),
    }
    body = [[name, *(f"{float(p):.3f}" for p in row)] for name, row in answers.items()]
    span = [bounds(duel, {"reaction": value}, SCENE, attack) for value in values]
    body.append(["any coupling: between", *(f"{b.low:.3f} and {b.high:.3f}" for b in span)])
    return rows(["assumed", *values], body)


def foggy(lies: float) -> World:
    """The arena with a sky that shows the wrong time in this share of the scenes."""
    spec = World.load("arena").to_dict()
    sky = next(v for v in spec["variables"] if v["name"] == "sky")
    right, wrong = (1 - lies) / 2, lies / 2
    sky["cpt"] = [[right, right, wrong, wrong], [wrong, wrong, right, right]]
    return World.from_dict(spec)


def harm(world: World, given: dict | None = None, do: dict | None = None) -> float:
    """P(die or hurt | given; do)."""
    found = probability(world, "reaction", given=given, do=do)
    values = world.variables["reaction"].values
    return sum(float(found[values.index(value)]) for value in HARM)


def adjusted(world: World) -> float:
    """The effect of an attack against a taunt on harm, adjusted for the sky, without chance."""
    skies = world.variables["sky"].values
    share = probability(world, "sky")
    return sum(
        float(share[i])
        * (
            harm(world, {"action": "attack", "sky": sky})
            - harm(world, {"action": "taunt", "sky": sky})
        )
        for i, sky in enumerate(skies)
    )


def bridged(world: World) -> float:
    """The same effect from two proxies of the time, sky and actor's type, without chance.

    Find h(sky) whose mean, given each type and the action, is the harm seen there. Then its mean is
    right at each time too, so average it over all skies (Miao, Geng and Tchetgen Tchetgen 2018).
    """
    effect, share = 0.0, probability(world, "sky")
    for action, sign in (("attack", 1), ("taunt", -1)):
        table = probability(world, ["sky", "actor_type"], given={"action": action})
        types = world.variables["actor_type"].values
        harms = [harm(world, {"action": action, "actor_type": kind}) for kind in types]
        skies = torch.linalg.pinv(table / table.sum(0), rtol=1e-9)  # of P(sky | type), [types, 4]
        h = torch.tensor(harms, dtype=torch.float64) @ skies
        effect += sign * float(h @ share)
    return effect


def proxies() -> str:
    """How adjusting for the sky fares when the sky lies, and what a second proxy does for it."""
    arena = World.load("arena")
    truth = harm(arena, do={"action": "attack"}) - harm(arena, do={"action": "taunt"})
    worlds = [(f"{lies:.0%}", foggy(lies)) for lies in LIES]
    body = [
        [lies, f"{adjusted(world):+.3f}", f"{bridged(world):+.3f}", f"{truth:+.3f}"]
        for lies, world in worlds
    ]
    return rows(["the sky lies", "adjusted for the sky", "from two proxies", "true effect"], body)


def rungs() -> str:
    """Harm in the arena, seen and done."""
    arena = World.load("arena")
    body = []
    for action in ("attack", "taunt"):
        seen, done = harm(arena, {"action": action}), harm(arena, do={"action": action})
        body.append([action, f"{seen:.3f}", f"{done:.3f}"])
    return rows(
        ["harm in the arena", "seen: P(harm \\| action)", "done: P(harm \\| do(action))"], body
    )
