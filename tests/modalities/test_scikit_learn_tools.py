"""MultimodalData inside scikit-learn's tools, and a clear error where it cannot be."""

import warnings

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample, shuffle

from skmissing import MultimodalData
from skmissing.modalities import ModalityTransformer
from skmissing.modalities._validation import check_multimodal, flatten_blocks


class NearestMean(ClassifierMixin, BaseEstimator):
    """Distance to class means over the features that a row has."""

    def __init__(self, modalities=None, scale=1.0):
        self.modalities = modalities
        self.scale = scale

    def fit(self, X, y, sample_weight=None):
        data = check_multimodal(self, X, self.modalities, reset=True)
        table = flatten_blocks(data, data.names)
        self.classes_ = np.unique(y)
        self.means_ = np.stack(
            [np.nanmean(table[np.asarray(y) == k], axis=0) for k in self.classes_]
        )
        return self

    def predict_proba(self, X):
        data = check_multimodal(self, X, self.modalities, reset=False)
        table = flatten_blocks(data, data.names)
        distance = np.nansum((table[:, None] - self.means_) ** 2, axis=2)
        p = np.exp(-self.scale * (distance - distance.min(axis=1, keepdims=True)))
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Halve(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """A transformer that returns the container it got."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        assert isinstance(X, MultimodalData)
        return X.hide({X.names[0]: np.arange(len(X)) % 2 == 0})


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    y = np.arange(120) % 2
    image = rng.randn(120, 1, 3, 3) + y[:, None, None, None]
    labs = rng.randn(120, 2) - y[:, None]
    present = rng.uniform(size=(120, 2)) < 0.8
    return MultimodalData({"image": image, "labs": labs}, present), y


def test_splitting_shuffling_and_resampling(data):
    X, y = data
    number = X.select("labs")
    parts = train_test_split(X, y, np.arange(120), stratify=y, random_state=0)
    X_train, X_test, _, _, rows_train, rows_test = parts
    for part, rows in ((X_train, rows_train), (X_test, rows_test)):
        assert isinstance(part, MultimodalData)
        np.testing.assert_array_equal(part["image"], X["image"][rows])
        np.testing.assert_array_equal(part.present, X.present[rows])
    for function in (shuffle, resample):
        moved, rows = function(number, np.arange(120), random_state=0)
        np.testing.assert_array_equal(moved["labs"], X["labs"][rows])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validation(data, n_jobs):
    X, y = data
    scores = cross_val_score(NearestMean(), X, y, cv=3, n_jobs=n_jobs)
    table = X.to_frame()
    np.testing.assert_array_equal(
        scores, cross_val_score(NearestMean(), table, y, cv=3)
    )
    assert scores.mean() > 0.8
    out = cross_validate(
        NearestMean(),
        X,
        y,
        cv=GroupKFold(4),
        groups=np.arange(120) // 2,
        scoring=["accuracy", "roc_auc", "neg_log_loss"],
        return_estimator=True,
        return_train_score=True,
        n_jobs=n_jobs,
        error_score="raise",
    )
    assert out["test_roc_auc"].shape == (4,)
    assert out["estimator"][0].modality_shapes_in_["image"] == (1, 3, 3)
    proba = cross_val_predict(NearestMean(), X, y, method="predict_proba", cv=3)
    assert proba.shape == (120, 2)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "search",
    [
        lambda est, grid, **kw: GridSearchCV(est, grid, **kw),
        lambda est, grid, **kw: RandomizedSearchCV(
            est, grid, n_iter=2, random_state=0, **kw
        ),
        lambda est, grid, **kw: HalvingGridSearchCV(est, grid, random_state=0, **kw),
    ],
    ids=["grid", "random", "halving"],
)
def test_searches(data, search, n_jobs):
    X, y = data
    grid = {"scale": [0.1, 1.0], "modalities": [None, ["labs"]]}
    found = search(NearestMean(), grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(
        X, y
    )
    assert found.predict(X).shape == (120,)
    assert found.best_score_ > 0.6


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(NearestMean(), cv=3),
        CalibratedClassifierCV(NearestMean(), cv=3, ensemble=False, method="isotonic"),
        StackingClassifier([("a", NearestMean()), ("b", NearestMean(["labs"]))], cv=2),
        VotingClassifier([("a", NearestMean()), ("b", NearestMean())], voting="soft"),
        TunedThresholdClassifierCV(NearestMean(), cv=2),
        FixedThresholdClassifier(NearestMean(), threshold=0.4),
        OneVsRestClassifier(NearestMean()),
        make_pipeline(Halve(), NearestMean()),
        Pipeline(
            [
                ("scale", ModalityTransformer([("labs", StandardScaler())])),
                ("classify", NearestMean()),
            ]
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_meta_estimators(data, model):
    X, y = data
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model.fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.7


def test_curves(data):
    X, y = data
    sizes, _, test = learning_curve(
        NearestMean(), X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )
    assert sizes.tolist() == [30, 60]
    assert test.shape == (2, 2)
    _, test = validation_curve(
        NearestMean(), X, y, param_name="scale", param_range=[0.1, 1.0], cv=2
    )
    assert test.shape == (2, 2)
    score, *_ = permutation_test_score(
        NearestMean(), X, y, cv=2, n_permutations=3, random_state=0
    )
    assert score > 0.7
    folds = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    assert cross_val_score(NearestMean(), X, y, cv=folds).shape == (4,)


def predicted(model, X):
    return model.predict_proba(X)


def test_joblib_workers(data):
    X, y = data
    model = NearestMean().fit(X, y)
    parts = Parallel(n_jobs=2)(
        delayed(predicted)(model, X[rows]) for rows in np.array_split(np.arange(120), 3)
    )
    np.testing.assert_array_equal(np.concatenate(parts), model.predict_proba(X))


REFUSED = {
    "BaggingClassifier": lambda X, y: BaggingClassifier(NearestMean()).fit(X, y),
    "permutation_importance": lambda X, y: permutation_importance(
        NearestMean().fit(X, y), X, y
    ),
    "passthrough": lambda X, y: StackingClassifier(
        [("a", NearestMean())], passthrough=True, cv=2
    ).fit(X, y),
    "FeatureUnion": lambda X, y: (
        FeatureUnion([("a", Halve()), ("b", Halve())]).fit(X).transform(X)
    ),
    "ColumnTransformer": lambda X, y: ColumnTransformer(
        [("a", StandardScaler(), [0])]
    ).fit(X),
    "LogisticRegression": lambda X, y: LogisticRegression().fit(X, y),
    "StandardScaler": lambda X, y: StandardScaler().fit(X),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_way_out(data, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(TypeError, match=r"to_frame\(\)"):
            REFUSED[name](*data)
