"""What stands in one covariate: numbers, levels, or something that identifies rows."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .._estimation._partial_labels import known_labels
from ..modalities._instants import days_of

# Text with at most so many levels is a category, however few rows there are.
FEW_LEVELS = 10
# Mean number of words, and of rows for each level, that make text free text.
MANY_WORDS, ROWS_PER_TEXT = 4, 10
# Levels with fewer rows than this on average are names of rows; where there are many of
# them, as for patients who come back, so are those with fewer than five.
ROWS_PER_NAME, MANY_LEVELS, ROWS_PER_NAME_OF_MANY = 2, 100, 5

# Whole numbers that are all different in a range of so many times the rows are numbers
# of rows: with this many rows chance would do that once in 20,000 times.
NUMBERED_ROWS, NUMBERED_RANGE = 100, 5


def as_numbers(label: str, values) -> np.ndarray | None:
    """float64 with NaN; None for categories and text. Dates count days, in UTC."""
    numbers = None
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        numbers, series = values.astype(np.float64), None
    else:
        series = pd.Series(values, copy=False)
    if series is not None and not isinstance(series.dtype, pd.CategoricalDtype):
        numbers = days_of(series)
        numbers = _real_numbers(label, series) if numbers is None else numbers
    if numbers is not None and np.isinf(numbers).any():
        raise ValueError(
            f"Got an infinite value in the covariate {label!r}, expected finite values "
            "or NaN."
        )
    return numbers


def _real_numbers(label: str, series: pd.Series) -> np.ndarray | None:
    """Numbers of any type; None for text."""
    dtype = series.dtype
    objects = dtype.kind == "O" and isinstance(dtype, np.dtype)
    known = series[series.notna()] if objects else series.iloc[:0]
    if dtype.kind == "c" or any(isinstance(v, complex) for v in known):
        raise ValueError(
            f"Got complex values in the covariate {label!r}, expected real numbers."
        )
    if pd.api.types.is_numeric_dtype(dtype):
        return series.to_numpy(np.float64, na_value=np.nan)
    real = all(isinstance(v, Real | np.bool_ | Decimal) for v in known)
    if not (objects and real):
        return None
    out = np.full(len(series), np.nan)
    out[series.notna().to_numpy()] = [float(v) for v in known]
    return out


def as_levels(label: str, values) -> tuple[np.ndarray, list[Any]]:
    """Number of each row's level, -1 where it is missing, and the levels as objects."""
    series = pd.Series(values, copy=False)
    try:
        codes, found = pd.factorize(series)
    except TypeError as error:
        for value in series:
            if isinstance(value, list | dict | set | np.ndarray):
                raise ValueError(
                    f"Got a {type(value).__name__} in the covariate {label!r}, "
                    "expected a number, a date or text in each row; leave it out of "
                    "covariates."
                ) from error
        raise
    return codes, pd.Series(found).astype(object).tolist()


def holds_objects(values) -> bool:
    """Whether the type of values does not say what they are."""
    return isinstance(values.dtype, np.dtype) and values.dtype.kind == "O"


def may_identify(
    label: str, values, kept: np.ndarray, groups: np.ndarray | None
) -> bool:
    """Whether a covariate may identify rows, by the first of its values."""
    numbers = as_numbers(label, values)
    if numbers is None or holds_objects(values) or _all_different(numbers[kept]):
        return True
    return find_identifier(label, values, kept, groups) is not None


def are_labels(
    values, labels: np.ndarray | None, kept: np.ndarray, part: slice = slice(None)
) -> bool:
    """Whether values of the rows ``part`` are the labels, wherever these are known."""
    if labels is None:
        return False
    own = labels[part]
    rows = np.flatnonzero(kept[part] & known_labels(own, len(own)))
    found = pd.Series(values, copy=False).iloc[rows].to_numpy(dtype=object)
    return len(rows) > 0 and bool(np.all(found == own[rows]))


def _all_different(numbers: np.ndarray) -> bool:
    """Whether numbers are whole and no two are the same."""
    whole = bool((numbers == np.floor(numbers)).all())
    return whole and len(np.unique(numbers)) == len(numbers)


def _number_rows(numbers: np.ndarray) -> bool:
    """Whether numbers are those of the rows: 1, 2, 3, or some of a longer list."""
    n = len(numbers)
    if n < NUMBERED_ROWS or not np.ptp(numbers) < NUMBERED_RANGE * n:
        return False
    return _all_different(numbers)


def find_identifier(
    label: str, values, kept: np.ndarray, groups: np.ndarray | None
) -> str | None:
    """Why a covariate is none that a statistician would choose; None if it may be one.

    A record number has a level of its own for most rows, and free text nearly so.
    Numbers are left out if they are the groups or count the rows; text also where it
    renames the groups.
    """
    numbers = as_numbers(label, values)
    own = None if groups is None else groups[kept]
    if numbers is not None:
        same = own is not None and own.dtype.kind in "iuf"
        if own is not None and same and np.array_equal(numbers[kept], own):
            return "groups"
        # A date for each row is a time, and no name of the row.
        plain = pd.api.types.is_numeric_dtype(values.dtype)
        return "numbers of rows" if plain and _number_rows(numbers[kept]) else None
    codes, levels = as_levels(label, values)
    known, found = pd.factorize(codes[kept & (codes >= 0)])
    if own is not None and len(known) == len(own):
        pairs = np.unique(np.column_stack([known, pd.factorize(own)[0]]), axis=0)
        if len(pairs) == len(found) == len(np.unique(own)) > 1:
            return "groups"
    if len(found) <= FEW_LEVELS:
        return None
    words = np.mean([len(str(levels[i]).split()) for i in found])
    if words >= MANY_WORDS and len(known) < ROWS_PER_TEXT * len(found):
        return "free text"
    many = len(found) > MANY_LEVELS
    if len(known) < (ROWS_PER_NAME_OF_MANY if many else ROWS_PER_NAME) * len(found):
        return f"{len(found)} levels in {len(known)} rows"
    return None
