"""Bounds hold for every distribution, and the tight ones are attained."""

import numpy as np
import pytest
from scipy.special import entr

from skmissing.datasets import make_xor
from skmissing.metrics import bayes_error_bounds, mse_gap_bound

CLASSES = [2, 3, 5, 10]


def entropy(p):
    return entr(p).sum(axis=-1)


def error(p):
    return 1 - p.max(axis=-1)


def distributions(n_classes, rng):
    """From nearly certain to nearly uniform."""
    alpha = rng.choice([0.02, 0.1, 0.5, 1, 5, 50], size=300)
    return np.stack([rng.dirichlet(np.full(n_classes, a)) for a in alpha])


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("kind", ["tight", "paper"])
def test_every_distribution_lies_between_the_bounds(n_classes, kind):
    rng = np.random.default_rng(n_classes)
    p = distributions(n_classes, rng)
    # A classifier meets many distributions of the label: entropy and error are means.
    weight = rng.dirichlet(np.full(4, 0.5), size=300)
    mixed = p[rng.integers(300, size=(300, 4))]
    entropies = np.r_[entropy(p), (weight * entropy(mixed)).sum(axis=1)]
    errors = np.r_[error(p), (weight * error(mixed)).sum(axis=1)]
    for h, e in zip(entropies, errors):
        low, high = bayes_error_bounds(h, n_classes, kind=kind)
        assert low - 1e-9 <= e <= high + 1e-9


@pytest.mark.parametrize("n_classes", CLASSES)
def test_tight_bounds_are_attained(n_classes):
    most = 1 - 1 / n_classes
    for e in np.linspace(0, most, 15):
        # One likely class, the others alike: the lower bound.
        p = np.r_[1 - e, np.full(n_classes - 1, e / (n_classes - 1))]
        low, _ = bayes_error_bounds(entropy(p), n_classes)
        # The entropy is flat in the error where all classes are alike.
        assert low == pytest.approx(error(p), abs=1e-6 if e == most else 1e-9)
    for i in range(1, n_classes):
        # Some rows with i classes alike, the others with i + 1: the upper bound.
        for share in (0.0, 0.3, 1.0):
            h = (1 - share) * np.log(i) + share * np.log(i + 1)
            e = (1 - share) * (1 - 1 / i) + share * (1 - 1 / (i + 1))
            assert bayes_error_bounds(h, n_classes)[1] == pytest.approx(e, abs=1e-12)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_bounds_are_ordered_increasing_and_tighter_than_the_published_ones(n_classes):
    grid = np.linspace(0, np.log(n_classes), 60)
    tight = np.array([bayes_error_bounds(h, n_classes) for h in grid])
    paper = np.array([bayes_error_bounds(h, n_classes, kind="paper") for h in grid])
    assert (tight[:, 0] <= tight[:, 1] + 1e-12).all()
    assert (np.diff(tight, axis=0) > 0).all()
    assert (tight[:, 0] >= paper[:, 0] - 1e-12).all()
    assert (tight[:, 1] <= paper[:, 1] + 1e-12).all()
    assert (paper >= 0).all()
    assert (paper <= 1 - 1 / n_classes).all()
    np.testing.assert_allclose(tight[[0, -1]].T, [[0, 1 - 1 / n_classes]] * 2)
    if n_classes == 2:
        # Why the exact inequality is needed.
        assert (paper[:, 0] == 0).all()
        np.testing.assert_allclose(tight[:, 1], grid / (2 * np.log(2)))
    else:
        largest = np.log(n_classes)
        low, high = bayes_error_bounds(0.9 * largest, n_classes, kind="paper")
        assert low == pytest.approx(max(0.9 - np.log(2) / largest, 0))
        most = 1 - 1 / n_classes
        assert high == pytest.approx(min(1 - np.exp(-0.9 * largest), most))


def test_values_of_the_three_quadrants():
    """XOR of the signs, one coordinate missing: every value is known."""
    bunch = make_xor(10, random_state=0)
    h, error = bunch.conditional_entropy, 1 - bunch.bayes_accuracy["missing"]
    assert (h, error) == (
        pytest.approx(0.5102, abs=5e-5),
        pytest.approx(0.3409, abs=5e-5),
    )
    assert bayes_error_bounds(0.0, 2) == (0.0, 0.0)
    low, high = bayes_error_bounds(h, 2)
    assert (low, high) == pytest.approx((0.207, 0.368), abs=5e-4)
    assert low < error < high
    paper = bayes_error_bounds(h, 2, kind="paper")
    assert paper == pytest.approx((0.0, 0.400), abs=5e-4)


def test_a_log_loss_may_exceed_what_entropies_can_be():
    """Plugged in, the upper bound stays valid; sums may end just below 0."""
    limit = bayes_error_bounds(np.log(7), 7)
    assert limit[1] == pytest.approx(6 / 7)
    assert bayes_error_bounds(np.log(7) + 0.4, 7) == limit
    assert bayes_error_bounds(-1e-17, 3) == (0.0, 0.0)
    assert mse_gap_bound(-1e-17) == 0.0
    with pytest.raises(ValueError, match=r"Got cmi=-0.01, .* gives no bound"):
        mse_gap_bound(-0.01)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        ((-0.1, 2), ValueError, "Got cond_entropy=-0.1"),
        ((np.nan, 2), ValueError, "Got cond_entropy=nan"),
        ((np.inf, 2), ValueError, "Got cond_entropy=inf"),
        (("much", 2), TypeError, "Got cond_entropy='much', expected a number"),
        ((True, 2), TypeError, "Got cond_entropy=True, expected a number"),
        ((0.1, 1), ValueError, "Got n_classes=1, expected at least 2"),
        ((0.1, 2.5), TypeError, "Got n_classes=2.5, expected an integer"),
        ((0.1, True), TypeError, "Got n_classes=True, expected an integer"),
    ],
)
def test_unusable_entropies(args, error, match):
    with pytest.raises(error, match=match):
        bayes_error_bounds(*args)


def test_unknown_kind():
    with pytest.raises(ValueError, match="Got kind='fano', expected 'tight' or"):
        bayes_error_bounds(0.1, 2, kind="fano")


# -- regression ------------------------------------------------------------------------


def gap_and_information(joint, values):
    """Of a target with these values and a source Z: joint[z, y]."""
    pz, py = joint.sum(axis=1), joint.sum(axis=0)
    inside = joint > 0
    ratio = joint[inside] / np.outer(pz, py)[inside]
    information = joint[inside] @ np.log(ratio)
    mean = py @ values
    # The mean of the variances lost is the variance of the conditional means.
    gap = pz @ ((joint @ values) / pz - mean) ** 2
    return gap, information


def test_no_distribution_loses_more_than_the_bound():
    rng = np.random.default_rng(0)
    for _ in range(500):
        joint = rng.dirichlet(np.full(12, rng.choice([0.05, 0.3, 1.0]))).reshape(3, 4)
        joint = (joint + 1e-12) / (joint + 1e-12).sum()
        values = np.r_[-1.0, 1.0, rng.uniform(-1, 1, size=2)]
        gap, information = gap_and_information(joint, values)
        assert gap <= mse_gap_bound(max(information, 0.0)) + 1e-12
        shifted = 3 + 5 * values
        gap, _ = gap_and_information(joint, shifted)
        assert gap <= mse_gap_bound(max(information, 0.0), (-2, 8)) + 1e-12


def test_a_coin_that_the_modality_tells():
    """All of the variance, 1, is lost with log 2 nats."""
    gap, information = gap_and_information(np.eye(2) / 2, np.array([-1.0, 1.0]))
    assert (gap, information) == (pytest.approx(1.0), pytest.approx(np.log(2)))
    assert gap <= mse_gap_bound(information)


def test_no_smaller_factor_would_do():
    """A modality that tells little of a coin attains the bound."""
    d = 1e-3
    joint = np.array([[1 + d, 1 - d], [1 - d, 1 + d]]) / 4
    for low, high in ((-1.0, 1.0), (0.0, 10.0)):
        gap, information = gap_and_information(joint, np.array([low, high]))
        assert mse_gap_bound(information, (low, high)) == pytest.approx(gap, rel=1e-5)


def test_the_range_of_the_target():
    assert mse_gap_bound(0.3, 4) == mse_gap_bound(0.3, (-1, 3))
    assert mse_gap_bound(0.3, (0, 4)) == pytest.approx(4 * mse_gap_bound(0.3))
    assert mse_gap_bound(0.0) == 0.0
    for bad in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="Got cmi="):
            mse_gap_bound(bad)
    with pytest.raises(TypeError, match="Got cmi='a', expected a number"):
        mse_gap_bound("a")
    for bad in ((1, 0), (0, np.inf), (0, 1, 2), -1.0, (np.nan, 1)):
        with pytest.raises(ValueError, match="Got y_range="):
            mse_gap_bound(0.1, bad)
    with pytest.raises(TypeError, match="Got y_range="):
        mse_gap_bound(0.1, ("a", 1))
