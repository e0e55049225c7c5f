"""The steps from data to the values and gains of sets of modalities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..._estimation._folds import observed_rows, split_rows, split_tested
from ..._estimation._rows import LabelledRows, check_partial_rows
from ..._utils._random import draw_seed, local_random_state
from ...modalities._validation import ColumnHolder, check_multimodal
from .._classifier import IPWMultimodalClassifier
from ._bootstrap import (
    Evaluate,
    Progress,
    Propensities,
    TermValues,
    UtilityTerm,
    UtilityTerms,
    Variant,
)
from ._cross_fitting import CrossFitted, FitPlan, Job
from ._doubly_robust import OutcomeModel, check_outcome_model
from ._fold_covariance import LeftOut, are_decisions, pairs_of_folds
from ._modality_sets import Subset, orient, resolve_subsets
from ._reweighted_metrics import resolve_metrics

Outcomes = dict[Subset, dict[str, np.ndarray]]


class StudySettings(NamedTuple):
    """Parameters of modality_utility that a study is set up with."""

    subsets: Any
    scoring: Any
    cv: Any
    outcome_model: Any
    correct_training: bool
    correct_evaluation: bool
    sample_weight: Any
    groups: Any
    n_jobs: int | None
    verbose: int
    random_state: Any


class Fits(NamedTuple):
    """Models without one fold, and without two where errors count fold covariance."""

    each: CrossFitted
    without_two: CrossFitted | None


@dataclass(frozen=True)
class UtilityStudy:
    """Sets of modalities, the rows that they are compared on, and the metrics."""

    settings: StudySettings
    rows: LabelledRows
    sets: list[Subset]
    metrics: list[Any]
    plan: FitPlan
    propensities: Propensities
    rng: np.random.RandomState
    progress: Progress

    @classmethod
    def check(
        cls, template: IPWMultimodalClassifier, X, y, settings: StudySettings
    ) -> UtilityStudy:
        """Check what the user gave, and model what is missing."""
        data = check_multimodal(
            ColumnHolder(), X, template.modalities, reset=True, numeric=False
        )
        rows = check_partial_rows(
            template, data, y, settings.sample_weight, settings.groups
        )
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
        plan = FitPlan(
            template, X, y, rows.weight, rows.groups, rows.classes, rows.y, folds,
            present, settings.n_jobs,
        )  # fmt: skip
        unions = {frozenset(s + t) for s in sets for t in sets}
        propensities: Propensities = {}
        for union in sorted(unions, key=sorted):
            required = [name for name in data.names if name in union]
            if (observed_rows(data, required) & tested).any():
                frozen = plan.freeze_propensity(required)
                # Equal covariates are held once: they are copied to other processes.
                designs = (p.design for p in propensities.values())
                same = (d for d in designs if np.array_equal(d, frozen.design))
                propensities[union] = replace(frozen, design=next(same, frozen.design))
        bars = Progress(settings.verbose)
        return cls(settings, rows, sets, metrics, plan, propensities, rng, bars)

    @property
    def chosen(self) -> str:
        """Weighting of the models behind corrected values."""
        return "ipw" if self.settings.correct_training else "none"

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
        each = self.plan.cross_fit(jobs, one, self.progress.over("models"))
        if not fold_covariance or len(folds.numbers) < 3:
            return Fits(each, None)
        bar, pairs = (
            self.progress.over("models without two folds"),
            pairs_of_folds(folds.fold),
        )
        return Fits(each, self.plan.cross_fit(jobs, pairs, bar, each))

    def model_outcomes(self, fits: Fits) -> Outcomes:
        """Model the scores of rows, for the doubly robust values of means."""
        if not self.settings.correct_evaluation:
            return {}
        means = [m for m in self.metrics if m.is_mean]
        if not means:
            return {}
        rows = self.rows
        folds = split_tested(self.plan.folds, self.rng, rows.groups)
        model = OutcomeModel(
            self.settings.outcome_model, folds, rows.weight, draw_seed(self.rng)
        )
        return model.predict_scores(
            {s: fits.each.predictions[s, self.chosen] for s in self.sets},
            means,
            next(iter(self.propensities.values())).design,
            self.progress.over("outcomes"),
        )

    def make_terms(self, fits: Fits, outcomes: Outcomes) -> UtilityTerms:
        """The value of every set and the gain of every pair, in every metric."""
        wanted = [(s, ()) for s in self.sets] + [(t, s) for s, t in self.pairs]
        terms = [
            self._term(subset, baseline, metric, fits, outcomes)
            for subset, baseline in wanted
            for metric in self.metrics
        ]
        return UtilityTerms(
            terms, self.propensities, self.rows.weight, self.rows.groups,
            self.settings.correct_evaluation,
        )  # fmt: skip

    def _term(
        self, subset: Subset, baseline: Subset, metric, fits: Fits, outcomes: Outcomes
    ) -> UtilityTerm:
        frozen = self.propensities.get(frozenset(subset + baseline))
        if frozen is None:
            return UtilityTerm(subset, baseline, metric.name)
        sets = [subset, baseline] if baseline else [subset]

        def prepare(fitted: CrossFitted, weighting: str) -> Evaluate:
            found = [fitted.predictions[s, weighting] for s in sets]
            first, *second = [metric.prepare(p, frozen.rows) for p in found]
            return lambda weight: first(weight) - sum(each(weight) for each in second)

        variants = [
            None if f is None else Variant(prepare(f, "none"), prepare(f, self.chosen))
            for f in fits
        ]
        found = [fits.each.predictions[s, self.chosen] for s in sets]
        low, high = metric.limits
        values = outcome = None
        if metric.is_mean:
            scores = [metric.values(p) for p in found]
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

    def bootstrap(self, terms: UtilityTerms, n_bootstraps: int) -> TermValues:
        """Estimates of resampled rows, the models as they are."""
        seeds = self.rng.randint(2**31 - 1, size=n_bootstraps)
        return terms.bootstrap(seeds, self.settings.n_jobs, self.progress)


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
