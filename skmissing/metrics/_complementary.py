"""Information about the label that only some modalities have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from .._estimation._resampling import percentile_interval
from .._estimation._rows import check_groups, check_weights
from .._utils._checks import choose_names
from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval, _safe_indexing, validate_params
from ._scored_rows import check_scored_rows


@dataclass(frozen=True, eq=False)
class ComplementaryInformation:
    """Result of :func:`~skmissing.metrics.complementary_information`, in nats.

    Attributes
    ----------
    value : float
        The estimate, the weighted mean of ``contributions``. Negative values are
        possible and are not clipped.
    std_error : float
        Standard error of the value, by the bootstrap; NaN without one.
    low, high : float
        Limits of the confidence interval; NaN without a bootstrap.
    contributions : ndarray of shape (n_rows,)
        ``log p_full(y) - log p_without(y)`` of each row used.
    rows : ndarray of int of shape (n_rows,)
        Which rows of X these are.
    log_loss_without, log_loss_full : float
        Weighted log-loss of the two models: upper bounds, in expectation, of the two
        conditional entropies.
    confidence_level : float
        Level of the confidence interval.

    See Also
    --------
    skmissing.metrics.complementary_information : Computes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.metrics import complementary_information
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({"a": rng.normal(size=(400, 1)), "b": y[:, None] * 1.0})
    >>> X = X.hide({"b": np.arange(400) < 100})
    >>> clf = PatternClassifier().fit(X, y)
    >>> result = complementary_information(clf, clf, X, y, hide="b", random_state=0)
    >>> result.contributions.shape, result.rows[:3].tolist()
    ((300,), [100, 101, 102])
    >>> gap = result.log_loss_without - result.log_loss_full
    >>> bool(np.isclose(result.value, gap))
    True
    """

    value: float
    std_error: float
    low: float
    high: float
    contributions: np.ndarray
    rows: np.ndarray
    log_loss_without: float
    log_loss_full: float
    confidence_level: float

    def __repr__(self) -> str:
        lines = [
            f"ComplementaryInformation of {len(self.rows)} rows, in nats",
            f"  value                {self.value:.4g}",
        ]
        if np.isfinite(self.low):
            level = f"{100 * self.confidence_level:.3g}% interval"
            lines += [
                f"  std_error            {self.std_error:.4g}",
                f"  {level:<20} {self.low:.4g} to {self.high:.4g}",
            ]
        lines += [
            f"  log_loss_without     {self.log_loss_without:.4g}",
            f"  log_loss_full        {self.log_loss_full:.4g}",
        ]
        return "\n".join(lines)


@validate_params(
    {
        "n_bootstraps": [Interval(Integral, 0, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=False,
)
def complementary_information(
    est_without,
    est_full,
    X,
    y,
    *,
    hide: str | Sequence[str] | None = None,
    modalities=None,
    sample_weight=None,
    groups=None,
    n_bootstraps: int = 1000,
    confidence_level: float = 0.9,
    random_state=None,
) -> ComplementaryInformation:
    """Estimate the information about the label that only one modality has.

    The estimate of I(Z;Y|X) is the difference in held-out log-loss between a model
    without modality Z and one with it, on complete rows. It quantifies in nats whether
    the modality is worth acquiring.

    Parameters
    ----------
    est_without : classifier
        Fitted, with ``predict_proba``: the model without the modality.
    est_full : classifier
        Fitted, with ``predict_proba``: the model with it. May be the same object where
        ``hide`` is given.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Held-out rows: none that either model was fitted on. Only complete ones count.
    y : array of shape (n_samples,)
        Their labels.
    hide : str or sequence of str, default=None
        Modalities that are hidden from ``est_without``. None: it gets X as it is, and
        must not use the modality itself.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of ``est_full``, if it has any.
    sample_weight : array of shape (n_samples,), default=None
        Not negative. Where data are not missing completely at random the complete rows
        are a biased sample: pass the weights of a
        :class:`~skmissing.PropensityWeighter`.
    groups : array of shape (n_samples,), default=None
        Rows of one group are resampled together.
    n_bootstraps : int, default=1000
        Resamples for the standard error and the interval; 0: none.
    confidence_level : float in (0, 1), default=0.9
        Level of the confidence interval.
    random_state : int, RandomState instance or None, default=None
        Draws the resamples.

    Returns
    -------
    ComplementaryInformation
        With ``value``, ``std_error``, ``low``, ``high``, and the contribution
        of every row.

    Raises
    ------
    ValueError
        If no row is complete, for a label that a model does not know or gives the
        probability 0, for unknown modalities and wrong lengths.

    See Also
    --------
    bayes_error_bounds : Bounds on error rates from entropies.
    skmissing.PIDEstimator : Separates unique from synergistic information.

    Notes
    -----
    :math:`\\hat G = \\sum_i w_i [\\log p_{full}(y_i) - \\log p_{without}(y_i)] /
    \\sum_i w_i` (:cite:t:`umemma`, definition 3.1, :math:`I(Z; Y | X)`). It is a
    difference of two over-estimates of entropies, so it may be too large or too small,
    and it depends on the models: it is the information that they can use. Calibrate
    both models first. The information is a property of the data: no way of training
    lowers it. The resamples are paired, with both models fixed; the interval does not
    include the uncertainty of their training.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.metrics import complementary_information
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=2000)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(2000, 1)),
    ...     "b": y[:, None] + rng.normal(size=(2000, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:1000], y[:1000])
    >>> result = complementary_information(
    ...     clf, clf, X[1000:], y[1000:], hide="b", random_state=0
    ... )
    >>> result.low < result.value < result.high
    True
    """
    estimators = [est_full, est_without]
    test = check_scored_rows(
        "complementary_information", X, y, estimators, modalities,
        several=hide is not None,
    )  # fmt: skip
    n = len(test.y)
    weight, groups = check_weights(sample_weight, n), check_groups(groups, n)
    reduced = X
    if hide is not None:
        chosen = choose_names(hide, test.names, "hide")
        if set(chosen) == set(test.names):
            raise ValueError(
                f"Got hide={hide!r}, expected some but not all of {test.names}."
            )
        reduced = test.hide(np.tile([name in chosen for name in test.names], (n, 1)))
    rows = np.flatnonzero(test.present.all(axis=1) & (weight > 0))
    if not len(rows):
        raise ValueError(
            f"Got no row with all of the modalities {test.names} and a positive "
            "weight, expected at least one."
        )
    full = _log_likelihood("est_full", est_full, X, test.y[rows], rows)
    without = _log_likelihood("est_without", est_without, reduced, test.y[rows], rows)
    w = weight[rows]
    gain = full - without
    value = float(w @ gain / w.sum())
    error = low = high = np.nan
    if n_bootstraps:
        groups = np.arange(len(rows)) if groups is None else groups[rows]
        _, code = np.unique(groups, return_inverse=True)
        top, bottom = np.bincount(code, w * gain), np.bincount(code, w)
        rng = local_random_state(random_state)
        drawn = _draw_ratios(top, bottom, int(n_bootstraps), rng)
        error = float(np.std(drawn, ddof=1)) if n_bootstraps > 1 else np.nan
        low, high = map(float, percentile_interval(value, drawn, confidence_level))
    return ComplementaryInformation(
        value=value,
        std_error=error,
        low=low,
        high=high,
        contributions=gain,
        rows=rows,
        log_loss_without=float(-w @ without / w.sum()),
        log_loss_full=float(-w @ full / w.sum()),
        confidence_level=float(confidence_level),
    )


def _log_likelihood(
    name: str, estimator, X, labels: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Log-probability of the labels of some rows."""
    part = _safe_indexing(X, rows)
    # scikit-learn's own logarithms warn of zeros, which are an error below.
    with np.errstate(divide="ignore"):
        if hasattr(estimator, "predict_log_proba"):
            logs = estimator.predict_log_proba(part)
        else:
            logs = np.log(estimator.predict_proba(part))
    classes = np.asarray(estimator.classes_)
    position = np.searchsorted(classes, labels)
    position = np.minimum(position, len(classes) - 1)
    known = classes[position] == labels
    if not known.all():
        raise ValueError(
            f"Got the label {labels[~known].tolist()[0]!r} in y, expected those that "
            f"{name} was fitted on, {classes.tolist()}."
        )
    out = np.asarray(logs, dtype=np.float64)[np.arange(len(rows)), position]
    if not np.isfinite(out).all():
        raise ValueError(
            f"Got the probability 0 from {name} for the labels of "
            f"{int((~np.isfinite(out)).sum())} rows, expected positive ones; calibrate "
            "the model."
        )
    return out


def _draw_ratios(
    top: np.ndarray, bottom: np.ndarray, n_bootstraps: int, rng: np.random.RandomState
) -> np.ndarray:
    """Ratios of sums over resampled groups, both models on the same rows."""
    n = len(top)
    out = np.empty(n_bootstraps)
    for b in range(n_bootstraps):
        drawn = rng.randint(n, size=n)
        out[b] = top[drawn].sum() / bottom[drawn].sum()
    return out
