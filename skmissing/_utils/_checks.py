"""Checks of single values that several parameters share."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

from ._sklearn_compat import Interval

# Constraints of the parameter n_jobs: joblib gives no meaning to 0.
N_JOBS = [
    Interval(Integral, None, -1, closed="right"),
    Interval(Integral, 1, None, closed="left"),
    None,
]


def is_count(value, least: int = 1) -> bool:
    """Whether a value is an integer, no bool, and at least so large."""
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    return integer and value >= least


def check_known(what: str, names: Iterable, known: Iterable[str]) -> None:
    """Refuse names that no modality has; ``what`` is given under these names."""
    expected = list(known)
    for name in names:
        if name not in expected:
            raise ValueError(
                f"Got {what} the unknown modality {name!r}, expected some of "
                f"{expected}."
            )


def check_distinct(parameter: str, names: Iterable) -> None:
    """Refuse a modality that comes twice."""
    seen: list = []
    for name in names:
        if name in seen:
            raise ValueError(
                f"Got the modality {name!r} twice in {parameter}, expected distinct "
                "names."
            )
        seen.append(name)


def choose_names(
    given, names: list[str], parameter: str, *, distinct: bool = False
) -> list[str]:
    """Names of some of the modalities: several, one, or a label such as "a + b"."""
    chosen = split_label(given, names) if isinstance(given, str) else list(given)
    known = bool(chosen) and all(name in names for name in chosen)
    if not known or (distinct and len(set(chosen)) < len(chosen)):
        what = "distinct names" if distinct else "names"
        raise ValueError(
            f"Got {given!r} in {parameter}, expected {what} of some of the modalities "
            f"{names}."
        )
    return chosen


def split_label(label: str, names: Iterable[str]) -> list[str]:
    """Modalities of a label, as tables join their names; a name stands for itself."""
    known = list(names)
    parts = [part.strip() for part in label.split("+")]
    if label in known or not all(part in known for part in parts):
        return [label]
    return parts
