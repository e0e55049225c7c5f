"""Test rows, and which of their columns belong to which modality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .._estimation._modalities import find_modalities
from .._estimation._vectors import read_vector
from ..missingness._hide import hide_blocks
from ..missingness._read import read_blocks
from ..modalities import MultimodalData


class ScoredRows(NamedTuple):
    """Rows in the form given, with what is known of their blocks."""

    X: Any
    y: np.ndarray
    modalities: Any
    names: list[str]
    present: np.ndarray

    def hide(self, mask: np.ndarray):
        """X with some blocks hidden; ``mask`` has the shape of ``present``."""
        return hide_blocks(self.X, mask, self.names, self.modalities)


def check_scored_rows(
    caller: str, X, y, estimators: Iterable[Any], modalities, *, several: bool = True
) -> ScoredRows:
    """Check test rows; ``several`` refuses a table that was read as one block."""
    modalities = find_modalities(estimators, X, modalities)
    data, _ = read_blocks(X, modalities, caller)
    if several:
        check_several(caller, X, data)
    y = read_vector("y", y, len(data))
    return ScoredRows(X, y, modalities, data.names, np.asarray(data.present))


def check_several(caller: str, X, data: MultimodalData) -> None:
    """Refuse a table that was read as one block."""
    if len(data.names) == 1 and not isinstance(X, MultimodalData):
        raise ValueError(
            f"Got X with the single modality {data.names[0]!r} in {caller}, expected "
            "at least two; pass modalities, which columns belong to which."
        )
