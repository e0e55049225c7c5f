"""Recoveries of blocks in which some features are NaN."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from skmissing import MultimodalData
from skmissing.recovery import NeighborRecovery, RegressionRecovery


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
    "recovery, off",
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
