import pickle

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from skmissing.datasets import make_xor

CASES = [
    (quadrants, labels, std)
    for quadrants in (False, True)
    for labels in ("sign", "cluster")
    for std in (0.5, 1.0)
]


def test_published_values():
    sign = make_xor(10, random_state=0)
    assert sign.bayes_accuracy["missing"] == pytest.approx(
        2 / 3 * ndtr(2) + 1 / 3 * ndtr(-2)
    )
    assert sign.bayes_accuracy["missing"] == pytest.approx(0.6591, abs=5e-5)
    assert sign.bayes_accuracy["complete"] == 1.0
    assert sign.conditional_entropy == pytest.approx(0.5102, abs=5e-5)
    cluster = make_xor(10, labels="cluster", random_state=0)
    assert cluster.bayes_accuracy["missing"] == pytest.approx(2 / 3)
    assert cluster.bayes_accuracy["complete"] == pytest.approx(0.9702, abs=5e-5)
    four = make_xor(10, four_quadrants=True, labels="cluster", random_state=0)
    assert four.bayes_accuracy["complete"] == pytest.approx(
        ndtr(2) ** 2 + ndtr(-2) ** 2
    )


def test_posterior_formula():
    posterior = make_xor(10, random_state=0).posterior
    x = np.linspace(-3, 3, 60)
    r, s = 2 * norm.pdf(x, -1, 0.5), norm.pdf(x, 1, 0.5)
    above = (r / 2 + s * ndtr(-2)) / (r + s)
    np.testing.assert_allclose(posterior(x), np.where(x < 0, above, 1 - above))
    assert posterior(-1.0).shape == ()
    assert posterior(x[:, None]).shape == (60, 1)
    # Far from the clusters the ratio of two vanishing densities is still right.
    np.testing.assert_allclose(posterior([-1e3, 1e3]), [0.5, ndtr(2)])


@pytest.mark.parametrize(("four_quadrants", "labels", "std"), CASES)
def test_analytic_values_against_a_sample(four_quadrants, labels, std):
    n = 200_000
    bunch = make_xor(
        n, four_quadrants=four_quadrants, labels=labels, std=std, random_state=0
    )
    y = bunch.target
    x_o, x_m = bunch.data["x_o"][:, 0], bunch.data["x_m"][:, 0]
    p = bunch.posterior(x_o)
    loss = -np.log(np.where(y == 1, p, 1 - p)).mean()
    assert loss == pytest.approx(bunch.conditional_entropy, abs=0.005)
    accuracy = ((p > 0.5) == y).mean()
    assert accuracy == pytest.approx(bunch.bayes_accuracy["missing"], abs=0.005)
    # Calibrated bin by bin, not only on average.
    bins = np.digitize(x_o, np.linspace(-2, 2, 9))
    for b in np.unique(bins):
        rows = bins == b
        assert abs(y[rows].mean() - p[rows].mean()) < 4 * 0.5 / np.sqrt(rows.sum())
    if labels == "sign":
        best = (x_o > 0) != (x_m > 0)
    else:
        density = {
            (a, b): norm.pdf(x_o, a, std) * norm.pdf(x_m, b, std)
            for a in (-1, 1)
            for b in (-1, 1)
        }
        zero = density[-1, -1] + four_quadrants * density[1, 1]
        best = density[-1, 1] + density[1, -1] > zero
    accuracy = (best == y).mean()
    assert accuracy == pytest.approx(bunch.bayes_accuracy["complete"], abs=0.004)


@pytest.mark.parametrize("std", [0.01, 0.1, 5.0])
@pytest.mark.parametrize("labels", ["sign", "cluster"])
def test_extreme_spread(labels, std):
    bunch = make_xor(10, labels=labels, std=std, random_state=0)
    values = bunch.bayes_accuracy
    assert 0.5 <= values["missing"] <= values["complete"] <= 1.0
    # Clusters without overlap: one half for two of them, certainty for the third.
    if std < 0.2:
        assert bunch.conditional_entropy == pytest.approx(2 / 3 * np.log(2))
        assert values["missing"] == pytest.approx(2 / 3)
        assert values["complete"] == pytest.approx(1.0)


def test_clusters():
    bunch = make_xor(3000, random_state=0)
    x = bunch.data.to_frame()
    centres = x.groupby(bunch.cluster).mean().to_numpy()
    np.testing.assert_allclose(centres, [[-1, -1], [-1, 1], [1, -1]], atol=0.08)
    four = make_xor(3000, four_quadrants=True, random_state=0)
    assert set(four.cluster) == {0, 1, 2, 3}
    assert bunch.data.present.all()


def test_forms_and_pickle():
    bunch = make_xor(200, random_state=1)
    framed = make_xor(200, as_frame=True, random_state=1)
    X, y = make_xor(200, return_X_y=True, random_state=1)
    assert list(framed.data) == ["x_o__0", "x_m__0"]
    np.testing.assert_array_equal(framed.data, bunch.data.to_frame())
    np.testing.assert_array_equal(X["x_m"], bunch.data["x_m"])
    np.testing.assert_array_equal(y, framed.target)
    again = pickle.loads(pickle.dumps(bunch))
    np.testing.assert_array_equal(again.posterior([0.3]), bunch.posterior([0.3]))
    with pytest.raises(ValueError, match="std"):
        make_xor(std=0.0)
    with pytest.raises(ValueError, match="labels"):
        make_xor(labels="signs")
