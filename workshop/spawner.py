"""A learner's server: a user of its own, a folder of its own, its share of the memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Bool, Instance, Int, Unicode, default

from workshop.memory import kill_group, limit_process, make_group, remove_group
from workshop.register import Register, RegisterError

LISTENS = "0A"  # a socket's state, in /proc/net/tcp
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")  # of the hub's environment


class LearnerSpawner(LocalProcessSpawner):
    """Behind walls a learner has a user id that nobody else on the machine has, with no account to
    it: no password, no groups, and two folders that nobody else may enter. Root makes those two,
    and writes nothing in them: the learner's own process does."""

    register = Unicode(help="where the register is").tag(config=True)
    homes = Unicode(help="the folder of the learners' folders").tag(config=True)
    runtime = Unicode(help="a folder with a short name, for what lasts as long").tag(config=True)
    memory = Int(1536, help="MiB that a learner may use").tag(config=True)
    walls = Bool(True, help="each learner is a user of their own").tag(config=True)
    ending = Instance(asyncio.Lock, ())

    def number(self) -> int:
        """The learner's user id; without walls it is only a number.

        Raises:
            OSError: they aren't in the register, and have no folder either.
        """
        register = Register(Path(self.register))
        if self.user.name in register.entries:
            return register.number(self.user.name)
        return os.stat(self.home()).st_uid  # somebody took the name out: whose folder it is

    def home(self) -> Path:
        """The learner's folder."""
        return Path(self.homes) / self.user.name

    def scratch(self) -> Path:
        """The learner's folder for sockets and temporary files."""
        return Path(self.runtime) / str(self.number())

    def user_env(self, env: dict) -> dict:
        """What the learner's processes are told, on top of what JupyterHub tells them."""
        home, scratch = str(self.home()), str(self.scratch())
        own = {"HOME": home, "USER": self.user.name, "LOGNAME": self.user.name}
        places = {"JUPYTER_RUNTIME_DIR": scratch, "TMPDIR": scratch, "SHELL": "/bin/sh"}
        return {**env, **own, **places}

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        return list(KEPT)

    def load_state(self, state: dict) -> None:
        """After a restart of the hub, or of the machine: by then the process that had the server's
        number may be somebody else's, which the hub mustn't stop."""
        super().load_state(state)
        if self.pid and self.walls:
            with suppress(psutil.Error, OSError):
                if psutil.Process(self.pid).uids().real == self.number():
                    return
            self.pid = 0

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """What the new process does before it is the learner's server. All that could fail for
        reasons of the hub's is done here, before."""
        number, home = self.number(), self.home()
        for folder in (home, self.scratch()):
            own_folder(folder, number if self.walls else os.geteuid())
        group = make_group(str(number), self.memory) if self.walls else None

        def begin() -> None:
            if group:
                (group / "cgroup.procs").write_text("0")
            else:
                limit_process(self.memory)
            os.umask(0o077)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the hub's is ignored
            if self.walls:
                os.setgroups([])
                os.setgid(number)
                os.setuid(number)
            os.chdir(home)

        return begin

    async def start(self) -> tuple[str, int]:
        """Start the server, and wait until the learner is the one who listens at its port. Whoever
        came before them there could show pages of their own under the learner's address.

        Raises:
            RuntimeError: it ended, somebody else listens, or the learner may not stay any more.
        """
        place, pause = await super().start(), 0.2
        while not await asyncio.to_thread(self.listens):
            if await super().poll() is not None:
                raise RuntimeError(f"{self.user.name}'s server ended at once: see its server.log")
            if not self.may_run():
                raise RuntimeError(f"{self.user.name} has another token")
            await asyncio.sleep(pause)
            pause = min(1.0, 1.5 * pause)  # to look costs the more, the more servers there are
        return place

    def listens(self) -> bool:
        """Whether the server listens: a process of the learner's; without walls, the very process.

        Raises:
            RuntimeError: somebody else listens there.
        """
        if not self.walls:
            return is_listening(self.pid, self.port)
        found = listeners(self.port)
        if found - {self.number()}:
            raise RuntimeError(f"{self.user.name}'s port {self.port} is somebody else's")
        return bool(found)

    async def poll(self) -> int | None:
        """Whether the server runs (None) or how it ended. One that was begun with a token that is
        no good any more is ended here, twice a minute: it needn't be willing to ask."""
        async with self.ending:  # by one of those who ask; the next server mustn't be met by it
            if self.pid and not self.may_run():
                self.log.warning("%s may not stay: their server is ended", self.user.name)
                if self.walls:
                    await asyncio.to_thread(end_all, self.number())
                else:
                    await self._signal(signal.SIGKILL)
            return await super().poll()

    def may_run(self) -> bool:
        """Whether the learner is of the class, and came in with the token that is theirs now."""
        allowed, name = self.authenticator.allowed_users, self.user.name
        try:
            current = Register(Path(self.register)).up_to_date(name)
        except RegisterError:  # damaged: that is nobody's fault who is working
            return True
        return current and (not allowed or name in allowed)

    async def clean(self) -> None:
        """After the server has ended, however it did: end what it left running, free its memory."""
        number = self.number()
        if self.walls:
            async with self.ending:  # or the next server might be met by it
                if not await asyncio.to_thread(end_all, number):
                    self.log.error("something of user %s's goes on running", number)
            shutil.rmtree(self.scratch(), ignore_errors=True)
            for _ in range(50):  # what was killed takes a moment to be gone
                if remove_group(str(number)):
                    break
                await asyncio.sleep(0.1)

    async def move_certs(self, paths: dict) -> dict:
        """The hub and its servers talk on this machine only, without certificates."""
        return paths


def listeners(port: int, net: Path = Path("/proc/net")) -> set[int]:
    """The user ids of all who listen at a port of this machine, under whichever address. Linux
    tells that to everybody; nobody is asked, since who listens needn't answer."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):  # a system without the newer addresses
            for line in (net / table).read_text().splitlines()[1:]:
                _, own, _, state, _, _, _, user, *_ = line.split()
                if state == LISTENS and int(own.rpartition(":")[2], 16) == port:
                    found.add(int(user))
    return found


def is_listening(pid: int, port: int) -> bool:
    """Whether this very process listens at a port of this machine."""
    with suppress(psutil.Error):
        sockets = psutil.Process(pid).net_connections("tcp")
        return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)
    return False


def own_folder(path: Path, number: int) -> None:
    """Make a folder that only this user may enter. One that is there has to be such a folder."""
    try:
        os.mkdir(path, 0o700)
        if os.geteuid() == 0:
            os.chown(path, number, number)
    except FileExistsError:
        try:  # what is opened, not what goes by that name a moment later, is looked at and closed
            there = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            there = None
        try:
            if there is None or os.fstat(there).st_uid != number:
                raise PermissionError(f"{path}: a folder of user {number}'s is expected") from None
            os.fchmod(there, 0o700)  # its owner may have opened it to others
        finally:
            if there is not None:
                os.close(there)


BLOW = """
import os, signal, sys
number = int(sys.argv[1])
os.setgroups([])
os.setgid(number)
os.setuid(number)
try:
    os.kill(-1, signal.SIGKILL)
except ProcessLookupError:  # there is nothing left
    pass
"""


def end_all(number: int, rounds: int = 100) -> bool:
    """Kill every process of a user, and whatever these begin meanwhile. Only for a number of a
    register: root's is refused.

    Root kills those that it sees, which nobody can prevent, but a process that forks may not be
    seen. So one of root's becomes one of the user's and kills all of the user's at one blow (-1:
    all that it may signal); another of them could prevent that only by killing or stopping it in
    the moment between the two. Both are done until nothing is left, which may take a while: the
    hub doesn't wait for it in its own thread.

    Returns:
        Whether nothing is left.
    """
    if number < 1000:
        raise ValueError(f"{number}: no learner has such a number")
    command = [sys.executable, "-I", "-S", "-c", BLOW, str(number)]
    for _ in range(rounds):
        kill_group(str(number))
        for process in processes_of(number):
            with suppress(psutil.Error, ProcessLookupError):
                process.send_signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # it was stopped, and is killed by now
            ran = subprocess.run(command, env={}, cwd="/", check=False, timeout=2,
                                 stderr=subprocess.DEVNULL)  # fmt: skip
            if ran.returncode == 0 and not processes_of(number):
                return True
        time.sleep(0.05)  # what was killed takes a moment to be gone
    return False


def processes_of(number: int) -> list[psutil.Process]:
    """What runs as a user, but for what has ended and waits to be buried."""
    return [
        process
        for process in psutil.process_iter(["uids", "status"])
        if process.info["uids"]
        and process.info["uids"].real == number
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
