"""Blocks of a user as arrays with rows first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ._column_values import frame_block, missing_value, numbers_of_objects
from ._frames import read_frame, read_series
from ._row_view import RowView, iter_chunks

Block = np.ndarray | RowView


def check_name(name) -> None:
    """Refuse a name that column names ``modality__feature`` could not give back."""
    if not isinstance(name, str) or not name or "__" in name or name.endswith("_"):
        raise ValueError(
            f"Got the modality name {name!r}, expected a non-empty string that has no "
            "'__' and no '_' at its end, since '__' separates modality and feature in "
            "column names."
        )


def fill_absent_rows(name: str, block) -> tuple[Any, np.ndarray | None]:
    """One array of rows that come one by one, and which of them are None.

    Blocks that are no list of arrays stay as they are, with None for the mask.
    """
    if isinstance(block, pd.Series) and block.dtype == object:
        block = block.to_numpy()
    in_one = isinstance(block, np.ndarray) and (block.dtype != object or block.ndim > 1)
    if in_one or not isinstance(block, list | tuple | np.ndarray):
        return block, None
    absent = np.array([_is_absent(row) for row in block], dtype=bool)
    tensors = any(hasattr(row, "detach") for row in block[:1])
    if isinstance(block, list | tuple) and not (absent.any() or tensors):
        return block, None
    there = [row for row, is_absent in zip(block, absent) if not is_absent]
    arrays = [_to_numpy(name, row) for row in there if _is_array(row)]
    if not arrays or len(arrays) < len(there):
        # Numbers or text, which NumPy knows.
        return block, None
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(
            f"Got rows of different shape in block {name!r}, expected one array; pad "
            "series with NaN at their end, and give None for a row that is missing."
        )
    rows = np.stack(arrays)
    fill = 0 if rows.dtype.kind in "iub" else missing_value(rows.dtype)
    if rows.dtype.kind in "US":
        rows, fill = rows.astype(object), np.nan
    out = np.full((len(absent), *rows.shape[1:]), fill, dtype=rows.dtype)
    out[~absent] = rows
    return out, absent


def is_row(blocks: Mapping) -> bool:
    """Whether a dict has single values, as one row of a table with its names."""
    return bool(blocks) and all(map(pd.api.types.is_scalar, blocks.values()))


def _is_array(row) -> bool:
    return isinstance(row, list | tuple) or getattr(row, "ndim", 0) > 0


def _is_absent(row) -> bool:
    return pd.api.types.is_scalar(row) and bool(pd.isna(row))


def as_block(name: str, block, present: np.ndarray | None = None) -> Block:
    """A block as an array with rows first; ``present`` are the rows that count."""
    if isinstance(block, RowView):
        return block
    if isinstance(block, np.memmap):
        return RowView(block.reshape(-1, 1) if block.ndim == 1 else block)
    array = _to_numpy(name, block)
    if array.dtype == object:
        given = None if present is None or len(present) != len(array) else present
        numbers = numbers_of_objects(array, given)
        array = array if numbers is None else numbers
    if array.ndim == 0:
        raise TypeError(
            f"Got a {type(block).__name__} as block {name!r}, expected an array with "
            "one row per sample."
        )
    if array.dtype.kind == "c":
        raise ValueError(
            f"Got complex values in block {name!r}, expected real numbers."
        )
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if 0 in array.shape[1:]:
        raise ValueError(
            f"Got shape {array.shape} for block {name!r}, expected at least one "
            "feature."
        )
    return array


def from_tensor(values):
    """Values of a torch tensor as an array; anything else as it is."""
    if type(values).__module__.partition(".")[0] != "torch":
        return values
    # torch is not imported here: a tensor can only exist where it is.
    values = values.detach().cpu()
    return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()


def _to_numpy(name: str, block) -> np.ndarray:
    """An array in native byte order, from all that users have blocks in."""
    block = read_series(from_tensor(block))
    if isinstance(block, pd.DataFrame | pd.Series):
        # The way of every frame: None and pd.NA become NaN, numbers become an array.
        block = frame_block(pd.DataFrame(block), name, numeric=False)
    elif isinstance(block, np.ma.MaskedArray):
        block = np.ma.filled(block.astype(np.float64), np.nan)
    try:
        array = np.asarray(block)
    except ValueError as error:
        raise ValueError(
            f"Got rows of different shape in block {name!r}, expected one array; pad "
            "series with NaN at their end, and give None for a row that is missing."
        ) from error
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        # No tensor holds them.
        array = array.astype(np.float64)
    return array


def check_mask(what: str, mask, shape: tuple[int, ...]) -> np.ndarray:
    """A mask as an array, refused unless it is boolean and of the shape."""
    given = np.asarray(mask)
    if given.dtype != bool or given.shape != shape:
        raise ValueError(
            f"Got {what} of shape {given.shape} and dtype {given.dtype}, expected a "
            f"boolean mask of shape {shape}."
        )
    return given


def sort_mask(present, names: list[str]):
    """A mask with its columns in the order of the blocks, where it has their names."""
    present = read_frame(present)
    if not isinstance(present, pd.DataFrame):
        return present
    if set(present.columns) == set(names):
        return present[names]
    if all(isinstance(label, str) for label in present.columns):
        raise ValueError(
            f"Got present with the columns {list(present.columns)}, expected the names "
            f"of the blocks {names}."
        )
    return present


def find_present(
    blocks: dict[str, Block], present, n: int, absent: dict[str, np.ndarray]
) -> np.ndarray:
    """Which row has which block, and whether present blocks can be used.

    ``absent`` has the rows of some blocks that came as None.
    """
    names = list(blocks)
    out = np.ones((n, len(names)), dtype=bool)
    if present is not None:
        out &= check_mask("present", present, out.shape)
    for m, (name, block) in enumerate(blocks.items()):
        if name in absent:
            if present is not None and (out[:, m] & absent[name]).any():
                row = int(np.argmax(out[:, m] & absent[name]))
                raise ValueError(
                    f"Got present=True for row {row} of block {name!r} that is None, "
                    "expected its values."
                )
            out[:, m] &= ~absent[name]
        if block.dtype.kind not in "fcOmM":
            continue
        for part, values in iter_chunks(block):
            flat, here = values.reshape(len(values), -1), out[part, m]
            empty = np.asarray(pd.isna(flat)).all(axis=1)
            if present is None:
                here &= ~empty
            elif (empty & here).any():
                row = part.start + int(np.argmax(empty & here))
                raise ValueError(
                    f"Got present=True for row {row} of block {name!r} whose values "
                    "are all NaN, expected at least one value."
                )
            bad = np.zeros(len(flat), dtype=bool)
            if block.dtype.kind == "f":
                bad = np.isinf(flat).any(axis=1) & here
            if bad.any():
                row = part.start + int(np.argmax(bad))
                raise ValueError(
                    f"Got an infinite value in row {row} of block {name!r}, expected "
                    "finite values or NaN where a block is present."
                )
    out.flags.writeable = False
    return out
