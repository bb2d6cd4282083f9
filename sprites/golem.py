"""The golem: massive stone, shoulders like a wall, huge fists, a small head sunk between them.

type1 is the moss golem (leafy tufts, a sapling on its head), type2 the lava golem (iron fists,
glowing cracks, a crown of flames), type3 the crystal golem (shards on its back, pointed hands).
All three share the poses below.
"""

from dataclasses import dataclass

from rig import Frame, Point, Ramp, polygon, stroke


@dataclass(frozen=True)
class Pose:
    """Where the parts are. "near" is the side toward us, "far" the side away from us."""

    head: Point  # top left corner of the head's pixel map
    torso: tuple[Point, ...]  # corners, clockwise from the top left
    near_arm: tuple[Point, ...]  # shoulder, elbow, wrist
    near_fist: Point  # top left corner
    far_arm: tuple[Point, ...]
    far_fist: Point
    near_leg: tuple[Point, ...]  # hip, foot
    far_leg: tuple[Point, ...]
    chest: Point  # top left corner of the marks on the chest
    back: Point  # top left corner of what grows on the near shoulder
    face: str
    lying: bool = False


POSES = {
    "idle": Pose(
        head=(10, 5), torso=((6, 7), (17, 7), (18, 10), (14, 16), (9, 16), (5, 10)),
        near_arm=((6, 9), (5, 12), (5, 14)), near_fist=(2, 14),
        far_arm=((17, 9), (18, 12), (18, 13)), far_fist=(16, 13),
        near_leg=((8, 17), (8, 20)), far_leg=((14, 17), (14, 20)),
        chest=(9, 11), back=(5, 3), face="calm",
    ),
    "walk": Pose(
        head=(12, 5), torso=((7, 7), (17, 6), (19, 9), (14, 16), (9, 16), (6, 10)),
        near_arm=((7, 9), (5, 11), (4, 13)), near_fist=(2, 13),
        far_arm=((17, 10), (18, 11), (18, 11)), far_fist=(16, 9),
        near_leg=((9, 17), (6, 20)), far_leg=((14, 16), (17, 18)),
        chest=(10, 11), back=(6, 3), face="calm",
    ),
    "attack": Pose(
        head=(9, 6), torso=((5, 8), (14, 8), (16, 11), (12, 17), (7, 17), (3, 11)),
        near_arm=((7, 12), (5, 14), (4, 14)), near_fist=(2, 14),
        far_arm=((14, 10), (16, 11), (17, 11)), far_fist=(16, 8),
        near_leg=((7, 17), (5, 20)), far_leg=((12, 17), (15, 20)),
        chest=(8, 12), back=(3, 4), face="angry",
    ),
    "taunt": Pose(
        head=(9, 7), torso=((6, 9), (16, 9), (17, 11), (14, 17), (8, 17), (5, 11)),
        near_arm=((6, 11), (4, 9), (4, 7)), near_fist=(2, 3),
        far_arm=((17, 11), (18, 9), (18, 7)), far_fist=(16, 2),
        near_leg=((8, 17), (7, 20)), far_leg=((14, 17), (15, 20)),
        chest=(8, 13), back=(2, 10), face="cheeky",
    ),
    "hurt": Pose(
        head=(5, 5), torso=((4, 8), (12, 7), (15, 10), (14, 16), (9, 17), (4, 12)),
        near_arm=((5, 11), (4, 14), (4, 15)), near_fist=(2, 15),
        far_arm=((14, 9), (17, 8), (18, 7)), far_fist=(16, 4),
        near_leg=((9, 17), (9, 20)), far_leg=((14, 16), (18, 17)),
        chest=(8, 11), back=(2, 5), face="hurt",
    ),
    "die": Pose(
        head=(2, 16), torso=((10, 15), (14, 14), (18, 17), (18, 21), (9, 21), (9, 17)),
        near_arm=((11, 18), (11, 19), (12, 19)), near_fist=(10, 17),
        far_arm=((15, 16), (14, 16), (13, 16)), far_fist=(11, 15),
        near_leg=((17, 20), (18, 20)), far_leg=((17, 18), (18, 18)),
        chest=(13, 15), back=(9, 14), face="dead", lying=True,
    ),
}  # fmt: skip

# D, M, L: the body's dark, plain and lit colour; Y: the glow of the eyes.
FACES = {
    "calm": """
        .MMMML
        DMMMMM
        DkYkYk
        DMMMMM
        .DDMM.""",
    "angry": """
        .MMMML
        DMkMMk
        DMYkYk
        DMMMMM
        .DkkkM""",
    "cheeky": """
        .MMMML
        DkMMkM
        DYkkYk
        DMMMMM
        .DqqqM""",
    "hurt": """
        .MMMML
        DMkMkM
        DkMMMk
        DMMkkM
        .DMkk.""",
    "dead": """
        .MMMM.
        DMMMML
        DkkMkM
        DMMMMM
        .DMkM.""",
}
# Round boulders, square iron gauntlets, pointed crystals.
FISTS = {
    "type1": """
        .MMLL.
        DMMMML
        DMMMMM
        DkMkMk
        DDkDkM
        .DDDD.""",
    "type2": """
        MMLLLL
        DyMMyL
        DMMMMM
        DkMkMk
        DkDkDk
        DDDDDD""",
    "type3": """
        ...L..
        .MMLL.
        DMMMLL
        .DMMMM
        .DDMM.
        ..DD..""",
}

# What grows on the head, on the near shoulder, and the marks on the chest.
CROWNS = {
    "type1": """
        GG.GG.
        .gGg..
        GGGGGG""",
    "type2": """
        .o.r..
        .oyo.r
        oywyoo""",
    "type3": """
        ...w..
        ..cw..
        ..bc..""",
}
SHOULDERS = {
    "type1": """
        ......
        .GG...
        GGGGG.
        gGgGGG
        .gg.g.""",
    "type2": """
        3.....
        33..3.
        233.33
        123323
        .12223""",
    "type3": """
        z...w..
        cz..cw.
        bcz.bc.
        .bczbcw
        .bbcccz
        ..bbcc.""",
}
MARKS = {
    "type1": """
        .1....
        .11...
        ...GG.
        ..gG..""",
    "type2": """
        y...o.
        oyoyo.
        ..o...
        ..r...""",
    "type3": """
        z...w.
        ..z...
        .z.b..
        ..b...""",
}


@dataclass(frozen=True)
class Style:
    """The colours of one type; each ramp is dark, plain, lit."""

    body: Ramp
    fist: Ramp
    glow: str


STYLES = {
    "type1": Style(
        ("stone_dark", "stone", "stone_light"), ("stone_dark", "stone", "grass"), "gold"
    ),
    # Lit from below, by its own lava.
    "type2": Style(("red_dark", "stone_dark", "stone"), ("red_dark", "red", "orange"), "gold"),
    "type3": Style(("blue", "crystal", "haze"), ("blue", "crystal", "white"), "white"),
}


def draw(frame: Frame, kind: str, pose_name: str) -> None:
    """Draws one golem, from what is farthest away to what is nearest."""
    pose, style = POSES[pose_name], STYLES[kind]
    x, y = pose.back
    if kind == "type3":  # shards grow behind the body, the others' tufts and spikes on it
        frame.stamp((x, y - 1), SHOULDERS[kind])
    draw_leg(frame, pose.far_leg, style)
    draw_leg(frame, pose.near_leg, style)
    draw_arm(frame, kind, pose.far_arm, pose.far_fist, style)
    frame.part(polygon(*pose.torso), style.body, depth=2)
    frame.stamp(pose.chest, MARKS[kind])
    draw_head(frame, kind, pose, style)
    draw_arm(frame, kind, pose.near_arm, pose.near_fist, style)
    if kind != "type3":
        frame.stamp((x, y), SHOULDERS[kind])


def letters(ramp: Ramp, style: Style) -> dict[str, str]:
    """The letters that the golem's pixel maps use beside those of rig.LETTERS."""
    return {"D": ramp[0], "M": ramp[1], "L": ramp[2], "Y": style.glow}


def draw_leg(frame: Frame, joints: tuple[Point, ...], style: Style) -> None:
    """A short pillar with a flat foot."""
    x, y = joints[-1]
    foot = {(x + dx, y + dy) for dx in range(-2, 4) for dy in (1, 2)} - {(x + 3, y + 1)}
    frame.part(stroke(joints, 4) | foot, style.body)


def draw_arm(frame: Frame, kind: str, joints: tuple[Point, ...], fist: Point, style: Style) -> None:
    """An upper arm and a fist as big as the head."""
    frame.part(stroke(joints, 4), style.body)
    frame.stamp(fist, FISTS[kind], letters(style.fist, style), seam="outline")


def draw_head(frame: Frame, kind: str, pose: Pose, style: Style) -> None:
    """A small block with two glowing eyes, and what grows on it."""
    x, y = pose.head
    at = (x, y) if pose.lying else (x, y - 3)
    art = CROWNS[kind] + FACES[pose.face]
    frame.stamp(at, art, letters(style.body, style), seam="outline", lying=pose.lying)
