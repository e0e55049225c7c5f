"""From columns of a table to modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._indexing import _get_column_indices

from ._blocks import check_name, numbers_of_objects
from ._multimodal_data import MultimodalData


class Modality:
    """Columns of one modality, and the shape of one row of it.

    Parameters
    ----------
    columns : str, int, slice, list, bool mask or callable
        A column selector as in :class:`sklearn.compose.ColumnTransformer`: labels for
        data frames, positions or slices of positions for both, or a callable that
        gets X and returns any of these.
    shape : tuple of int, default=None
        Shape of one row, for example ``(1, 28, 28)`` for an image (channels, height,
        width) or ``(24, 3)`` for a series (time steps, channels). None: a vector.

    See Also
    --------
    MultimodalData : Container for blocks that already have a shape.

    Examples
    --------
    >>> from skmissing import Modality
    >>> Modality(slice(2, 786), shape=(1, 28, 28))
    Modality(slice(2, 786, None), shape=(1, 28, 28))
    """

    __slots__ = ("columns", "shape")

    def __init__(self, columns: Any, shape: Sequence[int] | None = None) -> None:
        self.columns = columns
        if shape is not None:
            sizes = tuple(shape) if isinstance(shape, Sequence) else ()
            if not sizes or not all(
                isinstance(i, int | np.integer) and i > 0 for i in sizes
            ):
                raise ValueError(
                    f"Got shape={shape!r} for a Modality, expected None or a tuple of "
                    "positive integers."
                )
            shape = tuple(int(i) for i in sizes)
        self.shape = shape

    def __repr__(self) -> str:
        return f"Modality({self.columns!r}, shape={self.shape})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Modality)
            and repr(self.columns) == repr(other.columns)
            and self.shape == other.shape
        )

    __hash__ = None  # type: ignore[assignment]


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


def resolve_layout(X: Any, modalities: Any) -> ColumnLayout:
    """Find the columns of each modality.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        The table.
    modalities : mapping, list of pairs, or None
        See :class:`Modality`.

    Returns
    -------
    ColumnLayout
    """
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
    for name, spec in _named_specs(modalities, X):
        check_name(name)
        if name in indices:
            raise ValueError(
                f"Got the modality {name!r} twice in modalities, expected distinct "
                "names."
            )
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


def _named_specs(modalities: Any, X: Any) -> list[tuple[str, Any]]:
    if isinstance(modalities, Mapping):
        pairs = list(modalities.items())
    elif isinstance(modalities, Sequence) and not isinstance(modalities, str):
        if all(isinstance(item, str) for item in modalities):
            # Names alone choose among the groups that the column names define.
            groups = _group_columns(X, X.shape[1])
            unknown = [name for name in modalities if name not in groups]
            if unknown:
                raise ValueError(
                    f"Got the unknown modality {unknown[0]!r} in modalities, expected "
                    f"some of {list(groups)}."
                )
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


def _group_columns(X: Any, n_columns: int) -> dict[str, np.ndarray]:
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


def _select_columns(X: Any, name: str, columns: Any) -> np.ndarray:
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


def _select_multiindex(X: pd.DataFrame, key: Any) -> list[int]:
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


def extract_blocks(X: Any, layout: ColumnLayout, numeric: bool = True) -> Any:
    """Cut a table into a :class:`MultimodalData`, block by block.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        The table.
    layout : ColumnLayout
        Where the modalities stand.
    numeric : bool, default=True
        Refuse columns that are not numbers, naming the first one.

    Returns
    -------
    MultimodalData
    """
    blocks: dict[str, Any] = {}
    labels: dict[str, list[str]] = {}
    for name, index in layout.indices.items():
        if isinstance(X, pd.DataFrame):
            values = _frame_block(X.iloc[:, index], name, numeric)
            inside = [column_label(c) for c in X.columns[index]]
            if all(isinstance(c, str | tuple) for c in X.columns):
                labels[name] = [
                    c if c.startswith(f"{name}__") else f"{name}__{c}" for c in inside
                ]
        else:
            values = np.asarray(X)[:, index]
            if values.dtype == object:
                part = pd.DataFrame(values, columns=index)
                values = _frame_block(part, name, numeric)
        blocks[name] = np.ascontiguousarray(values).reshape(
            len(X), *layout.shapes[name]
        )
    data = MultimodalData(blocks)
    data._feature_names = labels
    return data


def column_label(label: Any) -> str:
    """Name of a column; the levels of a MultiIndex joined by ``__``."""
    return "__".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _frame_block(part: pd.DataFrame, name: str, numeric: bool) -> np.ndarray:
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
