"""Which recovered modalities a selector fuses, why, and which labels that changes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import _drawing as drawing

# Kinds of plots, and what they show.
KINDS = {
    "rate": "Share of recovered blocks that were fused",
    "reward": "Reward in the round that decided",
    "flips": "Share of fused blocks that changed the label",
}
COLUMNS = ["row", "step", "modality", "reward", "alpha", "accepted", "label_before",
           "label_after"]  # fmt: skip
# Columns of the table of changed labels, and how they are drawn.
FLIPS = {
    "changed": ("changed", drawing.GREY),
    "to_right": ("wrong to right", drawing.BLUE),
    "to_wrong": ("right to wrong", drawing.ORANGE),
    "other": ("wrong to wrong", drawing.GREY),
}


@dataclass(eq=False, repr=False)
class SelectionDisplay(drawing.Display):
    """Fused recovered modalities, their rewards, and changed predictions.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    report : DataFrame
        Of :meth:`~skmissing.DyMoSelector.selection_report`.
    y : array of shape (n_rows,), default=None
        True labels by number of the row; separates changes to the right label from
        those to a wrong one.
    kind : {"rate", "reward", "flips"}, default="rate"
        By modality: the share of recovered blocks that are fused; the rewards of fused
        and of rejected blocks; the share of fused blocks that change the predicted
        label.
    name : str, default=None
        Title of the legend.

    Attributes
    ----------
    modalities_ : list of str
        In the order drawn, from the top.
    table_ : DataFrame
        By modality: ``n_candidates``, ``n_accepted``, and ``changed`` or, with y,
        ``to_right``, ``to_wrong`` and ``other``: fused blocks that change the label.
    bars_ : dict of str to matplotlib BarContainer
        For rates and flips.
    points_ : dict of str to matplotlib PathCollection
        For rewards, "fused" and "rejected".
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.

    See Also
    --------
    skmissing.DyMoSelector : Makes the report.

    Notes
    -----
    A block that is evaluated in several rounds counts once, with its last reward.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import DyMoSelector, MultimodalData
    >>> from skmissing.inspection import SelectionDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": 2 * y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(200) < 0.5})
    >>> clf = DyMoSelector(max_epochs=5, random_state=0, n_threads=1).fit(X, y)
    >>> display = SelectionDisplay.from_estimator(clf, X, y)
    >>> display.modalities_
    ['b']
    """

    report: pd.DataFrame
    _: KW_ONLY
    y: Any = None
    kind: str = "rate"
    name: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
        kind: str = "rate",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> SelectionDisplay:
        """Plot how a fitted selector judges rows.

        Parameters
        ----------
        estimator : DyMoSelector
            Fitted.
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows with missing modalities.
        y : array of shape (n_samples,), default=None
            Their labels.
        selection : {"iterative", "simultaneous"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_`` of the estimator.
        min_reward : float or "fitted", default="fitted"
            In place of the minimum reward of the estimator.
        kind : {"rate", "reward", "flips"}, default="rate"
            What to draw.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (rewards) or ``barh``.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        TypeError
            For an estimator without ``selection_report``.

        See Also
        --------
        SelectionDisplay.from_predictions : From a report, which is faster to repeat.

        Examples
        --------
        >>> import numpy as np
        >>> from skmissing import DyMoSelector, MultimodalData
        >>> from skmissing.inspection import SelectionDisplay
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(2, size=200)
        >>> X = MultimodalData({
        ...     "a": 2 * y[:, None] + rng.normal(size=(200, 3)),
        ...     "b": y[:, None] + rng.normal(size=(200, 5)),
        ... })
        >>> X = X.hide({"b": rng.random(200) < 0.5})
        >>> clf = DyMoSelector(max_epochs=5, random_state=0, n_threads=1).fit(X, y)
        >>> SelectionDisplay.from_estimator(clf, X, kind="reward").kind
        'reward'
        """
        cls._need_matplotlib("from_estimator")
        drawing.check_method(estimator, "selection_report", "DyMoSelector")
        report = estimator.selection_report(
            X, selection=selection, calibration=calibration, min_reward=min_reward
        )
        return cls.from_predictions(report, y, kind=kind, name=name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        report: pd.DataFrame,
        y=None,
        *,
        kind: str = "rate",
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> SelectionDisplay:
        """Plot a selection report.

        Parameters
        ----------
        report : DataFrame
            Of :meth:`~skmissing.DyMoSelector.selection_report`.
        y : array of shape (n_rows,), default=None
            Labels by number of the row.
        kind : {"rate", "reward", "flips"}, default="rate"
            What to draw.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (rewards) or ``barh``.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        TypeError
            For anything but a data frame.
        ValueError
            For a report without rows or without some of the columns, and another
            ``kind``.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmissing.inspection import SelectionDisplay
        >>> report = pd.DataFrame({
        ...     "row": [0, 0, 1],
        ...     "step": 0,
        ...     "modality": ["b", "c", "b"],
        ...     "reward": [0.2, -0.1, -0.3],
        ...     "alpha": [1.0, 0.8, 0.5],
        ...     "accepted": [True, False, False],
        ...     "label_before": [0, 0, 1],
        ...     "label_after": [1, 0, 0],
        ... })
        >>> display = SelectionDisplay.from_predictions(report, [1, 1])
        >>> display.table_.to_dict("list")["to_right"]
        [1, 0]
        """
        return cls(report, y=y, kind=kind, name=name).plot(ax, **kwargs)

    def plot(
        self, ax=None, *, kind: str | None = None, name: str | None = None, **kwargs
    ) -> SelectionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        kind : {"rate", "reward", "flips"}, default=None
            What to draw. None: the one given before.
        name : str, default=None
            Title of the legend. None: the one given before.
        **kwargs : dict
            Passed to matplotlib's ``scatter`` (rewards) or ``barh``.

        Returns
        -------
        SelectionDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        kind = self.kind if kind is None else kind
        drawing.check_option("kind", kind, KINDS)
        drawing.check_table(self.report, COLUMNS, "selection_report")
        # Sorted by their names, also where these are numbers.
        modalities = self.report["modality"].drop_duplicates().tolist()
        self.modalities_ = sorted(modalities, key=str)
        final = self._last_rounds()
        self.table_ = self._count(final)
        labels = [drawing.shorten(str(m)) for m in self.modalities_]
        self._make_rows(ax, labels, max(2.5, 1.2 + 0.5 * len(labels)))
        self.bars_: dict[str, Any] = {}
        self.points_: dict[str, Any] = {}
        if kind == "reward":
            self._draw_rewards(final, kwargs)
        else:
            self._draw_bars(kind, kwargs)
        self.ax_.set_xlabel(KINDS[kind])
        if kind != "rate":
            drawing.make_legend(self.ax_, self.name if name is None else name, "top")
        return self

    def _last_rounds(self) -> pd.DataFrame:
        """The last round of each candidate, with the place of its modality."""
        final = self.report.sort_values("step", kind="stable")
        final = final.drop_duplicates(["row", "modality"], keep="last")
        place = final["modality"].map({m: i for i, m in enumerate(self.modalities_)})
        return final.assign(place=place).sort_values(["place", "row"])

    def _count(self, final: pd.DataFrame) -> pd.DataFrame:
        """Candidates, fused ones and changed labels, by modality."""
        accepted = final["accepted"].to_numpy(dtype=bool)
        before, after = (final[c].to_numpy() for c in ("label_before", "label_after"))
        changed = accepted & (before != after)
        columns: dict[str, Any] = {"n_candidates": 1, "n_accepted": accepted}
        if self.y is None:
            columns["changed"] = changed
        else:
            y = np.asarray(self.y)
            rows = final["row"].to_numpy(dtype=np.int64)
            if y.ndim != 1 or rows.max() >= len(y):
                raise ValueError(
                    f"Got y of shape {y.shape}, expected a label for each of the "
                    f"{rows.max() + 1} or more rows of the report."
                )
            columns["to_right"] = changed & (after == y[rows])
            columns["to_wrong"] = changed & (before == y[rows])
            columns["other"] = changed & (before != y[rows]) & (after != y[rows])
        counted = pd.DataFrame({"modality": final["modality"].to_numpy(), **columns})
        return counted.groupby("modality", sort=False).sum().astype(int).reset_index()

    def _draw_bars(self, kind: str, kwargs: dict[str, Any]) -> None:
        table, at = self.table_, np.arange(len(self.table_))
        if kind == "rate":
            share = table["n_accepted"] / table["n_candidates"]
            look: dict[str, Any] = {"color": drawing.BLUE, "height": 0.6}
            self.bars_["fused"] = self.ax_.barh(at, share, **look | kwargs)
            self.ax_.set_xlim(0, 1)
            return
        left = np.zeros(len(table))
        number = np.maximum(table["n_accepted"].to_numpy(), 1)
        for column, (label, colour) in FLIPS.items():
            if column not in table:
                continue
            share = table[column].to_numpy() / number
            look = {"color": colour, "height": 0.6, "label": label}
            self.bars_[label] = self.ax_.barh(at, share, left=left, **look | kwargs)
            left += share

    def _draw_rewards(self, final: pd.DataFrame, kwargs: dict[str, Any]) -> None:
        place, reward = final["place"].to_numpy(), final["reward"].to_numpy()
        at = place.astype(np.float64)
        accepted = final["accepted"].to_numpy(dtype=bool)
        # Spread over the width of a row by their order, so that equal ones are seen.
        for modality in range(len(self.modalities_)):
            own = place == modality
            at[own] += np.linspace(-0.3, 0.3, own.sum()) if own.sum() > 1 else 0.0
        for label, chosen, colour, marker in (
            ("rejected", ~accepted, drawing.GREY, "x"),
            ("fused", accepted, drawing.BLUE, "o"),
        ):
            look: dict[str, Any] = {"s": 12, "linewidths": 0.8, "alpha": 0.6}
            look |= {"color": colour, "marker": marker, "label": label, **kwargs}
            self.points_[label] = self.ax_.scatter(reward[chosen], at[chosen], **look)
        self.ax_.axvline(0, color="0.6", linewidth=0.8, zorder=0)
