"""Correction of the bias of plug-in parts."""

import numpy as np
import pytest

from skmissing import MultimodalData, PIDEstimator
from skmissing._estimation._rows import LabelledRows
from skmissing.pid import _resampling, broja
from skmissing.pid._decomposition import Bias, Terms, correct, rough_union
from skmissing.pid._resampling import half_sample_growth

from ..conftest import LINEAR


def draw(P, n, seed):
    """Rows of a table P[y, x1, x2]."""
    rng = np.random.default_rng(seed)
    y, a, b = np.unravel_index(rng.choice(P.size, size=n, p=P.ravel()), P.shape)
    return MultimodalData({"a": a, "b": b}), y


def columns(pid):
    return pid.to_frame()[["plain", "raw"]].to_numpy().T


def check_sums(figures):
    u1, u2, r, s, one, two, joint = figures
    assert u1 + u2 + r + s == pytest.approx(joint, abs=1e-10)
    assert u1 + r == pytest.approx(one, abs=1e-10)
    assert u2 + r == pytest.approx(two, abs=1e-10)


def errors(P, n, n_draws, **params):
    """Bias and root mean square error of the parts, raw and corrected."""
    found = broja(P)
    truth = [*found.unique, found.redundant, found.synergistic]
    rows = []
    for seed in range(n_draws):
        pid = PIDEstimator(method="exact", **params).fit(*draw(P, n, seed))
        rows.append(columns(pid)[:, :4] - truth)
    return np.mean(rows, axis=0), np.sqrt(np.mean(np.square(rows), axis=0))


@pytest.mark.parametrize("n", [300, 1000])
def test_parts_of_a_random_table(n):
    P = np.random.default_rng(2).dirichlet(np.ones(50)).reshape(2, 5, 5)
    bias, error = errors(P, n, 18)
    raw, corrected = np.abs(bias).mean(axis=1)
    assert corrected < 0.6 * raw
    assert error[1].mean() < 1.05 * error[0].mean()


def test_parts_of_noise():
    bias, error = errors(np.full((2, 5, 5), 0.02), 300, 20)
    raw, corrected = np.abs(bias).mean(axis=1)
    assert raw > 0.01
    assert corrected < 0.2 * raw
    assert error[1].mean() < 0.75 * error[0].mean()


def test_parts_of_a_gate():
    """Unique parts of 0 are biased with the root of n: half of it goes at best."""
    P = np.zeros((2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            P[a & b, a, b] = 0.25
    bias, error = errors(P, 500, 30)
    assert (bias[0, :2] > 0.005).all()
    assert np.abs(bias[1]).mean() < 0.85 * np.abs(bias[0]).mean()
    assert error[1].mean() < 1.05 * error[0].mean()


@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_corrected_parts_add_up(method):
    rng = np.random.default_rng(0)
    X = MultimodalData({k: rng.integers(3, size=400) for k in "abc"})
    y = rng.integers(2, size=400)
    w = rng.uniform(0.2, 3.0, size=400)
    settings = {"method": method, "random_state": 0, "n_bins": 4, "cv": 3}
    settings["estimator"] = LINEAR
    pid = PIDEstimator(**settings).fit(X, y, sample_weight=w)
    raw, corrected = columns(pid)
    for k in range(3):
        check_sums(raw[7 * k : 7 * k + 7])
        check_sums(corrected[7 * k : 7 * k + 7])
    # Not moved to their bounds, which is where values go.
    assert corrected.min() < 0 <= pid.to_frame()["value"].min()
    pair = PIDEstimator(**settings, sources=("a", "b"))
    _, base = columns(pair.fit(X, y, sample_weight=w))
    _, scaled = columns(pair.fit(X, y, sample_weight=5 * w))
    np.testing.assert_allclose(scaled, base, atol=1e-8)
    pair.set_params(sources=("b", "a"))
    _, swapped = columns(pair.fit(X, y, sample_weight=w))
    np.testing.assert_allclose(swapped[[1, 0, 2, 3, 5, 4, 6]], base, atol=1e-8)
    pair.set_params(sources=("a", "b"), unit="nats", n_permutations=2, n_bootstraps=2)
    _, nats = columns(pair.fit(X, y, sample_weight=w))
    np.testing.assert_allclose(nats, base * np.log(2), atol=1e-8)


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_single_sources():
    X, y = draw(np.full((2, 5, 5), 0.02), 200, 0)
    pid = PIDEstimator(method="exact", sources="a").fit(X, y)
    raw, corrected = columns(pid)
    bias = 4 / (2 * 200 * np.log(2))
    np.testing.assert_allclose(
        corrected, [raw[0] - bias, 0, 0, raw[0] - bias, raw[0] - bias], atol=1e-12
    )
    noise = np.random.default_rng(0).normal(size=(80, 2))
    pid = PIDEstimator(
        method="posterior", estimator=LINEAR, sources="x", random_state=0
    )
    raw, corrected = columns(pid.fit(noise, np.arange(80) % 2))
    np.testing.assert_array_equal(raw, corrected)


def test_corrections_of_figures():
    raw = Terms(0.1, 0.2, 0.3, 0.4, 0.4, 0.5, 1.0)
    np.testing.assert_allclose(correct(raw, Bias(0, 0, 0, 0)), raw, atol=1e-15)
    found = correct(raw, Bias(first=0.01, second=0.02, joint=0.05, union=0.04))
    np.testing.assert_allclose(found, [0.08, 0.17, 0.31, 0.39, 0.39, 0.48, 0.95])


class Halves:
    """Records the weights; the union information is 1 plus 3 / n."""

    def __init__(self):
        self.seen = []

    def __call__(self, weight):
        self.seen.append(weight)
        return np.array([1.0 + 3.0 / (weight > 0).sum()])


def make_rows(n, groups=None):
    data = MultimodalData({"a": np.zeros(n)})
    y = np.arange(n) % 2
    return LabelledRows(data, y, np.arange(2), np.full(n, 2.0), groups)


def test_a_bias_of_one_over_n_is_found():
    tables = Halves()
    whole = np.array([1.03])
    growth = half_sample_growth(tables, make_rows(100), whole)
    assert growth == pytest.approx(3 / 100)
    assert len(tables.seen) == 2 * _resampling.N_HALVINGS
    for k in range(_resampling.N_HALVINGS):
        first, second = tables.seen[2 * k : 2 * k + 2]
        np.testing.assert_array_equal(first + second, 2.0)
        assert (first > 0).sum() == 50
    assert not np.array_equal(tables.seen[0], tables.seen[2])
    # Again the same ones.
    again = Halves()
    half_sample_growth(again, make_rows(100), whole)
    np.testing.assert_array_equal(again.seen, tables.seen)


def test_groups_are_not_halved():
    tables = Halves()
    groups = np.arange(100) // 10
    half_sample_growth(tables, make_rows(100, groups), np.ones(1))
    for half in tables.seen:
        assert np.ptp(half.reshape(10, 10), axis=1).max() == 0
        assert (half > 0).sum() == 50
    lone = make_rows(100, np.zeros(100))
    assert np.isnan(half_sample_growth(tables, lone, np.ones(1))).all()


def test_union_information_is_that_of_the_solver():
    P = np.random.default_rng(0).dirichlet(np.ones(24)).reshape(2, 4, 3)
    found = broja(P)
    least = found.unique[0] + found.mutual_information.second
    assert rough_union(P.sum(axis=2), P.sum(axis=1)) == pytest.approx(least)
