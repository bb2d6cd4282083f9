"""Files: read an ordinary one, if it isn't too large; write one whole, or not at all; folders too.

Everything of the course that reads or writes goes this way (weights have a way of their own, in
`checkpoint`). Whatever is wrong is an OSError whose `strerror` says what, for the caller's message.
"""

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from filecmp import cmpfiles
from pathlib import Path
from typing import Any

NO_NAME = "no name that a file can have"  # none at all, say, or one with a null character
LEFT_BY_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini"}


def path_of(thing: Any, wrong: type[Exception] | None = None) -> Path:
    """A path, if it is one. (To `open`, a number is a file that is open already: 1 is the output.)

    Raises:
        OSError, or `wrong`: neither text nor a path.
    """
    try:
        return Path(thing)
    except TypeError:
        said = f"expected a path, found {type(thing).__name__}"
        raise (wrong(said) if wrong else OSError(errno.EINVAL, said)) from None


def read_file(path: str | Path, most: int) -> bytes:
    """All bytes of a file, at most `most` of them.

    Raises:
        OSError: no path, no such file, no permission, a file that is larger, or what is no file at
            all: a folder, or a pipe or device, which might never end.
    """
    path = path_of(path)
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not an ordinary file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except ValueError as error:
        raise OSError(errno.EINVAL, NO_NAME) from error
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most:,} bytes")
    return content


def read_object(path: str | Path, most: int) -> dict[str, Any]:
    """What a JSON file (UTF-8) holds, if that is one object.

    Raises:
        ValueError: as `read_file`, or text that isn't JSON, or another thing than an object.
    """
    try:
        found = json.loads(read_file(path, most).decode())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply") from error
    except ValueError as error:  # also what isn't UTF-8, and a number of too many digits
        raise ValueError(f"{path}: not JSON: {error}") from error
    if (kind := type(found).__name__) != "dict":
        raise ValueError(f"{path}: expected an object, found {kind}")
    return found


def put_between(text: str, start: str, end: str, new: str) -> str:
    """A text with these lines between its two marks, in place of what was there.

    Raises:
        ValueError: the text lacks one of the marks, or they are the wrong way round.
    """
    head, found, rest = text.partition(start)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"expected the lines {start!r} and {end!r}")
    return f"{head}{start}\n{new}\n{end}{tail}"


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder to be filled; it takes its place when it is full, or not at all.

    A kill at any moment leaves no folder or a full one (and perhaps one that ends in .tmp).

    Raises:
        OSError: it can't be made; or something is in its place already, which is left as it is,
            other than a folder with the very same files.
    """
    place = path_of(path)
    try:
        place = place.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
        temporary.mkdir()
    except ValueError as error:
        raise OSError(errno.EINVAL, NO_NAME) from error
    except RuntimeError as error:  # Python 3.11 and 3.12, of links in a ring
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    try:
        yield temporary
        if not os.path.lexists(place):
            os.rename(temporary, place)
        elif not place.is_dir() or not same_files(temporary, place):
            raise OSError(errno.EEXIST, "it is there already: remove it, or name another")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # moved by now, or not wanted any more


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold files of the same names and contents, and nothing else but what
    systems put there by themselves."""
    names, others = (sorted({*os.listdir(folder)} - LEFT_BY_SYSTEMS) for folder in (one, other))
    links = any((other / name).is_symlink() for name in others)
    return names == others and not links and cmpfiles(one, other, names, False)[0] == names


def write_file(path: str | Path, content: bytes) -> None:
    """Replace a file, or make it, in one step: it is written next to its place, then moved.

    A kill at any moment leaves the old file or the new one (and perhaps one that ends in .tmp). A
    link is replaced, not followed.

    Raises:
        OSError: no path, or a file that can't be written; what was there before is left alone.
    """
    path, temporary = path_of(path), None
    try:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)  # of a process that was killed, or put there as a trap
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except ValueError as error:
        raise OSError(errno.EINVAL, NO_NAME) from error
    finally:
        if temporary:  # moved by now, or never made
            with suppress(OSError, ValueError):
                temporary.unlink()
