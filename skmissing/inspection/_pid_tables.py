"""Tables of a decomposition as bars: parts by pair, and their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._drawing import check_table, shorten

# Parts of a bar, in the order of PIDEstimator.to_frame.
PARTS = ("unique_first", "unique_second", "redundant", "synergistic")
# The columns of a table that can be drawn, and the ends of intervals.
COLUMNS = ("value", "raw")
ENDS = ("low", "high")


def collect_parts(tables: dict[str, Any]) -> pd.DataFrame:
    """One row for each part of each bar, the estimates of a pair next to each other."""
    found = {name: read_pairs(table) for name, table in tables.items()}
    blocks = [
        pairs[pair].assign(name=name, first=first, second=second)
        for pair in dict.fromkeys(pair for pairs in found.values() for pair in pairs)
        for first, second in [pair]
        for name, pairs in found.items()
        if pair in pairs
    ]
    table = pd.concat(blocks).rename_axis("part").reset_index()
    return table[["name", "first", "second", "part", *COLUMNS, *ENDS]]


def read_pairs(frame) -> dict[tuple[str, str], pd.DataFrame]:
    """Check a table of ``to_frame``, and take the rows of the parts of each pair.

    Parts are in the order of :data:`PARTS`, NaN where there is none.
    """
    check_table(
        frame,
        ("first", "second", "term", "source", *COLUMNS),
        "PIDEstimator.to_frame, or a dict of names to such",
    )
    rows = frame[frame["term"] != "mutual_information"]
    rows = rows.reindex(columns=[*frame.columns.union(list(ENDS))])
    found = {}
    for first, second in zip(frame["first"], frame["second"]):
        if (first, second) in found:
            continue
        inside = rows[(rows["first"] == first) & (rows["second"] == second)]
        wanted = {("unique", first): "unique_first"}
        if second:
            wanted["unique", second] = "unique_second"
        wanted["redundant", "joint"] = "redundant"
        wanted["synergistic", "joint"] = "synergistic"
        given = list(zip(inside["term"], inside["source"]))
        if sorted(given) != sorted(wanted):
            raise ValueError(
                f"Got the parts {given} of the pair {(first, second)}, expected each "
                f"of {list(wanted)} once."
            )
        values = inside[[*COLUMNS, *ENDS]].astype(np.float64)
        values.index = pd.Index([wanted[key] for key in given])
        # A single source has all its information as unique, and no other part.
        values = values if second else values.loc[["unique_first"]]
        found[first, second] = values.reindex(list(PARTS))
    return found


def unit_of(tables: dict[str, Any]) -> str:
    """Unit in the ``attrs`` of the tables; bits where there is none."""
    stated = [getattr(table, "attrs", {}).get("unit") for table in tables.values()]
    units = list(dict.fromkeys(unit for unit in stated if unit is not None))
    if len(units) > 1:
        raise ValueError(f"Got tables with the units {units}, expected one.")
    return units[0] if units else "bits"


def label_bars(
    pairs: np.ndarray, names: np.ndarray
) -> tuple[list[str], dict[str, str]]:
    """Labels of the bars, and of the parts in the legend, by the names of sources."""
    legend = {"redundant": "redundant", "synergistic": "synergistic"}
    different: list[tuple[str, str]] = list(dict.fromkeys(map(tuple, pairs)))
    if len(different) == 1:
        # The legend has room for the names, and each bar shows the same pair.
        ((first, second),) = different
        legend["unique_first"] = f"unique to {shorten(first)}"
        legend["unique_second"] = f"unique to {shorten(second)}"
        beside = ["" if any(names) else _pair_label(first, second)] * len(pairs)
    elif len({tuple(sorted("+".join(p).split("+"))) for p in different}) == 1:
        # One against the rest, for each: the names of the rest would add nothing.
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
