"""Blocks of a user as arrays with rows first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._column_values import frame_block, numbers_of_objects
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


def _to_numpy(name: str, block) -> np.ndarray:
    """An array in native byte order, from all that users have blocks in."""
    if type(block).__module__.partition(".")[0] == "torch":
        # Not imported here: a tensor can only exist where torch does.
        block = block.detach().cpu()
        block = (block.float() if "bfloat16" in str(block.dtype) else block).numpy()
    elif isinstance(block, pd.DataFrame | pd.Series):
        # The way of every frame: None and pd.NA become NaN, numbers become an array.
        block = frame_block(pd.DataFrame(block), name, numeric=False)
    elif isinstance(block, np.ma.MaskedArray):
        block = np.ma.filled(block.astype(np.float64), np.nan)
    try:
        array = np.asarray(block)
    except ValueError as error:
        raise ValueError(
            f"Got rows of different shape in block {name!r}, expected one array; pad "
            "series with NaN at their end."
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


def find_present(blocks: dict[str, Block], present, n: int) -> np.ndarray:
    """Which row has which block, and whether what is there can be used."""
    names = list(blocks)
    out = np.ones((n, len(names)), dtype=bool)
    if present is not None:
        out &= check_mask("present", present, out.shape)
    for m, (name, block) in enumerate(blocks.items()):
        if block.dtype.kind not in "fcO":
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
