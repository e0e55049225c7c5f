"""Data frames of other libraries than pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd


def is_other_frame(X) -> bool:
    """Whether X is a data frame of another library than pandas."""
    if isinstance(X, pd.DataFrame):
        return False
    # Not asked of the object: a lazy frame would have to find its columns out.
    named = hasattr(type(X), "columns") or "columns" in getattr(X, "__dict__", {})
    return hasattr(X, "__dataframe__") or (
        named and not hasattr(X, "__array_interface__")
    )


def to_pandas(frame) -> pd.DataFrame:
    """A frame of another library as one of pandas, column by column."""
    kind = f"{type(frame).__module__}.{type(frame).__name__}"
    try:
        import narwhals
    except ImportError as error:
        raise TypeError(
            f"Got a {kind}, expected a pandas DataFrame or a 2-D array; other frames "
            "are read by narwhals, which is not installed."
        ) from error
    try:
        table: Any = narwhals.from_native(frame, eager_only=True)
    except TypeError as error:
        raise TypeError(
            f"Got a {kind}, expected a pandas DataFrame, another one in memory that "
            "narwhals knows, or a 2-D array."
        ) from error
    # Not its own to_pandas, which needs pyarrow.
    return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})


def to_polars(frame: pd.DataFrame) -> Any:
    """A frame of pandas as one of polars."""
    try:
        import polars
    except ImportError as error:
        raise ImportError(
            "Got transform='polars' as the output, expected polars to be installed."
        ) from error
    columns = {}
    for label, column in frame.items():
        values: Any = column.to_numpy()
        if values.dtype == object:
            values = [None if pd.isna(value) else value for value in values]
        columns[str(label)] = values
    return polars.DataFrame(columns)
