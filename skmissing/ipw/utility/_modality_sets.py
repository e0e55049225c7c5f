"""Sets of modalities to compare."""

from __future__ import annotations

Subset = tuple[str, ...]


def resolve_subsets(subsets, names: list[str]) -> list[Subset]:
    """The sets to compare, each in the order of the modalities."""
    if subsets is None:
        alone = [(name,) for name in names]
        but_one = [tuple(n for n in names if n != name) for name in reversed(names)]
        wanted = [*alone, *but_one, tuple(names)]
        return [s for s in dict.fromkeys(wanted) if s]
    out: list[Subset] = []
    for given in subsets:
        subset = (given,) if isinstance(given, str) else tuple(given)
        unknown = [name for name in subset if name not in names]
        if unknown or not subset or len(set(subset)) < len(subset):
            raise ValueError(
                f"Got {given!r} in subsets, expected distinct names of some of the "
                f"modalities {names}."
            )
        out.append(tuple(name for name in names if name in subset))
    if len(set(out)) < len(out) or not out:
        raise ValueError(f"Got subsets={subsets!r}, expected distinct, non-empty sets.")
    return out


def orient(s: Subset, t: Subset) -> tuple[Subset, Subset]:
    """Baseline first: the smaller set where one holds the other."""
    return (t, s) if set(t) < set(s) else (s, t)
