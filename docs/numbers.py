"""The numbers in the kit's pages, computed from the worlds: exact, so the same on every machine."""

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


def proxies() -> str:
    """How adjusting for the sky fares when the sky lies."""
    arena = World.load("arena")
    truth = harm(arena, do={"action": "attack"}) - harm(arena, do={"action": "taunt"})
    body = [[f"{lies:.0%}", f"{adjusted(foggy(lies)):+.3f}", f"{truth:+.3f}"] for lies in LIES]
    return rows(["the sky lies", "adjusted for the sky", "true effect"], body)


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
