"""What each baseline computes."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import sklearn
from scipy.special import logsumexp
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.nn import MLPEncoder

from .._instances import NET
from ..conftest import make_blocks

SEEDS = [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))]


def xor_blocks(n=1500, seed=0):
    """A label that only both blocks together tell."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, size=(n, 2))
    noise = rng.normal(scale=0.2, size=(n, 2))
    x = bits + noise
    return MultimodalData({"a": x[:, :1], "b": x[:, 1:]}), bits[:, 0] ^ bits[:, 1]


@pytest.mark.parametrize("seed", SEEDS)
def test_early_fusion_learns_what_no_ensemble_can(seed):
    X, y = xor_blocks(seed=seed)
    test, y_test = xor_blocks(seed=100 + seed)
    params = {**NET, "random_state": seed, "max_epochs": 20}
    # Bayes accuracy: .9938 ** 2 + .0062 ** 2 = .988.
    assert FusionClassifier(**params).fit(X, y).score(test, y_test) > 0.95
    assert UnimodalEnsemble(**params).fit(X, y).score(test, y_test) < 0.6
    late = FusionClassifier(**params, fusion="late").fit(X, y)
    assert late.score(test, y_test) < 0.8


def test_late_fusion_is_the_mean_of_the_scores_a_row_has():
    X, y = make_blocks(n=60, n_modalities=3)
    clf = FusionClassifier(**NET, fusion="late", dtype="float64").fit(X, y)
    logs = {
        name: np.log(
            clf.predict_proba(
                X.hide([k for k in X.names if k != name])[X.present[:, m]]
            )
        )
        for m, name in enumerate(X.names)
    }
    total, count = np.zeros((60, 3)), X.present.sum(axis=1, keepdims=True)
    for m, name in enumerate(X.names):
        total[X.present[:, m]] += logs[name]
    mean = total / count
    mean -= logsumexp(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(np.log(clf.predict_proba(X)), mean, atol=1e-10)


def test_use_mask_adds_the_presence_bits():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=600)
    X = MultimodalData({"a": rng.normal(size=(600, 2)), "b": rng.normal(size=(600, 2))})
    # Nothing but the fact of being missing tells the label.
    X = X.hide({"b": y == 1})
    params = {**NET, "modality_dropout": 0.0, "early_stopping": False}
    with_mask = FusionClassifier(**params, use_mask=True).fit(X, y)
    assert with_mask.score(X, y) == 1.0
    first = with_mask.net_.module_.head[0]
    plain = FusionClassifier(**params).fit(X, y).net_.module_.head[0]
    assert first.in_features == plain.in_features + 2
    with pytest.raises(ValueError, match="use_mask=True with fusion='late'"):
        FusionClassifier(**params, use_mask=True, fusion="late").fit(X, y)


@pytest.mark.parametrize("seed", SEEDS)
def test_modality_dropout_prepares_for_missing_modalities(seed):
    # Halves of the 8 x 8 digits: a net that never met a missing half is lost
    # without it (38.9% in the published table, 78.9% with drops).
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    image, y = digits.images[order], digits.target[order]
    X = MultimodalData({"left": image[:, :, :4], "right": image[:, :, 4:]})
    encoders = [(name, MLPEncoder()) for name in X.names]
    params = {
        "encoders": encoders,
        "n_threads": 1,
        "random_state": seed,
        "max_epochs": 25,
    }
    naive = FusionClassifier(modality_dropout=0.0, **params).fit(X[:1080], y[:1080])
    robust = FusionClassifier(
        modality_dropout=0.3, dropout_scheme="exclusive", **params
    ).fit(X[:1080], y[:1080])
    for hidden in X.names:
        test = X[1080:].hide(hidden)
        assert robust.score(test, y[1080:]) > naive.score(test, y[1080:]) + 0.1
    assert robust.score(X[1080:], y[1080:]) > 0.92


# -- unimodal ensemble ----------------------------------------------------------------


@pytest.mark.parametrize("combination", ["product", "mean"])
def test_combination_formula(combination):
    X, y = make_blocks(n=90, n_modalities=3)
    w = np.random.default_rng(0).uniform(0.5, 2, size=90)
    clf = UnimodalEnsemble(**NET, combination=combination).fit(X, y, sample_weight=w)
    single = clf.unimodal_proba(X)
    prior = np.bincount(y, w) / w.sum()
    expected = np.empty((90, 3))
    for i in range(90):
        have = [n for m, n in enumerate(X.names) if X.present[i, m]]
        if combination == "mean":
            expected[i] = np.mean([single[n][i] for n in have], axis=0)
            continue
        p = prior.copy()
        for name in have:
            here = X.present[:, X.names.index(name)]
            share = np.bincount(y[here], w[here]) / w[here].sum()
            p *= single[name][i] / share
        expected[i] = p / p.sum()
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-9)
    assert np.isnan(single["m1"][~X.present[:, 1]]).all()


def test_product_takes_out_the_shares_of_the_rows_with_a_modality():
    # Pure noise, but class 1 mostly has no "b": the block itself must not count.
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=4000)
    X = MultimodalData({k: rng.normal(size=(4000, 2)) for k in "ab"})
    X = X.hide({"b": (y == 1) & (rng.random(4000) < 0.9)})
    clf = UnimodalEnsemble(**NET).fit(X, y)
    out = clf.predict_proba(X[X.present[:, 1]])[:, 1].mean()
    assert abs(out - 0.5) < 0.05
    alone = clf.unimodal_proba(X)["b"]
    assert np.nanmean(alone[:, 1]) < 0.2


def test_a_class_that_a_modality_never_saw():
    X, y = make_blocks(n=90)
    X = X.hide({"m1": (y == 2) & X.present[:, 0]})
    keep = X.present.any(axis=1) & ~((y == 2) & ~X.present[:, 0])
    X, y = X[keep], y[keep]
    for combination in ("product", "mean"):
        clf = UnimodalEnsemble(**NET, combination=combination).fit(X, y)
        assert np.isfinite(clf.predict_proba(X)).all()
        assert clf.score(X, y) > 0.7


def test_nets_do_not_depend_on_jobs_or_on_each_other():
    X, y = make_blocks(n=60, n_modalities=2)
    a = UnimodalEnsemble(**NET, n_jobs=1).fit(X, y).unimodal_proba(X)
    b = UnimodalEnsemble(**NET, n_jobs=2).fit(X, y).unimodal_proba(X)
    with joblib.parallel_config(backend="threading"):
        c = UnimodalEnsemble(**NET, n_jobs=2).fit(X, y).unimodal_proba(X)
    for name in X.names:
        np.testing.assert_array_equal(a[name], b[name])
        np.testing.assert_array_equal(a[name], c[name])


# -- one model per pattern ------------------------------------------------------------


def test_pattern_models_see_the_right_rows():
    X, y = make_blocks(n=200, n_modalities=3, missing=0.4)
    available = PatternClassifier(GaussianNB()).fit(X, y)
    exact = PatternClassifier(GaussianNB(), training_rows="exact").fit(X, y)
    for pattern, n_rows in available.n_rows_.items():
        index = [X.names.index(name) for name in pattern]
        assert n_rows == X.present[:, index].all(axis=1).sum()
        only = np.zeros(3, dtype=bool)
        only[index] = True
        if pattern in exact.n_rows_:
            assert exact.n_rows_[pattern] == (X.present == only).all(axis=1).sum()
    complete = X.present.all(axis=1)
    table = np.concatenate([X[n][complete] for n in X.names], axis=1)
    reference = GaussianNB().fit(table, y[complete])
    np.testing.assert_allclose(
        available.predict_proba(X[complete]), reference.predict_proba(table)
    )


def test_unseen_pattern_falls_back_to_the_largest_it_contains():
    X, y = make_blocks(n=120, n_modalities=3, missing=0.0)
    X = X.hide({"m2": np.arange(120) % 2 == 0})
    clf = PatternClassifier().fit(X, y)
    assert set(clf.estimators_) == {
        ("m0",),
        ("m1",),
        ("m2",),
        ("m0", "m1"),
        ("m0", "m1", "m2"),
    }
    seen = clf.predict_proba(X.hide(["m1", "m2"]))
    np.testing.assert_array_equal(
        clf.predict_proba(X.hide("m1")),
        np.where(X.present[:, 2:], clf.predict_proba(X.hide("m1")), seen),
    )
    # {m1, m2} has no model of its own: m1, seen in more rows than m2, answers.
    np.testing.assert_array_equal(
        clf.predict_proba(X.hide("m0")), clf.predict_proba(X.hide(["m0", "m2"]))
    )


def test_pattern_without_a_class_gives_it_probability_zero():
    X, y = make_blocks(n=90)
    X = X.hide({"m1": y == 2})
    keep = X.present.any(axis=1)
    X, y = X[keep], y[keep]
    clf = PatternClassifier(GaussianNB()).fit(X, y)
    both = clf.predict_proba(X[X.present.all(axis=1)])
    assert (both[:, 2] == 0).all()
    np.testing.assert_allclose(both.sum(axis=1), 1)


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_get_the_weights(routing):
    X, y = make_blocks(n=120, missing=0.0)
    w = np.random.default_rng(0).uniform(0.1, 5, size=120)
    with sklearn.config_context(enable_metadata_routing=routing):
        pipe = make_pipeline(StandardScaler(), LogisticRegression())
        clf = PatternClassifier(pipe).fit(X, y, sample_weight=w)
        out = clf.predict_proba(X)
    table = np.concatenate([X[n] for n in X.names], axis=1)
    scaled = w / w.mean()
    scaler = StandardScaler().fit(table, sample_weight=scaled)
    model = LogisticRegression().fit(scaler.transform(table), y, sample_weight=scaled)
    np.testing.assert_allclose(
        out, model.predict_proba(scaler.transform(table)), atol=1e-5
    )


def test_estimator_without_weights_is_refused_only_when_they_differ():
    X, y = make_blocks(n=60)
    PatternClassifier(KNeighborsClassifier()).fit(X, y)
    PatternClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=np.full(60, 3.0))
    with pytest.raises(TypeError, match="Got weights for KNeighborsClassifier"):
        PatternClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=1 + y)


def test_missing_features_pass_only_where_the_estimator_takes_them():
    X, y = make_blocks(n=100, missing=0.0)
    block = X["m0"].copy()
    block[::3, 0] = np.nan
    X = MultimodalData({"m0": block, "m1": X["m1"]})
    seen = {}

    class Spy(HistGradientBoostingClassifier):
        def fit(self, X, y, sample_weight=None):
            seen["nan"] = bool(np.isnan(X).any())
            return super().fit(X, y, sample_weight=sample_weight)

    PatternClassifier(Spy(max_iter=2)).fit(X, y).predict_proba(X)
    assert seen["nan"]
    filled = PatternClassifier(GaussianNB()).fit(X, y)
    (table,) = (m.table for m in filled._models if m.pattern == ("m0", "m1"))
    np.testing.assert_allclose(table.fill_[0], np.nanmean(block[:, 0]))
    imputing = make_pipeline(SimpleImputer(), GaussianNB())
    PatternClassifier(imputing).fit(X, y).predict_proba(X)


def test_inner_models_see_the_labels_and_class_weights():
    X, y = make_blocks(n=60, n_classes=2)
    labels = np.array(["ill", "well"])[y]
    inner = LogisticRegression(class_weight={"ill": 5, "well": 1})
    clf = PatternClassifier(inner).fit(X, labels)
    assert clf.estimators_[("m0",)].classes_.tolist() == ["ill", "well"]
    assert set(clf.predict(X)) <= {"ill", "well"}
    tilted = PatternClassifier(class_weight={"ill": 50.0, "well": 1.0}).fit(X, labels)
    assert tilted.class_prior_[0] > 0.95
    assert (tilted.predict_proba(X)[:, 0] > clf.predict_proba(X)[:, 0]).mean() > 0.8


@pytest.mark.parametrize("routing", [False, True])
def test_searches_and_calibration_get_the_weights(routing):
    X, y = make_blocks(n=90, missing=0.0)
    w = np.random.default_rng(0).uniform(0.1, 5, size=90)
    with sklearn.config_context(enable_metadata_routing=routing):
        for inner in (
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
            CalibratedClassifierCV(LogisticRegression(), cv=2),
        ):
            clf = PatternClassifier(inner).fit(X, y, sample_weight=w)
            assert clf.score(X, y) > 0.5


@pytest.mark.parametrize("routing", [False, True])
def test_groups_reach_the_folds_of_a_search(routing):
    X, y = make_blocks(n=90)
    groups, seen = np.arange(90) // 3, []

    class Folds(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(np.unique(groups, return_counts=True))
            return super().split(X, y, groups)

    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1.0]},
            cv=Folds(3),
        )
        clf = PatternClassifier(search).fit(X, y, groups=groups)
        with pytest.raises(ValueError, match="groups"):
            PatternClassifier(search).fit(X, y)
    assert len(seen) > len(clf.estimators_)
    for pattern, (_, counts) in zip(clf.estimators_, seen):
        assert counts.sum() == clf.n_rows_[pattern]
    # An estimator that takes none is fitted as without them.
    with_groups, without = (
        PatternClassifier().fit(X, y, groups=g).predict_proba(X) for g in (groups, None)
    )
    np.testing.assert_array_equal(with_groups, without)
    with pytest.raises(ValueError, match="Got groups of length 89, expected 90"):
        PatternClassifier().fit(X, y, groups=groups[:-1])
