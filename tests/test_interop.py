"""BIF and pgmpy: what goes out comes back, and pgmpy gives the same answers.

pgmpy carries the discrete networks of the bnlearn repository; all of them are read here.
"""

from __future__ import annotations

import gzip
import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from cimg.bif import read_bif
from cimg.interop import from_bif, from_pgmpy, to_bif, to_pgmpy
from cimg.query import estimate, log_evidence, probability, sample_posterior
from cimg.world import Variable, World, WorldError

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # pgmpy's, on being imported

FOLDER = Path(importlib.util.find_spec("pgmpy").origin).parent / "utils" / "example_models"
NETWORKS = {path.name.removesuffix(".bif.gz"): path for path in sorted(FOLDER.glob("*.bif.gz"))}
# name: variables, arrows, free numbers, as the repository's site states them (bnlearn.com)
KNOWN = {
    "alarm": (37, 46, 509),
    "asia": (8, 8, 18),
    "cancer": (5, 4, 10),
    "child": (20, 25, 230),
    "hailfinder": (56, 66, 2656),
    "insurance": (27, 52, 1008),
    "munin": (1041, 1397, 80592),
    "sachs": (11, 17, 178),
    "survey": (6, 6, 21),
    "win95pts": (76, 112, 574),
}
SMALL = ["asia", "cancer", "child", "earthquake", "insurance", "sachs", "survey"]
LARGE = ["alarm", "hailfinder", "hepar2", "win95pts", "andes", "pigs", "munin1"]


@pytest.fixture(scope="module")
def networks() -> dict[str, World]:
    return {name: from_bif(path) for name, path in NETWORKS.items()}


@pytest.fixture(scope="module")
def duel() -> World:
    return World.load("duel")


# The networks of the bnlearn repository


def test_all_networks_load(networks):
    assert len(networks) == 24
    for name, (variables, arrows, numbers) in KNOWN.items():
        world = networks[name]
        assert len(world.variables) == variables
        assert sum(len(v.parents) for v in world.variables.values()) == arrows
        free = sum(
            v.cpt.numel() // len(v.values) * (len(v.values) - 1) for v in world.variables.values()
        )
        assert free == numbers


def test_all_networks_round_trip_to_the_last_digit(networks, tmp_path):
    for name, world in networks.items():
        path = tmp_path / f"{name}.bif"
        world.to_bif(path)
        again = World.from_bif(path)
        assert again.name == world.name and list(again.variables) == list(world.variables)
        for ours, theirs in zip(world.variables.values(), again.variables.values(), strict=True):
            assert (ours.values, ours.parents) == (theirs.values, theirs.parents)
            assert (ours.cpt == theirs.cpt).all()


@pytest.mark.parametrize("name", ["asia", "child", "alarm"])
def test_pgmpys_reader_reads_the_same(name, networks, tmp_path):
    """Both the file of the repository and the one that we write."""
    from pgmpy.readwrite import BIFReader

    networks[name].to_bif(tmp_path / "ours.bif")
    ours = (tmp_path / "ours.bif").read_text()
    for text in (gzip.decompress(NETWORKS[name].read_bytes()).decode(), ours):
        reader = BIFReader(string=text)
        assert sorted(reader.variable_names) == sorted(networks[name].variables)
        for v in networks[name].variables.values():
            assert tuple(reader.variable_states[v.name]) == v.values
            assert tuple(reader.variable_parents[v.name]) == v.parents
            table = v.cpt.reshape(-1, len(v.values)).T.numpy()
            assert (reader.variable_cpds[v.name] == table).all()


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_pgmpy_gives_the_same_answers(name, networks):
    from pgmpy.inference import VariableElimination

    world = networks[name]
    engine = VariableElimination(to_pgmpy(world))
    names = list(world.variables)
    choose = random.Random(name)
    for count in (0, 1, 3, 5):
        *seen, target = choose.sample(names, min(count, len(names) - 2) + 1)
        row = world.describe(world.sample(1, seed=choose.randrange(1000)))
        evidence = {a: row[a] for a in seen}
        theirs = engine.query([target], evidence=evidence, show_progress=False)
        order = [theirs.state_names[target].index(x) for x in world.variables[target].values]
        ours = probability(world, target, evidence).numpy()
        assert np.abs(ours - theirs.values[order]).max() <= 1e-9


@pytest.mark.parametrize("name", ["asia", "sachs", "child", "alarm"])
def test_pgmpy_gives_the_same_joint_answers_under_do(name, networks):
    from pgmpy.inference import VariableElimination

    world = networks[name]
    choose = random.Random(name + "do")
    for _ in range(3):
        first, second, seen, done = choose.sample(list(world.variables), 4)
        row = world.describe(world.sample(1, seed=1, do={done: 0}))
        cut = to_pgmpy(world).do([done])  # pgmpy leaves the set variable a table of its own
        theirs = VariableElimination(cut).query(
            [first, second], evidence={seen: row[seen], done: row[done]}, show_progress=False
        )
        ours = probability(world, (first, second), {seen: row[seen]}, {done: row[done]}).numpy()
        for i, a in enumerate(world.variables[first].values):
            for j, b in enumerate(world.variables[second].values):
                assert abs(theirs.get_value(**{first: a, second: b}) - ours[i, j]) <= 1e-9


def test_the_largest_networks_can_be_asked(networks):
    """munin: 1,041 variables. Exact, sampled from the posterior, and estimated."""
    world = networks["munin"]
    row = world.describe(world.sample(1, seed=5))
    seen = {name: row[name] for name in random.Random(2).sample(list(row), 20)}
    target = next(a for a in row if a not in seen and len(world.variables[a].values) > 3)
    exact = probability(world, target, seen)
    assert log_evidence(world, seen) > -200
    n = 4000
    rows = sample_posterior(world, n, seen)
    share = rows[target].bincount(minlength=len(exact)) / n
    assert (share - exact).abs().sum() / 2 < 0.05
    rough = estimate(world, target, n=n)
    plain = probability(world, target)
    assert ((rough.probability - plain).abs() <= 6 * rough.standard_error).all()


# Round trips of our own


def test_the_duel_comes_back_with_what_is_drawn(duel, tmp_path):
    to_bif(duel, tmp_path / "duel.bif")
    again = from_bif(tmp_path / "duel.bif")
    assert again.visible == duel.visible
    assert again.to_dict() == {**duel.to_dict(), "about": ""}


def test_names_that_need_quotes_come_back(tmp_path):
    odd = ("two words", "a,b", "x{y}", "(z)", "p|q", "5-12", "<5", "http://x", "/* no */", "table")
    world = World(
        [
            Variable("first one", odd, (), True, [0.1] * 10),
            Variable("probability", ("a b", "c"), ("first one",), False, [[0.25, 0.75]] * 10),
        ],
        "odd names",
    )
    to_bif(world, tmp_path / "odd.bif")
    assert from_bif(tmp_path / "odd.bif").to_dict() == world.to_dict()
    quote = World([Variable('say "x"', ("a",), (), True, [1.0])], "q")
    with pytest.raises(WorldError, match="can't be written as BIF: it has a double quote in it"):
        to_bif(quote, tmp_path / "quote.bif")
    assert not (tmp_path / "quote.bif").exists()


def test_pgmpy_and_back(duel, networks):
    for world in (duel, networks["alarm"], networks["munin1"]):
        again = from_pgmpy(to_pgmpy(world))
        assert again.visible == world.visible and again.name == world.name
        assert set(again.variables) == set(world.variables)
        for v in world.variables.values():
            other = again.variables[v.name]
            assert (v.values, v.parents) == (other.values, other.parents)
            assert (v.cpt == other.cpt).all()


def test_pgmpys_own_network_and_what_it_samples(duel):
    """A network made in pgmpy, its states numbered as pgmpy does without names."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([("a", "b")])
    network.add_cpds(
        TabularCPD("a", 2, [[0.2], [0.8]]),
        TabularCPD("b", 3, [[0.1, 0.3], [0.2, 0.3], [0.7, 0.4]], ["a"], [2]),
    )
    world = from_pgmpy(network)
    assert world.variables["b"].values == ("0", "1", "2")
    assert world.variables["b"].cpt[1].tolist() == [0.3, 0.3, 0.4]
    network.add_node("c")
    network.add_cpds(TabularCPD("c", 1, [[1.0]]))
    network.add_edge("a", "c")
    with pytest.raises(WorldError, match=r"'c': its table and its arrows have other parents"):
        from_pgmpy(network)
    network.remove_node("c")
    network.remove_cpds("a")
    with pytest.raises(WorldError, match=r"variable 'a' has no table"):
        from_pgmpy(network)
    with pytest.raises(WorldError, match=r"expected a DiscreteBayesianNetwork, found World"):
        from_pgmpy(duel)


def test_without_pgmpy_the_error_says_what_to_install(duel, monkeypatch):
    monkeypatch.setitem(sys.modules, "pgmpy", None)
    with pytest.raises(ImportError, match=r'pip install "cimg\[interop\]"'):
        to_pgmpy(duel)


# Text that isn't what it should be

GOOD = """
network "lawn" { property made by hand ; }
variable rain { type discrete [ 2 ] { no, yes }; }   // with commas
variable lawn { type discrete [2] { "dry" "wet" }; property in_image = true ; }
probability ( rain ) { table 0.75, 0.25 ; }
probability ( lawn | rain ) { /* a row
   for each */ (no) 0.9 0.1; (yes) 2e-1, .8; }
"""


def test_a_good_text():
    name, variables = read_bif(GOOD)
    assert name == "lawn"
    world = World(variables, name)
    assert world.visible == ("lawn",) and world.variables["lawn"].values == ("dry", "wet")
    assert world.variables["lawn"].cpt.tolist() == [[0.9, 0.1], [0.2, 0.8]]


@pytest.mark.parametrize(
    "rows",
    [
        "table 0.9, 0.2, 0.1, 0.8;",  # the child's values vary slowest
        "default 0.9, 0.1; (yes) 0.2, 0.8;",
        "(yes) 0.2, 0.8; default 0.9, 0.1;",
        "(yes) 0.2, // half; of it\n 0.8; (no) 0.9, 0.1;",
    ],
)
def test_other_ways_to_say_the_same(rows):
    start, _, _ = GOOD.partition("{ /* a row")
    for head in ("( lawn | rain )", "( lawn rain )", "(lawn,rain)"):
        text = start.replace("( lawn | rain )", head) + "{" + rows + "}"
        assert World(read_bif(text)[1]).variables["lawn"].cpt.tolist() == [[0.9, 0.1], [0.2, 0.8]]


def swap(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


MALFORMED = {
    "empty": ("", r"line 1: expected 'network', found the end of the text"),
    "binary": ("\x00\x01", r"line 1: expected 'network', found '\\x00\\x01'"),
    "another format": ("<?xml version='1.0'?>", r"line 1: expected 'network', found '<\?xml'"),
    "misspelt": (swap("variable lawn", "varable lawn"), r"line 4: expected 'variable' or 'prob"),
    "unclosed": (GOOD.rstrip()[:-1], r"line 7: expected 'property', found the end"),
    "unclosed quote": (swap('"wet"', '"wet'), r"line 4: a quote or a comment that doesn't end"),
    "unclosed comment": (swap("*/", ""), r"line 6: a quote or a comment that doesn't end"),
    "wrong count": (swap("[ 2 ]", "[ 3 ]"), r"variable 'rain': 3 values declared, 2 listed"),
    "continuous": (swap("type discrete [2]", "type real [2]"), r"line 4: expected 'discrete'"),
    "no type": (swap("type discrete [ 2 ] { no, yes };", ""), r"line 4: variable 'rain' has no t"),
    "declared twice": (swap("variable lawn", "variable rain"), r"variable 'rain' is declared tw"),
    "unknown parent": (swap("| rain", "| ran"), r"unknown variable 'ran'; declared are: rain, la"),
    "two tables": (swap("( lawn | rain )", "( rain )"), r"'rain' has two probability blocks"),
    "no table": (GOOD.partition("probability ( lawn")[0], r"'lawn': it has no probability block"),
    "row missing": (swap("(yes) 2e-1, .8;", ""), r"variable 'lawn': row rain=yes is missing"),
    "row twice": (swap("(yes)", "(no)"), r"line 7: row rain=no comes twice"),
    "row, then table": (
        swap("(yes) 2e-1, .8;", "table 1, 1, 0, 0;"),
        r"'lawn': rows are listed al",
    ),
    "two tables of one": (swap("0.25 ;", "0.25; table 1, 0;"), r"'rain': rows are listed already"),
    "two defaults": (swap("(yes) 2e-1, .8;", "default 1, 0; default 0, 1;"), r"'lawn' has two def"),
    "two types": (swap("{ no, yes };", "{ no, yes }; type discrete [1] { no };"), r"has two types"),
    "unknown value": (swap("(yes)", "(maybe)"), r"unknown value 'maybe' of rain; there are: no, "),
    "too many parents": (swap("(yes)", "(yes, no)"), r"2 values for 1 parents of 'lawn'"),
    "too few numbers": (swap("0.75, 0.25", "0.75"), r"line 5: expected 2 numbers, found 1"),
    "too many numbers": (swap("0.9 0.1", "0.9 0.1 0"), r"line 7: expected 2 numbers, found 3"),
    "no number": (swap("0.75,", "most,"), r"line 5: expected numbers: could not convert .* 'most'"),
    "no semicolon": (swap("0.9 0.1;", "0.9 0.1"), r"line 7: expected numbers: could not convert"),
    "row sum": (swap("0.75", "0.7"), r"'rain', its only row: the row sums to 0.95, not to 1"),
    "negative": (swap("0.75, 0.25", "1.25, -0.25"), r"'rain', its only row: an entry is negative"),
    "not finite": (swap("0.75", "nan"), r"'rain', its only row: an entry is not a finite number"),
    "cycle": (
        swap("( rain ) { table", "( rain | lawn ) { default"),
        r"the arrows form a cycle: (rain → lawn → rain|lawn → rain → lawn)",
    ),
    "value twice": (swap("no, yes", "no, no"), r"'rain': value 'no' is listed twice"),
    "huge": (
        swap("[ 2 ] { no, yes }", f"[ 9000 ] {{ {', '.join(map(str, range(9000)))} }}")
        .replace(
            'discrete [2] { "dry" "wet" }',
            f"discrete [9000] {{ {' '.join(map(str, range(9000)))} }}",
        )
        .replace("table 0.75, 0.25 ;", "default " + "0.0 " * 8999 + "1.0;"),
        r"a table of 81,000,000 entries; at most 16,777,216",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_bif_gets_one_clear_error(case, tmp_path):
    text, message = MALFORMED[case]
    path = tmp_path / "bad.bif"
    path.write_text(text)
    with pytest.raises(WorldError, match=r"bad\.bif: .*" + message):
        World.from_bif(path)


def test_files_that_cannot_be_read_or_written(duel, tmp_path, monkeypatch):
    with pytest.raises(WorldError, match=r"none\.bif: cannot be read: "):
        from_bif(tmp_path / "none.bif")
    (tmp_path / "x.bif").write_bytes(b"\xff")
    with pytest.raises(WorldError, match=r"x\.bif: not UTF-8 text"):
        from_bif(tmp_path / "x.bif")
    (tmp_path / "x.bif.gz").write_bytes(b"no gzip")
    with pytest.raises(WorldError, match=r"x\.bif\.gz: cannot be read: Not a gzipped file"):
        from_bif(tmp_path / "x.bif.gz")
    (tmp_path / "y.bif.gz").write_bytes(gzip.compress(GOOD.encode())[:-12])
    with pytest.raises(WorldError, match=r"y\.bif\.gz: cannot be read: Compressed file ended"):
        from_bif(tmp_path / "y.bif.gz")
    with pytest.raises(WorldError, match=r"no/x\.bif: cannot be written: No such file"):
        to_bif(duel, tmp_path / "no" / "x.bif")
    monkeypatch.setattr("cimg.interop.MAX_FILE", 100)
    (tmp_path / "z.bif.gz").write_bytes(gzip.compress(b" " * 101))
    with pytest.raises(WorldError, match=r"z\.bif\.gz: larger than 100 bytes"):
        from_bif(tmp_path / "z.bif.gz")


def test_rounded_rows_are_normalised_only_when_asked(tmp_path):
    path = tmp_path / "rounded.bif"
    path.write_text(GOOD.replace("0.75, 0.25", "0.75, 0.2499"))
    with pytest.raises(WorldError, match=r"'rain', its only row: the row sums to 0.9999, not to 1"):
        from_bif(path)
    world = from_bif(path, normalise=True)
    assert world.variables["rain"].cpt.tolist() == pytest.approx([0.75 / 0.9999, 0.2499 / 0.9999])
    path.write_text(GOOD.replace("0.9 0.1", "0.9 0.2"))
    message = r"'lawn', row rain=no: the row sums to 1.1; only a sum within 0.01 of 1 is normalised"
    with pytest.raises(WorldError, match=message):
        from_bif(path, normalise=True)
