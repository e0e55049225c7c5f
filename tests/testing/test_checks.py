"""The public checks find faults that were planted, each by its code."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from skmissing.baselines import PatternClassifier
from skmissing.testing import (
    check_missing_modality_estimator,
    missing_modality_checks,
    parametrize_with_checks,
)


class Sound(PatternClassifier):
    """Without a fault; its children have one each."""


class ReadsHiddenValues(Sound):
    def predict_proba(self, X):
        out = super().predict_proba(X)
        return np.where(np.nan_to_num(X["m0"]).max() > 1e9, out[:, ::-1], out)


class LearnsHiddenValues(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        super().fit(X, y, sample_weight, groups)
        self.seen_ = float(np.nan_to_num(X["m0"], posinf=1e30).mean())
        return self

    def predict_proba(self, X):
        out = super().predict_proba(X)
        return out[:, ::-1] if abs(self.seen_) > 1e9 else out


class DependsOnOtherRows(Sound):
    def predict_proba(self, X):
        out = super().predict_proba(X)
        return (out + out.mean(axis=0)) / 2


class LosesWeights(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        return super().fit(X, y, None, groups)


class LosesAWeightOfZero(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        if sample_weight is not None and np.any(sample_weight):
            sample_weight = np.maximum(sample_weight, 1e-3)
        return super().fit(X, y, sample_weight, groups)


class LeavesHalfAFit(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        return super().fit(X, y, sample_weight, groups)


class MovesTheGlobalGenerator(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        np.random.rand()
        return super().fit(X, y, sample_weight, groups)


class Shuffles(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        super().fit(X, y, sample_weight, groups)
        self.noise_ = np.random.default_rng().uniform(0.9, 1.1)
        return self

    def predict_proba(self, X):
        out = super().predict_proba(X) ** self.noise_
        return out / out.sum(axis=1, keepdims=True)


class SilentOnEmptyRows(Sound):
    def predict_proba(self, X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().predict_proba(X)


class PredictsUniformlyWithoutData(Sound):
    def predict_proba(self, X):
        out = super().predict_proba(X)
        out[~X.present.any(axis=1)] = 1 / out.shape[1]
        return out


class TakesAnyWeights(Sound):
    def fit(self, X, y, sample_weight=None, groups=None):
        if sample_weight is not None and not (np.asarray(sample_weight) > 0).any():
            sample_weight = None
        return super().fit(X, y, sample_weight, groups)


FAULTS = {
    ReadsHiddenValues: {"MM101"},
    LearnsHiddenValues: {"MM102"},
    DependsOnOtherRows: {"MM201"},
    LosesWeights: {"MM401", "MM402", "MM404", "MM502", "MM802"},
    LosesAWeightOfZero: {"MM402"},
    LeavesHalfAFit: {"MM801"},
    MovesTheGlobalGenerator: {"MM301"},
    Shuffles: {"MM702"},
    SilentOnEmptyRows: {"MM503"},
    PredictsUniformlyWithoutData: {"MM502"},
    TakesAnyWeights: {"MM802"},
}
# Laws that a fault is not about, and that have to pass beside it.
CONTROLS = {"MM101", "MM203", "MM401", "MM501", "MM702"}
UNTESTED = {
    ReadsHiddenValues: {"MM203"},
    LearnsHiddenValues: {"MM101"},
    DependsOnOtherRows: {"MM203"},
    Shuffles: {"MM401"},
}
# All but the one that starts workers, which takes its time.
ALONE = [code for code in missing_modality_checks().index if code != "MM302"]


def test_a_sound_estimator_passes():
    sound = Sound()
    table = check_missing_modality_estimator(sound, checks=ALONE, tolerance=1e-10)
    assert set(table.index[table["status"] == "skipped"]) == {"MM202"}
    assert set(table["status"]) == {"passed", "skipped"}
    assert table["message"]["MM202"] == "the estimator has no transform."


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_planted_fault_is_found(kind):
    codes = FAULTS[kind]
    run = sorted(codes | CONTROLS - UNTESTED.get(kind, set()))
    table = check_missing_modality_estimator(
        kind(GaussianNB()), checks=run, on_fail=None
    )
    failed = set(table.index[table["status"] == "failed"])
    assert failed == codes
    assert (table.loc[sorted(failed), "message"] != "").all()


class FlatBoosting(ClassifierMixin, BaseEstimator):
    """Boosting on NaN behind an adapter that lays all blocks side by side."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _flat(self, X):
        parts = [
            np.where(X.present[:, [m]], np.asarray(X[name]).reshape(len(X), -1), np.nan)
            for m, name in enumerate(X.names)
        ]
        return np.concatenate(parts, axis=1)

    def fit(self, X, y, sample_weight=None):
        # Early stopping, and so random numbers, only from 10,000 rows on.
        model = HistGradientBoostingClassifier(
            max_iter=15, min_samples_leaf=3, random_state=self.random_state
        )
        self.model_ = model.fit(self._flat(X), y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(self._flat(X))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_boosting_on_nan_passes_those_that_it_should():
    table = check_missing_modality_estimator(
        FlatBoosting(), checks=ALONE, tolerance=1e-10, on_fail=None
    )
    by_status = {status: set(rows.index) for status, rows in table.groupby("status")}
    assert by_status["passed"] >= {
        "MM101", "MM102", "MM103", "MM201", "MM203", "MM301", "MM501",
        "MM601", "MM701", "MM702", "MM902",
    }  # fmt: skip
    # It predicts something for rows without anything, and does not report them; rows
    # of weight 0 have their say in its bins and classes.
    assert by_status["failed"] >= {"MM402", "MM404", "MM502", "MM503", "MM504", "MM505"}
    assert by_status["skipped"] == {"MM202", "MM403", "MM405", "MM901"}


def test_all_failures_are_listed_in_one_error():
    with pytest.raises(AssertionError, match="fails 2 of 3 checks") as caught:
        check_missing_modality_estimator(
            LosesWeights(GaussianNB()), checks=["MM101", "MM401", "MM402"]
        )
    assert "MM401 Weights matter" in str(caught.value)
    assert "weights change nothing" in str(caught.value)


def test_expected_failures_do_not_raise():
    table = check_missing_modality_estimator(
        LosesWeights(GaussianNB()),
        checks=["MM101", "MM401"],
        expected_failed_checks={"MM401": "weights are not its business"},
    )
    assert table["status"].to_dict() == {"MM101": "passed", "MM401": "expected"}


def test_the_table_of_checks():
    table = missing_modality_checks()
    assert table.index.is_unique
    assert table.index.str.fullmatch(r"MM\d\d\d").all()
    assert (table.index.str[2].astype(int) == table["law"]).all()
    assert table["reason"].str.fullmatch(r"[A-Z`].*[.,]?").all()
    assert table["reason"].str.len().between(20, 90).all()
    assert table["check"].is_unique


def test_unknown_codes_and_estimators():
    with pytest.raises(ValueError, match="unknown check 'MM999' in checks"):
        check_missing_modality_estimator(Sound(), checks=["MM999"])
    with pytest.raises(ValueError, match="'x' in expected_failed_checks"):
        check_missing_modality_estimator(Sound(), expected_failed_checks={"x": ""})
    with pytest.raises(ValueError, match="Got on_fail='warn'"):
        check_missing_modality_estimator(Sound(), on_fail="warn")
    with pytest.raises(TypeError, match="without predict_proba"):
        check_missing_modality_estimator(RidgeClassifier())


@parametrize_with_checks(
    [Sound(GaussianNB()), LosesWeights(GaussianNB())],
    checks=["MM101", "MM401"],
    expected_failed_checks=lambda estimator: (
        {"MM401": "planted"} if isinstance(estimator, LosesWeights) else {}
    ),
)
def test_as_tests_of_pytest(estimator, check):
    check(estimator)


def test_names_and_marks_of_the_tests():
    (mark,) = test_as_tests_of_pytest.pytestmark
    names = [param.id for param in mark.args[1]]
    assert names == [
        "Sound-MM101", "Sound-MM401", "LosesWeights-MM101", "LosesWeights-MM401"
    ]  # fmt: skip
    assert [len(param.marks) for param in mark.args[1]] == [0, 0, 0, 1]


def test_pytest_is_imported_late():
    code = "import sys, skmissing.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_seeds_of_torch_are_as_before_a_check_that_fails():
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    with pytest.raises(AssertionError, match="MM301"):
        check_missing_modality_estimator(MovesTheGlobalGenerator(), checks=["MM301"])
    assert torch.equal(torch.get_rng_state(), before)
