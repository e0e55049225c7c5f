"""IPWMultimodalClassifier, make_ipw_scorer and ObservedStratifiedKFold."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skmissing import IPWMultimodalClassifier, MultimodalData, PropensityWeighter
from skmissing.baselines import FusionClassifier, PatternClassifier
from skmissing.datasets import load_heart, make_bitwise
from skmissing.exceptions import EmptyRowWarning, OverlapWarning
from skmissing.ipw import ObservedStratifiedKFold, make_ipw_scorer
from skmissing.modalities import ModalityTransformer

TREE = DecisionTreeClassifier(random_state=0)


@pytest.fixture(scope="module")
def bits():
    return make_bitwise(4000, gate="and", mechanism="mar", random_state=0)


def make_weighter(bits, **params):
    return PropensityWeighter(random_state=0, **params).fit(bits.data)


# -- the classifier --------------------------------------------------------------------


def test_fit_and_score_are_those_of_the_weights_by_hand(bits):
    X, y = bits.data, bits.target
    w = make_weighter(bits).sample_weight(X)
    seen = w > 0
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"]).fit(X, y)
    inner = LogisticRegression().fit(
        X["x2"][seen], y[seen], sample_weight=w[seen] / w[seen].mean()
    )
    np.testing.assert_allclose(clf.estimator_.coef_, inner.coef_, rtol=1e-9)
    np.testing.assert_allclose(
        clf.predict_proba(X[seen]), inner.predict_proba(X["x2"][seen]), rtol=1e-9
    )
    right = inner.predict(X["x2"][seen]) == y[seen]
    assert clf.score(X, y) == pytest.approx(np.average(right, weights=w[seen]))
    assert clf.n_observed_ == seen.sum()
    assert clf.effective_sample_size_ == pytest.approx(w.sum() ** 2 / (w @ w))
    plain = IPWMultimodalClassifier(
        LogisticRegression(), use=["x2"], weighting="none"
    ).fit(X, y)
    biased = LogisticRegression().fit(X["x2"][seen], y[seen])
    np.testing.assert_allclose(plain.estimator_.coef_, biased.coef_, rtol=1e-9)
    assert plain.score(X, y) == pytest.approx(biased.score(X["x2"][seen], y[seen]))
    assert plain.propensity_ is None


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        TREE,
        PatternClassifier(),
        FusionClassifier(max_epochs=3, n_threads=1, random_state=0),
    ],
)
def test_the_scale_of_the_weights_never_matters(bits, estimator):
    X, y = bits.data[:600], bits.target[:600]
    fitted = [
        IPWMultimodalClassifier(
            estimator,
            propensity=PropensityWeighter(random_state=0, stabilized=stabilized),
        ).fit(X, y, sample_weight=np.full(600, scale))
        for stabilized, scale in [(True, 1.0), (False, 1.0), (True, 7.0)]
    ]
    test = X.hide({"x2": ~X.present[:, 1]})[X.present[:, 1]]
    for other in fitted[1:]:
        np.testing.assert_allclose(
            other.predict_proba(test), fitted[0].predict_proba(test), atol=1e-6
        )
        assert other.score(X, y) == pytest.approx(fitted[0].score(X, y))


def test_out_of_fold_weights_are_used_in_training(bits):
    X, y = bits.data[:500], bits.target[:500]
    template = PropensityWeighter(DecisionTreeClassifier(), cv=4, random_state=0)
    clf = IPWMultimodalClassifier(LogisticRegression(), propensity=template).fit(X, y)
    w = clone(template).fit_transform(X)[:, 0]
    seen = w > 0
    inner = LogisticRegression().fit(
        np.column_stack([X["x1"], X["x2"]])[seen], y[seen],
        sample_weight=w[seen] / w[seen].mean(),
    )  # fmt: skip
    np.testing.assert_allclose(clf.estimator_.coef_, inner.coef_, rtol=1e-8)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(
            ModalityTransformer([("x1", StandardScaler())]), PatternClassifier()
        ),
        VotingClassifier([("a", PatternClassifier()), ("b", PatternClassifier())]),
    ],
    ids=lambda e: type(e).__name__,
)
def test_any_estimator_that_takes_weights(bits, estimator, routing):
    X, y = bits.data[:800], bits.target[:800]
    with config_context(enable_metadata_routing=routing):
        clf = IPWMultimodalClassifier(estimator, use=["x1", "x2"]).fit(X, y)
        # Observed rows have y = x1 AND x2 without exception.
        assert clf.score(X, y) > 0.97
        plain = IPWMultimodalClassifier(estimator, weighting="none").fit(X, y)
        assert plain.score(X, y) > 0.97


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was given."""

    def fit(self, X, y, sample_weight=None):
        self.given_ = X, y, sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.asked_ = X
        return np.full(len(X), self.classes_[0])


def test_what_the_inner_estimator_gets():
    heart = load_heart(as_frame=True)
    options = {
        "propensity": PropensityWeighter(covariates=["site"], random_state=0),
        "modalities": heart.modalities,
    }
    use = ["imaging", "history"]
    clf = IPWMultimodalClassifier(Recorder(), use=use, **options)
    clf.fit(heart.data, heart.target)
    X, _y, w = clf.estimator_.given_
    names = heart.modalities["imaging"] + heart.modalities["history"]
    assert list(X.columns) == names
    # A missing feature is no missing modality: it gets its (weighted) training mean.
    here = heart.data[heart.modalities["imaging"]].notna().any(axis=1)
    assert len(X) == here.sum()
    assert not X.isna().any().any()
    raw = heart.data.loc[here, names].reset_index(drop=True)
    gone = raw["imaging__ca"].isna()
    assert gone.any()
    mean = np.average(raw["imaging__ca"][~gone], weights=w[~gone])
    np.testing.assert_allclose(X["imaging__ca"][gone], mean, rtol=1e-6)
    assert w.mean() == pytest.approx(1.0)
    # The same names also where X comes as an array or a container at prediction.
    clf.predict(
        MultimodalData.from_frame(heart.data, heart.modalities)[np.flatnonzero(here)]
    )
    assert list(clf.estimator_.asked_.columns) == names
    clf = IPWMultimodalClassifier(
        HistGradientBoostingClassifier(max_iter=2), use=use, **options
    ).fit(heart.data, heart.target)
    assert list(clf.estimator_.feature_names_in_) == names


def test_a_block_with_a_shape_is_flat_for_strangers_and_whole_for_us():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = MultimodalData(
        {"image": rng.normal(size=(60, 1, 4, 4)) + y[:, None, None, None],
         "labs": rng.normal(size=(60, 2))}
    )  # fmt: skip
    clf = IPWMultimodalClassifier(Recorder()).fit(X, y)
    assert clf.estimator_.given_[0].shape == (60, 18)
    ours = FusionClassifier(max_epochs=1, n_threads=1, random_state=0)
    clf = IPWMultimodalClassifier(ours).fit(X, y)
    assert clf.estimator_.modality_shapes_in_ == {"image": (1, 4, 4), "labs": (2,)}


def test_rows_that_lack_a_used_block(bits):
    X, y = bits.data[:1000], bits.target[:1000]
    clf = IPWMultimodalClassifier(LogisticRegression()).fit(X, y)
    lacking = ~X.present[:, 1]
    message = (
        rf"{lacking.sum()} of 1000 rows without all of the modalities \['x1', 'x2'\]"
    )
    with pytest.warns(EmptyRowWarning, match=message) as caught:
        proba = clf.predict_proba(X)
    assert len(caught) == 1
    # Every label is known, so that the share of a class is that of all rows.
    np.testing.assert_allclose(clf.class_prior_, [1 - y.mean(), y.mean()])
    np.testing.assert_allclose(
        proba[lacking], np.tile(clf.class_prior_, (lacking.sum(), 1))
    )
    with pytest.warns(EmptyRowWarning):
        assert (clf.predict(X)[lacking] == 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = IPWMultimodalClassifier(PatternClassifier()).fit(X, y)
        ours.predict_proba(X)
    # Scoring looks at rows that have everything, and never warns.
    assert clf.score(X, y) > 0.97


def test_missing_labels(bits):
    X, y = bits.data, bits.target.astype(object)
    gone = (X["x1"][:, 0] == 1) & (np.arange(len(y)) % 2 == 0)
    names = np.where(gone, None, np.array(["off", "on"], dtype=object)[bits.target])
    clf = IPWMultimodalClassifier(TREE, use=["x1"]).fit(X, names)
    assert list(clf.classes_) == ["off", "on"]
    # Weighted, the share of a class is that of the population again.
    assert clf.class_prior_[1] == pytest.approx(bits.target.mean(), abs=0.01)
    assert (bits.target[~gone].mean() - bits.target.mean()) < -0.04
    assert clf.predict_proba(X[X["x1"][:, 0] == 1])[0, 1] == pytest.approx(
        0.5, abs=0.03
    )
    for labels in (
        pd.Series(np.where(gone, np.nan, y.astype(float))),
        pd.array(np.where(gone, None, y), dtype="Int64"),
    ):
        other = IPWMultimodalClassifier(TREE, use=["x1"]).fit(X, labels)
        np.testing.assert_allclose(
            other.predict_proba(X), clf.predict_proba(X), atol=1e-12
        )
        assert other.score(X, labels) == pytest.approx(clf.score(X, names))


def test_estimators_without_probabilities(bits):
    X, y = bits.data[:500], bits.target[:500]
    clf = IPWMultimodalClassifier(LinearSVC(), use=["x1"])
    assert not hasattr(clf, "predict_proba")
    clf.fit(X, y)
    assert clf.decision_function(X).shape == (500,)
    assert clf.score(X, y) > 0.6
    assert not hasattr(IPWMultimodalClassifier(TREE), "decision_function")
    clf = IPWMultimodalClassifier(LinearSVC()).fit(X, y)
    with pytest.raises(ValueError, match="rows without all of the modalities"):
        clf.decision_function(X)


def test_errors(bits):
    X, y = bits.data[:200], bits.target[:200]
    fit = IPWMultimodalClassifier
    with pytest.raises(
        ValueError, match=r"Got \['x3'\] in use, expected distinct names"
    ):
        fit(use=["x3"]).fit(X, y)
    with pytest.raises(ValueError, match="Got no label in y"):
        fit().fit(X, np.full(200, np.nan))
    with pytest.raises(ValueError, match="Got no row with all of the modalities"):
        fit(TREE).fit(X.hide("x2"), y)
    with pytest.raises(ValueError, match="Got no row with a label and all"):
        fit(TREE, weighting="none").fit(X.hide("x2"), y)
    with pytest.raises(
        ValueError, match=r"Got one class only .* in the rows that have"
    ):
        fit(TREE).fit(X.hide({"x2": y == 1}), y)
    with pytest.raises(TypeError, match="Got weights for KNeighborsClassifier"):
        fit(KNeighborsClassifier()).fit(X, y)
    with pytest.raises(ValueError, match=r"Got propensity with required=\['x1'\]"):
        fit(TREE, propensity=PropensityWeighter(required=["x1"])).fit(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        fit(TREE).fit(X, None)
    text = MultimodalData({**X.blocks, "site": np.array(["a", "b"] * 100)})
    with pytest.raises(ValueError, match=r"Got values of dtype .* the modality 'site'"):
        fit(TREE).fit(text, y)
    clf = fit(TREE, use=["x1"]).fit(text, y)
    # Nothing is missing here, so that the site has nothing to explain.
    assert clf.propensity_.models_ == [None]
    with pytest.raises(ValueError, match="Got no row with a label and all"):
        clf.score(text.hide("x1"), y)


def test_text_beside_the_used_blocks_explains_missingness():
    rng = np.random.default_rng(0)
    site = np.where(rng.random(2000) < 0.5, "near", "far")
    y = (rng.random(2000) < np.where(site == "near", 0.8, 0.2)).astype(int)
    X = MultimodalData({"x": rng.normal(size=(2000, 1)), "site": site})
    X = X.hide({"x": rng.random(2000) > np.where(site == "near", 0.9, 0.3)})
    clf = IPWMultimodalClassifier(DummyClassifier(), use=["x"]).fit(X, y)
    assert clf.propensity_.covariate_names_ == ["site__0=far", "site__0=near"]
    seen = X[X.present[:, 0]]
    assert clf.predict_proba(seen)[0, 1] == pytest.approx(y.mean(), abs=0.03)
    assert y[X.present[:, 0]].mean() > 0.6


def test_the_default_is_the_fused_net():
    X, y = make_bitwise(150, return_X_y=True, random_state=0)
    clf = IPWMultimodalClassifier().fit(X, y)
    assert isinstance(clf.estimator_, FusionClassifier)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_corrected_accuracy_is_that_of_the_population_over_seeds():
    found = []
    for seed in range(10):
        X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=seed)
        found.append(
            [
                IPWMultimodalClassifier(TREE, use=["x2"], weighting=w)
                .fit(X, y)
                .score(X, y)
                for w in ("none", "ipw")
            ]
        )
    # On observed rows x2 = 1 nearly always means x1 = 1 too: 0.9; in truth 0.75.
    np.testing.assert_allclose(np.mean(found, axis=0), [0.9, 0.75], atol=0.01)
    np.testing.assert_allclose(found, np.tile([0.9, 0.75], (10, 1)), atol=0.035)


# -- the scorer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("roc_auc", lambda y, p, d, w: roc_auc_score(y, p, sample_weight=w)),
        ("neg_log_loss", lambda y, p, d, w: -log_loss(y, p, sample_weight=w)),
        ("accuracy", lambda y, p, d, w: accuracy_score(y, d, sample_weight=w)),
        (f1_score, lambda y, p, d, w: f1_score(y, d, sample_weight=w)),
    ],
)
def test_scores_by_hand(bits, metric, by_hand):
    X, y = bits.data, bits.target
    weighter = make_weighter(bits)
    clf = IPWMultimodalClassifier(TREE, use=["x2"]).fit(X, y)
    w = weighter.sample_weight(X)
    seen = w > 0
    s = np.random.default_rng(0).uniform(size=len(y))
    p, d = clf.predict_proba(X[seen])[:, 1], clf.predict(X[seen])
    for propensity in (weighter, None):
        scorer = make_ipw_scorer(metric, propensity=propensity)
        # Left to itself, the classifier only requires what it uses: x2, as here.
        assert scorer(clf, X, y) == pytest.approx(by_hand(y[seen], p, d, w[seen]))
        assert scorer(clf, X, y, sample_weight=s) == pytest.approx(
            by_hand(y[seen], p, d, (w * s)[seen])
        )
        twice = X[np.r_[: len(y), : len(y)]]
        assert scorer(clf, twice, np.r_[y, y]) == pytest.approx(scorer(clf, X, y))


def test_scorer_works_on_any_classifier_and_skips_missing_labels(bits):
    X, y = bits.data, bits.target.astype(float)
    y[::3] = np.nan
    weighter = PropensityWeighter(random_state=0).fit(X, y)
    scorer = make_ipw_scorer("roc_auc", propensity=weighter)
    known = ~np.isnan(y)
    clf = PatternClassifier().fit(X[known], y[known])
    assert scorer(clf, X, y) == pytest.approx(1.0, abs=0.01)
    labels = np.where(known, np.array(["a", "b"], dtype=object)[(y == 1) * 1], None)
    clf = PatternClassifier().fit(X[known], labels[known].astype(str))
    assert scorer(clf, X, labels) == pytest.approx(1.0, abs=0.01)


def test_scorer_in_searches_and_pipelines(bits):
    X, y = bits.data[:1500], bits.target[:1500]
    weighter = PropensityWeighter(random_state=0).fit(X)
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"])
    cv = ObservedStratifiedKFold(3, random_state=0)
    given = make_ipw_scorer("neg_log_loss", propensity=weighter)
    own = make_ipw_scorer("neg_log_loss")
    search = GridSearchCV(
        clf, {"estimator__C": [1e-3, 1.0]}, cv=cv, refit="given",
        scoring={"given": given, "own": own}, error_score="raise",
    ).fit(X, y)  # fmt: skip
    assert search.best_params_ == {"estimator__C": 1.0}
    assert np.isfinite(search.cv_results_["mean_test_own"]).all()
    assert own(search, X, y) == pytest.approx(own(search.best_estimator_, X, y))
    pipe = make_pipeline(ModalityTransformer([("x1", StandardScaler())]), clf)
    pipe.fit(X, y)
    assert np.isfinite(own.__class__(own.base, None, None, None)(pipe, X, y))
    # Its own score is the same thing for accuracy.
    first = make_ipw_scorer("accuracy")
    clf.fit(X, y)
    assert first(clf, X, y) == pytest.approx(clf.score(X, y))
    default = cross_val_score(clf, X, y, cv=cv)
    assert np.abs(default - 0.75).max() < 0.1


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "grid",
    [
        {"propensity__clip": [None, (0.3, 0.9)]},
        {"use": [["x1"], ["x1", "x2"]]},
        {"propensity": [PropensityWeighter(), PropensityWeighter(TREE, clip=(0.1, 1))]},
    ],
)
def test_candidates_with_weights_of_their_own_are_refused(bits, n_jobs, grid):
    X, y = bits.data[:300], bits.target[:300]
    clf = IPWMultimodalClassifier(TREE, propensity=PropensityWeighter(random_state=0))
    search = GridSearchCV(
        clf, grid, scoring=make_ipw_scorer("accuracy"), cv=2, n_jobs=n_jobs,
        error_score="raise",
    )  # fmt: skip
    with pytest.raises(ValueError, match="Got candidates that differ in their"):
        search.fit(X, y)
    weighter = PropensityWeighter(random_state=0).fit(X)
    search.set_params(scoring=make_ipw_scorer("accuracy", propensity=weighter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyRowWarning)
        search.fit(X, y)


def test_random_states_are_no_difference(bits):
    X, y = bits.data[:300], bits.target[:300]
    scorer = make_ipw_scorer("accuracy")
    template = PropensityWeighter(random_state=np.random.RandomState(0))
    clf = IPWMultimodalClassifier(TREE, use=["x2"], propensity=template)
    scores = cross_val_score(clf, X, y, scoring=scorer, cv=3, error_score="raise")
    assert np.isfinite(scores).all()


def test_scorer_errors(bits):
    X, y = bits.data[:300], bits.target[:300]
    weighter = PropensityWeighter(random_state=0).fit(X)
    clf = IPWMultimodalClassifier(TREE).fit(X, y)
    with pytest.raises(NotFittedError, match="Got a propensity that is not fitted"):
        make_ipw_scorer("accuracy", propensity=PropensityWeighter())
    with pytest.raises(ValueError, match="Got propensity of type ndarray"):
        make_ipw_scorer("accuracy", propensity=np.ones(300))
    with pytest.raises(ValueError, match="expected one that takes sample_weight"):
        make_ipw_scorer(lambda y, p: 1.0)
    with pytest.raises(ValueError, match="Got the metric 3"):
        make_ipw_scorer(3)
    with pytest.raises(ValueError, match=r"Got required=\['x1'\], expected one of"):
        make_ipw_scorer("accuracy", propensity=weighter, required=["x1"])
    several = PropensityWeighter(required=[["x1"], ["x2"]], random_state=0).fit(X)
    with pytest.raises(ValueError, match="Got required=None with a propensity of 2"):
        make_ipw_scorer("accuracy", propensity=several)
    second = make_ipw_scorer("accuracy", propensity=several, required="x2")
    both = make_ipw_scorer("accuracy", propensity=weighter)
    assert second(clf, X, y) == pytest.approx(both(clf, X, y))
    with pytest.raises(ValueError, match="Got a DecisionTreeClassifier to score"):
        make_ipw_scorer("accuracy")(TREE, X, y)
    plain = IPWMultimodalClassifier(TREE, weighting="none").fit(X, y)
    with pytest.raises(ValueError, match="with weighting='none'"):
        make_ipw_scorer("accuracy")(plain, X, y)
    nothing = X.hide("x2")
    with pytest.raises(ValueError, match=r"Got no row with a label and all of .*'x2'"):
        both(clf, nothing, y)


def test_scorer_asks_for_weights_under_routing(bits):
    X, y = bits.data[:600], bits.target[:600]
    weighter = PropensityWeighter(random_state=0).fit(X)
    s = np.random.default_rng(0).uniform(0.1, 2, size=600)
    with config_context(enable_metadata_routing=True):
        clf = IPWMultimodalClassifier(TREE, use=["x2"]).set_fit_request(
            sample_weight=True
        )
        scorer = make_ipw_scorer("neg_log_loss", propensity=weighter)
        silent = cross_validate(
            clf.set_fit_request(sample_weight=False), X, y, scoring=scorer, cv=3
        )
        scorer = make_ipw_scorer("neg_log_loss", propensity=weighter)
        asked = cross_validate(
            clf, X, y, scoring=scorer.set_score_request(sample_weight=True), cv=3,
            params={"sample_weight": s},
        )  # fmt: skip
    assert np.abs(asked["test_score"] - silent["test_score"]).max() > 1e-6


# -- folds -----------------------------------------------------------------------------


@pytest.mark.parametrize("grouped", [False, True])
def test_every_fold_has_its_share(grouped):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    X[rng.random(400) < 0.7] = np.nan
    y = rng.integers(3, size=400).astype(float)
    y[rng.random(400) < 0.5] = np.nan
    groups = np.arange(400) // 2 if grouped else None
    cv = ObservedStratifiedKFold(5, random_state=0)
    assert cv.get_n_splits() == 5
    usable = ~np.isnan(X[:, 0]) & ~np.isnan(y)
    tests = []
    for train, test in cv.split(X, y, groups):
        assert len(np.intersect1d(train, test)) == 0
        tests.append(test)
        if grouped:
            assert not np.isin(groups[train], groups[test]).any()
    counts = np.array([usable[t].sum() for t in tests])
    missing = np.array([np.isnan(y[t]).sum() for t in tests])
    slack = 6 if grouped else 3
    assert np.ptp(counts) <= slack
    assert np.ptp(missing) <= slack
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(400))
    again = [t for _, t in cv.split(X, y, groups)]
    assert all((a == b).all() for a, b in zip(tests, again))


def test_folds_without_anything_to_score_are_refused():
    X, y = np.full((20, 1), np.nan), np.arange(20) % 2
    X[:3] = 0.0
    with pytest.raises(ValueError, match="Got 3 rows with a label and the modalities"):
        list(ObservedStratifiedKFold(5).split(X, y))
    assert len(list(ObservedStratifiedKFold(3).split(X, y))) == 3
    groups = np.r_[0, 0, 0, np.arange(1, 18)]
    with pytest.raises(ValueError, match=r"in fold ., expected at least one"):
        list(ObservedStratifiedKFold(3).split(X, y, groups))
    with pytest.raises(ValueError, match="Got n_splits=1"):
        ObservedStratifiedKFold(1)


def test_required_modalities_decide(bits):
    X, y = bits.data[:100], bits.target[:100]
    few = X.hide({"x2": np.arange(100) > 2})
    with pytest.raises(ValueError, match="expected at least 5"):
        list(ObservedStratifiedKFold(5).split(few, y))
    assert len(list(ObservedStratifiedKFold(5, required=["x1"]).split(few, y))) == 5


def test_split_tools_of_scikit_learn(bits):
    parts = train_test_split(bits.data, bits.target, random_state=0)
    clf = IPWMultimodalClassifier(TREE).fit(parts[0], parts[2])
    assert clf.score(parts[1], parts[3]) > 0.97


def test_groups_are_routed_to_the_folds(bits):
    X, y = bits.data[:300], bits.target[:300]
    groups = np.arange(300) // 2
    seen = []

    class Watched(ObservedStratifiedKFold):
        def split(self, X, y, groups=None):
            for train, test in super().split(X, y, groups):
                seen.append(np.isin(groups[train], groups[test]).any())
                yield train, test

    clf = IPWMultimodalClassifier(TREE, use=["x2"])
    with config_context(enable_metadata_routing=True):
        clf.set_fit_request(groups=True, sample_weight=False)
        cross_validate(
            clf, X, y, cv=Watched(3, random_state=0), params={"groups": groups}
        )
    assert seen == [False] * 3


def test_a_class_of_unobserved_rows_only_is_named(bits):
    X, y = bits.data[:400], bits.target[:400].copy()
    y[np.flatnonzero(~X.present[:, 1])[:20]] = 7
    with pytest.warns(OverlapWarning, match=r"Got the classes \[7\] only in rows"):
        clf = IPWMultimodalClassifier(TREE, use=["x2"]).fit(X, y)
    assert list(clf.classes_) == [0, 1, 7]
    assert (clf.predict_proba(X[X.present[:, 1]])[:, 2] == 0).all()
    assert clf.class_prior_[2] == 20 / 400
