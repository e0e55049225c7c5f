"""The one way from a user's X to blocks, for every estimator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, validate_data

from .._utils._checks import check_distinct, check_known
from ._blocks import from_tensor, is_row
from ._column_values import column_label
from ._frames import read_frame
from ._layout import prefix_groups, resolve_layout, shorten, warn_nameless
from ._matching import (
    absent_covariates,
    known_columns,
    match_columns,
    match_features,
    warn_absent,
)
from ._multimodal_data import MultimodalData, extract_blocks
from ._row_view import iter_chunks, reshape_rows


def check_multimodal(
    estimator, X, modalities=None, *, reset: bool, numeric: bool = True
) -> MultimodalData:
    """Validate X in any of its forms, frames of any library, and cut it into blocks.

    Sets ``n_features_in_``, ``feature_names_in_`` (frames with string names),
    ``modality_names_in_`` and ``modality_shapes_in_`` on ``estimator`` when ``reset``
    is True, and checks X against them otherwise.
    """
    X = read_frame(X)
    if isinstance(X, MultimodalData):
        data = _from_container(estimator, X, modalities, reset)
    elif isinstance(X, pd.DataFrame):
        data = _from_frame(estimator, X, modalities, reset, numeric)
    else:
        _refuse_parts(X)
        data = _from_array(estimator, X, modalities, reset, numeric)
    if numeric:
        for name, block in data.blocks.items():
            if block.dtype.kind not in "fiub":
                raise ValueError(
                    f"Got values of dtype {block.dtype} in the modality {name!r}, "
                    "expected numbers; encode it with a ModalityTransformer first."
                )
    if reset:
        if hasattr(estimator, "fit"):
            # Functions read X as well; what they do with one modality they say.
            warn_nameless(X, estimator.column_layout_)
        estimator.modality_names_in_ = np.asarray(data.names, dtype=object)
        estimator.modality_shapes_in_ = data.block_shapes
        estimator.modality_labels_ = data.feature_names
        return data
    data = match_features(data, estimator.modality_labels_)
    return _match_shapes(estimator, data)


def _refuse_parts(X) -> None:
    """Refuse dicts, and lists of blocks or of rows with names, with what to make."""
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        what = "make one with MultimodalData(X)"
        if is_row(X):
            what = "make a table of one row with pd.DataFrame([row])"
        raise TypeError(
            f"Got X of type {type(X).__module__}.{type(X).__name__}, expected a "
            f"2-D array, a pandas DataFrame or a MultimodalData; {what}."
        )
    if not isinstance(X, list | tuple) or not len(X):
        return
    if all(isinstance(row, Mapping) for row in X):
        raise TypeError(
            f"Got a {type(X).__name__} of dicts as X, expected a 2-D array, a pandas "
            "DataFrame or a MultimodalData; make a table with pd.DataFrame(rows)."
        )
    if all(getattr(block, "ndim", 0) > 1 for block in X):
        raise TypeError(
            f"Got a {type(X).__name__} of {len(X)} arrays as X, expected a 2-D array, "
            "a pandas DataFrame or a MultimodalData; make one with "
            "MultimodalData({name: array, ...}), by modality."
        )


def _require_rows(estimator, shape: tuple[int, ...]) -> None:
    for what, size in zip(("sample", "feature"), shape):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={tuple(shape)}) while a minimum "
                f"of 1 is required by {type(estimator).__name__}."
            )


def _from_container(
    estimator, X: MultimodalData, modalities, reset: bool
) -> MultimodalData:
    _require_rows(estimator, X.shape)
    if reset:
        validate_data(estimator, X, skip_check_array=True, reset=True)
        estimator.column_layout_ = None
        if modalities is None:
            return X
        # Columns cannot be chosen in a container.
        names = list(modalities) if isinstance(modalities, list | tuple) else []
        if not names or not all(isinstance(name, str) for name in names):
            inner = "; an estimator inside of another one gets blocks, not columns"
            raise ValueError(
                f"Got modalities={modalities!r} with a MultimodalData, expected None "
                f"or a list of some of its block names {X.names}{inner}."
            )
        check_distinct("modalities", names)
        check_known("modalities with", names, X.names)
        return X.select(names)
    wanted = list(estimator.modality_names_in_)
    warn_absent(wanted, X.names)
    shapes = estimator.modality_shapes_in_
    out = X.reindex({name: shapes[name] for name in wanted})
    if out is X:
        return X
    seen = estimator.modality_labels_.items()
    labels = {name: labels for name, labels in seen if name not in X.names}
    return MultimodalData.unchecked(
        out.blocks, out.present, {**labels, **out.feature_names}
    )


def _from_frame(
    estimator, X: pd.DataFrame, modalities, reset: bool, numeric: bool
) -> MultimodalData:
    _require_rows(estimator, X.shape)
    if reset:
        layout = resolve_layout(X, modalities)
        data = extract_blocks(X, layout, numeric)
        validate_data(estimator, X, skip_check_array=True, reset=True)
        estimator.column_layout_ = layout
        return data
    layout = estimator.column_layout_
    if layout is None:
        # Fitted on a MultimodalData: the names are all there is to go by.
        if not isinstance(modalities, Mapping):
            groups = prefix_groups(X)
            known = [n for n in estimator.modality_names_in_ if n in groups]
            if known:
                # The other columns are covariates.
                modalities = {name: groups[name] for name in known}
        data = extract_blocks(X, resolve_layout(X, modalities), numeric, True)
        return _from_container(estimator, data, modalities, reset=False)
    found = match_columns(estimator, X)
    validate_data(estimator, found, skip_check_array=True, reset=False)
    data = extract_blocks(found, layout, numeric, True)
    columns = known_columns(estimator)
    if found is not X and columns is not None:
        have = set(X.columns)
        warn_absent(
            layout.names,
            [n for n, i in layout.indices.items() if columns[i[0]] in have],
        )
    return data


def _from_array(estimator, X, modalities, reset: bool, numeric: bool) -> MultimodalData:
    X = from_tensor(X)
    # Only a table whose covariate columns may be text is looked at block by block.
    mixed = modalities is not None and getattr(X, "dtype", None) == np.dtype(object)
    options: dict[str, Any] = {"dtype": "numeric", "ensure_all_finite": "allow-nan"}
    if mixed or not numeric:
        options = {"dtype": None, "ensure_all_finite": False}
    if reset or estimator.column_layout_ is not None:
        array = validate_data(estimator, X, reset=reset, **options)
        if reset:
            estimator.column_layout_ = resolve_layout(array, modalities)
        return extract_blocks(array, estimator.column_layout_, numeric, not reset)
    array = check_array(X, estimator=estimator, **options)
    names = list(estimator.modality_names_in_)
    sizes = [prod(estimator.modality_shapes_in_[name]) for name in names]
    if array.shape[1] != sum(sizes):
        raise ValueError(
            f"X has {array.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {sum(sizes)} features as input: {dict(zip(names, sizes))}."
        )
    stops = np.cumsum(sizes).tolist()
    columns = {
        name: slice(stop - size, stop) for name, size, stop in zip(names, sizes, stops)
    }
    return extract_blocks(array, resolve_layout(array, columns), numeric, True)


def _match_shapes(estimator, data: MultimodalData) -> MultimodalData:
    """Blocks in the shapes of fit. Only flat ones, as tables have them, change."""
    expected = estimator.modality_shapes_in_
    if data.block_shapes == expected:
        return data
    blocks = data.blocks
    for name, shape in data.block_shapes.items():
        if shape == expected[name]:
            continue
        flat = len(shape) == 1 or len(expected[name]) == 1
        if not flat or prod(shape) != prod(expected[name]):
            raise ValueError(
                f"Got shape {shape} per row for the modality {name!r}, expected "
                f"{expected[name]} as in fit."
            )
        blocks[name] = reshape_rows(blocks[name], expected[name])
    return MultimodalData.unchecked(blocks, data.present, data.feature_names)


def covariate_frame(
    estimator, X, optional: Collection[str] | None = ()
) -> pd.DataFrame | None:
    """Columns of X that no modality names, as a data frame; None if there are none.

    Call it after :func:`check_multimodal` with the same estimator and X. Optional ones
    (None: all of them) are NaN where X does not have them.
    """
    layout, X = estimator.column_layout_, read_frame(X)
    if layout is None or isinstance(X, MultimodalData) or not len(layout.covariates):
        return None
    if isinstance(X, pd.DataFrame):
        absent = absent_covariates(estimator, X)
        if optional is not None:
            absent = [a for a in absent if column_label(a) not in optional]
        if absent and optional is not None:
            raise ValueError(
                f"Got X without the covariates {shorten(absent)}, expected the columns "
                "seen in fit."
            )
        return match_columns(estimator, X).iloc[:, layout.covariates]
    labels = [f"column{i}" for i in layout.covariates]
    return pd.DataFrame(np.asarray(X)[:, layout.covariates], columns=labels)


def flatten_blocks(data: MultimodalData, names: list[str]) -> np.ndarray:
    """Blocks side by side as a float64 table, NaN where a block is missing."""
    parts = []
    for name in names:
        block = data[name]
        here = data.present[:, data.names.index(name)]
        out = np.full((len(data), prod(block.shape[1:])), np.nan)
        for part, values in iter_chunks(block):
            flat = values.reshape(len(values), -1)
            out[part][here[part]] = flat[here[part]]
        parts.append(out)
    return np.concatenate(parts, axis=1)
