"""Which columns belong to which modality, as estimators were told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..modalities import MultimodalData


class _Told(NamedTuple):
    """What an estimator takes as modalities of X; ``asks`` whether it cuts X at all."""

    asks: bool
    modalities: Any = None


def find_modalities(estimators: Iterable[Any], X, modalities) -> Any:
    """The modalities given, or those that some estimators were given, together."""
    if modalities is not None or isinstance(X, MultimodalData):
        return modalities
    return _join(map(_read, estimators)).modalities


def _join(told: Iterable[_Told]) -> _Told:
    """Modalities by name of several; those that are no mapping where there is none."""
    out: dict[str, Any] = {}
    first, asks = None, False
    for each in told:
        asks |= each.asks
        if not isinstance(each.modalities, Mapping):
            first = each.modalities if first is None else first
            continue
        for name, columns in each.modalities.items():
            if name in out and repr(out[name]) != repr(columns):
                raise ValueError(
                    f"Got two estimators with the columns {out[name]!r} and "
                    f"{columns!r} of the modality {name!r}, expected the same."
                )
            out[name] = columns
    return _Told(asks, out or first)


def _read(estimator) -> _Told:
    """The parameter ``modalities`` of an estimator, or of one inside it."""
    own = getattr(estimator, "modalities", None)
    if own is not None:
        return _Told(True, own)
    told = _Told(hasattr(estimator, "modalities"))
    for inside in _parts(estimator):
        found = _join(map(_read, inside))
        if found.modalities is not None:
            return found
        if found.asks and hasattr(estimator, "steps"):
            # The step finds them by the names of columns; those of later steps are
            # about its output.
            return found
        told = _Told(told.asks or found.asks)
    return told


def _parts(estimator) -> Iterator[list[Any]]:
    """Estimators that get X, one after the other until one has modalities."""
    for _, step in getattr(estimator, "steps", None) or ():
        yield [step]
    for name in ("best_estimator_", "estimator"):
        part = getattr(estimator, name, None)
        if part is not None and not isinstance(part, (str, type)):
            yield [part]
    several = getattr(estimator, "estimators", None)
    if isinstance(several, list | tuple):
        # Of a vote; each is given by itself or with a name.
        yield [each[-1] if isinstance(each, tuple) else each for each in several]
