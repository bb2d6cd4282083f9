# ---
# title: Start here
# question: How would this image look, had the action been an attack?
# objectives:
#   - ask a picture what would have been, and compare the answer with the truth
#   - tell seeing, doing and imagining apart by the question they answer
#   - explain why changing one label in a picture is not enough
#   - play with the model until it surprises you
# minutes: {running: 1, exercises: 10}
# need: Python, and that you once trained a small network; no causal inference
# built: nothing yet. You will have asked the question that the whole course answers
# key_ideas:
#   - "**Three rungs.** Seeing asks what goes along with what; doing asks what follows from what we change; imagining asks how *this* would have gone otherwise. No rung alone answers the question of the one above."
#   - "**Abduct, act, predict.** To imagine, first find out all that was behind this picture, then change one thing, then let everything that follows from it follow."
#   - "**There is a right answer here.** We own the renderer and the tables, and say how luck works, so that every picture and every probability can be held against the true one."
# mistakes:
#   - "**Painting over.** Swapping the one label and keeping all the others keeps the reaction too, although the action is its cause."
#   - "**Taking a new picture for an answer.** A picture in which some other pair fights somewhere else says what attacks look like, not how this one would have gone."
#   - "**Certainty where there is none.** One scene leaves several reactions open; an honest answer carries a probability, and says what was assumed to get it."
# quiz:
#   - ask: "A friend sorts 1,000 pictures, keeps those with an attack, and counts how many reactors die. Which rung is that?"
#     options: [seeing, doing, imagining]
#     answer: a
#     why: "Nothing was changed; pictures were only looked at and picked out. That is conditioning."
#     hints:
#       b: "Did the friend change anything in the game, or only look through what was there?"
#       c: "Is anything said about how one of these pictures would have gone otherwise?"
#   - ask: "\"This golem was taunted and flinched. Would it have died, had it been attacked?\" Which rung is that?"
#     options: [seeing, doing, imagining]
#     answer: c
#     why: "The question is about this golem, in the situation in which it did flinch, and about what did not happen."
#     hints:
#       a: "It speaks of what did not happen to this golem. Can one see that?"
#       b: "Would new scenes, with attacks in them, be about this golem?"
#   - ask: Why do the sky and the hills stay as they are in the answer?
#     options: [the network copies pixels, "no arrow leads from the action to them", they are drawn last]
#     answer: b
#     why: "What doesn't follow from the action isn't changed by changing the action. The model abducts the style and draws with it again."
#     hints:
#       a: "If pixels were copied, the satyr would still taunt. What decides which ones stay?"
#       c: "The order of drawing changes nothing about what causes what."
# ---

# %% [markdown]
# ## A picture, and a question
#
# Two characters meet. One acts, the other reacts. Here is one such meeting, drawn by the program that
# draws them all.

# %%
import torch

import cimg
from cimg import show
from cimg.imagine import Answer, do, imagine, see
from cimg.scene import stage

names = {
    "actor_character": "satyr", "actor_type": "type2", "action": "taunt",
    "reactor_character": "golem", "reactor_type": "type1", "reaction": "hurt",
    "sky": "dusk", "sun": "2", "hills": "round", "actor_distance": "1", "reactor_distance": "1",
}
values = {k: torch.tensor([stage().variables[k].index(v)]) for k, v in names.items()}
scene = cimg.render(values)
show.scenes(scene, ["a satyr taunts, a golem is hurt"], zoom=8)

# %% [markdown]
# The satyr on the left, with shield and spear, raises its arms and taunts. The moss golem on the right
# recoils: it is hurt. (Insults cut deep among golems.)
#
# Now the question that this course is about: **how would this image look, had the action been an attack?**
#
# Take ten seconds and picture it. What has to change? What has to stay?

# %% [markdown]
# ## The answer
#
# The model that comes with the course is told nothing about this scene. It gets the pixels, and the question.

# %%
model = cimg.load("duel")
answer = imagine(model, scene[0], {"action": "attack"}, n=1, seed=1)
show.scenes(
    torch.cat([scene, answer.scenes]), ["this scene", "had the action been an attack"],
    zoom=6, digest=False,
)

# %% [markdown]
# Look closely. The satyr strikes. Its shield, the golem's moss, the place where each of them stands, the
# sun, the hills: all of it is as it was. It is *this* scene, in another course of events.
#
# And the golem? It is hurt again, and that is an answer too, not an oversight: the action is a cause of the
# reaction, so the model had to ask itself what this golem would have done. It might also have died.

# %% [markdown]
# ## Is it right?
#
# With photographs we could only say that the answer "looks plausible". Here the renderer can draw the truth:
# the same style, the same characters, the action `attack`, and the reaction that the model arrived at.

# %%
truth = cimg.render(values | {k: answer.values[k] for k in model.world.visible})
differ = answer.scenes != truth
assert differ.double().mean() < 0.001
print(f"pixels that differ from the true picture: ≈ {int(differ.sum())} of {differ.numel()}")

# %% [markdown]
# And the reaction? From the world's tables one can compute exactly how probable each one would have been, had
# the action been an attack, given all that was seen. Tables alone aren't enough, though: it takes an
# assumption about how luck works, here the "Gumbel-max" one. Notebook 06 takes it apart.

# %%
seen = {k: names[k] for k in model.world.visible}
exact = cimg.probability_had(model.world, "reaction", seen, {"action": "attack"})
many = imagine(model, scene[0], {"action": "attack"}, n=2000, seed=0).values["reaction"]
share = many.bincount(minlength=4).double() / 2000
assert (share - exact).abs().max() < 0.05
show.distributions(
    {"exact": exact, "2,000 answers of the model": share}, model.world.variables["reaction"].values,
    title="The reaction, had the action been an attack",
)

# %% [markdown]
# So there is no single answer to the question, there is a distribution, and the picture above is one draw
# from it. A picture can't tell everything about the one who is in it: how strong this golem is isn't drawn.
# The model knows that it doesn't know.

# %% [markdown]
# ## Three questions that sound alike
#
# Judea Pearl sorts causal questions onto three rungs. The same words, "the action is an attack", mean three
# different things on them:
#
# 1. **Seeing.** *We come upon pictures in which there is an attack. What do they look like?* Whoever attacks
#    is likely to be someone who attacks often: what we see tells us about the actor, too.
# 2. **Doing.** *We make every actor attack. What will we see?* Now the attack tells nothing about the actor:
#    it wasn't the actor's idea.
# 3. **Imagining.** *This satyr taunted this golem. Had it attacked instead, how would this very picture look?*

# %%
attack = {"action": "attack"}
show.rungs(
    see(model, attack, n=4, seed=3).scenes,
    do(model, attack, n=4, seed=4).scenes,
    imagine(model, scene[0], attack, n=4, seed=1).scenes,
    scene=scene[0], digest=False,
)

# %% [markdown]
# In the small drawings an arrow leads from a cause to its effect; where the scissors are, it is cut. In the
# first two panels there are other characters under other skies: they answer questions about pictures
# in general. Only the third is about the picture above. This figure will come back, and by notebook 09 you
# will have built every part of it.
#
# What tells seeing from doing? Not the pictures one by one, but who is in them, and how often:

# %%
who = ["actor_character", "actor_attack"]
seeing = cimg.probability(model.world, who, given=attack)
doing = cimg.probability(model.world, who, do=attack)
show.table(
    [[c, a, seeing[i, j].item(), doing[i, j].item()]
     for i, c in enumerate(("satyr", "golem")) for j, a in enumerate(("low", "high"))],
    ["actor", "actor's attack skill", "seen to attack", "made to attack"],
)

# %% [markdown]
# Those who are *seen* to attack are more often good at it. Those who are *made* to attack are just anybody.
#
# And the reaction? In this world it is distributed alike on both rungs, because nothing but the action
# itself connects the actor with the reaction. That is a fact about the duel, not a law: in notebook 05 you
# will meet a world where seeing and doing contradict each other.

# %%
seen_reaction = cimg.probability(model.world, "reaction", given=attack)
done_reaction = cimg.probability(model.world, "reaction", do=attack)
assert (seen_reaction - done_reaction).abs().max() < 1e-12
show.distributions(
    {"seeing": seen_reaction, "doing": done_reaction, "imagining (this scene)": exact},
    model.world.variables["reaction"].values, title="An attack, on three rungs: the reaction",
)

# %% [markdown]
# Imagining differs from both, because it is about this golem, which a mere taunt has hurt.
#
# A network that was trained to draw pictures *given* the action, a conditional generator, answers the first
# question. Even one that can look back at a picture doesn't know what follows from an action, nor what luck was
# behind it, so it can't answer the third by itself. Notebook 10 puts that to the test.

# %% [markdown]
# ## Your turn
#
# The explorer asks all three kinds of question. Each variable is *free*, *seen* with a value, or *done*.
# Below, it asks about *this very scene*, another one: the scene is on the left, and beside it is what the model
# says would most probably have been, had the action been an attack.

# %%
from cimg.explorer import Explorer, ask

Explorer(model)

# %% [markdown]
# Nothing to click here? Then this page is a reading copy, without Python behind it, and shows a strip of
# pictures: the model's above, the true ones below. Run the notebook with `make lab` to play.
#
# Are the model's pictures the true ones, pixel for pixel? The explorer counts:

# %%
shown = ask(model, 0, "action", "attack")
print("≈", shown.sentence.replace("; ", ";\n≈ "))
assert "Had action been attack" in shown.sentence

# %% [markdown]
# ### Exercise 1: which rung?
#
# Write 1 (seeing), 2 (doing) or 3 (imagining) for each question.
#
# * a: "We drill every satyr to attack. How many golems will die?"
# * b: "Among the scenes with a dead golem, how many have an attacking satyr?"
# * c: "This golem died of an attack. Would it be alive, had the satyr only taunted it?"

# %%
from cimg.check import check

# <solution>
rungs = {"a": 2, "b": 1, "c": 3}
# <stub>
# rungs = {"a": ..., "b": ..., "c": ...}  # your answers: 1, 2 or 3
# </solution>
check("00.1", rungs)

# %% [markdown] tags=["solution"]
# *a* changes something for everybody and looks ahead: doing. *b* only sorts what there is: seeing, and from
# the effect back to the cause at that. *c* asks of one individual, whose fate is known, what would have been.

# %% [markdown]
# ### Exercise 2: ask a question of your own
#
# How would the scene look, had the action been a walk? Predict the reaction first (walking past somebody is
# not very exciting), then ask the model for one picture. Change the action only; the reaction is the model's to say.

# %%
# <solution>
mine = imagine(model, scene[0], {"action": "walk"}, n=1, seed=0)
# <stub>
# mine = ...  # your code: imagine(...)
# </solution>
check("00.2", mine)
if isinstance(mine, Answer):
    print("reaction:", model.world.describe(mine.values)["reaction"])

# %% [markdown]
# ### Exercise 3: explain
#
# A friend opens the first picture in an editor, swaps the taunting satyr for an attacking one, and leaves
# the golem as it is. "There: had the action been an attack." What is the best objection?
#
# * a: that an editor can't draw as well as a network
# * b: that an attack would have killed the golem
# * c: that the golem's reaction follows from the action, so it has to be asked anew
# * d: that the sky might have been another, too

# %%
# <solution>
objection = "c"
# <stub>
# objection = ...  # your letter
# </solution>
check("00.3", objection)

# %% [markdown]
# ## How the course works
#
# * Notebooks 01 to 03 build the world: pictures, graph, program. 04 to 06 climb the three rungs on labels.
#   07 to 09 teach a network to draw, and take the rungs to pictures. 10 to 12 go further. The
#   [contents](../README.md) list those that are there.
# * Each notebook is read from top to bottom and runs in under a minute. Exercises are checked at once: run
#   the cell. A wrong answer brings a hint, a second one a stronger hint, a third the way to the worked copy,
#   to which the header links too. Try first: ten minutes of trying are worth an hour of reading.
# * Whatever the model says is put beside the truth. When you read a number, ask how far from it that is.
# * Something doesn't work? `make doctor` checks this machine and says what to do.
