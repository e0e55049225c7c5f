"""Random parts of what rows have."""

from __future__ import annotations

import torch

# Draws of which the first that leaves a row a block is taken. A row with two
# modalities is left without by a quarter of them: 8 fail once in 65,000 times.
N_TRIES = 8


def first_part(present, tries):
    """Blocks of each row in the first set that leaves it one."""
    parts = present[:, None] & tries
    some = parts.any(dim=2)
    first = some.to(torch.int64).argmax(dim=1)
    picked = parts[torch.arange(len(present), device=present.device), first]
    return torch.where(some.any(dim=1, keepdim=True), picked, present)


def random_part(present, shared: bool):
    """A part of what each row has, every non-empty one as likely."""
    rows = 1 if shared else len(present)
    shape = (rows, N_TRIES, present.shape[1])
    return first_part(present, torch.rand(shape, device=present.device) < 0.5)
