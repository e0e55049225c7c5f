"""Values of frame columns as numbers."""

from __future__ import annotations

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
    all_numbers = True
    for i, label in enumerate(part.columns):
        column = part.iloc[:, i]
        dtype = column.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
            columns.append(column.to_numpy())
        elif pd.api.types.is_numeric_dtype(dtype) and not isinstance(dtype, np.dtype):
            columns.append(_nullable_to_numpy(column))
        else:
            number = _object_to_float(column)
            if number is None:
                if numeric:
                    raise ValueError(
                        f"Got the non-numeric column {label!r} (dtype {dtype}) in the "
                        f"modality {name!r}, expected numbers; encode it with a "
                        "ModalityTransformer first."
                    )
                all_numbers = False
            columns.append(column if number is None else number)
    if not all_numbers:
        out = part.astype(object).to_numpy()
        return np.where(pd.isna(out), np.nan, out) if pd.isna(out).any() else out
    return np.column_stack([np.asarray(c) for c in columns])


def _nullable_to_numpy(column: pd.Series) -> np.ndarray:
    if column.isna().any():
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    kind = getattr(column.dtype, "numpy_dtype", np.dtype(np.float64))
    return column.to_numpy(dtype=kind)


def _object_to_float(column: pd.Series) -> np.ndarray | None:
    """Numbers held as Python objects, with None or pd.NA; None if there is text."""
    if column.dtype != object:
        return None
    return numbers_of_objects(column.to_numpy())


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
