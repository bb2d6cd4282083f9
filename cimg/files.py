"""Files: read an ordinary one, if it isn't too large; write one whole, or not at all.

Everything of the course that reads or writes goes this way (weights have a way of their own, in
`checkpoint`). Whatever is wrong is an OSError whose `strerror` says what, for the caller's message.
"""

import errno
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_file(path: str | Path, most: int) -> bytes:
    """All bytes of a file, at most `most` of them.

    Raises:
        OSError: no such file, no permission, a file that is larger, or what is no file at all: a
            folder, or a pipe or device, which might never end.
    """
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not an ordinary file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except ValueError as error:  # a character that no name may have
        raise OSError(errno.EINVAL, str(error)) from error
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


def write_file(path: str | Path, content: bytes) -> None:
    """Replace a file, or make it, in one step: it is written next to its place, then moved.

    A kill at any moment leaves the old file or the new one (and perhaps one that ends in .tmp). A
    link is replaced, not followed.

    Raises:
        OSError: the file can't be written; what was there before is left alone.
    """
    temporary = None
    try:
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)  # of a process that was killed, or put there as a trap
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except ValueError as error:  # a character that no name may have, or no name at all
        raise OSError(errno.EINVAL, str(error)) from error
    finally:
        if temporary:  # moved by now, or never made
            with suppress(OSError, ValueError):
                temporary.unlink()
