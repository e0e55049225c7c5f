"""Rates, propensities and joint probabilities of the simulator."""

from itertools import product

import numpy as np
import pytest
from scipy.special import expit

from skmissing import MultimodalData
from skmissing.missingness import SimulatedMissingness, simulate_missing

N = 3000


def make_data(n_modalities=3, n=N, seed=0, share_present=None):
    rng = np.random.RandomState(seed)
    blocks = {f"m{k}": rng.randn(n, k + 2) for k in range(n_modalities)}
    present = None
    if share_present is not None:
        present = rng.uniform(size=(n, n_modalities)) < share_present
    return MultimodalData(blocks, present), rng.randint(3, size=n)


def options(mechanism):
    return {"depends_on": "y"} if mechanism == "mar" else {}


def missing_rates(result, X):
    """Expected share hidden among the rows that have the block."""
    return np.array(
        [(1 - p[have]).mean() for p, have in zip(result.propensity.T, X.present.T)]
    )


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.parametrize("n_modalities", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_rate_is_reached_in_expectation_and_by_the_draws(mechanism, n_modalities, seed):
    X, y = make_data(n_modalities, seed=seed)
    wanted = np.linspace(0.1, 0.8, n_modalities)
    result = simulate_missing(
        X,
        y,
        mechanism=mechanism,
        rate=dict(zip(X.names, wanted)),
        strength=2.0,
        random_state=seed,
        **options(mechanism),
    )
    assert isinstance(result, SimulatedMissingness)
    assert result.mask.shape == result.propensity.shape == X.shape
    np.testing.assert_allclose(missing_rates(result, X), wanted, atol=1e-8)
    # Five standard errors of a share.
    np.testing.assert_allclose(result.mask.mean(axis=0), wanted, atol=5 * 0.5 / N**0.5)


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.parametrize("keep_one", [False, True])
def test_propensity_is_calibrated(mechanism, keep_one):
    X, y = make_data(share_present=0.8)
    count = np.zeros(X.shape)
    for seed in range(200):
        # The same scores each time, new draws.
        scores = None if mechanism == "mcar" else X["m0"][:, 0]
        result = simulate_missing(
            X,
            y,
            mechanism=mechanism,
            rate=0.4,
            scores=scores,
            keep_one=keep_one,
            random_state=seed,
        )
        count += ~result.mask
    p = result.propensity
    z = (count - 200 * p) / np.sqrt(200 * np.maximum(p * (1 - p), 1e-12))
    sure = (p == 0) | (p == 1)
    assert (count[p == 0] == 0).all()
    assert (count[p == 1] == 200).all()
    # Standardised counts: mean 0 and variance 1 over thousands of cells.
    assert abs(z[~sure].mean()) < 0.06
    assert abs(z[~sure].var() - 1) < 0.08


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.parametrize("seed", range(3))
def test_keep_one_rates_hold_after_conditioning(mechanism, seed):
    X, y = make_data(3, seed=seed)
    wanted = np.array([0.3, 0.5, 0.9])
    result = simulate_missing(
        X,
        y,
        mechanism=mechanism,
        rate=dict(zip(X.names, wanted)),
        strength=1.5,
        keep_one=True,
        random_state=seed,
        **options(mechanism),
    )
    assert not result.mask.all(axis=1).any()
    np.testing.assert_allclose(missing_rates(result, X), wanted, atol=1e-6)
    np.testing.assert_allclose(result.mask.mean(axis=0), wanted, atol=5 * 0.5 / N**0.5)


@pytest.mark.parametrize("mechanism", ["mcar", "mnar"])
@pytest.mark.parametrize("n_modalities", [2, 3, 5])
def test_keep_one_at_the_limit_keeps_exactly_one(mechanism, n_modalities):
    X, _ = make_data(n_modalities)
    rate = 1 - 1 / n_modalities
    result = simulate_missing(
        X, mechanism=mechanism, rate=rate, keep_one=True, random_state=0
    )
    np.testing.assert_allclose(missing_rates(result, X), rate, atol=1e-6)
    assert ((~result.mask).sum(axis=1) == 1).all()


@pytest.mark.parametrize("mechanism", ["mcar", "mnar"])
def test_keep_one_with_blocks_missing_before(mechanism):
    X, _ = make_data(3, share_present=0.6)
    result = simulate_missing(
        X, mechanism=mechanism, rate=0.25, keep_one=True, random_state=0
    )
    np.testing.assert_allclose(missing_rates(result, X), 0.25, atol=1e-6)
    had_one = X.present.sum(axis=1) == 1
    np.testing.assert_array_equal(result.mask[had_one], ~X.present[had_one])
    np.testing.assert_array_equal(result.mask.all(axis=1), ~X.present.any(axis=1))


def enumerate_rows(result, X, keep_one):
    """P(all of a set present | row) by adding up all patterns of each row."""
    p_hide = expit(result.intercept + result.scores)
    p_hide[~X.present] = 1.0
    m = X.shape[1]
    out = {}
    patterns = list(product([False, True], repeat=m))
    prob = np.stack(
        [
            np.prod(np.where(np.array(hide), p_hide, 1 - p_hide), axis=1)
            for hide in patterns
        ],
        axis=1,
    )
    if keep_one:
        something = X.present.any(axis=1)
        all_hidden = [all(hide) for hide in patterns].index(True)
        prob[something, all_hidden] = 0.0
        prob /= prob.sum(axis=1, keepdims=True)
    for required in product([False, True], repeat=m):
        names = [name for name, r in zip(X.names, required) if r]
        if names:
            ok = [not any(h and r for h, r in zip(hide, required)) for hide in patterns]
            out[tuple(names)] = prob[:, ok].sum(axis=1)
    return out


@pytest.mark.parametrize("keep_one", [False, True])
@pytest.mark.parametrize("share_present", [None, 0.7])
def test_prob_equals_enumeration(keep_one, share_present):
    X, _ = make_data(4, n=60, share_present=share_present)
    result = simulate_missing(
        X,
        mechanism="mnar",
        rate={"m0": 0.2, "m1": 0.5, "m2": 0.3, "m3": 0.0},
        keep_one=keep_one,
        random_state=3,
    )
    for names, expected in enumerate_rows(result, X, keep_one).items():
        np.testing.assert_allclose(result.prob(names), expected, atol=1e-12)
    for m, name in enumerate(X.names):
        np.testing.assert_allclose(
            result.prob(name), result.propensity[:, m], atol=1e-12
        )
    np.testing.assert_array_equal(result.prob(), result.prob(X.names))


@pytest.mark.parametrize("keep_one", [False, True])
def test_prob_equals_monte_carlo(keep_one):
    X, _ = make_data(3, n=1)
    many = MultimodalData.concat([X] * 40_000)
    result = simulate_missing(
        many, rate={"m0": 0.6, "m1": 0.5, "m2": 0.4}, keep_one=keep_one, random_state=1
    )
    for names in (["m0"], ["m0", "m1"], ["m0", "m1", "m2"]):
        index = [many.names.index(name) for name in names]
        drawn = (~result.mask[:, index]).all(axis=1).mean()
        assert abs(drawn - result.prob(names)[0]) < 5 * 0.5 / 200


@pytest.mark.parametrize("strength", [50.0, 1000.0])
@pytest.mark.parametrize("keep_one", [False, True])
def test_extreme_strength_still_reaches_the_rate(strength, keep_one):
    X, _ = make_data(3)
    result = simulate_missing(
        X,
        mechanism="mnar",
        rate=0.5,
        strength=strength,
        keep_one=keep_one,
        random_state=0,
    )
    np.testing.assert_allclose(missing_rates(result, X), 0.5, atol=1e-6)


def test_rates_of_zero_and_one():
    X, _ = make_data(3)
    result = simulate_missing(X, rate={"m0": 0.0, "m1": 1.0}, random_state=0)
    np.testing.assert_array_equal(result.mask, [[False, True, False]] * N)
    np.testing.assert_array_equal(result.propensity, [[1.0, 0.0, 1.0]] * N)
    always = {"m0": 0.5, "m1": 1.0, "m2": 0.5}
    result = simulate_missing(X, rate=always, keep_one=True, random_state=0)
    np.testing.assert_allclose(missing_rates(result, X), [0.5, 1.0, 0.5], atol=1e-6)
    assert not result.mask.all(axis=1).any()


def test_modality_that_no_row_has_is_left_alone():
    rng = np.random.RandomState(0)
    X = MultimodalData({"a": rng.randn(50, 2), "b": np.full((50, 1), np.nan)})
    result = simulate_missing(X, mechanism="mnar", rate=0.3, random_state=0)
    assert result.mask[:, 1].all()
    assert (result.propensity[:, 1] == 0).all()


def test_higher_rate_hides_the_same_blocks_and_more():
    X, _ = make_data(2)
    masks = [
        simulate_missing(X, mechanism="mnar", rate=rate, random_state=5).mask
        for rate in (0.1, 0.3, 0.7)
    ]
    assert not (masks[0] & ~masks[1]).any()
    assert not (masks[1] & ~masks[2]).any()


@pytest.mark.parametrize("keep_one", [False, True])
def test_reproducible_and_global_generator_untouched(keep_one):
    X, _ = make_data(3)
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    first = simulate_missing(X, mechanism="mnar", keep_one=keep_one, random_state=0)
    again = simulate_missing(X, mechanism="mnar", keep_one=keep_one, random_state=0)
    other = simulate_missing(X, mechanism="mnar", keep_one=keep_one, random_state=1)
    fresh = simulate_missing(X, mechanism="mnar", keep_one=keep_one)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(first.mask, again.mask)
    np.testing.assert_array_equal(first.propensity, again.propensity)
    assert (first.mask != other.mask).any()
    assert (first.mask != fresh.mask).any()


def test_random_state_instance_advances():
    X, _ = make_data(2)
    rng = np.random.RandomState(0)
    first = simulate_missing(X, random_state=rng).mask
    assert (first != simulate_missing(X, random_state=rng).mask).any()
