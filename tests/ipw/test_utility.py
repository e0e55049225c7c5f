"""modality_utility: exact oracles, gains, bootstrap, doubly robust values."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from _simulation_settings import simulation_settings
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skmissing import IPWMultimodalClassifier, MultimodalData, PropensityWeighter
from skmissing.baselines import PatternClassifier
from skmissing.datasets import load_heart, make_bitwise, make_simulation
from skmissing.exceptions import (
    FoldDependenceWarning,
    NoCovariateWarning,
    OverlapWarning,
)
from skmissing.ipw import (
    ObservedStratifiedKFold,
    make_ipw_scorer,
    modality_utility,
    sensitivity_bounds,
)
from skmissing.ipw.utility._fold_covariance import pairs_of_folds
from skmissing.ipw.utility._reweighted_metrics import AUCMetric, Predictions
from skmissing.modalities import ModalityTransformer

from ..conftest import make_blocks

# Pruned, so that it does not split on noise: the area of a useless bit is then one
# half, not that of a coin which the training folds have tossed.
TREE = DecisionTreeClassifier(ccp_alpha=1e-3, random_state=0)
# Without the search for a penalty, where that is not the point.
QUICK = PropensityWeighter(LogisticRegression(C=100.0))
LINEAR = LogisticRegression()


def pick(table, subset, baseline="", metric=None):
    rows = table[(table.subset == subset) & (table.baseline == baseline)]
    if metric is not None:
        rows = rows[rows.metric == metric]
    assert len(rows) == 1
    return rows.iloc[0]


# -- against the exact oracles ---------------------------------------------------------

# One gate under each mechanism; the others repeat the test.
GATES = [
    ("mar", "xor"),
    ("mnar", "and"),
    *[
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [("mar", "and"), ("mar", "or"), ("mnar", "or"), ("mnar", "xor")]
    ],
]
ONE_GATE = ["xor", *[pytest.param(g, marks=pytest.mark.slow) for g in ("and", "or")]]


@pytest.mark.parametrize(("mechanism", "gate"), GATES)
def test_gates_agree_with_the_exact_values(mechanism, gate):
    """Cross-fitted, scored on all observed rows, as published: both bits required."""
    biased, corrected = [], []
    cv = ObservedStratifiedKFold(5, random_state=0)
    for seed in range(10):
        bunch = make_bitwise(gate=gate, mechanism=mechanism, random_state=seed)
        X, y = bunch.data, bunch.target
        template = clone(QUICK).set_params(required=["x1", "x2"])
        weighter = PropensityWeighter(random_state=0).fit(X)
        scorer = make_ipw_scorer("roc_auc", propensity=weighter)
        seen = X.present.all(axis=1)
        plain, weighted = [], []
        for use in (["x1"], ["x2"], ["x1", "x2"]):
            clf = IPWMultimodalClassifier(TREE, use=use, propensity=template)
            weighted.append(cross_val_score(clf, X, y, cv=cv, scoring=scorer).mean())
            clf.set_params(weighting="none")
            area = cross_val_score(clf, X[seen], y[seen], cv=cv, scoring="roc_auc")
            plain.append(area.mean())
        biased.append(plain)
        corrected.append(weighted)
    names = ["auc_x1", "auc_x2", "auc_both"]
    observed = np.array([bunch.oracle["observed"][n] for n in names])
    # Weights on x1 cannot know what x2 drives: they change nothing under MNAR.
    truth = "true" if mechanism == "mar" else "observed"
    expected = np.array([bunch.oracle[truth][n] for n in names])
    for found, exact in [(biased, observed), (corrected, expected)]:
        np.testing.assert_allclose(np.mean(found, axis=0), exact, atol=0.01)
        np.testing.assert_allclose(found, np.tile(exact, (10, 1)), atol=0.035)
    if mechanism == "mar":
        assert np.abs(observed - expected).max() > 0.08


@pytest.mark.parametrize("gate", ONE_GATE)
def test_gains_agree_with_the_exact_values(gate):
    biased, corrected = [], []
    for seed in range(5):
        bunch = make_bitwise(gate=gate, mechanism="mar", random_state=seed)
        table = modality_utility(
            TREE, bunch.data, bunch.target, scoring="neg_log_loss", n_bootstraps=0,
            propensity=QUICK, random_state=seed,
        )  # fmt: skip
        gains = [pick(table, "x2", "x1"), pick(table, "x1+x2", "x2")]
        corrected.append([g.value for g in gains])
        biased.append([g.biased_value for g in gains])
    loss = bunch.oracle["true"]
    exact = [
        loss["best_log_loss_x1"] - loss["best_log_loss_x2"],
        loss["best_log_loss_x2"] - loss["best_log_loss_both"],
    ]
    np.testing.assert_allclose(np.mean(corrected, axis=0), exact, atol=0.01)
    # As they are, the observed rows make one of the two look better than it is.
    assert abs(np.mean(biased, axis=0)[0] - exact[0]) > 0.05


@pytest.mark.slow
def test_thinned_simulation_needs_corrections():
    """RMSE of the area against the oracle, with the known propensities."""
    errors = {}
    for seed, setting in product(range(3), simulation_settings()[3::12]):
        bunch = make_simulation(setting, n_trees=10, random_state=seed)
        y, seen = bunch.target, ~bunch.mask[:, 1]
        w = seen / bunch.propensity
        full = bunch.complete_data.to_frame().to_numpy()
        train, test = np.r_[bunch.train, bunch.validation], bunch.test
        a, b = train[seen[train]], test[seen[test]]

        models = {
            name: LogisticRegression(max_iter=500).fit(full[r], y[r], sample_weight=s)
            for name, r, s in [
                ("oracle", train, None), ("no", a, None), ("yes", a, w[a] / w[a].mean())
            ]
        }  # fmt: skip
        best = models.pop("oracle").predict_proba(full[test])[:, 1]
        oracle = roc_auc_score(y[test], best)
        for trained, model in models.items():
            p = model.predict_proba(full[b])[:, 1]
            for evaluated, s in [("no", None), ("yes", w[b])]:
                value = roc_auc_score(y[b], p, sample_weight=s)
                errors.setdefault((trained, evaluated), []).append(value - oracle)
    squares = {key: np.square(e) for key, e in errors.items()}
    rmse = {key: np.sqrt(s.mean()) for key, s in squares.items()}
    draws = np.random.default_rng(0).integers(15, size=(200, 15))
    spread = {k: np.sqrt(s[draws].mean(axis=1)).std() for k, s in squares.items()}
    for trained in ("no", "yes"):
        both = np.hypot(spread[trained, "yes"], spread[trained, "no"])
        assert rmse[trained, "yes"] < 0.6 * rmse[trained, "no"]
        assert rmse[trained, "yes"] < rmse[trained, "no"] - 3 * both
    # Weighted training hardly matters, to these models nor to the nets of the
    # benchmark, in which both together are lowest by less than the error.
    assert rmse["yes", "yes"] < rmse["no", "yes"] + spread["no", "yes"]


# -- values by hand --------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed():
    """Three classes, one block always there, one missing by it and by the age."""
    rng = np.random.default_rng(0)
    n = 900
    y = rng.integers(3, size=n)
    frame = pd.DataFrame(
        {
            "a__0": rng.normal(size=n) + y,
            "b__0": rng.normal(size=n) - y,
            "c__0": rng.normal(size=n) + (y == 1),
            "age": rng.normal(size=n),
        }
    )
    frame.loc[rng.random(n) > expit(1 + frame.a__0 - 1 + frame.age), "b__0"] = np.nan
    frame.loc[rng.random(n) > expit(0.5 + frame.age), "c__0"] = np.nan
    modalities = {m: [f"{m}__0"] for m in "abc"}
    return frame, np.array(["x", "y", "z"])[y], modalities


def test_every_value_by_hand(mixed):
    frame, y, modalities = mixed
    s = np.random.default_rng(1).uniform(0.5, 2.0, size=len(y))
    cv = KFold(3, shuffle=True, random_state=0)
    template = PropensityWeighter(covariates=["age", "a"], random_state=0)
    table = modality_utility(
        LINEAR, frame, y, propensity=template, modalities=modalities, cv=cv,
        subsets=[["a"], "b", ["b", "a"]], n_bootstraps=0, sample_weight=s,
        scoring=["roc_auc_ovr", "neg_log_loss", "accuracy", "neg_brier_score",
                 "balanced_accuracy"],
    )  # fmt: skip
    assert table.subset.unique().tolist() == ["a", "b", "a+b"]
    options = {"modalities": modalities, "covariates": ["age", "a"], "random_state": 0}
    out = {}
    for names in (["a"], ["b"], ["a", "b"]):
        proba = np.full((len(y), 3), np.nan)
        for train, test in cv.split(frame):
            w = PropensityWeighter(required=names, **options)
            w = w.fit(frame.iloc[train], sample_weight=s[train])
            w = w.sample_weight(frame.iloc[train]) * s[train]
            seen, columns = w > 0, [f"{n}__0" for n in names]
            model = LogisticRegression().fit(
                frame.iloc[train][columns][seen], y[train][seen],
                sample_weight=w[seen] / w[seen].mean(),
            )  # fmt: skip
            rows = test[frame.iloc[test][columns].notna().all(axis=1)]
            proba[rows] = model.predict_proba(frame.iloc[rows][columns])
        out["+".join(names)] = proba
    has_b = frame.b__0.notna().to_numpy()
    w = PropensityWeighter(required=["a", "b"], **options).fit(frame, sample_weight=s)
    w = w.sample_weight(frame) * s

    def metrics(proba, rows, weight):
        p, t, v = proba[rows], y[rows], weight[rows]
        d = np.array(["x", "y", "z"])[p.argmax(axis=1)]

        def by_fold(metric):
            inside = [
                np.isin(np.flatnonzero(rows), test) for _, test in cv.split(frame)
            ]
            return np.average(
                [metric(k) for k in inside], weights=[v[k].sum() for k in inside]
            )

        return {
            "roc_auc_ovr": by_fold(
                lambda k: np.mean(
                    [
                        roc_auc_score(t[k] == c, p[k, j], sample_weight=v[k])
                        for j, c in enumerate("xyz")
                    ]
                )
            ),
            "neg_log_loss": -log_loss(t, p, sample_weight=v),
            "accuracy": accuracy_score(t, d, sample_weight=v),
            "neg_brier_score": -np.average(
                ((p - (t[:, None] == list("xyz"))) ** 2).sum(1), weights=v
            ),
            "balanced_accuracy": by_fold(
                lambda k: balanced_accuracy_score(t[k], d[k], sample_weight=v[k])
            ),
        }

    everywhere = np.ones(len(y), dtype=bool)
    cases = [
        ("a", "", everywhere, s),
        ("b", "", has_b, w),
        ("a+b", "", has_b, w),
        ("b", "a", has_b, w),
        ("a+b", "a", has_b, w),
        ("a+b", "b", has_b, w),
    ]
    for subset, baseline, rows, weight in cases:
        expected = metrics(out[subset], rows, weight)
        less = metrics(out[baseline], rows, weight) if baseline else {}
        for name, value in expected.items():
            row = pick(table, subset, baseline, name)
            if np.isnan(value):
                continue
            assert row.value == pytest.approx(value - less.get(name, 0), abs=1e-6)
            assert row.n_observed == rows.sum()
            ess = weight[rows].sum() ** 2 / (weight[rows] ** 2).sum()
            assert row.effective_sample_size == pytest.approx(ess, rel=1e-6)


def test_folds_are_shared_and_scores_can_be_had(mixed):
    frame, y, modalities = mixed
    template = QUICK
    table, scores = modality_utility(
        LINEAR, frame, y, propensity=template, modalities=modalities,
        n_bootstraps=0, return_scores=True, random_state=0,
    )  # fmt: skip
    # Each alone, all but one, all; and every pair of them.
    assert table[table.quantity == "value"].subset.unique().tolist() == [
        "a", "b", "c", "a+b", "a+c", "b+c", "a+b+c"
    ]  # fmt: skip
    assert (table.quantity == "gain").sum() == 21 * 4
    rows = scores.rows("accuracy", "a+b+c", ["a", "c"])
    gain = pick(table, "a+b+c", "a+c", "accuracy")
    mean = np.average(rows.score, weights=rows.sample_weight / rows.propensity)
    assert mean == pytest.approx(gain.value)
    assert len(rows) == gain.n_observed
    assert set(rows.score.unique()) <= {-1.0, 0.0, 1.0}
    value = scores.rows("neg_log_loss", "a")
    assert (value.propensity == 1).all()
    assert len(value) == len(y)
    tip = gain.tipping_odds_ratio
    if np.isfinite(tip) and tip > 1:
        bound = sensitivity_bounds(rows.score, rows.propensity, odds_ratios=[tip])
        assert bound["lower_bound"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(pick(table, "a", "", "accuracy").tipping_odds_ratio)
    assert np.isnan(pick(table, "a+b", "a", "roc_auc_ovr").tipping_odds_ratio)
    assert len(scores.models[("a", "b"), "ipw"]) == 5
    with pytest.raises(ValueError, match="expected a row of the table"):
        scores.rows("accuracy", "a+nothing")
    with pytest.raises(ValueError, match="expected a mean over rows"):
        scores.rows("roc_auc_ovr", "a")


def test_two_by_two_switches():
    bunch = make_bitwise(3000, gate="and", mechanism="mar", random_state=0)
    # A straight line through two bits has to choose: weights move it.
    values = {}
    for training in (True, False):
        for evaluation in (True, False):
            table = modality_utility(
                LinearSVC(C=1e-3), bunch.data, bunch.target, scoring="accuracy",
                propensity=QUICK, n_bootstraps=0,
                correct_training=training, correct_evaluation=evaluation,
                random_state=0,
            )  # fmt: skip
            row = pick(table, "x2")
            values[training, evaluation] = row.value
            assert np.isnan(row.doubly_robust_value) != evaluation
            # Without any correction this is the biased value.
            if not training and not evaluation:
                assert row.value == row.biased_value
    assert values[False, True] < values[False, False] - 0.1
    assert len({round(v, 6) for v in values.values()}) >= 2


def test_unweighted_area_matches_scikit_learn_with_ties_and_weights():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=500)
    p = rng.integers(6, size=500) / 5.0
    w = rng.uniform(size=500)
    w[::7] = 0
    folds = np.zeros(500, dtype=int)
    predictions = Predictions(np.column_stack([1 - p, p]), (p > 0.5) * 1, y, folds)
    area = AUCMetric("roc_auc").prepare(predictions, np.arange(500))
    assert area(w) == pytest.approx(roc_auc_score(y, p, sample_weight=w), abs=1e-12)
    assert area(np.ones(500)) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert np.isnan(area(y * 1.0))


def test_other_metrics_and_forms_of_scoring(mixed):
    frame, y, modalities = mixed
    options = {
        "propensity": QUICK, "modalities": modalities,
        "n_bootstraps": 2, "subsets": ["a", ["a", "b"]], "random_state": 0,
    }  # fmt: skip
    table = modality_utility(
        TREE, frame, y == "x", **options,
        scoring={"ap": "average_precision", "f1": "f1", "hits": accuracy_score},
    )  # fmt: skip
    assert table.metric.unique().tolist() == ["ap", "f1", "hits"]
    reference = modality_utility(TREE, frame, y == "x", **options, scoring="accuracy")
    np.testing.assert_allclose(
        table[table.metric == "hits"].value, reference.value, atol=0.01
    )
    assert table.std_error.notna().all()
    default = modality_utility(TREE, frame, y == "x", **options)
    assert default.metric.unique().tolist() == [
        "roc_auc", "neg_log_loss", "accuracy", "neg_brier_score"
    ]  # fmt: skip


def test_average_precision_by_hand(mixed):
    frame, y, modalities = mixed
    table, scores = modality_utility(
        LINEAR, frame, y == "x", propensity=QUICK,
        modalities=modalities, subsets=["a"], scoring="average_precision",
        n_bootstraps=0, return_scores=True, random_state=0,
    )  # fmt: skip
    found = []
    for k, model in enumerate(scores.models[("a",), "ipw"]):
        test = scores.folds == k
        p = model.predict_proba(frame[test])[:, 1]
        found.append(average_precision_score((y == "x")[test], p) * test.sum())
    assert table.value[0] == pytest.approx(sum(found) / len(y))


# -- bootstrap -------------------------------------------------------------------------


def test_intervals_repeat_for_any_number_of_jobs(mixed):
    frame, y, modalities = mixed
    options = {
        "propensity": QUICK, "modalities": modalities,
        "n_bootstraps": 12, "subsets": ["a", "b"], "cv": 3,
    }  # fmt: skip
    one = modality_utility(LINEAR, frame, y, random_state=0, **options)
    two = modality_utility(LINEAR, frame, y, random_state=0, n_jobs=2, **options)
    other = modality_utility(LINEAR, frame, y, random_state=1, **options)
    pd.testing.assert_frame_equal(one, two)
    assert np.abs(one.value - other.value).max() > 1e-6
    np.random.seed(5)
    again = modality_utility(LINEAR, frame, y, random_state=0, **options)
    pd.testing.assert_frame_equal(one, again)


def test_standard_error_of_a_mean_by_formula():
    rng = np.random.default_rng(0)
    n = 2000
    x = rng.normal(size=(n, 1))
    y = (rng.random(n) < expit(x[:, 0])).astype(int)
    X = MultimodalData({"a": x, "b": rng.normal(size=(n, 1))})
    table = modality_utility(
        LINEAR, X, y, subsets=["a"], scoring="accuracy", n_bootstraps=1500,
        random_state=0,
    )  # fmt: skip
    row = table.iloc[0]
    error = np.sqrt(row.value * (1 - row.value) / n)
    assert row.std_error == pytest.approx(error, rel=0.1)
    assert row.high - row.low == pytest.approx(2 * 1.645 * error, rel=0.1)
    groups = np.repeat(np.arange(n // 4), 4)
    twins = modality_utility(
        LINEAR, X[np.repeat(np.arange(n // 4), 4)], y[np.repeat(np.arange(n // 4), 4)],
        subsets=["a"], scoring="accuracy", n_bootstraps=400, groups=groups,
        random_state=0,
    ).iloc[0]  # fmt: skip
    # Four copies of 500 rows are no more than 500 rows.
    assert twins.std_error == pytest.approx(2 * error, rel=0.2)


@pytest.mark.slow
def test_error_of_the_corrected_value_is_that_over_data_sets():
    def run(seed, n_bootstraps):
        bunch = make_bitwise(2000, gate="and", mechanism="mar", random_state=seed)
        return modality_utility(
            TREE, bunch.data, bunch.target, subsets=["x2"], scoring="neg_brier_score",
            propensity=QUICK, random_state=0, n_bootstraps=n_bootstraps,
        ).iloc[0]  # fmt: skip

    found = [run(100 + seed, 0).value for seed in range(30)]
    errors = [run(seed, 60).std_error for seed in range(3)]
    # The standard deviation of 30 numbers has an error of 13%.
    assert np.mean(errors) == pytest.approx(np.std(found, ddof=1), rel=0.35)


def test_without_doubly_robust_values_the_others_are_the_same(mixed):
    X, y, modalities = mixed
    given = {
        "modalities": modalities, "subsets": ["a", ["a", "b"]], "cv": 2,
        "scoring": ["accuracy", "neg_log_loss"], "n_bootstraps": 3, "random_state": 0,
    }  # fmt: skip
    found = [
        modality_utility(LogisticRegression(), X, y, doubly_robust=d, **given)
        for d in (True, False)
    ]
    left_out = [c for c in found[0] if c.startswith("doubly_robust")]
    assert len(left_out) == 4
    pd.testing.assert_frame_equal(*(t.drop(columns=left_out) for t in found))
    assert found[0]["doubly_robust_value"].notna().any()
    assert found[1][left_out].isna().all(axis=None)


def test_one_resample_by_hand():
    """Rows (or groups) are drawn, and the propensities fitted to what was drawn."""
    bunch = make_bitwise(400, gate="and", mechanism="mar", random_state=0)
    X, y, w = bunch.data, bunch.target, np.random.default_rng(0).uniform(1, 2, size=400)
    groups = np.arange(400) // 2
    _, scores = modality_utility(
        TREE, X, y, subsets=["x2"], scoring="accuracy", n_bootstraps=0, cv=3,
        propensity=PropensityWeighter(LogisticRegression(C=np.inf, tol=1e-10)),
        sample_weight=w, groups=groups, return_scores=True, random_state=0,
        correct_training=False,
    )  # fmt: skip
    found = scores._terms.resample([5])
    drawn = np.bincount(np.random.RandomState(5).randint(200, size=200), minlength=200)
    base = w * drawn[groups]
    seen, x1 = X.present[:, 1], X["x1"][:, 0] == 1
    share = [base[seen & (x1 == k)].sum() / base[x1 == k].sum() for k in (False, True)]
    ipw = base * seen / np.where(x1, share[1], share[0])
    right = np.zeros(400)
    rows = scores.rows("accuracy", "x2")
    right[rows.index] = rows.score
    assert found.biased[0, 0] == pytest.approx(np.average(right, weights=base * seen))
    assert found.corrected[0, 0] == pytest.approx(
        np.average(right, weights=ipw), abs=1e-6
    )


# -- edges -----------------------------------------------------------------------------


def test_missing_labels_and_heart():
    heart = load_heart(as_frame=True)
    y = np.where(np.arange(920) % 5 == 0, None, heart.target.astype(object))
    template = PropensityWeighter(covariates=["site"], random_state=0)
    table = modality_utility(
        PatternClassifier(), heart.data, y, modalities=heart.modalities,
        propensity=template, subsets=["history", ["history", "imaging"]],
        scoring="neg_log_loss", n_bootstraps=5, random_state=0,
    )  # fmt: skip
    known = np.arange(920) % 5 != 0
    assert pick(table, "history").n_observed == known.sum()
    gain = pick(table, "history+imaging", "history")
    assert gain.effective_sample_size < gain.n_observed
    assert table.doubly_robust_value.notna().all()


def test_a_weighted_classifier_brings_its_own_settings(mixed):
    frame, y, modalities = mixed
    clf = IPWMultimodalClassifier(
        LINEAR, propensity=PropensityWeighter(random_state=0), modalities=modalities
    )
    options = {"subsets": ["a", "b"], "n_bootstraps": 0, "random_state": 0}
    pd.testing.assert_frame_equal(
        modality_utility(clf, frame, y, **options),
        modality_utility(
            LINEAR, frame, y, propensity=clf.propensity, modalities=modalities,
            **options,
        ),
    )  # fmt: skip


def test_row_weights_repeat_and_drop_rows():
    bunch = make_bitwise(600, gate="or", mechanism="mar", random_state=0)
    w = np.random.default_rng(0).integers(0, 3, size=600).astype(float)
    options = {
        "propensity": PropensityWeighter(LogisticRegression(C=np.inf)),
        "scoring": ["accuracy", "roc_auc"], "n_bootstraps": 0,
        "outcome_model": LinearRegression(),
    }  # fmt: skip
    again = np.repeat(np.arange(600), w.astype(int))
    folds = np.arange(600) % 3
    a = modality_utility(
        TREE, bunch.data, bunch.target, sample_weight=w, cv=GroupKFold(3),
        groups=folds, **options,
    )  # fmt: skip
    b = modality_utility(
        TREE, bunch.data[again], bunch.target[again], cv=GroupKFold(3),
        groups=folds[again], **options,
    )  # fmt: skip
    for column in ("biased_value", "value", "doubly_robust_value"):
        np.testing.assert_allclose(a[column], b[column], rtol=1e-4, atol=1e-5)


def test_errors(mixed):
    frame, y, modalities = mixed
    options = {
        "modalities": modalities, "propensity": QUICK,
        "n_bootstraps": 0,
    }  # fmt: skip

    def run(**more):
        target = more.pop("y", y)
        return modality_utility(
            more.pop("clf", LINEAR), frame, target, **options | more
        )

    with pytest.raises(ValueError, match="Got 'z' in subsets"):
        run(subsets=["z"])
    with pytest.raises(ValueError, match="expected distinct, non-empty sets"):
        run(subsets=[["a", "b"], ["b", "a"]])
    with pytest.raises(ValueError, match=r"Got propensity with required=\['a'\]"):
        run(propensity=PropensityWeighter(required=["a"]))
    with pytest.raises(ValueError, match="Got no label in y"):
        run(y=np.full(900, np.nan))
    with pytest.raises(ValueError, match="Got the metric 3, expected the name"):
        run(scoring=[3])
    with pytest.raises(ValueError, match="expected distinct metrics"):
        run(scoring=["accuracy", "accuracy"])
    with pytest.raises(ValueError, match="expected one that takes sample_weight"):
        run(scoring={"no": lambda t, p: 1.0})
    with pytest.raises(ValueError, match="without predict_proba"):
        run(clf=LinearSVC(), scoring="neg_log_loss")
    with pytest.raises(ValueError, match="expected a partition"):
        run(cv=ShuffleSplit(2, test_size=0.5, random_state=0))
    with pytest.raises(ValueError, match="with all rows tested, expected some"):
        run(cv=PredefinedSplit(np.zeros(900)))
    with pytest.raises(ValueError, match="cv"):
        run(cv=1)
    with pytest.raises(ValueError, match="Got groups of length 3, expected 900"):
        run(groups=[1, 2, 3])
    hidden = frame.assign(b__0=frame.b__0.where(frame.c__0.isna()))
    with pytest.raises(ValueError, match=r"Got no row .* modalities \['b', 'c'\]"):
        modality_utility(LINEAR, hidden, y, **options)
    # Each has rows of its own, but there is none to compare them on.
    table = modality_utility(
        LINEAR, hidden, y, subsets=["b", "c"], scoring="accuracy", random_state=0,
        **{**options, "n_bootstraps": 3},
    )  # fmt: skip
    assert table.value.notna().tolist() == [True, True, False]
    assert table.n_observed.iloc[2] == 0
    assert table.std_error.isna().iloc[2]


def test_splitters_of_scikit_learn_and_ours(mixed):
    frame, y, modalities = mixed
    y = np.where(np.arange(len(y)) % 7 == 0, None, y.astype(object))
    options = {
        "modalities": modalities, "propensity": QUICK,
        "n_bootstraps": 0, "subsets": ["a", "b"], "scoring": "accuracy",
    }  # fmt: skip
    ours = ObservedStratifiedKFold(3, modalities=modalities, random_state=0)
    for cv in (ours, StratifiedKFold(3), KFold(3)):
        table = modality_utility(LINEAR, frame, y, cv=cv, **options)
        assert table.value.notna().all()


def test_warnings_come_once_and_the_number_of_fits_is_reported(mixed, capsys):
    frame, y, modalities = mixed
    modality_utility(
        LINEAR, frame, y, modalities=modalities, subsets=["a", "b"], n_bootstraps=2,
        propensity=QUICK, verbose=1, random_state=0,
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert not out
    # Progress bars stay out of what is no terminal.
    assert err.splitlines() == [
        "modality_utility: 2 sets of modalities and 1 gains in 4 metrics; 3 "
        "propensities, 20 models, 40 models without two folds, 2 resamples"
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        modality_utility(
            LINEAR, frame, y, modalities=modalities, subsets=["b"], n_bootstraps=5,
            propensity=PropensityWeighter(covariates=[]), random_state=0,
        )  # fmt: skip
    kinds = [w.category for w in caught if w.category is not OverlapWarning]
    assert kinds == [NoCovariateWarning]


def test_without_verbose_no_bar_is_made(mixed, monkeypatch):
    """A hidden one would leave a semaphore behind in every worker process."""
    monkeypatch.setattr("tqdm.auto.tqdm", None)
    frame, y, modalities = mixed
    table = modality_utility(
        LINEAR, frame, y, modalities=modalities, subsets=["a", "b"], n_bootstraps=2,
        propensity=QUICK, random_state=0,
    )  # fmt: skip
    assert table["value"].notna().all()


def test_a_single_split_evaluates_the_rows_it_holds_out():
    """By hand: one model, weighted test rows, propensities of all rows."""
    X, y = make_bitwise(3000, mechanism="mar", return_X_y=True, random_state=1)
    rng = np.random.default_rng(0)
    test = rng.random(3000) < 0.5
    weighter = PropensityWeighter(random_state=0)
    table, scores = modality_utility(
        LINEAR, X, y, propensity=weighter, subsets=["x1", ["x1", "x2"]],
        scoring=["accuracy", "neg_log_loss", "roc_auc"], n_bootstraps=20,
        cv=PredefinedSplit(np.where(test, 0, -1)), random_state=0, return_scores=True,
    )  # fmt: skip
    np.testing.assert_array_equal(scores.folds >= 0, test)
    fitted = PropensityWeighter(required=["x1", "x2"], random_state=0).fit(X, y)
    weight = fitted.sample_weight(X, y)
    rows = test & (weight > 0)
    values = {}
    for subset in (("x1",), ("x1", "x2")):
        (model,) = scores.models[subset, "ipw"]
        right = model.predict(X[rows]) == y[rows]
        values[subset] = np.average(right, weights=weight[rows])
    gain = table[(table.quantity == "gain") & (table.metric == "accuracy")].iloc[0]
    expected = values["x1", "x2"] - values[("x1",)]
    np.testing.assert_allclose(gain.value, expected, atol=1e-12)
    assert gain.n_observed == rows.sum()
    assert np.isfinite(table.doubly_robust_value[table.metric != "roc_auc"]).all()
    assert (table.std_error > 0).any()
    assert set(scores.rows("accuracy", "x1").index) <= set(np.flatnonzero(test))


# -- folds that train each other -------------------------------------------------------


class BinMean(ClassifierMixin, BaseEstimator):
    """The share of ones among the training rows of the same bin."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        self.classes_ = np.unique(y)
        bins = np.asarray(X)[:, 0].astype(int)
        ones = np.bincount(bins, weights=y, minlength=bins.max() + 1)
        self.share_ = ones / np.bincount(bins, minlength=bins.max() + 1)
        return self

    def predict_proba(self, X):
        p = self.share_[np.asarray(X)[:, 0].astype(int)]
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


def bins_of_ten(n_bins, seed):
    """Two rows of each of five folds in a bin; labels are coins of 60%."""
    y = (np.random.default_rng(seed).random(10 * n_bins) < 0.6).astype(int)
    frame = pd.DataFrame({"a__0": np.repeat(np.arange(n_bins), 10)})
    return frame, y, PredefinedSplit(np.tile(np.arange(10) % 5, n_bins))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_part_of_the_variance_that_folds_share(seed):
    """An average of m noisy labels: p^2 (1 - p)^2 4 / m of the variance counts twice.

    With e the noise of a tested label and f that of the average, the Brier score of a
    row is -(e - f)^2, and its part -2 e f is a sum over pairs of rows.
    """
    frame, y, cv = bins_of_ten(200, seed)
    options = {"scoring": "neg_brier_score", "cv": cv, "random_state": 0}
    options["n_bootstraps"] = 800
    wide = modality_utility(BinMean(), frame, y, **options)
    tight, scores = modality_utility(
        BinMean(), frame, y, fold_dependence=False, return_scores=True, **options
    )
    row_variance = scores.rows("neg_brier_score", "a").score.var()
    assert tight.std_error[0] == pytest.approx(np.sqrt(row_variance / 2000), rel=0.06)
    pairs = 4 * (0.6 * 0.4) ** 2 / 8
    expected = np.sqrt(1 + pairs / row_variance)
    assert 1.25 < expected < 1.35
    # Variances from 800 resamples have an error of 5%.
    for column in ("std_error", "biased_std_error"):
        found = wide[column][0] / tight[column][0]
        assert found == pytest.approx(expected, abs=0.04)
    # Intervals are inflated alike, from the value itself.
    np.testing.assert_allclose(
        (wide[["low", "high"]] - wide.value[0]) / wide.std_error[0],
        (tight[["low", "high"]] - tight.value[0]) / tight.std_error[0],
    )


@pytest.mark.parametrize("n_folds", [5, pytest.param(10, marks=pytest.mark.slow)])
def test_decisions_are_tied_as_in_a_simulation(n_folds):
    """The majority of the coins of other folds, 20 coins a fold and bin."""
    rng = np.random.default_rng(n_folds)
    sums = 2.0 * rng.binomial(20, 0.5, size=(20_000, n_folds)) - 20
    # A tie is a zero, as in BinMean; right minus wrong decisions of a bin.
    said = np.where(sums.sum(axis=1, keepdims=True) - sums > 0, 1, -1)
    truth = np.sqrt((sums * said).sum(axis=1).var() / (20 * n_folds))
    n_bins = 240
    frame = pd.DataFrame({"a__0": np.repeat(np.arange(n_bins), 20 * n_folds)})
    y = rng.integers(2, size=len(frame))
    options = {
        "cv": PredefinedSplit(np.tile(np.arange(20 * n_folds) % n_folds, n_bins))
    }
    options |= {"random_state": 0, "n_bootstraps": 400}
    options["scoring"] = "accuracy"
    wide = modality_utility(BinMean(), frame, y, **options)
    tight = modality_utility(BinMean(), frame, y, fold_dependence=False, **options)
    # The models of some 1,000 decisions were asked, of which a few hundred flip.
    found = wide.std_error[0] / tight.std_error[0]
    assert found == pytest.approx(truth, rel=0.05)


def test_probabilities_that_jump_are_decisions():
    """For one neighbour the Brier score is the accuracy less one."""
    rng = np.random.default_rng(0)
    frame, y = pd.DataFrame({"a__0": rng.uniform(size=300)}), rng.integers(2, size=300)
    table = modality_utility(
        KNeighborsClassifier(1), frame, y, n_bootstraps=30, random_state=0,
        scoring={m: m for m in ("accuracy", "neg_brier_score")}
        | {"own": make_scorer(accuracy_score)},
    )  # fmt: skip
    assert table.std_error[0] == pytest.approx(table.std_error[1])
    assert table.std_error[0] == pytest.approx(table.std_error[2])
    assert table.high[0] == pytest.approx(table.high[1] + 1)


def test_intervals_stay_inside_the_metric():
    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    y = (x > 0) ^ (rng.random(60) < 0.04)
    table = modality_utility(
        KNeighborsClassifier(3), pd.DataFrame({"a__0": x}), y, n_bootstraps=60,
        random_state=0, scoring=["accuracy", "roc_auc", "neg_brier_score"],
    )  # fmt: skip
    assert (table.high <= [1, 1, 0]).all()
    assert (table.low < table.value).all()
    assert (table.high > table.value).all()


def test_folds_hardly_matter_for_a_few_parameters():
    X, y = make_bitwise(1500, mechanism="mar", return_X_y=True, random_state=1)
    options = {"n_bootstraps": 60, "random_state": 0, "subsets": ["x1", ["x1", "x2"]]}
    options |= {"propensity": QUICK, "scoring": ["neg_log_loss", "roc_auc"]}
    wide = modality_utility(LINEAR, X, y, **options)
    tight = modality_utility(LINEAR, X, y, fold_dependence=False, **options)
    # The area of both bits is 1 in every resample.
    ratio = (wide.std_error / tight.std_error).dropna()
    assert len(ratio) == 5
    assert (ratio >= 1).all()
    assert (ratio < 1.1).all()
    pd.testing.assert_series_equal(wide.value, tight.value)
    assert (
        wide.doubly_robust_std_error.dropna() >= tight.doubly_robust_std_error.dropna()
    ).all()


@pytest.mark.parametrize(
    ("n_folds", "n_bootstraps", "on", "fits"),
    [
        (5, 2, True, 8),
        (4, 2, True, 6),
        (5, 0, True, 5),
        (5, 2, False, 5),
        (2, 2, True, 2),
    ],
)
def test_how_many_models_are_fitted(n_folds, n_bootstraps, on, fits):
    frame, y, _ = bins_of_ten(20, 0)
    BinMean.fits = 0
    cv = PredefinedSplit(np.tile(np.arange(10) % n_folds, 20))
    modality_utility(
        BinMean(), frame, y, scoring="accuracy", cv=cv, n_bootstraps=n_bootstraps,
        fold_dependence=on, correct_training=False,
    )  # fmt: skip
    assert BinMean.fits == fits


@pytest.mark.parametrize("n_folds", [3, 4, 5, 10, 11])
def test_pairs_of_folds(n_folds):
    sizes = np.random.default_rng(n_folds).permutation(n_folds) + 1
    plan = pairs_of_folds(np.r_[-1, np.repeat(np.arange(n_folds), sizes)])
    assert sorted(k for _, tested in plan for k in tested) == list(range(n_folds))
    for out, tested in plan:
        assert set(tested) <= set(out)
        # The next in size.
        assert abs(sizes[out[0]] - sizes[out[1]]) == 1
    assert len(plan) == (n_folds + 1) // 2
    if n_folds % 2:
        assert plan[-1][1] == (int(sizes.argmax()),)


def test_too_few_rows_for_models_without_two_folds():
    """Each rare class is in two folds, which may be left out together."""
    rng = np.random.default_rng(0)
    cv = PredefinedSplit(np.arange(80) % 4)
    for y in (np.zeros(80, dtype=int), np.arange(80) // 4 % 2):
        y[[0, 1]] = 2
        frame = pd.DataFrame({"a__0": rng.normal(size=80) + y})
        options = {"scoring": "neg_log_loss", "cv": cv, "n_bootstraps": 20}
        with pytest.warns(FoldDependenceWarning, match="2 of the 4 models"):
            table = modality_utility(LINEAR, frame, y, random_state=0, **options)
        tight = modality_utility(
            LINEAR, frame, y, random_state=0, fold_dependence=False, **options
        )
        assert 1 <= table.std_error[0] / tight.std_error[0] < 1.1


def test_a_model_that_cannot_answer_after_too_few_rows():
    rng = np.random.default_rng(0)
    frame, y = pd.DataFrame({"a__0": rng.normal(size=12)}), np.tile([0, 1], 6)
    options = {"scoring": "accuracy", "cv": 3, "n_bootstraps": 5, "random_state": 0}
    with pytest.warns(FoldDependenceWarning, match="4 of the 4 models"):
        table = modality_utility(KNeighborsClassifier(7), frame, y, **options)
    tight = modality_utility(
        KNeighborsClassifier(7), frame, y, fold_dependence=False, **options
    )
    pd.testing.assert_frame_equal(table, tight)


@pytest.mark.slow
def test_intervals_hold_for_models_that_remember_rows():
    """1-NN on folds of 150 rows: without the stretch, errors are too small.

    Each row trains the models that test its neighbours, so that errors of different
    folds hang together, which no bootstrap of the rows can see. A split is free of it.
    """
    ratio = {}
    for name in ("tight", "folds", "split"):
        errors, said = [], []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            n = 300 if name == "split" else 150
            x = rng.uniform(size=(n, 1))
            y = (rng.random(n) < 0.5).astype(int)
            frame = pd.DataFrame({"a__0": x[:, 0]})
            split = PredefinedSplit(np.repeat([-1, 0], n // 2))
            table = modality_utility(
                KNeighborsClassifier(1), frame, y, scoring="accuracy",
                n_bootstraps=100, cv=split if name == "split" else 5,
                fold_dependence=name != "tight", random_state=seed,
            )  # fmt: skip
            # Labels are coins: every model is right half of the time.
            errors.append(table.value[0] - 0.5)
            said.append(table.std_error[0])
        ratio[name] = np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(said)))
    assert ratio["tight"] > 1.2
    # A standard deviation of 60 numbers has an error of 9%.
    assert 0.8 < ratio["folds"] < 1.15
    assert 0.8 < ratio["split"] < 1.15


def test_models_get_the_groups_of_their_rows():
    seen = []

    class Recorder(PatternClassifier):
        def fit(self, X, y, sample_weight=None, groups=None):
            seen.append((len(y), groups))
            return super().fit(X, y, sample_weight, groups)

    X, y = make_blocks(n=120, missing=0.0)
    groups = np.arange(120) // 4
    modality_utility(
        Recorder(), X, y, propensity=QUICK, groups=groups, cv=2, n_bootstraps=0,
        random_state=0,
    )  # fmt: skip
    assert seen
    for n, own in seen:
        assert len(own) == n
        # The other half of the groups is tested.
        assert len(np.unique(own)) <= 15


def text_frame(n=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "sex": rng.choice(["f", "m"], n), "age": rng.normal(60, 9, n),
        "na": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "ward": rng.choice(["north", "south"], n),
    })  # fmt: skip
    modalities = {"person": ["sex", "age"], "labs": ["na"]}
    return frame, rng.integers(2, size=n), modalities


def test_text_is_encoded_before_and_the_other_columns_stay_covariates():
    X, y, modalities = text_frame()
    onehot = ColumnTransformer(
        [("sex", OneHotEncoder(sparse_output=False), ["sex"])], remainder="passthrough"
    )
    encoder = ModalityTransformer(
        {"person": onehot}, modalities=modalities, remainder="passthrough"
    )
    brief = {"scoring": "accuracy", "cv": 2, "n_bootstraps": 0, "random_state": 0}
    inside = make_pipeline(encoder, LogisticRegression())
    with pytest.raises(ValueError, match=r"'person', which holds .*output_modalities_"):
        modality_utility(inside, X, y, modalities=modalities, **brief)
    E = encoder.fit_transform(X)
    _, scores = modality_utility(
        LogisticRegression(), E, y, modalities=encoder.output_modalities_,
        return_scores=True, **brief,
    )  # fmt: skip
    model = scores.models[("labs",), "ipw"][0]
    seen = model.propensity_.covariate_names_
    assert any("ward" in str(name) for name in seen)
    assert [*model.estimator_.feature_names_in_] == ["labs__na"]
    # Text in a modality that no set has is for the propensity alone.
    table = modality_utility(
        LogisticRegression(), X, y, modalities=modalities, subsets=["labs"], **brief
    )
    assert table["subset"].tolist() == ["labs"]


def test_modalities_of_a_part_are_no_modalities_of_the_study():
    X, y, modalities = text_frame()
    for part in (
        {"propensity": PropensityWeighter(modalities=modalities)},
        {"estimator": PatternClassifier(modalities=modalities)},
    ):
        given = {"estimator": LogisticRegression(), **part}
        message = f"Got modalities in {next(iter(part))} and modalities=None"
        with pytest.raises(ValueError, match=message):
            modality_utility(X=X, y=y, **given)


def test_labels_of_the_table_are_sets():
    X, y = make_bitwise(200, mechanism="mar", return_X_y=True, random_state=0)
    brief = {"scoring": "accuracy", "cv": 2, "n_bootstraps": 0, "random_state": 0}
    table, scores = modality_utility(
        LogisticRegression(), X, y, subsets=["x1", "x1+x2"], return_scores=True, **brief
    )
    assert table["subset"].tolist() == ["x1", "x1+x2", "x1+x2"]
    rows = [scores.rows("accuracy", label) for label in ("x1+x2", "x1 + x2")]
    pd.testing.assert_frame_equal(*rows)
