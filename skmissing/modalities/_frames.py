"""Data frames of other libraries than pandas, which narwhals reads and makes."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def read_frame(X) -> Any:
    """X, as a frame of pandas with types of its own if it is one of another kind."""
    if isinstance(X, pd.DataFrame):
        return _with_own_types(X)
    if not is_other_frame(X):
        return X
    try:
        return to_pandas(X)
    except TypeError as error:
        raise TypeError(
            f"Got X of type {_kind(X)}, expected a 2-D array, a pandas DataFrame, "
            "another frame in memory that narwhals reads, or a MultimodalData."
        ) from error


def _with_own_types(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose columns of pyarrow are read as those of other libraries are."""
    arrow = [i for i, d in enumerate(frame.dtypes) if isinstance(d, pd.ArrowDtype)]
    if not arrow:
        return frame
    import narwhals

    out = frame.copy(deep=False)
    for i in arrow:
        series: Any = narwhals.from_native(frame.iloc[:, i], series_only=True)
        out.isetitem(i, pd.Series(_column(series)).array)
    return out


def to_pandas(frame) -> pd.DataFrame:
    """A frame of another library as one of pandas, column by column."""
    import narwhals

    try:
        table: Any = narwhals.from_native(frame, eager_only=True)
    except TypeError as error:
        raise TypeError(
            f"Got a {_kind(frame)}, expected a pandas DataFrame, another one in memory "
            "that narwhals knows, or a 2-D array."
        ) from error
    # Not its own to_pandas, which needs pyarrow.
    columns = {name: _column(table[name]) for name in table.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)))


def read_series(values) -> Any:
    """Values, as a series of pandas if they are a column of another library."""
    if isinstance(values, pd.Series | pd.Index | np.ndarray | list | tuple):
        return values
    if is_other_frame(values):
        return to_pandas(values)
    if not hasattr(values, "__arrow_c_stream__"):
        return values
    import narwhals

    column: Any = narwhals.from_native(values, series_only=True, pass_through=True)
    if column is values:
        return values
    read = _column(column)
    # With a value for each row numbers and text have types of their own.
    return read if isinstance(read, pd.Series) else pd.Series(read)


def _column(column) -> Any:
    """Values of a column, with what pandas has for its type."""
    import narwhals

    kind: Any = column.dtype
    if isinstance(kind, narwhals.Decimal):
        return column.cast(narwhals.Float64()).to_numpy()
    values = column.to_numpy()
    if isinstance(kind, narwhals.Enum):
        # Levels have the order in which they were declared.
        levels = pd.CategoricalDtype(list(kind.categories), ordered=True)
        return pd.Series(values, dtype=levels)
    if isinstance(kind, narwhals.Categorical):
        return pd.Series(pd.Categorical(values))
    if isinstance(kind, narwhals.Datetime) and kind.time_zone is not None:
        # The same instants; narwhals has them in UTC and leaves the zone out.
        instants = pd.Series(values).dt.tz_localize("UTC")
        return instants.dt.tz_convert(kind.time_zone)
    return values


def like_frame(frame: pd.DataFrame, X) -> Any:
    """A result as a frame of the library that X is of."""
    if not is_other_frame(X):
        return frame
    import narwhals

    given: Any = narwhals.from_native(X, eager_only=True)
    return _to_library(frame, given.implementation)


def to_polars(frame: pd.DataFrame) -> Any:
    """A frame of pandas as one of polars."""
    try:
        return _to_library(frame, "polars")
    except ModuleNotFoundError as error:
        raise ImportError(
            "Got transform='polars' as the output, expected polars to be installed."
        ) from error


def _to_library(frame: pd.DataFrame, backend) -> Any:
    import narwhals

    columns = {str(label): _plain(column) for label, column in frame.items()}
    return narwhals.from_dict(columns, backend=backend).to_native()


def _plain(column: pd.Series) -> Any:
    """Values of a column as every library takes them."""
    aware = isinstance(column.dtype, pd.DatetimeTZDtype)
    values = column.to_numpy(dtype=object if aware else None)
    if values.dtype == object:
        return [None if pd.isna(value) else value for value in values]
    return values


def _kind(thing) -> str:
    return f"{type(thing).__module__}.{type(thing).__name__}"
