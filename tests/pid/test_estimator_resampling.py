"""Null distributions and intervals of PIDEstimator."""

import io
import sys

import numpy as np
import pandas as pd
import pytest

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.ipw._propensity_model import FrozenPropensity
from skmissing.pid._resampling import intervals, p_values

from ..conftest import LINEAR
from .test_estimator import TERMS, oracle

pytestmark = pytest.mark.filterwarnings(
    "ignore::skmissing.exceptions.SparseStatesWarning"
)


def noise(seed, n=300):
    rng = np.random.default_rng(seed)
    X = MultimodalData({k: rng.integers(3, size=n) for k in "ab"})
    return X, rng.integers(2, size=n), rng.uniform(0.3, 3.0, size=n)


def test_p_values_count_the_observed_figure():
    null = np.array([[0.1, 1.0, 0.0], [0.3, 1.0, 0.0], [0.5, 1.0, 0.0]])
    observed = np.array([0.3 + 1e-14, 2.0, 0.0])
    np.testing.assert_allclose(p_values(observed, null), [0.75, 0.25, 1.0])


def test_intervals_are_moved_by_twice_the_bias():
    drawn = np.linspace(0.5, 1.5, 101)[:, None]
    low, high = intervals(np.array([0.9]), drawn)
    assert (low[0], high[0]) == (pytest.approx(0.35), pytest.approx(1.25))
    low, high = intervals(np.array([0.4]), drawn)
    assert (low[0], high[0]) == (0, pytest.approx(0.25))


def test_levels_of_intervals():
    drawn = np.linspace(0.5, 1.5, 101)[:, None]
    low, high = intervals(np.array([1.0]), drawn, 0.5)
    assert (low[0], high[0]) == (pytest.approx(0.75), pytest.approx(1.25))
    X, y, _ = noise(0)
    settings = {"method": "exact", "n_bootstraps": 30, "random_state": 0}
    narrow = PIDEstimator(**settings, confidence_level=0.5).fit(X, y)
    wide = PIDEstimator(**settings, confidence_level=0.99).fit(X, y)
    np.testing.assert_array_equal(
        narrow.bootstrap_distribution_, wide.bootstrap_distribution_
    )
    narrow, wide = narrow.to_frame(), wide.to_frame()
    assert (narrow["low"] >= wide["low"]).all()
    assert (narrow["high"] < wide["high"]).all()


class Terminal(io.StringIO):
    """What bars are shown in."""

    def isatty(self):
        return True


@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_the_number_of_processes_changes_nothing(method, monkeypatch):
    bunch = make_bitwise(300, gate="and", mechanism="mar", random_state=0)
    settings = {"n_bootstraps": 5, "n_permutations": 5, "random_state": 0}
    frames = []
    for n_jobs in (None, 2):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        pid = PIDEstimator(
            method=method,
            estimator=LINEAR,
            propensity=PropensityWeighter(random_state=0, cv=3),
            n_jobs=n_jobs,
            verbose=n_jobs is not None,
            **settings,
        )
        frames.append(pid.fit(bunch.data, bunch.target).to_frame())
        shown = terminal.getvalue()
        assert ("resamples" in shown) == ("shuffles" in shown) == (n_jobs is not None)
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_intervals_stay_within_what_is_possible():
    drawn = np.linspace(0.5, 1.5, 101)[:, None]
    low, high = intervals(np.array([0.9]), drawn, largest=1.0)
    assert (low[0], high[0]) == (pytest.approx(0.35), 1.0)
    low, high = intervals(np.array([3.0]), drawn, largest=2.0)
    assert (low[0], high[0]) == (2.0, 2.0)
    # A copy of the label, where bits in resamples are fewer than in the data.
    y = np.repeat([0, 1, 2], [20, 2, 2])
    X = MultimodalData({"a": y, "b": np.zeros(24)})
    for unit, most in (("bits", np.log2(3)), ("nats", np.log(3))):
        pid = PIDEstimator(
            method="exact", n_bootstraps=40, unit=unit, random_state=0
        ).fit(X, y)
        upper = pid.to_frame()["high"]
        assert upper.max() <= most + 1e-12
    even = PIDEstimator(method="exact", n_bootstraps=40, random_state=0)
    frame = even.fit(MultimodalData({"a": [0, 1] * 8, "b": [0] * 16}), [0, 1] * 8)
    assert frame.to_frame()["high"].max() == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_p_values_of_noise_are_uniform(method):
    values = []
    for seed in range(50 if method == "exact" else 24):
        X, y, w = noise(seed, n=120)
        pid = PIDEstimator(
            method=method, estimator=LINEAR, n_permutations=39, random_state=seed, cv=3
        )
        values.append(pid.fit(X, y, sample_weight=w).to_frame()["p_value"])
    values = np.array(values)
    # Three standard deviations above the level, for the worst of seven figures.
    slack = 3.2 * np.sqrt(0.05 * 0.95 / len(values))
    assert (values <= 0.05).mean(axis=0).max() < 0.05 + slack
    # Shares of the joint information; ties make those of some parts large.
    share = (values[:, -1] <= 0.5).mean()
    assert 0.25 < share < 0.75
    assert values.min() >= 1 / 40


@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_the_null_has_no_information(method):
    bunch = make_bitwise(1000, gate="and", random_state=0)
    pid = PIDEstimator(
        method=method, estimator=LINEAR, n_permutations=30, random_state=0
    )
    pid.fit(bunch.data, bunch.target)
    frame = pid.to_frame()
    assert pid.null_distribution_.shape == (30, 7)
    null = pid.null_distribution_
    np.testing.assert_allclose(frame["null_mean"], null.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(frame["null_std"], null.std(axis=0), atol=1e-12)
    assert np.abs(frame["null_mean"]).max() < 0.01
    assert frame["p_value"].iloc[-1] == pytest.approx(1 / 31)
    # Another draw each time; calibrated, a posterior of noise mostly is the prior.
    assert len(np.unique(null[:, 4:6])) > (15 if method == "exact" else 1)
    assert frame["value"].iloc[-1] > 0.3


def test_labels_are_shuffled_within_folds(monkeypatch):
    rng = np.random.default_rng(0)
    X = MultimodalData({k: rng.normal(size=(60, 2)) for k in "ab"})
    y = np.repeat([0, 1, 2], 20)
    from skmissing.pid._posterior import PosteriorTables

    seen = []
    calibrate = PosteriorTables.calibrate

    def spy(self, codes, weight):
        seen.append((self.folds, codes.copy()))
        return calibrate(self, codes, weight)

    monkeypatch.setattr(PosteriorTables, "calibrate", spy)
    PIDEstimator(
        method="posterior", estimator=LINEAR, n_permutations=3, random_state=0
    ).fit(X, y)
    assert len(seen) == 4
    for folds, codes in seen[1:]:
        assert (codes != y).sum() > 20
        for k in np.unique(folds):
            np.testing.assert_array_equal(
                np.sort(codes[folds == k]), np.sort(y[folds == k])
            )


@pytest.mark.slow
def test_intervals_cover_the_truth_under_missingness():
    covered, width = [], []
    for seed in range(25):
        bunch = make_bitwise(2000, gate="and", mechanism="mar", random_state=seed)
        pid = PIDEstimator(
            propensity=PropensityWeighter(random_state=0),
            n_bootstraps=40,
            random_state=0,
        ).fit(bunch.data, bunch.target)
        frame, truth = pid.to_frame(), oracle(bunch, "true")
        covered.append((frame["low"] <= truth) & (truth <= frame["high"] + 1e-12))
        width.append(frame["high"] - frame["low"])
        np.testing.assert_allclose(
            frame["std_error"], pid.bootstrap_distribution_.std(axis=0), atol=1e-12
        )
    # Intervals of 90%; the binomial standard deviation is 6%.
    assert np.mean(covered, axis=0).min() >= 0.7, dict(zip(TERMS, covered))
    assert np.mean(width, axis=0).max() < 0.12


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_intervals_of_noise_reach_down_to_zero(method):
    reached = []
    for seed in range(12):
        X, y, w = noise(seed)
        pid = PIDEstimator(
            method=method, estimator=LINEAR, n_bootstraps=30, random_state=0
        )
        frame = pid.fit(X, y, sample_weight=w).to_frame()
        reached.append(frame["low"] < 1e-9)
        assert (frame["low"] <= frame["high"]).all()
    assert np.mean(reached) > 0.8


def test_bootstrap_refits_the_propensity(monkeypatch):
    bunch = make_bitwise(1000, gate="and", mechanism="mar", random_state=0)
    calls = []
    weights = FrozenPropensity.weights

    def spy(self, base, refit):
        calls.append((base.copy(), refit))
        return weights(self, base, refit)

    monkeypatch.setattr(FrozenPropensity, "weights", spy)
    weighter = PropensityWeighter(random_state=0, cv=3, clip=0.99)
    settings = {"propensity": weighter, "n_bootstraps": 4, "random_state": 0}
    pid = PIDEstimator(**settings)
    w = np.random.default_rng(0).uniform(0.5, 2, size=1000)
    pid.fit(bunch.data, bunch.target, sample_weight=w)
    assert len(calls) == 4
    assert all(refit for _, refit in calls)
    for base, _ in calls:
        counts = base / w
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-12)
        assert counts.sum() == pytest.approx(1000)
    assert pid.bootstrap_distribution_.std(axis=0).max() > 0.005


def test_groups_are_drawn_whole():
    X, y, _ = noise(0, n=100)
    big_X, big_y = MultimodalData.concat([X] * 10), np.tile(y, 10)
    groups = np.tile(np.arange(100), 10)
    settings = {"method": "exact", "n_bootstraps": 60, "random_state": 0}
    alone = PIDEstimator(**settings).fit(X, y).to_frame()["std_error"]
    grouped = PIDEstimator(**settings).fit(big_X, big_y, groups=groups)
    ignored = PIDEstimator(**settings).fit(big_X, big_y).to_frame()["std_error"]
    np.testing.assert_allclose(
        grouped.to_frame()["std_error"], alone, rtol=1e-9, atol=1e-12
    )
    assert ignored.iloc[-1] < 0.6 * alone.iloc[-1]


def test_resamples_without_a_class_or_a_row():
    """Resamples of a handful of rows may lack a class, or every used row."""
    X = MultimodalData(
        {"a": np.array([0.0, 1.0, 1.0, np.nan, np.nan]), "b": np.ones(5)}
    )
    y = np.array(["u", "v", "v", "u", "v"], dtype=object)
    for method in ("exact", "posterior"):
        pid = PIDEstimator(
            method=method, estimator=LINEAR, cv=2, n_bootstraps=40, random_state=0
        )
        pid.fit(X, y)
        assert np.isfinite(pid.bootstrap_distribution_).all()
        assert pid.bootstrap_distribution_.shape == (40, 7)


def test_several_pairs_and_single_sources():
    X, y, _ = noise(0)
    X = MultimodalData({**X.blocks, "c": y})
    settings = {"method": "exact", "n_bootstraps": 3, "n_permutations": 4}
    pid = PIDEstimator(**settings, random_state=0).fit(X, y)
    assert pid.bootstrap_distribution_.shape == (3, 21)
    assert pid.null_distribution_.shape == (4, 21)
    frame = pid.to_frame()
    assert list(frame.columns[4:]) == [
        "value", "raw", "plain", "null_mean", "null_std", "p_value",
        "std_error", "low", "high",
    ]  # fmt: skip
    assert frame["p_value"].iloc[-1] == 1 / 5
    one = PIDEstimator(**settings, sources="c", random_state=0).fit(X, y)
    assert one.bootstrap_distribution_.shape == (3, len(one.to_frame())) == (3, 5)
    assert one.to_frame()["p_value"].iloc[0] == 1 / 5
    plain = PIDEstimator(method="exact").fit(X, y)
    assert plain.null_distribution_ is None
    assert plain.bootstrap_distribution_ is None
