"""The log-linear pool by itself, on ratios that are known."""

import numpy as np
import pytest
from scipy.special import log_softmax

from skmissing.stacking._pool import HeldOutRatios, PatternPool

PRIOR = np.log([0.5, 0.3, 0.2])


def draw(seed, n, weights_of):
    """Ratios of two members, and labels of the pool with the weights given."""
    rng = np.random.default_rng(seed)
    ratios = 1.5 * rng.normal(size=(n, 2, 3))
    present = rng.random((n, 2)) < 0.6
    score = PRIOR + np.einsum("nm,nmc->nc", weights_of(present), ratios)
    gumbel = rng.gumbel(size=score.shape)
    y = (score + gumbel).argmax(axis=1)
    return HeldOutRatios(ratios, present, y, np.ones(n), rng.integers(5, size=n))


def by_pattern(present):
    """The second member is worth more where the first modality is missing."""
    first = 0.2 + 0.6 * present[:, 0]
    return np.column_stack([first, 1.0 - first])


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_patterns_are_found(seed):
    rows = draw(seed, 8000, by_pattern)
    pool = PatternPool(PRIOR).fit(rows)
    patterns = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    # Three standard errors of a weight are about .06 with so many rows.
    np.testing.assert_allclose(pool.weights(patterns), by_pattern(patterns), atol=0.07)
    assert np.isfinite(pool.shrinkage)


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_common_where_patterns_do_not_matter(seed):
    rows = draw(seed, 1500, lambda present: np.tile([0.7, 0.2], (len(present), 1)))
    pool = PatternPool(PRIOR).fit(rows)
    assert pool.shrinkage >= 30.0
    found = pool.weights(rows.present)
    np.testing.assert_allclose(found, [[0.7, 0.2]] * len(found), atol=0.12)


@pytest.mark.parametrize("boldness", [0.25, 3.0])
def test_a_member_alone_is_calibrated(boldness):
    rows = draw(0, 6000, lambda present: np.tile([1.0, 0.0], (len(present), 1)))
    alone = HeldOutRatios(
        boldness * rows.ratios[:, :1], rows.present, rows.y, rows.weight, rows.fold
    )
    pool = PatternPool(PRIOR).fit(alone)
    np.testing.assert_allclose(pool.weights(rows.present), 1 / boldness, rtol=0.07)


def test_a_member_that_knows_nothing_adds_nothing():
    rows = draw(0, 4000, lambda present: np.tile([1.0, 0.0], (len(present), 1)))
    pool = PatternPool(PRIOR).fit(rows)
    assert pool.weights(rows.present)[:, 1].max() < 0.05
    silent = np.zeros((3, 2, 3))
    expected = log_softmax(np.tile(PRIOR, (3, 1)), axis=1)
    np.testing.assert_allclose(pool(silent, rows.present[:3]), expected)


def test_weights_are_never_negative():
    # The second member says the opposite of the truth.
    rows = draw(0, 2000, lambda present: np.tile([1.0, -1.0], (len(present), 1)))
    patterns = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    assert PatternPool(PRIOR).fit(rows).weights(patterns).min() == 0.0


def test_members_that_never_err_share_equally():
    n = 300
    y = np.arange(n) % 3
    sure = np.where(np.arange(3) == y[:, None], 5.0, -5.0)
    ratios = np.repeat(sure[:, None], 2, axis=1)
    rows = HeldOutRatios(ratios, np.ones((n, 2), bool), y, np.ones(n), y)
    found = PatternPool(PRIOR).fit(rows).weights(rows.present[:1])
    assert found[0, 0] == pytest.approx(found[0, 1])
    assert 0.5 <= found[0, 0] < 1.5


def test_a_weight_of_two_is_two_rows():
    rows = draw(0, 400, by_pattern)
    twice = np.arange(400) % 3 == 0
    weighted = HeldOutRatios(rows.ratios, rows.present, rows.y, 1.0 + twice, rows.fold)
    again = np.concatenate([np.arange(400), np.flatnonzero(twice)])
    pools = [PatternPool(PRIOR).fit(r) for r in (weighted, rows.take(again))]
    assert pools[0].shrinkage == pools[1].shrinkage
    np.testing.assert_allclose(pools[0].terms, pools[1].terms, atol=1e-5)


def test_the_order_of_rows_does_not_matter():
    rows = draw(0, 400, by_pattern)
    other = rows.take(np.random.default_rng(1).permutation(400))
    a, b = (PatternPool(PRIOR).fit(r).terms for r in (rows, other))
    np.testing.assert_allclose(a, b, atol=1e-5)
