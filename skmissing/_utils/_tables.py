"""Tables of results that show what their rows are."""

from __future__ import annotations

from typing import Any

import pandas as pd

# What a row is about, and its result; shown whatever else has no room.
SHOWN = [
    "quantity", "estimator", "pattern", "rate", "repeat", "subset", "baseline",
    "metric", "modality", "term", "source", "dataset", "mechanism", "condition",
    "mean_rank", "wins", "losses", "value", "low", "high",
]  # fmt: skip


class ResultTable(pd.DataFrame):
    """A data frame that is not printed without its keys where it is too wide.

    pandas cuts out the columns in the middle; this keeps those that say what a row is.
    """

    @property
    def _constructor(self):
        return ResultTable

    def __repr__(self) -> str:
        width = pd.get_option("display.width") or 80
        keys = [label for label in self.columns if label in SHOWN]
        with pd.option_context("display.max_columns", None, "display.width", 10_000):
            whole = super().__repr__()
            if not keys or len(whole.partition("\n")[0]) <= width:
                return whole
            rest = [str(label) for label in self.columns if label not in SHOWN]
            shown = pd.DataFrame(self)[keys].__repr__()
        body = shown.partition("\n\n[")[0]
        more = f"; also {', '.join(rest)}" if rest else ""
        return f"{body}\n\n[{len(self)} rows x {self.shape[1]} columns{more}]"


def take_columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Numbers as arrays, text as lists: what every kind of file holds."""
    return {
        str(name): column.to_numpy() if column.dtype.kind in "iufb" else column.tolist()
        for name, column in frame.items()
    }
