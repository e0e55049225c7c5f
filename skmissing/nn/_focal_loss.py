"""Loss that counts rows less that are predicted well."""

from __future__ import annotations

from torch import nn


class FocalLoss(nn.Module):
    """Cross-entropy with less weight for rows that are already predicted well.

    Parameters
    ----------
    gamma : float, default=2.0
        How fast their weight falls; 0 is cross-entropy.

    Notes
    -----
    With p the probability of the true class, the loss is
    :math:`-(1 - p)^\\gamma \\log p` :cite:p:`focal`. Probabilities of a net that is
    trained with it are less extreme than they should be.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import FocalLoss
    >>> FusionClassifier(criterion=FocalLoss(gamma=1.0)).criterion.gamma
    1.0
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, y):
        """Loss of each row.

        Parameters
        ----------
        logits : torch.Tensor of shape (n, n_classes)
            Class scores.
        y : torch.Tensor of shape (n,)
            Class indices.

        Returns
        -------
        torch.Tensor of shape (n,)
        """
        logs = nn.functional.log_softmax(logits, dim=1)
        own = logs.gather(1, y[:, None]).squeeze(1)
        # At p = 1 the slope of a power below 1 is infinite.
        missed = (-own.expm1()).clamp(min=1e-12)
        return -(missed**self.gamma) * own
