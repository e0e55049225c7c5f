"""Sets of modalities to compare."""

from __future__ import annotations

from itertools import combinations

from ..._estimation._modalities import find_modalities
from ..._utils._checks import choose_names
from ...modalities import MultimodalData
from ...modalities._column_values import numeric_columns

Subset = tuple[str, ...]
Pair = tuple[Subset, Subset]

# Modalities up to which all default sets are compared with each other: of 20 there
# would be 820 gains.
ALL_PAIRS = 4


def resolve_subsets(subsets, names: list[str]) -> list[Subset]:
    """The sets to compare, each in the order of the modalities."""
    if subsets is None:
        alone = [(name,) for name in names]
        but_one = [tuple(n for n in names if n != name) for name in reversed(names)]
        wanted = [*alone, *but_one, tuple(names)]
        return [s for s in dict.fromkeys(wanted) if s]
    given = [choose_names(one, names, "subsets", distinct=True) for one in subsets]
    out = [tuple(name for name in names if name in chosen) for chosen in given]
    if len(set(out)) < len(out) or not out:
        raise ValueError(f"Got subsets={subsets!r}, expected distinct, non-empty sets.")
    return out


def check_given(template, X, data: MultimodalData) -> None:
    """Refuse modalities that are given to a part only."""
    if len(data.names) > 1 or isinstance(X, MultimodalData):
        return
    for part in ("propensity", "estimator"):
        if find_modalities([getattr(template, part)], X, None) is not None:
            raise ValueError(
                f"Got modalities in {part} and modalities=None, expected modalities of "
                "modality_utility itself, whose sets it compares."
            )


def check_numbers(data: MultimodalData, sets: list[Subset]) -> None:
    """Refuse text in a modality that a model is to see."""
    for name in data.names:
        block = data[name]
        if block.dtype.kind in "fiub" or not any(name in one for one in sets):
            continue
        what = f"the modality {name!r}"
        labels = data.feature_names.get(name)
        if labels:
            text = set(range(len(labels))) - set(numeric_columns(block))
            what = f"the column {labels[min(text, default=0)]!r} of {what}"
        raise ValueError(
            f"Got {what}, which holds no numbers, expected numbers before estimator, "
            "whatever its first step; pass encoder.fit_transform(X) of a "
            "ModalityTransformer as X, and its output_modalities_ as modalities."
        )


def resolve_pairs(subsets, sets: list[Subset]) -> list[Pair]:
    """Pairs of a baseline and a set to compare with it."""
    pairs = [orient(s, t) for s, t in combinations(sets, 2)]
    whole = max(sets, key=len)
    if subsets is None and len(whole) > ALL_PAIRS:
        pairs = [(s, t) for s, t in pairs if t == whole]
    return pairs


def orient(s: Subset, t: Subset) -> tuple[Subset, Subset]:
    """Baseline first: the smaller set where one holds the other."""
    return (t, s) if set(t) < set(s) else (s, t)
