"""One value for each row: labels, weights and groups, all read in one way."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from ..modalities._frames import read_series


def check_length(name: str, values: np.ndarray, n: int) -> np.ndarray:
    """The values, if there is one for each row."""
    if len(values) != n:
        raise ValueError(
            f"Got {name} of length {len(values)}, expected {n}, the rows of X."
        )
    return values


def read_vector(name: str, values, n: int | None = None) -> np.ndarray:
    """A list, array, Series or frame of one column as one dimension, else an error.

    Text beside numbers is refused: numpy would make text of both, and 1 of "1".
    """
    out = _as_array(values)
    if out.ndim == 2 and out.shape[1] == 1:
        out = out[:, 0]
    if out.ndim != 1:
        raise ValueError(
            f"Got {name} of shape {out.shape}, expected one dimension, a value for "
            "each row of X."
        )
    if n is not None:
        check_length(name, out, n)
    if out.dtype == object:
        known = out[~np.asarray(pd.isna(out), dtype=bool)]
        if _count_kinds(known) > 1:
            raise ValueError(
                f"Got text and other values in {name}, expected values of one type: "
                f"{_examples(known)}."
            )
    return out


def narrow(name: str, values: np.ndarray) -> np.ndarray:
    """Objects, none of them missing, in their natural type; in an order, or an error.

    An object array that held None beside integers becomes one of integers.
    """
    if values.dtype != object or not len(values):
        return values
    given = values.tolist()
    if all(isinstance(v, str | Number | np.bool_) for v in given):
        return np.array(given)
    try:
        sorted(set(given))
    except TypeError as error:
        raise ValueError(
            f"Got values of type {type(given[0]).__name__} in {name}, expected numbers "
            "or text, or others that have an order."
        ) from error
    return values


def count_missing(values: np.ndarray) -> int:
    """How many values are None, NaN or pd.NA."""
    return int(np.asarray(pd.isna(values)).sum())


def _as_array(values) -> np.ndarray:
    """An array in which text stays text, and missing values stay missing."""
    values = read_series(values)
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            return np.empty(values.shape)
        values = values.iloc[:, 0]
    if isinstance(values, pd.Series | pd.Index):
        plain = isinstance(values.dtype, np.dtype)
        return values.to_numpy() if plain else _unpack(values)
    if isinstance(values, pd.api.extensions.ExtensionArray):
        return _unpack(pd.Series(values))
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(object), None)
    if isinstance(values, list | tuple):
        return _from_list(values)
    return np.asarray(values)


def _from_list(values) -> np.ndarray:
    """As objects first: numpy makes text of [1, "a"], and "nan" of a missing word."""
    if any(isinstance(v, list | tuple | np.ndarray) and np.ndim(v) for v in values):
        try:
            return np.asarray(values)
        except ValueError:
            return np.empty((len(values), 0))
    objects = np.empty(len(values), dtype=object)
    objects[:] = [plain(v) for v in values]
    mixed = _count_kinds(objects) > 1 or any(v is None for v in objects)
    return objects if mixed else np.asarray(values)


def _unpack(values) -> np.ndarray:
    """Values of a type of pandas' own: numbers where none is missing, else objects."""
    kind = getattr(values.dtype, "numpy_dtype", None)
    if kind is not None and kind.kind in "fiub" and not values.isna().any():
        return values.to_numpy(dtype=kind)
    return values.astype(object).to_numpy()


def _count_kinds(values: np.ndarray) -> int:
    """1 for text alone or other values alone."""
    return len({isinstance(v, str | bytes) for v in values})


def _examples(values: np.ndarray) -> str:
    """The first text and the first value that is none."""
    first: dict[bool, Any] = {}
    for value in values:
        first.setdefault(isinstance(value, str | bytes), value)
    return " and ".join(repr(plain(value)) for value in first.values())


def plain(value):
    """A value as Python shows it: 0, not np.int64(0)."""
    return value.item() if isinstance(value, np.generic) else value
