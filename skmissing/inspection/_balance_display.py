"""Covariates before and after weighting."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from ..ipw import PropensityWeighter
from . import _drawing as drawing

# As in PropensityWeighter.balance: beyond this the model misses something.
TOLERANCE = 0.1


@dataclass(eq=False, repr=False)
class BalanceDisplay(drawing.Display):
    """Love plot: how far covariates of the observed rows are from those of all rows.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    feature_names : ndarray of str of shape (n_features,)
        Covariates, in the order in which they are drawn, from the top.
    smd_before : ndarray of shape (n_features,)
        Standardised mean difference of the observed rows to all rows.
    smd_after : ndarray of shape (n_features,)
        The same with weights.
    hidden : ndarray of shape (n_hidden, 2), default=None
        Before and after of the covariates that are not drawn.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    before_, after_ : matplotlib PathCollection
        The markers: hollow before weighting, filled after it.
    joints_ : matplotlib LineCollection
        Lines between them.
    bounds_ : list of matplotlib Line2D
        At -0.1 and 0.1.

    See Also
    --------
    PropensityDisplay : Overlap and calibration.
    skmissing.PropensityWeighter : Its ``balance`` computes the table.

    Notes
    -----
    Filled markers should lie within the dashed lines, wherever the hollow ones are. A
    covariate beyond them after weighting shows that the propensity model misses
    something.

    Examples
    --------
    >>> from skmissing import PropensityWeighter
    >>> from skmissing.datasets import load_heart
    >>> from skmissing.inspection import BalanceDisplay
    >>> bunch = load_heart(as_frame=True)
    >>> weighter = PropensityWeighter(
    ...     modalities=bunch.modalities, required=["exercise"], random_state=0
    ... ).fit(bunch.data)
    >>> display = BalanceDisplay.from_estimator(weighter, bunch.data, max_features=5)
    >>> display.smd_after.shape
    (5,)
    """

    feature_names: np.ndarray
    smd_before: np.ndarray
    smd_after: np.ndarray
    _: KW_ONLY
    hidden: np.ndarray | None = None
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
        max_features: int | None = 20,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> BalanceDisplay:
        """Plot the balance of a fitted weighter.

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
            Multiplies the weights.
        max_features : int, default=20
            How many covariates to draw, those that differ most before weighting. None:
            all.
        name : str, default=None
            Shown in the legend. None: the required set, where there are several.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws both markers.

        Returns
        -------
        BalanceDisplay
        """
        cls._need_matplotlib("from_estimator")
        at, name = drawing.find_set(weighter, required, name)
        return cls.from_predictions(
            weighter.balance(X, y, sample_weight),
            required="+".join(weighter.required_[at]),
            max_features=max_features,
            name=name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        balance_table: pd.DataFrame,
        *,
        required=None,
        max_features: int | None = 20,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> BalanceDisplay:
        """Plot a table that ``PropensityWeighter.balance`` has made.

        Parameters
        ----------
        balance_table : DataFrame
            Covariates in the index, the columns ``smd_before`` and ``smd_after``. With
            several required sets, the first index level names the set.
        required : str or list of str, default=None
            Which of several required sets; a str is one name, or names joined by "+".
        max_features : int, default=20
            How many covariates to draw, those that differ most before weighting. None:
            all.
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws both markers.

        Returns
        -------
        BalanceDisplay
        """
        cls._need_matplotlib("from_predictions")
        columns = ["smd_before", "smd_after"]
        drawing.check_table(balance_table, columns, "PropensityWeighter.balance")
        whole = isinstance(max_features, Integral) and max_features >= 1
        if max_features is not None and not whole:
            raise ValueError(
                f"Got max_features={max_features!r}, expected a positive integer or "
                "None."
            )
        table: Any = balance_table[columns]
        if table.index.nlevels > 1:
            sets = [str(s).split("+") for s in table.index.unique(level=0)]
            chosen = table.index.unique(level=0)[drawing.find_required(sets, required)]
            table = table.xs(chosen, level=0)
        elif required is not None:
            # A plain table does not name the set it is about.
            raise ValueError(
                f"Got required={required!r} with the table of one set, expected None."
            )
        table = table.astype(np.float64)
        order = np.argsort(-np.abs(table["smd_before"].to_numpy()), kind="stable")
        shown = table.iloc[order[:max_features]]
        return cls(
            np.array([str(label) for label in shown.index], dtype=object),
            shown["smd_before"].to_numpy(),
            shown["smd_after"].to_numpy(),
            hidden=table.iloc[order[len(shown) :]].to_numpy(),
            name=name,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, name: str | None = None, **kwargs) -> BalanceDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its labels need.
        name : str, default=None
            Shown in the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws both markers.

        Returns
        -------
        BalanceDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        labels = [drawing.shorten(label) for label in self.feature_names]
        ax = self._make_rows(ax, labels, max(2.5, 1.5 + 0.25 * len(labels)))
        at = np.arange(len(labels))
        ax.axvline(0.0, color=drawing.GREY, linewidth=0.8)
        self.bounds_ = [
            ax.axvline(bound, color=drawing.GREY, linestyle="--", label=f"±{TOLERANCE}")
            for bound in (-TOLERANCE, TOLERANCE)
        ]
        self.joints_ = ax.hlines(
            at, self.smd_before, self.smd_after, color=drawing.GREY, linewidth=0.8
        )
        hollow = {"facecolors": "none", "edgecolors": drawing.ORANGE, "linewidths": 1.5}
        hollow |= {"zorder": 3, "label": "before weighting"}
        filled = {"color": drawing.BLUE, "zorder": 4, "label": "after weighting"}
        self.before_ = ax.scatter(self.smd_before, at, **hollow | kwargs)
        self.after_ = ax.scatter(self.smd_after, at, **filled | kwargs)
        text = "Standardised mean difference to all rows"
        if self.hidden is not None and len(self.hidden):
            # The order is that of before: what is left out may still be unbalanced.
            before, after = np.abs(self.hidden).max(axis=0)
            text += (
                f"\n({len(self.hidden)} more: up to {before:.2f} before, {after:.2f} "
                "after weighting)"
            )
        ax.set_xlabel(text)
        ax.locator_params(axis="x", nbins=6)
        drawing.make_legend(ax, self.name if name is None else name, "top")
        return self
