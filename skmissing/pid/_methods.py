"""The methods of PIDEstimator, from used rows to parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._utils._random import draw_seed
from ._decomposition import Parts
from ._discrete import DiscreteTables, StatePosterior
from ._posterior import PosteriorTables, calibrate
from ._posterior_models import SourceModel, TiltedSource, make_folds
from ._sources import Pair, Source, UsedRows, union
from .coupling._tables import CouplingTables


@dataclass
class Found:
    """What a method found out.

    Attributes
    ----------
    tables : DiscreteTables, PosteriorTables or CouplingTables
        Repeats the cheap steps for other labels or weights.
    parts : list of Parts
        One per pair.
    folds : ndarray of int of shape (n,) or None
        Fold of each used row.
    log_ratio : callable
        From MultimodalData to the logarithm of posterior over prior, given all sources.
    held_out : dict of source to float
        Held-out information, bits.
    sizes : dict of source to int
        States.
    """

    tables: DiscreteTables | PosteriorTables | CouplingTables
    parts: list[Parts]
    folds: np.ndarray | None
    log_ratio: Any
    held_out: dict[Source, float]
    sizes: dict[Source, int]


def fit_exact(used: UsedRows, pairs: list[Pair]) -> Found:
    """Count distinct rows.

    Parameters
    ----------
    used : UsedRows
        The rows.
    pairs : list of pairs of sources
        What to decompose.

    Returns
    -------
    Found
    """
    tables = DiscreteTables(used.data, pairs, len(used.classes))
    posterior = StatePosterior(
        used.data, union(pairs[0]), used.codes, used.weight, used.prior
    )
    return Found(
        tables=tables,
        parts=tables.evaluate(used.codes, used.weight),
        folds=None,
        log_ratio=posterior.log_ratio,
        held_out={},
        sizes={s: int(v.max()) + 1 for s, v in tables.states_.items()},
    )


def fit_posterior(
    estimator: Any, used: UsedRows, pairs: list[Pair], rng: np.random.RandomState
) -> Found:
    """Cross-fit posteriors, and decompose through bins or couplings of them.

    Parameters
    ----------
    estimator : PIDEstimator
        Its ``estimator``, ``cv``, ``n_bins`` and ``method_`` are read.
    used : UsedRows
        The rows.
    pairs : list of pairs of sources
        What to decompose.
    rng : RandomState
        Draws folds and the seed of everything else.

    Returns
    -------
    Found
    """
    groups = None if used.groups is None else used.groups[used.rows]
    folds, trains = make_folds(
        estimator.cv, used.codes, used.rows, used.groups, len(used.base), rng
    )
    seed = draw_seed(rng)
    joint = union(pairs[0])
    wanted = [s for pair in pairs if pair[1] for s in pair]
    log_ratio = {}
    for source in dict.fromkeys([*wanted, joint]):
        model = SourceModel(
            estimator.estimator, source, used.data, used.codes, used.weight, folds,
            groups, seed, trains,
        )  # fmt: skip
        log_ratio[source] = model.cross_fit()
    # The last one is the joint model.
    finished = model.finish()
    tables: PosteriorTables | CouplingTables
    if estimator.method_ == "coupling":
        tables = CouplingTables(log_ratio, folds, pairs, used.data, used.weight, seed)
    else:
        tables = PosteriorTables(log_ratio, folds, pairs, estimator.n_bins)
    parts = tables.evaluate(used.codes, used.weight)
    # Nothing of these rows is scored with it, so all of them choose it.
    exponent = calibrate(
        log_ratio[joint], folds, used.codes, used.weight, np.log(used.prior)
    )
    return Found(
        tables=tables,
        parts=parts,
        folds=folds,
        log_ratio=TiltedSource(finished, float(exponent.mean())),
        held_out=tables.held_out_,
        sizes=tables.n_bins_,
    )
