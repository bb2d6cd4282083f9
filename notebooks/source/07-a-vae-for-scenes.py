# ---
# title: A VAE for scenes
# question: How can a network learn to draw?
# objectives:
#   - derive the ELBO, and check each of its parts against something independent
#   - train a VAE on scenes in plain PyTorch
#   - compare pixels as categories with Bernoulli and Gaussian pixels, against the true picture
#   - measure what z has picked up, and what one knob of it moves
#   - name the questions that a model without labels can't be asked
# minutes: {running: 1, exercises: 20}
# need: notebook 01 (scenes), and that you once trained a small network
# built: a VAE that reconstructs scenes it never saw, three sorts of pixels side by side, and a list of what is missing
# key_ideas:
#   - "A VAE is a story (first z, then the scene), and a guess back (from the scene to z). The ELBO trains both, and is a bound on log p(scene)."
#   - "How a pixel is modelled decides what doubt looks like. A mean of colours is a new colour: blur. A category stays a colour."
#   - "z holds what helps to draw, in any mixture that does. Nothing in the ELBO asks for a knob called sky."
#   - "Where the guide puts no scenes, the decoder was never taught. The prior draws there too."
#   - "No labels, no questions: such a model can draw *a* scene, and not the one that is asked for."
# mistakes:
#   - "**The mean over pixels in the ELBO.** It is a sum. With the mean, the KL weighs 2,304 times too much, and z falls silent."
#   - "**Comparing ELBOs of different sorts of pixels.** A probability and a density have different units. Compare pictures."
#   - "**Taking a good reconstruction for a good generator.** A reconstruction starts where the guide says; a sample starts anywhere."
#   - "**Reading a direction in z as a cause.** It collects what goes along with what: seeing, at best."
# quiz:
#   - ask: "In half of the scenes a pixel is blue, in half it is orange, and z says nothing about it. What does a Gaussian pixel predict?"
#     options: ["blue or orange, by chance", "a greyish colour in between", "both, with probability 1/2"]
#     answer: b
#     why: "Its best mean is the average of the colours. Only the categorical pixel can say 'one of these two'."
#   - ask: "A model's ELBO is -600 nats per scene. What do you know about its log p(scene)?"
#     options: ["it is -600", "it is at most -600", "it is at least -600"]
#     answer: c
#     why: "ELBO = log p(scene) - KL(q(z | scene) || p(z | scene)), and a KL is never negative."
#   - ask: "A linear probe reads the sky from z without a mistake. What follows?"
#     options: ["the sky has a coordinate of its own", "z holds the sky, perhaps in a mixture", "changing z changes only the sky"]
#     answer: b
#     why: "A probe may use all coordinates at once, and other factors may use the same ones."
# ---

# %% [markdown]
# ## A colour that nobody painted
#
# A painter gets one job: paint the top left pixel so that it is, on average over all scenes, as
# close to the truth as possible. It is always sky. What colour would you take?

# %%
import math
from io import BytesIO

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.distributions import Normal, kl_divergence
from tqdm import tqdm

from cimg import World, probability, show
from cimg.data import draw
from cimg.picture import Picture
from cimg.scene import stage
from cimg.score import read_back

duel, palette = World.load("duel"), stage().palette
RGB = palette.rgb / 255  # float [24, 3]
many, _ = draw(duel, 2_000, seed=100_000)  # scenes, uint8 [2000, 36, 64]
pixel = many[:, 0, 0].long()
mean = RGB[pixel].mean(0)
nearest = palette.names[(RGB - mean).norm(dim=1).argmin()]
print("seen there:", ", ".join(palette.names[i] for i in pixel.unique()))
print("the mean, in RGB:", (255 * mean).int().tolist(), "- nearest colour of the palette:", nearest)
assert nearest not in {palette.names[i] for i in pixel}

# %% [markdown]
# The best colour on average is one that the pixel never has. Do the same for all pixels:

# %%
def photos(rgb, alt, columns=4, zoom=3):
    """Pictures out of any colours, float [n, 3, 36, 64] from 0 to 1, not only the palette's."""
    framed = F.pad((255 * rgb.clamp(0, 1)).byte(), (2, 2, 2, 2), value=255)
    sheet = torch.cat([torch.cat(list(row), 2) for row in framed.split(columns)], 1)
    sheet = sheet.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2).permute(1, 2, 0)
    Image.fromarray(sheet.numpy()).quantize(128).save(file := BytesIO(), "PNG", optimize=True)
    return Picture(file.getvalue(), alt, sheet.shape[1])

def in_rgb(scenes):  # uint8 [n, 36, 64] -> float [n, 3, 36, 64]
    return RGB[scenes.long()].movedim(-1, 1)

average, usual = in_rgb(many).mean(0), many.mode(0).values
alt = "A scene; the mean of 2,000 scenes: fog; the most frequent colour of each pixel: sharp, odd"
photos(torch.stack([in_rgb(many[:1])[0], average, in_rgb(usual[None])[0]]), alt, columns=3, zoom=4)

# %% [markdown]
# Left, a scene. Middle, the mean of 2,000: fog. Right, the most frequent colour of each pixel: sharp,
# though nobody lives there. Both painters know equally little; they differ in what they make of
# doubt. Keep that in mind. First, somebody has to have less doubt.
#
# ## A story and a guess
#
# To draw *this* scene and not the average one, a network needs to be told which. Nobody tells it;
# so it makes up a code. The story of a **VAE** (Kingma & Welling 2014; Rezende et al. 2014):
#
# - first comes **z**, 32 numbers from the *prior* p(z) = N(0, I);
# - then the scene, from p(scene | z), whose parameters the **decoder** computes from z.
#
# Which z made a given scene? Bayes would know, but the sum over all z is hopeless. So a second
# network, the **encoder**, guesses: q(z | scene) = N(μ, σ²), one μ and σ for each number.

# %%
Z, SHEETS = 32, 96

class VAE(nn.Module):
    def __init__(self, usual):  # [channels, 36, 64]: what is drawn before anything is learnt
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(24, 16, 4, stride=4), nn.GELU(), nn.Flatten(),  # patches of 4 x 4 pixels
            nn.Linear(16 * 9 * 16, 128), nn.LayerNorm(128), nn.GELU(), nn.Linear(128, 2 * Z))
        nn.init.constant_(self.encoder[-1].bias[Z:], -5.0)  # little noise at first: z gets used
        self.mix = nn.Sequential(nn.Linear(Z, 128), nn.LayerNorm(128), nn.GELU(),
                                 nn.Linear(128, SHEETS), nn.GELU())
        self.sheets = nn.Parameter(0.02 * torch.randn(SHEETS, *usual.shape))
        self.usual = nn.Parameter(usual.clone())
        self.log_sigma = nn.Parameter(torch.tensor(-1.5))  # for Gaussian pixels only
    def encode(self, scenes):  # uint8 [n, 36, 64] -> mean and standard deviation, [n, Z] each
        one_hot = torch.eye(24)[scenes.long()].movedim(-1, 1)
        loc, log_variance = self.encoder(one_hot).chunk(2, 1)
        return loc, (log_variance / 2).exp()
    def decode(self, z):  # [n, Z] -> [n, channels, 36, 64]
        return self.usual + torch.tensordot(self.mix(z), self.sheets, 1)

# %% [markdown]
# The decoder is two layers and a stack of 96 sheets of tracing paper, each as large as a scene. z
# decides how much of each sheet goes on top of the usual picture. What is on the sheets is learnt.
#
# ## The ELBO, by hand
#
# We want log p(scene) large, averaged over the world's scenes. Whatever q is,
#
# log p(scene) = log E_q[ p(scene | z) p(z) / q(z | scene) ] ≥ E_q[ log p(scene | z) ] − KL( q(z | scene) ‖ p(z) )
#
# (Jensen: the log of a mean is at least the mean of the logs.) The right side is the **ELBO**:
# *draw the scene well from the guessed z*, minus *what the guess costs*. What is lost is exactly
# KL(q(z | scene) ‖ p(z | scene)), how bad the guess is. One draw of z is enough for the first term,
# written as μ + σ·ε with ε ~ N(0, 1), so that the gradient reaches μ and σ (**reparametrisation**).
# The KL of two Gaussians needs no draws: Σ (μ² + σ² − 1 − log σ²) / 2. Is that right?

# %%
def kl(loc, scale):  # KL(N(loc, scale²) || N(0, 1)), summed over z: [n]
    return ((loc**2 + scale**2 - 1) / 2 - scale.log()).sum(1)

torch.manual_seed(0)
loc, scale, prior = torch.randn(1, Z), torch.rand(1, Z) + 0.1, Normal(0.0, 1.0)
q, by_hand = Normal(loc, scale), kl(loc, scale).item()
library = kl_divergence(q, prior).sum().item()
z = q.sample((50_000,))
draws = (q.log_prob(z) - prior.log_prob(z)).sum((1, 2))
error = (draws.std() / 50_000**0.5).item()
assert abs(by_hand - library) < 1e-4 and abs(by_hand - draws.mean()) < 4 * error
print(f"by hand {by_hand:.3f}, torch.distributions {library:.3f}")
print(f"50,000 draws of log q - log p: ≈ {draws.mean():.3f} with a standard error of ≈ {error:.3f}")

# %% [markdown]
# ## Three sorts of pixels
#
# What is p(scene | z)? Given z the pixels are independent, and each is
#
# - **categorical**: one of 24 colours, 24 logits from the decoder;
# - **Bernoulli**: red, green and blue are coins, as in many a tutorial for grey digits. But a coin
#   that shows 0.62 is no coin: the formula runs, and is no probability of anything
#   (Loaiza-Ganem & Cunningham 2019);
# - **Gaussian**: red, green and blue have a mean each, and share one σ, which is learnt. Proper,
#   but a *density*, over colours of which all but 24 never happen.

# %%
def log_p(kind, model, drawn, scenes):  # log p(scene | z), summed over the pixels: [n]
    if kind == "categorical":
        pixels = -F.cross_entropy(drawn, scenes.long(), reduction="none")
    elif kind == "Bernoulli":
        pixels = -F.binary_cross_entropy_with_logits(drawn, in_rgb(scenes), reduction="none")
    else:
        pixels = Normal(drawn, model.log_sigma.exp()).log_prob(in_rgb(scenes))
    return pixels.flatten(1).sum(1)

def colours(kind, drawn):  # what to show, float [n, 3, 36, 64]
    if kind == "categorical":
        return in_rgb(drawn.argmax(1))
    return drawn.sigmoid() if kind == "Bernoulli" else drawn

def snapped(kind, drawn):  # the nearest colour of the palette, uint8 [n, 36, 64]
    flat = colours(kind, drawn).movedim(1, -1).flatten(0, 2)
    return torch.cdist(flat, RGB).argmin(1).view(-1, 36, 64).to(torch.uint8)

# %% [markdown]
# ### Exercise 1: predict
#
# Each model draws 500 new scenes again from their codes, each pixel is replaced by the nearest
# colour of the palette, and we count how many are the true ones. (The painter of the usual
# picture, without any z, gets the share printed below.) Write down three percentages.

# %%
test, values = draw(duel, 500, seed=200_000)
# <solution>
guess = {"categorical": 95, "Bernoulli": 85, "Gaussian": 85}  # yours may well be better
# <stub>
# guess = {"categorical": None, "Bernoulli": None, "Gaussian": None}
# </solution>
print(f"the usual picture, always: {100 * (usual == test).double().mean():.1f} %")
print(guess if all(guess.values()) else "not done yet")

# %% [markdown]
# ## Training
#
# Same encoder, same mixer, same batches of fresh scenes, nothing else. A step of the RGB models takes half
# as long (3 sheets deep instead of 24), so they get twice as many steps. The KL's weight grows from
# 0 to 1, so that z is used before it has to be paid for (Bowman et al. 2016). Matrices are trained
# with Muon, which orthogonalises each step (Jordan et al. 2024), the rest with Adam.

# %%
def train(kind, usual, rate, steps):
    torch.manual_seed(0)
    model, wrong = VAE(usual), []
    tables = [model.sheets, model.usual, model.log_sigma]
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2 and all(p is not t for t in tables)]
    optimisers = [torch.optim.Muon(matrices, lr=0.02, weight_decay=0.0), torch.optim.Adam(
        [{"params": others, "lr": 4e-3}, {"params": tables, "lr": rate}], betas=(0.9, 0.99))]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, steps) for o in optimisers]
    for i in tqdm(range(steps), desc=kind):
        scenes, _ = draw(duel, 32, seed=i)
        loc, scale = model.encode(scenes)
        drawn = model.decode(loc + scale * torch.randn_like(scale))  # reparametrised
        elbo = log_p(kind, model, drawn, scenes) - min(1, i / (0.8 * steps)) * kl(loc, scale)
        model.zero_grad()
        (-elbo.mean()).backward()
        [x.step() for x in (*optimisers, *schedules)]
        if i % (steps // 25) == 0:
            wrong.append(100 * (snapped(kind, drawn.detach()) != scenes).double().mean().item())
    return model.requires_grad_(False), wrong[:25]
