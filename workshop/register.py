"""The register of a class: each learner's name, user id, and the fingerprint of their token.

The token itself is kept nowhere: it is on the sheet that is printed when it is made. Who loses it
is given another. A fingerprint is SHA-256: a token of 79 random bits needs no slower one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from cimg.files import read_file, write_file

ENTERED = "entered.json"  # beside the register: with which fingerprint each one came in
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that look alike: no 0 o, no 1 i l
LENGTH = 16
MOST_BYTES = 10**6


class RegisterError(ValueError):
    """A register that can't be read, or a name that isn't in it."""


def new_token() -> str:
    """Four groups of four letters, 79 bits."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(letters[i : i + 4] for i in range(0, LENGTH, 4))


def fingerprint(token: str) -> str:
    """Of a token as somebody types it: capitals, spaces and hyphens don't matter."""
    plain = "".join(token.lower().replace("-", " ").split())
    return hashlib.sha256(plain.encode()).hexdigest()


class Register:
    """A file of names, kept whole: it is replaced in one step.

    Args:
        path: where it is; a register that isn't there is empty.

    Raises:
        RegisterError: the file is no register.
    """

    def __init__(self, path: Path):
        self.path = path
        self.entries: dict[str, dict] = {}
        if path.exists():
            try:
                self.entries = json.loads(read_file(path, MOST_BYTES))
                good = all(
                    type(e["number"]) is int and type(e["token"]) is str
                    for e in self.entries.values()
                )
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise RegisterError(f"{path}: this is no register of learners") from error
            if not good or len({e["number"] for e in self.entries.values()}) < len(self.entries):
                raise RegisterError(f"{path}: this is no register of learners")

    def save(self) -> None:
        """Write it, for its owner's eyes (the process's umask sees to that)."""
        write_file(self.path, json.dumps(self.entries, indent=1).encode())

    def add(self, names: Iterable[str], first_number: int) -> dict[str, str]:
        """Give a number and a token to each name that isn't there yet. Returns the new tokens.

        A number is given once: whoever comes later never gets somebody's files.
        """
        tokens = {}
        for name, number in self.plan(names, first_number).items():
            if name not in self.entries:
                tokens[name] = new_token()
                self.entries[name] = {"number": number, "token": fingerprint(tokens[name])}
        if tokens:
            self.save()
        return tokens

    def plan(self, names: Iterable[str], first_number: int) -> dict[str, int]:
        """The numbers of all who are there, and of these names."""
        numbers = {name: entry["number"] for name, entry in self.entries.items()}
        for name in names:
            numbers.setdefault(name, max([first_number, *numbers.values()]) + 1)
        return numbers

    def renew(self, names: Iterable[str]) -> dict[str, str]:
        """Another token for each of these; the old one is no good any more.

        Raises:
            RegisterError: a name that isn't there, or no name at all.
        """
        tokens = {}
        for name in names:
            if name not in self.entries:
                raise RegisterError(f"nobody here is called {name!r}")
            tokens[name] = new_token()
            self.entries[name]["token"] = fingerprint(tokens[name])
        if not tokens:
            raise RegisterError(f"{self.path}: nobody has been given a token yet")
        self.save()
        return tokens

    def entered(self) -> dict[str, str]:
        """The fingerprint of the token with which each one came in, also before a restart."""
        try:
            found = json.loads(read_file(self.path.with_name(ENTERED), MOST_BYTES))
        except (OSError, ValueError):  # nobody has come in yet
            found = {}
        return found if isinstance(found, dict) else {}

    def enter(self, name: str) -> None:
        """Somebody came in with their token."""
        entered = {**self.entered(), name: self.entries[name]["token"]}
        write_file(self.path.with_name(ENTERED), json.dumps(entered).encode())

    def up_to_date(self, name: str) -> bool:
        """Whether this is one of the class, and the token with which they came in is still theirs;
        a teacher may have started the server of who never came in."""
        theirs = self.entries.get(name, {}).get("token")
        return theirs is not None and self.entered().get(name, theirs) == theirs

    def number(self, name: str) -> int:
        """The user id of a learner."""
        return self.entries[name]["number"]

    def admits(self, name: str, token: str) -> bool:
        """Whether this is the learner's token; as slow for a wrong name as for a wrong token."""
        expected = self.entries.get(name, {"token": fingerprint("nobody's")})["token"]
        right = hmac.compare_digest(expected, fingerprint(token))
        return right and name in self.entries


def sheet(tokens: dict[str, str], address: str) -> str:
    """What is cut up and handed out."""
    wide = max(map(len, tokens))
    lines = [f"  {name:<{wide}}   {token}" for name, token in tokens.items()]
    return "\n".join(
        [
            f"At {address} log in: name as username, token as password.",
            "",
            f"  {'name':<{wide}}   token",
            *lines,
        ]
    )
