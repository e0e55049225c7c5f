"""Bounds on the best achievable error, from conditional entropies."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from scipy.optimize import brentq
from scipy.special import xlogy

# Sums of probabilities times logarithms are known no better than this.
ROUNDING = 1e-12


def bayes_error_bounds(
    cond_entropy: float, n_classes: int, *, kind: str = "tight"
) -> tuple[float, float]:
    """Bounds on the Bayes error of a classification task, from its entropy.

    Parameters
    ----------
    cond_entropy : float
        Entropy of the label given the inputs, H(Y|X), in nats, or the log-loss of a
        model. Above ``log(n_classes)``, which no entropy exceeds, it counts as that.
    n_classes : int
        Number of classes, at least 2.
    kind : {"tight", "paper"}, default="tight"
        "tight": Fano's inequality solved exactly below, and the piecewise linear bound
        of Feder and Merhav above; no other bounds by the entropy are closer. "paper":
        the looser pair of :cite:t:`umemma`, theorem 3.2.

    Returns
    -------
    low, high : float
        The error rate of the best classifier lies between them, both within
        ``[0, 1 - 1 / n_classes]``.

    Raises
    ------
    TypeError, ValueError
        For values of another type, or out of range.

    See Also
    --------
    complementary_information : Increase of the entropy without a modality.
    mse_gap_bound : A bound for regression.

    Notes
    -----
    *Bounds with estimated entropies.* The held-out log-loss of a model is, in
    expectation, at least the entropy it estimates. Used as ``cond_entropy`` it makes
    ``high`` larger, so the upper bound stays valid and is conservative. The lower bound
    becomes too large and is **not** valid: with a poor model it may exceed the true
    error. Calibrate first (a temperature suffices), and treat ``low`` as a rough
    estimate.

    *Formulae.* With :math:`H` the entropy and :math:`h` the binary entropy, "tight" is
    the smallest :math:`P` with :math:`h(P) + P \\log(C - 1) \\ge H` (Fano) and, for
    :math:`\\log i \\le H \\le \\log(i + 1)`,
    :math:`\\frac{i - 1}{i} + \\frac{H - \\log i}{i (i + 1) \\log((i + 1) / i)}`
    (:cite:t:`feder-merhav`), which for binary labels is
    :math:`H / (2 \\log 2)`. "paper" is :math:`(H - \\log 2) / \\log C` and
    :math:`1 - \\exp(-H)`, clipped; its lower bound is never positive for binary
    labels.

    Examples
    --------
    Three quadrants of an XOR pattern: the label is certain given both coordinates, and
    has 0.5102 nats of entropy given one. The true Bayes error is then 0.3409.

    >>> from skmissing.metrics import bayes_error_bounds
    >>> bayes_error_bounds(0.0, 2)
    (0.0, 0.0)
    >>> [round(bound, 3) for bound in bayes_error_bounds(0.5102, 2)]
    [0.207, 0.368]
    >>> [round(bound, 3) for bound in bayes_error_bounds(0.5102, 2, kind="paper")]
    [0.0, 0.4]
    """
    if not isinstance(n_classes, Integral) or isinstance(n_classes, bool):
        raise TypeError(f"Got n_classes={n_classes!r}, expected an integer.")
    if n_classes < 2:
        raise ValueError(f"Got n_classes={n_classes!r}, expected at least 2.")
    entropy, classes = _number("cond_entropy", cond_entropy), int(n_classes)
    largest = np.log(classes)
    # A sum of terms that cancel may end just below 0.
    if not entropy >= -ROUNDING or entropy == np.inf:
        raise ValueError(
            f"Got cond_entropy={cond_entropy!r}, expected nats that are not negative."
        )
    # The log-loss of a poor model may exceed what any entropy can be.
    entropy = min(max(entropy, 0.0), largest)
    if kind == "paper":
        low = (entropy - np.log(2)) / largest
        high = -np.expm1(-entropy)
    elif kind == "tight":
        low, high = _fano(entropy, classes), _feder_merhav(entropy)
    else:
        raise ValueError(f"Got kind={kind!r}, expected 'tight' or 'paper'.")
    most = 1 - 1 / classes
    return float(np.clip(low, 0.0, most)), float(np.clip(high, 0.0, most))


def _fano(entropy: float, classes: int) -> float:
    """Smallest error whose Fano bound reaches the entropy."""
    most = 1 - 1 / classes

    def excess(p: float) -> float:
        binary = -xlogy(p, p) - xlogy(1 - p, 1 - p)
        return float(binary + p * np.log(classes - 1) - entropy)

    if entropy == 0:
        return 0.0
    # Increasing from -entropy at 0 to log(classes) - entropy at the largest error.
    if excess(most) <= 0:
        return most
    return float(brentq(excess, 0.0, most, xtol=1e-15, rtol=1e-14))


def _feder_merhav(entropy: float) -> float:
    """Largest error with this entropy."""
    # The piece whose ends enclose the entropy; at its ends both pieces agree.
    i = max(int(np.exp(entropy)), 1)
    return (i - 1) / i + (entropy - np.log(i)) / (i * (i + 1) * np.log((i + 1) / i))


def mse_gap_bound(cmi: float, y_range: float | Sequence[float] = (-1.0, 1.0)) -> float:
    """Bound on the mean squared error that a missing modality can cost.

    Parameters
    ----------
    cmi : float
        Information about the target that only the missing modality has, I(Z;Y|X), in
        nats; not negative.
    y_range : float or pair of float, default=(-1, 1)
        The interval that holds the target, or its width.

    Returns
    -------
    float
        The best mean squared error without the modality is larger than that with it by
        at most this, in the squared units of the target.

    Raises
    ------
    TypeError, ValueError
        For values of another type, or out of range.

    See Also
    --------
    complementary_information : Estimates ``cmi`` for class labels.

    Notes
    -----
    :math:`\\frac{(b - a)^2}{2} I(Z; Y | X)` for a target in :math:`[a, b]`: the gap is
    the mean squared change of the conditional mean, which Pinsker's inequality bounds
    by the divergence of the two conditional distributions. No smaller factor holds: a
    modality with little information about a fair coin attains it.

    For a target in [0, 1] this is half the information, which :cite:t:`umemma`, theorem
    3.2, has for [-1, 1]. There it is too small by a factor of four: a coin of -1 and 1
    that only Z knows has :math:`\\log 2 = 0.69` nats of information, and without Z the
    squared error rises from 0 to 1.

    An estimate of ``cmi`` that is too small makes the bound too small as well.

    Examples
    --------
    >>> from skmissing.metrics import mse_gap_bound
    >>> mse_gap_bound(0.5), mse_gap_bound(0.5, y_range=(0, 10))
    (1.0, 25.0)
    """
    information = _number("cmi", cmi)
    if not -ROUNDING <= information < np.inf:
        raise ValueError(
            f"Got cmi={cmi!r}, expected nats that are not negative; an estimate below "
            "0 gives no bound."
        )
    information = max(information, 0.0)
    if isinstance(y_range, Real):
        width = _number("y_range", y_range)
    else:
        ends = list(y_range)  # type: ignore[arg-type]
        if len(ends) != 2:
            raise ValueError(f"Got y_range={y_range!r}, expected a pair or a width.")
        width = _number("y_range", ends[1]) - _number("y_range", ends[0])
    if not 0 <= width < np.inf:
        raise ValueError(
            f"Got y_range={y_range!r}, expected finite ends in increasing order."
        )
    return float(width**2 / 2 * information)


def _number(name: str, value) -> float:
    """A float of a real number."""
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"Got {name}={value!r}, expected a number.")
    return float(value)
