"""Axes, legends and labels that the displays share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..ipw import PropensityWeighter

# Distinct with any colour vision, and by their lightness in print.
BLUE, ORANGE, GREY = "tab:blue", "tab:orange", "tab:gray"
COLOURS = (BLUE, ORANGE, GREY, "#009e73", "#cc79a7", "#56b4e9", "black", "#d0c000")
LONGEST_LABEL = 40
# Inches: of axes in a new figure, and of a letter in the default font.
WIDTH, LETTER = 4.4, 0.075


def make_axes(
    ax, height: float | None = None, labels: Sequence[str] = ()
) -> tuple[Any, Any]:
    """The axes to draw on, and their figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        figure, ax = plt.subplots(layout="constrained")
        longest = max((len(line) for s in labels for line in s.split("\n")), default=0)
        figure.set_figwidth(max(figure.get_figwidth(), WIDTH + 0.4 + LETTER * longest))
        if height is not None:
            figure.set_figheight(height)
    return ax, ax.figure


def make_legend(ax, title: str | None = None, inside: str = "best") -> None:
    """Legend above the axes where the layout makes room for it, else inside."""
    entries = dict(zip(*reversed(ax.get_legend_handles_labels())))
    if ax.figure.get_layout_engine() is None:
        # Above the axes it would be cut off, or cover what others have put there.
        if inside == "top":
            bottom, top = ax.get_ylim()
            ax.set_ylim(bottom, top + 0.35 * (top - bottom))
        ax.legend(
            entries.values(),
            entries.keys(),
            title=title,
            loc="upper right" if inside == "top" else inside,
            fontsize="small",
        )
        return
    width = min(WIDTH, ax.figure.bbox.width / ax.figure.dpi * ax.get_position().width)
    needed = [0.55 + LETTER * len(label) for label in entries]
    columns = len(needed) if sum(needed) <= width else int(width / max(needed))
    ax.legend(
        entries.values(),
        entries.keys(),
        title=title,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=max(columns, 1),
        frameon=False,
    )


def shorten(label: str) -> str:
    """Label that leaves room for the data, with both ends: many begin alike."""
    if len(label) <= LONGEST_LABEL:
        return label
    half = LONGEST_LABEL // 2
    return f"{label[:half]}…{label[-half + 1 :]}"


def check_table(table, columns: Iterable[str], maker: str) -> None:
    """Refuse what is no table of a function, or lacks some of its columns."""
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


def check_weighter(weighter) -> None:
    """Refuse what is not a fitted weighter."""
    if not isinstance(weighter, PropensityWeighter):
        raise TypeError(
            f"Got a {type(weighter).__name__}, expected a fitted PropensityWeighter."
        )
    check_is_fitted(weighter)


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
