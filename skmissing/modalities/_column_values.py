"""Values of frame columns as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def column_label(label) -> str:
    """Name of a column; the levels of a MultiIndex joined by ``__``."""
    return "__".join(map(str, label)) if isinstance(label, tuple) else str(label)


def frame_block(part: pd.DataFrame, name: str, numeric: bool) -> np.ndarray:
    """Values of some columns as one array; None and pd.NA become NaN."""
    dtypes = list(part.dtypes.unique())
    if all(isinstance(d, np.dtype) and d.kind in "fiu" for d in dtypes) or (
        dtypes == [np.dtype(bool)]
    ):
        return part.to_numpy()
    columns: list[Any] = []
    for label, column in part.items():
        columns.append(_numbers_of(column))
        if columns[-1] is None and numeric:
            raise ValueError(
                f"Got the non-numeric column {label!r} (dtype {column.dtype}) in the "
                f"modality {name!r}, expected numbers; encode it with a "
                "ModalityTransformer first."
            )
    if any(numbers is None for numbers in columns):
        out = part.astype(object).to_numpy()
        return np.where(pd.isna(out), np.nan, out) if pd.isna(out).any() else out
    return np.column_stack(columns)


def _numbers_of(column: pd.Series) -> np.ndarray | None:
    """Numbers of a column of any dtype; None if there is text."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        values = column.to_numpy()
        if dtype.kind == "O":
            return numbers_of_objects(values)
        return values if dtype.kind in "fiub" else None
    if not pd.api.types.is_numeric_dtype(dtype):
        return None
    if column.isna().any():
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy(dtype=getattr(dtype, "numpy_dtype", np.dtype(np.float64)))


def feature_labels(name: str, columns: Iterable) -> list[str]:
    """Names ``modality__feature`` of some columns of a modality."""
    labels = map(column_label, columns)
    return [c if c.startswith(f"{name}__") else f"{name}__{c}" for c in labels]


def dtype_with_nan(dtype: np.dtype) -> np.dtype:
    """The dtype itself if it can hold NaN (NaT), else one that can hold both."""
    if dtype.kind in "fOmM":
        return dtype
    return np.dtype(np.float64 if dtype.kind in "iub" else object)


def missing_value(dtype: np.dtype) -> Any:
    """What stands for a missing value in an array of a dtype that can hold one."""
    return np.array("NaT", dtype=dtype) if dtype.kind in "mM" else np.nan


def numbers_of_objects(
    array: np.ndarray, present: np.ndarray | None = None
) -> np.ndarray | None:
    """Numbers held as Python objects, with None or pd.NA; None if there is text."""
    missing = np.asarray(pd.isna(array))
    if present is not None:
        missing = missing | ~present.reshape(-1, *[1] * (array.ndim - 1))
    numbers = (int, float, np.integer, np.floating, np.bool_)
    if not all(isinstance(value, numbers) for value in array[~missing]):
        return None
    out = np.full(array.shape, np.nan)
    out[~missing] = array[~missing].astype(np.float64)
    return out
