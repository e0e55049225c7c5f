"""From columns of a table to modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from .._utils._checks import check_distinct, check_known
from .._utils._sklearn_compat import _get_column_indices
from .._utils._warn import warn_user
from ..exceptions import NamelessModalityWarning
from ._blocks import check_name
from ._modality import Modality

# The modality of columns that nothing divides.
NAMELESS = "x"


@dataclass
class ColumnLayout:
    """Where the modalities stand in a table with a given number of columns."""

    indices: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]
    n_columns: int
    # Labels of all columns of a frame that scikit-learn does not remember, else None:
    # those that are not all strings.
    labels: list[Any] | None
    covariates: np.ndarray
    # One modality of all columns, because nothing says how to cut them.
    nameless: bool = False

    @property
    def names(self) -> list[str]:
        return list(self.indices)


def resolve_layout(X, modalities) -> ColumnLayout:
    """Find the columns of each modality."""
    if isinstance(X, pd.DataFrame):
        check_unique_columns(X)
    indices: dict[str, np.ndarray] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    owner: dict[int, str] = {}
    specs = _named_specs(modalities, X)
    check_distinct("modalities", (name for name, _ in specs))
    for name, spec in specs:
        check_name(name)
        modality = spec if isinstance(spec, Modality) else Modality(spec)
        index = _select_columns(X, f"the modality {name!r}", modality.columns)
        for i in index.tolist():
            if i in owner:
                label = X.columns[i] if isinstance(X, pd.DataFrame) else i
                raise ValueError(
                    f"Got column {label!r} in the modalities {owner[i]!r} and "
                    f"{name!r}, expected each column in at most one."
                )
            owner[i] = name
        shape = (len(index),) if modality.shape is None else modality.shape
        if prod(shape) != len(index):
            raise ValueError(
                f"Got shape={shape} for the modality {name!r}, expected a shape that "
                f"holds its {len(index)} columns."
            )
        indices[name], shapes[name] = index, shape
    frame = isinstance(X, pd.DataFrame)
    named = frame and all(isinstance(label, str) for label in X.columns)
    labels = list(X.columns) if frame and not named else None
    rest = np.setdiff1d(np.arange(X.shape[1]), list(owner))
    nameless = modalities is None and list(indices) == [NAMELESS]
    return ColumnLayout(indices, shapes, X.shape[1], labels, rest, nameless)


def check_unique_columns(X: pd.DataFrame) -> None:
    """Refuse two columns of the same name."""
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise ValueError(
            f"Got two columns named {twice!r} in X, expected distinct column names."
        )


def warn_nameless(X, layout: ColumnLayout | None) -> None:
    """Warn where several columns are one modality because none has a name."""
    if layout is None or not layout.nameless or layout.n_columns == 1:
        return
    if isinstance(X, pd.DataFrame):
        prefixed = {i for index in prefix_groups(X).values() for i in index}
        bare = [label for i, label in enumerate(X.columns) if i not in prefixed]
        what = f"columns without the prefix of a modality, {shorten(bare)},"
    else:
        what = "an array whose columns have no names"
    warn_user(
        f"Got {what} and modalities=None; all {layout.n_columns} columns are one "
        f"modality {NAMELESS!r}. List the columns of each modality in modalities, or "
        "name them modality__feature.",
        NamelessModalityWarning,
    )


def shorten(labels: list[Any], shown: int = 5) -> str:
    """A list for a message, cut where it is long."""
    text = f"{labels[:shown]}"
    return f"{text[:-1]}, ...]" if len(labels) > shown else text


def _has_levels(X) -> bool:
    return isinstance(X, pd.DataFrame) and isinstance(X.columns, pd.MultiIndex)


def _named_specs(modalities, X) -> list[tuple[str, Any]]:
    pairs: list[Any] = []
    if modalities is None:
        pairs = list(_group_columns(X).items())
    elif isinstance(modalities, Mapping):
        pairs = list(modalities.items())
    elif isinstance(modalities, Sequence) and not isinstance(modalities, str):
        if all(isinstance(item, str) for item in modalities):
            # Names alone choose among the groups that the column names define.
            groups = _group_columns(X)
            check_known("modalities with", modalities, groups)
            pairs = [(name, groups[name]) for name in modalities]
        elif all(isinstance(item, tuple) and len(item) == 2 for item in modalities):
            pairs = list(modalities)
    if not pairs:
        raise ValueError(
            f"Got modalities={modalities!r}, expected None, a non-empty mapping from "
            "modality names to columns, or a list of modality names."
        )
    return pairs


def _group_columns(X) -> dict[str, list[int]]:
    """Modalities that the column names define; one modality ``x`` otherwise."""
    groups: dict[str, list[int]] = {}
    if _has_levels(X):
        for i, first in enumerate(X.columns.get_level_values(0)):
            groups.setdefault(str(first), []).append(i)
    elif isinstance(X, pd.DataFrame):
        groups = prefix_groups(X)
    if not groups or sum(map(len, groups.values())) < X.shape[1]:
        groups = {NAMELESS: list(range(X.shape[1]))}
    for name in groups:
        check_name(name)
    return groups


def prefix_groups(X: pd.DataFrame) -> dict[str, list[int]]:
    """Positions of the columns named ``modality__feature``, by modality."""
    groups: dict[str, list[int]] = {}
    for i, label in enumerate(X.columns):
        if isinstance(label, str):
            prefix, _, feature = label.partition("__")
            if prefix and feature:
                groups.setdefault(prefix, []).append(i)
    return groups


def _select_columns(X, what: str, columns) -> np.ndarray:
    """Positions of columns; ``what`` they are, for messages."""
    key = columns(X) if callable(columns) else columns
    try:
        if _has_levels(X):
            found = _select_multiindex(X, key)
        else:
            labels = key.tolist() if isinstance(key, np.ndarray | pd.Index) else key
            found = _find_columns(X, labels)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        have = list(X.columns) if isinstance(X, pd.DataFrame) else X.shape[1]
        shown = f"{have[:10]}..." if isinstance(have, list) and len(have) > 10 else have
        if isinstance(key, list | tuple) and len({isinstance(k, str) for k in key}) > 1:
            raise ValueError(
                f"Got text and numbers in the columns {key!r} of {what}, expected "
                "either names or positions."
            ) from error
        unknown = key
        if isinstance(key, list | tuple) and isinstance(have, list):
            # Where each is known by itself, they are no selection together.
            unknown = [label for label in key if label not in have] or key
        expected = f"({shown}){_why_unknown(unknown, have)}"
        raise ValueError(
            f"Got unknown columns {unknown!r} for {what}, expected columns of X "
            f"{expected}."
        ) from error
    index = np.asarray(found, dtype=np.intp)
    if index.size == 0:
        raise ValueError(f"Got no column for {what}, expected at least one.")
    if len(np.unique(index)) != len(index):
        raise ValueError(f"Got a column twice in {what}, expected distinct columns.")
    return index


def _why_unknown(unknown, have) -> str:
    """What has taken the names of columns, or put those of modalities in front."""
    labels = [unknown] if isinstance(unknown, str) else unknown
    if not isinstance(labels, list | tuple):
        return ""
    if not isinstance(have, list):
        if not any(isinstance(label, str) for label in labels):
            return ""
        return (
            ", an array without names of columns; list their positions, or let the "
            "step before keep the names with set_output(transform='pandas')"
        )
    features = [c.partition("__")[2] for c in have if isinstance(c, str)]
    renamed = any(
        feature.startswith(label)
        for label in labels
        if isinstance(label, str)
        for feature in features
    )
    if not renamed:
        return ""
    return (
        ", which have the names that a ModalityTransformer makes; give modalities to "
        "the ModalityTransformer instead"
    )


def _find_columns(X, labels) -> list[int]:
    """Positions of columns, by scikit-learn's rules; labels of mixed types by label."""
    if isinstance(X, pd.DataFrame) and isinstance(labels, list):
        kinds = {isinstance(label, str) for label in labels}
        have = list(X.columns)
        if len(kinds) == 2 and all(label in have for label in labels):
            return [have.index(label) for label in labels]
    return _get_column_indices(X, labels)


def _select_multiindex(X: pd.DataFrame, key) -> list[int]:
    """Labels of a MultiIndex: whole tuples, or first-level labels."""
    first = X.columns.get_level_values(0)
    items = key if isinstance(key, list | pd.Index | np.ndarray) else [key]
    if isinstance(key, slice) or all(isinstance(i, int | np.integer) for i in items):
        return np.arange(X.shape[1])[key if isinstance(key, slice) else items].tolist()
    labels: list[Any] = list(X.columns)
    out: list[int] = []
    for item in items:
        whole = isinstance(item, tuple)
        found = [labels.index(item)] if whole else np.flatnonzero(first == item)
        if not len(found):
            raise KeyError(item)
        out.extend(found)
    return out
