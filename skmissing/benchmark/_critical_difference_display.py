"""Mean ranks on a line, with bars over those that do not differ."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import pandas as pd

from ..inspection import _drawing as drawing


@dataclass(eq=False, repr=False)
class CriticalDifferenceDisplay(drawing.Display):
    """Mean ranks of estimators, joined where they do not differ significantly.

    Use :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~skmissing.benchmark.leaderboard`.
    critical_difference : float
        Difference of mean ranks that is significant.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    groups_ : list of list of str
        Largest sets of estimators whose mean ranks differ by less than that.
    points_ : matplotlib PathCollection
        The mean ranks.
    bars_ : list of matplotlib Line2D
        One for each of ``groups_``.

    Notes
    -----
    The picture of :cite:t:`demsar2006`, with a row for each estimator.

    Examples
    --------
    >>> from skmissing.benchmark import (
    ...     CriticalDifferenceDisplay, leaderboard, load_scores,
    ... )
    >>> table = leaderboard(load_scores())
    >>> display = CriticalDifferenceDisplay.from_predictions(table)
    >>> display.groups_[0][0] == table["estimator"].iloc[0]
    True
    """

    table: pd.DataFrame
    _: KW_ONLY
    critical_difference: float

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        critical_difference: float | None = None,
        ax=None,
        **kwargs,
    ) -> CriticalDifferenceDisplay:
        """Plot a table of :func:`~skmissing.benchmark.leaderboard`.

        Parameters
        ----------
        table : DataFrame
            The table.
        critical_difference : float, default=None
            Difference that is significant. None: that in ``table.attrs``.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the ranks.

        Returns
        -------
        CriticalDifferenceDisplay
        """
        cls._need_matplotlib("from_predictions")
        drawing.check_table(table, ["estimator", "mean_rank"], "leaderboard")
        if critical_difference is None:
            critical_difference = table.attrs.get("critical_difference")
        if critical_difference is None:
            raise ValueError(
                "Got a table without attrs['critical_difference'], expected one, or "
                "critical_difference."
            )
        return cls(table, critical_difference=critical_difference).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs) -> CriticalDifferenceDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its labels need.
        **kwargs : dict
            For ``matplotlib.axes.Axes.scatter``, which draws the ranks.

        Returns
        -------
        CriticalDifferenceDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        ordered = self.table.sort_values("mean_rank", kind="stable")
        labels, ranks = ordered["estimator"].tolist(), ordered["mean_rank"].to_numpy()
        ax = self._make_rows(ax, labels, max(2.5, 1.2 + 0.3 * len(labels)))
        spans = find_groups(ranks, self.critical_difference)
        self.groups_ = [labels[start : stop + 1] for start, stop in spans]
        self.bars_ = []
        for start, stop in spans:
            middle = (ranks[start] + ranks[stop]) / 2
            look = {"color": drawing.GREY, "linewidth": 4, "alpha": 0.4}
            self.bars_ += ax.plot([middle, middle], [start - 0.2, stop + 0.2], **look)
        at = np.arange(len(labels))
        self.points_ = ax.scatter(
            ranks, at, **{"color": drawing.BLUE, "zorder": 3} | kwargs
        )
        ax.set_xlabel(f"Mean rank (critical difference {self.critical_difference:.2f})")
        return self


def find_groups(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """First and last index of the largest runs of sorted ranks within a difference."""
    spans: list[tuple[int, int]] = []
    for start in range(len(ranks)):
        stop = int(np.flatnonzero(ranks - ranks[start] < difference)[-1])
        if stop > start and (not spans or stop > spans[-1][1]):
            spans.append((start, stop))
    return spans
