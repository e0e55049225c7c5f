"""Doubly robust values: right if either propensities or models of the loss are."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, PredefinedSplit, ShuffleSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skmissing import MultimodalData, PropensityWeighter
from skmissing._estimation._folds import Folds, split_rows, split_tested
from skmissing._estimation._rows import LabelledRows
from skmissing.exceptions import OverlapWarning
from skmissing.ipw import modality_utility
from skmissing.ipw._propensity_model import FrozenPropensity
from skmissing.ipw.utility import _doubly_robust as module
from skmissing.ipw.utility._bootstrap import UtilityTerm, UtilityTerms, Variant
from skmissing.ipw.utility._doubly_robust import (
    BOOSTING,
    OutcomeModel,
    aipw_mean,
    fit_each,
    fit_smooth,
)

LINEAR = LogisticRegression()
QUICK = PropensityWeighter(LogisticRegression(C=100.0))
MEANS = ["accuracy", "neg_log_loss", "neg_brier_score"]


def population(n, seed):
    """Loss and missingness both driven by c."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=n)
    loss = (rng.random(n) < expit(1.5 * c)).astype(float)
    p = expit(0.3 + 1.2 * c)
    seen = rng.random(n) < p
    return c, loss, p, seen


@pytest.mark.parametrize("fit", [partial(fit_each, BOOSTING), fit_smooth])
def test_models_of_the_loss_obey_weights(fit):
    # Each row twice, with other values and weights: the weighted mean is to be found.
    X = np.random.default_rng(0).normal(size=(300, 2))
    low, high = np.sin(X[:, :1]), 2.0 + X[:, 1:] ** 2
    both, values = np.concatenate([X, X]), np.concatenate([low, high])
    for share in (0.1, 0.9):
        weight = np.repeat([1.0 - share, share], 300)
        expected = (1.0 - share) * low + share * high
        found = fit(both, values, weight, 0)(X)
        assert np.mean((found - expected) ** 2) < 0.1 * np.var(expected)


@pytest.mark.parametrize(
    ("propensity", "right_outcome", "off"),
    [
        ("right", True, 0),
        ("right", False, 0),
        ("constant", True, 0),
        ("backwards", True, 0),
        ("constant", False, 0.05),
        ("backwards", False, 0.05),
    ],
)
def test_either_model_suffices(propensity, right_outcome, off):
    found = []
    for seed in range(20):
        c, loss, p, seen = population(20_000, seed)
        p = {
            "right": p,
            "constant": np.full(len(c), seen.mean()),
            "backwards": expit(0.3 - 1.2 * c),
        }[propensity]
        # A wrong model beside the right one does no harm.
        h = [np.sin(9 * c)] + ([expit(1.5 * c)] if right_outcome else [])
        one = np.ones(len(c))
        found.append(aipw_mean(loss, seen / p, one, np.column_stack(h)))
    if off:
        assert np.mean(found) > 0.5 + off
    else:
        assert np.mean(found) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("first", [1.0, 0.99])
def test_propensities_of_one_leave_the_word_to_the_models(first):
    c, loss, _, seen = population(20_000, 0)
    h, one = expit(1.5 * c)[:, None], np.ones(len(c))
    assert loss[seen].mean() > 0.58
    w = seen * 1.0
    w[np.flatnonzero(seen)[0]] /= first
    assert aipw_mean(loss, w, one, h) == pytest.approx(0.5, abs=0.02)
    # Where nothing is missing there is nothing to model.
    assert aipw_mean(loss, one, one, h) == pytest.approx(loss.mean())


@pytest.mark.parametrize(
    ("classifier", "outcome_model"),
    [
        (DecisionTreeClassifier(max_depth=1), DummyRegressor()),
        (DummyClassifier(), None),
    ],
    ids=["wrong outcome", "wrong propensity"],
)
def test_either_model_suffices_from_end_to_end(classifier, outcome_model):
    """With fitted models and for every mean-type metric."""
    template = PropensityWeighter(classifier, covariates=["c"], random_state=0)
    errors = {"biased_value": [], "value": [], "doubly_robust_value": []}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        c, x = rng.uniform(-1, 1, size=6000), rng.normal(size=6000)
        # The label is as good as noise where c is low.
        y = (rng.random(6000) < expit(4 * x * (c + 1))).astype(int)
        seen = rng.random(6000) < np.where(c > 0, 0.85, 0.15)
        full = MultimodalData({"x": x[:, None], "c": c[:, None]})
        table, scores = modality_utility(
            LINEAR, full.hide({"x": ~seen}), y, subsets=["x"], scoring=MEANS,
            n_bootstraps=0, propensity=template, outcome_model=outcome_model,
            correct_training=False, return_scores=True, random_state=0,
        )  # fmt: skip
        p = np.full(6000, np.nan)
        for k, model in enumerate(scores.models[("x",), "none"]):
            p[scores.folds == k] = model.predict_proba(full[scores.folds == k])[:, 1]
        right = np.where(y == 1, p, 1 - p)
        truth = [np.mean(right > 0.5), np.log(right).mean(), -np.mean((1 - right) ** 2)]
        for name, parts in errors.items():
            parts.append(table[name] - truth)
    bias = {name: np.mean(parts, axis=0) for name, parts in errors.items()}
    assert bias["biased_value"][0] > 0.04
    assert (np.abs(bias["biased_value"]) > 0.02).all()
    if outcome_model is None:
        # The weights say nothing.
        assert (np.abs(bias["value"]) > 0.7 * np.abs(bias["biased_value"])).all()
    share = np.abs(bias["doubly_robust_value"]) / np.abs(bias["biased_value"])
    assert (share < 0.2).all()


def test_rows_that_are_not_tested_do_not_count():
    """They only help to fit propensities."""
    c, loss, p, seen = population(400, 0)
    tested = np.arange(400) % 3 > 0
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=400)

    def robust(rows):
        known = FrozenPropensity(
            None, c[rows, None], seen[rows], None, p[rows], tested[rows]
        )
        nothing = Variant(np.sum, np.sum)
        term = UtilityTerm(
            ("a",), (), "accuracy", nothing, values=loss[rows],
            outcome=np.column_stack([expit(c[rows]), c[rows]]),
        )  # fmt: skip
        terms = UtilityTerms([term], {frozenset("a"): known}, weight[rows], None, True)
        return terms.evaluate(weight[rows], refit=False).doubly_robust[0]

    assert robust(np.arange(400)) == pytest.approx(robust(np.flatnonzero(tested)))


def test_outcome_models_never_see_the_row():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(300, 2)), rng.normal(size=(300, 1))
    noise[::3] = np.nan
    folds = Folds.partition(np.arange(300) % 4, 4)
    # One neighbour, which in its own fold would be the row itself.
    model = KNeighborsRegressor(1)
    out = OutcomeModel(model, folds, np.ones(300), 0).cross_fit(x, noise)[:, :, 0]
    seen = ~np.isnan(noise[:, 0])
    assert abs(np.corrcoef(out[seen, 0], noise[seen, 0])[0, 1]) < 0.2
    assert np.isfinite(out).all()


@pytest.fixture(scope="module")
def small():
    """Two blocks, the second missing by a covariate."""
    rng = np.random.default_rng(0)
    n = 500
    y = rng.integers(2, size=n)
    frame = pd.DataFrame(
        rng.normal(size=(n, 3)) + y[:, None], columns=["a", "b", "age"]
    )
    frame.loc[rng.random(n) > expit(0.5 + frame.age), "b"] = np.nan
    return frame, y, {"a": ["a"], "b": ["b"]}


def run(small, **more):
    frame, y, modalities = small
    options = {
        "propensity": QUICK, "modalities": modalities, "scoring": MEANS,
        "subsets": ["a", "b"], "n_bootstraps": 0, "random_state": 0,
    }  # fmt: skip
    return modality_utility(LINEAR, frame, y, **options | more)


def test_outcome_models_of_the_user(small):
    table = run(
        small, outcome_model=LinearRegression(), scoring=["roc_auc", "accuracy"]
    )
    assert (table.doubly_robust_value.notna() == (table.metric == "accuracy")).all()
    # What is known of all rows needs no model.
    row = table[(table.subset == "a") & (table.metric == "accuracy")].iloc[0]
    assert row.doubly_robust_value == pytest.approx(row.value)


@pytest.mark.parametrize("outcome_model", [None, LinearRegression()], ids=str)
def test_the_unit_of_weights_never_matters(small, outcome_model):
    s = np.random.default_rng(1).uniform(0.5, 2.0, size=500)
    tables = [
        run(
            small, sample_weight=w, outcome_model=outcome_model, cv=2, scoring=MEANS[:1]
        )
        for w in (s, 7 * s, s / s.sum())
    ]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other, rtol=1e-5)


def test_weights_reach_a_pipeline_and_nothing_else_is_silent(small):
    s = np.random.default_rng(1).uniform(0.5, 2.0, size=500)
    pipeline = make_pipeline(StandardScaler(), LinearRegression())
    table = run(small, sample_weight=s, outcome_model=pipeline)
    assert table.doubly_robust_value.notna().all()
    with pytest.raises(TypeError, match="expected an estimator whose fit takes sample"):
        run(small, sample_weight=s, outcome_model=KNeighborsRegressor())
    assert (
        run(small, outcome_model=KNeighborsRegressor())
        .doubly_robust_value.notna()
        .all()
    )

    class Nothing(LinearRegression):
        def predict(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(ValueError, match=r"Got NaN from outcome_model=Nothing\(\)"):
        run(small, outcome_model=Nothing())


def test_values_stay_inside_the_metric(small):
    class Wild(LinearRegression):
        def predict(self, X):
            return 100 * np.random.RandomState(0).standard_cauchy(len(X))

    frame, y, modalities = small
    few = np.arange(500) < 40
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        table = run((frame[few], y[few], modalities), outcome_model=Wild(), cv=2)
    assert table[table.metric == "accuracy"].doubly_robust_value.between(-1, 1).all()
    assert (table[table.quantity == "value"].doubly_robust_value <= 1).all()


def test_a_kernel_of_many_rows_is_taught_by_a_draw(monkeypatch):
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(2, 3000, 2))
    Y = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] ** 2]) + 5
    weight = np.ones(3000)
    whole = module.fit_smooth(X, Y, weight, 0)(new)
    monkeypatch.setattr(module, "MOST_ROWS", 1000)
    part = module.fit_smooth(X, Y, weight, 0)(new)
    truth = np.column_stack([np.sin(2 * new[:, 0]), new[:, 1] ** 2]) + 5
    for found in (whole, part):
        assert np.abs(found - truth)[np.abs(new).max(axis=1) < 2].max() < 0.2
    assert not np.array_equal(whole, part)
    few = module.fit_smooth(X[:5], Y[:5], weight[:5], 0)(new)
    np.testing.assert_allclose(few, np.tile(Y[:5].mean(axis=0), (3000, 1)))


# -- folds -----------------------------------------------------------------------------


def test_a_single_split_teaches_what_it_says(small):
    frame, y, _modalities = small
    cv = ShuffleSplit(1, train_size=0.3, test_size=0.4, random_state=0)
    _, scores = run(small, cv=cv, return_scores=True, subsets=["a"])
    (train, test), = cv.split(frame)  # fmt: skip
    model = LogisticRegression().fit(frame.iloc[train][["a"]], y[train])
    (ours,) = scores.models[("a",), "none"]
    np.testing.assert_allclose(ours.estimator_.coef_, model.coef_, atol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(scores.folds == 0), np.sort(test))


def test_a_purged_splitter_is_obeyed(small):
    frame, y, _ = small

    class Purged(PredefinedSplit):
        def split(self, X=None, y=None, groups=None):
            for train, test in super().split():
                yield train[np.abs(train[:, None] - test).min(axis=1) > 20], test

    cv = Purged(np.arange(500) // 100)
    sizes = []

    class Sized(LogisticRegression):
        def fit(self, X, y):
            sizes.append(len(X))
            return super().fit(X, y)

    modality_utility(
        Sized(), frame, y, modalities=small[2], propensity=QUICK, cv=cv, subsets=["a"],
        scoring="roc_auc", n_bootstraps=2, random_state=0,
    )  # fmt: skip
    # Models without two folds lack what either of the two leaves out.
    ends = [np.intersect1d(*[list(cv.split())[k][0] for k in p]) for p in [(0, 1)]]
    assert len(ends[0]) in sizes
    assert max(sizes) < 385
    _, scores = run(small, cv=cv, return_scores=True, subsets=["a"])
    for (train, _), ours in zip(cv.split(), scores.models[("a",), "none"]):
        assert len(train) < 385
        model = LogisticRegression().fit(frame.iloc[train][["a"]], y[train])
        np.testing.assert_allclose(ours.estimator_.coef_, model.coef_, atol=1e-6)


def test_groups_stay_together_in_folds_of_a_single_split(small):
    frame, y, _ = small
    groups = np.arange(500) // 5
    cv = GroupShuffleSplit(1, test_size=0.6, random_state=0)
    rng = np.random.RandomState(0)
    X = MultimodalData({"a": frame[["a"]].to_numpy()})
    rows = LabelledRows(X, y, np.unique(y), np.ones(500), groups)
    folds = split_rows(cv, X, y, rows, rng)
    inside = split_tested(folds, rng, groups)
    out = inside.fold
    np.testing.assert_array_equal(out >= 0, folds.fold == 0)
    assert len(np.unique(out)) == 6
    for k in range(5):
        assert not set(groups[out == k]) & set(groups[inside.trains[k]])
        np.testing.assert_array_equal(inside.trains[k], (out >= 0) & (out != k))


@pytest.mark.parametrize("n_groups", [1, 3])
def test_few_groups_in_a_single_split(small, n_groups):
    _frame, _, _ = small
    tested = np.arange(500) % 2 == 0
    groups = np.where(tested, np.arange(500) % n_groups, 9)
    cv = [(np.flatnonzero(~tested), np.flatnonzero(tested))]
    table = run(small, cv=cv, groups=groups)
    assert table.doubly_robust_value.notna().all()


def test_groups_reach_the_models_of_the_loss(small):
    trained = []

    class Recorded(LinearRegression):
        def fit(self, X, y):
            trained.append(set(X[:, 0].tolist()))
            return super().fit(X, y)

        def predict(self, X):
            assert not trained[-1] & set(X[:, 0].tolist())
            return super().predict(X)

    frame, y, modalities = small
    # The covariate is the group.
    groups = np.arange(500) // 10
    frame = frame.assign(age=groups * 1.0)
    propensity = PropensityWeighter(LogisticRegression(), covariates=["age"])
    run(
        (frame, y, modalities), cv=GroupShuffleSplit(1, test_size=0.6, random_state=0),
        groups=groups, outcome_model=Recorded(), propensity=propensity, subsets=["b"],
        scoring="accuracy",
    )  # fmt: skip
    assert len(trained) == 5


def test_splits_that_cannot_be_used(small):
    frame, _y, _modalities = small

    class Both(PredefinedSplit):
        def split(self, X=None, y=None, groups=None):
            for _, test in super().split():
                yield np.arange(500), test

    with pytest.raises(ValueError, match="in the training and the test set"):
        run(small, cv=Both(np.arange(500) % 2))
    # All rows that have b train.
    without = frame.b.isna().to_numpy()
    with pytest.raises(ValueError, match=r"tests no row .* modalities \['b'\]"):
        run(small, cv=PredefinedSplit(np.where(without, 0, -1)))


def test_what_is_not_weighted_has_no_tipping_point(small):
    table = run(small, correct_evaluation=False)
    assert table.tipping_odds_ratio.isna().all()
    np.testing.assert_allclose(table.effective_sample_size, table.n_observed)
    assert run(small).tipping_odds_ratio.notna().any()


def test_sets_that_no_row_has_together(small):
    frame, y, modalities = small
    frame = frame.assign(a=frame.a.where(frame.b.isna()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        _, scores = run((frame, y, modalities), return_scores=True)
    with pytest.raises(ValueError, match="expected sets that some row has together"):
        scores.rows("accuracy", "b", "a")


def test_nan_of_a_classifier_is_refused(small):
    class Broken(LogisticRegression):
        def predict_proba(self, X):
            return np.full((len(X), 2), np.nan)

    frame, y, modalities = small
    with pytest.raises(ValueError, match=r"Got NaN .* from estimator=Broken"):
        modality_utility(
            Broken(), frame, y, modalities=modalities, propensity=QUICK,
            n_bootstraps=0,
        )  # fmt: skip
