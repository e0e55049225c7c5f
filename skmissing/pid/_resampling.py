"""Null distributions and intervals of a decomposition."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .._estimation._resampling import draw_counts
from ._decomposition import Parts
from ._sources import UsedRows


class Tables(Protocol):
    """What both methods offer: the cheap steps from classes and weights to parts."""

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> list[Parts]:
        """Decompose every pair."""


def _figures(parts: list[Parts]) -> np.ndarray:
    return np.concatenate([p.raw for p in parts])


def permute(
    tables: Tables,
    used: UsedRows,
    folds: np.ndarray | None,
    n_permutations: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Figures after the labels were shuffled among the used rows."""
    strata = np.zeros(len(used.codes), dtype=np.intp) if folds is None else folds
    members = [np.flatnonzero(strata == k) for k in np.unique(strata)]
    out = []
    for _ in range(n_permutations):
        codes = used.codes.copy()
        for rows in members:
            codes[rows] = codes[rng.permutation(rows)]
        out.append(_figures(tables.evaluate(codes, used.weight)))
    return np.array(out)


def bootstrap(
    tables: Tables,
    used: UsedRows,
    X: Any,
    y: Any,
    n_bootstraps: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Figures of resampled rows, with the propensities fitted anew."""
    frozen = used.weighter and used.weighter.frozen(X, y, used.base)
    out: list[np.ndarray] = []
    while len(out) < n_bootstraps:
        base = used.base * draw_counts(len(used.base), used.groups, rng)
        if not (base[used.rows] > 0).any():
            # No used row was drawn: there is nothing to estimate from.
            continue
        if frozen is None:
            weight = base[used.rows]
        else:
            full = np.zeros(len(base))
            full[frozen.rows] = frozen.weights(base, refit=True)
            weight = full[used.rows]
        out.append(_figures(tables.evaluate(used.codes, weight)))
    return np.array(out)


def p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of shuffles that reach the observed figures, the observed one included."""
    # Figures that are equal but for rounding count as reached.
    reached = null >= observed - 1e-12
    return (1.0 + reached.sum(axis=0)) / (1.0 + len(null))


def intervals(
    observed: np.ndarray, drawn: np.ndarray, largest: float = np.inf
) -> np.ndarray:
    """Bias-corrected intervals that hold 90% of the resamples.

    A resample is biased as against the data by about as much as the data are as
    against the population: plug-in figures grow each time. The quantiles of the
    resamples are therefore moved down by twice the difference of their mean and the
    observed figure.
    """
    ends = np.quantile(drawn, [0.05, 0.95], axis=0)
    return np.clip(ends - 2.0 * (drawn.mean(axis=0) - observed), 0.0, largest)


# Times that the rows are halved. The noise that this adds to a correction is a fraction
# of the correction's own.
N_HALVINGS = 4


def plug_in_bias(tables: Any, used: UsedRows, parts: list[Parts]) -> np.ndarray:
    """Bias of what the parts of every pair are made of."""
    first_order = tables.bias(used.codes, used.weight, used.effective_sample_size)
    single = np.array([not second for _, second in tables.pairs])
    # All figures of a single source are its information.
    least = first_order[:, 2]
    if not single.all():
        # What is unique to the first source, and what the second one says.
        whole = np.array([p.raw[0] + p.raw[5] for p in parts])
        least = half_sample_growth(tables, used, whole)
    return np.column_stack([first_order, least])


def half_sample_growth(tables: Any, used: UsedRows, whole: np.ndarray) -> np.ndarray:
    """How much larger the least joint information is in half of the rows.

    A bias that falls as 1 / n is twice as large in half of the rows as in all of them,
    so that the difference is what remains with all. Where both unique parts are near 0
    the least information is about the larger one of two nearly equal informations,
    whose bias falls as the root of n only: then this finds two fifths of it.
    Bootstrap resamples would serve as well for small tables, but tell less of tables
    with empty cells, which they cannot fill.
    """
    units = np.arange(len(used.codes))
    if used.groups is not None:
        units = np.unique(used.groups[used.rows], return_inverse=True)[1]
    n_units = int(units.max()) + 1
    if n_units < 2:
        return np.full(len(tables.pairs), np.nan)
    halves = []
    # Always the same halves: a correction should not add chance of its own to a method
    # that has none.
    rng = np.random.RandomState(0)
    for _ in range(N_HALVINGS):
        inside = rng.permutation(n_units)[units] < n_units // 2
        for half in (inside, ~inside):
            halves.append(tables.least(used.codes, used.weight * half))
    return np.mean(halves, axis=0) - whole
