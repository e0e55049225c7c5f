"""Scores by what is missing, as dots or as curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._utils._sklearn_compat import check_matplotlib_support
from ..metrics import score_by_pattern, score_by_rate
from ._drawing import BLUE, GREY, ORANGE, make_axes, make_legend, shorten

# One for each estimator; told apart by their markers too.
COLOURS = (BLUE, ORANGE, GREY, "#009e73", "#cc79a7", "#56b4e9", "black", "#d0c000")
MARKERS = "osD^vPX*"
KINDS: dict[str, Any] = {"pattern": score_by_pattern, "rate": score_by_rate}


class PatternScoreDisplay:
    """Scores of estimators by what their rows have, or over the share missing.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    positions : ndarray of shape (n_positions,)
        Patterns (str, drawn from the top), or rates (float).
    estimators : list of str of length n_estimators
        Their names.
    scores : ndarray of shape (n_positions, n_estimators, n_repeats)
        NaN where there is none.
    kind : {"pattern", "rate"}, default="pattern"
        Which of the two it is.
    metric : str, default="score"
        What was measured; shown on the axis.
    n_rows : ndarray of int of shape (n_positions,), default=None
        Rows that were scored; shown where they differ between patterns.
    name : str, default=None
        Title of the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    points_ : dict of str to matplotlib PathCollection
        Means over the repeats by estimator; only for patterns.
    lines_ : dict of str to matplotlib Line2D
        Means over the repeats by estimator; only for rates.
    bands_ : dict of str to matplotlib collection
        One standard deviation over the repeats to either side, by estimator; only
        where there are several repeats.

    See Also
    --------
    skmissing.metrics.score_by_pattern : Computes the table by pattern.
    skmissing.metrics.score_by_rate : Computes the table by rate.

    Notes
    -----
    A table may hold several lines for one estimator and pattern, for example those of
    several seeds that were put under one another with :func:`pandas.concat`: they are
    repeats.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.inspection import PatternScoreDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ...     "b": y[:, None] + rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> display = PatternScoreDisplay.from_estimator(clf, X[200:], y[200:])
    >>> display.positions.tolist(), display.scores.shape
    (['a + b', 'a', 'b'], (3, 1, 1))
    """

    def __init__(
        self,
        positions: np.ndarray,
        estimators: list[str],
        scores: np.ndarray,
        *,
        kind: str = "pattern",
        metric: str = "score",
        n_rows: np.ndarray | None = None,
        name: str | None = None,
    ) -> None:
        self.positions = positions
        self.estimators = estimators
        self.scores = scores
        self.kind = kind
        self.metric = metric
        self.n_rows = n_rows
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "pattern",
        metric: str | None = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> PatternScoreDisplay:
        """Score estimators on rows that lack something, and plot the scores.

        Parameters
        ----------
        estimator : estimator, or dict of str to estimator
            Fitted. A dict compares several on the same rows.
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Held-out rows.
        y : array of shape (n_samples,)
            Their labels.
        kind : {"pattern", "rate"}, default="pattern"
            Scores by what rows have, or over the rate of what is hidden at random.
        metric : str, default=None
            Which metric to draw, if ``scoring`` has several. None: the first.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For :func:`~skmissing.metrics.score_by_pattern` or
            :func:`~skmissing.metrics.score_by_rate`.

        Returns
        -------
        PatternScoreDisplay

        Raises
        ------
        ValueError
            For another ``kind``, and whatever the functions refuse.

        See Also
        --------
        PatternScoreDisplay.from_predictions : From a table, which is faster to repeat.

        Examples
        --------
        >>> import numpy as np
        >>> from skmissing import MultimodalData
        >>> from skmissing.baselines import PatternClassifier
        >>> from skmissing.inspection import PatternScoreDisplay
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(2, size=400)
        >>> X = MultimodalData({
        ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
        ...     "b": y[:, None] + rng.normal(size=(400, 1)),
        ... })
        >>> clf = PatternClassifier().fit(X[:200], y[:200])
        >>> display = PatternScoreDisplay.from_estimator(
        ...     clf, X[200:], y[200:], kind="rate", rates=[0, 0.5, 1], random_state=0
        ... )
        >>> display.scores.shape
        (3, 1, 5)
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if kind not in KINDS:
            raise ValueError(f"Got kind={kind!r}, expected one of {list(KINDS)}.")
        table = KINDS[kind](estimator, X, y, **kwargs)
        return cls.from_predictions(table, metric, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        metric: str | None = None,
        *,
        name: str | None = None,
        ax: Any = None,
    ) -> PatternScoreDisplay:
        """Plot a table that has been made before.

        Parameters
        ----------
        table : DataFrame
            Of :func:`~skmissing.metrics.score_by_pattern` or
            :func:`~skmissing.metrics.score_by_rate`: all of it, some of its rows, or
            several such tables under one another.
        metric : str, default=None
            One of its metrics. None: the first.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        PatternScoreDisplay

        Raises
        ------
        TypeError
            For anything but a data frame.
        ValueError
            For tables without rows or without some of the columns, and for metrics
            that they do not have.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmissing.inspection import PatternScoreDisplay
        >>> table = pd.DataFrame({
        ...     "estimator": ["net", "net", "trees", "trees"],
        ...     "pattern": ["image", "speech", "image", "speech"],
        ...     "n_rows": 300,
        ...     "metric": "accuracy",
        ...     "value": [0.7, 0.8, 0.6, 0.75],
        ... })
        >>> display = PatternScoreDisplay.from_predictions(table)
        >>> display.estimators, display.scores[:, :, 0].tolist()
        (['net', 'trees'], [[0.7, 0.6], [0.8, 0.75]])
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        if not isinstance(table, pd.DataFrame):
            raise TypeError(
                f"Got a {type(table).__name__}, expected the DataFrame of "
                "score_by_pattern or score_by_rate."
            )
        kind = "rate" if "rate" in table.columns else "pattern"
        for column in ("estimator", kind, "n_rows", "metric", "value"):
            if column not in table.columns:
                raise ValueError(
                    f"Got the columns {list(table.columns)}, expected {column!r} among "
                    "them."
                )
        if not len(table):
            raise ValueError("Got a table without rows, expected at least one.")
        metrics = table["metric"].drop_duplicates().tolist()
        chosen = metrics[0] if metric is None else metric
        if chosen not in metrics:
            raise ValueError(f"Got metric={metric!r}, expected one of {metrics}.")
        rows = table[table["metric"] == chosen]
        positions = rows[kind].drop_duplicates().to_numpy()
        if kind == "rate":
            positions = np.sort(positions)
        estimators = rows["estimator"].drop_duplicates().tolist()
        found = {
            key: part.to_numpy(dtype=np.float64)
            for key, part in rows.groupby([kind, "estimator"])["value"]
        }
        n_repeats = max(len(values) for values in found.values())
        scores = np.full((len(positions), len(estimators), n_repeats), np.nan)
        for i, position in enumerate(positions):
            for j, estimator in enumerate(estimators):
                values = found.get((position, estimator), np.array([]))
                scores[i, j, : len(values)] = values
        display = cls(
            positions,
            [str(estimator) for estimator in estimators],
            scores,
            kind=kind,
            metric=str(chosen),
            n_rows=rows.groupby(kind)["n_rows"].max()[positions].to_numpy(),
            name=name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None, *, name: str | None = None) -> PatternScoreDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        name : str, default=None
            Title of the legend. None: the one given before.

        Returns
        -------
        PatternScoreDisplay
            Itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if self.kind not in KINDS:
            raise ValueError(f"Got kind={self.kind!r}, expected one of {list(KINDS)}.")
        count = (~np.isnan(self.scores)).sum(axis=2)
        mean = np.where(count > 0, np.nansum(self.scores, axis=2), np.nan)
        mean = mean / np.maximum(count, 1)
        squares = np.nansum((self.scores - mean[:, :, None]) ** 2, axis=2)
        spread = np.sqrt(squares / np.maximum(count - 1, 1))
        spread[count < 2] = np.nan
        self.points_: dict[str, Any] = {}
        self.lines_: dict[str, Any] = {}
        self.bands_: dict[str, Any] = {}
        if self.kind == "pattern":
            self._draw_patterns(ax, mean, spread)
        else:
            self._draw_rates(ax, mean, spread)
        make_legend(
            self.ax_,
            self.name if name is None else name,
            "top" if self.kind == "pattern" else "best",
        )
        return self

    def _draw_patterns(self, ax: Any, mean: np.ndarray, spread: np.ndarray) -> None:
        n, n_estimators = mean.shape
        labels = [shorten(str(pattern)) for pattern in self.positions]
        if self.n_rows is not None and len(set(self.n_rows.tolist())) > 1:
            labels = [f"{s}\n{k} rows" for s, k in zip(labels, self.n_rows)]
        height = max(2.5, 1.2 + n * max(0.5, 0.16 * n_estimators))
        self.ax_, self.figure_ = make_axes(ax, height, labels)
        ax = self.ax_
        step = min(0.2, 0.8 / n_estimators)
        for j, estimator in enumerate(self.estimators):
            at = np.arange(n) + step * (j - (n_estimators - 1) / 2)
            colour, marker = _look(j)
            if not np.isnan(spread[:, j]).all():
                self.bands_[estimator] = ax.hlines(
                    at,
                    mean[:, j] - spread[:, j],
                    mean[:, j] + spread[:, j],
                    color=colour,
                    linewidth=2,
                )
            self.points_[estimator] = ax.scatter(
                mean[:, j], at, color=colour, marker=marker, zorder=3, label=estimator
            )
        for edge in np.arange(n - 1) + 0.5:
            ax.axhline(edge, color="0.85", linewidth=0.8, zorder=0)
        ax.set_yticks(np.arange(n), labels)
        ax.set_ylim(n - 0.5, -0.5)
        ax.set_xlabel(_name_metric(self.metric))
        ax.locator_params(axis="x", nbins=6)

    def _draw_rates(self, ax: Any, mean: np.ndarray, spread: np.ndarray) -> None:
        self.ax_, self.figure_ = make_axes(ax, 3.6)
        ax = self.ax_
        for j, estimator in enumerate(self.estimators):
            colour, marker = _look(j)
            if not np.isnan(spread[:, j]).all():
                self.bands_[estimator] = ax.fill_between(
                    self.positions,
                    mean[:, j] - spread[:, j],
                    mean[:, j] + spread[:, j],
                    color=colour,
                    alpha=0.2,
                    linewidth=0,
                )
            (self.lines_[estimator],) = ax.plot(
                self.positions, mean[:, j], color=colour, marker=marker, label=estimator
            )
        ax.set_xlabel("Chance of a block to be hidden")
        ax.set_ylabel(_name_metric(self.metric))


def _look(j: int) -> tuple[str, str]:
    # From the ninth on a colour comes with another marker.
    return COLOURS[j % len(COLOURS)], MARKERS[(j + j // len(COLOURS)) % len(MARKERS)]


def _name_metric(metric: str) -> str:
    words = metric.replace("roc_auc", "ROC AUC").replace("_", " ")
    words = words.replace("neg log loss", "log-likelihood").replace("neg ", "negative ")
    return words[:1].upper() + words[1:]
