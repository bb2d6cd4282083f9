"""The witch: a cone of cloth under a cone of hat, a long nose, long hair.

type1 is the broom witch (green skin, purple, a broom), type2 the toadstool witch (a dotted cap, a
flask that glows), type3 the star witch (a tall hat, a white gown, a wand). All three share the
poses below.
"""

from dataclasses import dataclass

from rig import Frame, Point, Ramp, polygon, stroke


@dataclass(frozen=True)
class Pose:
    """Where the parts are. "near" is the side toward us, "far" the side away from us."""

    head: Point  # top left corner of the pixel map of hat and face
    gown: tuple[Point, ...]  # corners, clockwise from the left shoulder
    near_arm: tuple[Point, ...]  # shoulder, elbow, hand
    far_arm: tuple[Point, ...]
    feet: tuple[Point, Point]  # each the left one of three pixels
    broom: tuple[Point, Point, Point]  # end of the shaft, where the twigs are bound, their tips
    flask: Point  # top left corner
    wand: Point  # the star's top left corner; the stick runs to the far hand
    face: str
    lying: bool = False


POSES = {
    "idle": Pose(
        head=(5, 2), gown=((9, 12), (12, 12), (16, 21), (5, 21)),
        near_arm=((8, 13), (7, 15), (9, 17)), far_arm=((13, 13), (15, 15), (17, 14)),
        feet=((7, 22), (12, 22)), broom=((18, 22), (18, 8), (18, 4)), flask=(16, 9),
        wand=(17, 7), face="calm",
    ),
    "walk": Pose(
        head=(8, 2), gown=((12, 12), (14, 12), (17, 20), (4, 21)),
        near_arm=((11, 13), (13, 15), (16, 15)), far_arm=((14, 13), (17, 13), (19, 12)),
        feet=((4, 22), (15, 22)), broom=((20, 11), (6, 16), (3, 17)), flask=(17, 8),
        wand=(17, 4), face="calm",
    ),
    "attack": Pose(
        head=(2, 4), gown=((6, 14), (9, 14), (14, 21), (2, 21)),
        near_arm=((5, 15), (4, 17), (6, 19)), far_arm=((9, 15), (13, 15), (15, 13)),
        feet=((3, 22), (13, 22)), broom=((8, 16), (17, 12), (20, 11)), flask=(17, 9),
        wand=(17, 8), face="angry",
    ),
    "taunt": Pose(
        head=(6, 4), gown=((10, 14), (13, 14), (18, 20), (8, 21)),
        near_arm=((9, 15), (5, 13), (3, 9)), far_arm=((14, 15), (17, 13), (18, 10)),
        feet=((8, 22), (17, 21)), broom=((18, 14), (19, 6), (19, 3)), flask=(17, 4),
        wand=(17, 2), face="cheeky",
    ),
    "hurt": Pose(
        head=(2, 3), gown=((6, 13), (9, 13), (19, 19), (8, 21)),
        near_arm=((6, 14), (4, 16), (2, 18)), far_arm=((10, 14), (14, 12), (17, 10)),
        feet=((8, 22), (18, 20)), broom=((13, 14), (19, 6), (20, 3)), flask=(17, 5),
        wand=(17, 4), face="hurt",
    ),
    "die": Pose(
        head=(2, 14), gown=((12, 17), (20, 15), (20, 22), (12, 21)),
        near_arm=((12, 20), (15, 20), (18, 20)), far_arm=((13, 18), (15, 16), (16, 15)),
        feet=((19, 16), (19, 20)), broom=((12, 14), (17, 14), (20, 14)), flask=(16, 17),
        wand=(15, 13), face="dead", lying=True,
    ),
}  # fmt: skip

# Hats and faces are pixel maps of one width, laid one above the other.
# A, B, C: the hat in shadow, plain, lit; H, h: hair; S: skin; the others are those of rig.LETTERS.
HATS = {
    "type1": """
        .ABC.......
        .AABBC.....
        ...ABBC....
        ...AABBC...
        ..AAyyyyC..
        AABBBBBBBCC""",
    "type2": """
        ...rrrr....
        .drwrrrrr..
        .drrrrwrrr.
        ddrwrrrrrwr
        ddrrrrwrrrr
        ..SeeeeeS..""",
    "type3": """
        ....AC.....
        ....AC.....
        ...AAyC....
        ...AyBC....
        ..AABByC...
        .yyyyyyyyy.""",
}
FACES = {
    "calm": """
        .HhSSSkSk..
        .HHhSSkSkS.
        .HHhSSSSSSS
        ..HHSSddS..""",
    "angry": """
        .HhSSkkSkk.
        .HHhSwkSwkS
        .HHhSSSSSSS
        ..HHSwkwS..""",
    "cheeky": """
        .HhSSkSSSS.
        .HHhSkSkkS.
        .HHhSSSSSSS
        ..HHSddqqq.""",
    "hurt": """
        .HhSSkSkSS.
        .HHhSSkSkS.
        .HHhSSSSSSS
        ..HHSSkkS..""",
    "dead": """
        .HhSSkSkSk.
        .HHhSSkSSk.
        .HHhSSkSkSk
        ..HHSSkkS..""",
}
FLASK = """
    .FF..
    .zz..
    zGGw.
    GGGGw
    gGyGG
    .gGG."""
STAR = """
    ..y..
    yywyy
    .yyy.
    .y.y."""


@dataclass(frozen=True)
class Style:
    """The colours of one type; each ramp is dark, plain, lit."""

    skin: Ramp
    hair: tuple[str, str]
    hat: Ramp
    gown: Ramp
    sleeve: Ramp


STYLES = {
    "type1": Style(
        ("pine", "grass", "grass"), ("red", "orange"), ("night", "purple", "pink"),
        ("indigo", "purple", "purple"), ("night", "indigo", "purple"),
    ),
    "type2": Style(
        ("fur", "skin", "peach"), ("stone", "white"), ("red_dark", "red", "red"),
        ("pine", "pine", "grass"), ("fur_dark", "fur", "mustard"),
    ),
    "type3": Style(
        ("skin", "peach", "white"), ("night", "indigo"), ("night", "indigo", "blue"),
        ("sky", "haze", "white"), ("indigo", "blue", "sky"),
    ),
}  # fmt: skip


def draw(frame: Frame, kind: str, pose_name: str) -> None:
    """Draws one witch, from what is farthest away to what is nearest."""
    pose, style = POSES[pose_name], STYLES[kind]
    if kind == "type1":
        draw_broom(frame, pose)
    if kind == "type3":
        draw_wand(frame, pose)
    draw_arm(frame, pose.far_arm, style, seam="outline")
    for x, y in pose.feet:
        frame.fill({(x, y), (x + 1, y), (x + 2, y)}, "fur_dark")
    frame.part(polygon(*pose.gown), style.gown, depth=2)
    draw_head(frame, kind, pose, style)
    if kind == "type2":
        frame.stamp(pose.flask, FLASK, seam="outline")
    draw_arm(frame, pose.near_arm, style, seam=style.sleeve[0])


def draw_arm(frame: Frame, joints: tuple[Point, ...], style: Style, seam: str) -> None:
    """A wide sleeve, and a hand."""
    frame.part(stroke(joints, 2) | stroke(joints[1:2], 3), style.sleeve, seam)
    frame.part(stroke(joints[-1:], 2), style.skin, seam=None)


def draw_head(frame: Frame, kind: str, pose: Pose, style: Style) -> None:
    """Hat, hair and face. On the ground the brim is bent: the outer columns aren't drawn."""
    letters = {"S": style.skin[1], "h": style.hair[0], "H": style.hair[1]}
    letters |= dict(zip("ABC", style.hat, strict=True))
    rows = (HATS[kind] + FACES[pose.face]).split()
    art = " ".join(row[1:-1] if pose.lying else row for row in rows)
    frame.stamp(pose.head, art, letters, seam="outline", lying=pose.lying)


def draw_broom(frame: Frame, pose: Pose) -> None:
    """A long shaft and a bundle of twigs, bound in red."""
    end, bound, tips = pose.broom
    frame.part(stroke([end, bound]), ("fur", "skin", "skin"))
    frame.part(stroke([bound, tips], 3), ("fur", "mustard", "gold"))
    frame.fill([bound], "red")


def draw_wand(frame: Frame, pose: Pose) -> None:
    """A stick with a star on it."""
    x, y = pose.wand
    frame.part(stroke([pose.far_arm[-1], (x + 2, y + 2)]), ("fur", "skin", "skin"))
    frame.stamp((x, y), STAR, seam="outline")
