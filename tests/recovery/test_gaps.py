"""Recoveries of blocks in which some features are NaN."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor

from skmissing import MultimodalData
from skmissing.recovery import MeanRecovery, NeighborRecovery, RegressionRecovery


def gappy(seed=0, n=400, share=0.5):
    """b is linear in a; half of its features are NaN, some whole blocks are missing."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, 4))
    b = a @ np.random.default_rng(9).normal(size=(4, 5)) + 3.0
    gaps = rng.random(b.shape) < share
    gaps[np.arange(n), rng.integers(5, size=n)] = False
    whole = MultimodalData({"a": a, "b": b})
    return whole, MultimodalData({"a": a, "b": np.where(gaps, np.nan, b)})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("recovery", "off"),
    [
        (RegressionRecovery(alpha=1e-4), 0.03),
        (RegressionRecovery(LinearRegression()), 1e-9),
        (RegressionRecovery(KNeighborsRegressor(5)), 0.45),
        (NeighborRecovery(), 0.45),
    ],
    ids=str,
)
def test_what_is_predicted_is_not_drawn_to_the_mean(recovery, off, seed):
    whole, X = gappy(seed)
    found = recovery.fit(X[:300]).recover(whole[300:].hide("b"))["b"]
    truth = whole["b"][300:]
    for j in range(5):
        # With means in place of what is NaN it would be 2.
        slope = np.polyfit(found[:, j], truth[:, j], 1)[0]
        assert slope == pytest.approx(1.0, abs=max(off, 1e-9))
    error = np.square(found - truth).sum(axis=0) / np.square(truth - 3.0).sum(axis=0)
    assert (error < off).all()


def test_known_features_decide_as_in_a_fit_without_gaps():
    whole, X = gappy(n=2000)
    rows = whole[1500:].hide("b")
    for estimator in (None, Ridge(1e-6)):
        out = [
            RegressionRecovery(estimator, alpha=1e-6)
            .fit(part[:1500])
            .recover(rows)["b"]
            for part in (whole, X)
        ]
        np.testing.assert_allclose(*out, atol=0.05 if estimator is None else 1e-4)


def test_neighbors_by_hand():
    nan = np.nan
    X = MultimodalData(
        {
            "a": [[0.0, nan], [4.0, 0.0], [1.0, 9.0], [nan, 1.0]],
            "b": [[1.0, nan], [3.0, 30.0], [5.0, 50.0], [7.0, nan]],
        }
    )
    fitted = NeighborRecovery(n_neighbors=2).fit(X)
    # Of the first feature alone: rows 0 and 2 are nearest, and only 2 has both of b.
    row = MultimodalData({"a": [[0.5, nan]], "b": [[nan, nan]]})
    np.testing.assert_allclose(fitted.recover(row)["b"], [[3.0, 50.0]])
    # Row 3 shares no feature with it: the three others are all there are.
    three = NeighborRecovery(n_neighbors=4).fit(X).recover(row)["b"]
    np.testing.assert_allclose(three, [[3.0, 40.0]])
    # Two that lack the second feature leave its mean.
    first = MultimodalData({"a": [[-1.0, 0.9]], "b": [[nan, nan]]})
    lone = NeighborRecovery(n_neighbors=1).fit(X).recover(first)["b"]
    np.testing.assert_allclose(lone, [[7.0, 40.0]])
    # A mean over two features counts no more than one over a single feature.
    a = X["a"]
    deviation = np.nanstd(a, axis=0)
    row = np.array([0.5, 3.0])
    near = np.nanmean(np.square((a - row) / deviation), axis=1)
    best = np.argmin(near)
    found = NeighborRecovery(n_neighbors=1).fit(X)
    got = found.recover(MultimodalData({"a": row[None], "b": [[nan, nan]]}))["b"]
    assert got[0, 0] == X["b"][best, 0]


def test_neighbors_with_gaps_on_either_side():
    nan = np.nan
    X = MultimodalData(
        {"a": [[0.0, 0.0], [1.0, 4.0], [3.0, 2.0]], "b": [[1.0], [2.0], [4.0]]}
    )
    # Complete donors, and a row without the feature in which 1 is far.
    fitted = NeighborRecovery(n_neighbors=1).fit(X)
    for a, b in [([[0.9, nan]], 2.0), ([[nan, 0.4]], 1.0), ([[2.9, nan]], 4.0)]:
        row = MultimodalData({"a": a, "b": [[nan]]})
        assert fitted.recover(row)["b"] == [[b]]
    # A donor without the target feature has no part in its mean.
    X = MultimodalData(
        {"a": [[0.0], [1.0], [3.0]], "b": [[nan, 1.0], [5.0, 2.0], [9.0, 4.0]]}
    )
    by_distance = NeighborRecovery(n_neighbors=3, weights="distance").fit(X)
    row = MultimodalData({"a": [[2.5]], "b": [[nan, nan]]})
    share = 1 / np.array([2.5, 1.5, 0.5])
    expected = [share[1:] @ [5, 9] / share[1:].sum(), share @ [1, 2, 4] / share.sum()]
    np.testing.assert_allclose(by_distance.recover(row)["b"], [expected])


@pytest.mark.parametrize("estimator", [None, LinearRegression()], ids=str)
def test_weights_are_repeated_rows_with_gaps_too(estimator):
    _, X = gappy(n=120)
    weight = np.arange(120) % 3
    again = np.repeat(np.arange(120), weight)
    out = [
        RegressionRecovery(estimator).fit(rows, sample_weight=w).recover(X.hide("b"))
        for rows, w in [(X, weight), (X[again], None)]
    ]
    np.testing.assert_allclose(out[0]["b"], out[1]["b"], atol=1e-3)


def test_features_that_few_rows_have_are_filled_with_their_mean():
    whole, X = gappy(n=100)
    b = X["b"].copy()
    b[3:, 2] = np.nan
    b[:, 4] = np.nan
    X = MultimodalData({"a": X["a"], "b": b})
    fitted = RegressionRecovery(LinearRegression()).fit(X)
    found = fitted.recover(whole.hide("b"))["b"]
    np.testing.assert_allclose(found[:, 2], np.nanmean(b[:, 2]))
    assert np.ptp(found[:, 4]) == 0
    np.testing.assert_allclose(found[:, :2], whole["b"][:, :2], atol=1e-9)


def test_features_that_the_same_rows_have_are_regressed_together():
    """Also where the rows that a regression is of have no gap, or only a late one."""
    whole, _ = gappy(n=200)
    b = whole["b"].copy()
    b[::2, 3:] = np.nan
    X = MultimodalData({"a": whole["a"], "b": b})
    fitted = []

    class Counted(MultiOutputRegressor):
        def fit(self, X, y, **more):
            fitted.append(y.shape)
            return super().fit(X, y, **more)

    recovery = RegressionRecovery(Counted(LinearRegression())).fit(X)
    found = recovery.recover(whole.hide("b"))["b"]
    np.testing.assert_allclose(found, whole["b"], atol=1e-9)
    assert sorted(fitted) == [(100, 2), (200, 3)]


def test_the_end_of_a_series_is_no_gap():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 2))
    series = np.cumsum(rng.normal(size=(60, 5, 1)), axis=1) + a[:, None, :1]
    series[::2, 3:] = np.nan
    X = MultimodalData({"a": a, "series": series})
    for recovery in (RegressionRecovery(), NeighborRecovery(), MeanRecovery()):
        out = recovery.fit(X).recover(X.hide("series"))["series"]
        assert out.shape == series.shape
        assert np.isfinite(out).all()
    assert not RegressionRecovery().fit(X)._partial
