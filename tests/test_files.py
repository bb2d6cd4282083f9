"""Reading at most so much of an ordinary file; writing whole or not at all."""

import os
import threading

import pytest

from cimg.files import new_folder, put_between, read_file, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes and devices")


def test_there_and_back(tmp_path):
    path = tmp_path / "a"
    write_file(path, b"12345")
    assert read_file(path, 5) == read_file(str(path), 500) == b"12345"
    write_file(str(path), b"")
    assert read_file(path, 0) == b""
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_file_that_is_larger_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room: a hole
    with pytest.raises(OSError) as error:
        read_file(path, 1000)
    assert error.value.strerror == "larger than 1,000 bytes"


@posix  # elsewhere the system says it in other words
@pytest.mark.parametrize(
    "name, why",
    [
        ("none", "No such file or directory"),
        ("folder", "Is a directory"),
        ("a\0b", "no name that a file can have"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, why):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as error:
        read_file(tmp_path / name, 1000)
    assert error.value.strerror == why


@posix
@pytest.mark.parametrize("link", [False, True])
def test_pipes_and_devices_are_no_files(tmp_path, link):
    """One that nobody writes to would be waited for, the other never ends."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        if link:
            os.symlink(path, there := tmp_path / f"link-{os.path.basename(path)}")
            path = there
        with pytest.raises(OSError) as error:
            read_file(path, 1000)
        assert error.value.strerror == "not an ordinary file"


@posix
@pytest.mark.parametrize(
    "name, why",
    [
        ("no/a", "No such file or directory"),
        ("file/a", "Not a directory"),
        ("folder", "Is a directory"),
        ("a\0b", "no name that a file can have"),
        ("", "no name that a file can have"),
    ],
)
def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path, monkeypatch, name, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("here before")
    with pytest.raises(OSError) as error:
        write_file(name, b"x")
    assert error.value.strerror == why
    assert {p.name for p in tmp_path.iterdir()} == {"folder", "file"}
    assert (tmp_path / "file").read_text() == "here before"


@posix
@pytest.mark.parametrize("name", ["a", "a/new", "a\0b"])
def test_a_folder_is_not_made_where_links_go_in_a_ring_or_with_no_name(tmp_path, name):
    os.symlink("b", tmp_path / "a")
    os.symlink("a", tmp_path / "b")
    with pytest.raises(OSError) as error, new_folder(tmp_path / name):
        pass
    assert error.value.strerror and sorted(os.listdir(tmp_path)) == ["a", "b"]


@posix
def test_a_link_is_replaced_and_not_followed(tmp_path):
    (outside := tmp_path / "outside").write_text("here before")
    (folder := tmp_path / "folder").mkdir()
    os.symlink(outside, folder / "a")
    trap = folder / f".a.{os.getpid()}.tmp"  # the name under which it will be written at first
    os.symlink(outside, trap)
    write_file(folder / "a", b"new")
    assert outside.read_text() == "here before"
    assert (folder / "a").read_bytes() == b"new" and not (folder / "a").is_symlink()
    assert not os.path.lexists(trap)


@posix  # Windows replaces no file that is being read
def test_whoever_reads_meanwhile_sees_the_old_or_the_new(tmp_path):
    path, seen, stop = tmp_path / "a", set(), threading.Event()
    write_file(path, b"0" * 100_000)

    def look():
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(200):
        write_file(path, bytes([48 + i % 2]) * 100_000)
    stop.set()
    reader.join()
    assert seen <= {b"0" * 100_000, b"1" * 100_000}


def test_lines_are_put_between_two_marks():
    assert put_between("a\n[\nold\n]\nb", "[", "]", "new") == "a\n[\nnew\n]\nb"
    for text in ("a\n[\nno end", "a\n]\n[\n", "nothing"):
        with pytest.raises(ValueError, match=r"expected the lines '\[' and '\]'"):
            put_between(text, "[", "]", "new")
