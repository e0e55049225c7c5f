"""What modalities add, with and without correction for missingness."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import _drawing as drawing


class Estimate(NamedTuple):
    """An estimate in the table, and how it is drawn."""

    name: str
    prefix: str
    colour: str
    marker: str


ESTIMATES = [
    Estimate("biased", "biased_", drawing.ORANGE, "s"),
    Estimate("corrected", "", drawing.BLUE, "o"),
    Estimate("doubly_robust", "doubly_robust_", drawing.GREY, "D"),
]
COLUMNS = [f"{e.prefix}{c}" for e in ESTIMATES for c in ("value", "low", "high")]


@dataclass(eq=False, repr=False)
class UtilityDisplay(drawing.Display):
    """Utility of sets of modalities, or gains of one over another, with intervals.

    Use :meth:`from_predictions` to make one.

    Parameters
    ----------
    labels : ndarray of str of shape (n_lines,)
        "x1+x2" for a value, "x1+x2 over x1" for a gain; drawn from the top.
    estimates : ndarray of shape (n_lines, 3)
        Biased, corrected and doubly robust; NaN where there is none.
    intervals : ndarray of shape (n_lines, 3, 2)
        Their lower and upper ends; NaN where there are none.
    metric : str
        What was measured.
    quantity : {"gain", "value"}, default="gain"
        Which of the two it is.
    name : str, default=None
        Shown in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    points_ : dict of str to matplotlib PathCollection
        By "biased", "corrected" and, where drawn, "doubly_robust".
    intervals_ : dict of str to matplotlib LineCollection
        By the same names; only those that have intervals.
    zero_line_ : matplotlib Line2D or None
        No gain. None for values.

    See Also
    --------
    skmissing.ipw.modality_utility : Computes the table.
    SensitivityDisplay : Bounds for propensities that are not quite right.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing import PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.inspection import UtilityDisplay
    >>> from skmissing.ipw import modality_utility
    >>> X, y = make_bitwise(
    ...     600, mechanism="mar", return_X_y=True, random_state=0
    ... )
    >>> table = modality_utility(
    ...     LogisticRegression(), X, y, scoring="accuracy", n_bootstraps=10,
    ...     propensity=PropensityWeighter(LogisticRegression()), random_state=0,
    ... )
    >>> display = UtilityDisplay.from_predictions(table)
    >>> display.labels.tolist()
    ['x2 over x1', 'x1+x2 over x1', 'x1+x2 over x2']
    >>> display.intervals.shape
    (3, 3, 2)
    """

    labels: np.ndarray
    estimates: np.ndarray
    intervals: np.ndarray
    _: KW_ONLY
    metric: str
    quantity: str = "gain"
    name: str | None = None

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        metric: str | None = None,
        quantity: str = "gain",
        *,
        doubly_robust: bool = True,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> UtilityDisplay:
        """Plot a table that :func:`skmissing.ipw.modality_utility` has made.

        Parameters
        ----------
        table : DataFrame
            All of it, or some of its rows.
        metric : str, default=None
            One of the metrics. None: the first.
        quantity : {"gain", "value"}, default="gain"
            Gains of one set over another, or the values of the sets.
        doubly_robust : bool, default=True
            Whether to draw the doubly robust estimate, where there is one.
        name : str, default=None
            Shown in the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the estimates.

        Returns
        -------
        UtilityDisplay

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skmissing import PropensityWeighter
        >>> from skmissing.datasets import make_bitwise
        >>> from skmissing.inspection import UtilityDisplay
        >>> from skmissing.ipw import modality_utility
        >>> X, y = make_bitwise(
        ...     600, mechanism="mar", return_X_y=True, random_state=0
        ... )
        >>> table = modality_utility(
        ...     LogisticRegression(), X, y, scoring="accuracy", n_bootstraps=10,
        ...     propensity=PropensityWeighter(LogisticRegression()), random_state=0,
        ... )
        >>> display = UtilityDisplay.from_predictions(table, "accuracy", "value")
        >>> display.labels.tolist()
        ['x1', 'x2', 'x1+x2']
        """
        cls._need_matplotlib("from_predictions")
        needed = ["quantity", "subset", "baseline", "metric", *COLUMNS]
        drawing.check_table(table, needed, "modality_utility")
        drawing.check_option("quantity", quantity, ("gain", "value"))
        chosen, rows = drawing.choose_metric(table, metric)
        found = rows["quantity"].drop_duplicates().tolist()
        drawing.check_option("quantity", quantity, found)
        rows = rows[rows["quantity"] == quantity]
        labels = [
            f"{subset} over {baseline}" if baseline else subset
            for subset, baseline in zip(rows["subset"], rows["baseline"])
        ]
        table = rows[COLUMNS].astype(np.float64)
        values = table.to_numpy().reshape(len(rows), len(ESTIMATES), 3)
        return cls(
            np.array(labels, dtype=object),
            values[:, :, 0],
            values[:, :, 1:],
            metric=str(chosen),
            quantity=quantity,
            name=name,
        ).plot(ax, doubly_robust=doubly_robust, **kwargs)

    def plot(
        self, ax=None, *, doubly_robust: bool = True, name: str | None = None, **kwargs
    ) -> UtilityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its labels need.
        doubly_robust : bool, default=True
            Whether to draw the doubly robust estimate, where there is one.
        name : str, default=None
            Shown in the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the estimates.

        Returns
        -------
        UtilityDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        labels = [_in_lines(label) for label in self.labels]
        ax = self._make_rows(ax, labels, max(2.5, 1.2 + 0.5 * len(labels)))
        self.zero_line_ = None
        if self.quantity == "gain":
            self.zero_line_ = ax.axvline(0.0, color="black", linewidth=0.8)
        shown = [
            (i, estimate)
            for i, estimate in enumerate(ESTIMATES)
            if i < 2 or (doubly_robust and not np.isnan(self.estimates[:, i]).all())
        ]
        self.points_, self.intervals_ = {}, {}
        for k, (i, (key, _, colour, marker)) in enumerate(shown):
            at = np.arange(len(labels)) + 0.2 * (k - (len(shown) - 1) / 2)
            ends = self.intervals[:, i]
            # A percentile interval need not hold its estimate, so these are lines of
            # their own and no error bars around the points.
            if not np.isnan(ends).all():
                self.intervals_[key] = ax.hlines(at, *ends.T, color=colour, linewidth=2)
            look = {"marker": marker, "edgecolors": colour, "linewidths": 1.5}
            look["facecolors"] = "white" if key == "biased" else colour
            look |= {"zorder": 3, "label": key.replace("_", " ")}
            self.points_[key] = ax.scatter(self.estimates[:, i], at, **look | kwargs)
        what = drawing.name_metric(self.metric).replace("brier", "Brier")
        ax.set_xlabel(f"{'Gain in' if self.quantity == 'gain' else 'Value of'} {what}")
        ax.locator_params(axis="x", nbins=6)
        drawing.make_legend(ax, self.name if name is None else name, "top")
        return self


def _in_lines(label: str) -> str:
    """Gains between long names in two lines, each short enough."""
    lines = label.split(" over ")
    if len(label) > 0.75 * drawing.LONGEST_LABEL and len(lines) == 2:
        return f"{drawing.shorten(lines[0])}\nover {drawing.shorten(lines[1])}"
    return drawing.shorten(label)
