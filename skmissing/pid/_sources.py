"""Which modalities make a source, and which rows and weights count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._estimation._folds import observed_rows
from .._estimation._resampling import effective_sample_size
from .._estimation._rows import check_partial_rows
from ..ipw._propensity import PropensityWeighter, make_weighter
from ..modalities._multimodal_data import MultimodalData

Source = tuple[str, ...]
Pair = tuple[Source, Source]


def resolve_sources(sources: Any, names: Sequence[str]) -> list[Source]:
    """Check the parameter ``sources``."""
    found: list[Source]
    if sources is None:
        found = [(name,) for name in names]
    else:
        given = [sources] if isinstance(sources, str) else list(sources)
        if not all(isinstance(s, str | list | tuple) for s in given):
            given = []
        found = [(s,) if isinstance(s, str) else tuple(s) for s in given]
    flat = [name for source in found for name in source]
    if (
        not found
        or not all(found)
        or len(set(flat)) != len(flat)
        or not set(flat) <= set(names)
    ):
        raise ValueError(
            f"Got sources={sources!r}, expected names of the modalities {list(names)}, "
            "or lists of them, each name at most once."
        )
    labels = [source_name(s) for s in found]
    if "joint" in labels or len(set(labels)) != len(labels):
        wrong = "joint" if "joint" in labels else max(labels, key=labels.count)
        raise ValueError(
            f"Got a source with the name {wrong!r}, expected distinct names other than "
            "'joint', which stands for all sources together."
        )
    return found


def source_name(source: Source) -> str:
    """What a source is called in results."""
    return "+".join(source)


def union(pair: Pair) -> Source:
    """All modalities of a pair, in an order that all pairs share."""
    return tuple(sorted(pair[0] + pair[1]))


def make_pairs(sources: list[Source]) -> list[Pair]:
    """Pairs to decompose: one source against the others."""
    if len(sources) <= 2:
        return [(sources[0], sources[1] if len(sources) == 2 else ())]
    return [
        (s, tuple(name for other in sources if other != s for name in other))
        for s in sources
    ]


@dataclass
class UsedRows:
    """The rows that the decomposition rests on.

    Attributes
    ----------
    rows : ndarray of int of shape (n,)
        Where they stand in X.
    data : MultimodalData of n rows
        Their blocks.
    codes : ndarray of int of shape (n,)
        Index of the class.
    classes : ndarray of shape (n_classes,)
        Labels that these rows show, sorted.
    weight : ndarray of shape (n,)
        Sample weight times inverse-probability weight, with mean 1.
    base : ndarray of shape (n_samples,)
        Sample weights of all rows of X.
    groups : ndarray of shape (n_samples,) or None
        Groups of all rows of X.
    weighter : PropensityWeighter or None
        The fitted model of missingness.
    """

    rows: np.ndarray
    data: MultimodalData
    codes: np.ndarray
    classes: np.ndarray
    weight: np.ndarray
    base: np.ndarray
    groups: np.ndarray | None
    weighter: PropensityWeighter | None

    @property
    def prior(self) -> np.ndarray:
        """Weighted share of each class, shape (n_classes,)."""
        mass = np.bincount(self.codes, self.weight, minlength=len(self.classes))
        return mass / mass.sum()

    @property
    def effective_sample_size(self) -> float:
        """Kish's effective number of rows."""
        return float(effective_sample_size(self.weight))


def check_used_rows(
    estimator: Any,
    X: Any,
    data: MultimodalData,
    y: Any,
    sample_weight: Any,
    groups: Any,
    names: list[str],
) -> UsedRows:
    """Find and weigh the rows that have every source and a label."""
    rows = check_partial_rows(estimator, data, y, sample_weight, groups)
    used = observed_rows(data, names) & rows.labelled
    if not used.any():
        raise ValueError(
            f"Got no row with a label and all of the modalities {names}, expected at "
            "least one."
        )
    weighter, weight = None, rows.weight
    if estimator.propensity is not None:
        weighter = make_weighter(estimator.propensity, X, estimator.modalities, names)
        weighter.fit(X, y, sample_weight, groups)
        if len(weighter.required_) > 1 or not set(names) <= set(weighter.required_[0]):
            raise ValueError(
                f"Got propensity with required={weighter.required!r}, expected None or "
                f"one list that holds {names}."
            )
        ipw = weighter.sample_weight_[:, 0]
        used &= ipw > 0
        weight = rows.weight * ipw
    shown, codes = np.unique(rows.y[used], return_inverse=True)
    if len(shown) < 2:
        raise ValueError(
            f"Got one class only ({rows.classes[shown].tolist()[0]!r}) in the rows "
            f"that have {names}, expected at least two classes."
        )
    return UsedRows(
        rows=np.flatnonzero(used),
        data=data if used.all() else data[used],
        codes=codes,
        classes=rows.classes[shown],
        weight=weight[used] / weight[used].mean(),
        base=rows.weight,
        groups=rows.groups,
        weighter=weighter,
    )
