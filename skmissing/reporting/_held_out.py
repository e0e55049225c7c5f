"""Models that have not seen the rows they are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from .._estimation._folds import run_splitter
from .._estimation._inner_estimators import fit_options
from .._utils._sklearn_compat import _safe_indexing
from ..metrics import score_by_pattern
from ._inputs import Rows, Settings, run_all

# Rows shown for each modality that could be measured next.
SHOWN = 5
# Fewer rows in which a modality alone is missing are not ranked by themselves.
ENOUGH = 10


class Fold(NamedTuple):
    """A model, the rows that it has not seen, and those that it has.

    Nobody knows the latter of a model that was fitted before: they are the test rows.
    """

    model: Any
    test: np.ndarray
    train: np.ndarray


def make_folds(rows: Rows, settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows; groups stay together."""
    cv, groups = settings.cv, rows.groups
    if isinstance(cv, Integral):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(int(cv), shuffle=True, random_state=settings.random_state)
    elif not hasattr(cv, "split"):
        return list(cv)
    return run_splitter(cv, rows.X, rows.y, groups)


def fit_folds(estimator, X, rows: Rows, splits, n_jobs: int | None) -> list[Fold]:
    """A clone for each fold, with weights and groups where ``fit`` takes them."""
    return run_all(_fit_fold, splits, estimator, X, rows, n_jobs=n_jobs)


def _fit_fold(split, estimator, X, rows: Rows) -> Fold:
    """A clone, fitted to the rows of one fold."""
    train, test = split
    model = clone(estimator)
    options = {"sample_weight": rows.weight, "groups": rows.groups}
    given = {key: value[train] for key, value in options.items() if value is not None}
    X_train, y_train = _safe_indexing(X, train), rows.y[train]
    model.fit(X_train, y_train, **fit_options(model, given))
    return Fold(model, test, train)


def predict_held_out(folds: list[Fold], X, n: int) -> np.ndarray:
    """Probabilities by models that have not seen the row; NaN where there are none."""
    classes = folds[0].model.classes_
    out = np.full((n, len(classes)), np.nan)
    for model, test, _ in folds:
        if not np.array_equal(model.classes_, classes):
            raise ValueError(
                f"Got folds with the classes {list(classes)} and "
                f"{list(model.classes_)}, expected all classes in each; take fewer "
                "folds."
            )
        out[test] = model.predict_proba(_safe_indexing(X, test))
    return out


def score_folds(
    folds: list[Fold], X, modalities, rows: Rows, settings: Settings
) -> pd.DataFrame:
    """Tables of :func:`score_by_pattern` on the test rows of each fold."""
    tables = run_all(
        _score_fold, folds, X, modalities, rows, settings, n_jobs=settings.n_jobs
    )
    tables = [table.assign(fold=k) for k, table in enumerate(tables)]
    return pd.concat(tables, ignore_index=True)


def _score_fold(
    fold: Fold, X, modalities, rows: Rows, settings: Settings
) -> pd.DataFrame:
    """Scores of one model on its test rows."""
    test = fold.test
    return score_by_pattern(
        {"model": fold.model},
        _safe_indexing(X, test),
        rows.y[test],
        scoring=settings.scoring,
        modalities=modalities,
        sample_weight=None if rows.weight is None else rows.weight[test],
        groups=None if rows.groups is None else rows.groups[test],
        n_bootstraps=settings.n_bootstraps,
        confidence_level=settings.confidence_level,
        random_state=settings.random_state,
    )


def combine_folds(
    scores: pd.DataFrame,
    confidence_level: float,
    keys: Sequence[str] = ("pattern", "n_missing", "metric"),
    means: Sequence[str] = ("value",),
) -> pd.DataFrame:
    """Means over folds, by their rows, with normal intervals.

    Test rows of folds differ, so that errors of the evaluation add up like those of
    independent values.
    """
    z = float(ndtri(0.5 + confidence_level / 2.0))
    records = []
    for key, part in scores.groupby(list(keys), sort=False):
        part = part[part["value"].notna()]
        n = part["n_rows"].to_numpy(dtype=np.float64)
        mean, error = dict.fromkeys(means, np.nan), np.nan
        if n.sum():
            share = n / n.sum()
            mean = {column: float(share @ part[column]) for column in means}
            error = float(np.sqrt(share**2 @ np.square(part["std_error"])))
        records.append(
            dict(zip(keys, key))
            | {"n_rows": int(n.sum()), **mean, "std_error": error}
            | {"low": mean["value"] - z * error, "high": mean["value"] + z * error}
        )
    return pd.DataFrame(records)


def find_impact(model):
    """The steps before a classifier with ``predictive_impact``, and that classifier."""
    if hasattr(model, "predictive_impact"):
        return None, model
    if isinstance(model, Pipeline) and hasattr(model.steps[-1][1], "predictive_impact"):
        return (model[:-1] if len(model.steps) > 1 else None), model.steps[-1][1]
    return None


def whom_to_measure(
    folds: list[Fold], X, rows: Rows, proba: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each missing modality could change: means, and the rows with most of it."""
    tables = []
    for model, test, _ in folds:
        before, last = find_impact(model)
        part = _safe_indexing(X, test)
        part = part if before is None else before.transform(part)
        table = last.predictive_impact(part)
        tables.append(table.assign(row=test[table["row"].to_numpy()]))
    impact = pd.concat(tables, ignore_index=True)
    at = {name: m for m, name in enumerate(rows.names)}
    missing = ~rows.present[impact["row"].to_numpy()]
    own = missing[np.arange(len(impact)), impact["modality"].map(at).to_numpy()]
    alone = missing.sum(axis=1) == 1
    lost = impact.assign(alone=alone)[own]
    means, best = [], []
    for name in rows.names:
        part = lost[lost["modality"] == name]
        only = part[part["alone"]]
        # Where others are missing too, V is that of everything missing together.
        used = only if len(only) >= ENOUGH else part
        used = used.sort_values("v_missing", ascending=False, kind="stable")
        used = used[used["v_missing"].notna()]
        best.append(used.head(SHOWN))
        means.append(
            {
                "modality": name,
                "n_missing": len(part),
                "n_alone": len(only),
                "alone": len(only) >= ENOUGH,
                "n_rows": len(used),
                "v_missing": used["v_missing"].mean(),
            }
        )
    first = pd.concat(best, ignore_index=True)
    number = first["row"].to_numpy()
    others = [
        ", ".join(n for n in rows.names if n != name and not rows.present[i, at[n]])
        for name, i in zip(first["modality"], number)
    ]
    table = pd.DataFrame(means)
    return table[table["n_missing"] > 0].reset_index(drop=True), pd.DataFrame(
        {
            "modality": first["modality"].to_numpy(),
            "row": rows.labels[number],
            "v_missing": first["v_missing"].to_numpy(),
            "also_missing": others,
            "predicted": proba[number, 1] if proba.shape[1] == 2
            else proba[number].max(axis=1),
        }
    )  # fmt: skip
