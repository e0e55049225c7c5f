"""The contributions of modalities to one prediction, one after the other."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import pandas as pd

from . import _drawing as drawing


@dataclass(eq=False, repr=False)
class AttributionDisplay(drawing.Display):
    """From the prediction without any modality to that with all of them, by steps.

    Use :meth:`from_predictions` to make one.

    Parameters
    ----------
    modalities : list of str
        Drawn from the top, the largest contribution first.
    contributions : ndarray of shape (n_modalities,)
        What each adds.
    baseline : float
        The prediction without any.
    name : str, default=None
        Title of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : matplotlib BarContainer
        A bar for each modality, from where the one above ends.

    See Also
    --------
    skmissing.inspection.modality_attribution : Computes the contributions.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.inspection import AttributionDisplay, modality_attribution
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": rng.normal(size=(400, 1)),
    ...     "b": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = modality_attribution(clf, X[200:])
    >>> AttributionDisplay.from_predictions(table, row=3).modalities
    ['b', 'a']
    """

    modalities: list[str]
    contributions: np.ndarray
    baseline: float
    _: KW_ONLY
    name: str | None = None

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        row: int = 0,
        name: str | None = None,
        ax=None,
        **kwargs,
    ) -> AttributionDisplay:
        """Plot a row of :func:`~skmissing.inspection.modality_attribution`.

        Parameters
        ----------
        table : DataFrame
            The contributions.
        row : int, default=0
            The number of a row.
        name : str, default=None
            Title of the axes.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **kwargs : dict
            For ``matplotlib.axes.Axes.barh``, which draws the bars.

        Returns
        -------
        AttributionDisplay
        """
        cls._need_matplotlib("from_predictions")
        drawing.check_table(table, ["baseline", "prediction"], "modality_attribution")
        if not -len(table) <= row < len(table):
            raise ValueError(
                f"Got row={row!r}, expected a number of the {len(table)} rows."
            )
        parts = table.iloc[row].drop(["baseline", "prediction"]).astype(np.float64)
        order = np.argsort(-np.abs(parts.to_numpy()), kind="stable")
        return cls(
            [str(parts.index[i]) for i in order],
            parts.to_numpy()[order],
            float(table["baseline"].iloc[row]),
            name=name,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, name: str | None = None, **kwargs) -> AttributionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as its labels need.
        name : str, default=None
            Title of the axes. None: the one given before.
        **kwargs : dict
            For ``matplotlib.axes.Axes.barh``, which draws the bars.

        Returns
        -------
        AttributionDisplay
            Itself.
        """
        self._need_matplotlib("plot")
        labels = [drawing.shorten(label) for label in self.modalities]
        ax = self._make_rows(ax, labels, max(2.5, 1.2 + 0.4 * len(labels)))
        ends = self.baseline + np.cumsum(self.contributions)
        starts = ends - self.contributions
        up = self.contributions >= 0
        look = {"height": 0.6, "color": np.where(up, drawing.BLUE, drawing.ORANGE)}
        at = np.arange(len(labels))
        bars = ax.barh(at, self.contributions, left=starts, **look | kwargs)
        self.bars_ = bars
        # Bars begin and end at the baseline, which the frame would hide.
        ax.use_sticky_edges = False
        ax.vlines(ends[:-1], at[:-1], at[1:], color="black", linewidth=0.8)
        look = {"color": "black", "linewidth": 0.8}
        ax.axvline(self.baseline, linestyle=":", label="without any", **look)
        ax.axvline(ends[-1], linestyle="--", label="with all", **look)
        ax.set_xlabel("Prediction")
        title = self.name if name is None else name
        drawing.make_legend(ax, title, "top")
        return self
