# ---
# title: A VAE for scenes
# question: How can a network learn to draw?
# objectives:
#   - derive the ELBO, and check it against a library and against the exact log-probability
#   - train a VAE on scenes in plain PyTorch
#   - compare pixels as categories with Bernoulli and Gaussian pixels, against the true picture
#   - measure what z has picked up, and how entangled it is
#   - name the questions that a model without labels can't be asked
# minutes: {running: 1, exercises: 20}
# need: notebook 01 (scenes), and that you once trained a small network
# built: a VAE that reconstructs scenes it never saw, three sorts of pixels side by side, and a list of what is missing
# key_ideas:
#   - "A VAE is a story (first z, then the scene), and a guess back (from the scene to z). The ELBO trains both, and is a bound on log p(scene)."
#   - "How a pixel is modelled decides what doubt looks like. A mean of colours is a new colour: blur. A category stays a colour."
#   - "z holds what helps to draw, in any mixture that does. Nothing in the ELBO asks for a knob called sky."
#   - "Where the encoder puts no scenes, the decoder was never taught. The prior draws there too."
#   - "No labels, no questions: such a model can draw *a* scene, and not the one that is asked for."
# mistakes:
#   - "**The mean over pixels in the ELBO.** It is a sum. With the mean, the KL weighs 2,304 times too much, and z falls silent."
#   - "**Comparing ELBOs of different sorts of pixels.** A probability and a density have different units. Compare pictures."
#   - "**Taking a good reconstruction for a good generator.** A reconstruction starts where the encoder says; a sample starts anywhere."
#   - "**Reading a direction in z as a cause.** It collects what goes along with what: seeing, at best."
# quiz:
#   - ask: "In half of the scenes a pixel is blue, in half it is orange, and z says nothing about it. What does a Gaussian pixel predict?"
#     options: ["blue or orange, by chance", "a greyish colour in between", "both, with probability 1/2"]
#     answer: b
#     why: "Its best mean is the average of the colours. Only the categorical pixel can say 'one of these two'."
#     hints:
#       a: "A Gaussian has one mean, and the loss is least at the average of all colours."
#       c: "Which of the three sorts of pixels gives a probability to each colour?"
#   - ask: "A model's ELBO is -600 nats per scene. What do you know about its log p(scene)?"
#     options: ["it is -600", "it is at most -600", "it is at least -600"]
#     answer: c
#     why: "ELBO = log p(scene) - KL(q(z | scene) || p(z | scene)), and a KL is never negative."
#     hints:
#       a: "It would be, if q were the true posterior. What is the gap between the two?"
#       b: "Is the ELBO a lower or an upper bound?"
#   - ask: "A linear probe reads the sky from z without a mistake. What follows?"
#     options: ["the sky has a coordinate of its own", "z holds the sky, perhaps in a mixture", "changing z changes only the sky"]
#     answer: b
#     why: "A probe may use all coordinates at once, and other factors may use the same ones."
#     hints:
#       a: "A probe may use all numbers at once. Does it say that one of them is the sky's?"
#       c: "The probe only reads. Has anything been changed?"
# ---

# %% [markdown]
# ## A colour that nobody painted
#
# A painter gets one job: paint the top left pixel so that, on average over all scenes, it is as
# close to the truth as possible. It is always sky. What colour would you take?

# %%
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from tqdm import tqdm
from cimg import World, probability, show
from cimg.check import check
from cimg.data import draw
from cimg.muon import Muon
from cimg.picture import finish, sheet
from cimg.scene import stage
from cimg.score import read_back
from cimg.study import three_seeds
torch.set_num_threads(1)  # these networks are small: threads would wait more than work
duel, names, RGB = World.load("duel"), stage().palette.names, stage().palette.rgb / 255
many, _ = draw(duel, 2_000, seed=100_000)  # scenes, uint8 [2000, 36, 64]
nearest = (RGB - RGB[many[:, 0, 0].long()].mean(0)).norm(dim=1).argmin()
print(f"nearest to the mean: {names[nearest]}; seen there: {(many[:, 0, 0] == nearest).sum()} times")

# %% [markdown]
# Up there it is pink, light blue, purple or dark blue. The best colour on average is the grey of
# a stone, which it never is. Do the same for all pixels:

# %%
def in_rgb(scenes):  # uint8 [n, 36, 64] -> float [n, 3, 36, 64], from 0 to 1
    return RGB[scenes.long()].movedim(-1, 1)
def photos(rgb, alt, rows=()):  # pictures in any colours, four in a row
    framed = F.pad(rgb.clamp(0, 1), (2, 2, 2, 2), value=1.0).split(4)
    pixels = torch.cat([torch.cat(list(row), 2) for row in framed], 1).movedim(0, 2)
    figure, ax = sheet(width := 3 * pixels.shape[1], height := 3 * pixels.shape[0])
    ax.imshow(pixels, interpolation="nearest", extent=(0, width, height, 0), aspect="auto")
    [ax.text(9, 109 + 120 * i, name, size=9, bbox={"fc": "white"}) for i, name in enumerate(rows)]
    return finish(figure, alt, colours=128)
average = in_rgb(many).mean(0)
photos(torch.cat([in_rgb(many[:2]), average[None], in_rgb(many.mode(0).values[None])]),
       "Two scenes; the mean of 2,000: fog; the most frequent colour of each pixel: sharp.")

# %% [markdown]
# Two scenes; the mean of 2,000: fog; the most frequent colour of each pixel: sharp, though there is no
# such scene. Both painters know equally little: one mixes the colours that may be there, the other
# picks one. To draw a *given* scene, a painter has to know more.
#
# ## A story and a guess
#
# To draw *this* scene, a network has to be told which. Nobody tells it; so it makes up a code. The
# story of a **VAE** (Kingma & Welling 2014; Rezende et al. 2014):
#
# - first comes **z**, 32 numbers from the *prior* p(z) = N(0, I);
# - then the scene, from p(scene | z), whose parameters the **decoder** computes from z.
#
# Which z made a given scene? Bayes would know, but the integral over all z is hopeless. So a second
# network, the **encoder**, guesses: q(z | scene) = N(μ, σ²), a μ and a σ for each number.

# %%
Z, SHEETS = 32, 96
class VAE(nn.Module):
    def __init__(self, usual):  # [channels, 36, 64]: what is drawn before anything is learnt
        super().__init__()
        look = nn.Conv2d(24, 16, 4, stride=4), nn.GELU(), nn.Flatten()  # in patches of 4 x 4
        self.encoder = nn.Sequential(*look, nn.Linear(16 * 9 * 16, 128), nn.LayerNorm(128),
                                     nn.GELU(), nn.Linear(128, 2 * Z))
        self.mix = nn.Sequential(nn.Linear(Z, 128), nn.LayerNorm(128), nn.GELU(),
                                 nn.Linear(128, SHEETS), nn.GELU())
        self.sheets = nn.Parameter(0.02 * torch.randn(SHEETS, *usual.shape))
        self.usual = nn.Parameter(usual.clone())
    def encode(self, scenes):  # uint8 [n, 36, 64] -> μ and σ, [n, Z] each
        loc, log_variance = self.encoder(torch.eye(24)[scenes.long()].movedim(-1, 1)).chunk(2, 1)
        return loc, ((log_variance - 5) / 2).exp()  # -5: little noise at first, so z gets used
    def decode(self, z):  # [n, Z] -> [n, channels, 36, 64]
        return self.usual + torch.tensordot(self.mix(z), self.sheets, 1)

# %% [markdown]
# The decoder is two layers and a stack of 96 sheets of tracing paper, each as large as a scene. z
# decides how much of each sheet goes on top of the usual picture. What is on them is learnt.
#
# ## The ELBO, by hand
#
# We want log p(scene) large, on average over the world's scenes. Whatever q is,
#
# log p(scene) = log E_q[ p(scene | z) p(z) / q(z | scene) ]<br>
# ≥ E_q[ log p(scene | z) ] − KL( q(z | scene) ‖ p(z) )
#
# (Jensen: log of a mean ≥ mean of logs; KL(q ‖ p) = E_q[log(q/p)] ≥ 0.) The last line is the **ELBO**:
# *draw the scene well from the guessed z*, minus *what the guess costs*. What is lost is exactly
# KL(q(z | scene) ‖ p(z | scene)): how bad the guess is. For the first term one draw of z will do, written as
# μ + σ·ε with ε ~ N(0, I), so that the gradient reaches μ and σ (**reparametrisation**). The KL of
# two Gaussians needs no draws: Σ (μ² + σ² − 1 − log σ²) / 2. Is that right?

# %%
def kl(loc, scale):  # KL(N(loc, scale²) ‖ N(0, I)): [n]
    return ((loc**2 + scale**2 - 1) / 2 - scale.log()).sum(1)
loc, scale = torch.linspace(-2, 2, Z)[None], torch.linspace(0.1, 1, Z)[None]
library = kl_divergence(Normal(loc, scale), prior := Normal(0.0, 1.0)).sum()
assert (kl(loc, scale) - library).abs() < 1e-4
print(f"by hand {kl(loc, scale).item():.3f}, torch.distributions {library:.3f}")

# %% [markdown]
# ## Three sorts of pixels
#
# What is p(scene | z)? Given z the pixels are independent, and each is
#
# - **categorical**: one of 24 colours, 24 logits from the decoder;
# - **Bernoulli**: red, green and blue are coins, as in many a tutorial. But a coin
#   that shows 0.62 is no coin: the formula runs, and is no probability of anything
#   (Loaiza-Ganem & Cunningham 2019);
# - **Gaussian**: red, green and blue have a mean each, and share one σ, the one that suits the
#   batch best (Rybkin et al. 2021). Proper, but a *density*, over colours of which all but 24
#   never happen.

# %%
log_pixels = {"categorical": lambda x, s: -F.cross_entropy(x, s.long(), reduction="none"),
    "Bernoulli": lambda x, s: Bernoulli(logits=x, validate_args=False).log_prob(in_rgb(s)),
    "Gaussian": lambda x, s: Normal(x, (x - in_rgb(s)).square().mean().sqrt()).log_prob(in_rgb(s))}
def log_p(kind, drawn, scenes):  # log p(scene | z): [n]
    return log_pixels[kind](drawn, scenes).flatten(1).sum(1)
colours = {"categorical": lambda drawn: in_rgb(drawn.argmax(1)),  # what to show, [n, 3, 36, 64]
           "Bernoulli": torch.sigmoid, "Gaussian": lambda drawn: drawn}
def snapped(kind, drawn):  # the nearest colour of the palette, uint8 [n, 36, 64]
    flat = colours[kind](drawn).movedim(1, -1).flatten(0, 2)
    return torch.cdist(flat, RGB).argmin(1).view(-1, 36, 64).to(torch.uint8)

# %% [markdown]
# ### Exercise 1: predict
#
# Each model will draw 500 new scenes again from their codes. Each pixel then becomes the nearest
# colour of the palette, and we count how many are the true ones. Write down three percentages.

# %%
test, values = draw(duel, 500, seed=200_000)
# <solution>
guess = {"categorical": 95, "Bernoulli": 85, "Gaussian": 85}  # yours may well be better
# <stub>
# guess = {"categorical": ..., "Bernoulli": ..., "Gaussian": ...}
# </solution>
check("07.1", guess)

# %% [markdown]
# ## Training
#
# Same encoder, same mixer, same batches of fresh scenes. A step of the RGB models is cheaper, so
# they get twice as many: nobody shall say they had no time. The KL's weight grows from 0 to 1, so
# that z is used before it has to be paid for (Bowman et al. 2016). Muon trains the matrices (it
# orthogonalises each step: Jordan et al. 2024), Adam the rest.

# %%
def train(kind, usual, rate, steps, seed=0):
    torch.manual_seed(seed)
    model, wrong = VAE(usual), []
    inner = [p for name, p in model.named_parameters() if "." in name]
    optimisers = [torch.optim.Adam([p for p in inner if p.dim() != 2], 4e-3, betas=(0.9, 0.99)),
        torch.optim.Adam([model.sheets, model.usual], rate, betas=(0.9, 0.99), fused=True),
        Muon([p for p in inner if p.dim() == 2], 0.02, weight_decay=0.0)]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(x, steps) for x in optimisers]
    for i in tqdm(range(steps), desc=kind):
        scenes, _ = draw(duel, 32, seed=1_000 * seed + i)
        loc, scale = model.encode(scenes)
        drawn = model.decode(loc + scale * torch.randn_like(scale))  # reparametrised
        elbo = log_p(kind, drawn, scenes) - min(1, i / (0.8 * steps)) * kl(loc, scale)
        model.zero_grad()
        (-elbo.mean()).backward()
        [x.step() for x in (*optimisers, *schedules)]
        if i % (steps // 25) == 0:
            wrong.append(100 * (snapped(kind, drawn.detach()) != scenes).double().mean())
    return model.requires_grad_(False), wrong

# %%
chance = torch.stack([(many == c).float().mean(0) for c in range(24)]) + 1e-3  # of each colour
start = {"categorical": (chance.log(), 0.2, 250), "Bernoulli": (average.logit(1e-3), 0.05, 500),
         "Gaussian": (average, 0.02, 500)}  # rates chosen by hand
trained = {kind: train(kind, *settings) for kind, settings in start.items()}
show.curves({kind: wrong for kind, (_, wrong) in trained.items()}, range(0, 100, 4),
            "% of training", "wrong pixels, %", "Batches never seen before")

# %% [markdown]
# The easy pixels come first. The categorical one leads throughout. One seed; below are three.
#
# ## Held against the truth

# %%
drawn = {kind: model.decode(model.encode(test)[0]) for kind, (model, _) in trained.items()}
for kind, x in drawn.items():
    right = 100 * (snapped(kind, x) == test).double().mean()
    assert right > 90 if kind == "categorical" else 60 < right < 82
    print(f"{kind}: ≈ {right:.1f} % of the pixels right; 3 seeds: {three_seeds('pixels', kind)} %")
shown = [in_rgb(test[:4]), *(colours[kind](x[:4]) for kind, x in drawn.items())]
photos(torch.cat([*shown, in_rgb(snapped("Gaussian", drawn["Gaussian"][:4]))]), "Five rows of four scenes: true; "
       "categorical, sharp; Bernoulli, fog; Gaussian, fog; Gaussian, snapped.", ["true", *trained, "Gaussian, snapped"])

# %% [markdown]
# (± is half of the mean's 95 % interval over training seeds, by Student's t.) The
# categorical model has more than nine pixels in ten right, the others about three in four. Their
# fighters are fog, and above them hang the ghosts of all suns at once: **a mean of what might be
# there**. The categorical one is in doubt as well: suns go missing, edges fray. But its doubt stays
# a probability and never becomes a colour. Snapping is no help: the colour nearest to a mean is
# nobody's guess.
#
# **Caveat.** This is pixel art, with 24 colours. In photographs neighbouring colours *are* alike, and a
# Gaussian's mean costs less. As for suns: so few of 2,304 pixels weigh little in a sum, and come last.
#
# ### Exercise 2: find the mistake
#
# With a colleague's loss, below, the picture comes out the same whatever z is. Its value for our model,
# *z used*, is printed beside that of *z silent*: KL 0, and for each pixel only its frequencies. Why is
# silence cheaper? Mend the loss.

# %%
mean, scale = (model := trained["categorical"][0]).encode(test)
def loss(drawn, cost):  # logits [n, 24, 36, 64] and KL [n]
    # <solution>
    return F.cross_entropy(drawn, test.long(), reduction="none").sum((1, 2)).mean() + cost.mean()
    # <stub>
    # return F.cross_entropy(drawn, test.long()) + cost.mean()
    # </solution>
used = loss(model.decode(mean + scale * torch.randn_like(scale)), kl(mean, scale))
assert kl(mean, scale).mean() > 10  # z is used, whatever the loss
print(f"used ≈ {used:.1f}, silent ≈ {loss(chance.log().expand(500, -1, -1, -1), torch.zeros(500)):.1f}")
check("07.2", loss)

# %% [markdown] tags=["solution"]
# Cross-entropy takes the *mean* over pixels, the KL is a *sum* over z: it weighs 2,304 times too
# much. Nobody pays dozens of nats to save one or two.

# %% [markdown]
# ## How good is the bound?
#
# Average K weights p(scene | z) p(z) / q(z | scene) *before* the log (Burda et al. 2016): on average still
# a lower bound on log p(scene), and tighter the larger K.
#
# What would be perfect? Here we know: each scene comes from one combination of labels and one of 2,048
# styles, no two scenes alike. Its true log-probability is log P(labels) − log 2,048, and on average over the world no model beats
# that (Gibbs' inequality).

# %%
logs = []  # of the weights
for loc, sigma, scene in zip(mean[:40], scale, test, strict=False):
    z = (q := Normal(loc, sigma)).sample((50,))
    fit = log_p("categorical", model.decode(z), scene.expand(50, -1, -1))
    logs.append(fit + (prior.log_prob(z) - q.log_prob(z)).sum(1))
parts = {k: torch.stack(logs).view(40, -1, k) for k in (1, 5, 50)}  # [scene, part, draw]
bound = {k: (x.logsumexp(2) - torch.tensor(k).log()).mean() for k, x in parts.items()}
truth = probability(duel, duel.visible)[tuple(values[name][:40] for name in duel.visible)].log()
assert -800 < bound[1] < bound[5] < bound[50] < bound[1] + 60
print("nats per scene,", ", ".join(f"K = {k}: ≈ {x:.0f}" for k, x in bound.items()))
print(f"the world itself, exactly: {(truth - torch.tensor(2048).log()).mean():.2f}")

# %% [markdown]
# K = 1 is the ELBO (its KL by draws, too). Fifty weights win back some twenty nats; hundreds are missing. As far as 50
# draws can tell, the decoder is at fault more than the encoder. (Don't put a Gaussian beside it: a
# log-*density* may well be above 0. Other units.)
#
# ## What is in z?
#
# Nobody told the model about sky or satyrs. Did it find them? A **linear probe** predicts each
# factor from μ: from all 32 numbers, then from each quarter of them alone.

# %%
def picture(z):
    return snapped("categorical", model.decode(z))
scenes, known = draw(duel, 2_000, seed=300_000)
codes, rows = torch.cat([model.encode(part)[0] for part in scenes.split(500)]), []
for name in ("sky", "hills", "actor_character", "action", "reactor_character", "reaction"):
    found = []
    for part in (slice(0, 32), *(slice(i, i + 8) for i in range(0, 32, 8))):
        x, x_test = (F.pad(z[:, part], (0, 1), value=1.0) for z in (codes, mean))
        probe = torch.linalg.lstsq(x, F.one_hot(known[name]).float()).solution
        found.append(((x_test @ probe).argmax(1) == values[name]).double().mean())
    most = known[name].bincount().max().item() / 2_000  # whoever always says the most frequent
    assert found[0] > most + 0.15
    rows.append((name, most, *(f"≈ {x:.2f}" for x in found)))
show.table(rows, ["", "no z", "1–32", "1–8", "9–16", "17–24", "25–32"], 2)

# %% [markdown]
# From all of z, the sky and both fighters are read nearly always. But there is no drawer for the
# sky, and none for the actor: each quarter knows a good deal about both. Sky and
# fighters share the same z: it is **entangled**. No wonder: rotate z, and N(0, I) stays the same; nothing in
# the story asks for knobs with names (Locatello et al. 2019).
#
# ## A walk, and holes
#
# Eight steps on a straight line, from the code of one scene to that of another:

# %%
steps = mean[0] + torch.linspace(0, 1, 8)[:, None] * (mean[1] - mean[0])
show.scenes(picture(steps), [f"{i}/7" for i in range(8)], 4, 3, digest=False)

# %% [markdown]
# Near the ends, scenes. In between, spare suns, two skies, creatures of two halves: on this path everything changes
# *together*. Now draw z from the prior, as in the story. How far is a picture from a scene?
# An oracle finds the nearest one that the renderer could draw.

# %%
(before, near), (_, far) = read_back(picture(mean)), read_back(fresh := picture(torch.randn(500, Z)))
assert 3 * near.median() < far.median()
print(f"pixels off, median: reconstructed ≈ {near.median()}, sampled ≈ {far.median()}")
show.scenes(torch.cat([test[:4], fresh[:4]]), ["a scene"] * 4 + ["sampled"] * 4, 4, 3, digest=False)

# %% [markdown]
# Suns by the row! Scenes are discrete, and their codes lie in clumps. Between the clumps are
# **holes**: the prior draws there, but hardly a scene was ever encoded there, so nobody taught the
# decoder what to draw.
#
# ## Ask it anyway
#
# "How would these scenes look at night?" A popular trick: add the mean code of night scenes minus
# that of day scenes. (So it takes labels after all.)

# %%
def moved(name, old, new, times=1):  # scenes in which `name` is `old`, moved towards `new`
    rows = values[name] == old
    shift = codes[known[name] == new].mean(0) - codes[known[name] == old].mean(0)
    drawn = picture(mean[rows] + times * shift)
    goal = {k: x[rows] for k, x in before.items()} | {name: new}  # one is new, the rest is kept
    return drawn, {k: (x == goal[k]).double().mean() for k, x in read_back(drawn)[0].items()}
drawn, share = moved("sky", old=1, new=3)
assert share["sky"] > 0.9 and share["actor_character"] > 0.8 and share["hills"] < 0.7
print("night in ≈ {sky:.2f}; action kept in ≈ {action:.2f}, hills in ≈ {hills:.2f}".format(**share))
show.scenes(torch.cat([test[values["sky"] == 1][:4], drawn[:4]]), ["day"] * 4 + ["moved"] * 4, 4, 3, digest=False)

# %% [markdown]
# Night it is, and most fighters stay. But the *hills* have moved! At night hills have other colours,
# and the average step knows nothing of *this* scene's hills.
#
# ### Exercise 3: had it been an attack?
#
# Move taunts (value 1) towards attacks (value 0), with `times` 1, 2 and 3. How often is there an attack
# now, and how often is `actor_distance` kept? Which `times` is right?

# %%
# <solution>
shares = [moved("action", 1, 0, times)[1] for times in (1, 2, 3)]
assert shares[0]["action"] < shares[2]["action"]
print(*("attack ≈ {action:.2f}, same place ≈ {actor_distance:.2f}; ".format(**x) for x in shares))
# <stub>
# shares = ...  # your code: a list of moved(...)[1], three of them
# </solution>
check("07.3", shares)

# %% [markdown] tags=["solution"]
# Far enough for an attack is too far for the rest. And a difference of means holds *all* that goes
# along with attacks, such as who attacks: that is seeing. The question was about imagining.

# %% [markdown]
# ## What is missing
#
# - **Labels.** Nothing in this model is called *action*. It can draw *a* scene, and say
#   roughly how surprising one is; "a scene with an attack" it can't be asked for, let alone "had it been an attack".
# - **Structure.** Everything touches everything. That an action moves no hills is in
#   the causal graph, and the network was never told.
# - **A prior without holes**; and the last pixels: suns, edges.
#
# The next notebook puts the world's graph into the model: labels from the world, z for style only, a
# mechanism for each part of the picture. The pixels stay categories.
