"""Scores by pattern, as dots or as curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..metrics import score_by_pattern, score_by_rate
from . import _drawing as drawing

# One for each estimator, with different markers.
MARKERS = "osD^vPX*"
KINDS: dict[str, Any] = {"pattern": score_by_pattern, "rate": score_by_rate}


@dataclass(eq=False, repr=False)
class PatternScoreDisplay(drawing.Display):
    """Scores of estimators by what their rows have, or over the share missing.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~skmissing.metrics.score_by_pattern` or
        :func:`~skmissing.metrics.score_by_rate`: all of it, some of its rows, or
        several such tables concatenated.
    metric : str, default=None
        One of its metrics. None: the first.
    name : str, default=None
        Title of the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    positions_ : ndarray of shape (n_positions,)
        Patterns (str, drawn from the top), or rates (float).
    estimators_ : list of str of length n_estimators
        Their names.
    scores_ : ndarray of shape (n_positions, n_estimators, n_repeats)
        The values drawn; NaN where the table has none.
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
    A table may have several rows for one estimator and pattern, for example those of
    several seeds, concatenated with :func:`pandas.concat`: they are repeats.

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
    >>> display.positions_.tolist(), display.scores_.shape
    (['a + b', 'a', 'b'], (3, 1, 1))
    """

    table: pd.DataFrame
    _: KW_ONLY
    metric: str | None = None
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        kind: str = "pattern",
        scoring=None,
        modalities=None,
        sample_weight=None,
        patterns: Iterable[Any] | None = None,
        rates: Sequence[float] | None = None,
        hide: str | Sequence[str] | None = None,
        n_repeats: int | None = None,
        random_state=None,
        metric: str | None = None,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PatternScoreDisplay:
        """Score estimators on rows with missing modalities, and plot the scores.

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
        scoring : str, callable, list or dict, default=None
            Scorers, as in :func:`~skmissing.metrics.score_by_pattern`.
        modalities : mapping or list, default=None
            Columns of each modality. None: those of the estimators.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows.
        patterns : iterable, default=None
            Only for "pattern", see :func:`~skmissing.metrics.score_by_pattern`.
        rates : sequence of float, default=None
            Only for "rate", as the next three: see
            :func:`~skmissing.metrics.score_by_rate`. None: its default.
        hide : str or sequence of str, default=None
            Modalities that may be hidden. None: all.
        n_repeats : int, default=None
            Draws of the gaps for each rate. None: the default.
        random_state : int, RandomState instance or None, default=None
            Draws the gaps.
        metric : str, default=None
            Which metric to draw, if ``scoring`` has several. None: the first.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (patterns) or ``plot`` (rates).

        Returns
        -------
        PatternScoreDisplay

        Raises
        ------
        ValueError
            For another ``kind``, options of the other kind, and as the functions.

        See Also
        --------
        PatternScoreDisplay.from_predictions : From a table, faster to draw again.

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
        >>> display.scores_.shape
        (3, 1, 5)
        """
        cls._need_matplotlib("from_estimator")
        drawing.check_option("kind", kind, KINDS)
        options = {
            "patterns": patterns,
            "rates": rates,
            "hide": hide,
            "n_repeats": n_repeats,
            "random_state": random_state,
        }
        given = {option: v for option, v in options.items() if v is not None}
        for option in given:
            if (option == "patterns") != (kind == "pattern"):
                raise ValueError(f"Got {option} with kind={kind!r}, expected None.")
        given |= {"scoring": scoring, "modalities": modalities}
        table = KINDS[kind](estimator, X, y, sample_weight=sample_weight, **given)
        return cls.from_predictions(table, metric, name=name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        metric: str | None = None,
        *,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PatternScoreDisplay:
        """Plot a table of scores.

        Parameters
        ----------
        table : DataFrame
            Of :func:`~skmissing.metrics.score_by_pattern` or
            :func:`~skmissing.metrics.score_by_rate`: all of it, some of its rows, or
            several such tables concatenated.
        metric : str, default=None
            One of its metrics. None: the first.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (patterns) or ``plot`` (rates).

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
        >>> display.estimators_, display.scores_[:, :, 0].tolist()
        (['net', 'trees'], [[0.7, 0.6], [0.8, 0.75]])
        """
        return cls(table, metric=metric, name=name).plot(ax, **kwargs)

    def plot(
        self, ax=None, *, name: str | None = None, **kwargs
    ) -> PatternScoreDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        name : str, default=None
            Title of the legend. None: the one given before.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (patterns) or ``plot`` (rates).

        Returns
        -------
        PatternScoreDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        kind = self._read_table()
        count = (~np.isnan(self.scores_)).sum(axis=2)
        mean = np.where(count > 0, np.nansum(self.scores_, axis=2), np.nan)
        mean = mean / np.maximum(count, 1)
        squares = np.nansum((self.scores_ - mean[:, :, None]) ** 2, axis=2)
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
        deviation[count < 2] = np.nan
        self.points_: dict[str, Any] = {}
        self.lines_: dict[str, Any] = {}
        self.bands_: dict[str, Any] = {}
        # From the j-th estimator: its mean, and the ends of its band, by position.
        series = np.stack([mean, mean - deviation, mean + deviation]).transpose(2, 0, 1)
        name = self.name if name is None else name
        if kind == "pattern":
            self._draw_patterns(ax, series, kwargs)
            drawing.make_legend(self.ax_, name, "top")
        else:
            self._draw_rates(ax, series, kwargs)
            drawing.make_legend(self.ax_, name)
        return self

    def _read_table(self) -> str:
        """Check the table and take its values out; whether it has patterns or rates."""
        table = self.table
        kind = "rate" if "rate" in getattr(table, "columns", ()) else "pattern"
        columns = ("estimator", kind, "n_rows", "metric", "value")
        drawing.check_table(table, columns, "score_by_pattern or score_by_rate")
        self.metric_, rows = drawing.choose_metric(table, self.metric)
        n_rows = rows.groupby(kind, sort=kind == "rate")["n_rows"].max()
        self.positions_, self._n_rows = n_rows.index.to_numpy(), n_rows.to_numpy()
        estimators = rows["estimator"].drop_duplicates().tolist()
        self.estimators_ = [str(estimator) for estimator in estimators]
        rows = rows.assign(repeat=rows.groupby([kind, "estimator"]).cumcount())
        values = rows.set_index([kind, "estimator", "repeat"])["value"]
        n_repeats = rows["repeat"].max() + 1
        axes: list[Any] = [self.positions_, estimators, range(n_repeats)]
        every = pd.MultiIndex.from_product(axes)
        scores = values.reindex(every).to_numpy(dtype=np.float64)
        self.scores_ = scores.reshape(-1, len(estimators), n_repeats)
        return kind

    def _draw_patterns(self, ax, series: np.ndarray, kwargs: dict[str, Any]) -> None:
        """One stripe for each pattern, one point for each estimator."""
        n, n_estimators = len(self.positions_), len(series)
        labels = [drawing.shorten(str(pattern)) for pattern in self.positions_]
        if len(set(self._n_rows.tolist())) > 1:
            labels = [f"{s}\n{k} rows" for s, k in zip(labels, self._n_rows)]
        height = max(2.5, 1.2 + n * max(0.5, 0.16 * n_estimators))
        ax = self._make_rows(ax, labels, height)
        step = min(0.2, 0.8 / n_estimators)
        for j, estimator in enumerate(self.estimators_):
            mean, low, high = series[j]
            at = np.arange(n) + step * (j - (n_estimators - 1) / 2)
            look = _look(j, estimator)
            if not np.isnan(low).all():
                self.bands_[estimator] = ax.hlines(
                    at, low, high, color=look["color"], linewidth=2
                )
            self.points_[estimator] = ax.scatter(
                mean, at, **{"zorder": 3} | look | kwargs
            )
        for edge in np.arange(n - 1) + 0.5:
            ax.axhline(edge, color="0.85", linewidth=0.8, zorder=0)
        ax.set_xlabel(_axis_label(self.metric_))
        ax.locator_params(axis="x", nbins=6)

    def _draw_rates(self, ax, series: np.ndarray, kwargs: dict[str, Any]) -> None:
        """One curve for each estimator."""
        ax, at = self._make_axes(ax, 3.6), self.positions_
        for j, estimator in enumerate(self.estimators_):
            mean, low, high = series[j]
            look = _look(j, estimator)
            if not np.isnan(low).all():
                self.bands_[estimator] = ax.fill_between(
                    at, low, high, color=look["color"], alpha=0.2, linewidth=0
                )
            (self.lines_[estimator],) = ax.plot(at, mean, **look | kwargs)
        ax.set_xlabel("Probability that a block is hidden")
        ax.set_ylabel(_axis_label(self.metric_))


def _look(j: int, estimator: str) -> dict[str, Any]:
    """From the ninth estimator on a colour comes with another marker."""
    marker = MARKERS[(j + j // len(drawing.COLOURS)) % len(MARKERS)]
    return {"color": drawing.colour_of(j), "marker": marker, "label": estimator}


def _axis_label(metric: str) -> str:
    words = drawing.name_metric(metric)
    return words[:1].upper() + words[1:]
