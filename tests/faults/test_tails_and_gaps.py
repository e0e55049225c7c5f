"""Features with heavy tails, and features whose gaps carry information."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import MultimodalData, PropensityWeighter
from skmissing._estimation._table_scaler import TableScaler
from skmissing.baselines import FusionClassifier, PatternClassifier

PLAIN = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def draw(kind, seed, n=1600):
    """Two blocks of four features; in ``"gaps"`` only NaN depend on the label."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    z = rng.normal(size=(n, 8)) + 0.45 * y[:, None]
    if kind == "contaminated":
        bad = rng.random((n, 8)) < 0.02
        z = np.where(bad, z + 30 * rng.standard_cauchy((n, 8)), z)
    elif kind == "lognormal":
        z = np.exp(2 * z)
    elif kind == "gaps":
        gap = rng.random((n, 8)) < np.where(y, 0.4, 0.2)[:, None]
        z = np.where(gap, np.nan, rng.normal(size=(n, 8)))
    present = np.column_stack([np.ones(n, bool), rng.random(n) < 0.7])
    present &= ~np.isnan(z).reshape(n, 2, 4).all(axis=2)
    return MultimodalData({"a": z[:, :4], "b": z[:, 4:]}, present), y


def auc(clf, kind, seed):
    X, y = draw(kind, seed)
    some = X.present.any(axis=1)
    X, y = X[some], y[some]
    half = len(y) // 2
    proba = clf.fit(X[:half], y[:half]).predict_proba(X[half:])
    return roc_auc_score(y[half:], proba[:, 1])


@pytest.mark.parametrize(
    ("kind", "least", "gain"),
    [("plain", 0.76, -0.005), ("contaminated", 0.74, 0.1), ("lognormal", 0.76, 0.04)],
)
def test_heavy_tails_cost_a_linear_model_nothing(kind, least, gain):
    found = [auc(PatternClassifier(), kind, seed) for seed in range(5)]
    plain = [auc(PatternClassifier(PLAIN), kind, seed) for seed in range(5)]
    assert np.mean(found) > least
    assert np.mean(found) - np.mean(plain) > gain


@pytest.mark.parametrize(
    "clf",
    [
        PatternClassifier(),
        FusionClassifier(max_epochs=8, lr=1e-2, n_threads=1, random_state=0),
    ],
)
def test_gaps_that_carry_information_are_seen(clf):
    assert np.mean([auc(clf, "gaps", seed) for seed in range(3)]) > 0.68


def test_a_scaled_table_is_that_of_its_weights():
    rng = np.random.default_rng(0)
    X = rng.standard_cauchy((60, 3))
    X[rng.random(60) < 0.2, 1] = np.nan
    weight = rng.integers(0, 3, size=60)
    repeated = TableScaler().fit(np.repeat(X, weight, axis=0))
    weighted = TableScaler().fit(X, sample_weight=weight.astype(float))
    out = weighted.transform(X)
    np.testing.assert_allclose(out, repeated.transform(X), rtol=1e-9, atol=1e-9)
    # Three columns and the indicator of the gaps of one.
    np.testing.assert_array_equal(out[:, 3], np.isnan(X[:, 1]))
    # Monotone maps of a ranked column change nothing.
    again = TableScaler().fit(np.arctan(X[:, [0]]) * 1e6)
    assert np.abs(again.transform(np.arctan(X[:, [0]]) * 1e6)).max() < 6


def test_propensities_by_ranks_of_heavy_tails():
    """A covariate whose ranks decide what is missing, in units that do not show it."""
    errors = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=1500)
        chance = 1 / (1 + np.exp(-1.5 * z))
        lab = np.where(rng.random(1500) < chance, 1.0, np.nan)
        for values in (z, np.exp(3 * z), z + 1e3 * (rng.random(1500) < 0.003)):
            X = pd.DataFrame({"c": values, "lab": lab})
            weighter = PropensityWeighter(modalities={"lab": ["lab"]}, random_state=0)
            found = weighter.fit(X).predict_propensity(X)
            errors.append(np.abs(found - chance).mean())
    plain, lognormal, outliers = np.reshape(errors, (5, 3)).mean(axis=0)
    assert plain < 0.03
    assert lognormal < 0.04
    assert outliers < 0.04
