"""Dates, times of day and durations as numbers of days."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

# Dates as tables without types hold them; other spellings are text.
ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?"
)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1)
# Units of a datetime64 in a day; pandas has no others.
PER_DAY = {"s": 86_400.0, "ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}


def days_of(series: pd.Series) -> np.ndarray | None:
    """Days as float64 with NaN; None for what is neither a date nor a time.

    Instants count from 1970 in UTC, whatever their zone, resolution and type; one
    without a zone is taken as UTC. A period counts as its start. Text in which every
    value is a date of ISO 8601, as tables without types have it, counts as dates.
    """
    dtype: Any = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if series.dtype.kind == "M":
        return _over_unit(series.to_numpy())
    if series.dtype.kind == "m" and isinstance(dtype, np.dtype):
        return _over_unit(series.to_numpy())
    if isinstance(dtype, pd.api.extensions.ExtensionDtype) and dtype.kind in "mM":
        series = series.astype(object)
    if not (series.dtype == object or pd.api.types.is_string_dtype(series.dtype)):
        return None
    known = series.notna().to_numpy()
    values = series.to_numpy(dtype=object)[known]
    dated = (date, time, timedelta, pd.Period, np.datetime64, np.timedelta64)
    if len(values) and all(isinstance(v, str) and ISO.fullmatch(v) for v in values):
        try:
            values = np.array([datetime.fromisoformat(v) for v in values], object)
        except ValueError:
            # Such as a 13th month.
            return None
    elif not len(values) or not all(isinstance(v, dated) for v in values):
        return None
    out = np.full(len(series), np.nan)
    out[known] = [_days(value) for value in values]
    return out


def _over_unit(values: np.ndarray) -> np.ndarray:
    """Integers over the unit: a Timestamp would bound them to 1677 to 2262."""
    unit = np.datetime_data(values.dtype)[0]
    out = values.astype(np.int64) / PER_DAY[unit]
    out[np.isnat(values)] = np.nan
    return out


def _days(value) -> float:
    if isinstance(value, np.datetime64 | np.timedelta64):
        return float(_over_unit(pd.Series([value]).to_numpy())[0])
    if isinstance(value, pd.Period):
        value = value.to_timestamp()
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime(warn=False)
    if isinstance(value, datetime):
        # Without a change of zone, which leaves the years 1 to 9999.
        offset = value.utcoffset() or timedelta(0)
        return (value.replace(tzinfo=None) - EPOCH - offset) / DAY
    if isinstance(value, time):
        since = timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second,
            microseconds=value.microsecond,
        )  # fmt: skip
        return (since - (value.utcoffset() or timedelta(0))) / DAY
    if isinstance(value, timedelta):
        return value / DAY
    return float((value - EPOCH.date()).days)
