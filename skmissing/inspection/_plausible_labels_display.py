"""Labels that remain plausible, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import _drawing as drawing

# A narrower part of a bar has no room for its label.
ROOM = 0.05
LABEL = {"ha": "center", "va": "center", "fontsize": "small", "clip_on": True}


@dataclass(eq=False, repr=False)
class PlausibleLabelsDisplay(drawing.Display):
    """Labels that remain plausible for single rows, one bar for each row.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    table : DataFrame
        Of :meth:`~skmissing.PRIMOClassifier.plausible_labels`.
    labels : sequence, default=None
        All labels, in the order of their colours. None: those of the table, sorted.
    names : sequence of str, default=None
        Of the rows, by number of the row. None: the numbers.
    truth : array, default=None
        Labels by number of the row; the part of a bar with this label gets a frame.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    labels_ : list of length n_labels
        The labels.
    weights_ : ndarray of shape (n_rows, n_labels)
        Weight of each label, from the top; rows sum to 1.
    bars_ : dict of label to list of matplotlib Rectangle
        Parts of the bars by label, from the top; only those with a positive weight.

    See Also
    --------
    skmissing.PRIMOClassifier.plausible_labels : Computes the table.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import PRIMOClassifier
    >>> from skmissing.datasets import make_xor
    >>> from skmissing.inspection import PlausibleLabelsDisplay
    >>> X, y = make_xor(300, return_X_y=True, random_state=0)
    >>> clf = PRIMOClassifier(max_epochs=2, random_state=0, n_threads=1).fit(X, y)
    >>> display = PlausibleLabelsDisplay.from_estimator(
    ...     clf, X[:3].hide("x_m"), method="argmax"
    ... )
    >>> display.weights_.shape
    (3, 2)
    """

    table: pd.DataFrame
    _: KW_ONLY
    labels: Sequence[Any] | None = None
    names: Sequence[str] | None = None
    truth: Any = None

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        method: str = "mixture",
        n_draws: int | None = None,
        names: Sequence[str] | None = None,
        truth=None,
        ax=None,
        **kwargs,
    ) -> PlausibleLabelsDisplay:
        """Compute plausible labels and plot them.

        Parameters
        ----------
        estimator : PRIMOClassifier
            Fitted.
        X : {array, DataFrame, MultimodalData} with n rows
            A few rows.
        method : {"mixture", "argmax"}, default="mixture"
            See :meth:`~skmissing.PRIMOClassifier.plausible_labels`.
        n_draws : int, default=None
            Number of draws. None: ``n_draws`` of the estimator.
        names : sequence of str of length n, default=None
            Of the rows. None: their numbers.
        truth : array of shape (n,), default=None
            Labels, where known.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``barh``.

        Returns
        -------
        PlausibleLabelsDisplay

        Raises
        ------
        TypeError
            For an estimator without ``plausible_labels``.
        ValueError
            As :meth:`from_predictions`.
        """
        cls._need_matplotlib("from_estimator")
        drawing.check_method(estimator, "plausible_labels", "PRIMOClassifier")
        table = estimator.plausible_labels(X, method=method, n_draws=n_draws)
        return cls.from_predictions(
            table, labels=estimator.classes_, names=names, truth=truth, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        labels: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        truth=None,
        ax=None,
        **kwargs,
    ) -> PlausibleLabelsDisplay:
        """Plot a table of plausible labels.

        Parameters
        ----------
        table : DataFrame
            Of :meth:`~skmissing.PRIMOClassifier.plausible_labels`.
        labels : sequence, default=None
            All labels, in the order of their colours. None: those of the table.
        names : sequence of str, default=None
            By number of the row. None: the numbers.
        truth : array, default=None
            Labels by number of the row.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``barh``.

        Returns
        -------
        PlausibleLabelsDisplay

        Raises
        ------
        TypeError
            For anything but a data frame.
        ValueError
            For a table without rows or without one of the columns, with a label that is
            not in ``labels``, and for fewer names or labels than rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmissing.inspection import PlausibleLabelsDisplay
        >>> table = pd.DataFrame({
        ...     "row": [0, 0, 1], "label": ["ill", "well", "well"],
        ...     "weight": [0.7, 0.3, 1.0],
        ... })
        >>> display = PlausibleLabelsDisplay.from_predictions(table)
        >>> display.weights_.tolist()
        [[0.7, 0.3], [0.0, 1.0]]
        """
        return cls(table, labels=labels, names=names, truth=truth).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs) -> PlausibleLabelsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            Passed to matplotlib's ``barh``.

        Returns
        -------
        PlausibleLabelsDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        from matplotlib import colormaps

        rows = self._read_table()
        weights = self.weights_
        names = rows if self.names is None else np.asarray(self.names)[rows]
        truth = None if self.truth is None else np.asarray(self.truth)[rows]
        ticks = [drawing.shorten(str(name)) for name in names]
        ax = self._make_rows(ax, ticks, 1.2 + 0.4 * len(weights))
        self.bars_: dict[Any, list[Any]] = {}
        start = np.zeros(len(weights))
        palette = colormaps["tab10" if len(self.labels_) <= 10 else "tab20"]
        for j, label in enumerate(self.labels_):
            at = np.flatnonzero(weights[:, j] > 0)
            if not len(at):
                continue
            look = {"height": 0.7, "alpha": 0.75, "edgecolor": "white"}
            look |= {"color": palette(j % palette.N), **kwargs}
            parts = ax.barh(at, weights[at, j], left=start[at], **look)
            self.bars_[label] = list(parts)
            for row, part in zip(at.tolist(), parts):
                if truth is not None and truth[row] == label:
                    part.set(edgecolor="black", linewidth=2, zorder=3)
                if weights[row, j] >= ROOM:
                    middle = start[row] + weights[row, j] / 2
                    ax.text(middle, row, str(label), zorder=4, **LABEL)
            start += weights[:, j]
        ax.set_xlim(0.0, 1.0)
        ax.set_xlabel("Weight of the label")
        return self

    def _read_table(self) -> np.ndarray:
        """Check the table and take its weights out; returns the numbers of its rows."""
        table = self.table
        drawing.check_table(table, ("row", "label", "weight"), "plausible_labels")
        found = table["label"].drop_duplicates().tolist()
        known = list(np.unique(found)) if self.labels is None else list(self.labels)
        for label in found:
            if label not in known:
                raise ValueError(
                    f"Got the label {label!r} in the table, expected one of {known}."
                )
        if table.duplicated(["row", "label"]).any():
            raise ValueError("Got a row with a label twice, expected each once.")
        rows = np.array(list(dict.fromkeys(drawing.read_rows(table).tolist())))
        for word, given in (("names", self.names), ("truth", self.truth)):
            if given is not None and len(given) <= rows.max():
                raise ValueError(
                    f"Got {word} of length {len(given)}, expected one for each of "
                    f"{rows.max() + 1} rows."
                )
        wide = table.pivot(index="row", columns="label", values="weight")
        wide = wide.reindex(index=rows, columns=known)
        self.labels_, self.weights_ = known, wide.fillna(0.0).to_numpy()
        return rows
