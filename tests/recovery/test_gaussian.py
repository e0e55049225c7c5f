"""One Gaussian for all modalities: its fit, its means and draws, its margins."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from skmissing import MultimodalData
from skmissing.datasets import load_mfeat
from skmissing.exceptions import EmptyRowWarning
from skmissing.recovery import GaussianRecovery, RegressionRecovery
from skmissing.recovery._latent_gaussian import LatentGaussian, fit_gaussian
from skmissing.recovery._margins import Levels, Ranks


def random_gaussian(rng, d):
    root = rng.normal(size=(d, d))
    return LatentGaussian(rng.normal(size=d), root @ root.T + 0.1 * np.eye(d))


def with_gaps(rng, z, share=0.4):
    return np.where(rng.random(z.shape) < share, np.nan, z)


# -- the Gaussian ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_conditionals_and_likelihood_are_those_of_the_plain_formulae(seed):
    rng = np.random.default_rng(seed)
    model = random_gaussian(rng, 5)
    z = with_gaps(rng, rng.normal(size=(40, 5)))
    filled = z.copy()
    parts = list(model.fill(filled))
    for part in parts:
        m, o = part.missing, ~part.missing
        cross = model.covariance[np.ix_(m, o)]
        gain = cross @ np.linalg.inv(model.covariance[np.ix_(o, o)])
        expected = model.mean[m] + (z[np.ix_(part.rows, o)] - model.mean[o]) @ gain.T
        np.testing.assert_allclose(filled[np.ix_(part.rows, m)], expected)
        rest = model.covariance[np.ix_(m, m)] - gain @ cross.T
        np.testing.assert_allclose(part.covariance, rest, atol=1e-10)
    complete = ~np.isnan(z).any(axis=1)
    assert sum(len(part.rows) for part in parts) == (~complete).sum()
    np.testing.assert_array_equal(filled[complete], z[complete])
    found = model.log_likelihood(z)
    for row, value in zip(z, found):
        o = ~np.isnan(row)
        expected = 0.0
        if o.any():
            known = multivariate_normal(model.mean[o], model.covariance[np.ix_(o, o)])
            expected = known.logpdf(row[o])
        assert value == pytest.approx(expected)


def test_em_climbs_the_likelihood_to_a_maximum():
    rng = np.random.default_rng(0)
    truth = random_gaussian(rng, 4)
    z = with_gaps(rng, rng.multivariate_normal(truth.mean, truth.covariance, 300))
    weight, ridge = rng.uniform(0.5, 2.0, size=300), np.full(4, 1e-9)
    values = [
        weight @ fit_gaussian(z, weight, ridge, steps, 0.0)[0].log_likelihood(z)
        for steps in (1, 2, 5, 20, 400)
    ]
    assert all(np.diff(values) > 0)
    best, _ = fit_gaussian(z, weight, ridge, 400, 0.0)
    for _ in range(20):
        shift = 1e-3 * rng.normal(size=(4, 4))
        near = LatentGaussian(
            best.mean + shift[0], best.covariance + 0.5 * (shift + shift.T)
        )
        assert weight @ near.log_likelihood(z) < values[-1]


def test_the_fit_of_complete_rows_is_that_of_moments():
    rng = np.random.default_rng(0)
    z, weight = rng.normal(size=(50, 3)), rng.uniform(size=50)
    model, n_iter = fit_gaussian(z, weight, np.full(3, 0.5), 10, 1e-6)
    np.testing.assert_allclose(model.mean, np.average(z, axis=0, weights=weight))
    expected = np.cov(z.T, aweights=weight, ddof=0) + 0.5 * np.eye(3)
    np.testing.assert_allclose(model.covariance, expected)
    assert n_iter == 1


# -- margins ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Levels, Ranks])
def test_means_are_those_of_many_draws(kind):
    rng = np.random.default_rng(0)
    x = np.exp(3 * rng.normal(size=400))
    if kind is Levels:
        x = rng.choice([0.0, 1.0, 5.0], p=[0.5, 0.3, 0.2], size=400)
    margin = kind.fit(x, np.ones(400))
    z, deviation = np.array([-1.0, 0.3, 2.0, 0.3]), np.array([0.5, 1.0, 0.2, 0.0])
    draws = z[:, None] + deviation[:, None] * rng.normal(size=(4, 200_000))
    many = margin.value(draws.ravel()).reshape(draws.shape)
    if kind is Ranks:
        # A few outliers do not decide.
        assert margin.limits[1] < np.sort(x)[-1]
        many = np.clip(many, *margin.limits)
    error = 4 * many.std(axis=1) / np.sqrt(draws.shape[1])
    found = margin.mean(z, deviation)
    # Nodes miss the kinks of a piecewise function by little.
    slack = error + 0.02 * many.std(axis=1) + 1e-5
    assert (np.abs(found - many.mean(axis=1)) <= slack).all()


def test_levels_are_cuts_at_their_shares():
    rng = np.random.default_rng(0)
    x, weight = rng.choice([0.0, 1.0, 5.0], size=400), rng.uniform(size=400)
    levels = Levels.fit(x, weight)
    expected = [np.average(x <= level, weights=weight) for level in (0.0, 1.0)]
    np.testing.assert_allclose(ndtr(levels.cuts), expected)
    assert set(levels.value(rng.normal(size=1000))) == {0.0, 1.0, 5.0}
    np.testing.assert_allclose(levels.value(levels.score(x)), x)


# -- the recovery ----------------------------------------------------------------------


def copula_blocks(n, seed):
    """Blocks whose normal scores are one Gaussian, and that Gaussian."""
    rng = np.random.default_rng(seed)
    root = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.5, 0.4, np.sqrt(0.59)]])
    z = rng.normal(size=(n, 3)) @ root.T
    X = MultimodalData(
        {"a": z[:, [0]], "b": np.exp(2 * z[:, [1]]), "c": z[:, [2]] ** 3}
    )
    return X, z, root @ root.T


def test_draws_have_the_mean_and_covariance_of_the_conditional():
    X, z, covariance = copula_blocks(4000, 0)
    recovery = GaussianRecovery(alpha=1e-6, tol=1e-4, random_state=0).fit(X)
    rows = np.arange(200)
    drawn = recovery.sample(X[rows].hide(["b", "c"]), n_draws=200)
    b = np.log(np.stack([d["b"][:, 0] for d in drawn])) / 2
    c = np.cbrt(np.stack([d["c"][:, 0] for d in drawn]))
    gain = covariance[1:, 0] / covariance[0, 0]
    rest = covariance[1:, 1:] - np.outer(gain, covariance[0, 1:])
    draws = np.stack([b, c]) - gain[:, None, None] * z[rows, 0]
    n = b.size
    # The error of draws, and that of 4,000 training rows.
    scale = np.sqrt(np.diag(rest))
    error = scale * np.sqrt(1 / n + 2 / 4000)
    assert (np.abs(draws.mean(axis=(1, 2))) < 3 * error).all()
    found = np.cov(draws.reshape(2, -1))
    np.testing.assert_allclose(
        found, rest, atol=3 * scale.max() ** 2 * np.sqrt(3 / 4000)
    )
    again = recovery.sample(X[rows].hide(["b", "c"]), n_draws=2)
    np.testing.assert_array_equal(again[1]["b"], drawn[1]["b"])


@pytest.mark.parametrize("seed", range(3))
def test_heavy_tails_are_never_worse_than_the_mean(seed):
    rng = np.random.default_rng(seed)
    f = rng.normal(size=(2000, 2))
    z = [f @ rng.normal(size=(2, 3)) + rng.normal(size=(2000, 3)) for _ in range(4)]
    bad = (rng.random((2000, 3)) < 0.02) * 30 * rng.standard_cauchy((2000, 3))
    X = MultimodalData(
        {"a": np.exp(1.5 * z[0]), "b": z[1] + bad, "c": z[2] ** 3, "d": z[3]}
    )
    train = X[:1200].hide(rng.random((1200, 4)) < 0.3)
    recovery = GaussianRecovery().fit(train[train.present.any(axis=1)])
    for name in X.names:
        part = X[1200:]
        guess = recovery.recover(part.hide(name))[name]
        truth, mean = np.asarray(part[name]), recovery.means_[name]
        error = np.square((truth - guess) / truth.std(axis=0)).sum()
        assert error < 1.02 * np.square((truth - mean) / truth.std(axis=0)).sum()


def test_digits_are_recovered_better_than_by_regressions():
    X = load_mfeat().data
    rng = np.random.default_rng(0)
    order = rng.permutation(2000)
    train = X[order[:1200]].hide(rng.random((1200, 6)) < 0.4)
    some = train.present.any(axis=1)
    recovery = GaussianRecovery().fit(train[some])
    least = {
        "fou": 0.09,
        "fac": 0.76,
        "kar": 0.64,
        "pix": 0.73,
        "zer": 0.63,
        "mor": 0.74,
    }
    test = X[order[1200:]]
    for name, value in least.items():
        guess = recovery.recover(test.hide(name))[name]
        truth = np.asarray(test[name], dtype=float)
        scale = np.where(truth.std(axis=0) > 0, truth.std(axis=0), 1.0)
        error = np.square((truth - guess) / scale).sum()
        total = np.square((truth - recovery.means_[name]) / scale).sum()
        assert 1 - error / total > value, name


def test_features_that_are_nan_take_part():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(400, 3))
    b = a @ rng.normal(size=(3, 2)) + 0.2 * rng.normal(size=(400, 2))
    X = MultimodalData({"a": a, "b": b})
    gappy = MultimodalData({"a": with_gaps(rng, a, 0.3), "b": with_gaps(rng, b, 0.3)})
    some = gappy.present.any(axis=1)
    recovery = GaussianRecovery(alpha=1e-3).fit(gappy[some])
    assert recovery.score(X) > GaussianRecovery(alpha=1e-3).fit(X).score(X) - 0.01
    # A regression that takes gaps for means is pulled towards 0.
    assert recovery.score(X) > RegressionRecovery(alpha=1e-3).fit(gappy[some]).score(X)


@pytest.mark.parametrize("shape", [(1, 9, 9), (20, 5), (100,)])
def test_wide_blocks_by_their_components(shape):
    rng = np.random.default_rng(0)
    f = rng.normal(size=(300, 2))
    wide = f @ rng.normal(size=(2, int(np.prod(shape)))) + 0.3 * rng.normal(
        size=(300, int(np.prod(shape)))
    )
    X = MultimodalData({"wide": wide.reshape(300, *shape), "f": f})
    recovery = GaussianRecovery(n_components=8, alpha=1e-3, random_state=0).fit(X[:200])
    assert recovery.score(X[200:]) > 0.8
    drawn = np.stack([d["wide"] for d in recovery.sample(X[:50].hide("wide"), 40)])
    rest = drawn.reshape(40, 50, -1).std(axis=0).mean()
    assert rest == pytest.approx(0.3, rel=0.25)
    assert np.isfinite(recovery.log_likelihood(X.hide("f"))).all()


def test_likelihood_prefers_rows_that_fit():
    X, _, _ = copula_blocks(500, 0)
    recovery = GaussianRecovery().fit(X)
    odd = MultimodalData({**X.blocks, "a": -X["a"]})
    assert recovery.log_likelihood(X).mean() > recovery.log_likelihood(odd).mean() + 0.5
    nothing = recovery.log_likelihood(X.hide(X.names))
    np.testing.assert_allclose(nothing, 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"alpha": 0}, "alpha"),
        ({"tol": -1}, "tol"),
    ],
)
def test_bad_parameters(params, message):
    X, _, _ = copula_blocks(20, 0)
    with pytest.raises(ValueError, match=f"'{message}' parameter"):
        GaussianRecovery(**params).fit(X)


def test_bad_number_of_draws():
    X, _, _ = copula_blocks(20, 0)
    with pytest.raises(ValueError, match="Got n_draws=0, expected a positive integer"):
        GaussianRecovery().fit(X).sample(X, 0)


def test_draws_of_empty_rows_and_of_padding():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(60, 6, 2))
    series[:, 4:] = np.nan
    X = MultimodalData({"s": series, "t": rng.normal(size=(60, 2))})
    recovery = GaussianRecovery(random_state=0).fit(X)
    empty = X[:3].hide(X.names)
    with pytest.warns(EmptyRowWarning, match="3 of 3 rows"):
        (drawn,) = recovery.sample(empty, n_draws=1)
    np.testing.assert_allclose(drawn["t"][0], recovery.means_["t"])
    (drawn,) = recovery.sample(X[:5].hide("s"), n_draws=1)
    assert np.isnan(drawn["s"][:, 4:]).all()
    assert np.isfinite(drawn["s"][:, :4]).all()


def test_few_rows_are_no_levels():
    rng = np.random.default_rng(0)
    X = MultimodalData({"a": rng.normal(size=(10, 1)), "b": rng.normal(size=(10, 1))})
    recovery = GaussianRecovery(random_state=0).fit(X)
    drawn = recovery.sample(X.hide("a"), n_draws=2)
    assert not np.isin(np.concatenate([d["a"] for d in drawn]), X["a"]).any()


def test_patterns_are_no_part_of_a_pickle():
    X, _, _ = copula_blocks(200, 0)
    recovery = GaussianRecovery().fit(X)
    before = len(pickle.dumps(recovery))
    expected = recovery.transform(X.hide(["b", "c"]))
    assert len(pickle.dumps(recovery)) == before
    again = pickle.loads(pickle.dumps(recovery)).transform(X.hide(["b", "c"]))
    np.testing.assert_array_equal(again["b"], expected["b"])
