"""`make hub`: check the settings, make folders and register, print the sheet, become JupyterHub.

`make hub-tokens ARGS="learner-03 …"` gives another token to those named, or, with none, to all.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from cimg.files import write_file
from workshop.hub import PARTS, address_of, python_path
from workshop.register import Register, RegisterError, sheet
from workshop.settings import (
    CLASS,
    HERE,
    PATHS,
    ROOT,
    TEACHER,
    Settings,
    SettingsError,
    check_accounts,
    read_settings,
)

CONFIG = ROOT / "workshop" / "jupyterhub_config.py"
RUNNING = 3  # the exit code of --running, if there is one
ADDRESS, LOCK, LOG = "address", "lock", "log"  # in the hub's folder


def address(settings: Settings) -> str:
    """What learners type into their browser."""
    anywhere = settings.ip in ("0.0.0.0", "::")
    host = settings.domain or ("THIS-MACHINE" if anywhere else settings.ip)
    return address_of(settings, host)


def last_address(settings: Settings) -> str:
    """Where the hub of this class was started last, perhaps with other settings than these."""
    with suppress(OSError, UnicodeError):
        return (settings.folder / "hub" / ADDRESS).read_text(encoding="utf-8")
    return address(settings)


def prepare(settings: Settings) -> Register:
    """The class's folder: all may pass through, nobody but the hub may look in.

    Raises:
        SettingsError: it can't be made, or is somebody else's.
    """
    try:
        for folder, mode in ((".", 0o711), ("home", 0o711), ("hub", 0o700)):
            path = settings.folder / folder
            path.mkdir(mode=mode, parents=True, exist_ok=True)
            if path.is_symlink() or path.stat().st_uid != os.geteuid():
                raise PermissionError(f"{path} is somebody else's")
            path.chmod(mode)
    except OSError as error:
        raise SettingsError(f"HUB_FOLDER={settings.folder}: {error}") from error
    return Register(settings.folder / "hub" / "register.json")


def running(own: Path) -> str:
    """That a hub of this class is running, or nothing."""
    try:
        lock = os.open(own / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # there has been none
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        number = os.read(lock, 20).decode(errors="replace")
        kill = f"{'sudo ' * (os.geteuid() == 0)}kill {number}"
        return (
            f"the hub of this class is running already, as process {number}; to stop it: {kill}. "
            "Another class needs another HUB_FOLDER, HUB_PORT and HUB_FIRST_NUMBER"
        )
    except OSError:  # a folder that knows no locks
        return ""
    finally:
        os.close(lock)
    return ""


def be_the_only_one(own: Path) -> None:
    """Hold the lock of the class's hub, which ends with this process, however that ends. A second
    hub would end the first one's proxy, and remove the folders of its learners' sockets.

    Raises:
        SettingsError: a hub of this class is running.
    """
    try:
        lock = os.open(own / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        said = running(own) or f"{own / LOCK} can't be locked: {error}"
        raise SettingsError(said) from error
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.set_inheritable(lock, True)  # by JupyterHub, which this process becomes; not by its children


def outlive_the_terminal(log: Path) -> None:
    """A window that is closed, a connection that is lost, mustn't end the class. What the hub has
    to say goes into a file, since to write to a terminal that is gone would end its proxy."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # JupyterHub leaves that as it is
    if sys.stdout.isatty() or sys.stderr.isatty():
        print(f"It goes on if this window is closed. What it has to say: {log}", flush=True)
        there = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        for stream in (1, 2):
            os.dup2(there, stream)
        os.close(there)


def problem_with(python: str, settings: Settings) -> str:
    """Why a learner couldn't use the course with this Python, or nothing."""
    number = settings.first_number
    learner = {"user": number, "group": number, "extra_groups": []} if settings.walls else {}
    places = [str(settings.folder / "home"), str(ROOT / "notebooks" / "00-start-here.ipynb")]
    test = (
        "import os, sys, jupyterhub, cimg.course, torch; [os.stat(p) for p in sys.argv[1:]]; "
        "print(*sys.version_info[:2])"
    )
    environment = {"PYTHONPATH": os.pathsep.join(python_path()), "PATH": os.environ["PATH"]}
    try:
        ran = subprocess.run(
            [python, "-c", test, *places], **learner, cwd="/", env=environment,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if ran.returncode:
        return ran.stderr.strip().rpartition("\n")[2] or f"it ended with {ran.returncode}"
    version = " ".join(map(str, sys.version_info[:2]))
    return "" if ran.stdout.strip() == version else f"Python {ran.stdout.strip()}, not {version}"


def find_python(settings: Settings) -> str:
    """A Python that learners can use: the course's own, or the system's of the same version.

    Raises:
        SettingsError: there is none, or the one that was named isn't one.
    """
    version = "{}.{}".format(*sys.version_info)
    system = [f"{folder}/python{version}" for folder in ("/usr/bin", "/usr/local/bin")]
    tried = [settings.python] if settings.python else [sys.executable, *system]
    problems = []
    for python in tried:
        problem = problem_with(python, settings)
        if not problem:
            return python
        problems.append(f"  {python}: {problem}")
    raise SettingsError(
        f"learners couldn't use the course in {ROOT} with any of these:\n"
        + "\n".join(problems)
        + "\nCourse and Python have to be where every user may read, not in root's own folder: "
        f"move the course (to /srv, say), or name another Python {version}: HUB_PYTHON=…"
    )


def say(settings: Settings, tokens: dict[str, str]) -> None:
    """The sheet, and what holds on this machine."""
    if tokens:
        print(sheet(tokens, address(settings)))
        print(
            "\nThis sheet is kept nowhere: print it now. Another token: make hub-tokens ARGS=name"
        )
        print(f"{TEACHER} may start and stop every server: keep that line to yourself.\n")
    else:
        print("Everybody has their token already. Another one: make hub-tokens ARGS=name")
    print(f"The hub is at {address(settings)} (to stop it: Ctrl-C here).")
    print(f"Places: {settings.most} at a time, {settings.memory} MiB each. Work: {settings.folder}")
    if not settings.walls:
        print(
            "NO WALLS: every learner's code runs as you, and can read and change all that you can."
        )
    if settings.ip != HERE and not settings.cert:
        print("NO HTTPS: whoever shares the network can read every token.")
    sys.stdout.flush()


def start(settings: Settings) -> None:
    """Become JupyterHub, which stops by itself when it is told to."""
    own = {"PYTHONPATH": os.pathsep.join(python_path()), "PYTHONDONTWRITEBYTECODE": "1"}
    own |= {k: os.path.abspath(os.environ[k]) for k in PATHS if os.environ.get(k)}  # it reads them
    os.chdir(settings.folder / "hub")
    command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
    os.execve(sys.executable, command, {**os.environ, **own})


def main(arguments: list[str] | None = None) -> None:
    """The commands."""
    parser = argparse.ArgumentParser("python -m workshop", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", nargs="*", metavar="NAME", help="only give another token")
    parser.add_argument("--running", action="store_true", help="only say whether there is a hub")
    options = parser.parse_args(arguments)
    names = options.tokens
    os.umask(0o077)
    if options.running:
        folder = Path(os.environ.get("HUB_FOLDER") or CLASS)
        if said := running(folder / "hub"):
            print(f"make hub: {said}")
            parser.exit(RUNNING)
        return
    try:
        settings = read_settings(os.environ)
        register = prepare(settings)
        if names is not None:
            print(sheet(register.renew(names or list(register.entries)), last_address(settings)))
            return
        be_the_only_one(settings.folder / "hub")
        if not (PARTS / "jupyterhub").is_dir():
            raise SettingsError("JupyterHub isn't installed yet: make hub-setup")
        os.environ["HUB_PYTHON"] = find_python(settings)
        register = Register(register.path)  # another token may have been given meanwhile
        names = [TEACHER, *settings.learners]
        if settings.walls:
            check_accounts(register.plan(names, settings.first_number))
        tokens = register.add(names, settings.first_number)
    except (SettingsError, RegisterError) as error:
        parser.exit(2, f"make hub: {error}\n")
    write_file(settings.folder / "hub" / ADDRESS, address(settings).encode())
    say(settings, tokens)
    outlive_the_terminal(settings.folder / "hub" / LOG)
    start(settings)


if __name__ == "__main__":
    main()
