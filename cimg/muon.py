"""Muon (Jordan et al. 2024) with its products in float32.

PyTorch's own makes them in bfloat16. On a processor that can't multiply bfloat16, which is that of
most laptops, they take several times as long as all the rest of a step.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, optim


class Muon(optim.Muon):
    """`torch.optim.Muon`, with Nesterov momentum and the learning rate adjusted as is usual. What
    this one wouldn't heed, such as ``nesterov=False``, it doesn't take (TypeError).

    Args:
        params: matrices, or groups of them; all else as PyTorch has it.
    """

    def __init__(
        self,
        params: Iterable[Tensor | dict],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ):
        super().__init__(params, lr=lr, weight_decay=weight_decay, momentum=momentum)

    @torch.no_grad()
    def step(self) -> None:
        """One step along the orthogonalised momentum of each matrix."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                momentum, rate = group["momentum"], group["lr"]
                mean = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - momentum)
                along = orthogonalised(
                    p.grad.lerp(mean, momentum), group["ns_coefficients"], group["ns_steps"]
                )
                p.mul_(1 - rate * group["weight_decay"])
                p.add_(along, alpha=-rate * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonalised(x: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """A matrix with the singular vectors of x, ``float [m, n]``, and singular values of about 1: by
    a quintic polynomial, applied ``steps`` times (Newton and Schulz).

    Each time x is multiplied by a polynomial in x xᵀ. These are small where x is long: they are
    multiplied with each other, and with x only once.
    """
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    gram, whole = x @ x.T, torch.eye(len(x), device=x.device)
    for _ in range(steps):  # by a + b gram + c gram²: all three commute
        rest = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        whole = torch.addmm(whole, rest, whole, beta=a)
        gram = torch.addmm(gram, rest, gram, beta=a)
        gram = torch.addmm(gram, gram, rest, beta=a)
    x = whole @ x
    return x.T if tall else x
