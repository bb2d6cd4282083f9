"""The course's files out of the package into a folder of one's own."""

import ast
import os
import re
import shutil

import nbformat
import pytest

import rules
from cimg import course
from cimg.course import CourseError, copy_course, main, parts


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "new" / "here"
    written, kept = copy_course(folder)
    assert not kept and sorted(written) == sorted(contents(folder))
    return folder


def test_what_goes_into_the_wheel_is_what_is_copied_out_of_it():
    """setup.py runs before there is a cimg to import, so the list stands in both."""
    tree = ast.parse((course.HERE.parent / "setup.py").read_text(encoding="utf-8"))
    lists = [x for x in tree.body if isinstance(x, ast.Assign) and x.targets[0].id == "COURSE"]
    assert ast.literal_eval(lists[0].value) == course.PARTS


def test_all_notebooks_sprites_and_modules_are_there_byte_for_byte(copied):
    there = contents(copied)
    for path in course.SOURCE.glob("notebooks/**/*.ipynb"):
        if ".ipynb_checkpoints" not in path.parts:
            assert there.pop(path.relative_to(course.SOURCE).as_posix()) == path.read_bytes()
    for path in (course.SOURCE / "sprites").glob("*.png"):
        assert there[f"sprites/{path.name}"] == path.read_bytes()
    for name in ("README.md", "LICENSE", "cimg/world.py", "cimg/worlds/duel.json"):
        assert name in there
    assert not [name for name in there if name.endswith((".tmp", ".pyc"))]


def test_links_of_the_copied_notebooks_lead_somewhere(copied):
    for path in copied.glob("notebooks/**/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                assert rules.links(cell.source, path.parent) == [], path.name


def test_a_learners_work_is_left_alone_and_what_is_missing_comes_back(copied, tmp_path):
    shutil.copytree(copied, folder := tmp_path / "mine")
    own, moved = folder / "notebooks" / "00-start-here.ipynb", folder / "README.md"
    own.write_text("my answers")
    (folder / "notes.txt").write_text("mine too")
    moved.unlink()
    assert copy_course(folder) == (["README.md"], ["notebooks/00-start-here.ipynb"])
    assert own.read_text() == "my answers" and (folder / "notes.txt").read_text() == "mine too"
    assert moved.read_bytes() == (copied / "README.md").read_bytes()
    assert copy_course(folder) == ([], ["notebooks/00-start-here.ipynb"])


@pytest.mark.skipif(os.name != "posix", reason="links need no permission on Linux and macOS")
@pytest.mark.parametrize("part", ["notebooks", "notebooks/solutions", "sprites", "cimg/worlds"])
def test_nothing_is_written_outside_of_the_folder(part, tmp_path):
    (outside := tmp_path / "outside").mkdir()
    link = tmp_path / "mine" / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(CourseError, match="mine: .* there leads somewhere else"):
        copy_course(tmp_path / "mine")
    assert not list(outside.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="links need no permission on Linux and macOS")
def test_a_link_in_the_place_of_a_file_is_left_as_it_is(tmp_path):
    (folder := tmp_path / "mine").mkdir()
    (folder / "README.md").symlink_to(tmp_path / "nowhere")
    written, kept = copy_course(folder)
    assert kept == ["README.md"] and "README.md" not in written
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["file", "file/mine", "a\0b"])
def test_where_no_course_can_be(name, tmp_path):
    (tmp_path / "file").write_text("here before")
    with pytest.raises(CourseError, match="the course can't be copied there"):
        copy_course(tmp_path / name)
    assert (tmp_path / "file").read_text() == "here before"


def test_the_command(tmp_path, capsys):
    main([str(tmp_path / "mine")])
    said = capsys.readouterr().out
    assert re.search(rf"mine: {sum(1 for _ in parts())} files written, 0 left as they are", said)
    assert "Start with: jupyter lab" in said
    (tmp_path / "mine" / "LICENSE").write_text("other")
    main([str(tmp_path / "mine")])
    assert capsys.readouterr().out.startswith("left as it is: LICENSE\n")
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "mine" / "LICENSE")])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
