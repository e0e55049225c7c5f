"""Hiding modalities at random in training."""

from __future__ import annotations

from typing import Any

import torch


class ModalityDropout:
    """Hide present blocks of training rows, never all of a row.

    Parameters
    ----------
    probability : float in [0, 1)
        Chance of each modality to be hidden; for "subset" that of the row to lose any.
    scheme : {"independent", "exclusive", "subset"}
        Independent: every present block is hidden with this probability; a row that
        would lose all keeps all. Exclusive: at most one block of a row is hidden, each
        with this probability (with M modalities a share ``1 - M * probability`` of the
        rows stays complete, none from ``1 / M`` on); rows that lack a block already
        lose nothing more. Subset: a complete row loses, with this probability, any set
        of modalities but none and all, each set as likely.
    """

    def __init__(self, probability: float, scheme: str) -> None:
        self.probability = probability
        self.scheme = scheme

    def __call__(self, present: Any, generator: torch.Generator) -> Any:
        """Draw what to hide.

        Parameters
        ----------
        present : tensor of bool of shape (n, M)
            What the rows have.
        generator : torch.Generator
            Source of the draws, on the CPU.

        Returns
        -------
        tensor of bool of shape (n, M)
        """
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
