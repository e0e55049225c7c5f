"""Tables of a decomposition as bars: figures by pair, and what to call them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._drawing import shorten

# Columns of `parts`, in the order of PIDEstimator.to_frame.
PARTS = ("unique_first", "unique_second", "redundant", "synergistic")
# The figures of a table that can be drawn.
COLUMNS = ("value", "raw")


def read_pairs(frame: Any) -> dict[tuple[str, str], np.ndarray]:
    """Take the parts from a table."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"Got a {type(frame).__name__}, expected the DataFrame of "
            "PIDEstimator.to_frame, or a dict of names to such."
        )
    for column in ("first", "second", "term", "source", *COLUMNS):
        if column not in frame.columns:
            raise ValueError(
                f"Got the columns {list(frame.columns)}, expected {column!r} among "
                "them."
            )
    if not len(frame):
        raise ValueError("Got a table without rows, expected at least one pair.")
    rows = frame[frame["term"] != "mutual_information"]
    rows = rows.reindex(columns=[*frame.columns.union(["lower", "upper"])])
    found = {}
    for first, second in zip(frame["first"], frame["second"]):
        if (first, second) in found:
            continue
        here = rows[(rows["first"] == first) & (rows["second"] == second)]
        wanted = {("unique", first): 0}
        if second:
            wanted[("unique", second)] = 1
        wanted.update({("redundant", "joint"): 2, ("synergistic", "joint"): 3})
        given = list(zip(here["term"], here["source"]))
        if sorted(given) != sorted(wanted):
            raise ValueError(
                f"Got the parts {given} of the pair {(first, second)}, expected each "
                f"of {list(wanted)} once."
            )
        figures = np.full((len(PARTS), 4), np.nan)
        at = [wanted[key] for key in given]
        figures[at] = here[[*COLUMNS, "lower", "upper"]].to_numpy(dtype=np.float64)
        if not second:
            # A single source has all its information as unique, and no other part.
            figures[1:] = np.nan
        found[first, second] = figures
    return found


def unit_of(tables: dict[str, Any]) -> str:
    """Find the unit that tables say they have."""
    told = [getattr(table, "attrs", {}).get("unit") for table in tables.values()]
    units = list(dict.fromkeys(unit for unit in told if unit is not None))
    if len(units) > 1:
        raise ValueError(f"Got tables with the units {units}, expected one.")
    return units[0] if units else "bits"


def label_bars(
    pairs: np.ndarray, names: np.ndarray
) -> tuple[list[str], dict[str, str]]:
    """Find texts that tell bars and parts apart by the names of sources."""
    legend = {"redundant": "redundant", "synergistic": "synergistic"}
    different = list(dict.fromkeys(map(tuple, pairs)))
    if len(different) == 1:
        # The legend has room for the names, and each bar shows the same pair.
        first, second = different[0]
        legend["unique_first"] = f"unique to {shorten(first)}"
        legend["unique_second"] = f"unique to {shorten(second)}"
        beside = ["" if any(names) else _pair_label(first, second)] * len(pairs)
    elif len({tuple(sorted("+".join(p).split("+"))) for p in different}) == 1:
        # One against the rest, for each: the names of the rest would say nothing new.
        legend["unique_first"] = "unique to the one named"
        legend["unique_second"] = "unique to the others"
        beside = [shorten(first) for first, _ in pairs]
    else:
        legend["unique_first"] = "unique to the source named before “and”"
        legend["unique_second"] = "unique to the one after"
        beside = [_pair_label(first, second) for first, second in pairs]
    labels = [
        ": ".join(text for text in (where, str(name)) if text)
        for where, name in zip(beside, names)
    ]
    return labels, legend


def _pair_label(first: str, second: str) -> str:
    return f"{shorten(first)} and {shorten(second)}" if second else shorten(first)
