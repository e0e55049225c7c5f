"""What a net is trained with: a loss of class scores, for each row."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ._focal_loss import FocalLoss

CRITERIA: dict[str, Any] = {"cross_entropy": nn.CrossEntropyLoss, "focal": FocalLoss}


class RowLoss(nn.Module):
    """A loss of scores and labels, checked to have one value for each row."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, logits, y):
        losses = self.function(logits, y)
        shape = tuple(losses.shape) if isinstance(losses, torch.Tensor) else None
        if shape != (len(y),):
            what = (
                type(losses).__name__ if shape is None else f"a loss of shape {shape}"
            )
            raise ValueError(
                f"Got {what} from criterion for {len(y)} rows, expected ({len(y)},), "
                "a loss for each row, so that rows can be weighted."
            )
        return losses


def make_criterion(criterion) -> RowLoss:
    """A copy of a loss of the user, or one by its name, without its reduction."""
    if isinstance(criterion, str):
        criterion = CRITERIA[criterion]
    function: Any = (
        criterion() if isinstance(criterion, type) else copy.deepcopy(criterion)
    )
    if isinstance(function, nn.Module) and hasattr(function, "reduction"):
        setattr(function, "reduction", "none")  # noqa: B010
    return RowLoss(function)
