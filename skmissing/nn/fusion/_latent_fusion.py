"""A latent vector given what a row has, trained for the label."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval, StrOptions
from ._fusion import Fusion

# Logs of variances are kept between these, as those of the package's other nets.
LOG_VARIANCE = (-8.0, 4.0)


@stores_parameters
class LatentFusion(Fusion):
    """A supervised latent vector: Gaussian experts of the modalities, and a head.

    Each modality gives a Gaussian distribution of a latent vector; those that a row has
    are combined, and a head predicts the class from a draw in training, from the mean
    in prediction. The latent vector is kept close to a standard normal one, so that it
    has the information for the label and little else.

    Parameters
    ----------
    latent_dim : int, default=16
        Length of the latent vector.
    experts : {"product", "mixture"}, default="product"
        The product of the experts with a standard normal one, or one of them at random
        in training and the mean of their means in prediction.
    beta : float, default=1e-3
        Weight of the divergence from the standard normal distribution.
    shared_noise : bool, default=False
        In training, draw noise once per batch instead of once per row. Slower to learn;
        a weight of 2 is then the same as two rows.

    See Also
    --------
    skmissing.recovery.MultimodalVAE : Trained without labels; ``output="latent"``.
    skmissing.PRIMOClassifier : A latent vector for what is missing.

    Notes
    -----
    The experts of :cite:t:`mvae` (product) and :cite:t:`mmvae` (mixture) with a decoder
    of the label in place of those of the blocks: a variational information bottleneck
    :cite:p:`vib`. With ``modality_dropout`` the product is trained on parts of what a
    row has, as by :cite:t:`mopoe`. These papers use a classifier of the latent vectors
    of a :class:`~skmissing.recovery.MultimodalVAE`.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import LatentFusion
    >>> FusionClassifier(fusion=LatentFusion(latent_dim=8)).fusion
    LatentFusion(latent_dim=8)
    """

    latent_dim: int = 16
    experts: str = "product"
    beta: float = 1e-3
    shared_noise: bool = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "experts": [StrOptions({"product", "mixture"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "shared_noise": ["boolean"],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _LatentNet(widths, make_head, self)


class _LatentNet(nn.Module):
    """An expert for each modality, and a head."""

    def __init__(self, widths, make_head, fusion: LatentFusion) -> None:
        super().__init__()
        self.latent_dim = int(fusion.latent_dim)
        self.mixture = fusion.experts == "mixture"
        self.beta = float(fusion.beta)
        self.shared_noise = bool(fusion.shared_noise)
        self.layers = nn.ModuleList(nn.Linear(w, 2 * self.latent_dim) for w in widths)
        self.head = make_head(self.latent_dim)

    def experts(self, codes):
        """Means and log-variances of each modality, (n, M, latent_dim)."""
        both = torch.stack([layer(c) for layer, c in zip(self.layers, codes)], dim=1)
        mean, log = both.chunk(2, dim=2)
        return mean, log.clamp(*LOG_VARIANCE)

    @staticmethod
    def product(mean, log, present):
        """Mean and log-variance of the product of the experts and the prior."""
        precision = torch.exp(-log) * present[:, :, None].to(mean.dtype)
        total = 1.0 + precision.sum(dim=1)
        return (precision * mean).sum(dim=1) / total, -torch.log(total)

    def _pick(self, mean, log, present):
        """One of the experts of each row, at random."""
        rows = 1 if self.shared_noise else len(present)
        u = torch.rand((rows, 1), device=present.device)
        rank = torch.cumsum(present.to(torch.int64), dim=1) - 1
        wanted = torch.floor(u * present.sum(dim=1, keepdim=True))
        index = (present & (rank == wanted)).to(torch.int64).argmax(dim=1)
        every = torch.arange(len(present), device=present.device)
        return mean[every, index], log[every, index]

    def features(self, codes, present):
        """Mean of the latent vector."""
        mean, log = self.experts(codes)
        if not self.mixture:
            return self.product(mean, log, present)[0]
        share = present[:, :, None].to(mean.dtype)
        return (share * mean).sum(dim=1) / share.sum(dim=1).clamp(min=1.0)

    def forward(self, codes, present):
        return self.head(self.features(codes, present))

    def row_losses(self, codes, present, y, weight, criterion):
        if not self.training:
            return criterion(self(codes, present), y)
        mean, log = self.experts(codes)
        combine = self._pick if self.mixture else self.product
        mean, log = combine(mean, log, present)
        shape = (1 if self.shared_noise else len(mean), self.latent_dim)
        noise = torch.randn(shape, dtype=mean.dtype, device=mean.device)
        z = mean + torch.exp(0.5 * log) * noise
        divergence = 0.5 * (torch.exp(log) + mean**2 - 1.0 - log).sum(dim=1)
        return criterion(self.head(z), y) + self.beta * divergence
