"""Gaussian clusters with an XOR label."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.integrate import quad
from scipy.special import entr, expit, ndtr

from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities import MultimodalData
from ._base import check_parameters, load_descr, pack

_CENTRES = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])


@dataclass(frozen=True)
class XORPosterior:
    """P(y = 1 | x_o) of :func:`make_xor`; an object, so that it can be pickled."""

    std: float
    four_quadrants: bool
    labels: str

    def __call__(self, x_o) -> np.ndarray:
        """Probability of label 1."""
        x = np.asarray(x_o, dtype=np.float64)
        if self.four_quadrants:
            # Given x_o, the second coordinate is symmetric about 0.
            return np.full(x.shape, 0.5)
        # Weight of the lone cluster on the right against the two on the left; the
        # exponents of the two densities differ by 2 x / std^2.
        right = expit(2.0 * x / self.std**2 - np.log(2.0))
        if self.labels == "cluster":
            return right + (1.0 - right) / 2.0
        above = (1.0 - right) / 2.0 + right * ndtr(-1.0 / self.std)
        return np.where(x < 0.0, above, 1.0 - above)


def _integral(function, std: float) -> float:
    """Integral over the line of a function made of normal densities at -1 and 1."""
    # Each peak gets its own pieces, so that the rule finds it for small std too.
    edges = np.array([-12.0, -3.0, 0.0, 3.0, 12.0]) * std
    knots = np.unique(np.concatenate([edges - 1.0, edges + 1.0, [0.0]]))
    return sum(
        quad(function, a, b, epsabs=1e-12, epsrel=1e-12)[0]
        for a, b in itertools.pairwise(knots)
    )


def _density(x: float, mean: float, std: float) -> float:
    """Normal density."""
    return float(np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2.0 * np.pi)))


def _bayes_accuracy(posterior: XORPosterior) -> tuple[float, float]:
    """Best accuracy from x_o alone and from both coordinates."""
    std, labels = posterior.std, posterior.labels
    inside = float(ndtr(1.0 / std))
    if posterior.four_quadrants:
        # The sign rule stays the best one for cluster labels: the two densities differ
        # by a product of one factor per coordinate, each with the sign of that one.
        both = 1.0 if labels == "sign" else inside**2 + (1.0 - inside) ** 2
        return 0.5, both
    if labels == "sign":
        # Below 0.5 for every x_o: x_m is most likely negative.
        return (1.0 + inside) / 3.0, 1.0

    def gain(x: float) -> float:
        # Label 0 wins where r(x) + r(x_m) < 1 with r(t) = exp(2 t / std^2). There the
        # mass of cluster (-1, -1) exceeds that of the two others.
        if x >= 0.0:
            return 0.0
        rest = -np.expm1(2.0 * x / std**2)
        bound = 0.5 * std**2 * np.log(rest)
        lower, upper = ndtr((bound + 1.0) / std), ndtr((bound - 1.0) / std)
        left, right = _density(x, -1.0, std), _density(x, 1.0, std)
        return left * lower - (left * upper + right * lower)

    return 2.0 / 3.0, min(1.0, (2.0 + _integral(gain, std)) / 3.0)


def _conditional_entropy(posterior: XORPosterior) -> float:
    """H(y | x_o) in nats."""
    if posterior.four_quadrants:
        return float(np.log(2.0))
    std = posterior.std

    def integrand(x: float) -> float:
        p = posterior(x)
        density = (2.0 * _density(x, -1.0, std) + _density(x, 1.0, std)) / 3.0
        return density * float(entr(p) + entr(1.0 - p))

    return _integral(integrand, std)


@check_parameters(
    n_samples=[Interval(Integral, 1, None, closed="left")],
    four_quadrants=["boolean"],
    labels=[StrOptions({"sign", "cluster"})],
    std=[Interval(Real, 0, None, closed="neither")],
    random_state=["random_state"],
)
def make_xor(
    n_samples: int = 40000,
    *,
    four_quadrants: bool = False,
    labels: str = "sign",
    std: float = 0.5,
    return_X_y: bool = False,
    as_frame: bool = False,
    random_state=None,
):
    """Gaussian clusters on the plane whose label is an XOR of two coordinates.

    One coordinate, modality ``"x_o"``, is meant to be observed always and the other,
    ``"x_m"``, to be hidden by the user. Where x_o < 0 the label depends on x_m far
    more than where x_o > 0.

    Parameters
    ----------
    n_samples : int, default=40000
        Number of rows.
    four_quadrants : bool, default=False
        Add the cluster around (1, 1) to those around (-1, -1), (-1, 1) and (1, -1).
        Then x_o alone is independent of the label.
    labels : {"sign", "cluster"}, default="sign"
        Label 1 where the signs of the sample's own coordinates differ, or where those
        of its cluster centre do. The latter cannot be learned perfectly.
    std : float, default=0.5
        Standard deviation of the clusters.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``x_o__0`` and ``x_m__0``, target as a
        Series.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, n_samples rows
            Modalities ``"x_o"`` and ``"x_m"``, one float column each, never missing.
        target : ndarray or Series of shape (n_samples,)
            0 or 1.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        cluster : ndarray of shape (n_samples,)
            Index of the cluster, in the order above.
        bayes_accuracy : dict of str to float
            Best possible accuracy, ``"missing"`` from x_o alone and ``"complete"``
            from both.
        posterior : callable
            Takes values of x_o to P(y = 1 | x_o).
        conditional_entropy : float
            H(y | x_o) in nats, the best possible log-loss from x_o alone.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns.
        DESCR : str
            Description.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    Notes
    -----
    Three clusters and sign labels: with r = 2 N(x_o; -1, std) and s = N(x_o; 1, std),
    P(x_m > 0 | x_o) = (r / 2 + s Phi(-1 / std)) / (r + s), which is P(y = 1 | x_o) for
    x_o < 0 and one minus it for x_o > 0. The best accuracy from x_o alone is
    (1 + Phi(1 / std)) / 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing.datasets import make_xor
    >>> bunch = make_xor(1000, random_state=0)
    >>> bunch.data.names
    ['x_o', 'x_m']
    >>> {name: round(value, 4) for name, value in bunch.bayes_accuracy.items()}
    {'missing': 0.6591, 'complete': 1.0}
    >>> round(bunch.conditional_entropy, 4)
    0.5102
    >>> bunch.posterior([-1.0, 1.0]).round(3).tolist()
    [0.5, 0.977]

    Hide x_m in a random half of the rows:

    >>> half = np.random.RandomState(0).uniform(size=1000) < 0.5
    >>> X = bunch.data.hide({"x_m": half})
    """
    rng = local_random_state(random_state)
    centres = _CENTRES if four_quadrants else _CENTRES[:3]
    cluster = rng.randint(len(centres), size=n_samples)
    x = centres[cluster] + std * rng.standard_normal((n_samples, 2))
    source = x if labels == "sign" else centres[cluster]
    target = ((source[:, 0] > 0) != (source[:, 1] > 0)).astype(np.int64)
    posterior = XORPosterior(float(std), bool(four_quadrants), labels)
    missing, complete = _bayes_accuracy(posterior)
    around = ", ".join(f"({a:g}, {b:g})" for a, b in centres)
    origin = "coordinates" if labels == "sign" else "cluster centre"
    return pack(
        MultimodalData({"x_o": x[:, :1], "x_m": x[:, 1:]}),
        target,
        return_X_y=return_X_y,
        as_frame=as_frame,
        cluster=cluster,
        bayes_accuracy={"missing": missing, "complete": complete},
        posterior=posterior,
        conditional_entropy=_conditional_entropy(posterior),
        DESCR=load_descr("xor").format(
            n=len(centres), std=std, centres=around, source=origin
        ),
    )
