"""Test rows, and which of their columns belong to which modality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

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
    if modalities is None and not isinstance(X, MultimodalData):
        modalities = _find_modalities(estimators)
    data, _ = read_blocks(X, modalities, caller)
    if several and len(data.names) == 1 and not isinstance(X, MultimodalData):
        raise ValueError(
            f"Got X with the single modality {data.names[0]!r} in {caller}, expected "
            "at least two; pass modalities, which columns belong to which."
        )
    y = read_vector("y", y, len(data))
    return ScoredRows(X, y, modalities, data.names, np.asarray(data.present))


def _find_modalities(estimators: Iterable[Any]):
    """The modalities of some estimators, together."""
    out: dict[str, Any] = {}
    first = None
    for estimator in estimators:
        given = _own(estimator)
        if not isinstance(given, Mapping):
            first = given if first is None else first
            continue
        for name, columns in given.items():
            if name in out and repr(out[name]) != repr(columns):
                raise ValueError(
                    f"Got two estimators with the columns {out[name]!r} and "
                    f"{columns!r} of the modality {name!r}, expected the same."
                )
            out[name] = columns
    return out or first


def _own(estimator):
    """Parameter ``modalities`` of an estimator, or of the one inside it."""
    if getattr(estimator, "modalities", None) is not None:
        return estimator.modalities
    inside = [getattr(estimator, k, None) for k in ("best_estimator_", "estimator")]
    steps = getattr(estimator, "steps", None)
    if steps:
        inside = [steps[-1][1]]
    for each in inside:
        if each is not None and not isinstance(each, (str, type)):
            found = _own(each)
            if found is not None:
                return found
    return None
