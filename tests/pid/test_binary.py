"""Two classes: the closed form against the interior-point method, and its parts."""

import numpy as np
import pytest

from skmissing.pid import broja
from skmissing.pid.solver import union_information
from skmissing.pid.solver._binary import blackwell_join, solve_binary
from skmissing.pid.solver._binary_small import FEW_CELLS, solve_binary_small
from skmissing.pid.solver._certificate import cell_softmax
from skmissing.pid.solver._interior_point import interior_point


def marginals(seed, concentration=None):
    rng = np.random.default_rng(seed)
    shape = (2, *rng.integers(2, 12, size=2))
    if concentration is None:
        # Small counts: zeros and equal posteriors.
        P = rng.poisson(0.8, size=shape).astype(float)
        P[:, 0, 0] += 1
        P /= P.sum()
    else:
        P = rng.dirichlet(np.full(np.prod(shape), concentration)).reshape(shape)
    first, second = P.sum(axis=2).T, P.sum(axis=1).T
    return first[first.any(axis=1)], second[second.any(axis=1)]


@pytest.mark.parametrize("concentration", [None, 0.1, 1.0, 10.0])
def test_bounds_meet_and_nothing_iterates(concentration):
    for seed in range(60):
        first, second = marginals(seed, concentration)
        bounds, L, M, _ = solve_binary(first, second)
        assert bounds.gap < 1e-14
        np.testing.assert_allclose(bounds.coupling.sum(axis=2), first, atol=1e-15)
        np.testing.assert_allclose(bounds.coupling.sum(axis=0).T, second, atol=1e-15)
        assert bounds.coupling.min() >= 0
        # The potentials are feasible as they are, but for rounding.
        g, _ = cell_softmax(L, np.ascontiguousarray(M.T))
        assert g.max() < 1e-13


@pytest.mark.parametrize("concentration", [None, 0.3, 3.0])
def test_agrees_with_the_interior_point_method(concentration):
    for seed in range(10):
        first, second = marginals(seed, concentration)
        bounds = solve_binary(first, second).bounds
        other = interior_point(
            first, np.ascontiguousarray(second.T), 1e-13, 1e-9, 200
        ).bounds
        assert bounds.upper == pytest.approx(other.upper, abs=1e-9)
        assert bounds.upper <= other.upper + 1e-12
        assert bounds.lower >= other.lower - 1e-12


@pytest.mark.parametrize("concentration", [0.1, 1.0, 10.0])
def test_lists_and_arrays_say_the_same(concentration, monkeypatch):
    tried = 0
    for seed in range(60):
        first, second = marginals(seed, concentration)
        A, B = first.T, second.T
        if A.shape[1] * B.shape[1] > FEW_CELLS:
            continue
        found = solve_binary_small(A, B)
        if found is None:
            continue
        tried += 1
        (lower, upper, coupling, size), violation = found
        scale = A.sum(axis=1) / B.sum(axis=1)
        bounds = solve_binary(first, second * scale).bounds
        # Sums of terms of that size lose their last places.
        places = 2.3e-16 * max(size, 4.0)
        assert lower == pytest.approx(bounds.lower, abs=places)
        assert upper == pytest.approx(bounds.upper, abs=places)
        assert size == pytest.approx(bounds.size, rel=1e-14)
        np.testing.assert_allclose(
            coupling, bounds.coupling.transpose(1, 0, 2), atol=1e-16
        )
        # Up to the last places of each mass, and of the total.
        scaled = B * (A.sum(axis=1) / B.sum(axis=1))[:, None]
        np.testing.assert_allclose(coupling.sum(axis=2), A, rtol=2e-15, atol=4e-16)
        np.testing.assert_allclose(coupling.sum(axis=1), scaled, rtol=2e-15, atol=4e-16)
        off = max(
            np.abs(coupling.sum(axis=2) - A).max(),
            np.abs(coupling.sum(axis=1) - B).max(),
        )
        # In the last place of a sum, which depends on the order.
        assert violation == pytest.approx(off, abs=1.2e-16)
        result = union_information(A, B)
        with monkeypatch.context() as patch:
            patch.setattr("skmissing.pid.solver._union_information.FEW_CELLS", 0)
            other = union_information(A, B)
        assert result.value == pytest.approx(other.value, abs=2 * places)
        assert result.duality_gap == pytest.approx(other.duality_gap, abs=2 * places)
    assert tried > 20


def test_lists_give_up_where_states_are_merged_or_rounding_is_in_the_way():
    same = np.array([[0.1, 0.2, 0.2], [0.1, 0.2, 0.2]])
    assert solve_binary_small(same, same) is None
    result = union_information(same, same)
    assert result.value < 1e-15
    assert result.duality_gap < 1e-14
    off = np.array([[0.25, 0.2 + 1e-12], [0.3, 0.25]])
    given = solve_binary_small(np.array([[0.25, 0.2], [0.3, 0.25]]), off)
    # Totals that differ are taken from the first, and the difference is reported.
    assert given is not None
    assert 1e-13 < given.violation < 1e-11


def test_lists_give_up_on_potentials_that_are_not_feasible(monkeypatch):
    first, second = marginals(3, 1.0)
    assert solve_binary_small(first.T, second.T) is not None

    def worse(*tables):
        (one, two), edges = blackwell_join(*tables)
        off = one._replace(values=[(a + 1e-9, b) for a, b in one.values])
        return (off, two), edges

    monkeypatch.setattr("skmissing.pid.solver._binary_small.blackwell_join", worse)
    assert solve_binary_small(first.T, second.T) is None


def test_one_source_above_the_other():
    """The second is a noisy copy of the first: Z is the first, alone unique."""
    P = np.random.default_rng(0).dirichlet(np.ones(8)).reshape(2, 4)
    noise = np.random.default_rng(1).dirichlet(np.ones(3), size=4)
    result = broja(P[:, :, None] * noise)
    information = result.mutual_information
    assert result.unique[1] == 0
    assert result.unique[0] == pytest.approx(information.first - information.second)
    # Markov: the sources together tell what the first does.
    assert result.synergistic == pytest.approx(0, abs=1e-12)
    assert result.n_iter == 0


def test_a_mass_that_vanishes_in_the_sum():
    for tiny in (1e-15, 1e-17, 3e-19, 1e-30, 1e-300):
        P = np.array([[[0.3, 0.1], [0.2, tiny]], [[tiny, 0.1], [0.1, 0.2]]])
        result = broja(P)
        assert result.duality_gap < 1e-12
        assert result.n_iter == 0


def test_a_large_table():
    P = np.random.default_rng(0).dirichlet(np.ones(2 * 150 * 90)).reshape(2, 150, 90)
    result = broja(P)
    assert result.n_iter == 0
    assert result.duality_gap < 1e-13
    assert result.marginal_violation < 1e-15
