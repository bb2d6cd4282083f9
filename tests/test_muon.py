"""Muon in float32: PyTorch's own but for rounding."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cimg.muon import Muon, orthogonalised


def trained(kind, shape, steps=5, **settings):
    """A matrix after some steps towards another one."""
    torch.manual_seed(0)
    matrix, goal = torch.nn.Parameter(torch.randn(shape)), torch.randn(shape)
    unused = torch.nn.Parameter(torch.ones(2, 2))
    optimiser = kind([matrix, unused], lr=0.02, **settings)
    for _ in range(steps):
        optimiser.zero_grad()
        (matrix - goal).square().sum().backward()
        optimiser.step()
    assert torch.equal(unused, torch.ones(2, 2))  # it had no gradient
    return matrix.detach(), optimiser.state_dict()


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_pytorchs_but_for_rounding(shape, decay):
    ours, kept = trained(Muon, shape, weight_decay=decay)
    theirs, known = trained(torch.optim.Muon, shape, weight_decay=decay)
    start, _ = trained(Muon, shape, steps=0)
    assert (ours - theirs).abs().max() < 0.03 * (ours - start).abs().max()
    assert kept["param_groups"] == known["param_groups"]
    torch.testing.assert_close(kept["state"], known["state"], rtol=0.02, atol=0.02)


def test_what_it_would_not_heed_it_does_not_take():
    matrix = torch.nn.Parameter(torch.randn(3, 4))
    for more in ({"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}, {"eps": 1.0}):
        torch.optim.Muon([matrix], **more)
        with pytest.raises(TypeError, match=next(iter(more))):
            Muon([matrix], **more)


@pytest.mark.parametrize("shape", [(5, 30), (30, 5), (12, 12)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalised(x, (3.4445, -4.7750, 2.0315), 5)
    left, size, right = torch.linalg.svd(x, full_matrices=False)
    here = left.T @ found @ right.T
    torch.testing.assert_close(here, here.diag().diag(), rtol=0, atol=1e-4)
    large = size > 0.05 * size.max()
    assert found.shape == shape and ((here.diag() > 0.5) & (here.diag() < 1.3))[large].all()


def test_nothing_is_made_in_a_type_that_most_processors_cannot_multiply():
    seen = set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            seen.update(x.dtype for x in (*args, result) if isinstance(x, torch.Tensor))
            return result

    with Watch():
        trained(Muon, (6, 40), steps=1)
    assert torch.float32 in seen and torch.bfloat16 not in seen
