"""Hiding modalities at random in training."""

from __future__ import annotations

import torch


class ModalityDropout:
    """Hide present blocks of training rows, never all of a row."""

    def __init__(self, probability: float, scheme: str) -> None:
        self.probability = probability
        self.scheme = scheme

    def __call__(self, present, generator: torch.Generator):
        """Draw what to hide."""
        n, n_modalities = present.shape
        if n_modalities == 1:
            return torch.zeros_like(present)
        if self.scheme == "exclusive":
            u = torch.rand(n, generator=generator).to(present.device)
            step = min(self.probability, 1.0 / n_modalities)
            which = torch.div(u, step, rounding_mode="floor").long()
            hidden = which[:, None] == torch.arange(n_modalities, device=present.device)
            return hidden & present.all(dim=1, keepdim=True)
        if self.scheme == "subset":
            u = torch.rand(n, generator=generator)
            last = 2**n_modalities - 2
            code = torch.randint(1, last + 1, (n,), generator=generator)
            bits = code[:, None] >> torch.arange(n_modalities) & 1
            hidden = (bits.bool() & (u < self.probability)[:, None]).to(present.device)
            return hidden & present.all(dim=1, keepdim=True)
        u = torch.rand((n, n_modalities), generator=generator).to(present.device)
        hidden = (u < self.probability) & present
        left = (present & ~hidden).any(dim=1, keepdim=True)
        return hidden & left
