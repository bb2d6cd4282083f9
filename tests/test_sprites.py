"""The sheets are what draw.py draws, can be told apart, and a broken one is refused by name."""

import io
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cimg.sprites import (
    FOLDER,
    MARGIN,
    POSES,
    SIZE,
    TRANSPARENT,
    SpriteError,
    load_palette,
    load_sheet,
    load_sheets,
)

CHARACTERS = ("satyr", "golem", "witch")
TYPES = ("type1", "type2", "type3")
FILES = [f"{character}-{kind}.png" for character in CHARACTERS for kind in TYPES]
PALETTE = load_palette()
SHEETS = load_sheets()
FRAMES = torch.stack([SHEETS[c][t] for c in CHARACTERS for t in TYPES])  # [9 sheets, 6 poses, ...]
DRAWN = FRAMES != TRANSPARENT


def smallest_distance(pictures: torch.Tensor) -> int:
    """The fewest pixels in which two of the pictures [n, 24, 24] differ."""
    differing = (pictures[:, None] != pictures[None]).sum((2, 3))
    return int(differing[~torch.eye(len(pictures), dtype=torch.bool)].min())


# The files


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("redrawn")
    script = FOLDER / "draw.py"
    subprocess.run([sys.executable, "-B", script, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_is_what_draw_py_writes_byte_for_byte(name: str, redrawn: Path) -> None:
    assert (redrawn / name).read_bytes() == (FOLDER / name).read_bytes()


def test_the_contact_sheet_shows_the_sheets(redrawn: Path) -> None:
    # Compressed, so its bytes depend on zlib's build; its pixels don't.
    name = "contact-sheet.png"
    with Image.open(FOLDER / name) as ours, Image.open(redrawn / name) as theirs:
        assert ours.tobytes() == theirs.tobytes()
        assert ours.getpalette() == theirs.getpalette()


def test_the_folder_holds_these_sheets_and_no_other_pictures() -> None:
    assert {path.name for path in FOLDER.glob("*.png")} == {*FILES, "contact-sheet.png"}
    assert list(SHEETS) == sorted(CHARACTERS)
    assert all(list(of) == list(TYPES) for of in SHEETS.values())


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_is_indexed_with_the_palette_s_own_indices(name: str) -> None:
    character, kind = name.removesuffix(".png").split("-")
    with Image.open(FOLDER / name) as image:
        assert image.mode == "P"
        assert image.info["transparency"] == TRANSPARENT
        colours = torch.tensor(image.getpalette()[: 3 * TRANSPARENT]).reshape(-1, 3)
        pixels = torch.tensor(list(image.tobytes())).reshape(SIZE, len(POSES), SIZE)
    assert torch.equal(colours, PALETTE.rgb.long())
    assert torch.equal(pixels.transpose(0, 1), SHEETS[character][kind].long())


def test_palette_has_24_colours_and_keeps_the_scene_s_roles() -> None:
    assert PALETTE.rgb.shape == (24, 3) and PALETTE.rgb.dtype == torch.uint8
    assert PALETTE.names[:13] == (
        *("outline", "night", "indigo", "purple", "orange", "pink", "peach"),
        *("sky", "haze", "gold", "white", "pine", "grass"),
    )
    assert PALETTE.rgb[7].tolist() == [0x6F, 0xB7, 0xE9]
    used = FRAMES.unique().tolist()
    assert max(used) == TRANSPARENT


# The drawings


def test_any_two_of_the_54_figures_differ_in_at_least_85_pixels() -> None:
    assert smallest_distance(FRAMES.flatten(0, 1)) >= 85


def test_silhouettes_of_two_poses_of_a_sheet_differ_in_at_least_85_pixels() -> None:
    assert min(smallest_distance(sheet) for sheet in DRAWN) >= 85


def test_silhouettes_of_two_types_differ_by_their_gear() -> None:
    for character in DRAWN.split(3):
        for pose, figures in zip(POSES, character.unbind(1), strict=True):
            assert smallest_distance(figures) >= (8 if pose == "die" else 15)


def test_colours_of_two_types_differ() -> None:
    """Of the pixels that both draw in the same pose, two in seven or more differ."""
    for sheets in FRAMES.split(3):
        for a, b in ((0, 1), (0, 2), (1, 2)):
            both = (sheets[a] != TRANSPARENT) & (sheets[b] != TRANSPARENT)
            share = (sheets[a] != sheets[b])[both].float().mean()
            assert share > 2 / 7


def test_the_golem_is_massive_and_the_satyr_slim() -> None:
    satyrs, golems, _ = DRAWN[:, POSES.index("idle")].split(3)
    assert golems.sum((1, 2)).min() > 1.3 * satyrs.sum((1, 2)).max()
    assert golems.any(1).sum(1).min() >= 20 and satyrs.any(1).sum(1).max() <= 18


def test_the_witch_is_a_cone_under_a_hat() -> None:
    """Wide where a satyr shows two legs; a hat that is wider than what is above and below it."""
    satyrs, _, witches = DRAWN[:, POSES.index("idle")].split(3)
    lower = slice(SIZE - 5, SIZE - 1)
    assert witches[:, lower].sum((1, 2)).min() > satyrs[:, lower].sum((1, 2)).max()
    brim, tip = witches[:, 5:9].sum(2).amax(1), witches[:, 1:3].sum(2).amax(1)
    assert (brim > tip + 4).all()


def test_characters_differ_in_their_silhouettes() -> None:
    """In a bar of the two old ones' own, and in the 85 pixels that hold for any two figures."""
    satyrs, golems, witches = DRAWN[:, POSES.index("idle")].split(3)
    for one, other, least in (satyrs, golems, 100), (satyrs, witches, 85), (golems, witches, 85):
        assert all((a != b).sum() >= least for a in one for b in other)


def test_the_dead_lie_low_and_everyone_else_is_up() -> None:
    height = DRAWN.any(3).sum(2)  # [sheets, poses]
    die = POSES.index("die")
    width = DRAWN[:, die].any(1).sum(1)
    assert height[:, die].max() <= 12 and (width > 1.7 * height[:, die]).all()
    others = [pose for pose in range(len(POSES)) if pose != die]
    assert height[:, others].min() >= 20


def test_an_attack_strikes_to_the_right_at_the_height_of_the_chest() -> None:
    attack, idle = POSES.index("attack"), POSES.index("idle")
    strike = DRAWN[:, attack, 8:15].any(1)
    assert strike[:, 21].all()
    body = DRAWN[:, attack].float().sum(1)
    columns = torch.arange(SIZE)
    middle = (body * columns).sum(1) / body.sum(1)
    upright = DRAWN[:, idle].float().sum(1)
    assert (middle < (upright * columns).sum(1) / upright.sum(1)).all()  # the weight stays behind


def test_the_hurt_lean_back() -> None:
    """Of the hurt, the middle of the head's rows is left of where it is in the idle."""
    columns = torch.arange(SIZE)

    def head(pose: str) -> torch.Tensor:  # the third of the columns that the head fills
        rows = DRAWN[:, POSES.index(pose), 6:12, :14].float().sum(1)
        return (rows * columns[:14]).sum(1) / rows.sum(1)

    assert (head("hurt") < head("idle") - 1).all()


def test_margins_baseline_and_closed_outline() -> None:
    assert not DRAWN[..., :MARGIN].any() and not DRAWN[..., -MARGIN:].any()
    assert not DRAWN[..., :MARGIN, :].any() and DRAWN[..., -1, :].any(-1).all()
    padded = torch.nn.functional.pad(DRAWN, (1, 1, 1, 0))
    padded = torch.cat([padded, padded[..., -1:, :]], -2)  # below row 23 is the ground
    inside = (
        padded[..., :-2, 1:-1] & padded[..., 2:, 1:-1]
        & padded[..., 1:-1, :-2] & padded[..., 1:-1, 2:]
    )  # fmt: skip
    rim = DRAWN & ~inside
    assert (FRAMES[rim] == PALETTE.names.index("outline")).all()


# Broken files


def rgba(name: str = "satyr-type1.png") -> Image.Image:
    with Image.open(FOLDER / name) as image:
        return image.convert("RGBA")


def refusal(image: Image.Image, folder: Path) -> str:
    path = folder / "faun-type1.png"
    image.save(path)
    with pytest.raises(SpriteError) as error:
        load_sheet(path, PALETTE)
    assert str(error.value).startswith("faun-type1.png")
    return str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_rgba_as_editors_save_it_is_the_same_sheet(name: str, tmp_path: Path) -> None:
    character, kind = name.removesuffix(".png").split("-")
    image = rgba(name)
    image.putpixel((0, 0), (1, 2, 3, 0))  # the colour of a clear pixel doesn't matter
    image.save(tmp_path / name)
    sheet = load_sheet(tmp_path / name, PALETTE)
    assert sheet.dtype == torch.uint8 and torch.equal(sheet, SHEETS[character][kind])


def test_foreign_colour_names_pose_pixel_and_hex(tmp_path: Path) -> None:
    image = rgba()
    image.putpixel((60, 12), (200, 50, 61, 255))
    message = refusal(image, tmp_path)
    assert "pose walk, pixel (60, 12)" in message and "found #c8323d" in message


def test_half_transparent_pixel(tmp_path: Path) -> None:
    image = rgba()
    image.putpixel((100, 20), (200, 50, 60, 128))
    message = refusal(image, tmp_path)
    assert "pose hurt, pixel (100, 20)" in message and "found 128" in message


@pytest.mark.parametrize(
    ("pixel", "pose"), [((24, 5), "taunt"), ((23, 5), "attack"), ((130, 0), "idle")]
)
def test_drawn_margin(pixel: tuple[int, int], pose: str, tmp_path: Path) -> None:
    image = rgba()
    image.putpixel(pixel, (27, 20, 38, 255))
    message = refusal(image, tmp_path)
    assert f"pose {pose}, pixel {pixel}" in message and "1 empty pixel" in message


def test_empty_pose(tmp_path: Path) -> None:
    image = rgba()
    image.paste((0, 0, 0, 0), (72, 0, 96, 24))
    assert "pose die: expected a figure, found an empty pose" in refusal(image, tmp_path)


def test_floating_figure(tmp_path: Path) -> None:
    image = rgba()
    image.paste((0, 0, 0, 0), (96, 22, 120, 24))
    message = refusal(image, tmp_path)
    assert "pose hurt" in message and "bottom row, 23" in message and "row 21" in message


def test_wrong_size(tmp_path: Path) -> None:
    message = refusal(rgba().resize((288, 48), Image.Resampling.NEAREST), tmp_path)
    assert "expected 144 x 24 pixels" in message and "found 288 x 48" in message


def test_16_bits_are_not_rounded_to_8(tmp_path: Path) -> None:
    assert "found 16" in refusal(Image.new("I;16", (144, 24)), tmp_path)


def test_animation(tmp_path: Path) -> None:
    path = tmp_path / "faun-type1.png"
    rgba().save(path, save_all=True, append_images=[rgba("golem-type1.png")])
    with pytest.raises(SpriteError, match=r"faun-type1.png: .*found 2 frames"):
        load_sheet(path, PALETTE)


def test_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    """A few hundred bytes that claim 60,000 x 60,000 pixels: never decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    path = tmp_path / "bomb-type1.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x"))
    with pytest.raises(SpriteError, match="bomb-type1.png: .*found 60000 x 60000"):
        load_sheet(path, PALETTE)


@pytest.mark.parametrize("contents", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(40)])
def test_not_a_png(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "faun-type1.png"
    path.write_bytes(contents)
    with pytest.raises(SpriteError, match="faun-type1.png: expected a PNG file"):
        load_sheet(path, PALETTE)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SpriteError, match="faun-type1.png: can't be read"):
        load_sheet(tmp_path / "faun-type1.png", PALETTE)


@pytest.mark.parametrize("length", [30, 60, 300, 1000, 3000])
def test_cut_off_file(length: int, tmp_path: Path) -> None:
    path = tmp_path / "satyr-type1.png"
    path.write_bytes((FOLDER / path.name).read_bytes()[:length])
    with pytest.raises(SpriteError, match="satyr-type1.png: a damaged PNG file"):
        load_sheet(path, PALETTE)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    noise=st.binary(min_size=1, max_size=4),
    place=st.integers(0, 20_000) | st.integers(0, 200),
    compressed=st.booleans(),
)
def test_damage_anywhere_is_refused_or_harmless(
    noise: bytes, place: int, compressed: bool, tmp_path: Path
) -> None:
    """Whatever the bytes, there is a sheet within the palette, or a SpriteError."""
    buffer = io.BytesIO()
    rgba().save(buffer, "PNG", compress_level=9 if compressed else 0)
    contents = bytearray(buffer.getvalue())
    place %= len(contents)
    contents[place : place + len(noise)] = noise
    path = tmp_path / "satyr-type1.png"
    path.write_bytes(contents)
    try:
        sheet = load_sheet(path, PALETTE)
    except SpriteError as error:
        assert str(error).startswith("satyr-type1.png")
    else:
        assert sheet.shape == (6, SIZE, SIZE) and sheet.max() <= TRANSPARENT


# Broken folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("palette.gpl", *FILES):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


def test_a_third_character_of_one_s_own(folder: Path) -> None:
    for kind in TYPES:
        shutil.copy(folder / f"satyr-{kind}.png", folder / f"faun-{kind}.png")
    assert torch.equal(load_sheets(folder)["faun"]["type2"], SHEETS["satyr"]["type2"])


@pytest.mark.parametrize(
    "name", ["faun.png", "Faun-type1.png", "a-b-c.png", "faun-.png", "faun-type1.PNG"]
)
def test_file_name(name: str, folder: Path) -> None:
    shutil.copy(folder / FILES[0], folder / name)
    with pytest.raises(SpriteError, match=f"^{name}: expected a name like satyr-type1.png"):
        load_sheets(folder)


def test_missing_type(folder: Path) -> None:
    (folder / "golem-type2.png").unlink()
    with pytest.raises(SpriteError, match="golem-type2.png is missing .*golem has type1, type3"):
        load_sheets(folder)


def test_folder_without_sheets(folder: Path) -> None:
    for name in FILES:
        (folder / name).unlink()
    with pytest.raises(SpriteError, match="found none"):
        load_sheets(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("GIMP Palette", "JASC-PAL", "palette.gpl, line 1: expected 'GIMP Palette', found 'JASC"),
        ("200  50  60\tred", "300 50 60 red", "line 27: expected red, green, blue"),
        ("200  50  60\tred", "200 50 red", "line 27: expected red, green, blue"),
        ("200  50  60\tred", "200 50 60", "line 27: expected red, green, blue"),
        ("200  50  60\tred", "200 50 60 blue", "line 28: the name or the colour"),
        ("200  50  60\tred", "47 111 208 red", "line 28: the name or the colour"),
        ("200  50  60\tred\n", "", "palette.gpl: expected 24 colours, found 23"),
        ("200  50  60\tred", "200 50 60 red\n1 2 3 ink", "expected 24 colours, found 25"),
    ],
)
def test_palette(old: str, new: str, message: str, folder: Path) -> None:
    path = folder / "palette.gpl"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SpriteError, match=message):
        load_sheets(folder)


@pytest.mark.parametrize("contents", [b"", b"\xff\xfe\x00"])
def test_palette_that_is_no_text(contents: bytes, folder: Path) -> None:
    (folder / "palette.gpl").write_bytes(contents)
    with pytest.raises(SpriteError, match=r"palette\.gpl"):
        load_palette(folder / "palette.gpl")


def test_missing_palette(folder: Path) -> None:
    (folder / "palette.gpl").unlink()
    with pytest.raises(SpriteError, match=r"palette\.gpl: can't be read"):
        load_sheets(folder)
