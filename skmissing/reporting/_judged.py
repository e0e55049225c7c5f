"""The classifier of a report, on rows that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..metrics import calibration_by_pattern
from ._held_out import (
    Fold,
    combine_folds,
    find_impact,
    fit_folds,
    make_folds,
    predict_held_out,
    score_folds,
    whom_to_measure,
)
from ._inputs import MANY_ROWS, Notes, Rows, Settings, is_fitted, name_estimator
from ._same_rows import AS_THEY_ARE, NOTHING, compare_folds


class Judged:
    """An estimator, and models of it that have not seen the rows."""

    def __init__(self, estimator, rows: Rows, settings: Settings, notes: Notes) -> None:
        self.rows, self.settings, self.notes = rows, settings, notes
        self.X, self.modalities = rows.X, rows.modalities
        if estimator is None:
            estimator = self.make_default()
            self.X, self.modalities = rows.numbers, rows.number_modalities
        self.estimator = estimator
        self.fitted = is_fitted(estimator)
        self.name = name_estimator(estimator)
        self.limits: list[str] = []
        if self.fitted:
            self.limits.append(
                "Nobody knows the training rows of an estimator that was fitted "
                "before: class shares are those of the rows given."
            )
        self.y_proba: np.ndarray | None = None
        self.models: list[Any] = []

    def make_default(self):
        """A net for any pattern that knows what a missing modality could change."""
        from ..primo import PRIMOClassifier

        return PRIMOClassifier(
            modalities=self.rows.number_modalities,
            max_epochs=20 if len(self.rows) < MANY_ROWS else 10,
            n_draws=50,
            n_threads=1,
            random_state=self.settings.random_state,
        )

    @property
    def words(self) -> str:
        """Which rows the scores are of."""
        if self.fitted:
            return (
                "It was fitted before: the rows given count as held out, and scores "
                "are too good if it has seen them."
            )
        together = "" if self.rows.groups is None else ", groups together"
        return f"Every row is predicted by a model that has not seen it{together}."

    def fill(self, tables: dict[str, pd.DataFrame]) -> None:
        """Scores, calibration, and whom to measure next."""
        rows, settings, notes = self.rows, self.settings, self.notes
        every = np.arange(len(rows))
        splits: list[Any] = [(every, every)]
        with notes.section("fit"):
            if self.fitted:
                folds = [Fold(self.estimator, every, every)]
            else:
                splits = make_folds(rows, settings)
                folds = fit_folds(self.estimator, self.X, rows, splits, settings.n_jobs)
            self.y_proba = predict_held_out(folds, self.X, len(rows))
        if "fit" in notes.missing:
            raise ValueError(notes.missing["fit"])
        self.models = [fold.model for fold in folds]
        with notes.section("scores"):
            each = score_folds(folds, self.X, self.modalities, rows, settings)
            tables["scores_by_fold"] = each
            tables["scores"] = combine_folds(each, settings.confidence_level)
            ends, tables["same_rows"] = compare_folds(
                folds, self.X, self.modalities, rows, settings
            )
            first, last = (
                ends[ends["pattern"] == name] for name in (AS_THEY_ARE, NOTHING)
            )
            parts = [first, tables["scores"], last]
            tables["scores"] = pd.concat(parts, ignore_index=True)
        tested = ~np.isnan(self.y_proba).any(axis=1)
        with notes.section("calibration"):
            tables["calibration"] = calibration_by_pattern(
                rows.y[tested], self.y_proba[tested], _take(rows.X, tested),
                classes=folds[0].model.classes_, modalities=rows.modalities,
                confidence_level=settings.confidence_level,
                sample_weight=None if rows.weight is None else rows.weight[tested],
            )  # fmt: skip
        with notes.section("acquisition"):
            X = self.X
            if find_impact(folds[0].model) is None:
                X = rows.numbers
                if self.fitted:
                    splits = make_folds(rows, settings)
                folds = fit_folds(self.make_default(), X, rows, splits, settings.n_jobs)
                self.limits.append(
                    "Whom to measure next comes from a PRIMOClassifier, since the "
                    "estimator does not know what a missing modality could change."
                )
            found = whom_to_measure(folds, X, rows, self.y_proba)
            tables["impact"], tables["acquisition"] = found


def _take(X, mask: np.ndarray):
    return X[mask] if not mask.all() else X
