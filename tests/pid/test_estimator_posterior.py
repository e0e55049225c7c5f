"""PIDEstimator through posteriors."""

from typing import ClassVar

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing._estimation._tuned_logistic import (
    ALPHAS,
    PenaltySearch,
    RidgeLogistic,
    WeightedTable,
)
from skmissing.baselines import FusionClassifier
from skmissing.pid import _learners, _posterior, _posterior_models, broja
from skmissing.pid._posterior import PosteriorTables, quantise
from skmissing.pid._stacking import EXPONENTS, calibrate

from ..conftest import LINEAR, draw_mixture, terms_of

NOISE = {"method": "posterior", "random_state": 0}


@pytest.fixture(autouse=True)
def linear(monkeypatch):
    """The default takes its cheapest learner only."""

    def cheapest(table, n_classes, shaped):
        return [_learners.Linear]

    monkeypatch.setattr(_posterior_models, "candidates", cheapest)


def draw_signal(seed, n=3000, slope=0.39, n_columns=5):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, n_columns))
    chance = expit(slope * (a[:, 0] + b[:, 0]))
    y = (rng.random(n) < chance).astype(int)
    return MultimodalData({"a": a, "b": b}), y, chance


def draw_classes(seed, n=600, n_classes=3, shift=0.7):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    means = shift * rng.normal(size=(2, n_classes, 2))
    blocks = {k: means[i, y] + rng.normal(size=(n, 2)) for i, k in enumerate("ab")}
    return MultimodalData(blocks), y


# -- values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_classes", "n_seeds"), [pytest.param(2, 20, marks=pytest.mark.slow), (3, 8)]
)
def test_noise_has_no_information(n_classes, n_seeds):
    rows, shares = [], []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        X = MultimodalData({k: rng.normal(size=(300, 5)) for k in "ab"})
        pid = PIDEstimator(**NOISE).fit(X, rng.integers(n_classes, size=300))
        rows.append(terms_of(pid))
        shares.append(pid.held_out_information_["a"])
    mean = np.mean(rows, axis=0)
    assert abs(mean[-1]) < 0.02
    assert abs(np.mean(shares)) < 0.02
    assert np.abs(mean).max() < 0.02
    # Estimates out of fold are not above zero by choice of the best penalty.
    assert mean[-1] < 0.001


@pytest.mark.slow
def test_noise_in_larger_samples():
    rng = np.random.default_rng(0)
    for _ in range(3):
        X = MultimodalData({k: rng.normal(size=(2000, 5)) for k in "ab"})
        pid = PIDEstimator(**NOISE, n_bins=10).fit(X, rng.integers(2, size=2000))
        assert terms_of(pid, "value")[:3].max() < 0.01


@pytest.mark.slow
def test_a_small_planted_signal_is_found():
    _, _, chance = draw_signal(0, n=400000)
    entropy = -(chance * np.log2(chance) + (1 - chance) * np.log2(1 - chance))
    truth = 1 - entropy.mean()
    assert truth == pytest.approx(0.05, abs=0.002)
    found, joint, best = 0, [], []
    for seed in range(20):
        X, y, chance = draw_signal(seed)
        # What the true posterior would give on these rows.
        own = np.where(y == 1, chance, 1 - chance) / (np.bincount(y) / len(y))[y]
        best.append(np.log2(own).mean())
        pid = PIDEstimator(**NOISE, n_permutations=19).fit(X, y)
        found += pid.to_frame()["p_value"].iloc[-1] <= 0.05
        joint.append(pid.mutual_information_["joint"])
    assert found >= 18
    # Ten coefficients learned from 2,400 rows cost 10 / (4800 ln 2) = 0.003 bit.
    assert -0.006 < np.mean(np.subtract(joint, best)) < 0


def true_mixture(m=200):
    edges = np.linspace(-9, 9, m + 1)
    a = np.diff([norm.cdf(edges), norm.cdf(edges, scale=2.4)], axis=1)
    two = 0.5 * (norm.cdf(edges, 1.6, 0.7) + norm.cdf(edges, -1.6, 0.7))
    b = np.diff([norm.cdf(edges), two], axis=1)
    result = broja(a[:, :, None] * b[:, None, :])
    return np.array([*result.unique, result.redundant, result.synergistic])


SPLINES = make_pipeline(
    SplineTransformer(n_knots=12, knots="quantile", extrapolation="linear"),
    StandardScaler(),
    LogisticRegression(max_iter=300),
)


@pytest.mark.slow
def test_continuous_sources_with_known_parts():
    truth = true_mixture()
    np.testing.assert_allclose(truth, [0.0385, 0.0832, 0.1546, 0.1024], atol=2e-4)
    rows, curved = [], []
    for seed in range(5):
        X, y = draw_mixture(seed)
        pid = PIDEstimator(**{**NOISE, "estimator": SPLINES}).fit(X, y)
        assert pid.method_ == "posterior"
        assert pid.duality_gap_ < 1e-9
        rows.append(terms_of(pid)[:4])
        # An invertible transform changes nothing but Monte Carlo error.
        bent = MultimodalData({"a": np.sinh(X["a"]), "b": 1 / (1 + np.exp(X["b"]))})
        curved.append(
            terms_of(PIDEstimator(**{**NOISE, "estimator": SPLINES}).fit(bent, y))[:4]
        )
    np.testing.assert_allclose(np.mean(rows, axis=0), truth, atol=0.01)
    np.testing.assert_allclose(np.mean(curved, axis=0), truth, atol=0.01)


@pytest.mark.slow
def test_weights_bring_back_the_population():
    """Rows kept by chance that depends on a covariate, under which parts differ."""
    rng = np.random.default_rng(0)
    X, y, _ = draw_signal(1, n=12000, slope=1.0, n_columns=2)
    chance = np.where(X["a"][:, 0] > 0, 0.9, 0.15)
    hidden = X.hide({"b": rng.random(len(y)) > chance})
    truth = terms_of(PIDEstimator(**NOISE).fit(X, y))
    known = PIDEstimator(**NOISE).fit(hidden, y, sample_weight=1 / chance)
    np.testing.assert_allclose(terms_of(known), truth, atol=0.02)
    present = np.column_stack([hidden.present, np.ones(len(y), dtype=bool)])
    side = MultimodalData({**hidden.blocks, "side": X["a"][:, 0] > 0}, present)
    modelled = PIDEstimator(
        **NOISE,
        sources=("a", "b"),
        propensity=PropensityWeighter(random_state=0, covariates=["side"]),
    ).fit(side, y)
    np.testing.assert_allclose(terms_of(modelled), terms_of(known), atol=0.003)
    biased = PIDEstimator(**NOISE).fit(hidden, y)
    assert np.abs(terms_of(biased) - truth).max() > 0.03


def test_classes_of_a_gaussian_mixture():
    """More than two classes: informations against numerical integration."""
    X, y = draw_classes(0, n=12000)
    pid = PIDEstimator(**NOISE).fit(X, y)
    # The Bayes posteriors are known: equal covariances make them linear.
    rng = np.random.default_rng(0)
    rng.integers(3, size=12000)
    means = 0.7 * rng.normal(size=(2, 3, 2))

    def bayes(names):
        score = sum(
            -0.5 * ((X[k][:, None] - means["ab".index(k)]) ** 2).sum(-1) for k in names
        )
        score = score - np.logaddexp.reduce(score, axis=1)[:, None]
        return np.log2(3) + score[np.arange(len(y)), y].mean() / np.log(2)

    for names in ("a", "b", "ab"):
        key = "joint" if names == "ab" else names
        assert pid.held_out_information_[key] == pytest.approx(bayes(names), abs=0.003)
        assert pid.mutual_information_[key] == pytest.approx(bayes(names), abs=0.015)


def test_synergy_below_zero_is_raised_and_kept_as_raw():
    rng = np.random.default_rng(2)
    X = MultimodalData({k: rng.normal(size=(200, 5)) for k in "ab"})
    y = rng.integers(2, size=200)
    pid = PIDEstimator(**NOISE, estimator=LINEAR, n_bins=8).fit(X, y)
    frame = pid.to_frame().set_index(["term", "source"])
    assert frame.loc[("synergistic", "joint"), "plain"] < 0
    assert pid.synergistic == 0
    assert frame.loc[("mutual_information", "joint"), "plain"] == pytest.approx(
        pid.held_out_information_["joint"]
    )
    total = sum(pid.unique_.values()) + pid.redundant
    assert pid.mutual_information_["joint"] == pytest.approx(total, abs=1e-12)
    raw = frame["plain"]
    assert raw.iloc[:4].sum() == pytest.approx(raw.iloc[-1], abs=1e-8)
    # The joint term is no plug-in term and is left as it is.
    corrected = frame["raw"]
    assert corrected.iloc[-1] == raw.iloc[-1]
    assert corrected.iloc[-2] < raw.iloc[-2]


def test_several_and_single_sources():
    X, y, _ = draw_signal(0, n=800, slope=1.5)
    X = MultimodalData({**X.blocks, "c": X["a"] + X["b"]})
    # Of the default, other sources take part in the joint models.
    pid = PIDEstimator(**NOISE, estimator=LINEAR).fit(X, y)
    assert (
        list(pid.unique_) == [first for first, _ in pid.redundant_] == ["a", "b", "c"]
    )
    pair = PIDEstimator(**NOISE, estimator=LINEAR, sources=("c", ("a", "b")))
    pair.fit(X, y)
    row = pid.to_frame().iloc[14:]["value"].to_numpy()
    np.testing.assert_allclose(row, terms_of(pair, "value"), atol=1e-8)
    one = PIDEstimator(**NOISE, sources=["a"]).fit(X, y)
    info = one.held_out_information_["joint"]
    assert one.unique_ == {"a": pytest.approx(info)}
    assert info > 0.1
    assert one.mutual_information_ == pytest.approx({"a": info, "joint": info})
    assert (one.redundant, one.synergistic) == (0, 0)


# -- steps ----------------------------------------------------------------------------


def test_overconfident_posteriors_are_calibrated():
    X, y, _ = draw_signal(0, n=4000, slope=1.0, n_columns=1)
    weak = LogisticRegression()

    class Boastful(LogisticRegression):
        def predict_proba(self, X):
            return expit(np.c_[-1, 1] * 2 * self.decision_function(X)[:, None])

    honest, loud = (
        PIDEstimator(**{**NOISE, "estimator": e}).fit(X, y) for e in (weak, Boastful())
    )
    joint = honest.held_out_information_["joint"]
    assert loud.held_out_information_["joint"] == pytest.approx(joint, abs=0.005)
    assert loud.score(X, y) == pytest.approx(honest.score(X, y), abs=0.005)
    np.testing.assert_allclose(terms_of(loud), terms_of(honest), atol=0.01)


def test_temperature_ignores_the_own_fold():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=600)
    folds = np.repeat([0, 1, 2], 200)
    ratio = np.where(np.arange(2) == codes[:, None], 1.0, -1.0)
    ratio += 2 * rng.normal(size=ratio.shape)
    ratio[folds == 2] *= -1
    prior = np.log([0.5, 0.5])
    w = np.full(600, 1 / 600)
    a = calibrate(ratio, folds, codes, w, prior)
    # For fold 2 the others speak, and they agree; for 0 and 1 they contradict.
    assert a[2] > 0.3
    assert a[0] < 0.15
    assert a[1] < 0.15
    flipped = np.where(folds == 2, 1 - codes, codes)
    assert calibrate(ratio, folds, flipped, w, prior)[2] == a[2]
    assert EXPONENTS[-1] > 1.0
    assert EXPONENTS[0] == 0


def test_a_forest_of_certain_trees_stays_finite():
    X, y, _ = draw_signal(0, n=600, slope=2.0)
    forest = RandomForestClassifier(5, random_state=0)
    pid = PIDEstimator(**{**NOISE, "estimator": forest}).fit(X, y)
    assert np.isfinite(terms_of(pid)).all()
    assert np.isfinite(pid.score(X, y))
    assert pid.held_out_information_["joint"] > 0.05


@pytest.mark.parametrize("n_folds", [2, 4, 12])
def test_penalty_is_chosen_without_the_fold(n_folds):
    X, y, _ = draw_signal(3, n=360, slope=0.5)
    X = X["a"]
    folds = np.arange(360) % n_folds
    w = np.ones(360)
    base = PenaltySearch(WeightedTable(X, y, w), folds, 0)
    chosen = [base.choose(k) for k in range(n_folds)]
    for k in range(0, n_folds, 3):
        # Whatever the labels of fold k are, its penalty stays.
        other = np.where(folds == k, (X[:, 1] > 0).astype(int), y)
        changed = PenaltySearch(WeightedTable(X, other, w), folds, 0)
        assert changed.choose(k) == chosen[k]
    strong = PenaltySearch(
        WeightedTable(X, (X[:, 0] > 0).astype(int), w), folds, 0
    ).choose(0)
    noise = PenaltySearch(
        WeightedTable(X, np.arange(360) // 2 % 2, w), folds, 0
    ).choose(0)
    assert strong < 1e-3
    assert noise >= 1e-1
    assert base.choose(None) in ALPHAS


def test_penalty_with_groups_keeps_them_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 6)
    y = np.repeat(np.arange(60) % 2, 6)
    X = np.repeat(rng.normal(size=(60, 8)), 6, axis=0)
    folds = (groups < 30).astype(int)
    w = np.ones(360)
    kept = PenaltySearch(WeightedTable(X, y, w, groups), folds, 0).choose(0)
    split = PenaltySearch(WeightedTable(X, y, w), folds, 0).choose(0)
    assert kept > 10 * split


def test_ridge_ignores_scale_and_constant_columns():
    X, y, _ = draw_signal(0, n=300, slope=1.0)
    X, w = X["a"], np.random.default_rng(0).uniform(size=300)
    a = RidgeLogistic(1e-2).fit(WeightedTable(X, y, w)).predict_log_proba(X)
    wide = np.column_stack([1e6 * X + 3e6, np.full(300, 0.1)])
    b = RidgeLogistic(1e-2).fit(WeightedTable(wide, y, 9 * w)).predict_log_proba(wide)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_bins_have_equal_weight_and_keep_ties():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, size=1000)
    w = rng.uniform(size=1000)
    states = quantise(np.log(np.c_[1 - p, p]), w, 8)
    mass = np.bincount(states, w) / w.sum()
    np.testing.assert_allclose(mass, 1 / 8, atol=0.003)
    order = np.argsort(p)
    assert (np.diff(states[order]) >= 0).all()
    back = quantise(np.log(np.c_[p, 1 - p]), w, 8)
    np.testing.assert_array_equal(back, 7 - states)
    few = np.array([0.2, 0.2, 0.7])[rng.integers(3, size=1000)]
    assert quantise(np.log(np.c_[1 - few, few]), w, 8).max() == 1
    assert quantise(np.log(np.full((5, 2), 0.5)), np.ones(5), 8).tolist() == [0] * 5


def test_clusters_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    q = np.log(rng.dirichlet([0.5, 1.0, 2.0], size=500))
    w = rng.integers(0, 3, size=500).astype(float)
    states = quantise(q, w, 10)
    assert len(np.unique(states)) == 10

    def partition(s):
        return {tuple(np.flatnonzero(s == k)) for k in np.unique(s)}

    order = rng.permutation(500)
    back = np.empty(500, dtype=int)
    back[order] = quantise(q[order], w[order], 10)
    assert partition(back) == partition(states)
    assert partition(quantise(q[:, [2, 0, 1]], w, 10)) == partition(states)
    again = np.repeat(np.arange(500), w.astype(int))
    repeated = quantise(q[again], np.ones(len(again)), 10)
    assert (np.unique(np.c_[states[again], repeated], axis=0).shape[0]) == 10
    corners = np.log(np.repeat(np.eye(3) * 0.9 + 1 / 30, 20, axis=0))
    apart = quantise(corners, np.ones(60), 10).reshape(3, 20)
    assert len(np.unique(apart)) == 3
    assert np.ptp(apart, axis=1).max() == 0


# -- folds, groups, estimators --------------------------------------------------------


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_groups_stay_out_of_their_own_posteriors():
    """The label belongs to the group: rows of it would give it away."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 5)
    y = np.repeat(rng.integers(2, size=100), 5)
    X = np.repeat(rng.normal(size=(100, 2)), 5, axis=0)
    forest = RandomForestClassifier(20, random_state=0)
    leaky = PIDEstimator(**{**NOISE, "estimator": forest}).fit(X, y)
    honest = PIDEstimator(**{**NOISE, "estimator": forest}).fit(X, y, groups=groups)
    assert leaky.unique_["x"] > 0.5
    assert honest.unique_["x"] < 0.05
    split = PIDEstimator(**{**NOISE, "estimator": forest}, cv=GroupKFold(5))
    assert split.fit(X, y, groups=groups).unique_["x"] < 0.05


@pytest.mark.parametrize("n_classes", [3, pytest.param(2, marks=pytest.mark.slow)])
def test_invariances_given_folds(n_classes):
    X, y = draw_classes(n_classes, n_classes=n_classes)
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(y)) % 4
    w = rng.integers(0, 4, size=len(y)).astype(float)

    def fit(X, y, w, fold, **params):
        settings = {"n_bins": 6, **NOISE, **params}
        pid = PIDEstimator(cv=PredefinedSplit(fold), **settings)
        return terms_of(pid.fit(X, y, sample_weight=w))

    base = fit(X, y, w, fold)
    np.testing.assert_allclose(fit(X, y, 7.3 * w, fold), base, atol=1e-9)
    again = np.repeat(np.arange(len(y)), w.astype(int))
    repeated = fit(X[again], y[again], None, fold[again])
    np.testing.assert_allclose(repeated, base, atol=1e-6)
    order = rng.permutation(len(y))
    shuffled = fit(X[order], y[order], w[order], fold[order])
    np.testing.assert_allclose(shuffled, base, atol=1e-6)
    names = np.array(["z", "a", "m"])[y]
    np.testing.assert_allclose(fit(X, names, w, fold), base, atol=1e-6)
    moved = MultimodalData({"a": 10 * X["a"] + 3, "b": -X["b"]})
    np.testing.assert_allclose(fit(moved, y, w, fold), base, atol=1e-6)
    swapped = fit(X, y, w, fold, sources=("b", "a"))
    np.testing.assert_allclose(swapped[[1, 0, 2, 3, 5, 4, 6]], base, atol=1e-9)
    np.testing.assert_array_equal(fit(X, y, w, fold, random_state=5), base)


def test_all_sources_share_one_joint_information():
    """Also where some pairs had theirs raised, and others not."""
    rng = np.random.default_rng(7)
    y = rng.integers(2, size=300)
    X = {k: rng.normal(size=(300, 4)) + 0.4 * y[:, None] for k in "abc"}
    X = MultimodalData({**X, "d": rng.normal(size=(300, 4))})
    pid = PIDEstimator(**NOISE, n_bins=12).fit(X, y)
    frame = pid.to_frame()
    pairs = frame.groupby("first", sort=False)
    raised = [pair["value"].iloc[-1] - pair["plain"].iloc[-1] for _, pair in pairs]
    joint = pid.mutual_information_["joint"]
    # Raised above the estimate, and not by the same pair that comes first.
    assert len(raised) == 4
    assert min(raised) > 0
    least = [pair["value"].iloc[[0, 5]].sum() for _, pair in pairs]
    assert joint == pytest.approx(max(least))
    assert least[0] < joint - 1e-3
    for name, pair in pairs:
        value = pair["value"].to_numpy()
        assert value[6] == joint
        assert (value >= 0).all()
        key = name, pair["second"].iloc[0]
        total = pid.unique_[name] + value[1] + pid.redundant_[key]
        assert total + pid.synergistic_[key] == pytest.approx(joint, abs=1e-8)
        assert value[0] + value[2] == pytest.approx(value[4], abs=1e-8)
        raw = pair["plain"].to_numpy()
        assert raw[:4].sum() == pytest.approx(raw[6], abs=1e-8)


class Remember(LogisticRegression):
    """Records the first column of what it learns from."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        self.seen.append(X[:, 0].astype(int))
        return super().fit(X, y, sample_weight)


def test_training_rows_of_a_split_are_kept_to():
    rng = np.random.default_rng(0)
    rows = np.arange(120)
    X = MultimodalData({k: np.c_[rows, rng.normal(size=120)] for k in "ab"})
    X = X.hide({"b": rows == 5})
    y = rng.integers(2, size=120)
    blocks = np.array_split(rows, 4)
    # A gap of ten rows on either side of what is predicted.
    splits = [(np.setdiff1d(rows, np.arange(b[0] - 10, b[-1] + 11)), b) for b in blocks]
    Remember.seen = []
    PIDEstimator(**{**NOISE, "estimator": Remember()}, cv=splits).fit(X, y)
    used = rows[rows != 5]
    for fit in range(3):
        for seen, (train, _) in zip(Remember.seen[4 * fit : 4 * fit + 4], splits):
            np.testing.assert_array_equal(seen, np.intersect1d(train, used))
    np.testing.assert_array_equal(Remember.seen[-1], used)
    # Complements give what a splitter gives.
    whole = [(np.setdiff1d(rows, b), b) for b in blocks]
    folds = PredefinedSplit(np.repeat(np.arange(4), 30))
    same = [PIDEstimator(**NOISE, cv=cv).fit(X, y) for cv in (whole, folds)]
    np.testing.assert_array_equal(terms_of(same[0]), terms_of(same[1]))


def test_the_default_model_tunes_within_the_training_rows():
    rng = np.random.default_rng(0)
    y = np.arange(160) % 2
    X = rng.normal(size=(160, 200)) + 0.3 * y[:, None]
    folds = np.arange(160) // 40
    trains = (folds != np.arange(4)[:, None]) & (np.arange(160) % 8 != 0)
    w = np.ones(160)
    for columns in (5, 200):
        one = PenaltySearch(
            WeightedTable(X[:, :columns], y, w), folds, 0, trains=trains
        )
        other = np.where(trains[0], y, 1 - y)
        two = PenaltySearch(
            WeightedTable(X[:, :columns], other, w), folds, 0, trains=trains
        )
        assert one.choose(0) == two.choose(0)


@pytest.mark.parametrize("n_folds", [2, 5, 12])
def test_penalty_of_wide_tables(monkeypatch, n_folds):
    """One held-out fold, from strong to weak, and blind to the own fold."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=240)
    X = rng.normal(size=(240, 120))
    X[:, :3] += 2.0 * np.eye(3)[y]
    folds, w = np.arange(240) % n_folds, np.ones(240)
    fits = []
    fit = RidgeLogistic.fit

    def spy(self, table, start=None):
        fits.append((self.alpha, len(table.y)))
        return fit(self, table, start)

    monkeypatch.setattr(RidgeLogistic, "fit", spy)
    search = PenaltySearch(WeightedTable(X, y, w), folds, 0)
    chosen = [search.choose(k) for k in range(n_folds)]
    # Neither the whole path nor every pair of folds.
    n_paths = {2: 2, 5: 3, 12: 12}[n_folds]
    assert sum(alpha == ALPHAS[-1] for alpha, _ in fits) == n_paths
    assert len(fits) <= 6 * n_paths
    assert min(alpha for alpha, _ in fits) > ALPHAS[0]
    assert search.choose(None) in ALPHAS
    assert set(chosen) <= {1e-2, 1e-1, 1.0}
    for k in range(0, n_folds, 3):
        other = np.where(folds == k, (y + 1) % 3, y)
        changed = PenaltySearch(WeightedTable(X, other, w), folds, 0)
        assert changed.choose(k) == chosen[k]
    noise = PenaltySearch(WeightedTable(X, rng.permutation(y), w), folds, 0)
    assert noise.choose(0) >= 1.0


def test_random_state_and_global_generator():
    X, y, _ = draw_signal(0, n=200)
    results = []
    for seed in (0, 1):
        np.random.seed(seed)
        before = np.random.get_state()[1].copy()
        settings = {"n_permutations": 3, "n_bootstraps": 3}
        results.append(PIDEstimator(**NOISE, **settings).fit(X, y).to_frame())
        PIDEstimator(method="posterior").fit(X, y)
        np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert results[0].equals(results[1])


def test_missing_features_and_rare_classes():
    X, y, _ = draw_signal(0, n=300, slope=1.5)
    X["a"][::3, 1] = np.nan
    y = y.astype(object)
    y[:2] = 2
    y[5] = 3
    y[7] = None
    pid = PIDEstimator(**NOISE).fit(X, y)
    assert pid.n_used_ == 299
    assert len(pid.classes_) == 4
    assert np.isfinite(terms_of(pid)).all()
    two = PIDEstimator(**NOISE, cv=2).fit(X, y)
    assert np.isfinite(terms_of(two)).all()
    tiny = PIDEstimator(**NOISE, cv=2).fit(X[:4], [0, 0, 0, 1])
    assert np.isfinite(terms_of(tiny)).all()


@pytest.mark.slow
def test_blocks_of_images_get_a_net():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    image = rng.normal(size=(60, 1, 6, 6)) + 2.0 * y[:, None, None, None]
    X = MultimodalData({"image": image, "labs": rng.normal(size=(60, 2))})
    net = FusionClassifier(max_epochs=20, lr=1e-2, n_threads=1)
    pid = PIDEstimator(**{**NOISE, "estimator": net}, cv=3).fit(X, y)
    assert pid.unique_["image"] > 0.5 > 0.2 > pid.unique_["labs"]
    default = PIDEstimator(**NOISE, sources="image", cv=2).fit(X, y)
    assert "FusionClassifier" in default.learners_["learner"].tolist()
    assert default.unique_["image"] > 0.3
    flat = PIDEstimator(**{**NOISE, "estimator": LogisticRegression()}, cv=3).fit(X, y)
    assert flat.unique_["image"] > 0.5


@pytest.mark.slow
def test_score_on_other_rows():
    X, y, _ = draw_signal(0, n=3000, slope=1.0)
    pid = PIDEstimator(**NOISE)
    scores = cross_val_score(pid, X, y, cv=3)
    info = pid.fit(X, y).mutual_information_["joint"]
    assert scores.mean() == pytest.approx(info, abs=0.02)
    assert pid.score(X, 1 - y) < 0


def test_bad_probabilities_are_refused():
    class Odd(LogisticRegression):
        def predict_proba(self, X):
            return super().predict_proba(X) - 0.9

    X, y, _ = draw_signal(0, n=100)
    with pytest.raises(ValueError, match="Got probabilities outside 0 to 1 from Odd"):
        PIDEstimator(**{**NOISE, "estimator": Odd()}).fit(X, y)


@pytest.mark.parametrize(("n_classes", "most"), [(3, 10), (5, 6), (30, 2)])
def test_bins_are_few_where_classes_are_many(monkeypatch, n_classes, most):
    """Tables that would take too long to decompose are not made."""
    monkeypatch.setattr(_posterior, "MAX_POTENTIALS", 30)
    rng = np.random.default_rng(0)
    y, folds = rng.integers(n_classes, size=(2, 3000)) % [[n_classes], [5]]
    ratios = {}
    for name, pull in (("a", 3.0), ("b", 2.0), (("a", "b"), 5.0)):
        ratio = rng.normal(scale=0.5, size=(3000, n_classes))
        ratio[np.arange(3000), y] += pull
        source = (name,) if isinstance(name, str) else name
        ratios[source] = ratio - np.log(np.exp(ratio).mean(axis=1, keepdims=True))
    pairs = [(("a",), ("b",))]

    def count(n_bins):
        tables = PosteriorTables(ratios, folds, pairs, None, n_bins)
        return max(tables.evaluate(y, np.ones(3000)).n_states.values())

    assert count("auto") == most
    # Whoever wants more gets them.
    assert count(most + 1) == most + 1
