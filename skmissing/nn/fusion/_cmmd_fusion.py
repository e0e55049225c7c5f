"""A latent vector predicted from what is given, trained to generate the rest."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from .._random_subsets import random_part
from ._fusion import Fusion
from ._latent_fusion import LOG_VARIANCE


@stores_parameters
class CMMDFusion(Fusion):
    """Conditional prior: a latent vector of given modalities that generates the rest.

    In training, a part of the modalities of the rows is given. A prior of a latent
    vector is predicted from it, and a posterior from all codes and the label; the
    latent vector generates the codes that are not given, and the class is predicted
    from the mean of the prior. In prediction all modalities of a row are given.

    Parameters
    ----------
    latent_dim : int, default=32
        Length of the latent vector.
    hidden : int, default=128
        Units of the nets of prior, posterior and codes.
    generative_weight : float, default=0.1
        Weight of the losses that do not predict the class.
    omega : float in [0, 1], default=0.4
        Weight of the divergence of the posterior from the prior, row by row; the rest
        is that of the discrepancy between the two over all rows of a batch.
    shared_noise : bool, default=False
        In training, draw noise once per batch instead of once per row. Slower to learn;
        a weight of 2 is then the same as two rows.

    See Also
    --------
    LatentFusion : A latent vector trained for the label alone.
    skmissing.PRIMOClassifier : A latent vector for what is missing.

    Notes
    -----
    The method of :cite:t:`cmmd`, whose loss is, with weights of its parts,

    .. math::

        - \\log p(y | z_1) - E_q \\log p(x_2 | x_1, z)
        + \\omega\\, KL(q(z | x_1, x_2, y) \\| p(z | x_1))
        + (1 - \\omega)\\, MMD(q, p),

    with :math:`x_1` given and :math:`z_1` the mean of the prior. There, it is fixed
    which modalities are given, all rows are complete in training, and inputs are
    generated. Here, the part that is given is drawn for each batch, half of the loss of
    the class is that of all that the rows have, and normalised codes are generated,
    without a gradient to their encoders. Losses of codes are means over units.

    The published code trains on two views of MNIST with Adam, a learning rate of 1e-4,
    batches of 100 rows and 1,001 epochs, an omega of 0.4, a latent vector of 50, three
    hidden layers in each net (2,500 units in that of the posterior, 1,024 in the
    others), two of 70 units in the classifier, and a dropout of 0.2. The loss of the
    class is a sum over the batch, with a weight of 10, the discrepancy has one of
    1,000, and the other losses are sums over units: no ``generative_weight`` has the
    same effect. Nearest to it is, with one hidden layer in a net:

    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import CMMDFusion
    >>> paper = FusionClassifier(
    ...     fusion=CMMDFusion(latent_dim=50, hidden=1024, omega=0.4), optimizer="adam",
    ...     lr=1e-4, batch_size=100, max_epochs=1001, early_stopping=False,
    ...     head_hidden=(70, 70), head_dropout=0.2, modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import CMMDFusion
    >>> FusionClassifier(fusion=CMMDFusion(latent_dim=16)).fusion
    CMMDFusion(latent_dim=16)
    """

    latent_dim: int = 32
    hidden: int = 128
    generative_weight: float = 0.1
    omega: float = 0.4
    shared_noise: bool = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "generative_weight": [Interval(Real, 0, None, closed="left")],
        "omega": [Interval(Real, 0, 1, closed="both")],
        "shared_noise": ["boolean"],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _ConditionalPrior(widths, n_classes, make_head, self)


class Generated(NamedTuple):
    """What the generative losses are made of; each has a value for each row."""

    misfit: Any
    divergence: Any
    # Draws of the posterior and of the prior.
    posterior: Any
    prior: Any


class _ConditionalPrior(nn.Module):
    """Nets of the prior, the posterior and of codes."""

    def __init__(self, widths, n_classes, make_head, fusion: CMMDFusion) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.latent_dim = int(fusion.latent_dim)
        self.generative_weight = float(fusion.generative_weight)
        self.omega = float(fusion.omega)
        self.shared_noise = bool(fusion.shared_noise)
        hidden, latent, size = int(fusion.hidden), self.latent_dim, sum(widths)
        n_in = size + len(widths)
        self.prior_net = _perceptron(n_in, hidden, 2 * latent)
        self.posterior_net = _perceptron(n_in + n_classes, hidden, 2 * latent)
        self.generator = _perceptron(n_in + latent, hidden, size)
        self.head = make_head(latent)

    @staticmethod
    def _inputs(codes, kept):
        """Codes that are kept, and which they are, side by side."""
        parts = [code * kept[:, m, None] for m, code in enumerate(codes)]
        return torch.cat([*parts, kept.to(codes[0].dtype)], dim=1)

    def prior(self, codes, kept):
        """Mean and log-variance of the latent vector, given some codes."""
        mean, log = self.prior_net(self._inputs(codes, kept)).chunk(2, dim=1)
        return mean, log.clamp(*LOG_VARIANCE)

    def features(self, codes, present):
        """Mean of the latent vector."""
        return self.prior(codes, present)[0]

    def forward(self, codes, present):
        return self.head(self.features(codes, present))

    def generate(self, codes, present, given, y) -> Generated:
        """Misfit of codes that are not given, and the distributions behind it."""
        mean_0, log_0 = self.prior(codes, given)
        label = nn.functional.one_hot(y, self.n_classes).to(mean_0.dtype)
        everything = torch.cat([self._inputs(codes, present), label], dim=1)
        mean, log = self.posterior_net(everything).chunk(2, dim=1)
        log = log.clamp(*LOG_VARIANCE)
        shape = (2, 1 if self.shared_noise else len(y), self.latent_dim)
        noise = torch.randn(shape, dtype=mean.dtype, device=mean.device)
        z = mean + torch.exp(0.5 * log) * noise[0]
        z_0 = mean_0 + torch.exp(0.5 * log_0) * noise[1]
        ratio = torch.exp(log - log_0) + (mean - mean_0) ** 2 * torch.exp(-log_0)
        divergence = 0.5 * (log_0 - log - 1.0 + ratio).sum(dim=1)
        widths = [code.shape[1] for code in codes]
        guess = self.generator(torch.cat([self._inputs(codes, given), z], dim=1))
        misfit = torch.zeros_like(divergence)
        for m, (code, made) in enumerate(zip(codes, guess.split(widths, dim=1))):
            truth = nn.functional.layer_norm(code.detach(), code.shape[1:])
            error = 0.5 * ((truth - made) ** 2).mean(dim=1)
            misfit = misfit + torch.where(present[:, m] & ~given[:, m], error, 0.0)
        return Generated(misfit, divergence / self.latent_dim, z, z_0)

    def row_losses(self, codes, present, y, weight, criterion):
        loss = criterion(self(codes, present), y)
        if not self.training:
            return loss
        given = random_part(present, shared=True)
        loss = 0.5 * (loss + criterion(self(codes, given), y))
        made = self.generate(codes, present, given, y)
        gap = discrepancy(made.posterior, made.prior, weight)
        rest = made.misfit + self.omega * made.divergence + (1.0 - self.omega) * gap
        return loss + self.generative_weight * rest


def discrepancy(a, b, weight):
    """Maximum mean discrepancy of two sets of weighted vectors, Gaussian kernel."""
    share = weight / weight.sum()

    def mean(u, v):
        squares = (u**2).sum(dim=1)[:, None] + (v**2).sum(dim=1) - 2.0 * u @ v.T
        return share @ torch.exp(-squares / u.shape[1]) @ share

    return mean(a, a) + mean(b, b) - 2.0 * mean(a, b)


def _perceptron(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))
