"""Which columns belong to which modality, by the estimators to be scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..modalities import MultimodalData


def find_modalities(estimators: Iterable[Any]):
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


def check_several_modalities(X, names: list[str], caller: str) -> None:
    """Refuse a table without names of modalities, which was read as one block."""
    if len(names) == 1 and not isinstance(X, MultimodalData):
        raise ValueError(
            f"Got X with the single modality {names[0]!r} in {caller}, expected at "
            "least two; pass modalities, which columns belong to which."
        )
