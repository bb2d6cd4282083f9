"""How long the course takes, and schedules for a half day, a full day, four hours: all computed.

Minutes come from the notebooks: reading is counted, running and exercises are stated as measured.
In a workshop nobody reads for long: the teacher talks through the slides, a
minute and a half for each.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

LEVELS = ("home", "shown", "led", "whole")
PER_SLIDE = 1.5  # minutes of talk
PER_QUESTION = 3  # minutes for one question to the room
RESERVE = 0.1  # of each session: for starting late, for questions, for a machine that sulks


class ScheduleError(ValueError):
    """A format that can't be: an unknown level, or a session too short for its first wish."""


@dataclass(frozen=True)
class Measured:
    """What a notebook takes. Minutes, but for `slides` and `exercises`, which are counts.

    `chosen` are the numbers of the exercises that are done in class where the notebook is led.
    """

    number: str
    title: str
    reading: int
    running: int
    exercising: int
    exercises: int
    slides: int
    chosen: tuple[int, ...]

    def minutes(self, level: str) -> int:
        """How long it takes shown, led, or worked through whole; 0 when left for home."""
        talk = math.ceil(self.slides * PER_SLIDE) + self.running
        share = len(self.chosen) / self.exercises if self.exercises else 0
        taken = {
            "home": 0,
            "shown": talk,
            "led": talk + math.ceil(share * self.exercising) + PER_QUESTION,
            "whole": self.reading + self.running + self.exercising,
        }
        if level not in taken:
            raise ScheduleError(f"unknown level '{level}'; known: {', '.join(LEVELS)}")
        return taken[level]


@dataclass(frozen=True)
class Block:
    """A line of a schedule: minutes from the start, and what happens."""

    begins: int
    ends: int
    number: str  # of the notebook; "" for a pause, or for what is left over
    level: str
    session: int  # from 1


def fill(session: Mapping, known: Mapping[str, Measured]) -> dict[str, str]:
    """Which notebook is taken how in one session. Wishes are granted in order, while time lasts.

    A wish is a notebook and a level, "05 led". One for a notebook that isn't there is passed over;
    one that doesn't fit is left out, and a smaller one after it may still fit.

    Raises:
        ScheduleError: not even the first wish fits, or a level is unknown.
    """
    room = math.floor(session["minutes"] * (1 - RESERVE))
    taken: dict[str, str] = {}
    for wish in session["wishes"]:
        number, level = wish.split()
        if number not in known:
            continue
        tried = taken | {number: level}
        if sum(known[n].minutes(how) for n, how in tried.items()) <= room:
            taken = tried
        elif not taken:
            raise ScheduleError(f"'{wish}' alone takes more than {room} minutes")
    return dict(sorted(taken.items()))


def plan(sessions: Sequence[Mapping], known: Mapping[str, Measured]) -> list[Block]:
    """A format, line by line; each session begins after the pause that it names."""
    blocks, now = [], 0
    for n, session in enumerate(sessions, start=1):
        if pause := session.get("pause", 0):
            blocks.append(Block(now, now + pause, "", "pause", n))
            now += pause
        end = now + session["minutes"]
        for number, level in fill(session, known).items():
            blocks.append(Block(now, now + known[number].minutes(level), number, level, n))
            now = blocks[-1].ends
        blocks.append(Block(now, end, "", "open", n))
        now = end
    return blocks


def formats(path: Path) -> dict[str, dict]:
    """The formats as they are written down: name -> what it is for, and its sessions."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
