"""Null distributions, intervals and bias of a decomposition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from .._estimation._resampling import draw_counts
from .._estimation._rows import LabelledRows
from .._utils._progress import Progress
from .._utils._threads import single_thread
from ..ipw._propensity_model import FrozenPropensity
from ._decomposition import (
    Bias,
    Draw,
    Evaluation,
    count_table,
    first_order_bias,
    rough_union,
)
from ._sources import CompleteCases, Source, union

# Times that the rows are halved. The noise that this adds to a correction is a fraction
# of the correction's own.
N_HALVINGS = 4
# Draws that are evaluated together: at most so many, with so many rows in all, and so
# few that several processes get some. Whatever their number is, the parts are the same.
MOST_DRAWS = 100
MOST_ROWS = 2_000_000
LEAST_PARTS = 16


class Tables(Protocol):
    """What all methods offer: the cheap steps from labels and weights to terms."""

    def evaluate(self, codes: np.ndarray, weight: np.ndarray) -> Evaluation:
        """Decompose every pair."""

    def plain_terms(self, draws: list[Draw]) -> np.ndarray:
        """Plain terms of all pairs for several labels and weights."""


@dataclass(frozen=True)
class MethodFit:
    """What a method has fitted, and its decompositions of all pairs.

    ``tables`` repeat the cheap steps for other labels or weights; ``folds`` numbers
    the fold of each complete row, ``log_ratio`` predicts the logarithm of posterior
    over prior from all sources. ``reports`` compare the learners of each source.
    """

    tables: Tables
    found: Evaluation
    folds: np.ndarray | None
    log_ratio: Callable[[Any], np.ndarray]
    reports: list[pd.DataFrame]


class Repeats(NamedTuple):
    """How often to repeat, in how many processes, with a bar or not, and the chance."""

    n: int
    n_jobs: int | None
    verbose: int
    rng: np.random.RandomState

    def run(self, terms: PlainTerms, draws: Iterator, label: str) -> np.ndarray:
        """Stack the terms of all draws of labels and weights.

        The draws are made here, one after the other, whatever ``n_jobs`` is. Several
        at a time are evaluated together, which is faster and changes nothing.
        """
        size = min(MOST_DRAWS, MOST_ROWS // terms.n_rows, -(-self.n // LEAST_PARTS))
        size = max(1, size)
        parts = iter(lambda: list(islice(draws, size)), [])
        n_parts = -(-self.n // size)
        results = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(terms.evaluate)(part) for part in parts
        )
        shown = Progress(self.verbose).over(label)(results, n_parts)
        return np.concatenate(list(shown))


@dataclass(frozen=True, eq=False)
class PlainTerms:
    """Plain terms for labels of the rows ``index``, and for weights of all rows.

    Weights are multiplied by those of propensities that are fitted anew.
    """

    tables: Tables
    index: np.ndarray | slice
    frozen: FrozenPropensity | None
    n_rows: int

    def evaluate(self, draws: list[Draw]) -> np.ndarray:
        """Stack the plain terms of all pairs, draw by draw."""
        # The result must not depend on the number of threads of a process.
        with single_thread(user_api=None):
            return self.tables.plain_terms(
                [(codes, self._weigh(weight)[self.index]) for codes, weight in draws]
            )

    def _weigh(self, base: np.ndarray) -> np.ndarray:
        """Weights with propensities fitted to the resample."""
        if self.frozen is None:
            return base
        weight = np.zeros(len(base))
        weight[self.frozen.rows] = self.frozen.weights(base, refit=True)
        return weight


def permute(fit: MethodFit, rows: LabelledRows, repeats: Repeats) -> np.ndarray:
    """Plain terms after the labels were shuffled, shape (n_permutations, 7 n_pairs).

    Labels stay in their fold, so that held-out posteriors stay held out.
    """
    strata = np.zeros(len(rows), dtype=np.intp) if fit.folds is None else fit.folds
    members = [np.flatnonzero(strata == k) for k in np.unique(strata)]

    def draws() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(repeats.n):
            codes = rows.y.copy()
            for inside in members:
                codes[inside] = codes[repeats.rng.permutation(inside)]
            yield codes, rows.weight

    terms = PlainTerms(fit.tables, slice(None), None, len(rows))
    return repeats.run(terms, draws(), "shuffles")


def bootstrap(
    fit: MethodFit,
    cases: CompleteCases,
    frozen: FrozenPropensity | None,
    repeats: Repeats,
) -> np.ndarray:
    """Plain terms of resampled rows or groups, shape (n_bootstraps, 7 n_pairs).

    All rows are drawn from, not only the complete ones. Posteriors stay as they are.
    """
    weight, groups = cases.all_rows.weight, cases.all_rows.groups

    def draws() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        made = 0
        while made < repeats.n:
            base = weight * draw_counts(len(weight), groups, repeats.rng)
            # Without a complete row there is nothing to estimate from.
            if (base[cases.index] > 0).any():
                made += 1
                yield cases.rows.y, base

    terms = PlainTerms(fit.tables, cases.index, frozen, len(weight))
    return repeats.run(terms, draws(), "resamples")


def p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of shuffles that reach the observed value, the observed one included."""
    # Values that are equal but for rounding count as reached.
    reached = null >= observed - 1e-12
    return (1.0 + reached.sum(axis=0)) / (1.0 + len(null))


def intervals(
    observed: np.ndarray, drawn: np.ndarray, level: float = 0.9, largest: float = np.inf
) -> np.ndarray:
    """Bias-corrected intervals from 0 to ``largest``, shape (2, m).

    A resample is biased as against the data by about as much as the data are as
    against the population: plug-in values grow each time. The quantiles of the
    resamples are therefore moved down by twice the difference of their mean and the
    observed value.
    """
    # The decimal number: of 0.9 it is 0.05, which (1 - 0.9) / 2 misses by one place.
    tail = round((1.0 - level) / 2.0, 15)
    ends = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
    return np.clip(ends - 2.0 * (drawn.mean(axis=0) - observed), 0.0, largest)


def plug_in_bias(cases: CompleteCases, found: Evaluation) -> list[Bias]:
    """Bias of the informations that are plug-in estimates; 0 for held-out ones."""
    rows, pairs = cases.rows, cases.pairs
    states, n_classes, ess = found.states, len(rows.classes), rows.ess

    def table(source: Source, weight: np.ndarray) -> np.ndarray:
        return count_table(rows.y, states[source], weight, n_classes)

    def first_order(source: Source) -> float:
        if source not in states:
            return 0.0
        return first_order_bias(table(source, rows.weight), ess)

    def unions(weight: np.ndarray) -> np.ndarray:
        least = [rough_union(table(a, weight), table(b, weight)) for a, b in pairs]
        return np.array(least)

    if not pairs[0][1]:
        # All terms of a single source are its information.
        growth = np.array([first_order(union(pair)) for pair in pairs])
    elif all(s in states for pair in pairs for s in pair):
        whole = np.array([d.plain.union for d in found.decompositions])
        growth = half_sample_growth(unions, rows, whole)
    else:
        growth = np.full(len(pairs), np.nan)
    return [
        Bias(first_order(a), first_order(b), float(g), first_order(union((a, b))))
        for (a, b), g in zip(pairs, growth)
    ]


def half_sample_growth(
    unions: Callable[[np.ndarray], np.ndarray], rows: LabelledRows, whole: np.ndarray
) -> np.ndarray:
    """How much larger the union informations are in half of the rows than in all.

    This estimates their bias in all rows: a bias that falls as 1 / n is twice as large
    in half of them. Where both unique parts are near 0 the union information is about
    the larger one of two nearly equal informations, whose bias falls as the root of n
    only: then this finds two fifths of it. Bootstrap resamples would serve as well for
    small tables, but less for tables with empty cells, which they cannot fill. NaN for
    fewer than two rows or groups.
    """
    units = np.arange(len(rows)) if rows.groups is None else rows.groups
    units = np.unique(units, return_inverse=True)[1]
    n_units = int(units.max()) + 1
    if n_units < 2:
        return np.full(len(whole), np.nan)
    halves = []
    # Always the same halves: a correction should not add chance of its own to a method
    # that has none.
    rng = np.random.RandomState(0)
    for _ in range(N_HALVINGS):
        inside = rng.permutation(n_units)[units] < n_units // 2
        halves += [unions(rows.weight * half) for half in (inside, ~inside)]
    return np.mean(halves, axis=0) - whole
