"""A hub to test and to measure: the real one, in a folder and on ports of its own, gone after."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import requests

from workshop.hub import forget_runtime
from workshop.memory import remove_group
from workshop.register import Register
from workshop.settings import HERE, ROOT, TEACHER
from workshop.visitor import Visitor

COUNT = itertools.count()  # of rehearsals in this process
STARTING = 300.0  # seconds that a hub may take to answer


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for _ in range(200):
        # below those that the system gives away; drawn by nobody's seed, or two would draw the same
        first = secrets.choice(range(20_000, 32_000))
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind((HERE, port))
            return first
    raise OSError("no free ports")


class Rehearsal:
    """Start a hub; end it and all that it has started on leaving, whatever happens.

    Args:
        settings: HUB_… variables without HUB_, in small letters: most=2.
        folder: of the class; by default one that is removed on leaving.

    Raises:
        RuntimeError: the hub didn't start; what it said.
    """

    def __init__(self, folder: Path | None = None, **settings: str | float):
        self.kept = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="cimg-class-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.port = free_ports(3)
        self.address = f"http://{HERE}:{self.port}"
        # user ids of its own: neither a real class's on the same machine, nor another rehearsal's
        self.first = 10**6 + os.getpid() % 400_000 * 1000 + 100 * (next(COUNT) % 9)
        own = {"folder": self.folder, "port": self.port, "first_number": self.first, **settings}
        if os.geteuid() != 0:
            own["shared_account"] = "yes"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
        self.environment = clean | {f"HUB_{k.upper()}": str(v) for k, v in own.items()}
        self.log = self.folder / "log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.log.touch(mode=0o600)  # all tokens are in it
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workshop"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + STARTING
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(f"{self.address}/hub/health", timeout=5).ok:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the hub didn't start:\n{self.said()}")

    def said(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace")

    def visitors(self) -> list[Visitor]:
        """The learners, with the tokens of the sheet that was printed."""
        told = self.tokens().items()
        return [Visitor(self.address, *line) for line in told if line[0] != TEACHER]

    def tokens(self) -> dict[str, str]:
        """The sheet that was printed."""
        lines = re.findall(r"^  (\S+) +((?:\w{4}-){3}\w{4})$", self.said(), re.MULTILINE)
        return dict(lines)

    def register(self) -> Register:
        """The class's register."""
        return Register(self.folder / "hub" / "register.json")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Tell it to stop, and wait until it has."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def processes(self, number: int | None = None) -> list[psutil.Process]:
        """What runs for one learner, or for all of them, by user id or, without walls, by home."""
        homes, entries = self.folder / "home", self.register().entries
        names = [n for n, entry in entries.items() if number in (None, entry["number"])]
        numbers = {entries[n]["number"] for n in names}
        found = []
        for process in psutil.process_iter(["uids", "environ", "status"]):
            if process.info["status"] == psutil.STATUS_ZOMBIE:  # it has ended
                continue
            uids, environment = process.info["uids"], process.info["environ"] or {}
            if os.geteuid() == 0:
                found += [process] if uids and uids.real in numbers else []
            elif environment.get("HOME") in {str(homes / name) for name in names}:
                found.append(process)
        return found

    def own_processes(self) -> list[psutil.Process]:
        """The hub's own: itself, the proxy, the culler."""
        with suppress(psutil.Error):
            hub = psutil.Process(self.process.pid)
            return [hub, *(p for p in hub.children(recursive=True) if p.uids() == hub.uids())]
        return []

    def left_over(self) -> list[psutil.Process]:
        """What still runs with this class's folder among its settings: a proxy whose hub was
        killed."""
        every = psutil.process_iter(["environ"])
        folder = str(self.folder)
        return [p for p in every if (p.info["environ"] or {}).get("HUB_FOLDER") == folder]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind=None, *_) -> None:
        if kind is not None:  # say what may help to see why
            logs = [self.log, *sorted(self.folder.glob("home/*/server.log"))]
            for log in logs:
                said = log.read_text(errors="replace") if log.exists() else ""
                print(f"--- {log}\n{said[-3000:]}", file=sys.stderr)
        self.stop(signal.SIGKILL)  # nothing of it is to be kept, so nobody is asked to end in order
        left = [*self.processes(), *self.left_over()]
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=30)
        for entry in self.register().entries.values():
            remove_group(str(entry["number"]))
        forget_runtime(self.folder / "hub")
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)
