"""Propensities, the value of each modality, sensitivity and shared information."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from sklearn.base import clone

from ..ipw import PropensityWeighter, modality_utility, sensitivity_bounds
from ..pid import PIDEstimator
from ._inputs import MANY_ROWS, Rows, Settings, run_all

ODDS_RATIOS = (1.0, 1.25, 1.5, 2.0, 3.0)


class Pair(NamedTuple):
    """A modality, and those that it is held against."""

    modality: str
    others: list[str]

    @property
    def both(self) -> list[str]:
        """All of them."""
        return [*self.others, self.modality]


def find_pairs(rows: Rows) -> list[Pair]:
    """Each modality against what nearly every row has, or else against all others."""
    core = rows.core
    pairs = []
    for name in rows.names:
        others = [other for other in core or rows.names if other != name]
        if others:
            pairs.append(Pair(name, others))
    return pairs


def _weighter(settings: Settings, **params) -> PropensityWeighter:
    template = settings.propensity
    if template is None:
        template = PropensityWeighter(random_state=settings.random_state)
    return clone(template).set_params(**params)


def model_missingness(rows: Rows, settings: Settings) -> dict[str, pd.DataFrame]:
    """Overlap and balance of the propensity of each modality that some rows have."""
    share = rows.present.mean(axis=0)
    names = [name for name, s in zip(rows.names, share) if 0 < s < 0.99]
    if not names:
        raise ValueError("Each modality is there in at least 99% of the rows.")
    weighter = _weighter(
        settings, required=[[name] for name in names], cv=settings.cv,
        modalities=rows.number_modalities, n_jobs=settings.n_jobs,
    )  # fmt: skip
    # All labels are known here; they tell which column is a copy of them.
    weighter.fit(rows.numbers, rows.y, rows.weight, rows.groups)
    given = (rows.numbers, None)
    return {
        "overlap": weighter.overlap(*given, sample_weight=rows.weight),
        "balance": weighter.balance(*given, sample_weight=rows.weight),
    }


def value_modalities(
    rows: Rows, pairs: list[Pair], settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each modality adds to the others, and how sure that is."""
    found = run_all(_value_one, pairs, rows, settings, n_jobs=settings.n_jobs)
    bounds = [bound for _, bound in found if bound is not None]
    return (
        pd.concat([gain for gain, _ in found], ignore_index=True),
        pd.concat(bounds, ignore_index=True) if bounds else pd.DataFrame(),
    )


def _value_one(
    pair: Pair, rows: Rows, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The gains of one modality, and their bounds."""
    table, scores = modality_utility(
        settings.learner, rows.numbers, rows.y,
        propensity=_weighter(settings),
        modalities=rows.number_modalities,
        subsets=[pair.others, pair.both],
        scoring=settings.scoring,
        cv=settings.cv,
        n_bootstraps=settings.n_bootstraps,
        # Their models take most of the time, and the page does not show them.
        doubly_robust=False,
        fold_dependence=len(rows) < MANY_ROWS,
        confidence_level=settings.confidence_level,
        sample_weight=rows.weight,
        groups=rows.groups,
        return_scores=True,
        random_state=settings.random_state,
    )  # fmt: skip
    gain = table[table["quantity"] == "gain"].assign(modality=pair.modality)
    means = gain[gain["metric"].isin(["neg_log_loss", "accuracy"])]
    if not len(means) or pair.modality in rows.core:
        return gain, None
    one = means.iloc[0]
    used = scores.rows(one["metric"], one["subset"], one["baseline"])
    bound = sensitivity_bounds(
        used["score"], used["propensity"], odds_ratios=ODDS_RATIOS,
        sample_weight=used["sample_weight"],
    )  # fmt: skip
    return gain, bound.reset_index().assign(
        modality=pair.modality,
        metric=one["metric"],
        tipping_odds_ratio=one["tipping_odds_ratio"],
    )


def share_information(
    rows: Rows, pairs: list[Pair], settings: Settings
) -> pd.DataFrame:
    """Unique, redundant and synergistic information of each pair."""
    tables = run_all(_share_one, pairs, rows, settings, n_jobs=settings.n_jobs)
    return pd.concat(tables, ignore_index=True)


def _share_one(pair: Pair, rows: Rows, settings: Settings) -> pd.DataFrame:
    """The parts of what one modality and the others know."""
    pid = PIDEstimator(
        modalities=rows.number_modalities,
        sources=[pair.modality, tuple(pair.others)],
        estimator=settings.learner,
        cv=settings.cv,
        propensity=_weighter(settings),
        n_bootstraps=settings.n_bootstraps,
        confidence_level=settings.confidence_level,
        random_state=settings.random_state,
    ).fit(rows.numbers, rows.y, rows.weight, rows.groups)
    table = pd.DataFrame(pid.to_frame())
    return table.assign(modality=pair.modality, n_rows=pid.n_used_)
