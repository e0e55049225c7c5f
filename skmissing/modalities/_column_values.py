"""Values of frame columns as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import pandas as pd

# Values of a column that are looked at for a message.
SEEN = 1000
_NUMBERS = (int, float, np.integer, np.floating, np.bool_)


def column_label(label) -> str:
    """Name of a column; the levels of a MultiIndex joined by ``__``."""
    return "__".join(map(str, label)) if isinstance(label, tuple) else str(label)


def frame_block(
    part: pd.DataFrame, name: str, numeric: bool, fitted: bool = False
) -> np.ndarray:
    """Values of some columns as one array; None and pd.NA become NaN.

    ``fitted`` is for messages: whether the columns were numbers in fit.
    """
    dtypes = list(part.dtypes.unique())
    if all(isinstance(d, np.dtype) and d.kind in "fiu" for d in dtypes) or (
        dtypes == [np.dtype(bool)]
    ):
        return part.to_numpy()
    columns: list[Any] = []
    for label, column in part.items():
        columns.append(_numbers_of(column))
        if columns[-1] is None and numeric and fitted:
            raise text_error(label, name, column.to_numpy(dtype=object))
        if columns[-1] is None and numeric:
            raise ValueError(
                f"Got the non-numeric column {label!r} (dtype {column.dtype}) in the "
                f"modality {name!r}, expected numbers; {_way_out(label, column)}."
            )
    if any(numbers is None for numbers in columns):
        out = part.astype(object).to_numpy()
        return np.where(pd.isna(out), np.nan, out) if pd.isna(out).any() else out
    return np.column_stack(columns)


def _way_out(label, column: pd.Series) -> str:
    """What makes numbers of a column, by what most of its values are."""
    encoder = "encode it with a ModalityTransformer first"
    known = column.dropna().head(SEEN).astype(str)
    numbers = pd.to_numeric(known, errors="coerce").notna()
    if not len(known) or numbers.mean() < 0.5:
        return encoder
    return (
        f"pd.to_numeric(X[{label!r}], errors='coerce') reads them, and makes NaN of "
        f"other text; if they are codes, {encoder}"
    )


def text_error(label, name: str, values: np.ndarray) -> ValueError:
    """What is wrong with a column that had numbers in fit."""
    known = values[~np.asarray(pd.isna(values))].tolist()
    # Categories may be numbers.
    first = next((v for v in known if not isinstance(v, _NUMBERS)), known[:1])
    return ValueError(
        f"Got {first!r} in the column {label!r} of the modality {name!r}, expected "
        f"numbers as in fit; pd.to_numeric(X[{label!r}], errors='coerce') reads them, "
        "and makes NaN of other text."
    )


def numeric_columns(block) -> list[int]:
    """Positions of the columns of a block that hold no text."""
    if block.dtype.kind in "fiub":
        return list(range(prod(block.shape[1:])))
    if block.dtype.kind != "O" or block.ndim != 2:
        return []
    return [
        j
        for j, column in enumerate(np.asarray(block).T)
        if numbers_of_objects(column) is not None
    ]


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
    if not all(isinstance(value, _NUMBERS) for value in array[~missing]):
        return None
    out = np.full(array.shape, np.nan)
    out[~missing] = array[~missing].astype(np.float64)
    return out
