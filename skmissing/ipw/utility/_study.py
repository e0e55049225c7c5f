"""The steps from data to the values and gains of sets of modalities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from ..._estimation._folds import Folds, observed_rows, split_rows, split_tested
from ..._estimation._rows import LabelledRows, check_partial_rows
from ..._utils._progress import Progress
from ..._utils._random import draw_seed, local_random_state
from ..._utils._sklearn_compat import _safe_indexing
from ..._utils._warn import warn_user
from ...exceptions import FoldDependenceWarning, IdentifierWarning, SkmissingWarning
from ...missingness._read import read_blocks
from .._classifier import IPWMultimodalClassifier
from .._propensity import make_weighter
from .._propensity_model import FrozenPropensity
from ._bootstrap import (
    Evaluate,
    Propensities,
    TermValues,
    UtilityTerm,
    UtilityTerms,
    Variant,
)
from ._doubly_robust import OutcomeModel, check_outcome_model
from ._fold_covariance import LeftOut, are_decisions, pairs_of_folds
from ._modality_sets import (
    Pair,
    Subset,
    check_given,
    check_numbers,
    resolve_pairs,
    resolve_subsets,
)
from ._reweighted_metrics import Predictions, resolve_metrics

Outcomes = dict[Subset, dict[str, np.ndarray]]
Job = tuple[Subset, str]


class FoldFit(NamedTuple):
    """A fitted model, and what it predicts for the tested rows."""

    model: IPWMultimodalClassifier
    proba: np.ndarray | None
    labels: np.ndarray


class CrossFitted(NamedTuple):
    """Out-of-fold predictions and fitted models, by subset and weighting."""

    predictions: dict[Job, Predictions]
    models: dict[Job, list[IPWMultimodalClassifier]]


@dataclass(frozen=True, eq=False)
class FitPlan:
    """What the models of a study are fitted on.

    ``present`` are the rows that have all modalities of a subset.
    """

    template: IPWMultimodalClassifier
    X: Any
    y: Any
    rows: LabelledRows
    folds: Folds
    present: dict[Subset, np.ndarray]
    n_jobs: int | None

    def cross_fit(
        self,
        jobs: list[Job],
        left_out: list[LeftOut],
        progress,
        fallback: CrossFitted | None = None,
    ) -> CrossFitted:
        """Fit every model without some folds, and predict those.

        Where a model cannot be fitted, or knows fewer classes than those of
        ``fallback``, the predictions of ``fallback`` are used, with a warning.
        """
        tasks = [(job, out) for job in jobs for out in left_out]
        results: Iterable[Any] = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(self._fit_fold)(job, out, fallback is not None)
            for job, out in tasks
        )
        fits = CrossFitted(
            {j: self._predict_nothing() for j in jobs}, {j: [] for j in jobs}
        )
        missed = 0
        for (job, out), fit in zip(tasks, progress(results, len(tasks))):
            tested, known = self._find_tested(job[0], out), fits.predictions[job]
            if fallback is not None and (
                fit is None
                or len(fit.model.classes_)
                < min(len(m.classes_) for m in fallback.models[job])
            ):
                _copy(fallback.predictions[job], known, tested)
                missed += 1
                continue
            known.predicted[tested] = np.searchsorted(self.rows.classes, fit.labels)
            if fit.proba is None:
                known.proba = None
            elif known.proba is not None:
                columns = np.searchsorted(self.rows.classes, fit.model.classes_)
                known.proba[tested] = 0.0
                known.proba[np.ix_(tested, columns)] = fit.proba
            fits.models[job].append(fit.model)
        if missed:
            warn_user(
                f"Got too few rows for {missed} of the {len(tasks)} models without two "
                "folds, expected enough rows of every class in the others; errors and "
                "intervals take those folds for independent.",
                FoldDependenceWarning,
            )
        return fits

    def _predict_nothing(self) -> Predictions:
        """Predictions to be filled in, unknown in every row."""
        rows = self.rows
        proba = np.full((len(rows.y), len(rows.classes)), np.nan)
        predicted = np.full(len(rows.y), -1)
        return Predictions(proba, predicted, rows.y, self.folds.fold)

    def _find_tested(self, subset: Subset, out: LeftOut) -> np.ndarray:
        return np.isin(self.folds.fold, out.tested) & self.present[subset]

    def _fit_fold(self, job: Job, out: LeftOut, may_fail: bool) -> FoldFit | None:
        """Fit a model without some folds; None where it may fail and does."""
        (subset, weighting), rows = job, self.rows
        model = clone(self.template).set_params(use=list(subset), weighting=weighting)
        train = np.all([self.folds.trains[k] for k in out.folds], axis=0)
        at = np.flatnonzero(train & ~np.isin(self.folds.fold, out.folds))
        tested = np.flatnonzero(self._find_tested(subset, out))
        try:
            with warnings.catch_warnings():
                # Raised once already, for the propensities of all rows.
                warnings.simplefilter("ignore", SkmissingWarning)
                model.fit(
                    _safe_indexing(self.X, at),
                    _safe_indexing(self.y, at),
                    sample_weight=rows.weight[at],
                    groups=None if rows.groups is None else rows.groups[at],
                )
                return _predict(model, _safe_indexing(self.X, tested), len(tested))
        except Exception:
            # Whatever an estimator raises where too few rows are left.
            if not may_fail:
                raise
            return None

    def freeze_propensity(self, required: list[str]) -> FrozenPropensity:
        """Propensities of the rows that have some modalities, to be refitted."""
        weighter = make_weighter(
            self.template.propensity, self.X, self.template.modalities, required
        )
        weight = self.rows.weight
        weighter.fit(self.X, self.y, weight, self.rows.groups)
        frozen = weighter.frozen(self.X, self.y, weight)
        return replace(frozen, tested=self.folds.tested)


def _copy(source: Predictions, target: Predictions, rows: np.ndarray) -> None:
    """Take the predictions of some rows from an earlier model."""
    target.predicted[rows] = source.predicted[rows]
    if target.proba is not None and source.proba is not None:
        target.proba[rows] = source.proba[rows]


def _predict(model: IPWMultimodalClassifier, rows, n: int) -> FoldFit:
    if not n:
        return FoldFit(model, np.empty((0, len(model.classes_))), model.classes_[:0])
    proba = model.predict_proba(rows) if hasattr(model, "predict_proba") else None
    return FoldFit(model, proba, model.predict(rows))


class StudySettings(NamedTuple):
    """Parameters of modality_utility that a study is set up with."""

    subsets: Any
    scoring: Any
    cv: Any
    doubly_robust: bool
    outcome_model: Any
    correct_training: bool
    correct_evaluation: bool
    sample_weight: Any
    groups: Any
    n_jobs: int | None
    verbose: int
    random_state: Any

    @property
    def augments(self) -> bool:
        """Whether there are doubly robust values."""
        return self.correct_evaluation and self.doubly_robust


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
    pairs: list[Pair]
    metrics: list[Any]
    plan: FitPlan
    # Modalities of every set and of every pair that some tested row has together.
    unions: dict[frozenset[str], list[str]]
    rng: np.random.RandomState
    progress: Progress
    propensities: Propensities = field(default_factory=dict)

    @classmethod
    def check(
        cls, template: IPWMultimodalClassifier, X, y, settings: StudySettings
    ) -> UtilityStudy:
        """Check what the user gave, and model what is missing."""
        data, _ = read_blocks(X, template.modalities, "modality_utility")
        check_given(template, X, data)
        rows = check_partial_rows(
            template, data, y, settings.sample_weight, settings.groups
        )
        sets = resolve_subsets(settings.subsets, data.names)
        check_numbers(data, sets)
        metrics = resolve_metrics(settings.scoring, rows.classes)
        _check_probabilities(metrics, template.estimator)
        if settings.augments and any(m.is_mean for m in metrics):
            check_outcome_model(settings.outcome_model, rows.weight[rows.labelled])
        cv, rng = settings.cv, local_random_state(settings.random_state)
        present = {s: observed_rows(data, s) for s in sets}
        _check_sets(present, rows.labelled, "Got no")
        folds = split_rows(cv, X, y, rows, rng)
        tested = rows.labelled & folds.tested
        _check_sets(present, tested, f"Got cv={cv!r} that tests no")
        plan = FitPlan(template, X, y, rows, folds, present, settings.n_jobs)
        pairs = resolve_pairs(settings.subsets, sets)
        wanted = {frozenset(s) for s in sets} | {frozenset(s + t) for s, t in pairs}
        named = {u: [name for name in data.names if name in u] for u in wanted}
        unions = {
            union: named[union]
            for union in sorted(wanted, key=sorted)
            if (observed_rows(data, named[union]) & tested).any()
        }
        bars = Progress(settings.verbose)
        return cls(settings, rows, sets, pairs, metrics, plan, unions, rng, bars)

    def announce(self, fold_covariance: bool, n_bootstraps: int) -> None:
        """Report how much there is to do, before it is done."""
        n, n_jobs = len(self.plan.folds.numbers), len(self._jobs)
        two = n * (n - 1) // 2 if fold_covariance and n > 2 else 0
        self.progress.announce(
            f"modality_utility: {len(self.sets)} sets of modalities and "
            f"{len(self.pairs)} gains in {len(self.metrics)} metrics; "
            f"{len(self.unions)} propensities, {n * n_jobs} models, {two * n_jobs} "
            f"models without two folds, {n_bootstraps} resamples"
        )

    def model_missingness(self) -> UtilityStudy:
        """The same study with a propensity for every union of modalities."""
        found: Propensities = {}
        bar = self.progress.over("propensities")
        for union in bar(list(self.unions), len(self.unions)):
            with warnings.catch_warnings():
                if found:
                    # The covariates are the same for all.
                    warnings.simplefilter("ignore", IdentifierWarning)
                frozen = self.plan.freeze_propensity(self.unions[union])
            # Equal covariates are held once: they are copied to other processes.
            same = (
                p.design
                for p in found.values()
                if np.array_equal(p.design, frozen.design)
            )
            found[union] = replace(frozen, design=next(same, frozen.design))
        return replace(self, propensities=found)

    @property
    def _jobs(self) -> list[Job]:
        """Models to fit, without and with weights."""
        return [(s, w) for s in self.sets for w in dict.fromkeys(["none", self.chosen])]

    @property
    def chosen(self) -> str:
        """Weighting of the models behind corrected values."""
        return "ipw" if self.settings.correct_training else "none"

    def fit_models(self, fold_covariance: bool) -> Fits:
        """Cross-fit a model for every set, trained without and with weights."""
        folds, jobs = self.plan.folds, self._jobs
        one = [LeftOut((k,), (k,)) for k in folds.numbers]
        each = self.plan.cross_fit(jobs, one, self.progress.over("models"))
        if not fold_covariance or len(folds.numbers) < 3:
            return Fits(each, None)
        bar = self.progress.over("models without two folds")
        return Fits(
            each, self.plan.cross_fit(jobs, pairs_of_folds(folds.fold), bar, each)
        )

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
            self.settings.outcome_model,
            folds,
            rows.weight,
            draw_seed(self.rng),
            self.settings.n_jobs,
        )
        if not self.settings.doubly_robust:
            # After the draws above: without these values the others are the same.
            return {}
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


def _check_probabilities(metrics: list[Any], estimator) -> None:
    """Refuse metrics of probabilities for an estimator that has none."""
    if estimator is None or hasattr(estimator, "predict_proba"):
        return
    for metric in metrics:
        if metric.needs_proba:
            raise ValueError(
                f"Got scoring with the metric {metric.name!r} and an estimator without "
                "predict_proba, expected one that has it, or scoring='accuracy'."
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
