# ---
# title: Seeing
# question: What does seeing tell?
# objectives:
#   - compute P(targets | given) by counting, by enumerating and by weighting
#   - predict where in the graph a piece of evidence moves a belief, and where it doesn't
#   - explain with a scene in which nothing happens what explaining away is
#   - measure how wrong `pyro.condition` is when nothing infers behind it
#   - choose a method by how rare the evidence is and how large the world
# minutes: {running: 1, exercises: 15}
# need: notebooks 02 and 03 (the graph, tables, sampling, a world as a Pyro program)
# built: four ways to answer the same question, and what each of them costs
# key_ideas:
#   - "Seeing is inference: keep the cases that agree with what was seen, and ask among them."
#   - "Evidence moves beliefs along open paths, with and against the arrows: on effects about causes, on causes about effects, and across a common effect once that was seen."
#   - "Counting, weighting, enumerating and contracting compute one number. They differ in cost, and in whether there is an error to state."
#   - "`P(. | action = attack)` describes a crowd of scenes. It doesn't tell what this one would be."
# mistakes:
#   - "**Running a conditioned program forward and calling it the posterior.** `pyro.condition` holds a site fixed; something else has to infer: weights, enumeration, SVI."
#   - "**Reading P(die | attack) as P(attack | die).** The condition says among whom one counts."
#   - "**Taking explaining away for an influence.** Two causes become dependent among the cases that one looks at; neither acts on the other."
#   - "**Trusting an answer from few kept rows.** Look at the standard error and the effective size first."
# quiz:
#   - ask: You see that the actor attacks, and nothing else. Which belief stays where it was?
#     options: [the actor's attack is high, the reactor dies, the reactor's defense is high]
#     answer: c
#     why: The only path to the reactor's abilities runs through the reaction, a collider, and the reaction wasn't seen.
#     hints:
#       a: "The attack is an effect of that ability. Do effects tell about causes?"
#       b: "The action is a cause of the reaction: that belief moves along the arrow."
#   - ask: "`pyro.condition(program, data=seen)` is run forward, unweighted. What is the distribution of what is upstream of all seen sites?"
#     options: [the prior, the posterior, uniform]
#     answer: a
#     why: "The sites upstream of all are drawn from their tables as if nothing had been seen; only their weights would tell."
#     hints:
#       b: "For that, something would have to look at the seen sites. Does a program that runs forward look back?"
#       c: "They are drawn from their tables, as ever. Which distribution is that?"
#   - ask: Evidence has probability one in a million. What does rejection do with 100,000 draws?
#     options: [it answers exactly, it most likely keeps no row and has no answer, it answers with a small error]
#     answer: b
#     why: It keeps 0.1 rows on average. Weighting may still work, and enumeration and contraction don't mind.
#     hints:
#       a: "Rejection draws by chance. Is a draw ever exact?"
#       c: "How many of 100,000 rows agree with the evidence, on average?"
# ---

# %% [markdown]
# ## Half a picture
#
# Somebody tore a scene of the duel in two. You hold the right half.

# %%
import math
import time

import pyro
import torch

from cimg import World, show
from cimg.check import check
from cimg.pyro_query import enumerated, importance, rejection
from cimg.query import d_separated, log_evidence, probability, sample_posterior
from cimg.scene import WIDTH, render, sample_uniform, stage, style_of, unflatten
from cimg.sprites import TRANSPARENT

duel = World.load("duel")
HALF = {"reactor_character": "golem", "reactor_type": "type1", "reaction": "die"}
STYLE = {"sky": "day", "sun": "5", "hills": "peaks", "actor_distance": "1", "reactor_distance": "1"}
SEEN = duel.encode(HALF)
ACTIONS = duel.variables["action"].values

# %%
def codes(names, n=1):  # values by name -> the same values for n scenes
    return {k: torch.full((n,), stage().variables[k].index(v)) for k, v in names.items()}


def right_half(names):
    scene = render({**duel.sample(1), **codes({**names, **STYLE})})
    scene[:, :, : WIDTH // 2] = TRANSPARENT
    return scene


# %%
words = "Torn through the middle: only the right half is there. In it a golem of type1 dies, by day"
show.scenes(right_half(HALF), title="What stood on the left?", zoom=6, says=words)

# %% [markdown]
# A golem of type1 goes down. Was it attacked, or taunted, or did somebody only walk by?
#
# **Place a bet before you read on**: a number for each, summing to 1. Knowing only that there was a duel, you would
# bet the action's *prior*, P(action). But you have seen the reaction, an *effect* of the action. How far should that
# move you?
#
# - **Task.** P(action | the reactor is a golem of type1, reaction = die).
# - **Assumptions.** The duel's graph and tables are right. And nobody picked this scene because of what was in it:
#   it was drawn from the duel like any other. (Sky and hills are style: no label has a say in them, so they tell
#   nothing about the action.)

# %% [markdown]
# ## By hand 1: count
#
# *Given* means **among the cases that agree**. Draw many scenes, throw away those that disagree with what was seen,
# count actions among the rest. That is all that conditioning is; the rest of this notebook only makes it cheaper.
# Done with samples, it is called **rejection**.

# %%
def agree(rows, seen):
    return torch.stack([rows[name] == code for name, code in seen.items()]).all(0)


rows = duel.sample(200_000, seed=4)
kept = rows["action"][agree(rows, SEEN)]
prior = probability(duel, "action")
counted = torch.bincount(kept, minlength=3) / len(kept)
error = (counted * (1 - counted) / len(kept)).sqrt()
assert 0.97 < 1 - len(kept) / 200_000 < 0.985 and counted[0] > 0.5
print(f"{len(kept):,} of 200,000 rows agree")
show.table(zip(ACTIONS, prior, counted, error, strict=True), ["action", "prior", "given", "± s.e."])

# %% [markdown]
# An attack goes from about one in four to better than even, and a walk is all but ruled out. Evidence on an effect
# has moved a belief about its cause, **against the arrow**.
#
# The price: 98 of 100 rows went into the bin, and the answer comes with a standard error, √(p(1 − p)/m) for m rows
# kept.
#
# ## By hand 2: enumerate
#
# The duel is small enough to write down *every* case. Each weighs the product of its tables' entries: the
# factorisation of [notebook 02](02-the-causal-graph.ipynb). Keep those that agree, add up, divide. Nothing is
# drawn, so there is no standard error.

# %%
cases = math.prod(len(v.values) for v in duel.variables.values())
every = unflatten({name: v.values for name, v in duel.variables.items()}, torch.arange(cases))
joint = torch.ones(cases, dtype=torch.float64)
for name, v in duel.variables.items():
    joint *= v.cpt[tuple(every[parent] for parent in (*v.parents, name))]
weight = joint * agree(every, SEEN)
exact = torch.bincount(every["action"], weight) / weight.sum()
print(f"{cases:,} cases, their probabilities sum to {joint.sum():.9f}")
show.table(zip(ACTIONS, counted, exact, strict=True), ["action", "counted", "enumerated"], digits=4)

# %% [markdown]
# The count was right within its error. This is the exact number, and the one to hold all others against: as
# **total variation**, half the sum of the absolute differences, so 0 for equal and 1 for nothing in common.
#
# ## The trap: `pyro.condition`
#
# [Notebook 03](03-a-world-in-pyro.ipynb) made the world a Pyro program, and Pyro has a `condition`. So condition,
# run 100,000 times, count:

# %%
def distance(p, q):
    return float((p - q).abs().sum() / 2)


pyro.set_rng_seed(0)
data = {name: torch.tensor(code) for name, code in SEEN.items()}
conditioned = pyro.condition(duel.program(100_000), data=data)
naive = torch.bincount(conditioned()["action"], minlength=3) / 100_000
print(f"P(attack)  condition ≈ {naive[0]:.3f}, exact {exact[0]:.3f}, prior {prior[0]:.3f}")
print(f"total variation from exact ≈ {distance(naive, exact):.3f}")
assert distance(naive, prior) < 0.01 and abs(distance(naive, exact) - 0.39) < 0.01

# %% [markdown]
# No error, no warning, and 39 points of probability in the wrong place. Look at what came out: **the prior**.
#
# `condition` holds the seen sites at their values, and the program then runs *forward*. The action is drawn before
# the reaction is looked at, so the death can't have told it anything. `condition` states what was seen; it infers
# nothing. Something has to follow it.
#
# ## The remedy: weights
#
# The run isn't lost. In each row, ask the tables: how probable was each thing we saw, given its parents here?
# The product is the row's **importance weight**. A row in which the golem was attacked makes its death likely and counts for
# much; a row with a walk counts for next to nothing.

# %%
pyro.set_rng_seed(0)
trace = pyro.poutine.trace(conditioned).get_trace()
trace.compute_log_prob()
weights = sum(trace.nodes[name]["log_prob"] for name in SEEN).exp()
weighted = torch.bincount(trace.nodes["action"]["value"], weights) / weights.sum()
size = weights.sum() ** 2 / (weights**2).sum()
print(f"P(attack | seen) ≈ {weighted[0]:.4f}, exact {exact[0]:.4f}")
print(f"effective size ≈ {size:,.0f} of 100,000; rejection keeps {math.exp(log_evidence(duel, HALF)):.1%}")
assert distance(weighted, exact) < 0.01 and 40_000 < size < 50_000

# %% [markdown]
# Same program, same draws, right answer. The **effective size** says how many plain draws these weighted ones are
# worth, (Σw)²/Σw²; rejection throws far more away.
#
# ### Exercise 1: the weights without Pyro (fill in)
#
# `duel.sample(n, do=SEEN)` also holds the seen variables fixed and draws the others forward. (What `do` is *for*
# comes in notebook 05.) Write the weight of each row: the product, over the variables seen, of the table's entry
# for the value seen, given that row's parents. Compare with the exact 0.6201; the error is about 0.002.

# %%
def weights_by_hand(rows, seen):
    # <solution>
    product = torch.ones(len(rows["action"]), dtype=torch.float64)
    for name in seen:
        v = duel.variables[name]
        product *= v.cpt[tuple(rows[parent] for parent in (*v.parents, name))]
    return product
    # <stub>
    # return ...  # your code: as in "enumerate", but over the seen variables only
    # </solution>


check("04.1", weights_by_hand)
fixed = duel.sample(100_000, seed=4, do=SEEN)
mine = weights_by_hand(fixed, SEEN)
if isinstance(mine, torch.Tensor):
    print(f"P(attack | seen) = {mine[fixed['action'] == 0].sum() / mine.sum():.4f}")

# %% [markdown]
# ## With cimg: contract
#
# Enumeration dies of size: every variable with two values doubles the cases. But the sums can be pushed inside.
# What the actor's abilities do to the action, and the reactor's to the reaction, can be summed *separately*:

# %%
T = {name: v.cpt for name, v in duel.variables.items()}
actor = [T[f"actor_{part}"] for part in ("character", "type", "strength", "defense", "attack")]
p_action = torch.einsum("c,ct,cts,ctd,cta,sdax->x", *actor, T["action"])
golem = [T[f"reactor_{part}"][1, 0] for part in ("strength", "defense", "attack")]  # golem, type1
p_die = torch.einsum("s,d,a,sdax->x", *golem, T["reaction"][..., 0])  # die is code 0
contracted = p_action * p_die / (p_action @ p_die)
assert distance(contracted, exact) < 1e-12
show.table(zip(ACTIONS, p_action, p_die, contracted, strict=True),
           ["action", "prior", "P(die | action, golem1)", "posterior"], digits=4)  # fmt: skip

# %% [markdown]
# Bayes' rule has come out by itself: prior times likelihood, divided by the sum. `cimg.query.probability` does this
# for any question on any world, and finds a good order for the sums. Here is every method on the same question:

# %%
METHODS = {
    "rejection": lambda: rejection(duel, "action", HALF).probability,
    "importance": lambda: importance(duel, "action", HALF).probability,
    "Pyro enumeration": lambda: enumerated(duel, "action", HALF)["action"],
    "cimg contraction": lambda: probability(duel, "action", HALF),
}
for name, ask in METHODS.items():
    start = time.perf_counter()
    off = distance(ask(), exact)
    ms = 1000 * (time.perf_counter() - start)
    assert off < (0.04 if name in ("rejection", "importance") else 1e-9)
    print(f"{name:16}  total variation ≈ {off:.5f}   on this machine: {ms:.2f} ms")

# %% [markdown]
# Two approximate, two exact. For worlds of the course's size, contraction is the answer; where a world is too
# dense for it, `cimg.query.estimate` weights.
#
# **Caveat.** All of them agree about *this model*. If its tables are wrong, they are exactly wrong together.
#
# ### Exercise 2: which tool? (decide)
#
# Somebody *walks by*, and the reactor drops dead. What was its defense? Estimate how many of 100,000 rows
# rejection would keep (count, or ask `log_evidence`, which knows log P(seen), the natural logarithm), and name the
# method that you'd trust: `"rejection"` or `"importance"`.

# %%
RARE = {"action": "walk", "reaction": "die"}
# <solution>
rows_kept, trusted = 100_000 * math.exp(log_evidence(duel, RARE)), "importance"
# <stub>
# rows_kept, trusted = ..., ...  # your code
# </solution>
check("04.2", rows_kept, trusted)
for method in (rejection, importance) if trusted in ("rejection", "importance") else ():
    e = method(duel, "reactor_defense", RARE)
    print(f"{method.__name__:10} ≈ {e.probability[1]:.3f} ± ≈ {e.standard_error[1]:.3f}")
    assert e.standard_error[1] < (0.2 if method is rejection else 0.003)

# %% [markdown] tags=["solution"]
# About 40 rows. Weighting keeps every row: the walk's weights vary from 0.1 to 0.7, and the death's is 0.001
# whatever the reactor, so it cancels.

# %% [markdown]
# ## Where does evidence go?
#
# Now see a *cause*: the actor attacks. Then, on top of it, see the reactor stand idle. **Predict** which rows move
# at each step. (d-separation, from notebook 02, says which *can't*.)

# %%
WHAT = {"actor_character": "satyr", "actor_attack": "high", "actor_defense": "high",
        "reaction": "die", "reactor_character": "satyr", "reactor_defense": "high"}  # fmt: skip
def p(given, name):
    if name in given:
        return float(WHAT[name] == given[name])
    return probability(duel, name, given)[duel.encode(WHAT)[name]]


attack, idle = {"action": "attack"}, {"reaction": "idle"}
table = [[f"{k} = {v}", p({}, k), p(attack, k), p(attack | idle, k)] for k, v in WHAT.items()]
show.table(table, ["P(this | …)", "nothing", "attack", "attack, idle"], digits=4)

# %% [markdown]
# - **Up**, against the arrows: whoever attacks is probably good at it; the satyrs' share grows a little too.
# - **Down**, along the arrow: the reactor is likelier to die.
# - **Across**: an attack alone says *nothing* about who reacts; the path is blocked at the reaction, where two
#   arrows meet. Once the reaction is seen, the belief about the reactor's defense moves.
# - And the actor's rows don't move a second time: the action, once seen, blocks that path.
#
# ## Explaining away: nothing happens
#
# Two more torn scenes. Both reactors stand idle. Behind which one did somebody more likely just walk by?

# %%
who = [{"reactor_character": "satyr", "reactor_type": t, **idle} for t in ("type1", "type2")]
walk = [f"P(walk) = {probability(duel, 'action', one)[2]:.3f}" for one in who]
show.scenes(torch.cat(list(map(right_half, who))), walk, zoom=5, says="Right halves; idle: a satyr of type1; of type2")

# %% [markdown]
# On the left a satyr of type1: hardly any of them has a high defense. If this one stands unmoved, then probably
# there was nothing to be moved by. On the right type2, mostly well defended: that explains the calm too, so the
# walk is needed less.
#
# Here two causes of one effect compete to **explain** it. (That an observed effect *connects* its causes, the graph
# says; in which direction, only the table. Elsewhere in the duel two causes help each other: among attackers a
# high strength makes a high attack likelier.) Turn it round, and ask for the reactor's defense:

# %%
for given in ({}, idle, {**idle, "action": "walk"}, {**idle, **attack}):
    what = ", ".join(given.values()) or "nothing"
    print(f"P(reactor_defense = high | {what:12}) = {p(given, 'reactor_defense'):.4f}")
for given in ([], ["reaction"]):
    print("action, reactor_defense given", given, "d-separated:",
          d_separated(duel, "action", "reactor_defense", given))  # fmt: skip
show.graph(duel, given=idle, highlight=[("action", "reaction"), ("reactor_defense", "reaction")])

# %% [markdown]
# Idle speaks for a high defense; a walk takes nearly all of that back (it has explained the calm), an attack
# strengthens it. In the graph: two arrows meet in the reaction, a **collider**. Unseen it blocks; seen, it opens
# the path. No arrow joins the two, and neither acts on the other: the dependence is among the scenes that you
# chose to look at.
#
# ### Exercise 3: up or down? (predict before you run)
#
# A golem of type3, of which one in ten has a high *attack*, attacks. You come to know that its *defense* is high.
# Does P(actor_attack = high) go `"up"`, `"down"`, or is it the `"same"`? (The action's table is in notebook 03.)

# %%
# <solution>
prediction = "down"  # a high defense is a reason to attack too: it explains some of it
# <stub>
# prediction = ...  # your word
# </solution>
check("04.3", prediction)
golem3 = {"actor_character": "golem", "actor_type": "type3", **attack}
if prediction is not ...:
    before, after = (p(g, "actor_attack") for g in (golem3, {**golem3, "actor_defense": "high"}))
    print(f"P(actor_attack = high): {before:.4f} before, {after:.4f} after")

# %% [markdown]
# ### Exercise 4: find the mistake
#
# A colleague wants P(action = attack | reaction = die) and gets a number that doesn't look like the 0.61 of
# `probability`. What was computed instead? Mend it.

# %%
attacks, dies = rows["action"] == 0, rows["reaction"] == 0
colleague = (attacks & dies).sum() / attacks.sum()
# <solution>
mended = (attacks & dies).sum() / dies.sum()  # among the deaths; the colleague's is P(die | attack)
# <stub>
# mended = ...  # your code
# </solution>
print(f"exact {probability(duel, 'action', {'reaction': 'die'})[0]:.3f}, colleague {colleague:.3f}")
check("04.4", mended)

# %% [markdown]
# ## The other half
#
# `sample_posterior` draws *all* variables from the exact posterior. So the torn scene can be completed, each way in
# its due proportion:

# %%
whole = sample_posterior(duel, 6, given=HALF, seed=2)
show.scenes(render({**whole, **codes(STYLE, 6)}), [ACTIONS[a] for a in whole["action"]])

# %% [markdown]
# Six scenes with the same right half. Who won your bet?
#
# ## The first rung
#
# The course's question is about *this* satyr, which taunts *this* golem. With what we have, we can ask for scenes in
# which the action **is** an attack:

# %%
SCENE = {"actor_character": "satyr", "actor_type": "type2", "reactor_character": "golem",
         "reactor_type": "type1", "action": "taunt", "reaction": "hurt", "sky": "dusk", "sun": "2",
         "actor_distance": "1", "reactor_distance": "1", "hills": "round"}  # fmt: skip
seen = sample_posterior(duel, 4, given=attack, seed=6)
seeing = render({**seen, **sample_uniform(style_of(duel), 4, seed=6)})
show.rungs(seeing=seeing, scene=render(codes(SCENE))[0])

# %% [markdown]
# Four scenes with attacks in them: other fighters, other skies (a draw picked so that each reaction is there once;
# their shares are the distribution's, not this figure's). That is **seeing**. P(reaction | action = attack)
# speaks of a crowd of scenes that agree with what was seen, and our scene isn't even among them: in it there is a
# taunt. Nobody was made to attack, either; we waited until somebody did. Making is the second rung, and next.
