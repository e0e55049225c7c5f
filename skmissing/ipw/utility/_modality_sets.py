"""Sets of modalities to compare."""

from __future__ import annotations

from ..._utils._checks import choose_names

Subset = tuple[str, ...]


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


def orient(s: Subset, t: Subset) -> tuple[Subset, Subset]:
    """Baseline first: the smaller set where one holds the other."""
    return (t, s) if set(t) < set(s) else (s, t)
