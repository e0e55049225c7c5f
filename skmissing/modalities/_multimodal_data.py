"""The container for blocks of any shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import prod
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from .._utils._checks import check_known
from ._blocks import (
    Block,
    as_block,
    check_mask,
    check_name,
    fill_absent_rows,
    find_present,
    is_row,
    sort_mask,
)
from ._column_values import dtype_with_nan, feature_labels, frame_block, missing_value
from ._frames import is_other_frame, to_pandas
from ._layout import ColumnLayout, resolve_layout
from ._row_view import RowView


class MultimodalData:
    """Several blocks of features over the same rows, any of which may be missing.

    A block is an array with one row per sample and any further axes: a table of
    laboratory values ``(n, 12)``, images ``(n, 1, 28, 28)``, series ``(n, T, F)``,
    tokens ``(n, T)``. The attribute ``present`` holds which blocks each row has. It is
    part of the container, so that it is kept by every splitter and search of
    scikit-learn.

    Parameters
    ----------
    blocks : mapping of str to array of shape (n_samples, ...)
        NumPy arrays, memory maps (they stay on disk until a batch needs their rows),
        torch tensors, data frames, or lists with an array for each row, None where
        it is missing. One-dimensional arrays become one column.
    present : array of bool of shape (n_samples, n_modalities), default=None
        Which row has which block, columns in the order of ``blocks``. Where it is
        False the content of the block may be anything. None: a row of a floating
        point (or object, or date) block is missing when all its values are NaN (NaT),
        and where it came as None; other blocks of integers, booleans and strings are
        present everywhere.
    feature_names : mapping of str to sequence of str, default=None
        Column names for :meth:`to_frame`, one for each value of a row of the block.
        Blocks that are not listed get ``modality__0``, ``modality__1`` and so on.

    Attributes
    ----------
    names : list of str
        Names of the modalities.
    present : ndarray of bool of shape (n_samples, n_modalities)
        Read-only presence mask.
    blocks : dict of str to array
        The blocks. Rows that are not present hold arbitrary content.
    shape : tuple of int
        ``(n_samples, n_modalities)``.
    block_shapes : dict of str to tuple of int
        Shape of one row of each block.
    feature_names : dict of str to list of str
        Column names of the blocks that have some.

    Raises
    ------
    ValueError
        For blocks of different length, a mask of the wrong shape, a row marked
        present whose block is all NaN, or infinite values in a present row.
    TypeError
        For blocks or masks of a type that cannot be used.

    See Also
    --------
    Modality : Names the columns of one modality in a 2-D array or a data frame.

    Notes
    -----
    ``numpy.asarray`` of the container is an error: blocks of different shape have no
    common array. Use :meth:`to_frame` to get a table.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> X = MultimodalData({
    ...     "labs": [[1.0, 2.0], [np.nan, np.nan], [3.0, np.nan]],
    ...     "image": np.zeros((3, 1, 4, 4), dtype=np.uint8),
    ... })
    >>> X
    MultimodalData of 3 rows, 2 modalities
      labs   (2,)       float64  33.3% missing
      image  (1, 4, 4)  uint8     0.0% missing
    >>> X.present.tolist()
    [[True, True], [False, True], [True, True]]
    >>> X[[0, 2]].shape
    (2, 2)
    """

    def __init__(
        self,
        blocks,
        present: np.ndarray | None = None,
        feature_names: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not isinstance(blocks, Mapping) or not blocks:
            raise TypeError(
                f"Got blocks={type(blocks).__name__!s}, expected a non-empty mapping "
                "from modality names to arrays."
            )
        if len(blocks) > 1 and is_row(blocks):
            raise TypeError(
                "Got blocks of single values, expected arrays with one row per sample; "
                "pd.DataFrame([row]) makes a table of one row."
            )
        self._blocks: dict[str, Block] = {}
        absent: dict[str, np.ndarray] = {}
        present = sort_mask(present, list(blocks))
        mask = None if present is None else np.asarray(present)
        for m, (name, block) in enumerate(blocks.items()):
            check_name(name)
            here = None
            if mask is not None and mask.dtype == bool and mask.ndim == 2:
                here = mask[:, m] if m < mask.shape[1] else None
            rows, none_rows = fill_absent_rows(name, block)
            self._blocks[name] = as_block(name, rows, here)
            if none_rows is not None:
                absent[name] = none_rows
        lengths = {name: len(block) for name, block in self._blocks.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"Got blocks of different length {lengths}, expected the same number "
                "of rows in each."
            )
        self._n = next(iter(lengths.values()))
        self._present = find_present(self._blocks, present, self._n, absent)
        self._feature_names = _check_feature_names(feature_names, self.block_shapes)

    @classmethod
    def unchecked(
        cls,
        blocks: dict[str, Block],
        present: np.ndarray,
        feature_names: dict[str, list[str]] | None = None,
    ) -> MultimodalData:
        """Build from parts that are known to be valid, without a scan of the values.

        Parameters
        ----------
        blocks : dict of str to ndarray of shape (n_samples, ...)
            The blocks, used as they are.
        present : ndarray of bool of shape (n_samples, n_modalities)
            Which row has which block. It becomes read-only.
        feature_names : dict of str to list of str, default=None
            Column names of the blocks.

        Returns
        -------
        MultimodalData
        """
        new = cls.__new__(cls)
        present.flags.writeable = False
        new.__dict__.update(
            _blocks=blocks,
            _n=len(next(iter(blocks.values()))),
            _present=present,
            _feature_names={} if feature_names is None else feature_names,
        )
        return new

    # -- description ---------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        return list(self._blocks)

    @property
    def present(self) -> np.ndarray:
        return self._present

    @property
    def blocks(self) -> dict[str, Block]:
        return dict(self._blocks)

    @property
    def feature_names(self) -> dict[str, list[str]]:
        return dict(self._feature_names)

    @property
    def shape(self) -> tuple[int, int]:
        return (self._n, len(self._blocks))

    @property
    def block_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: block.shape[1:] for name, block in self._blocks.items()}

    def __len__(self) -> int:
        return self._n

    def _describe(self) -> list[tuple[str, str, str, str]]:
        missing = 100.0 * (1.0 - self._present.mean(axis=0)) if self._n else []
        return [
            (
                name,
                str(block.shape[1:]),
                str(block.dtype) + (", on disk" if isinstance(block, RowView) else ""),
                f"{missing[m]:5.1f}% missing" if self._n else "",
            )
            for m, (name, block) in enumerate(self._blocks.items())
        ]

    def __repr__(self) -> str:
        rows = self._describe()
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        head = f"MultimodalData of {self._n} rows, {len(rows)} modalities"
        lines = [
            f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}} {d}".rstrip()
            for a, b, c, d in rows
        ]
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._describe()
        )
        return (
            f"<table><caption>MultimodalData of {self._n} rows</caption><thead><tr>"
            "<th>modality</th><th>shape</th><th>dtype</th><th>missing</th></tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def __array__(self, dtype=None, copy: bool | None = None) -> NoReturn:
        raise TypeError(
            "Got a MultimodalData where an array is needed, expected a 2-D table; "
            "to_frame() makes one whose column names keep the modalities."
        )

    # -- rows and modalities -------------------------------------------------------

    def __getitem__(self, key):
        """Rows as a MultimodalData, or one block by its name."""
        if isinstance(key, str):
            self._index_of(key, into="X[...]")
            return self._blocks[key]
        if isinstance(key, tuple):
            # scikit-learn indexes rows with X[rows, ...].
            rest = key[1] if len(key) == 2 else None
            if rest is Ellipsis or (isinstance(rest, slice) and rest == slice(None)):
                return self[key[0]]
            raise TypeError(
                "Got an index over columns of a MultimodalData, expected an index over "
                "rows; use .select(names) to choose modalities, or .to_frame() for a "
                "table."
            )
        if isinstance(key, np.ndarray) and key.ndim == 0:
            key = key.item()
        if isinstance(key, Integral) and not isinstance(key, bool):
            row = int(key)
            if not -self._n <= row < self._n:
                raise IndexError(f"row {row} is out of bounds for {self._n} rows")
            key = slice(row % self._n, row % self._n + 1)
        elif not isinstance(key, slice):
            key = np.asarray(key)
            if key.size == 0:
                key = key.astype(np.intp)
            if key.dtype == bool and key.shape != (self._n,):
                raise IndexError(
                    f"Got a boolean index of shape {key.shape}, expected ({self._n},)."
                )
            if key.ndim > 1:
                raise IndexError(
                    f"Got an index of shape {key.shape}, expected one dimension."
                )
            if key.dtype != bool and not np.issubdtype(key.dtype, np.integer):
                raise TypeError(
                    f"Got an index of dtype {key.dtype}, expected integers, booleans "
                    "or a slice over rows."
                )
        return MultimodalData.unchecked(
            {name: block[key] for name, block in self._blocks.items()},
            self._present[key],
            self._feature_names,
        )

    def _index_of(self, name: str, into: str) -> int:
        if name not in self.names:
            raise KeyError(
                f"Got the unknown modality {name!r} in {into}, expected one of "
                f"{self.names}."
            )
        return self.names.index(name)

    def select(self, names: Sequence[str] | str) -> MultimodalData:
        """Keep some modalities, in the order asked for.

        Parameters
        ----------
        names : str or sequence of str
            Names of the modalities to keep.

        Returns
        -------
        MultimodalData
            Shares its blocks with this object.
        """
        names = [names] if isinstance(names, str) else list(names)
        if not names or len(set(names)) != len(names):
            raise ValueError(
                f"Got names={names}, expected distinct names of at least one modality."
            )
        index = [self._index_of(name, into="select") for name in names]
        return MultimodalData.unchecked(
            {name: self._blocks[name] for name in names},
            self._present[:, index],
            {k: v for k, v in self._feature_names.items() if k in names},
        )

    def reindex(self, like) -> MultimodalData:
        """Take the modalities of other data: missing ones are added, others left out.

        Parameters
        ----------
        like : MultimodalData or mapping of str to tuple of int
            Data with the modalities wanted, or the shape of one row of each, as in
            ``modality_shapes_in_`` of a fitted estimator.

        Returns
        -------
        MultimodalData
            The modalities of ``like`` in its order. Those that this object does not
            have are missing in every row. Blocks are shared.

        Raises
        ------
        ValueError
            For a modality whose rows have another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from skmissing import MultimodalData
        >>> X = MultimodalData({"labs": np.ones((2, 3)), "ecg": np.ones((2, 1, 8))})
        >>> X.select("ecg").reindex(X)
        MultimodalData of 2 rows, 2 modalities
          labs  (3,)    uint8    100.0% missing
          ecg   (1, 8)  float64    0.0% missing
        """
        shapes = like.block_shapes if isinstance(like, MultimodalData) else like
        if not isinstance(shapes, Mapping) or not shapes:
            raise TypeError(
                f"Got like={type(like).__name__}, expected a MultimodalData or a "
                "mapping from names to shapes."
            )
        own = self.block_shapes if isinstance(like, MultimodalData) else {}
        for name, shape in shapes.items():
            if own.get(name, tuple(shape)) != tuple(shape):
                raise ValueError(
                    f"Got rows of shape {own[name]} in the modality {name!r}, expected "
                    f"{tuple(shape)} as in like."
                )
        if list(shapes) == self.names:
            return self
        blocks: dict[str, Block] = {}
        present = np.zeros((self._n, len(shapes)), dtype=bool)
        for m, (name, shape) in enumerate(shapes.items()):
            if name in self._blocks:
                blocks[name] = self._blocks[name]
                present[:, m] = self._present[:, self.names.index(name)]
            else:
                # The smallest type; what it holds is never read.
                blocks[name] = np.zeros((self._n, *shape), dtype=np.uint8)
        labels = {k: v for k, v in self._feature_names.items() if k in shapes}
        return MultimodalData.unchecked(blocks, present, labels)

    def hide(
        self, mask: np.ndarray | Mapping[str, Any] | Sequence[str] | str
    ) -> MultimodalData:
        """Mark blocks as missing.

        Parameters
        ----------
        mask : bool array of shape (n_samples, n_modalities), mapping, str or list
            True hides. A mapping takes a name to a bool array of shape (n_samples,);
            a name or a list of names hides these modalities in every row.

        Returns
        -------
        MultimodalData
            Shares its blocks with this object; only the presence mask is new.
        """
        full = np.zeros(self.shape, dtype=bool)
        if isinstance(mask, str):
            mask = [mask]
        if isinstance(mask, Mapping):
            for name, rows in mask.items():
                column = check_mask(f"a mask for {name!r}", rows, (self._n,))
                full[:, self._index_of(name, into="hide")] = column
        elif isinstance(mask, list | tuple) and all(isinstance(i, str) for i in mask):
            for name in mask:
                full[:, self._index_of(str(name), into="hide")] = True
        else:
            full = check_mask("a mask", mask, self.shape)
        return MultimodalData.unchecked(
            dict(self._blocks), self._present & ~full, self._feature_names
        )

    @staticmethod
    def concat(parts: Iterable[MultimodalData]) -> MultimodalData:
        """Stack the rows of several containers with the same modalities.

        Parameters
        ----------
        parts : iterable of MultimodalData
            Modalities are matched by name; blocks must agree in shape. Blocks on disk
            are read.

        Returns
        -------
        MultimodalData
        """
        parts = list(parts)
        if not parts:
            raise ValueError("Got no parts, expected at least one MultimodalData.")
        first = parts[0]
        for part in parts:
            if set(part.names) != set(first.names):
                raise ValueError(
                    f"Got parts with modalities {part.names} and {first.names}, "
                    "expected the same names."
                )
            if part.block_shapes != first.block_shapes:
                raise ValueError(
                    f"Got parts with blocks of shape {part.block_shapes} and "
                    f"{first.block_shapes}, expected the same shapes."
                )
        blocks: dict[str, Block] = {
            name: np.concatenate([np.asarray(part[name]) for part in parts])
            for name in first.names
        }
        present = np.concatenate([part.select(first.names).present for part in parts])
        return MultimodalData.unchecked(blocks, present, first.feature_names)

    # -- tables ---------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """Flatten into a data frame with columns ``modality__feature``.

        Returns
        -------
        pandas.DataFrame of shape (n_samples, total number of features)
            Missing blocks are NaN; integer blocks with missing rows become float64.
            Every block is read into memory.
        """
        parts = []
        for m, (name, block) in enumerate(self._blocks.items()):
            flat = np.asarray(block).reshape(self._n, prod(block.shape[1:]))
            here = self._present[:, m]
            if not here.all():
                flat = flat.astype(dtype_with_nan(flat.dtype))
                flat[~here] = missing_value(flat.dtype)
            numbered = [f"{name}__{i}" for i in range(flat.shape[1])]
            labels = self._feature_names.get(name, numbered)
            parts.append(pd.DataFrame(flat, columns=labels))
        return pd.concat(parts, axis=1)

    @staticmethod
    def from_frame(frame, modalities=None) -> MultimodalData:
        """Cut a data frame or a 2-D array into blocks.

        Parameters
        ----------
        frame : DataFrame or array of shape (n_samples, n_columns)
            The table. Frames of polars and others that narwhals reads become pandas
            frames. Columns that no modality names (covariates) are left out.
        modalities : mapping, default=None
            Columns of each modality, see :class:`Modality`. None groups columns named
            ``modality__feature`` by their prefix, MultiIndex columns by first level.

        Returns
        -------
        MultimodalData
            A row of a block is missing where all its columns are NaN.
        """
        if not isinstance(frame, pd.DataFrame):
            if is_other_frame(frame):
                frame = to_pandas(frame)
            elif np.ndim(frame) != 2:
                raise TypeError(
                    f"Got a {type(frame).__module__}.{type(frame).__name__}, expected "
                    "a pandas DataFrame or a 2-D array."
                )
            else:
                frame = np.asarray(frame)
        return extract_blocks(frame, resolve_layout(frame, modalities), numeric=False)


def extract_blocks(X, layout: ColumnLayout, numeric: bool = True, fitted: bool = False):
    """Cut a table into a :class:`MultimodalData`, block by block."""
    blocks: dict[str, Any] = {}
    labels: dict[str, list[str]] = {}
    columns = X.columns if isinstance(X, pd.DataFrame) else [None]
    named = all(isinstance(label, str | tuple) for label in columns)
    for name, index in layout.indices.items():
        part: Any
        if isinstance(X, pd.DataFrame):
            part = frame_block(X.iloc[:, index], name, numeric, fitted)
        else:
            part = np.asarray(X)[:, index]
            if part.dtype == object:
                table = pd.DataFrame(part, columns=index)
                part = frame_block(table, name, numeric, fitted)
        if named:
            labels[name] = feature_labels(name, X.columns[index])
        shape = (len(X), *layout.shapes[name])
        blocks[name] = np.ascontiguousarray(part).reshape(shape)
    return MultimodalData(blocks, feature_names=labels)


def _check_feature_names(
    given: Mapping[str, Sequence[str]] | None, shapes: dict[str, tuple[int, ...]]
) -> dict[str, list[str]]:
    """Feature names by block, one for each value of a row."""
    out = {name: list(labels) for name, labels in (given or {}).items()}
    check_known("feature_names for", out, shapes)
    for name, labels in out.items():
        if len(labels) != prod(shapes[name]):
            raise ValueError(
                f"Got {len(labels)} feature_names for the modality {name!r}, expected "
                f"{prod(shapes[name])}, the values of one row."
            )
    return out
