# ---
# title: Doing
# question: What does doing change?
# objectives:
#   - rewrite a program by hand so that an action is done, and compare it with `pyro.do`
#   - predict from the graph where seeing and doing agree
#   - compute an effect from recorded scenes alone, with its standard error
#   - decide what to adjust for, and say what the graph alone doesn't tell
#   - explain why more data doesn't take a bias away
# minutes: {running: 1, exercises: 20}
# need: notebooks 02 to 04 (the graph, d-separation, the world as a program, what `given` means)
# built: an estimate of a causal effect from pictures' labels, next to the exact one
# key_ideas:
#   - "Doing is surgery: one variable's table is replaced by a constant, the arrows into it go, everything else stays."
#   - "Seeing and doing agree where no back-door path is open. In the duel that holds for action and reaction; in the arena the time of day opens one, and the sign turns."
#   - "Adjusting for Z: take P(effect | cause, z), and average it with P(z), not with P(z | cause)."
#   - "Whether Z is enough is not in the data. It comes from the graph, and for the sky from one more thing that we know: it never lies about the time."
# mistakes:
#   - "**Adjusting for whatever was recorded.** A variable that the action affects is no confounder; adjusting for it can bring a bias in."
#   - "**Reading a small standard error as the truth.** It measures chance. A bias has no standard error."
#   - "**Averaging with P(z | cause).** That puts the confounding right back."
#   - "**Selling `do` as 'what would have happened to this one'.** It speaks of a population of new scenes. This very scene is notebook 06."
# quiz:
#   - ask: After do(action = attack), what is the distribution of the actor's attack in the duel?
#     options: ["P(actor_attack | action = attack)", "P(actor_attack)", it can't be known]
#     answer: b
#     why: The arrows into action are cut, so setting it says nothing about its former causes.
#     hints:
#       a: "That is what an attack tells if it is seen. Whose idea was this one?"
#       c: "The tables are known. Only one of them was replaced: which?"
#   - ask: In the arena neither sky nor time was recorded, but you have ten million scenes. What about the effect of the action?
#     options: [the naive answer is now right, adjusting for both characters and types is right, "its estimate's sign is wrong, its standard error small"]
#     answer: c
#     why: Ten million scenes give the wrong quantity very precisely.
#     hints:
#       a: "What does more of the same data change: the bias, or the standard error?"
#       b: "Does any of these variables lie on the path through the time?"
#   - ask: The crowd cheers after some reactions. May you adjust for it?
#     options: ["yes, it is in the data", "no, it descends from the action", "yes, if the sky is adjusted for too"]
#     answer: b
#     why: No back-door set holds a descendant of the cause; among the cheered scenes attacks and taunts are no longer comparable.
#     hints:
#       a: "Recorded isn't enough. What are the crowd's causes?"
#       c: "The sky gives the time away. What does holding the crowd open?"
# ---

# %% [markdown]
# ## The insurer's rule
#
# In the **arena**, 20,000 duels were photographed. To cut **harm** (the reactor dies or is hurt), an
# insurer would have all actors attack, or all taunt. So it counts.

# %%
import pyro
import torch
from cimg import World, show
from cimg.check import check
from cimg.query import backdoor_sets, is_adjustable, probability, sample_posterior
from cimg.scene import render, sample_uniform, stage, style_of

duel, arena = World.load("duel"), World.load("arena")
drawn = arena.sample(20_000, seed=5)
photos = {name: drawn[name] for name in arena.visible}  # what is hidden, no camera sees
ATTACK, TAUNT = 0, 1  # codes of the action
table = []
for name, action in (("attack", ATTACK), ("taunt", TAUNT)):
    harmed = (photos["reaction"][photos["action"] == action] <= 1).double()  # die is 0, hurt is 1
    table.append([name, len(harmed), harmed.mean(), (harmed.var() / len(harmed)).sqrt()])
assert table[1][2] > 2 * table[0][2]
show.table(table, ["action", "photographs", "harmed", "± s.e."])

# %% [markdown]
# Taunted reactors come to harm more than twice as often, and chance is out of the question. Attacks for all?
# **Would you sign?** Look at some of the photographs first, and not at the fighters:

# %%
last = torch.cat([(photos["action"] == action).nonzero()[-6:, 0] for action in (ATTACK, TAUNT)])
some = {name: codes[last] for name, codes in photos.items()}
style = sample_uniform(style_of(arena), 12, seed=5)
show.scenes(render({**some, **style}), ["attack"] * 6 + ["taunt"] * 6, columns=6, zoom=2)

# %% [markdown]
# Above, dusk and night; below, dawn and day. These are the last six of each, but it is mostly so in all of them. Keep
# that in mind. First we need to say what is asked for.
#
# ## Doing, by hand
#
# The insurer doesn't ask what is *seen* where there is an attack. It asks what *happens* if one is **made**:
#
# - **Task.** P(reaction | do(action = attack)), in the plain duel first.
# - **Assumptions.** The graph is right. And a mechanism can be replaced on its own: whoever makes the actor attack
#   changes the action's table and no other.
# - **By hand.** In the program, one line changes: the action isn't drawn from its table any more. `pyro.do` makes
#   the same change for you, and `probability(..., do=...)` gives the exact answer.

# %%
def play(world, n, do):
    rows = {}
    for v in world.variables.values():
        if v.name in do:
            rows[v.name] = torch.full((n,), do[v.name])  # the new line: its table isn't asked
        else:
            chances = v.cpt[tuple(rows[parent] for parent in v.parents)]
            rows[v.name] = pyro.distributions.Categorical(chances.expand(n, -1)).sample()
    return rows

pyro.set_rng_seed(0)
by_hand = play(duel, 100_000, {"action": ATTACK})
by_pyro = pyro.do(duel.program(100_000), data={"action": torch.tensor(ATTACK)})()
exact = probability(duel, "reaction", do={"action": "attack"})
for name, rows in (("by hand", by_hand), ("pyro.do", by_pyro)):
    share = torch.bincount(rows["reaction"], minlength=4) / 100_000
    off = float((share - exact).abs().sum() / 2)
    assert off < 0.01
    print(f"{name}: P(die | do(attack)) ≈ {share[0]:.3f}, exact {exact[0]:.3f}; total variation ≈ {off:.4f}")

# %% [markdown]
# The same, up to chance. (Run forward, `pyro.condition` would draw just such rows. The difference is in what
# follows: a conditioned site has a weight that speaks for or against its causes, a site that was set has none.)
#
# In the graph, that one line is surgery:

# %%
show.graph(duel, do={"action": "attack"})

# %% [markdown]
# The arrows **into** the action are cut; those out of it stay, and so does every other table. In symbols, the
# factorisation loses one factor, P(action | its parents), and is called *truncated*.
#
# ## Where seeing and doing agree
#
# For several variables: what we expected anyway, having *seen* an attack, having *made* one.

# %%
WHAT = {"actor_attack": "high", "reactor_defense": "high", "reaction": "die"}
one = {"action": "attack"}
table = []
for name, value in WHAT.items():
    answers = [probability(duel, name, **how) for how in ({}, {"given": one}, {"do": one})]
    table.append([f"{name} = {value}", *(a[duel.encode({name: value})[name]] for a in answers)])
torch.testing.assert_close(probability(duel, "reaction", one), exact, rtol=0, atol=1e-12)
print("back-door sets:", [set(names) for names in backdoor_sets(duel, "action", "reaction")])
show.table(table, ["P(…", "nothing)", "given attack)", "do(attack))"], digits=4)

# %% [markdown]
# **Upstream they differ.** An attack that you see tells you what the actor is probably like. One that you made tells
# you nothing about it: doing moves only what lies downstream.
#
# **For the reaction they agree**, to all digits. Why? The two can differ only by what leaks from action to reaction
# along a path that *enters* the action: a **back-door path**. In the duel none is open. `backdoor_sets` lists the
# minimal sets that block them all; the only one here is the empty set: nothing needs blocking.
#
# ### Exercise 1: seeing = doing? (predict before you run)
#
# Four more in the duel: is there an open path that *enters* the variable which is seen or set? If not, the two
# `"must agree"`; if so, they `"may differ"`.

# %%
PAIRS = {"a": ("reaction", {"actor_character": "satyr"}),  # P(reaction | satyr), … | do(satyr))
         "b": ("action", {"reaction": "die"}), "c": ("reaction", {"reactor_defense": "high"}),
         "d": ("reaction", {"reactor_type": "type2"})}  # fmt: skip
# <solution>
predicted = {"a": "must agree", "b": "may differ", "c": "may differ", "d": "may differ"}
# <stub>
# predicted = {"a": ..., "b": ..., "c": ..., "d": ...}  # your words
# </solution>
check("05.1", predicted)
for key, (target, cause) in PAIRS.items() if "Ellipsis" not in str(predicted) else ():
    off = probability(duel, target, cause) - probability(duel, target, do=cause)
    print(f"{key}: total variation {off.abs().sum() / 2:.4f}")

# %% [markdown] tags=["solution"]
# a: nothing enters a root. b: seeing a death tells about the action; making one doesn't. c: by way of character and
# type the other abilities leak in. d surprises: a path is open, but these tables send nothing along it, as types are
# equally frequent in both characters. A graph says where the two *must* agree, not where they do differ.

# %% [markdown]
# ## The arena
#
# Now a **confounder**: by day a crowd watches, and striking first is bad form; by night, blows miss. The time is a
# cause of the action and of the reaction.

# %%
show.graph(arena, highlight=["time", ("time", "action"), ("time", "reaction")])

# %% [markdown]
# The marked path enters the action by the back door, and it is open. So here seeing needn't be doing:

# %%
BOTH = ({"action": "attack"}, {"action": "taunt"})
ask = {"seeing": [{"given": x} for x in BOTH], "doing": [{"do": x} for x in BOTH]}
for time in ("day", "night"):
    ask[f"seeing, {time}"] = [{"given": {**x, "time": time}} for x in BOTH]
harm = {name: [float(probability(arena, "reaction", **how)[:2].sum()) for how in questions]
        for name, questions in ask.items()}  # fmt: skip
gap = {name: a - t for name, (a, t) in harm.items()}
truth = gap["doing"]
assert -0.29 < gap["seeing"] < -0.28 and 0.07 < truth < 0.08 and min(list(gap.values())[1:]) > 0
print("attack minus taunt:", ", ".join(f"{name} {x:+.3f}" for name, x in gap.items()))
print("P(night | attack), P(night | taunt):", *(f"{probability(arena, 'time', x)[1]:.3f}" for x in BOTH))
show.distributions(harm, ["attack", "taunt"], "Harm in the arena", digits=3, ylabel="P(harm)")

# %% [markdown]
# **The sign turns.** By seeing, an attack looks 28 points *less* harmful than a taunt; by doing, it is 7 points
# *more* harmful. By day it is worse, by night it is worse, and pooled it looks better: Simpson's paradox. Attacks
# happen at night, when little gets through; taunts by day, when much does. The insurer's count compared night with
# day.
#
# ## Adjusting, from the photographs alone
#
# That was reading the tables. The insurer has none, only photographs, with the sky on them. Compare like with like:
# attacks and taunts *under the same sky*; then average over the skies **as they are**, whoever did what:
#
# P(harm | do(action)) = Σ over z of P(harm | action, z) P(z), here with z = sky
#
# - **Assumptions.** Given z, nothing leaks through the back door (we come to that). Under each z each action occurs.
#   The photographs are independent draws.
# - **Standard error.** Two sources of chance: who came to harm within each z, and how often each z came up.

# %%
def adjusted(rows, contrast, by=()):
    """Σ_z P(z) P(harm | action, z), added up over actions with their signs; and its s.e."""
    z = torch.zeros_like(rows["action"])
    for name in by:
        z = 4 * z + rows[name]  # one number for each combination; no code is above 3
    size = torch.bincount(z)
    share = size[size > 0] / len(z)
    value = noise = 0
    for action, sign in contrast.items():
        acted = rows["action"] == action
        count = torch.bincount(z[acted], minlength=len(size))[size > 0]
        assert count.min() > 0, "under some z nobody acted so: nothing to compare"
        hit = torch.bincount(z[acted & (rows["reaction"] <= 1)], minlength=len(size))[size > 0]
        value, noise = value + sign * hit / count, noise + hit / count * (1 - hit / count) / count
    mean = (share * value).sum()
    return mean, ((share**2 * noise).sum() + ((share * value**2).sum() - mean**2) / len(z)).sqrt()


# %%
EFFECT = {ATTACK: 1, TAUNT: -1}  # harm by attack minus harm by taunt
for by in ([], ["sky"]):
    mean, error = adjusted(photos, EFFECT, by)
    print(f"by {by}: {mean:+.3f} ± {error:.3f}; exact {truth:+.3f}, {(mean - truth) / error:+.1f} s.e. off")
runs = [adjusted(arena.sample(20_000, seed=s), EFFECT, ["sky"]) for s in range(200)]
means, errors = (torch.stack(x) for x in zip(*runs, strict=True))
covered = ((means - truth).abs() < 1.96 * errors).double().mean()
print(f"200 times: mean {means.mean():+.4f}, spread {means.std():.4f}; stated s.e. {errors.mean():.4f}")
print(f"95 % intervals that hold the exact effect: {covered:.1%}")
assert 0.9 < covered < 0.99

# %% [markdown]
# From the same photographs: by nothing, the difference has the wrong sign and is dozens of standard errors off; by
# the sky, it is right within its error. If all are to do one, it's the *taunt*.
#
# The lower lines ask whether that error is honest: the arena photographed 200 times over. The answers spread as
# much as stated, and 95 % intervals hold the exact effect about 95 times in 100.
#
# Now for the assumption that we put off.
#
# ## Why is the sky enough?
#
# Ask the graph:

# %%
print("back-door sets among what is visible:", backdoor_sets(arena, "action", "reaction"))
print("adjustable, by the graph:", is_adjustable(arena, "action", "reaction"))
hidden_too = backdoor_sets(arena, "action", "reaction", list(arena.variables))
print("back-door sets among all:", [set(names) for names in hidden_too])
print("P(night | sky):", [float(probability(arena, "time", {"sky": s})[1]) for s in range(4)])

# %% [markdown]
# The graph says **no**: only the time blocks the path, and it isn't visible. The sky is merely an *effect* of the
# time; holding it fixed leaves action ← time → reaction open. With other tables on the very same graph, adjusting
# for the sky goes wrong in general.
#
# It works here because of the last line: the sky shows the time **without fail**. To know the sky *is* to know the
# time. That is knowledge about a table, not about the graph, and the photographs can't confirm it, as no time is
# written on them. How much hangs on it? Let fog make the sky lie now and then:

# %%
spec = arena.to_dict()
sky = next(v for v in spec["variables"] if v["name"] == "sky")
for lies in (0, 0.01, 0.05, 0.2):
    a, b = (1 - lies) / 2, lies / 2
    sky["cpt"] = [[a, a, b, b], [b, b, a, a]]
    mean, error = adjusted(World.from_dict(spec).sample(200_000, seed=5), EFFECT, ["sky"])
    print(f"the sky lies {lies:4.0%} of the time: {mean:+.3f} ± {error:.3f}, exact {truth:+.3f}")
    assert (mean > 0) == (lies < 0.03) and (mean > 0.05) == (lies == 0)

# %% [markdown]
# One lie in a hundred takes half the effect away; five in a hundred turn the sign. A **proxy** removes, as a rule, part
# of the confounding; how big a part, it doesn't say itself. (A second proxy can tell, under assumptions of its own and
# with very many photographs: Kuroki and Pearl 2014. Given the action, the actor's type is one.)
#
# ## And if nobody had recorded the sky?
#
# Cut the sky off the photographs. Adjust for all else that is visible, with more and more of them:

# %%
who = [name for name in arena.visible if name.endswith(("character", "type"))]
for n in (20_000, 200_000, 2_000_000):
    mean, error = adjusted(arena.sample(n, seed=5), EFFECT, who)
    assert mean < -0.27
    print(f"{n:9,}: {mean:+.4f} ± {error:.4f}; exact {truth:+.4f}, {(mean - truth) / error:+.0f} s.e. off")

# %% [markdown]
# More data makes it *surer*, not *righter*. The standard error measures chance; the bias has none. Without time, or
# something that shows it, these photographs don't settle what attacks do.
#
# ### Exercise 2: find the mistake
#
# A colleague adjusts for the sky and gets the naive 0.17 for an attack. Mend one line. Compare with the exact
# P(harm | do(attack)), 0.373.

# %%
attacked = photos["action"] == ATTACK
total = 0
for s in range(4):
    here = photos["sky"] == s
    # <solution>
    share = here.sum() / len(here)  # P(sky): attacks or not. The colleague's was P(sky | attack)
    # <stub>
    # share = (here & attacked).sum() / attacked.sum()  # mend this line
    # </solution>
    total += share * (photos["reaction"][here & attacked] <= 1).double().mean()
print(f"P(harm | do(attack)) = {total:.3f}")
check("05.2", total)

# %% [markdown]
# ### Exercise 3: another road (fill in)
#
# Instead of averaging, **weight** each photograph by 1 / P(its action | its sky), estimated by counting: rare
# actions count for more, until every sky has as many of each. Then P(harm | do(attack)) is the mean, over *all*
# photographs, of weight × attacked × harmed. It should equal the adjusted number to the last digit.

# %%
# <solution>
cell = 3 * photos["sky"] + photos["action"]
weights = torch.bincount(photos["sky"])[photos["sky"]] / torch.bincount(cell).double()[cell]
# <stub>
# weights = ...  # your code: a tensor [n]
# </solution>
check("05.3", weights)
if isinstance(weights, torch.Tensor):
    road = (weights * attacked * (photos["reaction"] <= 1)).mean()
    print(f"weighted {road:.6f}, adjusted {adjusted(photos, {ATTACK: 1}, ['sky'])[0]:.6f}")

# %% [markdown]
# ## The trap: adjust for all you have
#
# Somebody also noted whether the **crowd** cheered: mostly where there was harm, and at an attack often even if
# nothing came of it. One more column, recorded without fail. Adjust for it as well?

# %%
spec = arena.to_dict()
cheers = [[0.9, 0.9, 0.5, 0.5], [0.8, 0.8, 0.05, 0.05], [0.05] * 4]  # P(cheers | action, reaction)
spec["variables"].append({"name": "crowd", "values": ["quiet", "cheers"], "in_image": False,
    "parents": ["action", "reaction"], "cpt": [[[1 - p, p] for p in row] for row in cheers]})  # fmt: skip
rows = World.from_dict(spec).sample(200_000, seed=6)
mean, error = adjusted(rows, EFFECT, ["sky", "crowd"])
assert mean < -0.05
print(f"by sky and crowd: {mean:+.3f} ± {error:.3f}, exact {truth:+.3f}")

# %% [markdown]
# The wrong sign again. The crowd is an effect of the action *and* of the reaction: a collider. Hold it fixed, and you
# compare attacks that were cheered (some for nothing) with taunts that were cheered (for the harm that they did).
# The back-door criterion allows **no descendant of the cause**. Which columns those are, the graph says; the data
# doesn't.
#
# ### Exercise 4: which sets? (decide before you run)
#
# Adjusting for which of these gives the exact effect, +0.074 (the sky doesn't lie)? `True` or `False` for each.

# %%
# <solution>
right = {"sky": True, "actor_type": False, "sky actor_type": True, "crowd": False}
# <stub>
# right = {"sky": ..., "actor_type": ..., "sky actor_type": ..., "crowd": ...}
# </solution>
check("05.4", right)
for by in ("sky", "actor_type", "sky actor_type", "crowd") if "Ellipsis" not in str(right) else ():
    mean, error = adjusted(rows, EFFECT, by.split())
    print(f"{by}: {mean:+.3f} ± {error:.3f}")

# %% [markdown]
# ## The second rung

# %%
SCENE = {"actor_character": "satyr", "actor_type": "type2", "reactor_character": "golem",
         "reactor_type": "type1", "action": "taunt", "reaction": "hurt", "sky": "dusk", "sun": "2",
         "actor_distance": "1", "reactor_distance": "1", "hills": "round"}  # fmt: skip
asked = render({k: torch.tensor([stage().variables[k].index(v)]) for k, v in SCENE.items()})[0]
seen, made = sample_posterior(duel, 4, one, seed=6), duel.sample(4, seed=173, do=one)
styles = [sample_uniform(style_of(duel), 4, seed=seed) for seed in (6, 173)]
show.rungs(render({**seen, **styles[0]}), render({**made, **styles[1]}), scene=asked)

# %% [markdown]
# In the duel both panels' reactions follow one distribution; what differs is who attacks. (Both draws were picked so
# that each reaction is there once.)
#
# **Caveat.** `do` answers for new scenes of the whole population: *any* two fighters, the actor made to attack.
# Fixing who they are (`given` the characters and types) narrows the population, and still makes nothing of what we
# know of *this* golem: it was taunted, and it is hurt. That is the third rung.
