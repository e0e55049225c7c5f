"""How far predictions could move: distributions, and against a covariate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import _drawing as drawing

QUANTITIES = {
    "gap": "Gap: V hidden \N{MINUS SIGN} V present",
    "v_missing": "V, hidden",
    "v_complete": "V, present",
    "v_relative": "V, hidden, as a share of its bound",
    "mutual_information": "Mutual information (nats)",
}
# Bins of a covariate with equal numbers of rows, for the line of means.
N_BINS = 10


@dataclass(eq=False, repr=False)
class ImpactDisplay(drawing.Display):
    """Predictive impact of modalities: its distribution, or against a covariate.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        With the columns ``row``, ``modality``, ``v_missing``, ``v_complete`` and, if
        there is a covariate, the quantity.
    covariate : ndarray or Categorical of shape (n_lines,), default=None
        Its value for each line of the table, numbers or names. None: distributions.
    covariate_name : str, default="covariate"
        Name of its axis.
    quantity : str, default="gap"
        Column of the table to draw against the covariate.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    lines_ : dict of str to list of matplotlib Line2D
        By modality: the share of rows with at most a certain V, first with the
        modality hidden, then, if rows have it, with it. Against a covariate: means over
        the rows of a value, or over tenths of the rows if there are more than ten.
    points_ : dict of str to matplotlib PathCollection
        By modality, one point for each row; only against a covariate.

    See Also
    --------
    skmissing.PRIMOClassifier.predictive_impact : Computes the table.

    Notes
    -----
    The distribution compares all rows with the modality hidden with those rows that
    have it.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import PRIMOClassifier
    >>> from skmissing.datasets import make_xor
    >>> from skmissing.inspection import ImpactDisplay
    >>> X, y = make_xor(300, return_X_y=True, random_state=0)
    >>> clf = PRIMOClassifier(max_epochs=2, random_state=0, n_threads=1).fit(X, y)
    >>> display = ImpactDisplay.from_estimator(clf, X, modality="x_m")
    >>> [len(line.get_xdata()) for line in display.lines_["x_m"]]
    [302, 302]
    """

    table: pd.DataFrame
    _: KW_ONLY
    covariate: np.ndarray | None = None
    covariate_name: str = "covariate"
    quantity: str = "gap"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        modality: str | Sequence[str] | None = None,
        n_draws: int | None = None,
        covariate=None,
        covariate_name: str | None = None,
        quantity: str = "gap",
        ax=None,
        **kwargs,
    ) -> ImpactDisplay:
        """Compute the impact and plot it.

        Parameters
        ----------
        estimator : PRIMOClassifier
            Fitted.
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        modality : str or sequence of str, default=None
            Which ones. None: each in turn.
        n_draws : int, default=None
            Number of draws. None: ``n_draws`` of the estimator.
        covariate : array of shape (n,), default=None
            Numbers, names or categories, one for each row; rows where it is missing
            have no point. None: plot distributions.
        covariate_name : str, default=None
            Name of its axis. None: that of a Series, else "covariate".
        quantity : {"gap", "v_missing", "v_complete", "v_relative", \
                "mutual_information"}, default="gap"
            What to draw against the covariate.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot`` (distributions) or ``scatter``.

        Returns
        -------
        ImpactDisplay

        Raises
        ------
        TypeError
            For an estimator without ``predictive_impact``.
        ValueError
            As :meth:`from_predictions`.
        """
        cls._need_matplotlib("from_estimator")
        drawing.check_method(estimator, "predictive_impact", "PRIMOClassifier")
        table = estimator.predictive_impact(X, modality=modality, n_draws=n_draws)
        return cls.from_predictions(
            table,
            covariate=covariate,
            covariate_name=covariate_name,
            quantity=quantity,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        covariate=None,
        covariate_name: str | None = None,
        quantity: str = "gap",
        ax=None,
        **kwargs,
    ) -> ImpactDisplay:
        """Plot a table of impacts.

        Parameters
        ----------
        table : DataFrame
            Of :meth:`~skmissing.PRIMOClassifier.predictive_impact`, or some of it.
        covariate : array of shape (n,), default=None
            Numbers or names by number of the row. None: plot distributions.
        covariate_name : str, default=None
            Name of its axis. None: that of a Series, else "covariate".
        quantity : str, default="gap"
            What to draw against the covariate, see :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot`` (distributions) or ``scatter``.

        Returns
        -------
        ImpactDisplay

        Raises
        ------
        TypeError
            For anything but a data frame.
        ValueError
            For a table without one of the columns or without a value to draw, an
            unknown quantity, and a covariate without a value for each row.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmissing.inspection import ImpactDisplay
        >>> table = pd.DataFrame({
        ...     "row": [0, 1, 2],
        ...     "modality": "ecg",
        ...     "v_missing": [0.1, 0.3, 0.2],
        ...     "v_complete": [0.1, 0.1, None],
        ...     "gap": [0.0, 0.2, None],
        ... })
        >>> display = ImpactDisplay.from_predictions(table, covariate=[61, 47, 80])
        >>> display.points_["ecg"].get_offsets().tolist()
        [[61.0, 0.0], [47.0, 0.2]]
        """
        cls._need_matplotlib("from_predictions")
        drawing.check_option("quantity", quantity, QUANTITIES)
        needed = ["v_missing", "v_complete"] if covariate is None else [quantity]
        drawing.check_table(table, ("row", "modality", *needed), "predictive_impact")
        if table[needed[0]].isna().all():
            raise ValueError(
                f"Got a table without any value of {needed[0]}, expected at least one."
            )
        values = None
        if covariate is not None:
            if covariate_name is None and isinstance(covariate, pd.Series):
                covariate_name = covariate.name  # type: ignore[assignment]
            rows = drawing.read_rows(table)
            if np.ndim(covariate) != 1 or len(covariate) <= rows.max():
                raise ValueError(
                    f"Got a covariate of shape {np.shape(covariate)}, expected a value "
                    f"for each of {rows.max() + 1} rows."
                )
            values = _read_covariate(covariate)[rows]
        return cls(
            table,
            covariate=values,
            covariate_name="covariate" if covariate_name is None else covariate_name,
            quantity=quantity,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs) -> ImpactDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``plot`` (distributions) or ``scatter``.

        Returns
        -------
        ImpactDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        self._make_axes(ax, 3.6)
        self.lines_: dict[str, list[Any]] = {}
        self.points_: dict[str, Any] = {}
        names = self.table["modality"].drop_duplicates().tolist()
        if self.covariate is None:
            self._draw_distributions(names, kwargs)
        else:
            self._draw_against(names, self.covariate, kwargs)
        if len(names) > 1 or self.covariate is None:
            drawing.make_legend(self.ax_)
        return self

    def _draw_distributions(self, names: list[str], kwargs: dict[str, Any]) -> None:
        """Cumulative distributions of V, hidden and present, for each modality."""
        for j, name in enumerate(names):
            part = self.table[self.table["modality"] == name]
            self.lines_[name] = []
            for column, style, word in (
                ("v_missing", "-", "hidden"),
                ("v_complete", "--", "present"),
            ):
                v = np.sort(part[column].dropna().to_numpy(dtype=np.float64))
                if not len(v):
                    continue
                share = np.arange(len(v) + 2) / len(v)
                share[-1] = 1.0
                look = {"drawstyle": "steps-post", "color": drawing.colour_of(j)}
                look |= {"linestyle": style, "label": f"{name} {word}", **kwargs}
                at = np.concatenate([[0.0], v, [1.0]])
                self.lines_[name] += self.ax_.plot(at, share, **look)
        # Not beyond the largest V, most of which may be small.
        columns = self.table[["v_missing", "v_complete"]].to_numpy(dtype=np.float64)
        self.ax_.set_xlim(0.0, min(1.0, max(1.05 * np.nanmax(columns), 1e-3)))
        self.ax_.set_ylim(0.0, 1.02)
        self.ax_.set_xlabel("V")
        self.ax_.set_ylabel("Share of rows with at most V")

    def _draw_against(
        self, names: list[str], covariate, kwargs: dict[str, Any]
    ) -> None:
        """The quantity against the covariate, one point for each row."""
        ax, levels = self.ax_, None
        if isinstance(covariate, pd.Categorical):
            levels = [str(level) for level in covariate.categories]
            covariate = np.where(covariate.codes < 0, np.nan, covariate.codes)
        place = np.asarray(covariate, dtype=np.float64)
        impact = self.table[self.quantity].to_numpy(dtype=np.float64)
        for j, name in enumerate(names):
            keep = (self.table["modality"] == name).to_numpy() & ~np.isnan(impact)
            keep = keep & ~np.isnan(place)
            at, y = place[keep], impact[keep]
            parts = _bins(at)
            middle = [at[rows].mean() for rows in parts]
            means = [y[rows].mean() for rows in parts]
            if levels is not None:
                # Side by side, so that points of one name do not hide each other.
                for rows in parts:
                    at[rows] += np.linspace(-0.3, 0.3, len(rows))
            colour = drawing.colour_of(j)
            look = {"s": 8, "alpha": 0.3, "color": colour, "linewidths": 0}
            look |= {"label": name, **kwargs}
            self.points_[name] = ax.scatter(at, y, **look)
            line = {"color": colour, "markeredgecolor": "k", "marker": "o"}
            line["linestyle"] = "-" if levels is None else ""
            self.lines_[name] = ax.plot(middle, means, **line)
        if levels is not None:
            ax.set_xticks(range(len(levels)), levels)
        ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xlabel(self.covariate_name)
        ax.set_ylabel(QUANTITIES[self.quantity])


def _read_covariate(covariate):
    """Numbers as they are, anything else as categories in a sensible order."""
    values = pd.array(covariate)
    if isinstance(values, pd.Categorical):
        return values
    if pd.api.types.is_bool_dtype(values.dtype):
        return pd.Categorical(values, categories=[False, True])
    if pd.api.types.is_numeric_dtype(values.dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if not pd.api.types.is_string_dtype(values.dtype) and values.dtype != object:
        raise ValueError(
            f"Got a covariate of type {values.dtype}, expected numbers, names or "
            "categories."
        )
    # Sorted by value where that is possible, else as they come.
    return pd.Categorical(values)


def _bins(at: np.ndarray) -> list[np.ndarray]:
    """Rows of equal values, or of at most N_BINS quantile bins."""
    values, group = np.unique(at, return_inverse=True)
    if len(values) > N_BINS:
        edges = np.quantile(at, np.linspace(0, 1, N_BINS + 1)[1:-1])
        group = np.searchsorted(edges, at, side="left")
    return [np.flatnonzero(group == k) for k in np.unique(group)]
