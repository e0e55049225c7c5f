"""X at prediction, by the names of fit: any order, more columns, fewer modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._utils._warn import warn_user
from ..exceptions import AbsentModalityWarning
from ._layout import NAMELESS, ColumnLayout, check_unique_columns, shorten
from ._multimodal_data import MultimodalData


def known_columns(estimator) -> list[Any] | None:
    """Labels of the columns of fit; None where columns have to come by position.

    With one modality that nobody named, X is a table as any other, and is checked as
    scikit-learn checks tables.
    """
    layout: ColumnLayout | None = estimator.column_layout_
    if layout is None or layout.nameless:
        return None
    if layout.labels is not None:
        return layout.labels
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else list(names)


def match_columns(estimator, X: pd.DataFrame) -> pd.DataFrame:
    """The columns of fit in their order, NaN where X does not have them."""
    columns = known_columns(estimator)
    if columns is None or list(X.columns) == columns:
        return X
    check_unique_columns(X)
    layout, have = estimator.column_layout_, set(X.columns)
    for name, index in layout.indices.items():
        absent = [columns[i] for i in index if columns[i] not in have]
        if 0 < len(absent) < len(index):
            raise ValueError(
                f"Got X without the columns {shorten(absent)} of the modality "
                f"{name!r}, expected all of its columns, or none in data without it"
                f"{_how_to_fill(estimator)}."
            )
    levels = isinstance(X.columns, pd.MultiIndex) and layout.labels is not None
    return X.reindex(columns=pd.MultiIndex.from_tuples(columns) if levels else columns)


def _how_to_fill(estimator) -> str:
    """How columns that X does not have become NaN, where their names are known."""
    if not hasattr(estimator, "feature_names_in_"):
        return ""
    return "; X.reindex(columns=model.feature_names_in_) fills them with NaN"


def absent_covariates(estimator, X: pd.DataFrame) -> list[Any]:
    """Columns of fit that belong to no modality and that X does not have."""
    columns = known_columns(estimator)
    if columns is None:
        return []
    have = set(X.columns)
    covariates = estimator.column_layout_.covariates
    return [columns[i] for i in covariates if columns[i] not in have]


def warn_absent(expected: Sequence[str], given: Sequence[str]) -> None:
    """Warn of the modalities of fit that X does not have; refuse X without any."""
    absent = [name for name in expected if name not in given]
    if not absent:
        return
    if len(absent) == len(expected):
        what = (
            f"with the modalities {shorten(list(given))}"
            if given
            else "with columns of no modality of fit"
        )
        hint = (
            f"; columns without the prefix of a modality are one modality {NAMELESS!r}"
            if NAMELESS in given
            else ""
        )
        raise ValueError(
            f"Got X {what}, expected some of {shorten(list(expected))}{hint}."
        )
    unused = [name for name in given if name not in expected]
    hint = f" ({shorten(unused)} are not used)" if unused else ""
    warn_user(
        f"Got X without the modalities {shorten(absent)}{hint}; they count as missing "
        "in all rows.",
        AbsentModalityWarning,
    )


def match_features(
    data: MultimodalData, expected: Mapping[str, list[str]]
) -> MultimodalData:
    """Features of flat blocks in the order of fit, by name.

    scikit-learn compares the columns of two frames; this compares what is known of
    the features when a frame meets a MultimodalData, whose unnamed features count as
    numbered.
    """
    blocks, names = data.blocks, data.feature_names
    for name, shape in data.block_shapes.items():
        numbered = [f"{name}__{i}" for i in range(int(np.prod(shape)))]
        before = expected.get(name, numbered)
        now = names.get(name, numbered)
        if before == now:
            continue
        same = sorted(before) == sorted(now)
        if same and len(shape) == 1:
            blocks[name] = np.asarray(blocks[name])[:, [now.index(n) for n in before]]
            names[name] = before
        elif same or (name in expected and name in names):
            raise ValueError(
                f"Got the features of the modality {name!r} as {shorten(now)}, "
                f"expected {shorten(before)} as in fit."
            )
    return MultimodalData.unchecked(blocks, data.present, names)
