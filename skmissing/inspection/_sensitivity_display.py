"""How a corrected mean depends on errors of the propensities."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .._estimation._folds import observed_rows
from .._estimation._partial_labels import known_labels, labels_of
from .._estimation._rows import check_weights
from .._utils._sklearn_compat import _safe_indexing
from ..ipw import IPWMultimodalClassifier, sensitivity_bounds, tipping_odds_ratio
from ..modalities._validation import check_multimodal
from . import _drawing as drawing

# Round numbers for a logarithmic axis that often spans less than a power of ten.
TICKS = np.array([1, 1.1, 1.2, 1.3, 1.5, 2, 3, 4, 5, 7, 10, 20, 30, 50, 100, 1000])


@dataclass(eq=False, repr=False)
class SensitivityDisplay(drawing.Display):
    """Bounds on a weighted mean by the odds ratio of the error of the propensities.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    odds_ratios : ndarray of shape (n_ratios,)
        Ascending, at least 1.
    lower_bound, upper_bound : ndarray of shape (n_ratios,)
        Bounds on the mean.
    value : float
        The weighted mean itself.
    threshold : float, default=None
        What the mean is compared with.
    tipping_odds_ratio : float, default=None
        Where the lower bound falls to the threshold; infinity if it never does.
    quantity : str, default="weighted mean"
        What it is the mean of, for the axis.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    band_ : matplotlib PolyCollection
        Between the bounds.
    line_ : matplotlib Line2D
        At the weighted mean.
    threshold_line_ : matplotlib Line2D or None
        At the threshold, if there is one.
    tipping_point_ : matplotlib PathCollection or None
        Mark at the tipping odds ratio, if that is among those drawn.

    See Also
    --------
    skmissing.ipw.sensitivity_bounds : Computes the bounds.
    skmissing.ipw.tipping_odds_ratio : Computes where they fall to a threshold.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing import IPWMultimodalClassifier
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.inspection import SensitivityDisplay
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"]).fit(X, y)
    >>> display = SensitivityDisplay.from_estimator(clf, X, y, threshold=0.5)
    >>> display.lower_bound.shape, round(display.value, 2)
    ((81,), 0.76)
    """

    odds_ratios: np.ndarray
    lower_bound: np.ndarray
    upper_bound: np.ndarray
    _: KW_ONLY
    value: float
    threshold: float | None = None
    tipping_odds_ratio: float | None = None
    quantity: str = "weighted mean"
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        clf: IPWMultimodalClassifier,
        X,
        y,
        *,
        odds_ratios=None,
        sample_weight=None,
        threshold: float | None = None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> SensitivityDisplay:
        """Plot bounds on the weighted accuracy of a fitted classifier.

        Parameters
        ----------
        clf : IPWMultimodalClassifier
            Fitted, with ``weighting="ipw"``.
        X : {array, DataFrame, MultimodalData} with n_samples rows
            As for its ``score``: rows without a label, or without a used modality, are
            left out.
        y : array of shape (n_samples,)
            Labels.
        odds_ratios : array of shape (n_ratios,), default=None
            At least 1. None: a smooth grid from 1 to 5.
        sample_weight : array of shape (n_samples,), default=None
            Multiplied with the inverse-probability weights.
        threshold : float, default=None
            An accuracy to compare with.
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.fill_between``, which draws the band.

        Returns
        -------
        SensitivityDisplay

        See Also
        --------
        SensitivityDisplay.from_predictions : From values, such as those of a gain.

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skmissing import IPWMultimodalClassifier
        >>> from skmissing.datasets import make_bitwise
        >>> from skmissing.inspection import SensitivityDisplay
        >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
        >>> clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"]).fit(X, y)
        >>> display = SensitivityDisplay.from_estimator(clf, X, y, odds_ratios=[1, 2])
        >>> display.upper_bound.shape
        (2,)
        """
        cls._need_matplotlib("from_estimator")
        drawing.check_fitted(clf, IPWMultimodalClassifier)
        if clf.propensity_ is None:
            raise ValueError(
                f"Got a classifier with weighting={clf.weighting!r}, expected 'ipw': "
                "without propensities there is nothing to bound."
            )
        values, propensity, weight = _accuracy_rows(clf, X, y, sample_weight)
        return cls.from_predictions(
            values,
            propensity,
            odds_ratios=odds_ratios,
            sample_weight=weight,
            threshold=threshold,
            quantity="accuracy",
            name=name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        values,
        propensity,
        *,
        odds_ratios=None,
        sample_weight=None,
        threshold: float | None = None,
        quantity: str = "weighted mean",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> SensitivityDisplay:
        """Plot bounds on the weighted mean of given values.

        Parameters
        ----------
        values : array of shape (n_observed,)
            Contribution of each observed row to the mean, see
            :func:`skmissing.ipw.sensitivity_bounds`.
        propensity : array of shape (n_observed,)
            Modelled probability of these rows to be observed, in (0, 1].
        odds_ratios : array of shape (n_ratios,), default=None
            At least 1. None: a smooth grid from 1 to 5.
        sample_weight : array of shape (n_observed,), default=None
            Multiplies the weights.
        threshold : float, default=None
            What the mean is compared with: 0 for a gain.
        quantity : str, default="weighted mean"
            What it is the mean of, for the axis.
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.fill_between``, which draws the band.

        Returns
        -------
        SensitivityDisplay

        See Also
        --------
        SensitivityDisplay.from_estimator : From a fitted classifier.

        Examples
        --------
        >>> from skmissing.inspection import SensitivityDisplay
        >>> display = SensitivityDisplay.from_predictions(
        ...     [1, 1, 0, -1, 1, 0, 0, 1], [0.5] * 8, threshold=0
        ... )
        >>> round(display.tipping_odds_ratio, 6)
        4.0
        """
        cls._need_matplotlib("from_predictions")
        if threshold is not None and not np.isfinite(threshold):
            raise ValueError(
                f"Got threshold={threshold!r}, expected a finite number or None."
            )
        if odds_ratios is None:
            odds_ratios = np.geomspace(1.0, 5.0, 81)
        table = sensitivity_bounds(
            values, propensity, odds_ratios=odds_ratios, sample_weight=sample_weight
        ).sort_index()
        # At an odds ratio of 1 both bounds are the mean, whatever the grid begins with.
        exact = sensitivity_bounds(
            values, propensity, odds_ratios=[1.0], sample_weight=sample_weight
        )
        tipping = None
        if threshold is not None:
            tipping = tipping_odds_ratio(
                values, propensity, threshold=threshold, sample_weight=sample_weight
            )
        return cls(
            table.index.to_numpy(),
            table["lower_bound"].to_numpy(),
            table["upper_bound"].to_numpy(),
            value=float(exact["lower_bound"].iloc[0]),
            threshold=threshold,
            tipping_odds_ratio=tipping,
            quantity=quantity,
            name=name,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, name: str | None = None, **kwargs) -> SensitivityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        name : str, default=None
            Shown in the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.fill_between``, which draws the band.

        Returns
        -------
        SensitivityDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

        first = ax is None or not ax.has_data()
        ax = self._make_axes(ax)
        name = self.name if name is None else name
        prefix = f"{name}: " if name else ""
        ax.set_xscale("log")
        look = {"color": drawing.BLUE, "alpha": 0.3, "linewidth": 0}
        look |= {"label": f"{prefix}possible values", **kwargs}
        self.band_ = ax.fill_between(
            self.odds_ratios, self.lower_bound, self.upper_bound, **look
        )
        text = f"{prefix}estimate {self.value:.3g}"
        self.line_ = ax.axhline(self.value, color=drawing.BLUE, label=text)
        # The widest of what is drawn on the same axes; a single ratio has no width.
        end = max(self.odds_ratios[-1], 1.1, 1.0 if first else ax.get_xlim()[1])
        ax.set_xlim(1.0, end)
        self.threshold_line_ = self.tipping_point_ = None
        if self.threshold is not None:
            self._plot_threshold(prefix, self.threshold)
        ax.xaxis.set_major_locator(FixedLocator(_ticks(end).tolist()))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.set_xlabel("Propensities off by an odds ratio of up to")
        ax.set_ylabel(self.quantity[:1].upper() + self.quantity[1:])
        drawing.make_legend(ax)
        return self

    def _plot_threshold(self, prefix: str, threshold: float) -> None:
        text = f"{prefix}threshold {threshold:.3g}"
        tipping = self.tipping_odds_ratio
        seen = tipping is not None and tipping <= self.odds_ratios[-1]
        mark = "" if tipping is None else f"reached at an odds ratio of {tipping:.3g}"
        if mark and not seen:
            # Good news, which the plot would not show otherwise.
            text += ", reached never" if tipping == np.inf else f", {mark}"
        self.threshold_line_ = self.ax_.axhline(
            threshold, color=drawing.GREY, linestyle="--", label=text
        )
        if seen:
            mark = "estimate is not above it" if tipping == 1 else mark
            look = {"color": drawing.ORANGE, "edgecolors": "black", "zorder": 4}
            # At an odds ratio of 1 it sits on the edge of the axes.
            self.tipping_point_ = self.ax_.scatter(
                [tipping], [threshold], clip_on=False, label=prefix + mark, **look
            )


def _accuracy_rows(
    clf: IPWMultimodalClassifier, X, y, sample_weight
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What ``clf.score`` averages: hits, propensities and sample weights."""
    data = check_multimodal(clf, X, clf.modalities, reset=False, numeric=False)
    known = known_labels(y, len(data))
    weight = check_weights(sample_weight, len(data))
    # The propensity may require more than the classifier uses.
    weighter = clf.propensity_
    assert weighter is not None
    propensity = weighter.predict_propensity(X, y, out_of_fold=True)
    ipw = weighter.sample_weight(X, y, out_of_fold=True)
    rows = observed_rows(data, clf.use_) & known & (weight * ipw.reshape(len(data)) > 0)
    if not rows.any():
        raise ValueError(
            f"Got no row with a label and all of the modalities {clf.use_}, expected "
            "at least one to score."
        )
    predicted = clf.predict(_safe_indexing(X, np.flatnonzero(rows)))
    clipped = np.clip(propensity.reshape(len(data)), *weighter.clip_bounds_[0])
    return (predicted == labels_of(y, rows)) * 1.0, clipped[rows], weight[rows]


def _ticks(end: float) -> np.ndarray:
    inside = TICKS[end * 1.0001 >= TICKS]
    # Fractions only where there is not much else.
    return inside[inside % 1 == 0] if (inside % 1 == 0).sum() > 3 else inside
