"""Propensities of observed and of missing rows."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np

from .._estimation._rows import check_weights
from ..ipw import PropensityWeighter
from ..ipw._diagnostics import LOW_PROPENSITY, calibration_bins
from . import _drawing as drawing

# Kinds of plots, and how many bins they have by default.
KINDS = {"overlap": 20, "calibration": 10}


@dataclass(eq=False, repr=False)
class PropensityDisplay(drawing.Display):
    """Propensities of observed and missing rows, or their calibration.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    propensity : ndarray of shape (n_samples,)
        Modelled probability of each row to be observed.
    observed : ndarray of bool of shape (n_samples,)
        Which rows are observed.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the rows.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_observed_, bars_missing_ : matplotlib BarContainer or None
        The histograms; those of the missing rows have negative heights. None unless
        ``kind="overlap"``.
    low_region_ : matplotlib Rectangle or None
        Marks propensities below 0.05. None unless ``kind="overlap"``.
    errorbar_ : matplotlib ErrorbarContainer or None
        The calibration curve. None unless ``kind="calibration"``.
    diagonal_ : matplotlib Line2D or None
        Perfect calibration. None unless ``kind="calibration"``.

    See Also
    --------
    BalanceDisplay : Covariates before and after weighting.
    skmissing.PropensityWeighter : Models the propensities.

    Notes
    -----
    Overlap: each histogram shows shares of its own group, so that both are readable for
    any share of missing rows. If missing rows have propensities that no observed row
    has, no weight can represent them.

    Calibration: bins of equally many rows, as in
    :meth:`skmissing.PropensityWeighter.calibration`. Bars are one standard error.

    Examples
    --------
    >>> from skmissing import PropensityWeighter
    >>> from skmissing.datasets import load_heart
    >>> from skmissing.inspection import PropensityDisplay
    >>> bunch = load_heart(as_frame=True)
    >>> weighter = PropensityWeighter(
    ...     modalities=bunch.modalities, required=["exercise"], random_state=0
    ... ).fit(bunch.data)
    >>> display = PropensityDisplay.from_estimator(weighter, bunch.data)
    >>> display.propensity.shape
    (920,)
    """

    propensity: np.ndarray
    observed: np.ndarray
    _: KW_ONLY
    sample_weight: np.ndarray | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        weighter: PropensityWeighter,
        X,
        y=None,
        *,
        required=None,
        sample_weight=None,
        kind: str = "overlap",
        n_bins: int | None = None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PropensityDisplay:
        """Plot the propensities of a fitted weighter.

        Parameters
        ----------
        weighter : PropensityWeighter
            Fitted.
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        required : str or list of str, default=None
            Which of several required sets; a str is one name, or names joined by "+".
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows.
        kind : {"overlap", "calibration"}, default="overlap"
            What to plot.
        n_bins : int, default=None
            Number of bins. None: 20 for overlap, 10 for calibration.
        name : str, default=None
            Shown in the legend. None: the required set, where there are several.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.bar`` (overlap) or ``errorbar`` (calibration).

        Returns
        -------
        PropensityDisplay

        See Also
        --------
        PropensityDisplay.from_predictions : From propensities.

        Notes
        -----
        Propensities are those before clipping; with ``cv``, those of the training rows
        are cross-fitted.

        Examples
        --------
        >>> from skmissing import PropensityWeighter
        >>> from skmissing.datasets import make_bitwise
        >>> from skmissing.inspection import PropensityDisplay
        >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
        >>> weighter = PropensityWeighter(random_state=0).fit(X)
        >>> display = PropensityDisplay.from_estimator(weighter, X, kind="calibration")
        >>> display.errorbar_.lines[0].get_xdata().round(1)
        array([0.2, 0.8])
        """
        cls._need_matplotlib("from_estimator")
        at, name = drawing.find_set(weighter, required, name)
        # Not through the weights, which are 0 where a row is missing and infinite
        # where the propensity of an observed one is 0: that should show here.
        propensity = weighter.predict_propensity(X, y, out_of_fold=True)
        propensity = propensity.reshape(len(propensity), -1)
        observed = weighter.find_observed(X, y).reshape(propensity.shape)
        return cls.from_predictions(
            observed[:, at],
            propensity[:, at],
            sample_weight=sample_weight,
            kind=kind,
            n_bins=n_bins,
            name=name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        observed,
        propensity,
        *,
        sample_weight=None,
        kind: str = "overlap",
        n_bins: int | None = None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PropensityDisplay:
        """Plot given propensities.

        Parameters
        ----------
        observed : array of bool of shape (n_samples,)
            Which rows are observed.
        propensity : array of shape (n_samples,)
            Modelled probability of each row to be observed.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows.
        kind : {"overlap", "calibration"}, default="overlap"
            What to plot.
        n_bins : int, default=None
            Number of bins. None: 20 for overlap, 10 for calibration.
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.bar`` (overlap) or ``errorbar`` (calibration).

        Returns
        -------
        PropensityDisplay

        See Also
        --------
        PropensityDisplay.from_estimator : From a fitted weighter.

        Examples
        --------
        >>> from skmissing.inspection import PropensityDisplay
        >>> display = PropensityDisplay.from_predictions(
        ...     [True, True, False], [0.9, 0.7, 0.2]
        ... )
        >>> display.observed.sum()
        np.int64(2)
        """
        cls._need_matplotlib("from_predictions")
        seen, chance = np.asarray(observed), np.asarray(propensity, dtype=np.float64)
        if chance.ndim != 1 or seen.shape != chance.shape or not len(chance):
            raise ValueError(
                f"Got observed of shape {seen.shape} and propensity of shape "
                f"{chance.shape}, expected two vectors of the same length."
            )
        if not np.isin(seen, [0, 1]).all():
            wrong = seen[~np.isin(seen, [0, 1])][0]
            raise ValueError(f"Got {wrong!r} in observed, expected booleans.")
        # Not a comparison of the opposite, so that NaN is refused too.
        inside = (chance >= 0) & (chance <= 1)
        if not inside.all():
            raise ValueError(
                f"Got a propensity of {chance[~inside][0]}, expected numbers from 0 "
                "to 1."
            )
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, len(chance))
        display = cls(chance, seen.astype(bool), sample_weight=sample_weight, name=name)
        return display.plot(ax, kind=kind, n_bins=n_bins, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        kind: str = "overlap",
        n_bins: int | None = None,
        name: str | None = None,
        **kwargs,
    ) -> PropensityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        kind : {"overlap", "calibration"}, default="overlap"
            What to plot.
        n_bins : int, default=None
            Number of bins. None: 20 for overlap, 10 for calibration.
        name : str, default=None
            Shown in the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.bar`` (overlap) or ``errorbar`` (calibration).

        Returns
        -------
        PropensityDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        drawing.check_option("kind", kind, KINDS)
        count: Any = KINDS[kind] if n_bins is None else n_bins
        if not isinstance(count, Integral) or count < 1:
            raise ValueError(f"Got n_bins={count!r}, expected a positive integer.")
        ax = self._make_axes(ax)
        self.bars_observed_ = self.bars_missing_ = self.low_region_ = None
        self.errorbar_ = self.diagonal_ = None
        name = self.name if name is None else name
        if kind == "overlap":
            self._plot_overlap(ax, int(count), kwargs)
            drawing.make_legend(ax, name)
        else:
            look = {"label": name or "propensity model", **kwargs}
            self._plot_calibration(ax, int(count), look)
            drawing.make_legend(ax, inside="upper left")
        return self

    def _plot_overlap(self, ax, n_bins: int, kwargs: dict[str, Any]) -> None:
        from matplotlib.ticker import FuncFormatter

        w = self.sample_weight
        w = np.ones(len(self.propensity)) if w is None else w
        highest = max(np.abs(ax.get_ylim())) if ax.has_data() else 0.0
        below = w @ (self.propensity < LOW_PROPENSITY) / w.sum()
        label = f"below {LOW_PROPENSITY} ({below:.1%} of rows)"
        self.low_region_ = ax.axvspan(
            0, LOW_PROPENSITY, color=drawing.GREY, alpha=0.25, linewidth=0, label=label
        )
        drawn = []
        for word, rows, sign, colour in [
            ("observed", self.observed, 1, drawing.BLUE),
            ("missing", ~self.observed, -1, drawing.ORANGE),
        ]:
            counts, edges = np.histogram(
                self.propensity[rows], n_bins, (0.0, 1.0), weights=w[rows]
            )
            share = counts / counts.sum() if counts.sum() > 0 else counts
            highest = max(highest, 1.05 * share.max())
            label = f"{word} ({int((w[rows] > 0).sum()):,} rows)"
            look = {"color": colour, "edgecolor": "white", "linewidth": 0.5}
            look |= {"label": label, **kwargs}
            bars = ax.bar(
                edges[:-1], sign * share, width=np.diff(edges), align="edge", **look
            )
            drawn.append(bars)
        self.bars_observed_, self.bars_missing_ = drawn
        ax.axhline(0.0, color="black", linewidth=0.8)
        ax.set_xlim(0, 1)
        # The same scale on both sides, or the groups could not be compared.
        ax.set_ylim(-highest, highest)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{abs(v):.0%}"))
        ax.set_xlabel("Propensity to be observed")
        ax.set_ylabel("Share of the group's rows")

    def _plot_calibration(self, ax, n_bins: int, kwargs: dict[str, Any]) -> None:
        chance, observed, w = self.propensity, self.observed, self.sample_weight
        if w is not None:
            chance, observed, w = chance[w > 0], observed[w > 0], w[w > 0]
        table = calibration_bins(chance, observed, n_bins, w)
        (self.diagonal_,) = ax.plot(
            [0, 1], [0, 1], "--", color=drawing.GREY, label="perfectly calibrated"
        )
        self.errorbar_ = ax.errorbar(
            *table[["propensity", "observed", "std_error"]].to_numpy().T,
            **{"fmt": "o-", "color": drawing.BLUE, "capsize": 3} | kwargs,
        )
        ax.set_xlabel("Mean propensity of the bin")
        ax.set_ylabel("Observed share (± 1 standard error)")
