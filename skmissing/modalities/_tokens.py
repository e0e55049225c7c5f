"""Integer tokens: their codes, and blocks that look as if they held some."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ._multimodal_data import MultimodalData
from ._row_view import iter_chunks, take_rows
from ._scaling import BlockScaler

PADDING, UNKNOWN, FIRST_TOKEN = 0, 1, 2
# Rows that are looked at, evenly spread over the block.
SAMPLE_ROWS = 4096
FEW_VALUES = 10


@dataclass
class TokenCodes(BlockScaler):
    """Codes of the tokens of training rows: 0 padding, 1 unknown, then the vocabulary.

    NaN is padding, and so are runs of ``padding_token`` at both ends of a row.
    """

    vocabulary: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    padding_token: int | None = 0

    @property
    def row_by_row(self) -> bool:
        return True

    def input_dtype(self, dtype: np.dtype) -> np.dtype:  # noqa: ARG002
        return np.dtype(np.int64)

    def transform(
        self,
        name: str,  # noqa: ARG002
        values: np.ndarray,
        dtype: np.dtype,  # noqa: ARG002
    ) -> np.ndarray:
        """Codes of some rows of a block of integers, or of floats that hold some."""
        place = np.searchsorted(self.vocabulary, values)
        place = np.minimum(place, max(len(self.vocabulary) - 1, 0))
        known = np.zeros(values.shape, dtype=bool)
        if len(self.vocabulary):
            known = self.vocabulary[place] == values
        out = np.where(known, place + FIRST_TOKEN, UNKNOWN).astype(np.int64)
        out[padded(values, self.padding_token)] = PADDING
        return out


def padded(values: np.ndarray, padding_token: int | None) -> np.ndarray:
    """Which places of rows of tokens are padding."""
    out = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if padding_token is None:
        return out
    empty = out | (values == padding_token)
    left = np.logical_and.accumulate(empty, axis=1)
    right = np.logical_and.accumulate(empty[:, ::-1], axis=1)[:, ::-1]
    return out | left | right


def fit_token_codes(
    name: str, block, rows: np.ndarray, n_tokens: int | None, padding_token: int | None
) -> TokenCodes:
    """Learn the vocabulary of the training rows, or take the first ``n_tokens``."""
    found = [np.arange(0 if n_tokens is None else n_tokens, dtype=np.int64)]
    for part, values in iter_chunks(block):
        chosen = values[rows[part]]
        tokens = np.unique(chosen[~padded(chosen, padding_token)])
        if tokens.dtype.kind == "f" and (tokens != np.rint(tokens)).any():
            raise ValueError(
                f"Got values that are no whole numbers in the modality {name!r} with "
                "EmbeddingEncoder, expected integer tokens."
            )
        if n_tokens is None:
            found.append(tokens.astype(np.int64))
    nothing = np.zeros(1)
    return TokenCodes(
        nothing, np.ones(1), nothing, scales=False, keeps_integers=True,
        vocabulary=np.unique(np.concatenate(found)), padding_token=padding_token,
    )  # fmt: skip


def may_be_tokens(data: MultimodalData, name: str) -> bool:
    """Whether a block is of a type and shape that tokens come in.

    Features with names, or with a level of their own, are columns of a table; integers
    of one byte are pixels, flags and small counts; negative integers, and those of few
    values, are numbers as well.
    """
    block = data[name]
    if not (
        block.dtype.kind in "iu"
        and block.dtype.itemsize > 1
        and block.ndim == 2
        and block.shape[1] > 1
        and name not in data.feature_names
    ):
        return False
    values = _sample(data, name)
    if not len(values) or values.min() < 0:
        return False
    if len(np.unique(values[values > 0])) <= FEW_VALUES:
        return False
    return not _levels_differ(values)


def _levels_differ(values: np.ndarray) -> bool:
    """Whether most of the variance is between places, as between columns of a table."""
    real = ~padded(values, 0)
    n, flat = real.sum(axis=0), values[real]
    level = np.where(real, values, 0).sum(axis=0) / np.maximum(n, 1)
    between = np.average((level - flat.mean()) ** 2, weights=n)
    return bool(between > 0.5 * flat.var())


def numeric_trait(data: MultimodalData, name: str) -> str | None:
    """What makes the integers of a block look like numbers; None if nothing does."""
    values = _sample(data, name)
    real = ~padded(values, 0)
    flat = values[real]
    distinct, counts = np.unique(flat, return_counts=True)
    if 2 * len(distinct) > len(flat):
        return f"{len(distinct)} distinct values in {len(flat)} places"
    if (flat == 0).mean() > 0.1:
        return "zeros between other values"
    if _is_hump(distinct, counts):
        return "middle values that are the most common"
    return None


def _is_hump(distinct: np.ndarray, counts: np.ndarray) -> bool:
    """Whether neighbouring values are about as common, most so in the middle."""
    low, high = int(distinct[0]), int(distinct[-1])
    if high - low > 10 * len(distinct):
        return False
    table = np.zeros(high - low + 1)
    table[distinct - low] = counts
    common = np.argmax(table) / (high - low)
    if not 0.1 < common < 0.9 or table.std() == 0:
        return False
    return bool(np.corrcoef(table[:-1], table[1:])[0, 1] > 0.5)


def _sample(data: MultimodalData, name: str) -> np.ndarray:
    """Some of the rows that have a block."""
    rows = np.flatnonzero(data.present[:, data.names.index(name)])
    step = max(1, len(rows) // SAMPLE_ROWS)
    return take_rows(data[name], rows[::step])
