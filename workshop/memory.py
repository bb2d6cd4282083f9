"""How much memory a learner may use: a control group where there are any, else for each process.

Linux has two kinds of control groups; the older one keeps memory in a tree of its own.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

TREE = Path("/sys/fs/cgroup")
GROUP = "cimg-hub"
MIB = 2**20
MOST_PROCESSES = 1000  # and threads, of one learner


def make_group(name: str, limit: int, tree: Path = TREE) -> Path | None:
    """A control group of that name with a limit in MiB, or None if there can't be one here."""
    newer = (tree / "cgroup.controllers").exists()
    top = tree / GROUP if newer else tree / "memory" / GROUP
    try:
        if newer:
            if "memory" not in (tree / "cgroup.controllers").read_text().split():
                return None
            write(tree / "cgroup.subtree_control", "+memory")
        elif not (tree / "memory" / "memory.limit_in_bytes").exists():
            return None
        group = top / name
        group.mkdir(parents=True, exist_ok=True)
        if newer:
            write(top / "cgroup.subtree_control", "+memory")
        write(group / ("memory.max" if newer else "memory.limit_in_bytes"), str(limit * MIB))
        if newer:  # a learner's processes can't take all numbers that processes may have
            with suppress(OSError):
                write(tree / "cgroup.subtree_control", "+pids")
                write(top / "cgroup.subtree_control", "+pids")
                write(group / "pids.max", str(MOST_PROCESSES))
        with suppress(OSError):  # a system without swap may have no such limit
            swap = (
                ("memory.swap.max", "0") if newer else ("memory.memsw.limit_in_bytes", limit * MIB)
            )
            write(group / swap[0], str(swap[1]))
    except OSError:  # read-only, as in most containers
        return None
    return group


def write(path: Path, text: str) -> None:
    """Into a file of the kernel's: it is never made anew."""
    with open(path, "r+") as file:
        file.write(text)


def remove_group(name: str, tree: Path = TREE) -> bool:
    """Take a group away again. Returns whether it is gone: not while something runs in it."""
    tops = [tree / GROUP, tree / "memory" / GROUP]
    for top in tops:
        for folder in (top / name, top):  # the last one turns out the light
            with suppress(OSError):
                folder.rmdir()
    return not any((top / name).exists() for top in tops)


def killed(name: str, tree: Path = TREE) -> int:
    """How many processes of a group Linux has ended for want of memory."""
    newer, older = tree / GROUP / name, tree / "memory" / GROUP / name
    for path in (newer / "memory.events", older / "memory.oom_control"):
        with suppress(OSError):
            return int(dict(map(str.split, path.read_text().splitlines()))["oom_kill"])
    return 0


def kill_group(name: str, tree: Path = TREE) -> None:
    """Kill all that runs in a group, at one blow; only the newer kind of groups can do that."""
    with suppress(OSError):
        write(tree / GROUP / name / "cgroup.kill", "1")


def limit_process(limit: int) -> None:
    """For this process and, each for itself, those it starts: a limit of its own data in MiB."""
    resource.setrlimit(resource.RLIMIT_DATA, (limit * MIB, limit * MIB))
