"""Which modalities make a source, and which rows and weights count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._estimation._folds import observed_rows
from .._estimation._rows import LabelledRows, check_partial_rows
from ..ipw._propensity import PropensityWeighter, make_weighter
from ..modalities._multimodal_data import MultimodalData

Source = tuple[str, ...]
Pair = tuple[Source, Source]


def resolve_sources(sources, names: Sequence[str]) -> list[Source]:
    """Check the parameter ``sources``."""
    given = names if sources is None else sources
    given = [given] if isinstance(given, str) else list(given)
    typed = all(isinstance(s, str | list | tuple) for s in given)
    found = [(s,) if isinstance(s, str) else tuple(s) for s in given] if typed else []
    flat = [name for source in found for name in source]
    distinct = len(set(flat)) == len(flat)
    if not found or not all(found) or not distinct or not set(flat) <= set(names):
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
    """Name of a source in results."""
    return "+".join(source)


def union(pair: Pair) -> Source:
    """All modalities of a pair, in an order that all pairs share."""
    first, second = pair
    return tuple(sorted(first + second))


def make_pairs(sources: list[Source]) -> list[Pair]:
    """Pairs to decompose; a single source has an empty second one.

    Up to two sources make one pair; more of them one each, against all others.
    """
    ones = sources if len(sources) > 2 else sources[:1]
    return [
        (s, tuple(name for other in sources if other != s for name in other))
        for s in ones
    ]


@dataclass(frozen=True)
class CompleteCases:
    """Rows with a label and every source, and the rows that they were taken from.

    The weights of ``rows`` have mean 1 and include the inverse propensities; those of
    ``all_rows`` do not. ``index`` numbers the complete rows among all of them.
    """

    rows: LabelledRows
    index: np.ndarray
    all_rows: LabelledRows
    weighter: PropensityWeighter | None
    pairs: list[Pair]


def find_complete_cases(
    estimator,
    X,
    data: MultimodalData,
    sources: list[Source],
    *,
    y,
    sample_weight,
    groups,
) -> CompleteCases:
    """Find and weight the rows that have a label and all sources."""
    names = [name for source in sources for name in source]
    all_rows = check_partial_rows(estimator, data, y, sample_weight, groups)
    complete = observed_rows(data, names) & all_rows.labelled
    if not complete.any():
        raise ValueError(
            f"Got no row with a label and all of the modalities {names}, expected at "
            "least one."
        )
    weighter, weight = None, all_rows.weight
    if estimator.propensity is not None:
        weighter = make_weighter(estimator.propensity, X, estimator.modalities, names)
        weighter.fit(X, y, sample_weight, groups)
        if len(weighter.required_) > 1 or not set(names) <= set(weighter.required_[0]):
            raise ValueError(
                f"Got propensity with required={weighter.required!r}, expected None or "
                f"one list that holds {names}."
            )
        ipw = weighter.sample_weight_[:, 0]
        complete &= ipw > 0
        weight = all_rows.weight * ipw
    rows = replace(all_rows, weight=weight).take(complete)
    observed, codes = np.unique(rows.y, return_inverse=True)
    classes = all_rows.classes[observed]
    if len(classes) < 2:
        raise ValueError(
            f"Got one class only ({classes.tolist()[0]!r}) in the rows "
            f"that have {names}, expected at least two classes."
        )
    used = replace(rows, y=codes, classes=classes).normalised()
    index, pairs = np.flatnonzero(complete), make_pairs(sources)
    return CompleteCases(used, index, all_rows, weighter, pairs)
