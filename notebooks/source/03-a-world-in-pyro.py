# ---
# title: A world in Pyro
# question: How is a graph turned into a program?
# objectives:
#   - read a table, row by row and axis by axis
#   - draw a duel by hand, causes first, then ten thousand at once
#   - write a graph as a Pyro program with a plate
#   - compare samples with exact probabilities, in standard errors
#   - find a broken table, by validation or by a check
# minutes: {running: 1, exercises: 20}
# need: Python, tensors and how they are indexed; notebook 02
# built: "the duel three times over: by hand, as tensors, in Pyro; and a check that finds a slip no validator sees"
# key_ideas:
#   - "A world is a graph plus one table per variable. A program that visits causes first draws from it."
#   - "`pyro.sample` gives a draw a name; `pyro.plate` says that rows are independent and draws them all at once."
#   - "A difference means something only next to its standard error."
#   - "Validation finds what can't be a table. Only a check against something independent finds the wrong table."
# mistakes:
#   - "**Parents in another order than the table's axes.** If the sizes agree, nothing complains."
#   - "**Trusting a distribution to complain.** Give `Categorical` a row that sums to 1.1, and it quietly divides."
#   - "**Checking a world against itself.** Its samples agree with its own exact answers, slip or no slip."
#   - "**A site outside the plate.** It is drawn once, and all rows share it."
# quiz:
#   - ask: "A table has the shape [2, 2, 2, 3, 4]. How many values has its variable, and how many parents?"
#     options: ["4 values, 4 parents", "2 values, 4 parents", "4 values, 5 parents"]
#     answer: a
#     why: "The last axis is the variable's own; each other axis belongs to a parent."
#     hints:
#       b: "Which axis is the variable's own: the first or the last?"
#       c: "There are five axes in all, and one belongs to the variable itself."
#   - ask: "Why must ancestral sampling visit parents before children?"
#     options: ["to be fast", "because a child's row is picked by its parents' values", "because Pyro sorts the sites"]
#     answer: b
#     why: "Without the parents' values nobody knows which row of the table to draw from."
#     hints:
#       a: "Any order is as fast. What is needed before a row can be picked?"
#       c: "Pyro draws in the order in which the program runs. What would be missing, in another order?"
#   - ask: "A share is 0.004 away from its exact value, in 10,000 rows, with a standard error of 0.0045. What do you conclude?"
#     options: ["the sampler is wrong", "the sampler is right", "nothing: chance alone does that"]
#     answer: c
#     why: "It is less than one standard error. A wrong sampler could hide in there, too: ask for more rows, or for finer shares."
#     hints:
#       a: "Count the distance in standard errors. Is it more than one?"
#       b: "A slip as small as the standard error would look just like this."
# ---

# %% [markdown]
# ## A puzzle: how would you find out?
#
# One line from now, the duel gets a twin with a slip in one table: two axes have changed places. Four
# scenes from each.

# %%
import time
from itertools import accumulate, product

import numpy as np
import pyro
import torch
from pyro.distributions import Categorical

from cimg import World, scene, show
from cimg.check import check
from cimg.query import probability

duel = World.load("duel")


def changed(name, cpt):
    """The duel with another table for one variable."""
    spec = duel.to_dict()
    next(v for v in spec["variables"] if v["name"] == name)["cpt"] = cpt.tolist()
    return World.from_dict(spec)

# %%
slipped = changed("action", duel.variables["action"].cpt.transpose(0, 1))
pictures = []
for world, seed in (duel, 11), (slipped, 12):
    style = scene.sample_uniform(scene.style_of(world), 4, seed)
    pictures.append(scene.render(world.sample(4, seed) | style))
show.scenes(torch.cat(pictures), ["duel"] * 4 + ["slipped"] * 4, columns=4, zoom=3)

# %% [markdown]
# Nothing to see. Both worlds draw fine scenes, and both passed every validation when they were made. I
# have told you which one is broken. How would you find out if I hadn't?
#
# ## A table, and how to read it
#
# A **world** is a graph and, for each variable, a **table**: one row of probabilities for each
# combination of its parents' values. The action's parents are the actor's strength, defense and attack,
# *in this order*.

# %%
action = duel.variables["action"]
print("axes:", *action.parents, "| action", "  shape:", list(action.cpt.shape))
parents = [duel.variables[name].values for name in action.parents]
lines = [[*row, *p] for row, p in zip(product(*parents), action.cpt.flatten(0, 2), strict=True)]
show.table(lines, ["strength", "defense", "attack", *(f"P({x})" for x in action.values)], digits=1)

# %% [markdown]
# One axis per parent, and the last axis for the variable's own values: `cpt[strength, defense, attack]`
# is a row, and a row sums to 1. A strong actor of low defense and low attack mostly walks away. The slip
# swaps the first two axes: its row for a *strong* actor of *low* defense is the row that was meant for a
# *weak* one of *high* defense.
#
# ## By hand: one duel, causes first
#
# **Task.** Draw one duel. **By hand.** Visit the variables so that parents come before children. Each
# time, let the parents' values pick the row, lay its probabilities end to end on a stick of length 1, and
# throw a dart u. Where it lands is the value. This is **ancestral sampling**.

# %%
rng, one = np.random.default_rng(7), {}
for name, v in duel.variables.items():  # parents stand before children
    row, u = v.cpt[tuple(one[parent] for parent in v.parents)].tolist(), rng.random()
    one[name] = sum(u >= end for end in accumulate(row[:-1]))  # how many ends lie left of u
    print(f"{name:18} row {row}, u = {u:.3f}: {v.values[one[name]]}")

# %%
one = {name: torch.tensor([value]) for name, value in one.items()}
style = scene.sample_uniform(scene.style_of(duel), 1, seed=7)
told = duel.describe(one)
show.scenes(scene.render(one | style), [f"{told['action']}, then {told['reaction']}"], zoom=6)

# %% [markdown]
# Twelve rows, twelve darts, one duel; and the style, drawn the same way, evenly. Look how each row
# depends on what was drawn above it. Start with the reaction, and Python stops with a `KeyError`: nobody
# has decided the action yet.
#
# All that is random sits in the darts: the same darts give the same duel. Remember them. Notebook 06 will
# need them.
#
# ## Ten thousand at once
#
# A loop over duels is slow. But a table can be indexed by whole tensors: `cpt[strength, defense, attack]`
# with three tensors of length n is n rows. The loop over *variables* stays; the loop over duels is gone.

# %%
def draw(world, n, seed):
    rng, values = np.random.default_rng(seed), {}
    for name, v in world.variables.items():
        row = v.cpt[tuple(values[parent] for parent in v.parents)]  # [n, |values|], or [|values|]
        u = torch.from_numpy(rng.random((n, 1)))
        values[name] = (u >= row.cumsum(-1)[..., :-1]).sum(-1)  # how many ends lie left of u
    return values


rows = draw(duel, 10_000, seed=1)
print("the first of", len(rows["action"]), "duels:", *duel.describe(rows).values())

# %% [markdown]
# ## The same in Pyro
#
# Pyro is a language for such programs. `pyro.sample(name, distribution)` draws, and gives the draw a
# **name**, so that other tools can find it, fix it, or sum over it. One line per variable; the parents
# are what is indexed. Here is the actor's half.

# %%
def site(name, *parents):
    """Draw one variable; its parents' values in the order of the table's axes."""
    return pyro.sample(name, Categorical(duel.variables[name].cpt[parents]))


def actor():
    character = site("actor_character")
    kind = site("actor_type", character)
    strength = site("actor_strength", character, kind)
    defense = site("actor_defense", character, kind)
    attack = site("actor_attack", character, kind)
    return site("action", strength, defense, attack)

# %%
pyro.set_rng_seed(3)
trace = pyro.poutine.trace(actor).get_trace()
values = {name: trace.nodes[name]["value"] for name in trace.stochastic_nodes}
print("sites:", *values)
by_hand = probability(duel, list(values))[tuple(values.values())].log()
assert torch.isclose(trace.log_prob_sum(), by_hand)
print(f"log probability of this run: ≈ {trace.log_prob_sum():.3f}, exactly: ≈ {by_hand:.3f}")

# %% [markdown]
# A **trace** is the record of one run: what was drawn at each site, and how probable it was. The graph
# hasn't gone anywhere: a variable's line mentions its parents, and nothing else. (The values may differ
# from machine to machine; those of `cimg`'s own `World.sample` never do.)
#
# To draw many duels, run the *same* program inside a **plate**.

# %%
start = time.perf_counter()
for _ in range(100):
    actor()
middle = time.perf_counter()
with pyro.plate("duels", 10_000):
    actions = actor()
loop, plate = 100 / (middle - start), 10_000 / (time.perf_counter() - middle)
print(f"{len(actions):,} actions in one run")
print(f"Duels per second, loop and plate, on this machine: {loop:,.0f} and {plate:,.0f}")

# %% [markdown]
# The plate runs the program once, with tensors: each site draws n values, and picks n rows. It is also a
# claim: the rows are *independent*. No duel listens to another.
#
# ### Exercise 1: the reactor's half
#
# Write it as the actor's was written. Mind the order of the reaction's parents:
# `duel.variables["reaction"].parents`. (The check runs it in a plate, and looks at each site's rows.)

# %%
def reactor(action):
    # <solution>
    character = site("reactor_character")
    kind = site("reactor_type", character)
    abilities = [site(f"reactor_{x}", character, kind) for x in ("strength", "defense", "attack")]
    return site("reaction", *abilities, action)
    # <stub>
    # return ...  # your code: five sites, then the reaction
    # </solution>


check("03.1", reactor)

# %% [markdown]
# ## Any world, one program
#
# Your two halves name their variables. A program for *any* world needs only the loop that you know:
#
# ```python
# def program():
#     values = {}
#     with pyro.plate("rows", n):
#         for v in world.variables.values():
#             row = v.cpt[tuple(values[parent] for parent in v.parents)]
#             values[v.name] = pyro.sample(v.name, Categorical(row))
#     return values
# ```
#
# That is `world.program(n)`. (It takes one more care: it passes logarithms, since `Categorical` turns a
# probability of 0 into a tiny one.) Ten thousand duels, then ten thousand pictures:

# %%
piled = duel.program(10_000)()
style = scene.sample_uniform(scene.style_of(duel), 10_000, seed=3)
scenes = scene.render(piled | style)
show.scenes(scenes[:8], columns=4, zoom=3, digest=False, title="The first eight of ten thousand")

# %% [markdown]
# Where the actor walks by, the reactor nearly always stands idle; where it doesn't, anything may happen.
# Do the eight agree?
#
# And a program is more than a pile of rows. Fix a site and infer the others: that is *seeing*, notebook
# 04. Rewrite one line: that is *doing*, notebook 05. Keep the darts: *imagining*, 06.
#
# ## Are they right? Samples against exact probabilities
#
# **Task.** P(action), exactly. **Assumptions.** The graph and its tables. **By hand.** Multiply the
# actor's six tables, and sum over all that isn't asked for. An index in the einsum is a variable: c
# character, t type, s d a the abilities, x the action.

# %%
tables = [duel.variables[name].cpt for name in values]  # the six sites of the trace
exact = torch.einsum("c,ct,cts,ctd,cta,sdax->x", *tables)
assert torch.allclose(exact, probability(duel, "action"), atol=1e-12)
share, error = rows["action"].bincount() / 10_000, (exact * (1 - exact) / 10_000).sqrt()
bars = {"10,000 drawn by hand": share, "exact": exact}
show.distributions(bars, action.values, errors={"10,000 drawn by hand": error}, digits=3)

# %% [markdown]
# **With `cimg`.** `probability(duel, "action")` says the same; the cell asserts it. The bars differ a
# little, as they must: a share of n rows strays from p by about one **standard error**, √(p(1−p)/n), the
# whisker. So count distances in standard errors. Among a few dozen comparisons the largest is often 2 or
# 3 by chance alone, and hardly ever 5.

# %%
def farthest(rows, p, names):
    """How far a share of names[-1] strays from p[..., value], at most; names[:-1] pick the row."""
    count = torch.zeros(p.shape, dtype=p.dtype)
    count.index_put_(tuple(rows[name] for name in names), torch.ones((), dtype=p.dtype), True)
    n = count.sum(-1, keepdim=True)
    return ((count / n - p) / (p * (1 - p) / n).sqrt()).abs().max().item()


def margins(rows, world):
    return max(farthest(rows, probability(world, name), [name]) for name in world.variables)


assert margins(rows, duel) < 4 and margins(piled, duel) < 5
print(f"by hand: {margins(rows, duel):.1f}, in Pyro: ≈ {margins(piled, duel):.1f}")

# %% [markdown]
# The farthest of all shares, for twelve variables: both samplers pass.
#
# ## Broken tables, and who finds them
#
# **A row that sums to 1.1**: 0.2 typed for 0.1, once. **An axis in the wrong place**: put the reaction's
# last parent first.

# %%
heavy = action.cpt.clone()
heavy[0, 0, 0, 0] = 0.2
turned = duel.variables["reaction"].cpt.permute(3, 0, 1, 2, 4)
for name, cpt in ("action", heavy), ("reaction", turned):
    try:
        changed(name, cpt)
    except ValueError as error:
        print(error, "\n")
print("Pyro says nothing, and draws from", *(f"{p:.3f}" for p in Categorical(heavy[0, 0, 0]).probs))

# %% [markdown]
# `cimg` names the variable and the row, and repairs nothing: it can't know which number was meant. Pyro's
# `Categorical` divides by the sum without a word, and now every number of that row is wrong.
#
# The turned table's sizes give it away: the action has three values where two were expected. But the two
# axes that the puzzle swapped are both of size 2, and each row still sums to 1. No validator can object.
# So check, with what you have built.

# %%
p, names = probability(duel, "action"), [*action.parents, "action"]
few, many = slipped.sample(10_000, seed=5), slipped.sample(1_000_000, seed=5)
lines = [
    ["against its own exact answers", "1,000,000", margins(many, slipped)],
    ["against the duel's P(action)", "10,000", farthest(few, p, ["action"])],
    ["against the duel's P(action)", "1,000,000", farthest(many, p, ["action"])],
    ["against the duel's action table, row by row", "10,000", farthest(few, action.cpt, names)],
]
assert max(line[2] for line in lines[:2]) < 3 and min(line[2] for line in lines[2:]) > 5
show.table(lines, ["check of the slipped world", "rows", "farthest, in standard errors"], digits=1)

# %% [markdown]
# Read it line by line:
#
# - **Against itself**, a million rows find nothing. They agree with the tables that they were drawn from,
#   slip and all. A check needs something *independent*: a published number, a specification, the author's
#   "strong, defenceless, harmless: it walks away".
# - **The margin** P(action) of ten thousand rows passes too. Half of the table's rows are wrong (those
#   where strength and defense differ), but averaged over all actors the errors nearly cancel. A hundred
#   times as many rows do find it.
# - **Row by row**, ten thousand are plenty. Look where it hurts, not at the average.
#
# **Caveat.** A check that passes has only failed to find a mistake of the size that it could have seen.
#
# ### Exercise 2: how many rows?
#
# The slip moves P(action = walk) only a little. How many rows does it take until that change is as large as 4
# standard errors? Choose before you run: 500, 50,000 or 5,000,000.

# %%
# <solution>
guess = 50_000
# <stub>
# guess = ...  # your choice
# </solution>
p, q = (probability(world, "action")[2] for world in (duel, slipped))
print(f"P(walk) goes from {p:.4f} to {q:.4f}")
check("03.2", guess)

# %% [markdown]
# ### Exercise 3: find the mistake
#
# This troop of a thousand actors ought to be half satyrs, half golems. Run it: it isn't. Move one line.
# (Compare with: about half.)

# %%
def troop(n):
    # <solution>
    with pyro.plate("actors", n):
        character = site("actor_character")
        kind = site("actor_type", character)
    # <stub>
    # character = site("actor_character")
    # with pyro.plate("actors", n):
    #     kind = site("actor_type", character)
    # </solution>
    return torch.stack([character.expand(n), kind])


check("03.3", troop)
golems = troop(1_000)[0].double().mean()
print("satyrs and golems" if 0 < golems < 1 else "all alike")

# %% [markdown]
# ### Exercise 4: explain
#
# What did that program claim as it stood?
#
# * a: that golems are more, or fewer, than half of all actors
# * b: that all actors of the world are of one character
# * c: that the actors of one troop aren't independent of each other
# * d: that an actor's type doesn't depend on its character

# %%
# <solution>
claim = "c"
# <stub>
# claim = ...  # your letter
# </solution>
check("03.4", claim)

# %% [markdown] tags=["solution"]
# Outside the plate a site is drawn once, and all rows share it. Over many runs half of the troops are
# golems, so P(character) is right; but the rows of one run aren't independent: they share a cause.
# Sometimes that is what you mean (one weather for all). Here it isn't.
