"""The doubly robust mean: propensities and a model of the loss, either may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from ..._estimation._folds import Folds
from ..._estimation._inner_estimators import (
    clone_seeded,
    fit_weighted,
    takes_sample_weight,
)
from ..._utils._threads import single_thread
from ._modality_sets import Subset
from ._reweighted_metrics import Predictions

# The default models of the loss. Chosen by the error of the doubly robust value in
# simulated data: shallow boosted trees find steps, a kernel finds what is smooth.
BOOSTING = HistGradientBoostingRegressor(
    max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, max_bins=63,
    early_stopping=False,
)  # fmt: skip
KERNEL_ROWS = 300
PENALTIES = np.logspace(-4, 3, 15)
# A kernel of fewer rows than this has nothing to choose its penalty by.
LEAST_ROWS = 20
# Of more rows it is fitted to a draw: it has no use for them.
MOST_ROWS = 20_000

# Weight of rows that were sure to be observed, as a share of their sample weight.
LEAST_DOUBT = 0.01

Model = Callable[[np.ndarray], np.ndarray]


def aipw_mean(
    values: np.ndarray, weight: np.ndarray, base: np.ndarray, outcome: np.ndarray
) -> float:
    """Augmented inverse-probability-weighted mean over all rows.

    ``values`` count where ``weight`` (sample weight over propensity) is positive;
    ``base`` are the sample weights of all rows; ``outcome``, of shape (n, n_models),
    are means of the values by models that have not seen the row. If the model is right
    the second term of the result vanishes whatever the weights; if the propensities are
    right it corrects any model.

    The models are combined by least squares on the observed rows, with the weights that
    the variance of the result has: (1 - p) / p^2 for propensity p. If one of the models
    is right, it is what least squares finds, whatever the weights.
    """
    seen = weight > 0
    w, s = weight[seen], base[seen]
    doubt = w * np.maximum(w / s - 1.0, 0.0)
    if doubt.max() <= 1e-12 * w.max() and not (base[~seen] > 0).any():
        # All rows are observed, for sure: nothing to augment.
        return float(w @ values[seen] / w.sum())
    # Where propensities are 1 and rows are missing all the same, the models decide:
    # then all rows determine how they are summed, not the few with some doubt.
    doubt = doubt + LEAST_DOUBT * w
    doubt = doubt / doubt.max()
    root = np.sqrt(doubt)
    centred = outcome - np.average(outcome[seen], axis=0, weights=doubt)
    scale = np.abs(centred).max(axis=0)
    # Up to rounding a constant explains nothing.
    varies = scale > 1e-12 * np.abs(outcome).max(axis=0)
    table = centred[:, varies] / scale[varies]
    target = (values[seen] - np.average(values[seen], weights=doubt)) * root
    if not table.shape[1]:
        return float(w @ values[seen] / w.sum())
    fitted = np.linalg.lstsq(table[seen] * root[:, None], target, rcond=1e-9)[0]
    model = table @ fitted
    miss = w @ (values[seen] - model[seen]) / w.sum()
    return float(base @ model / base.sum() + miss)


def check_outcome_model(model, weight: np.ndarray) -> None:
    """Refuse a model that takes no weights where there are some."""
    if model is None or np.ptp(weight) == 0 or takes_sample_weight(model):
        return
    raise TypeError(
        f"Got weights for outcome_model={model!r}, expected an estimator whose fit "
        "takes sample_weight."
    )


@dataclass(frozen=True)
class OutcomeModel:
    """Models of what rows score, cross-fitted; ``template`` None takes the default."""

    template: Any
    folds: Folds
    weight: np.ndarray
    seed: int
    n_jobs: int | None = None

    def predict_scores(
        self,
        predictions: dict[Subset, Predictions],
        means: list[Any],
        design: np.ndarray,
        progress,
    ) -> dict[Subset, dict[str, np.ndarray]]:
        """Mean of each row's score given what is known of every row.

        By subset and metric, of shape (n, n_models). Where the scores of all rows are
        known they are their own model.
        """
        kept = (self.weight > 0) & self.folds.tested
        codes = next(iter(predictions.values())).codes
        labelled = (codes[kept] >= 0).all()
        values, known = {}, []
        for subset, found in predictions.items():
            columns = [m.values(found) for m in means]
            values[subset] = np.column_stack(columns)
            if (found.predicted[kept] >= 0).all():
                if found.proba is not None:
                    known.append(found.proba[:, 1:])
                if labelled:
                    known.append(values[subset])
        label = [np.eye(codes.max() + 1)[codes][:, 1:]] if labelled else []
        features = np.nan_to_num(np.column_stack([design, *known, *label]))
        out = {}
        for subset in progress(list(values), len(values)):
            score = values[subset][:, :, None]
            # Else the score of every row is known, and there is nothing to model.
            if np.isnan(score[kept]).any():
                score = self.cross_fit(features, values[subset])
                if np.isnan(score[kept]).any():
                    raise ValueError(
                        f"Got NaN from outcome_model={self.template!r}, expected "
                        "numbers."
                    )
            score = np.nan_to_num(score)
            out[subset] = {m.name: score[:, j] for j, m in enumerate(means)}
        return out

    def cross_fit(self, features: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Modelled mean of some values in every row, by models of other folds.

        ``values``, of shape (n, n_values), is NaN in rows where they are not observed.
        The result has the shape (n, n_values, n_models).
        """
        seen = ~np.isnan(values).any(axis=1) & (self.weight > 0)
        # Penalties must not depend on the unit of the weights.
        weight = self.weight / self.weight[seen].mean()
        mean = weight[seen] @ values[seen] / weight[seen].sum()
        fits: list[Callable[..., Model]] = [partial(fit_each, self.template)]
        if self.template is None:
            fits = [partial(fit_each, BOOSTING), fit_smooth]
        out = np.tile(mean[:, None], (len(values), 1, len(fits)))
        if features.shape[1] == 0:
            return out
        small = self.template is None and len(features) <= MOST_ROWS
        jobs = []
        for k in self.folds.numbers:
            train, test = seen & self.folds.trains[k], self.folds.fold == k
            if train.any():
                sample = features[train], values[train], weight[train], self.seed
                jobs.append((test, (fits, sample, features[test], small)))
        found = Parallel(n_jobs=self.n_jobs)(delayed(_predict)(*job) for _, job in jobs)
        for (test, _), scores in zip(jobs, found):
            out[test] = scores
        return out


def _predict(
    fits: list[Callable[..., Model]], sample: tuple, rows: np.ndarray, small: bool
) -> np.ndarray:
    """What each model predicts for rows, of shape (n, n_values, n_models)."""
    with single_thread(None) if small else nullcontext():
        return np.stack([fit(*sample)(rows) for fit in fits], axis=2)


def fit_each(
    template, X: np.ndarray, Y: np.ndarray, weight: np.ndarray, seed: int
) -> Model:
    """A clone of any regressor for each column of Y."""
    # Equal weights are left out: boosting takes seconds to find weighted quantiles.
    weight = weight / weight[0] if np.ptp(weight) <= 1e-12 * weight.max() else weight
    models = [fit_weighted(clone_seeded(template, seed), X, y, weight) for y in Y.T]
    return lambda rows: np.column_stack([m.predict(rows) for m in models])


def fit_smooth(X: np.ndarray, Y: np.ndarray, weight: np.ndarray, seed: int) -> Model:
    """Ridge regression on a kernel, for all columns of Y at once."""
    if len(X) < LEAST_ROWS:
        mean = weight @ Y / weight.sum()
        return lambda rows: np.tile(mean, (len(rows), 1))
    if len(X) > MOST_ROWS:
        some = np.random.RandomState(seed).choice(len(X), MOST_ROWS, replace=False)
        X, Y, weight = X[some], Y[some], weight[some]
    scale = StandardScaler().fit(X, sample_weight=weight)
    n_varying = max(1, int((np.ptp(X, axis=0) > 0).sum()))
    kernel = Nystroem(
        gamma=1.0 / n_varying, n_components=min(KERNEL_ROWS, len(X)), random_state=seed
    )
    # The default of scikit-learn 1.9 takes twice as long for the same predictions.
    ridge = RidgeCV(PENALTIES, alpha_per_target=True, gcv_mode="svd")
    ridge.fit(kernel.fit_transform(scale.transform(X)), Y, sample_weight=weight)

    def predict(rows: np.ndarray) -> np.ndarray:
        # In parts: each row has as many features as the kernel has rows.
        parts = np.array_split(rows, len(rows) // MOST_ROWS + 1)
        found = [ridge.predict(kernel.transform(scale.transform(p))) for p in parts]
        return np.concatenate([f.reshape(-1, Y.shape[1]) for f in found])

    return predict
