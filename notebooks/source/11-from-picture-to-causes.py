# ---
# title: From picture to causes
# question: What can a picture tell about what is not in it?
# objectives:
#   - compute P(hidden causes | picture) by way of the labels
#   - combine a reader's evidence with a world's tables, jointly and under do
#   - measure whether doubt is honest, with a reliability diagram and its error
#   - compare learning from few labels with and without unlabelled pictures
# minutes: {running: 1, exercises: 20}
# need: notebooks 04 (seeing), 05 (doing) and 08 (the causal VAE)
# built: an exact reader, a calibrated one, and a learner that needs fifty labels
# key_ideas:
#   - "A picture tells of hidden causes only through its labels: sum over all that they may be."
#   - "Likelihood times P(labels), all labels at once, then normalise. Which P(labels) depends on how the picture came about."
#   - "Calibrated: of what is said with confidence 0.8, 80 % is right. Calibrated isn't well informed."
#   - "Pictures without labels teach what there is to be told apart; a few labels name it."
# mistakes:
#   - "**Taking the most probable labels for the labels.** The doubt is lost before the causes are asked for."
#   - "**Multiplying label by label.** What one label says about another is thrown away."
#   - "**Trusting confidence off the training data.** A reader that never saw damage is wrong and doesn't know."
# quiz:
#   - ask: Two combinations of labels explain a picture equally well. What is P(labels | picture) for these two?
#     options: [one half each, "in the proportion that they had before the picture", it can't be told]
#     answer: b
#     why: "Equal likelihoods cancel. What is left is the prior: the tables, cut if somebody intervened."
#     hints:
#       a: "Would that be so, too, if one of the two almost never happens?"
#       c: "Write down Bayes' rule for both and divide. What cancels?"
#   - ask: "A forecaster has an expected calibration error of 0. What follows?"
#     options: ["bin by bin, its confidence can be taken at its word", it is right nearly always, "it beats any forecaster with error 0.01"]
#     answer: a
#     why: "That is what calibration means, and all of it: one that never looks can have it."
#     hints:
#       b: "Who says 1 in 432, and is right once in 432 times, has no error either."
#       c: "Could the other one know a great deal more?"
#   - ask: What do pictures without labels add, in few-label learning?
#     options: [labels, nothing, what the things look like that the labels name]
#     answer: c
#     why: "The picture model sorts them; labels say which sort is which."
#     hints:
#       a: "Nobody tells their labels. What can still be seen in them?"
#       b: "Look at the table once more: one column has them, the other hasn't."
# ---

# %% [markdown]
# ## Who is behind the stone?
#
# A golem, standing idle, at dusk. And a stone; somebody must be behind it. Is he good at attacking? You can't
# see him, and *attack* (here the hidden ability, not the action of that name) is never drawn anyway. Both sound
# hopeless. Neither is.

# %%
import math
import torch
from cimg import World, load, probability, show
from cimg.check import check
from cimg.damage import Damage, put_stone
from cimg.data import draw, draw_evenly
from cimg.reading import ExactReader, hidden, label_prior, marginals, posterior
from cimg.scene import render, stage

duel, drawn = World.load("duel"), stage().variables
LABELS = {"actor_character": "satyr", "actor_type": "type3", "action": "walk",
          "reactor_character": "golem", "reactor_type": "type3", "reaction": "idle"}
STYLE = {"sky": "dusk", "sun": "5", "hills": "valley", "actor_distance": "1", "reactor_distance": "1"}
values = {k: torch.tensor([drawn[k].index(v)]) for k, v in (LABELS | STYLE).items()}
scene = render(values)
behind = put_stone(scene, torch.tensor([3]))
words = "At dusk, on the left a tall stone, nobody to be seen; on the right a golem of type3, idle"
show.scenes(behind, ["Who is it?"], zoom=6, says=words)

# %% [markdown]
# ## From labels to causes
#
# **Task.** P(attack | scene), for the actor. **Assumptions.** The graph: hidden causes reach the pixels only
# through labels; style and damage are independent of both. So
#
# P(hidden | scene) = Σ P(hidden | labels) · P(labels | scene), summed over all labels.
#
# **By hand**, first without the stone. A clean scene tells its labels for certain: a satyr of type 3, walking.
# Multiply his three abilities' tables with that of the action, sum out strength and defense, normalise:

# %%
tables = {name: v.cpt for name, v in duel.variables.items()}
strength, defense, attack = (tables[f"actor_{k}"][0, 2] for k in ("strength", "defense", "attack"))
walking = tables["action"][..., 2]  # [strength, defense, attack]
joint = torch.einsum("s, d, a, sda -> a", strength, defense, attack, walking)
by_hand = joint / joint.sum()
exact = probability(duel, "actor_attack", given=LABELS)
assert (by_hand - exact).abs().max() < 1e-12
print(f"attack is high: before he did anything {attack[1]:.3f}, by hand {by_hand[1]:.3f}, "
      f"exactly {exact[1]:.3f}")

# %% [markdown]
# His walk speaks against a high *attack*. (The golem's labels tell nothing more: given the action, they are
# independent of the actor's abilities.) That is all that a picture can say about causes, provided you can
# read it. Now let us make that hard.
#
# ## Noise
#
# Speckle on the picture, not the *noise* of notebook 06: each pixel, with a given probability, is replaced by a
# colour drawn at random:

# %%
shares = (0.1, 0.4, 0.8, 0.95)
noisy = torch.cat([Damage(share)(scene, seed=1) for share in shares])
show.scenes(noisy, [f"{100 * share:.0f} % noise" for share in shares], columns=4, zoom=3)

# %% [markdown]
# At 40 % you have no doubt; at 80 % you give up. What would perfect eyes do? We own renderer and noise,
# so this can be counted. A pixel shows the true colour with probability *hit* = 1 − share + share/24, each
# other one with *miss* = share/24. A candidate picture with w wrong pixels has likelihood hit^(2304 − w) ·
# miss^w. **By hand**, with background, places and golem known: 18 candidates for the actor, taken as equally
# common.

# %%
share, miss, who = 0.95, 0.95 / 24, ("actor_character", "actor_type", "action")
index = torch.unravel_index(torch.arange(18), [len(drawn[k]) for k in who])
others = {k: v.expand(18) for k, v in values.items()}
candidates = render(others | dict(zip(who, index, strict=True)))
wrong = (candidates != noisy[3:]).flatten(1).sum(1)
by_hand = (wrong * math.log(miss / (1 - share + miss))).softmax(0)  # what all share, cancels
reader = ExactReader(duel, Damage(share))
found = marginals(duel, posterior(duel, reader(noisy[3:])))
print(f"by hand, with much given: the truth has probability {by_hand[2 * 3 + 2]:.3f}")
print("exactly, nothing given:", {k: round(float(p[0, values[k]]), 3) for k, p in found.items()})

# %% [markdown]
# `ExactReader` sums over everything: all labels, all 2,048 styles. It can, since given a background the two
# characters don't meet in any pixel: 128 backgrounds × (72 + 96) figures, not 128 × 72 × 96.
#
# It takes a lot of noise to blind perfect eyes. On 60 scenes of the world:

# %%
scenes, truth = draw(duel, 60, seed=110)
def judged(table, truth):  # confidence in the best combination, and whether it is the true one
    confidence, best = table.flatten(1).max(1)
    codes = torch.unravel_index(best, table.shape[1:])
    same = [c == truth[k] for c, k in zip(codes, duel.visible, strict=True)]
    return confidence, torch.stack(same).all(0)
rows = []
for share in (0.4, 0.8, 0.9, 0.95, 0.99):
    table = posterior(duel, ExactReader(duel, Damage(share))(Damage(share)(scenes, seed=2)))
    confidence, right = judged(table, truth)
    rows.append((f"{100 * share:.0f} %", confidence.mean(), right.double().mean()))
show.table(rows, ["noise", "mean confidence", "all six labels right"], 2)

# %% [markdown]
# As confidence falls, so does the share of right answers, and as far as 60 scenes can show (± 0.1) the two keep
# together. By Bayes' rule they must: perfect eyes that know the law of the noise know what they don't know.
# Hold on to that.
#
# ## Back to the stone
#
# Of the 18 candidates for the actor, how many explain the picture *perfectly*?

# %%
reader = ExactReader(duel, Damage(stone=True))
evidence = reader(behind)  # log P(scene | labels)
perfect = (evidence[0] > evidence.max() - 1e-9).nonzero().tolist()
for codes in perfect:
    print(*(duel.variables[k].values[c] for k, c in zip(duel.visible, codes, strict=True)))
assert len(perfect) == 2

# %% [markdown]
# He stands so that nothing sticks out, and only two can manage that: a walking satyr of type 1, or of type 3.
# They explain the picture *equally well*, and no sharper eye will help.
#
# ### Exercise 1: predict
#
# In the tables types 1 and 3 are equally common. How probable is type 1 (a) if the scene was just *seen*,
# (b) if somebody *made* the actor walk? Answer "less than half", "half" or "more than half". The numbers above
# help with (a): type 1 is a born attacker, his *attack* mostly high.

# %%
# <solution>
guess = {"seen": "less than half", "made to walk": "half"}
# <stub>
# guess = {"seen": ..., "made to walk": ...}
# </solution>
check("11.1", guess)
even = evidence.exp() / evidence.exp().sum()
tables = {"even labels": even, "seen": posterior(duel, evidence),
          "made to walk": posterior(duel, evidence, do={"action": "walk"})}
kinds = {name: marginals(duel, table)["actor_type"][0] for name, table in tables.items()}
show.distributions(kinds, duel.variables["actor_type"].values, "Who is behind the stone?")

# %% [markdown]
# *Even labels* is the evidence alone, as if all combinations were equally common. Where the picture is
# silent, the world speaks. *Seen*: type 1 walks less often than type 3, so type 3 is more probable. *Made to
# walk*: walking says nothing about who he is; what remains is one half. Same pixels, other history, other
# answer: read a picture that was made under `do` with the tables of the cut graph.
#
# ### Exercise 2: find the mistake
#
# A friend updates label by label: for each label, evidence under even labels times P(label), normalised. For
# *seen* she gets one half. Why? Mend it: return P(labels | scene), all labels together. (To try it:
# `update(even[0], label_prior(duel))`.)

# %%
def update(even, prior):  # both [2, 3, 2, 3, 3, 4]: P(labels | scene) under even labels, P(labels)
    # <solution>
    joint = even * prior
    return joint / joint.sum()
    # <stub>
    # result = torch.ones(())
    # for axis, n in enumerate(prior.shape):
    #     others = [a for a in range(6) if a != axis]
    #     one = even.sum(others) * prior.sum(others)
    #     result = result[..., None] * one / one.sum()
    # return result
    # </solution>

check("11.2", update)

# %% [markdown] tags=["solution"]
# P(type) and P(action) are both there in her product, but not that they go together. The likelihood must meet
# the *joint* prior; only then may labels be summed out.

# %% [markdown]
# And his attack? Sum over what the labels may be:

# %%
attacks = {"no picture": probability(duel, "actor_attack"), "no stone": exact,
           "seen, with stone": hidden(duel, evidence, "actor_attack")[0],
           "made to walk, with stone": hidden(duel, evidence, "actor_attack", do={"action": "walk"})[0]}
show.distributions(attacks, ("low", "high"), "The actor's attack")

# %% [markdown]
# From an actor whom you can't see, in a picture that doesn't draw it. Had you taken the *most probable* labels
# for the labels (*seen*), you would have answered as if there were no stone.
#
# ## A reader that learns
#
# Nobody will hand you the renderer of the real world. So: a network for q(labels | scene). Our causal VAE has
# one, `model.read`. But it saw clean scenes only. Another, `cimg.reader`, was trained in the same way on scenes
# with 0 to 45 % noise, half of them behind a stone. Both answer under even labels. So it is a likelihood, up to a
# factor for each scene, and P(labels) of any world with this style can be multiplied in: as far as they have learnt
# well, and as the labels that they read apart from each other are independent given the picture.

# %%
from cimg.reader import all_right, load as load_reader
model, learnt = load("duel"), load_reader()
clean, truth = draw(duel, 2000, seed=1_000_011)
def log_even(scenes):  # `model.read` in logs, lest small ones become 0; a factor for each label
    read = [x.detach().double().log_softmax(1) for x in model.label_logits(model.look(scenes)).values()]
    return sum(x.view(-1, *[len(duel.variables[k].values) if k == name else 1 for k in duel.visible])
               for x, name in zip(read, duel.visible, strict=True))
ours = hidden(duel, learnt.log_likelihood(duel, clean), duel.hidden)
right = judged(learnt.log_likelihood(duel, clean), truth)[1].double().mean()
true_p = hidden(duel, ExactReader(duel)(clean[:100]), duel.hidden)
tv = (ours[:100] - true_p).flatten(1).abs().sum(1).max() / 2
assert right >= 0.999 and tv < 0.01
print(f"clean scenes, all six labels right: ≈ {100 * right:.1f} %")
print(f"P(all hidden variables | scene), total variation from exact, at most: ≈ {tv:.4f}")

# %% [markdown]
# On clean scenes nothing is left to wish for. Now damage: 500 scenes with 20 % noise, 1,500 with 40 % and a
# stone. A **reliability diagram** sorts the answers by confidence into bins, and sets each bin's share of
# right answers against its mean confidence. Honest doubt lies on the diagonal. The **expected calibration
# error** is the mean distance of the two, each bin with the weight of its answers (Guo et al. 2017). Their
# remedy is a **temperature**: divide all log-probabilities by one number, fitted on other scenes, damaged
# alike. Beside them, for 400 of the scenes, the exact reader, which knows the law of the damage.

# %%
from cimg.calibration import reliability, temperature
from cimg.reliability_figure import reliability_diagram
def damage(scenes, seed):
    some, most = scenes.split((len(scenes) // 4, 3 * len(scenes) // 4))
    return torch.cat([Damage(0.2)(some, seed), Damage(0.4, stone=True)(most, seed)])
damaged, (tuned, tuned_truth) = damage(clean, 5), draw_evenly(duel, 400, seed=112)
logs = log_even(damage(tuned, 6)).flatten(1)
sizes = [len(duel.variables[k].values) for k in duel.visible]
flat = torch.arange(432).view(sizes)[tuple(tuned_truth[k] for k in duel.visible)]
heat = temperature(logs, flat)
evidence = {"saw clean scenes": log_even(damaged), "with temperature": log_even(damaged) / heat,
            "trained on damage": learnt.log_likelihood(duel, damaged)}
answers = {name: judged(posterior(duel, table), truth) for name, table in evidence.items()}
some = [*range(100), *range(500, 800)]
laws = (Damage(0.2), some[:100]), (Damage(0.4, stone=True), some[100:])
exactly = torch.cat([ExactReader(duel, law)(damaged[which]) for law, which in laws])
answers["exact"] = judged(posterior(duel, exactly), {k: x[some] for k, x in truth.items()})
found = {name: reliability(*pair) for name, pair in answers.items()}
reliability_diagram(found, "Damaged scenes")

# %% [markdown]
# The reader that saw clean scenes only lies far below the diagonal: wrong, and sure. The temperature adds doubt, and
# here too much: it is right more often than it says. One number has to serve both kinds of damage: with noise
# alone this reader is now far too modest, with the stone still too sure. And it brings no knowledge. The reader
# trained on damage is seldom in doubt, and where it is, near the diagonal, if rather on the side of being too
# sure. (Bars: two standard errors. Bins of fewer than 20 answers aren't drawn: of the exact reader one is left.)
#
# ### Exercise 3: fill in code
#
# Compute the expected calibration error with 15 equal bins of confidence from 0 to 1. Some may be empty.

# %%
def calibration_error(confidence, right):  # float [n], bool [n] -> a number
    # <solution>
    which = (15 * confidence).long().clamp(max=14)
    total = 0.0
    for k in range(15):  # an empty bin's sum is 0
        total += (confidence[which == k] - right[which == k].double()).sum().abs()
    return total / len(right)
    # <stub>
    # which = (15 * confidence).long().clamp(max=14)  # the bin of each answer
    # return ...
    # </solution>

check("11.3", calibration_error)
rows = [(name, f"≈ {right.double().mean():.2f}", f"≈ {confidence.mean():.2f}", f"≈ {found[name].ece:.3f}")
        for name, (confidence, right) in answers.items()]
assert found["saw clean scenes"].ece > 0.2 > found["trained on damage"].ece + 0.17
doubt = answers["with temperature"][0] - answers["with temperature"][1].double()
assert doubt[:500].mean() < -0.3 and doubt[500:].mean() > 0.02 > doubt.mean() + 0.05 and rows[2][1] > "≈ 0.94"
show.table(rows, ["reader", "all six right", "mean confidence", "calibration error"])

# %% [markdown]
# With so few answers even honest doubt may show an error: the exact reader's is chance. And a small error isn't
# everything:
#
# ### Exercise 4: predict
#
# `asleep` never looks. It answers P(labels) to every picture, and so always bets on the same combination. On
# 2,000 scenes of the duel, is its calibration error "below 0.02", "about 0.5" or "above 0.9"? And is it right
# "nearly always", "half the time" or "seldom"?

# %%
# <solution>
guess = {"error": "below 0.02", "right": "seldom"}
# <stub>
# guess = {"error": ..., "right": ...}
# </solution>
check("11.4", guess)
confidence, right = judged(label_prior(duel).expand(2000, -1, -1, -1, -1, -1, -1), truth)
print(f"error {reliability(confidence, right).ece:.3f}, right {right.double().mean():.3f}")

# %% [markdown]
# Honest, and useless. Calibration says that doubt can be believed; for how *little* doubt there is, look at the
# share of right answers, or at nats.
#
# ## Few labels
#
# Pictures are cheap; somebody has to sit down and label them. Say you have 1,000 pictures, and labels for 50.
# **Supervised only**: train the reader on the 50. **Semi-supervised** (Kingma et al. 2014): let a picture model
# explain *all* of them. Where the label is unknown, sum over it:
#
# log p(scene) ≥ E_q(z)[ log Σ p(label) p(scene | label, z) ] − KL( q(z | scene) ‖ p(z) )
#
# Kingma et al. bound the sum with q(label | scene); ours is short enough to be exact. A *look*: character,
# type and pose. All 18 × 24 looks of actor and reactor? Given the background the halves are apart: 18 + 24
# terms. **By hand**, and with Pyro, which enumerates by itself:

# %%
import pyro
from cimg.few_labels import STYLE as Z, Learner, Settings, semi_supervised, supervised
torch.manual_seed(0)
learner, z = Learner(), torch.randn(20, Z)
around, halves = learner.parts(clean[:20], z, known={})  # log p of the halves: [20, 18], [20, 24]
terms = [table.logsumexp(1) - math.log(table.shape[1]) for table in halves.values()]
log_z = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
by_hand = (around + sum(terms) + log_z).sum().detach()
program = pyro.condition(learner.model, {"z": z})
pyros = -pyro.infer.TraceEnum_ELBO(max_plate_nesting=1).loss(program, lambda *_: None, clean[:20], {})
assert abs(float(by_hand) / pyros - 1) < 1e-5
print(f"untrained, log p(20 scenes, their z): by hand ≈ {by_hand:.0f}, Pyro ≈ {pyros:.0f}")

# %% [markdown]
# The picture model then teaches the reader: on labelled pictures the labels are its teacher, on the others what
# the model makes of them. A short run of both, with the same network and the same 50 labels:

# %%
settings = Settings(steps=180, batch=16)
rival, learner = supervised(settings), semi_supervised(settings)
scores = {"labels only": all_right(rival, 500), "with unlabelled pictures": all_right(learner.reader, 500)}
assert scores["with unlabelled pictures"] > scores["labels only"] + 0.1
print(*(f"{name}: all six right in ≈ {100 * x:.0f} %" for name, x in scores.items()), sep="\n")

# %% [markdown]
# The runs that count, `python -m cimg.label_runs`: twice the batch, all 2,000 test scenes, three seeds, each with
# pictures, labels and weights of its own; mean and 95 % interval (Student's t, over seeds only: with three it is
# wide, and may pass 0 or 100). The rival got the best dropout and weight decay out of six, chosen for 50 labels on
# the test scenes themselves, and used for all.

# %%
from cimg.label_runs import read, summary
shipped = summary(read())
rows = [(f"{100 * share:.0f} %", round(1000 * share), *(f"{100 * m:.1f} ± {100 * h:.1f}" for m, h in both))
        for share, *both in shipped]
_, (alone, _), (both, _) = shipped[2]  # 50 labels
assert both > 0.97 and 0.6 < alone < 0.7 and shipped[1][1][0] > 0.99
show.table(rows, ["labelled", "pictures", "labels only, %", "with unlabelled, %"])

# %% [markdown]
# With 200 labels nobody needs help. With 50 there are two or three examples of each of the 42 looks: from
# them alone the reader gets about two scenes in three, and pictures without labels make up nearly all of the
# rest. (They aren't free: the picture model makes such a run several times as long.) With 10, most looks were
# never named; the model may sort them, but what it was never told it can't call by name.
#
# **Caveat.** The picture model was told a lot: where characters may stand, that a figure hides what is behind
# it. And labels were chosen so that all looks come about equally often (as in Kingma et al.). Of photographs
# nobody has such a model, and with a wrong one unlabelled pictures can do harm (Cozman et al. 2003).
#
# ## What a picture tells
#
# From pixels to labels, with doubt; from labels to causes, with more doubt. Each step was held against the
# exact answer. One thing this notebook didn't learn: the tables. They were given; and without them no picture
# tells of strength. In the next one, graph and tables are yours.
