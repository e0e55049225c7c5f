"""From columns of a table to modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from .._utils._checks import check_distinct, check_known
from .._utils._sklearn_compat import _get_column_indices
from ._blocks import check_name
from ._modality import Modality


@dataclass
class ColumnLayout:
    """Where the modalities stand in a table with a given number of columns."""

    indices: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]
    n_columns: int
    # Labels of all columns where matching is by label (MultiIndex frames), else None.
    labels: list[Any] | None = None
    covariates: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    @property
    def names(self) -> list[str]:
        return list(self.indices)


def resolve_layout(X, modalities) -> ColumnLayout:
    """Find the columns of each modality."""
    n_columns = X.shape[1]
    multi = isinstance(X, pd.DataFrame) and isinstance(X.columns, pd.MultiIndex)
    labels = list(X.columns) if multi else None
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise ValueError(
            f"Got two columns named {twice!r} in X, expected distinct column names."
        )
    if modalities is None:
        indices = _group_columns(X, n_columns)
        vectors = {name: (len(index),) for name, index in indices.items()}
        return ColumnLayout(indices, {**vectors}, n_columns, labels)
    indices = {}
    shapes: dict[str, tuple[int, ...]] = {}
    owner: dict[int, str] = {}
    specs = _named_specs(modalities, X)
    check_distinct("modalities", (name for name, _ in specs))
    for name, spec in specs:
        check_name(name)
        columns = spec.columns if isinstance(spec, Modality) else spec
        index = _select_columns(X, name, columns)
        for i in index.tolist():
            if i in owner:
                label = X.columns[i] if isinstance(X, pd.DataFrame) else i
                raise ValueError(
                    f"Got column {label!r} in the modalities {owner[i]!r} and "
                    f"{name!r}, expected each column in at most one."
                )
            owner[i] = name
        shape = spec.shape if isinstance(spec, Modality) else None
        if shape is None:
            shape = (len(index),)
        elif prod(shape) != len(index):
            raise ValueError(
                f"Got shape={shape} for the modality {name!r}, expected a shape that "
                f"holds its {len(index)} columns."
            )
        indices[name], shapes[name] = index, shape
    rest = np.array([i for i in range(n_columns) if i not in owner], dtype=np.intp)
    return ColumnLayout(indices, shapes, n_columns, labels, rest)


def _named_specs(modalities, X) -> list[tuple[str, Any]]:
    if isinstance(modalities, Mapping):
        pairs = list(modalities.items())
    elif isinstance(modalities, Sequence) and not isinstance(modalities, str):
        if all(isinstance(item, str) for item in modalities):
            # Names alone choose among the groups that the column names define.
            groups = _group_columns(X, X.shape[1])
            check_known("modalities with", modalities, groups)
            pairs = [(name, groups[name]) for name in modalities]
        elif all(isinstance(item, tuple) and len(item) == 2 for item in modalities):
            pairs = list(modalities)
        else:
            pairs = []
    else:
        pairs = []
    if not pairs:
        raise ValueError(
            f"Got modalities={modalities!r}, expected None, a non-empty mapping from "
            "modality names to columns, or a list of modality names."
        )
    return pairs


def _group_columns(X, n_columns: int) -> dict[str, np.ndarray]:
    """Modalities that the column names define; one modality ``x`` otherwise."""
    groups: dict[str, list[int]] = {}
    if isinstance(X, pd.DataFrame) and isinstance(X.columns, pd.MultiIndex):
        for i, first in enumerate(X.columns.get_level_values(0)):
            groups.setdefault(str(first), []).append(i)
    elif isinstance(X, pd.DataFrame):
        groups = prefix_groups(X)
        if sum(map(len, groups.values())) < n_columns:
            groups = {}
    if not groups:
        groups = {"x": list(range(n_columns))}
    for name in groups:
        check_name(name)
    return {name: np.asarray(index, dtype=np.intp) for name, index in groups.items()}


def prefix_groups(X: pd.DataFrame) -> dict[str, list[int]]:
    """Positions of the columns named ``modality__feature``, by modality."""
    groups: dict[str, list[int]] = {}
    for i, label in enumerate(X.columns):
        if isinstance(label, str):
            prefix, _, feature = label.partition("__")
            if prefix and feature:
                groups.setdefault(prefix, []).append(i)
    return groups


def _select_columns(X, name: str, columns) -> np.ndarray:
    key = columns(X) if callable(columns) else columns
    try:
        if isinstance(X, pd.DataFrame) and isinstance(X.columns, pd.MultiIndex):
            found = _select_multiindex(X, key)
        else:
            found = _get_column_indices(
                X, key.tolist() if isinstance(key, np.ndarray | pd.Index) else key
            )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        have = list(X.columns) if isinstance(X, pd.DataFrame) else X.shape[1]
        shown = f"{have[:10]}..." if isinstance(have, list) and len(have) > 10 else have
        raise ValueError(
            f"Got unknown columns {key!r} for the modality {name!r}, expected columns "
            f"of X ({shown})."
        ) from error
    index = np.asarray(found, dtype=np.intp)
    if index.size == 0:
        raise ValueError(
            f"Got no column for the modality {name!r}, expected at least one."
        )
    if len(np.unique(index)) != len(index):
        raise ValueError(
            f"Got a column twice in the modality {name!r}, expected distinct columns."
        )
    return index


def _select_multiindex(X: pd.DataFrame, key) -> list[int]:
    """Labels of a MultiIndex: whole tuples, or first-level labels."""
    first = X.columns.get_level_values(0)
    items = key if isinstance(key, list | pd.Index | np.ndarray) else [key]
    if isinstance(key, slice) or all(isinstance(i, int | np.integer) for i in items):
        return np.arange(X.shape[1])[key if isinstance(key, slice) else items].tolist()
    labels: list[Any] = list(X.columns)
    out: list[int] = []
    for item in items:
        if isinstance(item, tuple):
            out.append(labels.index(item))
        else:
            found = np.flatnonzero(first == item).tolist()
            if not found:
                raise KeyError(item)
            out.extend(found)
    return out
