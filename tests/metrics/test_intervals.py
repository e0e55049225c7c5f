"""Intervals of few resamples contain their value."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skmissing import MultimodalData, PropensityWeighter
from skmissing._estimation._resampling import percentile_interval
from skmissing.baselines import PatternClassifier
from skmissing.inspection import modality_importance
from skmissing.ipw import modality_utility, sensitivity_bounds
from skmissing.metrics import complementary_information, score_by_pattern

RNG = np.random.default_rng(0)
Y = np.arange(60) % 2
X = MultimodalData({name: Y + RNG.normal(size=60) for name in "ab"})
CLF = PatternClassifier(make_pipeline(LogisticRegression())).fit(X, Y)


def test_quantiles_reach_the_value():
    drawn = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0]])
    ends = percentile_interval(np.array([0.0, 2.5]), drawn, 0.5)
    np.testing.assert_allclose(ends, [[0.0, 1.5], [2.5, 2.5]])


def utility(seed):
    return modality_utility(
        LogisticRegression(), X, Y, propensity=PropensityWeighter(random_state=0),
        subsets=["a", ["a", "b"]], scoring="accuracy", cv=2, n_bootstraps=2,
        doubly_robust=False, random_state=seed,
    )  # fmt: skip


def score(seed):
    return score_by_pattern(
        CLF, X, Y, scoring="roc_auc", n_bootstraps=2, random_state=seed
    )


def importance(seed):
    return modality_importance(
        CLF, X, Y, method="leave_one_out", scoring="roc_auc", n_bootstraps=2,
        random_state=seed,
    )  # fmt: skip


def complementary(seed):
    found = complementary_information(
        CLF, CLF, X, Y, hide="b", n_bootstraps=2, random_state=seed
    )
    return {"value": found.value, "low": found.low, "high": found.high}


@pytest.mark.parametrize("function", [utility, score, importance, complementary])
def test_no_value_lies_outside_its_interval(function):
    for seed in range(4):
        found = function(seed)
        assert np.all(found["low"] <= found["value"])
        assert np.all(found["value"] <= found["high"])


def test_no_bound_lies_outside_its_interval():
    for seed in range(4):
        found = sensitivity_bounds(
            RNG.normal(size=30), RNG.uniform(0.2, 0.9, 30), odds_ratios=[1, 2],
            n_bootstraps=2, random_state=seed,
        )  # fmt: skip
        assert (found["low"] <= found["lower_bound"]).all()
        assert (found["high"] >= found["upper_bound"]).all()
