# ---
# title: The causal graph
# question: What causes what, and what does an arrow claim?
# objectives:
#   - draw the causal graph of a story, and say what each arrow and each missing arrow claims
#   - write a joint probability as a product of tables, and count the numbers that this saves
#   - decide by hand whether two variables are d-separated, and check it by machine
#   - test a claim of the graph on data, and name claims that no such data can test
#   - find the mistake in a graph drawn from time order, from correlation, or in a circle
# minutes: {running: 1, exercises: 20}
# need: "Python; what P(A | B) means; notebook 01 for the pictures"
# built: "the graph of the duel, a d-separation checker in a dozen lines, and a test for its claims"
# key_ideas:
#   - "An arrow allows a direct effect. A missing arrow forbids one: it is the stronger claim."
#   - "The graph splits the joint distribution into one small table per variable."
#   - "A chain or a fork is blocked by what is given in its middle. A collider is blocked until it, or something downstream of it, is given."
#   - "Data can refute an independence. Alone they can't tell every arrow's direction, nor what wasn't recorded."
# mistakes:
#   - "**Holding everything fixed, to be safe.** Given a collider, two causes that have nothing to do with each other become dependent."
#   - "**An arrow from what came first.** Time order says which arrows can't be, never which must be."
#   - "**An arrow for every correlation.** A common cause correlates, and so does selection."
#   - "**The test passed, so the graph is right.** A graph with all possible arrows passes every such test: it claims no independence."
# quiz:
#   - ask: Which is the stronger claim about the world?
#     options: ["an arrow from X to Y", "no arrow from X to Y"]
#     answer: b
#     why: "An arrow allows any table, even one in which X changes nothing. A missing arrow forbids a direct effect."
#     hints:
#       a: "An arrow allows an effect, and none at all as well. What does a missing one allow?"
#   - ask: "In X → Y ← Z, with no other arrows, when are X and Z dependent?"
#     options: ["always", "never", "they can be once Y is given, and are independent otherwise"]
#     answer: c
#     why: "Y is a collider: it blocks the path until it, or one of its descendants, is given."
#     hints:
#       a: "Nothing else joins X and Z, and Y hasn't been seen: is the path open?"
#       b: "Among the cases with one value of Y, does X tell something about Z?"
#   - ask: "You have a million rows of X and Y alone, and they are dependent. What follows?"
#     options: ["X causes Y", "one of them causes the other", "nothing yet about who causes whom"]
#     answer: c
#     why: "X → Y, X ← Y, a common cause or a selection of the rows can each make the very same table."
#     hints:
#       a: "Turn the arrow round: would the same table come out?"
#       b: "Could a third variable, that nobody recorded, cause both?"
# ---

# %% [markdown]
# ## A puzzle: three correlations, one cause
#
# A hundred thousand duels, counted. (How they are drawn is the next notebook's business.) In each line
# the second share is clearly larger than the first.

# %%
from collections import namedtuple
from itertools import combinations, product

import networkx as nx
import torch

from cimg import World, scene, show
from cimg.check import check
from cimg.query import d_separated, probability

duel = World.load("duel")
rows = duel.sample(100_000, seed=2)
Q = namedtuple("Q", "target value cause pair given", defaults=[{}])  # a question

# %%
def counted(q):
    """The share of rows with target = value for two values of the cause; how far apart they are."""
    hits, groups = rows[q.target] == duel.encode({q.target: q.value})[q.target], []
    for x in q.pair:
        codes = duel.encode({**q.given, q.cause: x})
        among = sum(rows[name] == code for name, code in codes.items()) == len(codes)
        groups.append(hits[among].double())
    a, b = groups
    errors = (b.mean() - a.mean()) / (a.var() / len(a) + b.var() / len(b)).sqrt()
    question = [f"{q.target} = {q.value}", f"{q.cause}: {', '.join(q.pair)}"]
    return [*question, ", ".join(q.given.values()) or "–", a.mean(), b.mean(), f"{errors:.1f}"]


A = Q("reaction", "die", "action", ("taunt", "attack"))
B = Q("actor_attack", "high", "actor_strength", ("low", "high"))
C = Q("action", "attack", "reactor_defense", ("low", "high"), {"reaction": "hurt"})
HEAD = ["share of", "for", "among", "first", "second", "apart, errors"]
show.table([counted(q) for q in (A, B, C)], HEAD)

# %% [markdown]
# (*Errors*: the difference in standard errors. By chance, one or two; more than three, hardly ever.)
#
# **A**: attacked reactors die more often than taunted ones. **B**: strong actors have a high attack more
# often than weak ones. **C**: of the hurt reactors, those of high defense had been attacked more often.
#
# In one of the three, one thing causes the other. Which? Choose before you read on. The counts alone
# won't say.
#
# ## The problem, stated
#
# Two characters meet. Each is a *satyr* or a *golem*, of *type1*, *type2* or *type3*, and has three
# **abilities**, *low* or *high*: strength, defense, attack. The actor's **action** is *attack*, *taunt*
# or *walk*; the reactor's **reaction** is *die*, *hurt*, *idle* or *attack*. Twelve **variables**: six
# are drawn, the six abilities are **hidden**. The rest of the picture (sky, sun, hills, distances) is
# **style**, left to chance.

# %%
drawn = scene.stage().variables
words = ["satyr", "type2", "golem", "type1", "taunt", "hurt", "dusk", "2", "1", "1", "round"]
values = dict(zip(drawn, words, strict=True))
codes = {name: torch.tensor([drawn[name].index(value)]) for name, value in values.items()}
show.scenes(scene.render(codes), ["satyr type2, taunt; golem type1, hurt"], zoom=6)

# %% [markdown]
# A taunt has hurt this golem's feelings. *How would this image look, had the action been an attack?*
# Before anyone can answer, somebody has to say what depends on what.
#
# ## By hand: from a story to arrows
#
# The game's author tells it so:
#
# > Characters are drawn by lot, then their types. Character and type settle each ability, with a die of
# > its own. The actor's abilities settle what it does. The reactor sees what is done, and its own
# > abilities settle how it takes it.
#
# Write down for each variable what the story lets it listen to: its **parents**. From each parent an
# arrow goes to the variable.

# %%
parents = {"action": ["actor_strength", "actor_defense", "actor_attack"]}
parents["reaction"] = ["reactor_strength", "reactor_defense", "reactor_attack", "action"]
for who in ("actor", "reactor"):
    parents[f"{who}_type"] = [f"{who}_character"]
    for ability in ("strength", "defense", "attack"):
        parents[f"{who}_{ability}"] = [f"{who}_character", f"{who}_type"]
dag = nx.DiGraph([(cause, effect) for effect in parents for cause in parents[effect]])
assert set(dag.edges) == set(duel.graph().edges)
print(len(dag), "variables,", dag.number_of_edges(), "arrows, those of cimg's duel")

# %%
show.graph(duel, style=True)

# %% [markdown]
# Causes stand above effects. Dashed boxes are hidden. Grey arrows run into the picture, which is a
# function of what is drawn, and of style. Following arrows, you never come back: it is a **directed
# acyclic graph**, a DAG. It claims:
#
# - **An arrow X → Y** allows a *direct effect*: set X, hold Y's other parents where they are, and Y's
#   probabilities may change.
# - **A missing arrow** forbids it: once Y's parents are set, setting anything else changes nothing about
#   Y.
# - **No common cause is left out**: whatever causes two of the variables is in the graph.
#
# ## What isn't there: forty-five claims
#
# Twelve variables make 66 pairs; 21 are joined by an arrow. Each of the other 45 is a claim about the
# world. Here they are, by family.

# %%
actor, reactor = list(duel.variables)[:5], list(duel.variables)[5:10]
claims = {
    "what the actor is works only through abilities": product(actor[:2], ["action"]),
    "the same for the reactor": product(reactor[:2], ["reaction"]),
    "no ability makes another": [*combinations(actor[2:], 2), *combinations(reactor[2:], 2)],
    "the actor doesn't look whom it faces": product(reactor, ["action"]),
    "the reactor feels what is done, not who does it": product(actor, ["reaction"]),
    "who meets whom is chance": product(actor, reactor),
}
claims = {claim: {*map(frozenset, pairs)} for claim, pairs in claims.items()}
pairs, joined = {*map(frozenset, combinations(dag, 2))}, {*map(frozenset, dag.edges)}
assert set.union(*claims.values()) == pairs - joined and (len(pairs), len(joined)) == (66, 21)
show.table([[len(family), claim] for claim, family in claims.items()], ["pairs", "claim"])

# %% [markdown]
# Now object, as a game designer would! *"A strong actor's attack surely hits harder."* Not in the duel:
# there, strength bears on *whether* it attacks. *"Nobody attacks a golem that big."* In the duel they do.
# Here the claims hold because the world is built to them. In your own data each one is a bet.
#
# ## The graph as a product
#
# **Task.** How probable is the duel above, if all hidden abilities are low? **Assumptions.** The graph.
# **By hand.** Any joint probability is a product: the first variable, the second given the first, the
# third given both, … The graph shortens each factor: given its parents, a variable needs nothing else
# that stands before it.
#
# $$P(\text{all}) = \prod_v P(v \mid \text{parents of } v)$$

# %%
whole = duel.encode({name: values.get(name, "low") for name in duel.variables})
answer, numbers = 1.0, 0
for name, v in duel.variables.items():
    factor = v.cpt[tuple(whole[n] for n in (*v.parents, name))].item()
    answer, numbers = answer * factor, numbers + v.cpt[..., 1:].numel()
    print(f"{factor:5.2f}  {name} = {v.values[whole[name]]}")
joint = probability(duel, list(whole))  # of everything
truth = joint[tuple(whole.values())].item()
assert abs(answer - truth) < 1e-12
print(f"product {answer:.7f}, cimg's exact answer {truth:.7f}")
print(f"numbers to fill in: {numbers} in twelve tables, {joint.numel() - 1:,} in one of everything")

# %% [markdown]
# Twelve look-ups, one product, and the exact answer. (In each row of a table the last number is 1 minus
# the others, so it doesn't count.) The missing arrows pay: twelve small tables fit on a page. **Caveat.**
# Leave out an arrow that the world has, and the product is wrong, and nothing warns you.
#
# ## Three junctions
#
# The graph says what is *independent* of what. Any path, along arrows or against them, is made
# of three junctions. Here is each, middle free, then given: **open** if low and high differ, else **blocked**.

# %%
def exact(q, how="given"):
    """P(target = value), for two values of the cause: seen ("given") or set ("do")."""
    at = duel.encode({q.target: q.value})[q.target]
    return [probability(duel, q.target, **{how: {**q.given, q.cause: x}})[at] for x in q.pair]


satyr1 = {"actor_character": "satyr", "actor_type": "type1"}
lines = []
for kind, q, middle in (
    ("chain", Q("reaction", "die", "actor_attack", ("low", "high")), {"action": "attack"}),
    ("fork", B, satyr1),
    ("collider", C, C.given),
):
    for given in {}, middle:
        what, q = f"P({q.target} = {q.value} | {q.cause})", q._replace(given=given)
        lines.append([kind, what, ", ".join(f"{k} = {v}" for k, v in given.items()) or "–", *exact(q)])
show.table(lines, ["junction", "what", "also given", "low", "high"])

# %% [markdown]
# - **Chain**, actor_attack → action → reaction: open. Given its middle, blocked.
# - **Fork**, actor_strength ← actor_type → actor_attack (and the same through the character): open. Given
#   both middles, blocked.
# - **Collider**, action → reaction ← reactor_defense: the other way round. Blocked; *opened* by giving
#   its middle, or anything downstream of it. (A tough reactor got hurt? An attack becomes the better
#   guess.)
#
# There is the puzzle's answer. B is a fork. C is a collider: to look at hurt reactors only is to *give*
# the reaction. Only A has an arrow.
#
# ## d-separation by hand
#
# **Task.** Does the graph promise that X and Y are independent, given some set? **By hand.** List all
# paths between them, whichever way the arrows point. X and Y are **d-separated** if every path is blocked
# somewhere: at a chain or fork whose middle is given, or at a collider of which neither itself nor any
# descendant is given.

# %%
def lets_through(before, middle, after, given):
    if dag.has_edge(before, middle) and dag.has_edge(after, middle):  # a collider
        return not given.isdisjoint({middle} | nx.descendants(dag, middle))
    return middle not in given  # a chain or a fork


def separated(x, y, given=()):
    for path in nx.all_simple_paths(dag.to_undirected(), x, y):
        junctions = zip(path, path[1:], path[2:], strict=False)
        if all(lets_through(*junction, set(given)) for junction in junctions):
            return False
    return True

# %% [markdown]
# **With `cimg`.** `d_separated(world, x, y, given)` asks the same without listing paths. Do the two
# agree? Ask about every pair, given nothing and given each other variable.

# %%
asked = [(x, y, ()) for x, y in combinations(dag, 2)]
asked += [(x, y, (z,)) for x, y, _ in asked for z in dag if z not in (x, y)]
assert all(separated(*q) == d_separated(duel, *q) for q in asked)
print(f"hand and machine agree on all {len(asked)} questions")

# %% [markdown]
# **Caveat.** Separated means independent, whatever numbers are in the tables. *Not* separated means only
# that dependence is allowed.
#
# ### Exercise 1: predict
#
# Is each pair d-separated, given what stands in brackets? Use the figure, a finger and the three
# junctions, no code. Then run.
#
# 1. actor_type, reaction ()
# 2. actor_type, reaction (action)
# 3. action, reactor_type ()
# 4. action, reactor_type (reaction)
# 5. actor_strength, actor_attack (actor_type)

# %%
# <solution>
guesses = [False, True, True, False, False]
# <stub>
# guesses = [..., ..., ..., ..., ...]  # True or False for each pair
# </solution>
check("02.1", guesses)

# %% [markdown] tags=["solution"]
# The last one is the trap: giving the type blocks one fork, but actor_strength ← actor_character →
# actor_attack stays open. The fourth is a collider, one step upstream.

# %% [markdown]
# ## What data can test
#
# Every separation is a promise that data could break: among other things, two shares must be equal. **By
# hand.** Count both, as in the puzzle.

# %%
types, lines = ("type1", "type2"), []
for q in (
    Q("reaction", "die", "actor_type", types, {"action": "attack"}),
    Q("action", "attack", "reactor_type", types),
    B._replace(given=satyr1),
    C,
    Q("actor_type", "type1", "actor_character", ("satyr", "golem")),
):
    promised, apart = d_separated(duel, q.target, q.cause, q.given), exact(q)[1] - exact(q)[0]
    lines.append([*counted(q), f"{abs(apart):.3f}", "equal" if promised else "–"])
    assert abs(float(lines[-1][5])) < 3 or not promised
show.table(lines, [*HEAD, "apart, exactly", "promise"])

# %% [markdown]
# Nothing speaks against the three promises. The fourth pair, to which nothing was promised, is further
# apart than chance goes. The last is a surprise: there *is* an arrow from character to type, and no
# difference. Satyrs and golems come in the same types, equally often. An arrow allows; its table may
# decline.
#
# Three things such a test can't do:
#
# - **Prove the graph.** A graph with all 66 arrows promises no independence, so no count can refute it.
# - **Test what wasn't recorded.** In pictures the abilities are hidden, and the third line can't be
#   counted. A hidden common cause may look just like an arrow.
# - **Tell every arrow's direction.** Watch.

# %%
joint = probability(duel, ("action", "reaction"))  # [3, 4]: attack and die stand first
seen = joint[0, 0] / joint[0].sum()  # in either story
lines = [["action → reaction", seen, seen], ["reaction → action", seen, joint[:, 0].sum()]]
show.table(lines, ["story", "P(die | action = attack)", "P(die | do(action = attack))"])

# %% [markdown]
# Forget the other ten variables. P(action) P(reaction | action) and P(reaction) P(action | reaction) are
# one and the same joint distribution: no count of actions and reactions tells the stories apart. Reach in
# and *set* the action (`do`), and they part: in the second, the reaction doesn't listen to the action.
#
# More variables can help, for colliders leave a trace. Two graphs make the same promises exactly if they
# join the same pairs and have the same colliders with unjoined causes (Verma and Pearl, 1990). To read
# arrows off data, though, one must trust that no independence is an accident, such as that of character
# and type.
#
# ## Three ways to draw a wrong graph
#
# **From time order.** "The reactor's type was there before the action; so reactor_type → action." **From
# correlation.** "B and C are clear correlations; so actor_strength → actor_attack and reactor_defense →
# action." If such an arrow does anything, *setting* the cause will, as a rule, move the effect. Ask the
# world.

# %%
arrows = A, B, C, Q("action", "attack", "reactor_type", types)
lines = [[f"{q.cause} → {q.target}", *exact(q), *exact(q._replace(given={}), "do")] for q in arrows]
show.table(lines, ["arrow?", "seen: first", "second", "set: first", "second"])

# %% [markdown]
# Only A's effect moves when its cause is set. (For C, *seen* is among hurt reactors, *set* among all.)
# Time order forbids arrows into the past; that is all it does.
#
# **In a circle.** "The action provokes the reaction, and the reaction provokes the next action."

# %%
spec = duel.to_dict()
next(v for v in spec["variables"] if v["name"] == "action")["parents"].append("reaction")
try:
    World.from_dict(spec)
except ValueError as error:
    print(error)

# %% [markdown]
# In a circle nobody can go first. The cure is in the word *next*: the next action is another variable.
# Unroll time: action 1 → reaction 1 → action 2.
#
# ### Exercise 2: separate them
#
# Which variables **of the picture** must at least be given to make x and y independent? Write the search:
# small sets first, and `d_separated` to ask. (Compare with: one variable for pair 1, two for pair 2, the
# empty set for pair 3. Pair 4 is odd.)

# %%
def separator(x, y):
    """The smallest set of visible variables that d-separates x and y; None if there is none."""
    pool = [name for name in duel.visible if name not in (x, y)]
    # <solution>
    sets = (given for size in range(len(pool) + 1) for given in combinations(pool, size))
    return next((given for given in sets if d_separated(duel, x, y, given)), None)
    # <stub>
    # return "..."  # your code: combinations(pool, size) lists the sets of one size
    # </solution>


pairs = [("actor_attack", "reaction"), ("actor_strength", "actor_attack")]
pairs += [("actor_character", "reactor_character"), ("reactor_attack", "reaction")]
for x, y in pairs:
    print(f"{x}, {y}: {separator(x, y)}")
check("02.2", separator)

# %% [markdown] tags=["solution"]
# The fourth pair is joined by an arrow, and no set separates what an arrow joins.

# %% [markdown]
# ### Exercise 3: find the mistake
#
# The *arena* is a duel at some hour. By day a crowd watches, and to strike first is bad form. By night
# nobody sees who began, and blows miss. The time isn't drawn, but the sky shows it. A colleague saw in
# the pictures that sky goes with action and with reaction, and drew time → sky, sky → action, sky →
# reaction. Mend the drawing. (Compare with: one arrow is right.)

# %%
# <solution>
mended = {("time", "sky"), ("time", "action"), ("time", "reaction")}
# <stub>
# mended = ...  # your code: a set of arrows (cause, effect)
# </solution>
check("02.3", mended)
arena = World.load("arena")
for sky in ("day", "night"):
    seen, done = (probability(arena, "action", **{k: {"sky": sky}})[0] for k in ("given", "do"))
    print(f"P(attack | sky = {sky}) = {seen:.3f}, P(attack | do(sky = {sky})) = {done:.3f}")

# %% [markdown] tags=["solution"]
# Repaint the sky, and nobody fights differently: action ← time → sky is a fork. As the sky never lies here, pictures
# alone can't tell this graph from the colleague's; knowing the game can. Notebook 05 meets this fork again.
