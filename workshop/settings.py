"""What a teacher may set for `make hub`, read from HUB_… variables, refused where unsafe."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cimg.trial import built_for_cards

ROOT = Path(__file__).resolve().parent.parent
CLASS = ROOT / "workshop" / "class"
HERE = "127.0.0.1"
SUBORDINATE = Path("/etc/subuid")  # user ids that somebody's containers use
FIRST_NUMBER = 300_000  # user ids that systemd's list of ids leaves unused
MOST_LEARNERS = 1_000
MIB = 2**20
SHARE = 1536  # MiB for each learner: the heaviest notebook and the server, or two others
SHARE_FOR_CARDS = 2560  # with PyTorch's build for NVIDIA's cards: each kernel takes 500 more
RESERVE = 2048  # MiB for the hub itself and the system
LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"  # of a domain
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
TEACHER = "teacher"
KNOWN = {
    *("HUB_LEARNERS", "HUB_NAMES", "HUB_IP", "HUB_PORT", "HUB_CERT", "HUB_KEY", "HUB_PLAIN"),
    "HUB_DOMAIN",
    *("HUB_MOST", "HUB_STARTS", "HUB_MEMORY", "HUB_IDLE", "HUB_FOLDER", "HUB_PYTHON"),
    *("HUB_FIRST_NUMBER", "HUB_SHARED_ACCOUNT"),
}
PATHS = ("HUB_NAMES", "HUB_CERT", "HUB_KEY", "HUB_FOLDER", "HUB_PYTHON")


class SettingsError(ValueError):
    """A setting that is wrong, or that would be unsafe."""


@dataclass(frozen=True)
class Settings:
    """Checked settings. Memory in MiB, idle in minutes."""

    learners: tuple[str, ...]
    ip: str
    port: int  # of the page; the two after it are the hub's own, on this machine only
    cert: str
    key: str
    domain: str  # learners' servers answer at names below it; if empty, all at one address
    most: int  # servers at a time
    starts: int  # servers starting at a time
    memory: int  # for each learner
    idle: float
    folder: Path
    python: str  # runs the learners' servers; if empty, one is looked for
    first_number: int
    walls: bool  # each learner is a user of their own to the system


def whole(values: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number between two bounds."""
    text = values.get(name) or str(default)
    number = int(text) if re.fullmatch(r"\d{1,9}", text) else -1
    if not least <= number <= most:
        raise SettingsError(f"{name}={text}: a whole number from {least} to {most} is expected")
    return number


def yes(values: Mapping[str, str], name: str) -> bool:
    """A statement that only `yes` makes."""
    text = values.get(name) or ""
    if text not in ("", "yes"):
        raise SettingsError(f"{name}={text}: only {name}=yes is understood")
    return text == "yes"


def read_names(values: Mapping[str, str]) -> tuple[str, ...]:
    """The learners' names: of a file, a name a line, or learner-01, learner-02, …"""
    path = values.get("HUB_NAMES")
    if not path:
        count = whole(values, "HUB_LEARNERS", 20, 1, MOST_LEARNERS)
        return tuple(f"learner-{i:02d}" for i in range(1, count + 1))
    if values.get("HUB_LEARNERS"):
        raise SettingsError("HUB_NAMES and HUB_LEARNERS: give one of them")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(f"HUB_NAMES={path}: can't be read: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    for number, name in enumerate(names, 1):
        if not NAME.fullmatch(name) or name == TEACHER:
            raise SettingsError(
                f"{path}, name {number}: {name!r}: 1 to 31 of a-z, 0-9 and -, a letter first, "
                f"and not {TEACHER!r}"
            )
    if not 1 <= len(set(names)) == len(names) <= MOST_LEARNERS:
        raise SettingsError(
            f"{path}: {len(names)} names, {len(set(names))} different: from 1 to {MOST_LEARNERS} "
            "are expected, each once"
        )
    return tuple(names)


def check_address(values: Mapping[str, str]) -> tuple[str, str, str]:
    """Address, certificate and key. Other machines get in by https, or by an explicit statement."""
    ip = values.get("HUB_IP") or HERE
    if not re.fullmatch(r"[0-9a-fA-F.:]{2,45}", ip):
        raise SettingsError(
            f"HUB_IP={ip}: an address is expected, 0.0.0.0 for all of this machine's"
        )
    cert, key = values.get("HUB_CERT") or "", values.get("HUB_KEY") or ""
    if bool(cert) != bool(key):
        raise SettingsError("HUB_CERT and HUB_KEY belong together: one is missing")
    for name, path in (("HUB_CERT", cert), ("HUB_KEY", key)):
        if path and not os.path.isfile(path):
            raise SettingsError(f"{name}={path}: no such file")
    plain = yes(values, "HUB_PLAIN")
    if ip != HERE and not cert and not plain:
        raise SettingsError(
            f"HUB_IP={ip}: other machines could reach the hub, and whoever shares their network "
            "could read every token and take over every learner's session. Give a certificate: "
            "HUB_CERT=… HUB_KEY=… (workshop/README.md says how), or, in a network that you trust "
            "wholly, say so: HUB_PLAIN=yes"
        )
    return ip, cert, key


def has_walls(values: Mapping[str, str]) -> bool:
    """Whether each learner can be a user of their own; where not, the teacher has to say: go on."""
    shared = yes(values, "HUB_SHARED_ACCOUNT")
    if sys.platform == "linux" and os.geteuid() == 0:
        if shared:
            raise SettingsError("HUB_SHARED_ACCOUNT=yes isn't needed: this is root, on Linux")
        return True
    if not shared:
        raise SettingsError(
            "Only root, on Linux, can keep the learners' files apart. Start it with sudo. Without, "
            "every learner's code runs as you: it can read and change your files, the other "
            "learners' and the hub's own. Among people who may do all that: HUB_SHARED_ACCOUNT=yes"
        )
    return False


def check_numbers(first: int) -> None:
    """Nobody else on the machine, and nobody's containers, may have one of the learners' user ids:
    they would share their files."""
    import pwd  # not on Windows

    last = first + 2 * MOST_LEARNERS
    taken = [(entry.pw_uid, 1, f"{entry.pw_name}'s") for entry in pwd.getpwall()]
    with suppress(OSError):
        for line in SUBORDINATE.read_text(encoding="utf-8").splitlines():
            if found := re.fullmatch(r"([^:]+):(\d+):(\d+)", line):
                taken.append((int(found[2]), int(found[3]), f"{found[1]}'s, for containers"))
    for start, count, whose in taken:
        if start <= last and first < start + count:
            raise SettingsError(
                f"HUB_FIRST_NUMBER={first}: user ids {first} to {last} must not be anybody's; "
                f"{start}{f' to {start + count - 1}' * (count > 1)} is {whose}"
            )


def usual_share() -> int:
    """MiB for each learner, unless told otherwise."""
    return SHARE_FOR_CARDS if built_for_cards() else SHARE


def check_accounts(numbers: Mapping[str, int]) -> None:
    """Nobody has one of the learners' user ids. Accounts that a network keeps aren't in the list
    that `check_numbers` reads, but are found if they are asked for one by one.

    Raises:
        SettingsError: somebody has.
    """
    import grp  # neither on Windows
    import pwd

    for name, number in numbers.items():
        for look_up in (pwd.getpwuid, grp.getgrgid):
            with suppress(KeyError):
                raise SettingsError(
                    f"{number} is to be {name}'s user id, and is {look_up(number)[0]}'s already: "
                    "another HUB_FIRST_NUMBER, and another HUB_FOLDER"
                )


def read_settings(values: Mapping[str, str]) -> Settings:
    """The settings in an environment.

    Raises:
        SettingsError: a HUB_… variable that isn't known, a value that is no such value, or unsafe.
    """
    unknown = sorted(k for k in values if k.startswith("HUB_") and k not in KNOWN)
    if unknown:
        raise SettingsError(f"{unknown[0]} is no setting; there are: {', '.join(sorted(KNOWN))}")
    memory = whole(values, "HUB_MEMORY", usual_share(), 512, 10**6)
    fits = max(1, (psutil.virtual_memory().total // MIB - RESERVE) // memory)
    fits, starts = min(fits, MOST_LEARNERS + 1), min(4 * (os.cpu_count() or 1), MOST_LEARNERS)
    names = read_names(values)
    ip, cert, key = check_address(values)
    idle = values.get("HUB_IDLE") or "60"
    if not re.fullmatch(r"\d{1,5}(\.\d{1,3})?", idle) or float(idle) == 0:
        raise SettingsError(f"HUB_IDLE={idle}: minutes are expected, 60 say")
    domain = values.get("HUB_DOMAIN") or ""
    if domain and (len(domain) > 200 or not re.fullmatch(rf"({LABEL}\.)+(?!\d+$){LABEL}", domain)):
        raise SettingsError(f"HUB_DOMAIN={domain}: a name is expected, hub.example.org say")
    folder = Path(values.get("HUB_FOLDER") or CLASS).absolute()
    if folder.resolve().is_relative_to(ROOT) and folder != CLASS:
        raise SettingsError(
            f"HUB_FOLDER={folder}: that is in the course's own folder, where only {CLASS.name} in "
            "workshop is left alone by `make clean`. Name one elsewhere"
        )
    first = whole(values, "HUB_FIRST_NUMBER", FIRST_NUMBER, 1000, 10**9)
    walls = has_walls(values)
    if walls:
        check_numbers(first)
    return Settings(
        learners=names,
        ip=ip,
        port=whole(values, "HUB_PORT", 8000, 1, 65_533),
        cert=cert,
        key=key,
        domain=domain,
        most=whole(values, "HUB_MOST", fits, 1, MOST_LEARNERS + 1),
        starts=whole(values, "HUB_STARTS", starts, 1, MOST_LEARNERS),
        memory=memory,
        idle=float(idle),
        folder=folder,
        python=values.get("HUB_PYTHON") or "",
        first_number=first,
        walls=walls,
    )
