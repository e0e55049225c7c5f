"""Rows of an array that stays on disk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Rows read at once when a whole block has to be walked through. A constant, so that
# sums over a block are made of the same partial sums for every form of the data.
CHUNK_ROWS = 4096


class RowView:
    """Chosen rows of a memory-mapped array, read only when they are taken.

    Indexing a ``numpy.memmap`` with an integer array copies the rows into memory. A
    cross-validation split would so load most of the file. This view keeps the base
    and the row numbers instead.
    """

    __slots__ = ("base", "rows")

    def __init__(self, base: np.ndarray, rows: np.ndarray | None = None) -> None:
        self.base = base
        self.rows = np.asarray(np.arange(len(base)) if rows is None else rows, np.intp)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.base.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.base.dtype

    @property
    def ndim(self) -> int:
        return self.base.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows):
        """Rows as another view; the values of a single one."""
        chosen = self.rows[rows]
        if np.ndim(chosen) == 0:
            return np.array(self.base[chosen])
        return RowView(self.base, chosen)

    def take(self, rows) -> np.ndarray:
        """Read rows into memory, in the order asked for."""
        wanted = self.rows[rows]
        # Reading in the order of the file is what makes a shuffled batch cheap.
        order = np.argsort(wanted, kind="stable")
        out = np.empty((len(wanted), *self.base.shape[1:]), dtype=self.base.dtype)
        out[order] = self.base[wanted[order]]
        return out

    def __array__(self, dtype=None, copy: bool | None = None) -> np.ndarray:
        out = self.take(slice(None))
        return out if dtype is None else out.astype(dtype, copy=False)

    def __reduce__(self) -> tuple:
        if 2 * len(self.rows) < len(self.base):
            # A plain pickle writes the whole of a memory map. joblib, which hands the
            # file to its workers instead, gets it where most rows are wanted.
            return (RowView, (self.take(slice(None)),))
        return (RowView, (self.base, self.rows))


def take_rows(block: np.ndarray | RowView, rows) -> np.ndarray:
    """Rows of a block as an array in memory."""
    return block.take(rows) if isinstance(block, RowView) else block[rows]


def iter_chunks(
    block: np.ndarray | RowView, chunk_rows: int = CHUNK_ROWS
) -> Iterator[tuple[slice, np.ndarray]]:
    """Walk through a block in slices of a fixed number of rows."""
    for start in range(0, len(block), chunk_rows):
        part = slice(start, min(start + chunk_rows, len(block)))
        yield part, take_rows(block, part)
