"""The steps from data to the values and gains of sets of modalities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..._estimation._folds import Folds, observed_rows, split_rows, split_tested
from ..._estimation._rows import LabelledRows, check_partial_rows
from ..._utils._random import draw_seed, local_random_state
from ...modalities._validation import ColumnHolder, check_multimodal
from .._classifier import IPWMultimodalClassifier
from .._propensity import make_weighter
from ._bootstrap import Progress, bootstrap
from ._cross_fitting import CrossFitted, FitPlan, Job, cross_fit
from ._doubly_robust import check_outcome_model, model_outcomes
from ._fold_covariance import LeftOut, are_decisions, pairs_of_folds
from ._modality_sets import Subset, orient, resolve_subsets
from ._reweighted_metrics import resolve_metrics
from ._terms import Propensities, Signed, TermValues, UtilityTerm, Variant

Outcomes = dict[Subset, dict[str, np.ndarray]]


class StudySettings(NamedTuple):
    """Parameters of modality_utility that a study is set up with."""

    subsets: Any
    scoring: Any
    cv: Any
    outcome_model: Any
    correct_training: bool
    correct_evaluation: bool
    n_jobs: int | None
    verbose: int
    random_state: Any


class Fits(NamedTuple):
    """Models without one fold, and without two where errors count fold covariance."""

    each: CrossFitted
    without_two: CrossFitted | None


@dataclass(frozen=True)
class UtilityStudy:
    """Sets of modalities, the rows that they are compared on, and the metrics.

    ``chosen`` is the weighting of the models behind corrected values.
    """

    plan: FitPlan
    sets: list[Subset]
    metrics: list[Any]
    propensities: Propensities
    outcome_model: Any
    chosen: str
    correct_evaluation: bool
    rng: np.random.RandomState
    progress: Progress

    @classmethod
    def check(
        cls,
        template: IPWMultimodalClassifier,
        X,
        y,
        settings: StudySettings,
        sample_weight=None,
        groups=None,
    ) -> UtilityStudy:
        """Check what the user gave, and model what is missing."""
        data = check_multimodal(
            ColumnHolder(), X, template.modalities, reset=True, numeric=False
        )
        rows = check_partial_rows(template, data, y, sample_weight, groups)
        sets = resolve_subsets(settings.subsets, data.names)
        metrics = resolve_metrics(settings.scoring, rows.classes)
        if settings.correct_evaluation and any(m.is_mean for m in metrics):
            check_outcome_model(settings.outcome_model, rows.weight[rows.labelled])
        cv, rng = settings.cv, local_random_state(settings.random_state)
        present = {s: observed_rows(data, s) for s in sets}
        _check_sets(present, rows.labelled, "Got no")
        folds = split_rows(cv, X, y, rows, rng)
        tested = rows.labelled & folds.tested
        _check_sets(present, tested, f"Got cv={cv!r} that tests no")
        unions = {frozenset(s) for s in sets}
        unions |= {frozenset(s + t) for s, t in combinations(sets, 2)}
        propensities = {
            union: _freeze(template, X, y, rows, folds, sorted(union))
            for union in sorted(unions, key=sorted)
            if (observed_rows(data, sorted(union)) & tested).any()
        }
        return cls(
            FitPlan(template, X, y, rows, folds, present, settings.n_jobs),
            sets,
            metrics,
            _share_designs(propensities),
            outcome_model=settings.outcome_model,
            chosen="ipw" if settings.correct_training else "none",
            correct_evaluation=settings.correct_evaluation,
            rng=rng,
            progress=Progress(settings.verbose),
        )

    @property
    def pairs(self) -> list[tuple[Subset, Subset]]:
        """Baseline and subset of every gain."""
        return [orient(s, t) for s, t in combinations(self.sets, 2)]

    def fit_models(self, fold_covariance: bool) -> Fits:
        """Cross-fit a model for every set, trained without and with weights."""
        folds = self.plan.folds
        jobs: list[Job] = [
            (s, w) for s in self.sets for w in dict.fromkeys(["none", self.chosen])
        ]
        one = [LeftOut((k,), (k,)) for k in folds.numbers]
        each = cross_fit(self.plan, jobs, one, self.progress.over("models"))
        if not fold_covariance or len(folds.numbers) < 3:
            return Fits(each, None)
        bar = self.progress.over("models without two folds")
        return Fits(
            each, cross_fit(self.plan, jobs, pairs_of_folds(folds.fold), bar, each)
        )

    def model_outcomes(self, fits: Fits) -> Outcomes:
        """Model the scores of rows, for the doubly robust values of means."""
        if not self.correct_evaluation or not any(m.is_mean for m in self.metrics):
            return {}
        rows = self.plan.rows
        folds = split_tested(self.plan.folds, self.rng, rows.groups)
        return model_outcomes(
            {s: fits.each.predictions[s, self.chosen] for s in self.sets},
            self.metrics,
            rows,
            folds,
            next(iter(self.propensities.values())).design,
            self.outcome_model,
            seed=draw_seed(self.rng),
            progress=self.progress.over("outcomes"),
        )

    def make_terms(self, fits: Fits, outcomes: Outcomes) -> list[UtilityTerm]:
        """The value of every set and the gain of every pair, in every metric."""
        wanted = [(s, ()) for s in self.sets] + [(t, s) for s, t in self.pairs]
        return [
            self._term(subset, baseline, metric, fits, outcomes)
            if frozenset(subset + baseline) in self.propensities
            else UtilityTerm(subset, baseline, metric.name)
            for subset, baseline in wanted
            for metric in self.metrics
        ]

    def _term(
        self, subset: Subset, baseline: Subset, metric, fits: Fits, outcomes: Outcomes
    ) -> UtilityTerm:
        plan, sets = self.plan, [subset, baseline] if baseline else [subset]
        at = self.propensities[frozenset(subset + baseline)].rows

        def prepare(fitted: CrossFitted, weighting: str) -> list[Signed]:
            found = [fitted.predictions[s, weighting] for s in sets]
            return [
                Signed(sign, metric.prepare(plan.rows.y, p, at, plan.folds.fold))
                for sign, p in zip((1, -1), found)
            ]

        variants = [
            None if f is None else Variant(prepare(f, "none"), prepare(f, self.chosen))
            for f in fits
        ]
        found = [fits.each.predictions[s, self.chosen] for s in sets]
        low, high = metric.limits
        values = outcome = None
        if metric.is_mean:
            scores = [metric.values(plan.rows.y, p) for p in found]
            values = scores[0] - scores[1] if baseline else scores[0]
            if outcomes:
                outcome = np.column_stack([outcomes[s][metric.name] for s in sets])
        return UtilityTerm(
            subset,
            baseline,
            metric.name,
            variant=variants[0],
            without_two=variants[1],
            values=values,
            outcome=outcome,
            decides=metric.decides or all(are_decisions(p) for p in found),
            limits=(low - high, high - low) if baseline else (low, high),
        )

    def bootstrap(self, terms: list[UtilityTerm], n_bootstraps: int) -> TermValues:
        """Estimates of resampled rows, the models as they are."""
        return bootstrap(
            terms,
            self.propensities,
            self.plan.rows,
            self.rng.randint(2**31 - 1, size=n_bootstraps),
            correct_evaluation=self.correct_evaluation,
            n_jobs=self.plan.n_jobs,
            progress=self.progress,
        )


def _check_sets(
    present: dict[Subset, np.ndarray], counted: np.ndarray, start: str
) -> None:
    """Refuse sets that no row has."""
    for subset, here in present.items():
        if not (here & counted).any():
            raise ValueError(
                f"{start} row with a label and all of the modalities "
                f"{list(subset)}, expected at least one; leave it out of subsets."
            )


def _freeze(
    template: IPWMultimodalClassifier,
    X,
    y,
    rows: LabelledRows,
    folds: Folds,
    union: list[str],
):
    """Propensities of the rows that have some modalities."""
    required = [name for name in rows.data.names if name in union]
    weighter = make_weighter(template.propensity, X, template.modalities, required)
    weighter.fit(X, y, rows.weight, rows.groups)
    return replace(weighter.frozen(X, y, rows.weight), tested=folds.tested)


def _share_designs(propensities: Propensities) -> Propensities:
    """The same, equal covariates held once: they are copied to other processes."""
    out: Propensities = {}
    for union, frozen in propensities.items():
        same = (p for p in out.values() if np.array_equal(p.design, frozen.design))
        earlier = next(same, frozen)
        out[union] = replace(frozen, design=earlier.design)
    return out
