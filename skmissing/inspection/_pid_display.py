"""Unique, redundant and synergistic information as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._utils._sklearn_compat import check_matplotlib_support
from ..pid import PIDEstimator
from ._drawing import BLUE, GREY, ORANGE, make_axes, make_legend
from ._pid_tables import COLUMNS, PARTS, label_bars, read_pairs, unit_of

# Yellow: far from the others for any colour vision, and the lightest in print.
COLOURS = dict(zip(PARTS, (BLUE, ORANGE, GREY, "#f0e442")))
# What both have stands between what each has alone, see the notes of the class.
STACKED = ("unique_first", "redundant", "unique_second", "synergistic")
# A part that was raised by less was not raised but rounded; bits or nats.
ROUNDING = 1e-9


class PIDDisplay:
    """Stacked bars of the parts of information, several estimates side by side.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    pairs : ndarray of str of shape (n_bars, 2)
        The two sources of each bar, drawn from the top; "" for no second one.
    names : ndarray of str of shape (n_bars,)
        The estimate that each bar shows; "" for the only one.
    parts : ndarray of shape (n_bars, 4)
        Unique to the first and to the second source, redundant, synergistic; NaN for
        parts that a single source does not have.
    raw : ndarray of shape (n_bars, 4)
        The same before anything was raised to its bound.
    intervals : ndarray of shape (n_bars, 4, 2)
        Lower and upper ends of the parts; NaN where there are none.
    column : {"value", "raw"}, default="value"
        Which of the two to draw.
    unit : {"bits", "nats"}, default="bits"
        Of all figures.
    target : str, default="the label y"
        What the information is about; shown on the axis.
    name : str, default=None
        Shown above the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : dict of str to matplotlib BarContainer
        By "unique_first", "redundant", "unique_second" and "synergistic", one
        rectangle for each bar; a single source has the first alone.
    intervals_ : dict of str to matplotlib LineCollection
        By the same names; only those that have intervals.
    points_ : dict of str to matplotlib PathCollection
        Ends of the stretches that have intervals, at the height of these.
    zero_line_ : matplotlib Line2D
        Where bars begin.
    estimators_ : dict of str to PIDEstimator
        What :meth:`from_estimator` has drawn, fitted; empty for tables.

    See Also
    --------
    skmissing.PIDEstimator : Computes the parts.
    UtilityDisplay : What modalities add to a score.

    Notes
    -----
    A bar reads from the left: unique to the first source, redundant, unique to the
    second one, synergistic. The first two stretches together are the information of
    the first source, the second and the third that of the second one, and the whole
    bar is that of both.

    The interval of a part is counted from where its stretch begins: it says how long
    that stretch may be. It has a height of its own, and a dot at the end of the
    stretch. The dot may be outside: intervals are corrected for bias, the stretches
    are not.

    A part estimated below 0 is reported as 0. The label of the axis says how many were,
    and how low they came out. ``column="raw"`` draws them, to the left of zero.

    Examples
    --------
    >>> from skmissing import PIDEstimator, PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.inspection import PIDDisplay
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> template = PIDEstimator(propensity=PropensityWeighter(random_state=0))
    >>> display = PIDDisplay.from_estimator(template, X, y)
    >>> display.names.tolist()
    ['biased', 'corrected']
    >>> display.parts.round(2)
    array([[0.  , 0.43, 0.18, 0.36],
           [0.  , 0.  , 0.31, 0.49]])
    """

    def __init__(
        self,
        pairs: np.ndarray,
        names: np.ndarray,
        parts: np.ndarray,
        raw: np.ndarray,
        intervals: np.ndarray,
        *,
        column: str = "value",
        unit: str = "bits",
        target: str = "the label y",
        name: str | None = None,
    ) -> None:
        self.pairs = pairs
        self.names = names
        self.parts = parts
        self.raw = raw
        self.intervals = intervals
        self.column = column
        self.unit = unit
        self.target = target
        self.name = name
        self.estimators_: dict[str, PIDEstimator] = {}

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        groups: Any = None,
        column: str = "value",
        target: str = "the label y",
        name: str | None = None,
        ax: Any = None,
    ) -> PIDDisplay:
        """Plot fitted estimators, or fit and plot them.

        Parameters
        ----------
        estimator : PIDEstimator or dict of str to PIDEstimator
            Fitted if there is no X. Several are drawn side by side under their names.
        X : {array, DataFrame, MultimodalData} with n_samples rows, default=None
            Rows to fit a clone of each estimator on. For a single one with a
            ``propensity``, a second clone without it shows the biased estimate.
        y : array of shape (n_samples,), default=None
            Labels, with X only.
        sample_weight, groups : array of shape (n_samples,), default=None
            For ``fit``, with X only.
        column : {"value", "raw"}, default="value"
            The parts as reported, or before any was raised to its bound.
        target : str, default="the label y"
            What the label is; shown on the axis.
        name : str, default=None
            Shown above the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        PIDDisplay

        Raises
        ------
        TypeError
            For anything but PIDEstimators.
        ValueError
            For estimators of different units, for labels, weights or groups without
            X, and whatever ``fit`` raises.

        Examples
        --------
        >>> from skmissing import PIDEstimator, PropensityWeighter
        >>> from skmissing.datasets import make_bitwise
        >>> from skmissing.inspection import PIDDisplay
        >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
        >>> observed = PIDEstimator().fit(X, y)
        >>> weighted = PIDEstimator(propensity=PropensityWeighter()).fit(X, y)
        >>> display = PIDDisplay.from_estimator(
        ...     {"observed": observed, "weighted": weighted}
        ... )
        >>> display.ax_.get_xlabel()
        'Information about the label y (bits)'
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        _check_column(column)
        estimators = _named(estimator)
        for given in estimators.values():
            if not isinstance(given, PIDEstimator):
                raise TypeError(
                    f"Got a {type(given).__name__}, expected a PIDEstimator or a dict "
                    "of names to PIDEstimators."
                )
        units = list(dict.fromkeys(e.unit for e in estimators.values()))
        if len(units) > 1:
            raise ValueError(f"Got estimators with the units {units}, expected one.")
        if X is None:
            extra = {"y": y, "sample_weight": sample_weight, "groups": groups}
            for label, value in extra.items():
                if value is not None:
                    raise ValueError(f"Got {label} without X, expected both or none.")
            for given in estimators.values():
                check_is_fitted(given)
        else:
            if not isinstance(estimator, Mapping) and estimator.propensity is not None:
                plain = clone(estimator).set_params(propensity=None)
                estimators = {"biased": plain, "corrected": estimator}
            estimators = {
                label: clone(given).fit(X, y, sample_weight, groups)
                for label, given in estimators.items()
            }
        display = cls._from_frames(
            {label: given.to_frame() for label, given in estimators.items()},
            column=column,
            unit=units[0],
            target=target,
            name=name,
        )
        display.estimators_ = estimators
        return display.plot(ax)

    @classmethod
    def from_predictions(
        cls,
        frames: Any,
        *,
        column: str = "value",
        unit: str | None = None,
        target: str = "the label y",
        name: str | None = None,
        ax: Any = None,
    ) -> PIDDisplay:
        """Plot tables that ``PIDEstimator.to_frame`` has made.

        Parameters
        ----------
        frames : DataFrame or dict of str to DataFrame
            Whole tables, or all rows of some of their pairs. Several are drawn side by
            side under their names, and need not have the same pairs.
        column : {"value", "raw"}, default="value"
            The parts as reported, or before any was raised to its bound.
        unit : {"bits", "nats"}, default=None
            Of the estimators. None: what the ``attrs`` of the tables say, and bits for
            tables that have lost them.
        target : str, default="the label y"
            What the label is; shown on the axis.
        name : str, default=None
            Shown above the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        PIDDisplay

        Raises
        ------
        TypeError
            For anything but data frames.
        ValueError
            For tables without rows, or without some of the columns or parts, and for
            tables of different units.

        Examples
        --------
        >>> from skmissing import PIDEstimator
        >>> from skmissing.datasets import make_bitwise
        >>> from skmissing.inspection import PIDDisplay
        >>> X, y = make_bitwise(gate="xor", return_X_y=True, random_state=0)
        >>> table = PIDEstimator().fit(X, y).to_frame()
        >>> display = PIDDisplay.from_predictions(table, target="x1 XOR x2")
        >>> display.pairs.tolist(), display.parts.round(2).tolist()
        ([['x1', 'x2']], [[0.0, 0.0, 0.0, 1.0]])
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        _check_column(column)
        tables = _named(frames)
        if unit is None:
            unit = unit_of(tables)
        elif unit not in ("bits", "nats"):
            raise ValueError(f"Got unit={unit!r}, expected 'bits' or 'nats'.")
        display = cls._from_frames(
            tables, column=column, unit=unit, target=target, name=name
        )
        return display.plot(ax)

    @classmethod
    def _from_frames(cls, frames: dict[str, Any], **options: Any) -> PIDDisplay:
        found = {label: read_pairs(frame) for label, frame in frames.items()}
        # One pair after the other, and the estimates of a pair next to each other.
        order = dict.fromkeys(pair for pairs in found.values() for pair in pairs)
        bars = [
            (pair, label, pairs[pair])
            for pair in order
            for label, pairs in found.items()
            if pair in pairs
        ]
        figures = np.stack([figures for _, _, figures in bars])
        return cls(
            np.array([pair for pair, _, _ in bars], dtype=object),
            np.array([label for _, label, _ in bars], dtype=object),
            figures[:, :, 0],
            figures[:, :, 1],
            figures[:, :, 2:],
            **options,
        )

    def plot(self, ax: Any = None, *, name: str | None = None) -> PIDDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its bars need.
        name : str, default=None
            Shown above the legend. None: the one given before.

        Returns
        -------
        PIDDisplay
            Itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        labels, legend = label_bars(self.pairs, self.names)
        new = [tuple(a) != tuple(b) for a, b in zip(self.pairs[1:], self.pairs[:-1])]
        at = np.arange(len(labels)) + 0.4 * np.cumsum([0, *new])
        self.ax_, self.figure_ = make_axes(ax, max(2.5, 1.5 + 0.4 * at[-1]), labels)
        ax = self.ax_
        drawn = self.raw if self.column == "raw" else self.parts
        self.zero_line_ = ax.axvline(0.0, color="black", linewidth=0.8)
        self.bars_, self.intervals_, self.points_ = {}, {}, {}
        # Positive parts pile up to the right of zero, negative ones to the left.
        right, left = np.zeros(len(at)), np.zeros(len(at))
        for k, part in enumerate(STACKED):
            i = PARTS.index(part)
            width = np.nan_to_num(drawn[:, i])
            start = np.where(width < 0, left, right)
            right, left = right + np.maximum(width, 0), left + np.minimum(width, 0)
            if np.isnan(drawn[:, i]).all():
                continue
            self.bars_[part] = ax.barh(
                at,
                width,
                height=0.8,
                left=start,
                color=COLOURS[part],
                edgecolor="white",
                linewidth=0.5,
                label=legend[part],
            )
            ends = start[:, None] + self.intervals[:, i]
            if np.isnan(ends).all():
                continue
            # They overlap, so each has a height of its own within the bar.
            level = at + 0.18 * (k - 1.5)
            self.intervals_[part] = ax.hlines(
                level, ends[:, 0], ends[:, 1], color="black", linewidth=1.5, zorder=3
            )
            shown = ~np.isnan(ends[:, 0])
            self.points_[part] = ax.scatter(
                (start + width)[shown],
                level[shown],
                s=16,
                color=COLOURS[part],
                edgecolors="black",
                zorder=4,
                # Of an empty stretch it sits on the edge of the axes.
                clip_on=False,
            )
        ax.set_yticks(at, labels)
        ax.set_ylim(at[-1] + 0.6, -0.6)
        ax.set_xlabel(f"Information about {self.target} ({self.unit}){self._raised()}")
        ax.locator_params(axis="x", nbins=6)
        make_legend(ax, self.name if name is None else name, "top")
        return self

    def _raised(self) -> str:
        """What the bars would not tell."""
        low = self.raw < self.parts - ROUNDING
        if self.column == "raw" or not low.any():
            return ""
        return (
            f"\n(negative and drawn as 0: {low.sum()} of {low.size} parts, down to "
            f"{self.raw[low].min():.2g})"
        )


def _named(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        return {"": given}
    if not given:
        raise ValueError("Got an empty dict, expected at least one name.")
    return {str(label): value for label, value in given.items()}


def _check_column(column: Any) -> None:
    if column not in COLUMNS:
        raise ValueError(f"Got column={column!r}, expected one of {list(COLUMNS)}.")
