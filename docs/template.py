# ---
# title: A title of two to four words
# question: What is the one question that this notebook answers?
# objectives:
#   - predict what will come out, before it is run
#   - compute a probability by hand, and check it with `cimg`
#   - explain which assumption the answer rests on
# minutes: {running: 1, exercises: 10}
# need: the notebooks before it, by number, and what else
# built: what the learner has in hand at the end, in half a line
# key_ideas:
#   - "One idea in one sentence, right to the letter."
#   - "A second one. Three to five in all; no number that no cell computes."
# mistakes:
#   - "**What people do.** Why that seems right, and what is wrong with it."
#   - "**Another one.** Watch learners first; then write."
# quiz:
#   - ask: "A question that can be answered without running anything?"
#     options: ["a likely mistake", "the right answer", "another mistake"]
#     answer: b
#     why: "The reason, in a sentence that a learner can repeat."
#     hints:
#       a: "A question back that fits this mistake?"
#       c: "A question back that fits that one?"
#   - ask: "A question about which rung something is on?"
#     options: ["seeing", "doing", "imagining"]
#     answer: a
#     why: "Say what is, or isn't, changed; and whether one individual's fate is known."
#     hints:
#       b: "Is anything changed?"
#       c: "Is there one individual whose fate is known?"
#   - ask: "A question about what is assumed?"
#     options: ["yes, because", "no, because"]
#     answer: b
#     why: "Name the assumption."
#     hints:
#       a: "What would have to hold for that?"
# ---

# %% [markdown]
# ## A puzzle first
#
# Begin with something to look at and a bet to place, before any notation. Say what comes next.

# %%
from cimg import World, probability, show
from cimg.check import check
from cimg.data import draw

duel = World.load("duel")
scenes, values = draw(duel, n=2, seed=5)
show.scenes(scenes, ["one scene", "another"])

# %% [markdown]
# After each picture, say what there is to see in it. The figure brings its alt text along.
#
# **Place a bet before you read on**: how often is the action an attack?

# %% [markdown]
# ## The question, answered twice
#
# - **Task.** P(action), written down exactly.
# - **Assumptions.** The duel's graph and tables are right.
# - **By hand.** Count, in rows drawn from the world.

# %%
rows = duel.sample(10_000, seed=0)
counted = rows["action"].bincount(minlength=3) / 10_000
print(counted.tolist())

# %% [markdown]
# Say what to see: the numbers of these rows are the same on every machine, and near the exact ones.
#
# **With `cimg`**, exactly, and with the distance between the two:

# %%
exact = probability(duel, "action")
distance = float((counted - exact).abs().sum() / 2)
show.distributions(
    {"exact": exact, "10,000 rows": counted}, duel.variables["action"].values, title="The action"
)

# %% [markdown]
# Truth next to what was computed, always. **Caveat.** Say where the answer stops: here, at the tables' being right.
#
# A number that comes out of trained weights stands behind ≈, and the same cell asserts it:

# %%
import cimg

model = cimg.load("duel")
read = {name: p.argmax(1) for name, p in model.read(scenes).items()}
right = sum(int((read[name] == values[name]).sum()) for name in duel.visible)
assert right >= 10
print(f"labels of the two scenes read rightly: ≈ {right} of 12")

# %% [markdown]
# The model has only seen pixels. Two scenes are no test; say so, and test in the notebook.
#
# ### Exercise 1: predict (or: fill in, find the mistake, decide, explain)
#
# One task, with the value to compare with where there is one. How probable is an attack, to two digits?

# %%
# <solution>
attack = 0.28
# <stub>
# attack = ...  # your number
# </solution>
check("99.1", attack)  # the notebook's number and the exercise's

# %% [markdown] tags=["solution"]
# Only the worked copy has this: why the answer is what it is.

# %% [markdown]
# ### Exercise 2: explain
#
# A picture of a scene in which somebody attacks: is that an answer to "what if everyone attacked"? Write `"yes"` or
# `"no"`.

# %%
# <solution>
answer = "no"
# <stub>
# answer = ...  # your word
# </solution>
check("99.2", answer)
