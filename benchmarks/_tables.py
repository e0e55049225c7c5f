"""CSV tables of the documentation, for the programs beside this file.

The pages in ``docs/benchmarks`` show CSV files of the same folder. The programs write
these files, so that a re-run changes CSV files and no page. ``--tables DIR`` writes
them elsewhere.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def add_tables_option(parser):
    """Add ``--tables`` to the options of a program."""
    parser.add_argument(
        "--tables", type=Path, default=FOLDER, metavar="DIR",
        help="folder for the CSV tables (default: docs/benchmarks)",
    )  # fmt: skip


def write_table(folder, name, header, rows):
    """Write ``name.csv``; cells are strings, or numbers shown as they are."""
    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"Got {len(row)} cells in {row}, expected {len(header)} in {name}."
            )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    print(f"written: {path}")


def mean_sd(values, digits=1):
    """Mean and standard deviation, ``86.6 (0.8)``; a single value stands alone."""
    values = np.asarray(values, dtype=float)
    shown = f"{values.mean():.{digits}f}"
    return shown if len(values) < 2 else f"{shown} ({values.std(ddof=1):.{digits}f})"


def gap_se(gaps, digits=1):
    """Mean of paired differences and its standard error, ``+1.6 (0.4)``."""
    gaps = np.asarray(gaps, dtype=float)
    shown = f"{gaps.mean():+.{digits}f}"
    if len(gaps) < 2:
        return shown
    return f"{shown} ({gaps.std(ddof=1) / np.sqrt(len(gaps)):.{digits}f})"


def median_range(values, digits):
    """Median, least and largest value, ``0.35 (0.34 to 0.37)``."""
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def decimals(value):
    """Two decimals below 10, one below 100, else none."""
    return 2 if value < 10 else 1 if value < 100 else 0
