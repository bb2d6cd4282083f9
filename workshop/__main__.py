"""`make hub`: check the settings, make folders and register, print the sheet, become JupyterHub.

`make hub-tokens ARGS="learner-03 …"` gives another token to those named, or, with none, to all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from workshop.hub import PARTS, python_path
from workshop.register import Register, RegisterError, sheet
from workshop.settings import HERE, ROOT, TEACHER, Settings, SettingsError, read_settings

CONFIG = ROOT / "workshop" / "jupyterhub_config.py"


def address(settings: Settings) -> str:
    """What learners type into their browser."""
    host = "THIS-MACHINE" if settings.ip in ("0.0.0.0", "::") else settings.ip
    return f"{'https' if settings.cert else 'http'}://{host}:{settings.port}"


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
    os.chdir(settings.folder / "hub")
    command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
    os.execve(sys.executable, command, {**os.environ, **own})


def main(arguments: list[str] | None = None) -> None:
    """The commands."""
    parser = argparse.ArgumentParser("python -m workshop", description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", nargs="*", metavar="NAME", help="only give another token")
    names = parser.parse_args(arguments).tokens
    os.umask(0o077)
    try:
        settings = read_settings(os.environ)
        register = prepare(settings)
        if names is not None:
            print(sheet(register.renew(names or list(register.entries)), address(settings)))
            return
        if not (PARTS / "jupyterhub").is_dir():
            raise SettingsError("JupyterHub isn't installed yet: make hub-setup")
        os.environ["HUB_PYTHON"] = find_python(settings)
        tokens = register.add([TEACHER, *settings.learners], settings.first_number)
    except (SettingsError, RegisterError) as error:
        parser.exit(2, f"make hub: {error}\n")
    say(settings, tokens)
    start(settings)


if __name__ == "__main__":
    main()
