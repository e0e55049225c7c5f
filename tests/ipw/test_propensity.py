"""PropensityWeighter: weights by hand, covariates of all kinds, diagnostics."""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from skmissing import IPWMultimodalClassifier, MultimodalData, PropensityWeighter
from skmissing._estimation import _tuned_logistic
from skmissing._estimation._folds import assign_folds
from skmissing._estimation._resampling import effective_sample_size
from skmissing._estimation._tuned_logistic import TunedLogistic, WeightedTable
from skmissing.datasets import load_heart, make_bitwise
from skmissing.exceptions import (
    MissingCovariateWarning,
    NoCovariateWarning,
    OverlapWarning,
)
from skmissing.ipw import make_ipw_scorer, modality_utility

# No penalty. Coded categories are collinear, which this solver does not mind.
PLAIN = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)


def mar_frame(n=3000, seed=0):
    """A frame with covariates of every kind that drive who has the block ``b``."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a__0": rng.normal(size=n),
            "a__1": rng.normal(size=n),
            "b__0": rng.normal(size=n),
            "age": rng.uniform(20, 90, size=n),
            "site": rng.choice(["north", "south", "west"], size=n),
            "smoker": rng.random(n) < 0.3,
            "visit": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 1000, size=n), unit="D"),
            "grade": pd.Categorical(rng.choice(["low", "high"], size=n)),
        }
    )
    days = (frame.visit - pd.Timestamp("2020-01-01")).dt.days
    logit = (
        0.03 * (frame.age - 55)
        + (frame.site == "south") * 1.0
        - frame.smoker * 0.8
        + (days - 500) / 500
        + (frame.grade == "low") * 0.7
        - 0.3
    )
    p = expit(logit.to_numpy())
    frame.loc[rng.random(n) >= p, "b__0"] = np.nan
    return frame, p


MODALITIES = {"a": ["a__0", "a__1"], "b": ["b__0"]}


# -- weights ---------------------------------------------------------------------------


def test_weights_are_those_of_the_shares_by_hand():
    X, _ = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    x1, seen = X["x1"][:, 0] == 1, X.present[:, 1]
    p = np.where(x1, seen[x1].mean(), seen[~x1].mean())
    expected = np.where(seen, seen.mean() / p, 0.0)
    weighter = PropensityWeighter(PLAIN).fit(X)
    np.testing.assert_allclose(weighter.predict_propensity(X), p, rtol=1e-8)
    np.testing.assert_allclose(weighter.sample_weight(X), expected, rtol=1e-8)
    np.testing.assert_allclose(weighter.transform(X)[:, 0], expected, rtol=1e-8)
    raw = PropensityWeighter(PLAIN, stabilized=False).fit(X)
    np.testing.assert_allclose(raw.sample_weight(X) * seen.mean(), expected, rtol=1e-8)
    assert weighter.observed_rate_[0] == seen.mean()
    ess = expected.sum() ** 2 / (expected**2).sum()
    assert weighter.effective_sample_size_[0] == pytest.approx(ess)
    assert raw.effective_sample_size_[0] == pytest.approx(ess)


def test_default_weights_on_bitwise_over_seeds():
    found = []
    for seed in range(20):
        X, _ = make_bitwise(mechanism="mar", return_X_y=True, random_state=seed)
        weighter = PropensityWeighter(random_state=seed).fit(X)
        w = weighter.sample_weight(X)
        x1, seen = X["x1"][:, 0] == 1, w > 0
        found.append([w[x1 & seen].mean(), w[~x1 & seen].mean(), w[seen].mean()])
        # The penalty must not pull the propensities together: 1% of the group's own.
        assert w[~x1 & seen][0] == pytest.approx(
            seen.mean() / seen[~x1].mean(), rel=0.01
        )
    mean = np.mean(found, axis=0)
    np.testing.assert_allclose(mean, [0.625, 2.5, 1.0], atol=0.03)
    # Standard deviation of 1 / (share of 5,000 rows) is about 0.03 and 0.07.
    assert np.abs(np.array(found) - [0.625, 2.5, 1.0]).max() < 0.3
    np.testing.assert_allclose(np.array(found)[:, 2], 1.0, atol=0.02)


def test_true_propensities_are_found_from_mixed_covariates():
    frame, p = mar_frame(20_000)
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    error = weighter.predict_propensity(frame) - p
    # The parameters of 20,000 rows leave a root mean square of about 0.01.
    assert np.sqrt((error**2).mean()) < 0.02
    assert weighter.covariate_names_ == [
        "age",
        "site=north",
        "site=south",
        "site=west",
        "smoker",
        "visit",
        "grade=high",
        "grade=low",
        "a__0",
        "a__1",
    ]


def test_all_rows_observed_needs_no_model_and_no_warning():
    X, _ = make_bitwise(50, return_X_y=True, random_state=0)
    weighter = PropensityWeighter().fit(X)
    np.testing.assert_array_equal(weighter.transform(X), 1.0)
    assert weighter.models_ == [None]
    assert weighter.effective_sample_size_[0] == 50


def test_nothing_observed_is_an_error_and_leaves_nothing():
    X, _y = make_bitwise(50, return_X_y=True, random_state=0)
    weighter = PropensityWeighter()
    with pytest.raises(ValueError, match=r"Got no row with all of the modalities \['x"):
        weighter.fit(X.hide("x2"))
    with pytest.raises(ValueError, match="and a label, expected at least one"):
        weighter.fit(X, np.full(50, np.nan))
    assert not hasattr(weighter, "propensity_")


def test_no_covariate_means_the_rate_and_one_warning():
    X, _ = make_bitwise(200, return_X_y=True, random_state=0)
    X = X.hide({"x1": np.arange(200) % 4 == 0, "x2": np.arange(200) % 3 == 0})
    with pytest.warns(
        NoCovariateWarning, match=r"\['x1', 'x2'\]; the observed rate"
    ) as c:
        weighter = PropensityWeighter().fit(X)
    assert len(c) == 1
    np.testing.assert_allclose(
        weighter.predict_propensity(X), weighter.observed_rate_[0]
    )
    w = weighter.sample_weight(X)
    np.testing.assert_array_equal(w[X.present.all(axis=1)], 1.0)


def test_missing_labels_count_as_not_observed():
    frame, _ = mar_frame(800)
    y = np.arange(800) % 2.0
    y[frame.age > 60] = np.nan
    for labels in (y, pd.Series(y).astype("Int64"), pd.Series(y).astype(object)):
        weighter = PropensityWeighter(modalities=MODALITIES, random_state=0)
        with pytest.warns(OverlapWarning, match="have a propensity below 0.05"):
            weighter.fit(frame, labels)
        seen = frame.b__0.notna().to_numpy() & ~np.isnan(y)
        np.testing.assert_array_equal(weighter.observed_[:, 0], seen)
        w = weighter.sample_weight(frame, labels)
        np.testing.assert_array_equal(w > 0, seen)
        # Without labels all count as known, also where they were not.
        with pytest.warns(OverlapWarning, match="far from those of fit"):
            assert (weighter.transform(frame)[:, 0] > 0).sum() > seen.sum()
    old = weighter.predict_propensity(frame)[frame.age.to_numpy() > 75]
    assert old.mean() < 0.1


def test_use_target():
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"])[rng.integers(2, size=4000)]
    x = rng.normal(size=(4000, 2))
    X = MultimodalData({"a": x[:, :1], "b": x[:, 1:]})
    X = X.hide({"b": rng.random(4000) > np.where(y == "yes", 0.9, 0.3)})
    weighter = PropensityWeighter(use_target=True, random_state=0).fit(X, y)
    p = weighter.predict_propensity(X, y)
    np.testing.assert_allclose(p[y == "yes"], 0.9, atol=0.03)
    np.testing.assert_allclose(p[y == "no"], 0.3, atol=0.03)
    with pytest.raises(ValueError, match="Got y=None with use_target=True"):
        weighter.transform(X)
    with pytest.raises(ValueError, match="Got y=None with use_target=True"):
        PropensityWeighter(use_target=True).fit(X)
    with pytest.raises(ValueError, match="Got 1 missing labels with use_target=True"):
        PropensityWeighter(use_target=True).fit(X, np.r_[[None], y[1:]])
    np.testing.assert_allclose(
        weighter.fit_transform(X, y)[:, 0], weighter.sample_weight(X, y)
    )


def test_several_required_sets_are_as_many_single_ones():
    heart = load_heart(as_frame=True)
    options = {
        "modalities": heart.modalities, "covariates": ["site"], "random_state": 0
    }  # fmt: skip
    sets = [["imaging"], ["exercise", "imaging"], ["history"]]
    both = PropensityWeighter(PLAIN, required=sets, **options).fit(heart.data)
    assert both.transform(heart.data).shape == (920, 3)
    assert both.get_feature_names_out().tolist() == [
        "ipw_weight_imaging",
        "ipw_weight_exercise_imaging",
        "ipw_weight_history",
    ]
    for i, required in enumerate(sets):
        one = PropensityWeighter(PLAIN, required=required, **options).fit(heart.data)
        np.testing.assert_allclose(
            both.transform(heart.data)[:, i], one.transform(heart.data)[:, 0]
        )
        assert both.effective_sample_size_[i] == pytest.approx(
            one.effective_sample_size_[0]
        )
        pd.testing.assert_frame_equal(
            both.balance(heart.data).loc[["+".join(required)]], one.balance(heart.data)
        )
    assert list(both.overlap(heart.data).index) == [
        "imaging", "exercise+imaging", "history"
    ]  # fmt: skip


def test_output_can_be_a_frame():
    frame, _ = mar_frame(200)
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0)
    frame.index = np.arange(200) + 7
    out = weighter.set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["ipw_weight"]
    assert list(out.index) == list(frame.index)


# -- weights of rows -------------------------------------------------------------------


def test_row_weights_repeat_rows_and_zero_drops_them():
    frame, _ = mar_frame(400)
    frame.loc[::17, "age"] = np.nan
    w = np.random.default_rng(0).integers(0, 4, size=400).astype(float)
    # A level, a missing value and a scale that only rows of weight 0 have.
    frame.loc[w == 0, "site"] = "nowhere"
    frame.loc[w == 0, "age"] = 1e6
    again = frame.loc[np.repeat(np.arange(400), w.astype(int))]
    weighter = PropensityWeighter(PLAIN, modalities=MODALITIES)
    a = weighter.fit(frame, sample_weight=w)
    p = a.predict_propensity(again)
    assert "site=nowhere" not in a.covariate_names_
    figures = a.effective_sample_size_[0], a.observed_rate_[0]
    b = PropensityWeighter(PLAIN, modalities=MODALITIES).fit(again)
    np.testing.assert_allclose(p, b.predict_propensity(again), rtol=1e-6)
    assert figures[1] == pytest.approx(b.observed_rate_[0])
    c = PropensityWeighter(modalities=MODALITIES, random_state=0)
    c.fit(frame, sample_weight=w)
    d = PropensityWeighter(modalities=MODALITIES, random_state=0)
    d.fit(frame, sample_weight=7.3 * w)
    np.testing.assert_allclose(
        c.predict_propensity(again), d.predict_propensity(again), rtol=1e-9
    )


# -- clipping --------------------------------------------------------------------------


def test_clip_counts_exactly_the_rows_outside():
    frame, _ = mar_frame(2000)
    free = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    assert free.n_clipped_[0] == 0
    p, seen = free.predict_propensity(frame), free.observed_[:, 0]
    np.testing.assert_array_equal(free.propensity_[:, 0], p)
    cut = PropensityWeighter(
        modalities=MODALITIES, random_state=0, clip=(0.2, 0.8), stabilized=False
    ).fit(frame)
    assert cut.n_clipped_[0] == ((p < 0.2) | (p > 0.8)).sum() > 50
    np.testing.assert_allclose(
        cut.sample_weight(frame), seen / np.clip(p, 0.2, 0.8), rtol=1e-12
    )
    # Propensities are reported as they are.
    np.testing.assert_array_equal(cut.predict_propensity(frame), p)


@pytest.mark.parametrize("stabilized", [True, False])
def test_clip_by_a_quantile_of_the_weights(stabilized):
    frame, _ = mar_frame(2000)
    options = {"modalities": MODALITIES, "random_state": 0, "stabilized": stabilized}
    w = PropensityWeighter(**options).fit(frame).sample_weight(frame)
    cut = PropensityWeighter(**options, clip=0.95).fit(frame)
    v = cut.sample_weight(frame)
    seen = w > 0
    changed = (v != w).sum()
    assert 0.04 * seen.sum() < changed <= 0.05 * seen.sum()
    assert v.max() == pytest.approx(np.sort(w[seen])[-changed - 1])
    np.testing.assert_array_equal(v[v == w], w[v == w])


@pytest.mark.parametrize("clip", [(0.5, 0.5), (-0.1, 1), (0.1, 2), 0.3, 1.0, 7, (0.1,)])
def test_bad_clip(clip):
    X, _ = make_bitwise(50, return_X_y=True, random_state=0)
    with pytest.raises(
        ValueError, match=r"Got clip=.*expected a pair|'clip' parameter .* Got"
    ):
        PropensityWeighter(clip=clip).fit(X)


class Fixed(ClassifierMixin, BaseEstimator):
    """Says one propensity where the first covariate is high, another where not."""

    def __init__(self, high=0.5, low=0.5):
        self.high = high
        self.low = low

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = np.where(X[:, 0] > 0, self.high, self.low)
        return np.column_stack([1 - p, p])


def test_propensities_of_exactly_0_and_1():
    X, _ = make_bitwise(500, mechanism="mar", return_X_y=True, random_state=0)
    with pytest.raises(ValueError, match=r"exactly 0 for \d+ observed rows .*row \d+"):
        PropensityWeighter(Fixed(low=0.0)).fit(X)
    with pytest.warns(OverlapWarning, match=r"\d+ rows that are missing .* exactly 1"):
        weighter = PropensityWeighter(Fixed(high=1.0)).fit(X)
    assert np.isfinite(weighter.transform(X)).all()
    # Bounded, it is a matter of choice.
    with pytest.warns(OverlapWarning, match="smallest is 0"):
        weighter = PropensityWeighter(Fixed(low=0.0), clip=(0.1, 1.0)).fit(X)
    assert weighter.transform(X).max() <= 10
    hidden = X.hide({"x2": X["x1"][:, 0] == 0})
    with pytest.warns(OverlapWarning, match="smallest is 0"):
        weighter = PropensityWeighter(Fixed(high=0.8, low=0.0)).fit(hidden)
    assert np.isfinite(weighter.transform(hidden)).all()
    with pytest.raises(ValueError, match="exactly 0"):
        weighter.transform(X)
    with pytest.raises(ValueError, match="Got a propensity of nan from Fixed"):
        PropensityWeighter(Fixed(low=np.nan)).fit(X)
    with pytest.raises(ValueError, match=r"Got a propensity of 1.5 from Fixed"):
        PropensityWeighter(Fixed(low=1.5)).fit(X)


def test_poor_overlap_warns_with_figures():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2))
    X = MultimodalData({"a": x[:, :1], "b": x[:, 1:]})
    X = X.hide({"b": rng.random(3000) > expit(3 * x[:, 0] - 2)})
    with pytest.warns(OverlapWarning) as caught:
        weighter = PropensityWeighter(random_state=0).fit(X)
    text = str(caught[0].message)
    p = weighter.propensity_[:, 0]
    assert f"{(p < 0.05).mean():.1%} of the rows have a propensity below 0.05" in text
    assert f"{p.min():.2g}" in text
    assert f"count as {weighter.effective_sample_size_[0]:.1f} equally" in text


# -- cross-fitting ---------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [PLAIN, GaussianNB()])
def test_cross_fitted_propensities_by_hand(estimator):
    frame, _ = mar_frame(600)
    groups = np.arange(600) // 3
    splitter = GroupKFold(4)
    weighter = PropensityWeighter(
        estimator, modalities=MODALITIES, covariates=["age", "a"], cv=splitter
    )
    out = weighter.fit_transform(frame, groups=groups)
    C, seen = frame[["age", "a__0", "a__1"]].to_numpy(), frame.b__0.notna().to_numpy()
    C = (C - C.mean(axis=0)) / C.std(axis=0)
    p = np.empty(600)
    for train, test in splitter.split(C, seen, groups):
        p[test] = estimator.fit(C[train], seen[train]).predict_proba(C[test])[:, 1]
    np.testing.assert_allclose(weighter.propensity_[:, 0], p, rtol=1e-6)
    np.testing.assert_allclose(out[:, 0], np.where(seen, seen.mean() / p, 0), rtol=1e-6)
    # Other rows, and the same ones once fitted, get the model of all rows.
    full = estimator.fit(C, seen).predict_proba(C)[:, 1]
    np.testing.assert_allclose(weighter.predict_propensity(frame), full, rtol=1e-6)
    assert np.abs(weighter.transform(frame) - out).max() > 1e-4


class Memory(KNeighborsClassifier):
    """Knows every row that it has seen by heart."""

    def __init__(self):
        super().__init__(n_neighbors=1)


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_keep_groups_together_and_rows_out(grouped):
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(150, 1)), 2, axis=0)
    X = MultimodalData({"a": x, "b": rng.normal(size=(300, 1))})
    # Twins have the same covariate and the same fate.
    X = X.hide({"b": np.repeat(rng.random(150) < 0.5, 2)})
    weighter = PropensityWeighter(Memory(), cv=5, random_state=0, clip=(0.01, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        weighter.fit(X, groups=np.arange(300) // 2 if grouped else None)
    right = (weighter.propensity_[:, 0] > 0.5) == weighter.observed_[:, 0]
    # In another fold the twin gives it away; in the same fold nothing does.
    assert right.mean() < 0.65 if grouped else right.mean() > 0.85


def test_weight_0_is_absent_from_the_folds():
    frame, _ = mar_frame(500)
    w = np.ones(500)
    w[::5] = 0
    options = {"modalities": MODALITIES, "cv": 4, "random_state": 0}
    a = PropensityWeighter(PLAIN, **options).fit(frame, sample_weight=w)
    b = PropensityWeighter(PLAIN, **options).fit(frame[w > 0])
    np.testing.assert_allclose(a.propensity_[w > 0], b.propensity_, rtol=1e-9)


def test_same_seed_same_folds_and_cv_errors():
    frame, _ = mar_frame(300)
    options = {"modalities": MODALITIES, "cv": 4}
    a, b, c = (
        PropensityWeighter(random_state=seed, **options).fit(frame).propensity_
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-6
    with pytest.raises(ValueError, match="Got cv=301 for 300 rows"):
        PropensityWeighter(modalities=MODALITIES, cv=301).fit(frame)
    with pytest.raises(ValueError, match="Got 2 groups, expected at least"):
        PropensityWeighter(**options).fit(frame, groups=np.arange(300) % 2)
    with pytest.raises(ValueError, match="Got groups of length 3, expected 300"):
        PropensityWeighter(**options).fit(frame, groups=[1, 2, 3])
    out = PropensityWeighter(modalities=MODALITIES, cv=KFold(3)).fit(frame)
    assert np.isfinite(out.propensity_[:, 0]).all()


def test_rare_missingness_survives_cross_fitting():
    X, _ = make_bitwise(100, return_X_y=True, random_state=0)
    X = X.hide({"x2": np.arange(100) == 3})
    p = PropensityWeighter(cv=5, random_state=0).fit(X).propensity_
    assert np.isfinite(p).all()
    assert p.min() > 0.5


# -- the default model -----------------------------------------------------------------


def test_penalty_has_the_smallest_log_loss():
    rng = np.random.default_rng(0)
    # One driver among noise: a strong penalty misses it, none overfits.
    x = rng.normal(size=(200, 40))
    seen = rng.random(200) < expit(2 * x[:, 0])
    X = MultimodalData({"a": x, "b": rng.normal(size=(200, 1))}).hide({"b": ~seen})
    model = PropensityWeighter(random_state=0).fit(X).models_[0]
    assert model.alpha_ == _tuned_logistic.PROPENSITY_ALPHAS[np.argmin(model.log_loss_)]
    assert 1e-3 <= model.alpha_ < 1
    assert model.log_loss_[0] > model.log_loss_.min() + 0.1
    # The held-out loss is a loss: that of the marginal rate is about log 2.
    assert model.log_loss_.min() < np.log(2)


def test_held_out_losses_are_weighted():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(120, 3)), rng.uniform(0.1, 5.0, size=120)
    y = (rng.random(120) < expit(x[:, 0])).astype(int)
    model = _tuned_logistic.TunedLogistic(random_state=0).fit(x, y, weight)
    folds = assign_folds(y, _tuned_logistic.INNER_FOLDS, np.random.RandomState(0), None)
    for a in (0, 3, -1):
        alpha, loss = _tuned_logistic.PROPENSITY_ALPHAS[a], 0.0
        for k in np.unique(folds):
            train, test = folds != k, folds == k
            # The penalty counts for a mean, not for a sum over rows.
            penalty = 1.0 / (alpha * weight[train].sum())
            plain = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000)
            plain.fit(x[train], y[train], weight[train])
            p = plain.predict_proba(x[test])[np.arange(test.sum()), y[test]]
            loss -= weight[test] @ np.log(p)
        assert model.log_loss_[a] == pytest.approx(loss / weight.sum(), rel=1e-6)


def test_tuning_looks_at_a_part_of_many_rows(monkeypatch):
    frame, _ = mar_frame(4000)
    whole = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    monkeypatch.setattr(_tuned_logistic, "TUNING_ROWS", 500)
    part = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    assert part.models_[0].log_loss_.min() != whole.models_[0].log_loss_.min()
    # The fit itself sees all rows.
    np.testing.assert_allclose(
        part.propensity_[:, 0], whole.propensity_[:, 0], atol=0.02
    )
    groups = np.arange(4000) // 4
    PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame, groups=groups)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("seed", range(3))
def test_resamples_refit_from_the_fitted_coefficients(seed, cv):
    """As exact as a full refit, and so as uncertain from resample to resample."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(400, 6)), columns=list("abcdef"))
    chance = expit(0.5 * X["a"] + 0.5 * X["b"])
    X["later"] = np.where(rng.random(400) < chance, 1.0, np.nan)
    weighter = PropensityWeighter(
        modalities={"later": ["later"]}, cv=cv, random_state=seed
    )
    frozen = weighter.fit(X).frozen(X)
    model, refits = frozen.model, []
    splits = model.folds_ or [(np.arange(400), np.arange(400))]
    for _ in range(10):
        base = rng.multinomial(400, np.full(400, 1 / 400)).astype(float)
        found = model.refit(WeightedTable(frozen.design, frozen.observed, base))
        refits.append(found)
        for train, test in splits:
            drawn = train[base[train] > 0]
            full = TunedLogistic(alpha=model.model_.alpha_).fit(
                frozen.design[drawn], frozen.observed[drawn], base[drawn]
            )
            expected = full.predict_proba(frozen.design[test])[:, 1]
            np.testing.assert_allclose(found[test], expected, atol=2e-6)
    # It moves by far more than that, and the model itself stays as it is.
    assert np.std(refits, axis=0).mean() > 0.02
    again = weighter.predict_propensity(X, out_of_fold=cv is not None)
    np.testing.assert_array_equal(again, weighter.propensity_[:, 0])


def test_resamples_of_wide_covariates_take_the_other_solver(monkeypatch):
    monkeypatch.setattr(
        _tuned_logistic, "FINE", _tuned_logistic.Precision(4, 1e-8, 500)
    )
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = rng.random(200) < expit(X[:, 0])
    base = rng.integers(1, 3, size=200).astype(float)
    model = TunedLogistic(alpha=0.01).fit(X, y)
    before = model.predict_proba(X)
    found = model.refit(WeightedTable(X, y, base)).predict_proba(X)
    expected = TunedLogistic(alpha=0.01).fit(X, y, base).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - before).max() > 1e-3
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_wide_covariates_take_the_other_solver():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 250))
    seen = rng.random(400) < expit(x[:, 0])
    X = MultimodalData({"a": x, "b": x[:, :1]}).hide({"b": ~seen})
    p = PropensityWeighter(random_state=0).fit(X).propensity_[:, 0]
    assert np.corrcoef(p, expit(x[:, 0]))[0, 1] > 0.5


@pytest.mark.parametrize(
    "estimator", [HistGradientBoostingClassifier(max_iter=20), GaussianNB()]
)
def test_any_classifier(estimator):
    frame, p = mar_frame(3000)
    weighter = PropensityWeighter(estimator, modalities=MODALITIES, random_state=0)
    found = weighter.fit(frame).predict_propensity(frame)
    assert np.corrcoef(found, p)[0, 1] > 0.9


def test_an_estimator_without_weights_is_refused_only_with_weights():
    frame, _ = mar_frame(300)
    weighter = PropensityWeighter(
        KNeighborsClassifier(20), modalities=MODALITIES, clip=(0.05, 1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        weighter.fit(frame)
    with pytest.raises(TypeError, match="Got weights for KNeighborsClassifier"):
        weighter.fit(frame, sample_weight=np.arange(300) + 1.0)


# -- covariates ------------------------------------------------------------------------


def test_which_covariates():
    frame, _ = mar_frame(400)

    def names(**options):
        options = {"modalities": MODALITIES, "random_state": 0, **options}
        return PropensityWeighter(**options).fit(frame).covariate_names_

    assert names(covariates=["age"]) == ["age"]
    assert names(covariates="a") == ["a__0", "a__1"]
    assert names(covariates=["smoker", "a"]) == ["smoker", "a__0", "a__1"]
    assert names(covariates=["a__1"]) == ["a__1"]
    assert names(covariates=lambda X: ["age"]) == ["age"]
    assert names(covariates=slice("age", "age")) == ["age"]
    with pytest.warns(NoCovariateWarning):
        assert names(covariates=[]) == []
    for bad in ("b", ["age", "b"], ["b__0"]):
        with pytest.raises(ValueError, match="Got the modality 'b' in covariates"):
            names(covariates=bad)
    with pytest.raises(ValueError, match="Got unknown columns"):
        names(covariates=["nothing"])
    with pytest.raises(ValueError, match=r"Got \['z'\] in required, expected names"):
        names(required=["z"])
    with pytest.raises(ValueError, match=r"Got \[\] in required, expected names"):
        names(required=[["a"], []])


def test_covariates_of_arrays_and_containers():
    frame, _ = mar_frame(400)
    table = frame[["a__0", "a__1", "b__0", "age"]].to_numpy()
    by_frame = PropensityWeighter(
        PLAIN, modalities=MODALITIES, covariates=["age", "a"]
    ).fit(frame)
    columns = {"a": [0, 1], "b": [2]}
    by_array = PropensityWeighter(PLAIN, modalities=columns).fit(table)
    assert by_array.covariate_names_ == ["column3", "a__0", "a__1"]
    np.testing.assert_array_equal(
        by_array.propensity_[:, 0], by_frame.propensity_[:, 0]
    )
    chosen = PropensityWeighter(PLAIN, modalities=columns, covariates=[3, "a"])
    np.testing.assert_array_equal(chosen.fit(table).propensity_, by_frame.propensity_)
    X = MultimodalData(
        {
            "a": table[:, :2],
            "b": table[:, 2:3],
            "site": frame.site.to_numpy().astype(str),
            "age": frame.age.to_numpy(),
        }
    )
    inside = PropensityWeighter(PLAIN, required=["b"]).fit(X)
    assert inside.covariate_names_ == [
        "a__0", "a__1", "site__0=north", "site__0=south", "site__0=west", "age__0"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="with a MultimodalData, expected names among"):
        PropensityWeighter(covariates=["ward"]).fit(X)
    with pytest.raises(ValueError, match="Got a MultimodalData without covariate"):
        by_array.transform(X.select(["a", "b"]))


def test_a_covariate_missing_at_prediction_is_filled_with_one_warning():
    frame, _ = mar_frame(500)
    weighter = PropensityWeighter(PLAIN, modalities=MODALITIES).fit(frame)
    new = frame.copy()
    new["grade"] = new["grade"].astype(object)
    new.loc[3, "age"], new.loc[5, "grade"] = np.nan, None
    new.loc[6, "site"], new.loc[7, "visit"] = "east", pd.NaT
    with pytest.warns(MissingCovariateWarning, match=r"'age' \(1\), 'site' \(1\)") as c:
        p = weighter.predict_propensity(new)
    assert len(c) == 1
    filled = new.copy()
    filled.loc[3, "age"] = frame.age.mean()
    filled.loc[5, "grade"] = frame.grade.mode()[0]
    filled.loc[7, "visit"] = frame.visit.mean()
    np.testing.assert_allclose(
        np.delete(p, 6), np.delete(weighter.predict_propensity(filled.assign(
            site=frame.site)), 6), rtol=1e-9
    )  # fmt: skip
    common = frame.site.mode()[0]
    assert p[6] == pytest.approx(
        weighter.predict_propensity(filled.assign(site=common))[6]
    )


def test_a_covariate_missing_in_fit_gets_an_indicator_and_no_warning():
    frame, _ = mar_frame(2000)
    gone = np.random.default_rng(1).random(2000) < 0.3
    frame.loc[gone, "age"] = np.nan
    frame.loc[gone, "site"] = None
    # Who has no age is never observed by the other drivers alone.
    frame.loc[gone & (np.arange(2000) % 4 > 0), "b__0"] = np.nan
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    assert "age is missing" in weighter.covariate_names_
    assert "site is missing" in weighter.covariate_names_
    p = weighter.predict_propensity(frame)
    rate = frame.b__0.notna().to_numpy()[gone].mean()
    assert p[gone].mean() == pytest.approx(rate, abs=0.02)


def test_free_text_shares_a_column_beyond_the_most_frequent_levels():
    frame, _ = mar_frame(600)
    frame["record"] = [f"r{i // 3}" if i < 300 else f"once{i}" for i in range(600)]
    weighter = PropensityWeighter(
        modalities=MODALITIES, covariates=["record"], random_state=0
    ).fit(frame)
    assert len(weighter.covariate_names_) == 101
    assert "record=(other)" in weighter.covariate_names_
    assert "record=r7" in weighter.covariate_names_
    weighter.transform(frame)


def test_infinite_and_retyped_covariates_are_errors():
    frame, _ = mar_frame(200)
    with pytest.raises(
        ValueError, match="Got an infinite value in the covariate 'age'"
    ):
        PropensityWeighter(modalities=MODALITIES).fit(frame.assign(age=np.inf))
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    with pytest.raises(ValueError, match="Got an infinite value in the covariate"):
        weighter.transform(frame.assign(age=np.inf))
    with pytest.raises(ValueError, match="Got text in the covariate 'age'"):
        weighter.transform(frame.assign(age="old"))


def test_constant_and_time_covariates():
    frame, _ = mar_frame(300)
    frame["constant"] = 3.0
    frame["wait"] = pd.to_timedelta(np.arange(300), unit="h")
    frame["zoned"] = frame.visit.dt.tz_localize("Europe/Zurich")
    frame["count"] = pd.array([None, *range(299)], dtype="Int64")
    frame["flag"] = pd.array([None, *[True, False] * 149, True], dtype="boolean")
    weighter = PropensityWeighter(
        modalities=MODALITIES,
        covariates=["constant", "wait", "zoned", "count", "flag"],
        random_state=0,
    ).fit(frame)
    assert weighter.covariate_names_ == [
        "wait", "zoned", "count", "count is missing", "flag", "flag is missing"
    ]  # fmt: skip
    table = weighter.balance(frame).droplevel("required")
    assert table.loc["wait", "mean_all"] == pytest.approx(299 / 48)


# -- diagnostics -----------------------------------------------------------------------


def test_balance_by_hand():
    frame, _ = mar_frame(2000)
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    table = weighter.balance(frame).droplevel("required")
    w, age = weighter.sample_weight(frame), frame.age.to_numpy()
    seen = w > 0
    row = table.loc["age"]
    assert row.mean_all == pytest.approx(age.mean())
    assert row.mean_observed == pytest.approx(age[seen].mean())
    assert row.mean_weighted == pytest.approx(np.average(age, weights=w))
    assert row.smd_before == pytest.approx((age[seen].mean() - age.mean()) / age.std())
    assert row.smd_after == pytest.approx(
        (np.average(age, weights=w) - age.mean()) / age.std()
    )
    south = table.loc["site=south"]
    assert south.mean_all == pytest.approx((frame.site == "south").mean())
    assert table.smd_before.abs().max() > 0.25
    assert table.smd_after.abs().max() < 0.05
    s = np.random.default_rng(0).uniform(size=2000)
    weighted = weighter.balance(frame, sample_weight=s).droplevel("required")
    assert weighted.loc["age", "mean_weighted"] == pytest.approx(
        np.average(age, weights=w * s)
    )


@pytest.mark.parametrize(("mechanism", "left"), [("mar", 0.0), ("mnar", 0.3)])
def test_weights_balance_what_drives_mar_and_not_what_drives_mnar(mechanism, left):
    differences = []
    for seed in range(5):
        bunch = make_bitwise(mechanism=mechanism, random_state=seed)
        w = PropensityWeighter(random_state=0).fit(bunch.data).sample_weight(bunch.data)
        driver = bunch.complete_data["x1" if mechanism == "mar" else "x2"][:, 0]
        differences.append(np.average(driver, weights=w) - driver.mean())
    np.testing.assert_allclose(differences, left, atol=0.02)


def test_overlap_and_calibration_by_hand():
    frame, _p = mar_frame(4000)
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(frame)
    row = weighter.overlap(frame).loc["a+b"]
    q, w = weighter.predict_propensity(frame), weighter.sample_weight(frame)
    assert row.n_rows == 4000
    assert row.n_observed == (w > 0).sum()
    assert row.largest_weight == w.max()
    assert row["share_below_0.05"] == (q < 0.05).mean()
    assert row["median"] == np.median(q)
    assert row.effective_sample_size == pytest.approx(w.sum() ** 2 / (w @ w))
    bins = weighter.calibration(frame, n_bins=8).droplevel("required")
    assert bins.n_rows.tolist() == [500] * 8
    lowest = np.argsort(q)[:500]
    assert bins.propensity[0] == pytest.approx(q[lowest].mean())
    assert bins.observed[0] == pytest.approx(weighter.observed_[lowest].mean())
    # A model of the right form is calibrated.
    assert (np.abs(bins.propensity - bins.observed) < 4 * bins.std_error).all()
    with pytest.raises(ValueError, match="Got n_bins=0"):
        weighter.calibration(frame, n_bins=0)
    # Weights: as in fit, and rows of weight 0 are left out.
    s = np.random.default_rng(0).uniform(size=4000) * (np.arange(4000) % 3 > 0)
    again = PropensityWeighter(modalities=MODALITIES, random_state=0)
    again.fit(frame, sample_weight=s)
    row = again.overlap(frame, sample_weight=s).loc["a+b"]
    assert row.n_rows == (s > 0).sum()
    assert row.effective_sample_size == pytest.approx(again.effective_sample_size_[0])
    q2 = again.predict_propensity(frame)
    assert row["share_below_0.05"] == pytest.approx(np.average(q2 < 0.05, weights=s))
    seen = s * weighter.observed_[:, 0]
    whole = seen.sum() ** 2 / (seen @ seen)
    assert row.efficiency == pytest.approx(row.effective_sample_size / whole)
    bins = weighter.calibration(frame, n_bins=5, sample_weight=s).droplevel("required")
    q, o = q[s > 0], weighter.observed_[s > 0, 0]
    lowest = np.argsort(q, kind="stable")[: bins.n_rows[0]]
    w = s[s > 0][lowest]
    assert bins.observed[0] == pytest.approx(np.average(o[lowest], weights=w))
    share = bins.observed[0]
    error = np.sqrt(share * (1 - share) * (w @ w)) / w.sum()
    assert bins.std_error[0] == pytest.approx(error)


def test_effective_sample_size_of_extreme_weights():
    assert effective_sample_size(np.zeros(3)) == 0
    assert effective_sample_size(np.full(7, 1e-300)) == pytest.approx(7)
    assert effective_sample_size(np.r_[1e300, np.ones(5)]) == pytest.approx(1)


def test_warnings_point_at_the_line_of_the_user():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2))
    X = MultimodalData({"a": x[:, :1], "b": x[:, 1:]})
    X = X.hide({"b": rng.random(2000) > expit(3 * x[:, 0] - 2)})
    y = (x[:, 0] > 0) * 1
    for call in (
        lambda: PropensityWeighter(random_state=0).fit(X),
        lambda: IPWMultimodalClassifier(GaussianNB()).fit(X, y),
        lambda: modality_utility(GaussianNB(), X, y, n_bootstraps=0, random_state=0),
        lambda: PropensityWeighter(covariates=[]).fit(X),
    ):
        with pytest.warns((OverlapWarning, NoCovariateWarning)) as caught:
            call()
        assert {w.filename for w in caught} == {__file__}


@pytest.mark.parametrize("part", [slice(None), slice(100, 350)])
def test_scores_and_diagnostics_are_out_of_fold_too(part):
    frame, _ = mar_frame(600)
    y = np.random.default_rng(1).integers(2, size=600)
    options = {"modalities": MODALITIES, "cv": 5, "random_state": 0, "clip": (0.05, 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        weighter = PropensityWeighter(Memory(), **options)
        honest = weighter.fit_transform(frame)[:, 0]
    out = np.where(
        weighter.observed_[:, 0],
        weighter.observed_rate_[0] / np.clip(weighter.propensity_[:, 0], 0.05, 1),
        0.0,
    )
    np.testing.assert_allclose(out, honest)
    rows, w = frame.iloc[part], out[part]
    # The model of all rows overfits them: it would weight all observed alike.
    assert np.ptp(weighter.sample_weight(rows)[w > 0]) == 0
    scorer = make_ipw_scorer("accuracy", propensity=weighter)
    clf = DummyClassifier().fit(rows, y[part])
    right = clf.predict(rows) == y[part]
    assert scorer(clf, rows, y[part]) == pytest.approx(np.average(right, weights=w))
    ess = w.sum() ** 2 / (w @ w)
    found = weighter.overlap(rows)
    assert found.effective_sample_size.iloc[0] == pytest.approx(ess)
    assert found["min"].iloc[0] == weighter.propensity_[part].min()
    age = np.average(rows.age, weights=w)
    assert weighter.balance(rows).droplevel("required").loc[
        "age", "mean_weighted"
    ] == pytest.approx(age)
    assert weighter.calibration(rows).droplevel("required").observed.iloc[0] > 0
    # Rows that were not in fit are the business of the model of all rows.
    new, _ = mar_frame(50, seed=9)
    np.testing.assert_array_equal(
        weighter.sample_weight(new, out_of_fold=True), weighter.sample_weight(new)
    )


def test_levels_named_like_the_rest_and_labels_of_other_types():
    rng = np.random.default_rng(0)
    site = rng.choice(["a", "b", "(other)"], size=6000)
    frame = pd.DataFrame({"site": site, "b__0": rng.normal(size=6000)})
    p = np.where(site == "(other)", 0.2, 0.8)
    frame.loc[rng.random(6000) > p, "b__0"] = np.nan
    weighter = PropensityWeighter(PLAIN, modalities={"b": ["b__0"]}).fit(frame)
    np.testing.assert_allclose(weighter.predict_propensity(frame), p, atol=0.03)
    assert "site=(other)" in weighter.covariate_names_
    y = (site == "a") * 1
    weighter = PropensityWeighter(
        PLAIN, modalities={"b": ["b__0"]}, covariates=[], use_target=True
    ).fit(frame, y)
    expected = weighter.predict_propensity(frame, y)
    assert np.ptp(expected) > 0.1
    for other in (
        y.astype(float),
        y.astype(bool),
        y.tolist(),
        pd.Series(y, dtype="Int64"),
    ):
        np.testing.assert_array_equal(
            weighter.predict_propensity(frame, other), expected
        )
    with pytest.warns(MissingCovariateWarning, match="'target'"):
        weighter.predict_propensity(frame, np.where(y == 1, 7, 0))


def test_few_groups_and_folds_that_are_no_partition():
    frame, _ = mar_frame(300)
    for groups in (np.arange(300) % 3, np.zeros(300)):
        PropensityWeighter(modalities=MODALITIES, random_state=0).fit(
            frame, groups=groups
        )
    shuffled = ShuffleSplit(3, test_size=0.5, random_state=0)
    with pytest.raises(ValueError, match="expected a partition"):
        PropensityWeighter(modalities=MODALITIES, cv=shuffled).fit(frame)


def test_weighted_fill_of_missing_covariates():
    frame, _ = mar_frame(400)
    frame.loc[::9, "age"] = np.nan
    w = np.where(frame.age > 55, 3.0, 1.0)
    weighter = PropensityWeighter(
        modalities=MODALITIES, covariates=["age"], random_state=0
    ).fit(frame, sample_weight=w)
    known = frame.age.notna()
    mean = np.average(frame.age[known], weights=w[known])
    filled = frame.assign(age=frame.age.fillna(mean))
    a, b = weighter._source, weighter._table
    data = MultimodalData.from_frame(frame, MODALITIES)
    table = b.transform(a.take(weighter, data, filled, None), 400)
    other = b.transform(a.take(weighter, data, frame, None), 400)
    np.testing.assert_allclose(other[:, 0], table[:, 0])
    assert b.mean_[0] == pytest.approx(mean)


def test_dates_and_decimals_held_as_objects_are_numbers():
    frame, _ = mar_frame(200)
    frame["day"] = frame.visit.dt.date
    frame["dose"] = [Decimal(i) / 8 for i in range(200)]
    weighter = PropensityWeighter(
        modalities=MODALITIES, covariates=["day", "dose", "visit"], random_state=0
    ).fit(frame)
    assert weighter.covariate_names_ == ["day", "dose", "visit"]
    table = weighter.balance(frame).droplevel("required")
    assert table.loc["day", "mean_all"] == pytest.approx(table.loc["visit", "mean_all"])


def test_estimators_without_weights_can_be_resampled():
    frame, _ = mar_frame(300)
    y = (frame.a__0 > 0).to_numpy() * 1
    weighter = PropensityWeighter(
        KNeighborsClassifier(30), modalities=MODALITIES, clip=(0.05, 1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        table = modality_utility(
            GaussianNB(), frame, y, propensity=weighter, modalities=MODALITIES,
            scoring="accuracy", n_bootstraps=3, random_state=0,
        )  # fmt: skip
    assert table.std_error.notna().all()
