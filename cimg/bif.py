"""BIF, the Bayesian interchange format (version 0.15): text in, variables out.

The reader is strict, since a network that is misread answers every question, wrongly: what it
doesn't know is an error with its line, never skipped, and a row that is missing is not zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from cimg.tables import (
    MAX_ENTRIES,
    MAX_PARENTS,
    Variable,
    WorldError,
    check_name,
    check_unique,
    first,
    row_name,
    short,
    some,
)

# Space, or a comment: one at a time, since of a long row of them `re` would keep a gigabyte.
SKIP = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
TOKEN = re.compile(
    r'"(?P<quoted>[^"\n]*)"|(?P<mark>[{}()\[\],;|])|(?P<word>(?!/\*)[^\s{}()\[\],;|"]+)'
)


def read_bif(text: str) -> tuple[str, list[Variable]]:
    """The network's name and its variables; their tables are arrays that World still checks.

    `in_image` is true for a variable with the property "in_image = true". Raises WorldError."""
    return _Reader(text).network()


class _Reader:
    """Recursive descent: a method for each part of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.advance()
        self.heads: dict[str, tuple[tuple[str, ...], bool]] = {}  # values, in_image
        self.codes: dict[str, dict[str, int]] = {}  # of a variable's values
        self.entries = 0  # of all tables so far
        self.tables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}  # parents, table

    def network(self) -> tuple[str, list[Variable]]:
        self.expect("network")
        name = self.name()
        self.expect("{")
        while not self.accept("}"):
            self.property()
        while self.ahead[0] != "end":
            if self.accept("variable"):
                self.variable()
            elif self.accept("probability"):
                self.probability()
            else:
                self.expected("'variable' or 'probability'")
        if missing := [head for head in self.heads if head not in self.tables]:
            raise WorldError(f"variable {missing[0]!r}: it has no probability block")
        variables = [
            Variable(name, values, self.tables[name][0], in_image, self.tables[name][1])
            for name, (values, in_image) in self.heads.items()
        ]
        return name, variables

    def variable(self) -> None:
        name = self.name()
        if name in self.heads:
            self.fail(f"variable {name!r} is declared twice")
        values: tuple[str, ...] | None = None
        in_image = False
        self.expect("{")
        while not self.accept("}"):
            if self.accept("type"):
                if values is not None:
                    self.fail(f"variable {name!r} has two types")
                values = self.values(name)
            else:
                in_image |= self.property().replace(" ", "") == "in_image=true"
        if values is None:
            self.fail(f"variable {name!r} has no type")
        self.heads[name] = values, in_image
        self.codes[name] = {value: code for code, value in enumerate(values)}

    def values(self, name: str) -> tuple[str, ...]:
        """type discrete [ 2 ] { yes, no };   with or without commas"""
        self.expect("discrete")
        self.expect("[")
        count = self.name()
        self.expect("]")
        self.expect("{")
        parts = self.listed("}")
        self.expect(";")
        values = [" ".join(part) for part in parts]
        if len(parts) == 1 and count != "1":
            values = parts[0]
        if str(len(values)) != count:
            self.fail(f"variable {name!r}: {count} values declared, {len(values)} listed")
        for value in values:
            check_name(value, f"variable {name!r}", "a value")
        check_unique(values, f"variable {name!r}", "value")
        return tuple(values)

    def probability(self) -> None:
        """probability ( child | parent, parent ) { rows }   or, older, ( child parent parent )"""
        self.expect("(")
        child = self.name()
        bar = self.accept("|")
        parts = self.listed(")")
        spaced = [word for part in parts for word in part]
        parents = [" ".join(part) for part in parts] if bar else spaced
        for name in (child, *parents):
            if name not in self.heads:
                there_are = some(list(self.heads))
                self.fail(f"unknown variable {short(name)}; declared are: {there_are}")
        if len(parents) > MAX_PARENTS:
            self.fail(f"{child!r} has {len(parents)} parents; at most {MAX_PARENTS} are allowed")
        if child in self.tables:
            self.fail(f"{child!r} has two probability blocks")
        axes = [Variable(a, self.heads[a][0], (), False, None) for a in (*parents, child)]
        self.expect("{")
        self.tables[child] = tuple(parents), self.table(axes)

    def table(self, axes: Sequence[Variable]) -> np.ndarray:
        """The rows up to the closing brace, as an array [|parent 1|, ..., |values|]."""
        shape = [len(axis.values) for axis in axes]
        if (entries := math.prod(shape)) > MAX_ENTRIES:
            self.fail(f"a table of {entries:,} entries; at most {MAX_ENTRIES:,} are allowed")
        self.entries += entries  # with `default`, a line of text can make a table of any size
        if self.entries > MAX_ENTRIES:
            self.fail(f"tables of more than {MAX_ENTRIES:,} entries in all")
        table, filled = np.zeros(shape), np.zeros(shape[:-1], bool)
        default: list[float] | None = None
        while not self.accept("}"):
            if self.accept("table"):
                if filled.any():
                    self.fail(f"{axes[-1].name!r}: rows are listed already, and a table comes")
                numbers = self.numbers(table.size)  # the child's values vary slowest
                table = np.moveaxis(np.reshape(numbers, shape[-1:] + shape[:-1]), 0, -1)
                filled[...] = True
            elif self.accept("default"):
                if default is not None:
                    self.fail(f"{axes[-1].name!r} has two defaults")
                default = self.numbers(shape[-1])
            elif self.accept("("):
                index = self.row(axes)
                if filled[index]:
                    self.fail(f"{row_name(axes[:-1], index)} comes twice")
                table[index], filled[index] = self.numbers(shape[-1]), True
            else:
                self.property()
        if default is not None:
            np.copyto(table, default, where=~filled[..., None])
            filled[...] = True
        if not filled.all():
            row = row_name(axes[:-1], first(~filled))
            raise WorldError(f"variable {axes[-1].name!r}: {row} is missing")
        return table

    def row(self, axes: Sequence[Variable]) -> tuple[int, ...]:
        """(yes, low)   the parents' values, as an index"""
        values = [" ".join(part) for part in self.listed(")")]
        if len(values) != len(axes) - 1:
            self.fail(f"{len(values)} values for {len(axes) - 1} parents of {axes[-1].name!r}")
        for value, axis in zip(values, axes, strict=False):
            if value not in self.codes[axis.name]:
                there_are = some(axis.values)
                self.fail(f"unknown value {short(value)} of {axis.name}; there are: {there_are}")
        return tuple(self.codes[a.name][v] for v, a in zip(values, axes, strict=False))

    def numbers(self, count: int) -> list[float]:
        """0.2, 0.8;   taken at one go up to the semicolon: nearly all of a large file is numbers"""
        start, end = self.ahead[2], self.text.find(";", self.ahead[2])
        by_word = end < 0 or "/" in self.text[start:end]  # there may be a comment in it
        if by_word:
            words = [word for part in self.listed(";") for word in part]
        else:
            words = self.text[start:end].replace(",", " ").split()
        try:
            found = [float(word) for word in words]
        except ValueError as error:
            self.fail(f"expected numbers: {error!s:.200}")
        if len(found) != count:
            self.fail(f"expected {count} numbers, found {len(found)}")
        if not by_word:
            self.at = end + 1
            self.advance()
        return found

    def property(self) -> str:
        """property some text ;"""
        self.expect("property")
        return " ".join(word for part in self.listed(";", ",|()[]{}") for word in part)

    def listed(self, end: str, also: str = "") -> list[list[str]]:
        """Words up to `end`, split at commas."""
        parts: list[list[str]] = [[]]
        while not (self.ahead[0] == "mark" and self.ahead[1] == end):
            kind, text, _ = self.ahead
            if kind in ("word", "quoted") or (kind == "mark" and text in also):
                parts[-1].append(text)
            elif text == ",":
                parts.append([])
            else:
                self.expected(repr(end))
            self.advance()
        self.advance()
        return [part for part in parts if part]

    def name(self) -> str:
        kind, text, _ = self.ahead
        if kind not in ("word", "quoted"):
            self.expected("a name")
        if len(text) > 200:  # World checks all names; but until then they stand in messages
            self.fail(f"a name of {len(text):,} characters; at most 200 are allowed")
        self.advance()
        return text

    def advance(self) -> None:
        """Read the next token: its kind (quoted, mark, word or end), its text and its place."""
        start = self.at
        while skipped := SKIP.match(self.text, start):
            start = skipped.end()
        if start == len(self.text):
            self.ahead = ("end", "", start)
        elif match := TOKEN.match(self.text, start):
            self.ahead = (match.lastgroup, match[match.lastgroup], start)
            self.at = match.end()
        else:
            self.ahead = ("end", "", start)
            self.fail("a quote or a comment that doesn't end")

    def accept(self, text: str) -> bool:
        if self.ahead[0] != "quoted" and self.ahead[1] == text:
            self.advance()
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.expected(repr(text))

    def expected(self, what: str) -> NoReturn:
        kind, text, _ = self.ahead
        found = "the end of the text" if kind == "end" else repr(text[:40])
        self.fail(f"expected {what}, found {found}")

    def fail(self, message: str) -> NoReturn:
        line = self.text.count("\n", 0, self.ahead[2]) + 1
        raise WorldError(f"line {line}: {message}")
