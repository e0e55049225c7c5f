"""Importance of modalities as points with intervals."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import pandas as pd

from . import _drawing as drawing


@dataclass(eq=False, repr=False)
class ImportanceDisplay(drawing.Display):
    """Importance of the modalities to a fitted model, with intervals.

    Use :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~skmissing.inspection.modality_importance`: one, or those of several
        methods or estimators concatenated, told apart by the column ``by``.
    by : str, default="method"
        The column that tells them apart.
    name : str, default=None
        Title of the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    modalities_ : list of str
        Drawn from the top, the most important one first.
    points_ : dict of str to matplotlib PathCollection
        Values by what ``by`` has.
    intervals_ : dict of str to matplotlib LineCollection
        Their intervals, where the table has some.

    See Also
    --------
    skmissing.inspection.modality_importance : Computes the table.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.inspection import ImportanceDisplay, modality_importance
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": rng.normal(size=(400, 1)),
    ...     "b": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = modality_importance(clf, X[200:], y[200:], random_state=0)
    >>> ImportanceDisplay.from_predictions(table).modalities_
    ['b', 'a']
    """

    table: pd.DataFrame
    _: KW_ONLY
    by: str = "method"
    name: str | None = None

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        by: str = "method",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> ImportanceDisplay:
        """Plot a table of :func:`~skmissing.inspection.modality_importance`.

        Parameters
        ----------
        table : DataFrame
            One, or several concatenated.
        by : str, default="method"
            The column that tells several apart.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the values.

        Returns
        -------
        ImportanceDisplay
        """
        cls._need_matplotlib("from_predictions")
        drawing.check_table(table, ["modality", "value", by], "modality_importance")
        return cls(table, by=by, name=name).plot(ax, **kwargs)

    def plot(self, ax=None, *, name: str | None = None, **kwargs) -> ImportanceDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its labels need.
        name : str, default=None
            Title of the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the values.

        Returns
        -------
        ImportanceDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        order = self.table.groupby("modality", sort=False)["value"].mean()
        self.modalities_ = order.sort_values(
            ascending=False, kind="stable"
        ).index.tolist()
        labels = [drawing.shorten(str(label)) for label in self.modalities_]
        ax = self._make_rows(ax, labels, max(2.5, 1.2 + 0.4 * len(labels)))
        ax.axvline(0.0, color="black", linewidth=0.8)
        keys = self.table[self.by].drop_duplicates().tolist()
        self.points_, self.intervals_ = {}, {}
        for k, key in enumerate(keys):
            rows = self.table[self.table[self.by] == key]
            at = np.array([self.modalities_.index(m) for m in rows["modality"]])
            at = at + 0.2 * (k - (len(keys) - 1) / 2)
            colour = drawing.colour_of(k)
            if "low" in rows and rows["low"].notna().any():
                ends = rows["low"], rows["high"]
                lines = ax.hlines(at, *ends, color=colour, linewidth=2)
                self.intervals_[key] = lines
            look = {"color": colour, "zorder": 3, "label": str(key).replace("_", " ")}
            self.points_[key] = ax.scatter(rows["value"], at, **look | kwargs)
        metric = drawing.name_metric(str(self.table["metric"].iloc[0]))
        ax.set_xlabel(f"Importance, in {metric}")
        ax.locator_params(axis="x", nbins=6)
        title = self.name if name is None else name
        if len(keys) > 1 or title is not None:
            drawing.make_legend(ax, title, "top")
        return self
