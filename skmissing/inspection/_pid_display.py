"""Unique, redundant and synergistic information as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..pid import PIDEstimator
from . import _drawing as drawing

# Parts of a bar, in the order of PIDEstimator.to_frame.
PARTS = ("unique_first", "unique_second", "redundant", "synergistic")
# What both have stands between what each has alone, see the notes of the class.
STACKED = ("unique_first", "redundant", "unique_second", "synergistic")
# The columns of a table that can be drawn, and the ends of intervals.
COLUMNS = ["value", "raw"]
ENDS = ["low", "high"]
# Yellow: far from the others for any colour vision, and the lightest in print.
COLOURS = dict(zip(PARTS, (drawing.BLUE, drawing.ORANGE, drawing.GREY, "#f0e442")))
# A part that was raised by less was not raised but rounded; bits or nats.
ROUNDING = 1e-9


@dataclass(eq=False, repr=False)
class PIDDisplay(drawing.Display):
    """Stacked bars of the parts of information, several estimates side by side.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        Four rows for each bar, drawn from the top, with the estimate that the bar
        shows in ``name`` ("" for the only one), its two sources in ``first`` and
        ``second`` ("" for no second one), and in ``part`` one after the other
        "unique_first", "unique_second", "redundant" and "synergistic". The columns
        ``value``, ``raw``, ``low`` and ``high`` are those of
        :meth:`skmissing.PIDEstimator.to_frame`, NaN where there is none.
    column : {"value", "raw"}, default="value"
        Which of the two to draw.
    unit : {"bits", "nats"}, default="bits"
        Of all values.
    target : str, default="the label y"
        What the information is about; shown on the axis.
    name : str, default=None
        Shown above the legend.

    Attributes
    ----------
    pairs : ndarray of str of shape (n_bars, 2)
        The two sources of each bar.
    names : ndarray of str of shape (n_bars,)
        The estimate that each bar shows.
    parts : ndarray of shape (n_bars, 4)
        Unique to the first and to the second source, redundant, synergistic; NaN for
        parts that a single source does not have.
    raw : ndarray of shape (n_bars, 4)
        The same before they were moved to what is possible.
    intervals : ndarray of shape (n_bars, 4, 2)
        Lower and upper ends of the parts; NaN where there are none.
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

    See Also
    --------
    skmissing.PIDEstimator : Computes the parts.
    UtilityDisplay : What modalities add to a score.

    Notes
    -----
    From left to right, the parts of a bar are unique to the first source, redundant,
    unique to the second source, and synergistic. The first two parts together are the
    information of the first source, the second and the third that of the second source,
    and the whole bar is that of both.

    The interval of a part is drawn from the left end of the part, and contains the
    length of the part. Each interval has a different height, and a dot at the right end
    of the part, within the interval.

    A part estimated below 0 is drawn as 0. The label of the axis reports how many
    were, and the lowest of them. ``column="raw"`` draws them, to the left of zero.

    Examples
    --------
    >>> from skmissing import PIDEstimator, PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.inspection import PIDDisplay
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> weighter = PropensityWeighter(random_state=0)
    >>> display = PIDDisplay.from_estimator({
    ...     "biased": PIDEstimator().fit(X, y),
    ...     "corrected": PIDEstimator(propensity=weighter).fit(X, y),
    ... })
    >>> display.parts.round(2)
    array([[0.  , 0.43, 0.18, 0.36],
           [0.  , 0.  , 0.31, 0.49]])
    >>> display.table[["name", "part", "value"]].iloc[1:3].round(2)
         name           part  value
    1  biased  unique_second   0.43
    2  biased      redundant   0.18
    """

    table: pd.DataFrame
    _: KW_ONLY
    column: str = "value"
    unit: str = "bits"
    target: str = "the label y"
    name: str | None = None

    @property
    def pairs(self) -> np.ndarray:
        """The two sources of each bar."""
        return self.table[["first", "second"]].to_numpy(dtype=object)[:: len(PARTS)]

    @property
    def names(self) -> np.ndarray:
        """The estimate that each bar shows."""
        return self.table["name"].to_numpy(dtype=object)[:: len(PARTS)]

    @property
    def parts(self) -> np.ndarray:
        """The parts as reported."""
        return self.table["value"].to_numpy().reshape(-1, len(PARTS))

    @property
    def raw(self) -> np.ndarray:
        """The parts before the joint information was raised to its bound."""
        return self.table["raw"].to_numpy().reshape(-1, len(PARTS))

    @property
    def intervals(self) -> np.ndarray:
        """Lower and upper ends of the parts."""
        return self.table[ENDS].to_numpy().reshape(-1, len(PARTS), len(ENDS))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        column: str = "value",
        target: str = "the label y",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PIDDisplay:
        """Plot fitted estimators.

        Parameters
        ----------
        estimator : PIDEstimator or dict of str to PIDEstimator
            Fitted. Several are drawn side by side under their names.
        column : {"value", "raw"}, default="value"
            The parts as reported, or before any was moved to what is possible.
        target : str, default="the label y"
            What the label is; shown on the axis.
        name : str, default=None
            Shown above the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.barh``, which draws each part.

        Returns
        -------
        PIDDisplay

        Raises
        ------
        TypeError
            For anything but PIDEstimators.
        ValueError
            For estimators of different units.
        NotFittedError
            For an estimator that is not fitted.

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
        >>> display.ax_.get_xlabel().splitlines()[0]
        'Information about the label y (bits)'
        """
        cls._need_matplotlib("from_estimator")
        estimators = _named(estimator)
        for given in estimators.values():
            if not isinstance(given, PIDEstimator):
                raise TypeError(
                    f"Got a {type(given).__name__}, expected a PIDEstimator or a dict "
                    "of names to PIDEstimators."
                )
        tables = {label: given.to_frame() for label, given in estimators.items()}
        return cls.from_predictions(
            tables, column=column, target=target, name=name, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        frames,
        *,
        column: str = "value",
        unit: str | None = None,
        target: str = "the label y",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> PIDDisplay:
        """Plot tables that ``PIDEstimator.to_frame`` has made.

        Parameters
        ----------
        frames : DataFrame or dict of str to DataFrame
            Whole tables, or all rows of some of their pairs. Several are drawn side by
            side under their names, and need not have the same pairs.
        column : {"value", "raw"}, default="value"
            The parts as reported, or before any was moved to what is possible.
        unit : {"bits", "nats"}, default=None
            Of the estimators. None: that in the ``attrs`` of the tables, and bits for
            tables that have lost them.
        target : str, default="the label y"
            What the label is; shown on the axis.
        name : str, default=None
            Shown above the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.barh``, which draws each part.

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
        cls._need_matplotlib("from_predictions")
        drawing.check_option("column", column, COLUMNS)
        tables = _named(frames)
        if unit is None:
            unit = _unit_of(tables)
        drawing.check_option("unit", unit, ("bits", "nats"))
        table = _collect_parts(tables)
        display = cls(table, column=column, unit=unit, target=target, name=name)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, *, name: str | None = None, **kwargs) -> PIDDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its bars need.
        name : str, default=None
            Shown above the legend. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.barh``, which draws each part.

        Returns
        -------
        PIDDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        pairs = self.pairs
        labels, legend = _label_bars(pairs, self.names)
        new = [tuple(a) != tuple(b) for a, b in zip(pairs[1:], pairs[:-1])]
        at = np.arange(len(labels)) + 0.4 * np.cumsum([0, *new])
        ax = self._make_axes(ax, max(2.5, 1.5 + 0.4 * at[-1]), labels)
        drawn = self.raw if self.column == "raw" else self.parts
        self.zero_line_ = ax.axvline(0.0, color="black", linewidth=0.8)
        self.bars_: dict[str, Any] = {}
        self.intervals_: dict[str, Any] = {}
        self.points_: dict[str, Any] = {}
        # Positive parts pile up to the right of zero, negative ones to the left.
        right, left = np.zeros(len(at)), np.zeros(len(at))
        for part in STACKED:
            values = drawn[:, PARTS.index(part)]
            width = np.nan_to_num(values)
            start = np.where(width < 0, left, right)
            right, left = right + np.maximum(width, 0), left + np.minimum(width, 0)
            if np.isnan(values).all():
                continue
            style = {"height": 0.8, "edgecolor": "white", "linewidth": 0.5}
            style |= {"color": COLOURS[part], "label": legend[part], **kwargs}
            self.bars_[part] = ax.barh(at, width, left=start, **style)
            self._draw_intervals(part, at, start, start + width)
        ax.set_yticks(at, labels)
        ax.set_ylim(at[-1] + 0.6, -0.6)
        ax.set_xlabel(f"Information about {self.target} ({self.unit}){self._raised()}")
        ax.locator_params(axis="x", nbins=6)
        drawing.make_legend(ax, self.name if name is None else name, "top")
        return self

    def _draw_intervals(
        self, part: str, at: np.ndarray, start: np.ndarray, stop: np.ndarray
    ) -> None:
        """Draw the intervals of one part from where its stretches start."""
        ends = start[:, None] + self.intervals[:, PARTS.index(part)]
        shown = ~np.isnan(ends).any(axis=1)
        if not shown.any():
            return
        # They overlap, so each has a height of its own within the bar.
        level = at + 0.18 * (STACKED.index(part) - 1.5)
        low, high = ends.T
        self.intervals_[part] = self.ax_.hlines(
            level, low, high, color="black", linewidth=1.5, zorder=3
        )
        look = {"s": 16, "color": COLOURS[part], "edgecolors": "black", "zorder": 4}
        # Of an empty stretch it sits on the edge of the axes.
        self.points_[part] = self.ax_.scatter(
            stop[shown], level[shown], clip_on=False, **look
        )

    def _raised(self) -> str:
        """Note on parts that are drawn as 0."""
        low = self.raw < self.parts - ROUNDING
        if self.column == "raw" or not low.any():
            return ""
        return (
            f"\n(negative and drawn as 0: {low.sum()} of {low.size} parts, down to "
            f"{self.raw[low].min():.2g})"
        )


def _named(given) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        return {"": given}
    if not given:
        raise ValueError("Got an empty dict, expected at least one name.")
    return {str(label): value for label, value in given.items()}


def _collect_parts(tables: dict[str, Any]) -> pd.DataFrame:
    """One row for each part of each bar, the estimates of a pair next to each other."""
    found = {name: _read_pairs(table) for name, table in tables.items()}
    blocks = [
        pairs[first, second].assign(name=name, first=first, second=second)
        for first, second in dict.fromkeys(p for pairs in found.values() for p in pairs)
        for name, pairs in found.items()
        if (first, second) in pairs
    ]
    table = pd.concat(blocks).rename_axis("part").reset_index()
    return table[["name", "first", "second", "part", *COLUMNS, *ENDS]]


def _read_pairs(frame) -> dict[tuple[str, str], pd.DataFrame]:
    """Check a table of ``to_frame``, and take the rows of the parts of each pair.

    Parts are in the order of :data:`PARTS`, NaN where there is none.
    """
    needed = ("first", "second", "term", "source", *COLUMNS)
    drawing.check_table(
        frame, needed, "PIDEstimator.to_frame, or a dict of names to such"
    )
    rows = frame[frame["term"] != "mutual_information"]
    found = {}
    for first, second in dict.fromkeys(zip(frame["first"], frame["second"])):
        inside = rows[(rows["first"] == first) & (rows["second"] == second)]
        of_parts = zip(PARTS, (first, second, "joint", "joint"))
        wanted = {(part.split("_")[0], of): part for part, of in of_parts if of}
        given = list(zip(inside["term"], inside["source"]))
        if sorted(given) != sorted(wanted):
            raise ValueError(
                f"Got the parts {given} of the pair {(first, second)}, expected each "
                f"of {list(wanted)} once."
            )
        values = inside.reindex(columns=COLUMNS + ENDS).astype(np.float64)
        values.index = pd.Index([wanted[key] for key in given])
        # A single source has all its information as unique, and no other part.
        values = values if second else values.loc[["unique_first"]]
        found[first, second] = values.reindex(list(PARTS))
    return found


def _unit_of(tables: dict[str, Any]) -> str:
    """Unit in the ``attrs`` of the tables; bits where there is none."""
    stated = [getattr(table, "attrs", {}).get("unit") for table in tables.values()]
    units = list(dict.fromkeys(unit for unit in stated if unit is not None))
    if len(units) > 1:
        raise ValueError(f"Got tables with the units {units}, expected one.")
    return units[0] if units else "bits"


def _label_bars(
    pairs: np.ndarray, names: np.ndarray
) -> tuple[list[str], dict[str, str]]:
    """Labels of the bars, and of the parts in the legend, by the names of sources."""
    different: list[tuple[str, str]] = list(dict.fromkeys(map(tuple, pairs)))
    if len(different) == 1:
        # The legend has room for the names, and each bar shows the same pair.
        first, second = map(drawing.shorten, different[0])
        beside = ["" if any(names) else _pair_label(first, second)] * len(pairs)
    elif len({tuple(sorted("+".join(p).split("+"))) for p in different}) == 1:
        # One against the rest, for each: the names of the rest would add nothing.
        first, second = "the one named", "the others"
        beside = [drawing.shorten(name) for name, _ in pairs]
    else:
        first, second = "the source named before “and”", "the one after"
        beside = [_pair_label(*map(drawing.shorten, pair)) for pair in pairs]
    labels = [
        ": ".join(text for text in (where, str(name)) if text)
        for where, name in zip(beside, names)
    ]
    legend = {"unique_first": f"unique to {first}", "redundant": "redundant"}
    legend |= {"unique_second": f"unique to {second}", "synergistic": "synergistic"}
    return labels, legend


def _pair_label(first: str, second: str) -> str:
    return f"{first} and {second}" if second else first
