"""Rows of an array that stays on disk."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

# Rows read at once when a whole block has to be walked through, and values in them at
# most. Neither depends on where the block is or on its type, so that sums over it are
# made of the same partial sums for every form of the data.
CHUNK_ROWS = 4096
CHUNK_VALUES = 10_000_000
# What reading in one place brings into memory besides: the system maps what is around.
READ_AROUND = 2**20
# Bytes that may have been read before the pages of a file are let go.
MAX_READ = 2**27


class _MappedPages:
    """Lets the pages of a memory-mapped file go once enough of them were read.

    What is read from a map stays in the memory of the process, which would so grow to
    the size of the file. The system keeps the pages as long as it has room for them.
    """

    def __init__(self, base: np.ndarray) -> None:
        self._read = 0
        owner: Any = base
        while owner is not None and not isinstance(owner, mmap.mmap):
            owner = getattr(owner, "base", None)
        # Changes to a copy-on-write map are in its pages alone.
        mode: str = getattr(base, "mode", "c")
        shared = mode != "c" and hasattr(mmap, "MADV_DONTNEED")
        self._map: Any = owner if shared else None

    def count(self, n_places: int, n_bytes: int) -> None:
        """Take account of bytes that were read in so many places."""
        self._read += n_places * READ_AROUND + n_bytes
        if self._read > MAX_READ and self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._read = 0


class RowView:
    """Chosen rows of a memory-mapped array, read only when they are taken.

    Indexing a ``numpy.memmap`` with an integer array copies the rows into memory. A
    cross-validation split would so load most of the file. This view keeps the base
    and the row numbers instead.
    """

    __slots__ = ("_pages", "base", "rows")

    def __init__(
        self,
        base: np.ndarray,
        rows: np.ndarray | None = None,
        pages: _MappedPages | None = None,
    ) -> None:
        self.base = base
        self.rows = np.asarray(np.arange(len(base)) if rows is None else rows, np.intp)
        # Views of one map count together.
        self._pages = _MappedPages(base) if pages is None else pages

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
        return RowView(self.base, chosen, self._pages)

    def take(self, rows) -> np.ndarray:
        """Read rows into memory, in the order asked for."""
        wanted = self.rows[rows]
        shape, dtype = self.base.shape[1:], self.base.dtype
        values = np.asarray(self.base)
        step = np.diff(wanted)
        in_one = len(wanted) > 0 and bool((step == 1).all())
        if in_one:
            out = np.array(values[wanted[0] : wanted[0] + len(wanted)], order="C")
        elif (step >= 0).all():
            out = values[wanted]
        else:
            # Reading in the order of the file is what makes a shuffled batch cheap.
            order = np.argsort(wanted, kind="stable")
            out = np.empty((len(wanted), *shape), dtype=dtype)
            out[order] = values[wanted[order]]
        self._pages.count(1 if in_one else len(wanted), out.nbytes)
        return out

    def reshape(self, shape: tuple[int, ...]) -> RowView:
        """The same rows, each in another shape."""
        base = self.base.reshape(len(self.base), *shape)
        return RowView(base, self.rows, self._pages)

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


def reshape_rows(
    block: np.ndarray | RowView, shape: tuple[int, ...]
) -> np.ndarray | RowView:
    """The rows of a block, each in another shape."""
    if isinstance(block, RowView):
        return block.reshape(shape)
    return block.reshape(len(block), *shape)


def chunk_rows_of(shape: tuple[int, ...]) -> int:
    """Rows in a chunk of a block, by the shape of one row."""
    return min(CHUNK_ROWS, max(1, CHUNK_VALUES // prod(shape)))


def iter_chunks(block: np.ndarray | RowView) -> Iterator[tuple[slice, np.ndarray]]:
    """Walk through a block in slices of a fixed number of rows."""
    chunk_rows = chunk_rows_of(block.shape[1:])
    for start in range(0, len(block), chunk_rows):
        part = slice(start, min(start + chunk_rows, len(block)))
        yield part, take_rows(block, part)
