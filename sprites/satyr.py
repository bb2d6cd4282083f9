"""The satyr: slim and horned, goat's legs with hooves, a beard and a short tail.

type1 is the raider (red headband, curved blade), type2 the guard (plumed helmet, armour, spear and
round shield), type3 the piper (blue robe, pan flute). All three share the poses below.
"""

from dataclasses import dataclass

from rig import Frame, Point, Ramp, ellipse, polygon, stroke


@dataclass(frozen=True)
class Pose:
    """Where the joints are. "near" is the side toward us, "far" the side away from us."""

    head: Point  # top left corner of the head's pixel map
    neck: Point
    hip: Point
    near_arm: tuple[Point, ...]  # shoulder, elbow, hand
    far_arm: tuple[Point, ...]
    near_leg: tuple[Point, ...]  # hip, knee, hock, hoof
    far_leg: tuple[Point, ...]
    tail: tuple[Point, ...]  # root, bend, tip
    hem: tuple[Point, Point]  # the robe's lower edge, left and right end
    blade: tuple[Point, ...]  # hilt, bend, point
    spear: tuple[Point, Point]  # butt and point
    shield: Point  # top left corner
    flute: Point  # top left corner
    face: str
    lying: bool = False


POSES = {
    "idle": Pose(
        head=(6, 2), neck=(11, 11), hip=(11, 14), tail=((8, 15), (6, 14), (5, 12)),
        near_arm=((8, 11), (7, 13), (8, 15)), far_arm=((13, 11), (15, 13), (16, 14)),
        near_leg=((10, 15), (11, 17), (9, 19), (9, 21)),
        far_leg=((12, 15), (15, 17), (13, 19), (14, 21)),
        hem=((7, 18), (15, 18)), blade=((17, 14), (19, 11), (19, 7)),
        spear=((17, 22), (17, 4)), shield=(5, 11), flute=(14, 12), face="calm",
    ),
    "walk": Pose(
        head=(7, 2), neck=(12, 11), hip=(11, 14), tail=((8, 14), (6, 15), (4, 14)),
        near_arm=((9, 11), (7, 13), (5, 14)), far_arm=((13, 11), (16, 12), (18, 11)),
        near_leg=((11, 15), (14, 16), (15, 18), (18, 20)),
        far_leg=((10, 15), (9, 17), (6, 19), (4, 21)),
        hem=((6, 17), (16, 17)), blade=((5, 14), (3, 12), (3, 9)),
        spear=((11, 19), (20, 4)), shield=(5, 11), flute=(15, 9), face="calm",
    ),
    "attack": Pose(
        head=(4, 4), neck=(9, 12), hip=(7, 15), tail=((4, 16), (3, 16), (2, 14)),
        near_arm=((7, 12), (4, 13), (2, 11)), far_arm=((11, 12), (13, 12), (15, 11)),
        near_leg=((8, 16), (12, 16), (12, 18), (14, 21)),
        far_leg=((6, 16), (5, 18), (3, 19), (2, 21)),
        hem=((4, 18), (12, 18)), blade=((15, 12), (18, 12), (20, 9)),
        spear=((4, 14), (21, 11)), shield=(2, 11), flute=(16, 9), face="angry",
    ),
    "taunt": Pose(
        head=(6, 3), neck=(11, 11), hip=(12, 14), tail=((9, 15), (6, 16), (5, 14)),
        near_arm=((8, 12), (5, 11), (3, 7)), far_arm=((13, 11), (16, 11), (18, 8)),
        near_leg=((10, 15), (9, 17), (7, 19), (6, 21)),
        far_leg=((13, 15), (16, 16), (15, 19), (16, 21)),
        hem=((8, 18), (17, 18)), blade=((18, 7), (20, 5), (19, 2)),
        spear=((16, 17), (20, 3)), shield=(2, 8), flute=(17, 5), face="cheeky",
    ),
    "hurt": Pose(
        head=(2, 3), neck=(8, 11), hip=(11, 15), tail=((9, 17), (7, 18), (5, 17)),
        near_arm=((7, 12), (4, 13), (2, 14)), far_arm=((10, 11), (14, 10), (16, 8)),
        near_leg=((11, 16), (11, 18), (9, 19), (8, 21)),
        far_leg=((13, 16), (16, 16), (17, 18), (19, 18)),
        hem=((8, 18), (15, 17)), blade=((18, 10), (20, 12), (20, 15)),
        spear=((13, 12), (20, 3)), shield=(2, 13), flute=(17, 10), face="hurt",
    ),
    "die": Pose(
        head=(2, 14), neck=(12, 20), hip=(15, 20), tail=((14, 22), (13, 22), (12, 22)),
        near_arm=((12, 20), (14, 19), (16, 20)), far_arm=((12, 18), (13, 17), (13, 16)),
        near_leg=((16, 20), (18, 17), (19, 19), (20, 21)),
        far_leg=((16, 20), (18, 21), (19, 21), (20, 21)),
        hem=((18, 22), (18, 18)), blade=((14, 18), (15, 16), (17, 14)),
        spear=((10, 22), (21, 22)), shield=(11, 15), flute=(13, 16), face="dead", lying=True,
    ),
}  # fmt: skip

# A head is three pixel maps, one above the other: the top differs by type, the face by pose.
# H, h: horns; F, f: fur; S: skin; E: ear; the other letters are those of rig.LETTERS.
TOPS = {
    "type1": """
        H.......H
        H.......H
        HH.....HH
        .hHFFFHH.
        r.rrrrrr.""",
    "type2": """
        H.......H
        H...p...H
        HH.ppp.HH
        .h13p33H.
        .1yyyyyy.""",
    "type3": """
        H.......H
        H.......H
        HH.....HH
        .hGqGwGH.
        .GwGGqGG.""",
}
FACES = {
    "calm": """
        EfFSSkSk.
        .EfSSkSkS
        ..fSSSSSS
        ..FFSddS.""",
    "angry": """
        EfSkkSkk.
        .EfwkSwkS
        ..fSSSSSS
        ..FFwkwS.""",
    "cheeky": """
        EfFSkSSS.
        .EfSkSkkS
        ..fSSSSSS
        ..FFddqqq""",
    "hurt": """
        EfFSkSkS.
        .EfkSSSkS
        ..fSSddSS
        ..FFSddS.""",
    "dead": """
        .fFkSkSk.
        ..fSkSkS.
        ..fSSSSSS
        ..FFSkSS.""",
}
BEARD = """
        ...FFFF..
        ....FF..."""
FLUTE = """
    eyeye
    memem
    mem..
    m...."""


@dataclass(frozen=True)
class Style:
    """The colours of one type; each ramp is dark, plain, lit."""

    skin: Ramp
    fur: Ramp
    cloth: Ramp  # sash, breastplate or robe
    sleeve: Ramp  # what the arms show above the hands


STYLES = {
    "type1": Style(
        skin=("fur", "skin", "peach"), fur=("fur_dark", "fur", "fur"),
        cloth=("red_dark", "red", "orange"), sleeve=("fur", "skin", "peach"),
    ),
    "type2": Style(
        skin=("fur", "skin", "peach"), fur=("stone_dark", "stone_dark", "stone"),
        cloth=("stone", "stone_light", "white"), sleeve=("stone_dark", "stone", "stone_light"),
    ),
    "type3": Style(
        skin=("skin", "peach", "white"), fur=("fur", "mustard", "skin"),
        cloth=("indigo", "blue", "sky"), sleeve=("indigo", "blue", "sky"),
    ),
}  # fmt: skip


def draw(frame: Frame, kind: str, pose_name: str) -> None:
    """Draws one satyr, from what is farthest away to what is nearest."""
    pose, style = POSES[pose_name], STYLES[kind]
    frame.part(stroke(pose.tail), style.fur)
    draw_leg(frame, pose.far_leg, style)
    if kind == "type1":
        draw_blade(frame, pose)
    draw_arm(frame, pose.far_arm, style, seam="outline")
    draw_leg(frame, pose.near_leg, style)
    draw_body(frame, kind, pose, style)
    draw_head(frame, kind, pose, style)
    if kind == "type2":
        draw_spear(frame, pose, style)
    if kind == "type3":
        frame.stamp(pose.flute, FLUTE, seam="outline")
    draw_arm(frame, pose.near_arm, style, seam=style.sleeve[0])
    if kind == "type2":
        draw_shield(frame, pose)


def draw_leg(frame: Frame, joints: tuple[Point, ...], style: Style) -> None:
    """A goat's leg: it bends forward at the knee and back at the hock, and ends in a hoof."""
    thigh = stroke(joints[:2], 3)
    frame.part(thigh | stroke(joints, 2), style.fur)
    x, y = joints[-1]
    frame.fill({(x, y + 1), (x + 1, y + 1)}, "stone_dark")


def draw_arm(frame: Frame, joints: tuple[Point, ...], style: Style, seam: str) -> None:
    """An arm and a hand; the near arm's seam is soft, since it lies on the chest."""
    frame.part(stroke(joints, 2), style.sleeve, seam)
    frame.part(stroke(joints[-1:], 2), style.skin, seam=None)


def draw_body(frame: Frame, kind: str, pose: Pose, style: Style) -> None:
    """The chest and what is worn on it: a sash, a breastplate with a golden belt, or a robe."""
    if kind == "type3":
        return draw_robe(frame, pose, style)
    frame.part(stroke([pose.neck, pose.hip], 4), style.skin if kind == "type1" else style.cloth)
    belt = {(x, y) for x, y in stroke([pose.hip], 4) if y >= pose.hip[1]}
    frame.part(belt, style.cloth if kind == "type1" else ("mustard", "gold", "white"), seam=None)


def draw_robe(frame: Frame, pose: Pose, style: Style) -> None:
    """From the neck it widens to the hem."""
    x, y = pose.neck
    collar = [(x, y + 1), (x, y - 1)] if pose.lying else [(x - 1, y - 1), (x + 2, y - 1)]
    left, right = pose.hem
    frame.part(polygon(*collar, right, left), style.cloth, depth=2)


def draw_head(frame: Frame, kind: str, pose: Pose, style: Style) -> None:
    """Horns and what is worn between them, face, beard."""
    letters = {
        "f": style.fur[0], "F": style.fur[1], "S": style.skin[1], "E": style.skin[0],
        "H": "peach", "h": "mustard",
    }  # fmt: skip
    art = TOPS[kind] + FACES[pose.face] + BEARD
    frame.stamp(pose.head, art, letters, seam="outline", lying=pose.lying)


def draw_blade(frame: Frame, pose: Pose) -> None:
    """The raider's curved blade, with a golden hilt."""
    frame.part(stroke(pose.blade, 2), ("stone", "stone_light", "white"))
    frame.fill(pose.blade[:1], "gold")


def draw_spear(frame: Frame, pose: Pose, style: Style) -> None:
    """The guard's spear, and the hand around it."""
    shaft, (x, y) = stroke(pose.spear), pose.spear[1]
    frame.part(shaft, ("fur", "mustard", "mustard"))
    frame.fill({p for p in shaft if max(abs(p[0] - x), abs(p[1] - y)) <= 2}, "stone_light")
    frame.fill([(x, y)], "white")
    frame.part(stroke(pose.far_arm[-1:], 2), style.skin, seam=None)


def draw_shield(frame: Frame, pose: Pose) -> None:
    """The guard's round shield: a golden rim, a purple field, a golden boss."""
    x, y = pose.shield
    frame.part(ellipse(x, y, x + 6, y + 6), ("mustard", "gold", "white"))
    frame.part(ellipse(x + 1, y + 1, x + 5, y + 5), ("night", "purple", "purple"), seam=None)
    frame.fill([(x + 3, y + 3)], "gold")
