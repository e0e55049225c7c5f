"""Sensitivity bounds against all vertices and against a linear program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from skmissing.ipw import sensitivity_bounds, tipping_odds_ratio


def sample(seed, n=11, binary=False):
    rng = np.random.default_rng(seed)
    v = rng.integers(-1, 2, size=n).astype(float) if binary else rng.normal(size=n)
    p = rng.uniform(0.15, 1.0, size=n)
    p[0] = 1.0
    return v, p, rng.uniform(0.3, 2.0, size=n)


@pytest.mark.parametrize("ratio", [1.0, 1.3, 4.0, 50.0])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_bounds_are_the_extremes_over_all_vertices(seed, binary, ratio):
    v, p, s = sample(seed, binary=binary)
    low, high = s * (1 + (1 / p - 1) / ratio), s * (1 + (1 / p - 1) * ratio)
    # A ratio of linear functions has its extremes at vertices of the box.
    means = []
    for corner in itertools.product([False, True], repeat=len(v)):
        z = np.where(corner, high, low)
        means.append(z @ v / z.sum())
    table = sensitivity_bounds(v, p, odds_ratios=[ratio], sample_weight=s)
    assert table.loc[ratio, "lower_bound"] == pytest.approx(min(means), abs=1e-12)
    assert table.loc[ratio, "upper_bound"] == pytest.approx(max(means), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_of_many_rows_against_a_linear_program(seed):
    v, p, s = sample(seed, n=400)
    ratio = 2.0
    low, high = s * (1 + (1 / p - 1) / ratio), s * (1 + (1 / p - 1) * ratio)
    # Charnes and Cooper: z = x / t with sum x = 1 makes the ratio linear.
    n = len(v)
    bounds = np.block([[np.eye(n), -high[:, None]], [-np.eye(n), low[:, None]]])
    table = sensitivity_bounds(v, p, odds_ratios=[ratio], sample_weight=s)
    for sign, column in [(1, "lower_bound"), (-1, "upper_bound")]:
        found = linprog(
            sign * np.r_[v, 0.0], A_ub=bounds, b_ub=np.zeros(2 * n),
            A_eq=[np.r_[np.ones(n), 0.0]], b_eq=[1.0], bounds=(0, None),
        )  # fmt: skip
        assert table.loc[ratio, column] == pytest.approx(sign * found.fun, abs=1e-8)


def test_at_one_the_bounds_are_the_weighted_mean_and_then_they_widen():
    v, p, s = sample(0, n=200)
    grid = [1.0, 1.1, 2.0, 10.0]
    table = sensitivity_bounds(v, p, odds_ratios=grid, sample_weight=s)
    mean = np.average(v, weights=s / p)
    np.testing.assert_allclose(table.loc[1.0], mean, rtol=1e-12)
    assert (np.diff(table["lower_bound"]) < 0).all()
    assert (np.diff(table["upper_bound"]) > 0).all()
    assert table["lower_bound"].min() >= v.min()
    assert table["upper_bound"].max() <= v.max()
    same = sensitivity_bounds(v, p, odds_ratios=grid, sample_weight=7 * s)
    np.testing.assert_allclose(same, table, rtol=1e-12)
    # Sure to be observed: nothing to be wrong about.
    sure = sensitivity_bounds(v, np.ones(200), odds_ratios=grid, sample_weight=s)
    np.testing.assert_allclose(sure, np.average(v, weights=s), rtol=1e-12)


def test_the_worst_error_is_the_bound():
    rng = np.random.default_rng(0)
    v = rng.normal(size=5000)
    truth = rng.uniform(0.2, 0.9, size=5000)
    seen = rng.random(5000) < truth
    odds = truth / (1 - truth)

    def bounds(factor):
        modelled = odds * factor / (1 + odds * factor)
        return sensitivity_bounds(v[seen], modelled[seen], odds_ratios=[1.0, 2.0])

    weighted = np.average(v[seen], weights=1 / truth[seen])
    # High values seem more likely to be observed than they are: too little weight.
    worst = bounds(np.where(v > weighted, 2.0, 0.5))
    assert worst.loc[2.0, "upper_bound"] == pytest.approx(weighted, abs=1e-12)
    assert worst.loc[1.0, "upper_bound"] < weighted - 0.1
    for _ in range(20):
        table = bounds(np.exp(rng.uniform(-np.log(2), np.log(2), size=5000)))
        assert table.loc[2.0, "lower_bound"] < weighted < table.loc[2.0, "upper_bound"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_tipping_point_is_where_the_lower_bound_meets_the_threshold(seed, binary):
    v, p, s = sample(seed, n=300, binary=binary)
    threshold = np.average(v, weights=s / p) - 0.2
    ratio = tipping_odds_ratio(v, p, threshold=threshold, sample_weight=s)
    table = sensitivity_bounds(v, p, odds_ratios=[ratio], sample_weight=s)
    assert ratio > 1
    assert table["lower_bound"].iloc[0] == pytest.approx(threshold, abs=1e-10)


def test_limits_of_the_tipping_point():
    p = np.full(4, 0.5)
    assert tipping_odds_ratio([-1, 0, 0, 0], p) == 1.0
    assert tipping_odds_ratio([0, 0, 0, 0], p) == 1.0
    assert tipping_odds_ratio([1, 0, 0, 0], p) == np.inf
    assert tipping_odds_ratio([1, 1, 1, -1], np.ones(4)) == np.inf
    assert tipping_odds_ratio([1, 1, 1, 1], p, threshold=0.5) == np.inf


def test_bootstrap_interval():
    rng = np.random.default_rng(0)
    v, p = (rng.random(400) < 0.7) * 1.0, rng.uniform(0.3, 0.9, size=400)
    options = {"n_bootstraps": 300, "odds_ratios": [1.0, 2.0]}
    table = sensitivity_bounds(v, p, random_state=0, **options)
    w = 1 / p
    mean = np.average(v, weights=w)
    error = np.sqrt((w**2 * (v - mean) ** 2).sum()) / w.sum()
    width = table.loc[1.0, "high"] - table.loc[1.0, "low"]
    assert width == pytest.approx(2 * 1.645 * error, rel=0.2)
    assert (table["low"] < table["lower_bound"]).all()
    assert (table["high"] > table["upper_bound"]).all()
    again = sensitivity_bounds(v, p, random_state=0, **options)
    np.testing.assert_array_equal(again, table)
    # Twins that are drawn together say as much as one row of each pair.
    twins = sensitivity_bounds(
        np.repeat(v, 2), np.repeat(p, 2), groups=np.arange(800) // 2, random_state=0,
        **options,
    )  # fmt: skip
    np.testing.assert_allclose(twins, table, atol=1e-12)


def test_bootstrap_interval_is_weighted():
    rng = np.random.default_rng(0)
    v, p = rng.normal(size=200), rng.uniform(0.3, 0.9, size=200)
    options = {"n_bootstraps": 200, "odds_ratios": [1.0, 2.0], "random_state": 0}
    # A row of weight 0 has no effect, whatever its value.
    weight = np.append(np.ones(200), 0.0)
    far = [
        sensitivity_bounds(
            np.append(v, value), np.append(p, 0.5), sample_weight=weight, **options
        )
        for value in (0.0, 1e6)
    ]
    np.testing.assert_allclose(far[0], far[1], rtol=1e-9)
    heavy = sensitivity_bounds(v, p, sample_weight=np.where(v > 0, 9.0, 1.0), **options)
    plain = sensitivity_bounds(v, p, **options)
    assert heavy.loc[1.0, "low"] > plain.loc[1.0, "high"]


def test_errors():
    ok = np.full(3, 0.5)
    with pytest.raises(
        ValueError, match=r"Got values of shape .* expected two vectors"
    ):
        sensitivity_bounds(ok, ok[:2])
    with pytest.raises(ValueError, match="Got 1 values that are not finite"):
        sensitivity_bounds([1, np.nan, 0], ok)
    with pytest.raises(ValueError, match=r"Got a propensity of 0.0, expected"):
        tipping_odds_ratio([1, 1, 1], [0.5, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"Got odds_ratios=.*expected finite numbers"):
        sensitivity_bounds(ok, ok, odds_ratios=[0.5])
    with pytest.raises(ValueError, match="Got odds_ratios"):
        sensitivity_bounds(ok, ok, odds_ratios=[])
    with pytest.raises(ValueError, match="Got confidence_level=2"):
        sensitivity_bounds(ok, ok, n_bootstraps=3, confidence_level=2)
    with pytest.raises(ValueError, match="Negative values"):
        sensitivity_bounds(ok, ok, sample_weight=[-1, 1, 1])
