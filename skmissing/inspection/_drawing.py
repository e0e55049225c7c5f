"""Axes, rows, legends and checks that the displays share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._utils._sklearn_compat import check_matplotlib_support
from ..ipw import PropensityWeighter

# Distinct with any colour vision, and by their lightness in print.
BLUE, ORANGE, GREY = "tab:blue", "tab:orange", "tab:gray"
COLOURS = (BLUE, ORANGE, GREY, "#009e73", "#cc79a7", "#56b4e9", "black", "#d0c000")
LONGEST_LABEL = 40
# Inches: of axes in a new figure, and of a letter in the default font.
WIDTH, LETTER = 4.4, 0.075


class Display:
    """Base of the displays: asks for matplotlib, and has the axes that it draws on."""

    @classmethod
    def _need_matplotlib(cls, method: str) -> None:
        check_matplotlib_support(f"{cls.__name__}.{method}")

    def _make_axes(
        self, ax, height: float | None = None, labels: Sequence[str] = ()
    ) -> Any:
        """The axes to draw on; in a new figure with room for the labels."""
        if ax is None:
            import matplotlib.pyplot as plt

            figure, ax = plt.subplots(layout="constrained")
            lines = [line for label in labels for line in label.split("\n")]
            needed = WIDTH + 0.4 + LETTER * max(map(len, lines), default=0)
            figure.set_figwidth(max(figure.get_figwidth(), needed))
            if height is not None:
                figure.set_figheight(height)
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _make_rows(self, ax, labels: Sequence[str], height: float) -> Any:
        """Axes with one row for each label, the first on top."""
        ax = self._make_axes(ax, height, labels)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.5, -0.5)
        return ax


def make_legend(ax, title: str | None = None, inside: str = "best") -> None:
    """Legend above the axes where the layout makes room for it, else inside."""
    entries = dict(zip(*reversed(ax.get_legend_handles_labels())))
    place: dict[str, Any]
    if ax.figure.get_layout_engine() is None:
        # Above the axes it would be cut off, or cover what others have put there.
        place = {"loc": inside, "fontsize": "small"}
        if inside == "top":
            bottom, top = ax.get_ylim()
            ax.set_ylim(bottom, top + 0.35 * (top - bottom))
            place["loc"] = "upper right"
    else:
        figure_width = ax.figure.bbox.width / ax.figure.dpi
        width = min(WIDTH, figure_width * ax.get_position().width)
        needed = [0.55 + LETTER * len(label) for label in entries]
        columns = len(needed) if sum(needed) <= width else int(width / max(needed))
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False}
        place["ncols"] = max(columns, 1)
    ax.legend(entries.values(), entries.keys(), title=title, **place)


def colour_of(j: int) -> str:
    """Colour of the j-th of several; from the ninth on they come again."""
    return COLOURS[j % len(COLOURS)]


def shorten(label: str) -> str:
    """Label that leaves room for the data, with both ends: many begin alike."""
    if len(label) <= LONGEST_LABEL:
        return label
    half = LONGEST_LABEL // 2
    return f"{label[:half]}…{label[-half + 1 :]}"


def check_table(table, columns: Iterable[str], maker: str) -> None:
    """Refuse what is no table of a function, or has no such columns or no rows."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"Got a {type(table).__name__}, expected the DataFrame of {maker}."
        )
    for column in columns:
        if column not in table.columns:
            raise ValueError(
                f"Got the columns {list(table.columns)}, expected {column!r} among "
                "them."
            )
    if not len(table):
        raise ValueError("Got a table without rows, expected at least one.")


def read_rows(table: pd.DataFrame) -> np.ndarray:
    """Row numbers of a table."""
    rows = table["row"].to_numpy()
    if rows.dtype.kind not in "iu":
        raise ValueError(
            f"Got a column 'row' of type {rows.dtype}, expected numbers of rows."
        )
    return rows


def check_option(parameter: str, value, options: Iterable[str]) -> None:
    """Refuse a value that is not among the options."""
    if value not in options:
        raise ValueError(f"Got {parameter}={value!r}, expected one of {list(options)}.")


def check_method(estimator, method: str, example: str) -> None:
    """Refuse an estimator that cannot compute what is drawn."""
    if not hasattr(estimator, method):
        raise TypeError(
            f"Got a {type(estimator).__name__}, expected an estimator with {method}, "
            f"such as {example}."
        )


def check_fitted(estimator, kind: type) -> None:
    """Refuse an estimator of another kind, or one that is not fitted."""
    if not isinstance(estimator, kind):
        raise TypeError(
            f"Got a {type(estimator).__name__}, expected a fitted {kind.__name__}."
        )
    check_is_fitted(estimator)


def choose_metric(table: pd.DataFrame, metric: str | None) -> tuple[str, pd.DataFrame]:
    """The metric to draw, the first one for None, and its rows."""
    metrics = table["metric"].drop_duplicates().tolist()
    chosen = metrics[0] if metric is None else metric
    check_option("metric", chosen, metrics)
    return chosen, table[table["metric"] == chosen]


def name_metric(metric: str) -> str:
    """A metric in words, for the label of an axis."""
    words = metric.replace("roc_auc", "ROC AUC").replace("_", " ")
    return words.replace("neg log loss", "log-likelihood").replace("neg ", "negative ")


def find_set(
    weighter: PropensityWeighter, required, name: str | None
) -> tuple[int, str | None]:
    """Index of a required set of a fitted weighter, and its name for the legend."""
    check_fitted(weighter, PropensityWeighter)
    at = find_required(weighter.required_, required)
    if name is None and len(weighter.required_) > 1:
        name = "+".join(weighter.required_[at])
    return at, name


def find_required(sets: list[list[str]], required) -> int:
    """Which of the required sets is meant."""
    if required is None and len(sets) == 1:
        return 0
    if required is not None:
        # The whole first: "+" may be part of a modality's name.
        joined = required if isinstance(required, str) else "+".join(required)
        for i, names in enumerate(sets):
            if joined == "+".join(names) or set(joined.split("+")) == set(names):
                return i
    raise ValueError(f"Got required={required!r}, expected one of {sets}.")
