"""Single small tables: the same steps as in a stack, and two states of each source."""

import math

import numpy as np
import pytest

from skmissing.pid import broja
from skmissing.pid.solver import _run, union_information, union_informations
from skmissing.pid.solver._alone import Alone
from skmissing.pid.solver._interior_point import interior_point
from skmissing.pid.solver._run import Run
from skmissing.pid.solver._single_run import SingleRun
from skmissing.pid.solver._square import STEPS, solve_square
from skmissing.pid.solver._together import Together

from .test_broja import check, dirichlet
from .test_broja_stack import check_all, draw, odd


def marginals(tables):
    A, B = tables.sum(axis=-1), tables.sum(axis=-2)
    return A, B * (A.sum(axis=-1) / B.sum(axis=-1))[..., None]


def general(A, B):
    """Least information and gap by the method for hard tables."""
    with np.errstate(all="ignore"):
        found = interior_point(np.ascontiguousarray(A.T), B, 1e-13, 1e-9, 200).bounds
    total = A.sum(axis=1)
    entropy = -(total * np.log(total)).sum()
    return (found.upper + entropy) / math.log(2), found.gap / math.log(2)


def uneven(shape, kind, seed):
    P = dirichlet(shape, 0.5, seed)
    rng = np.random.default_rng(seed)
    if kind == "zeros":
        P = P * (rng.random(shape) < 0.7) + 1e-3 * dirichlet(shape, 0.5, seed + 1)
        P[rng.integers(shape[0]), rng.integers(shape[1])] = 0.0
    elif kind == "rare entries":
        P[rng.random(shape) < 0.3] = 1e-12
    elif kind == "rare states":
        P[:, 0] *= 1e-10
        P[:, :, -1] *= 1e-6
    elif kind == "independent sources":
        P = P.sum(axis=2)[:, :, None] * P.sum(axis=1)[:, None]
        P /= P.sum(axis=(1, 2), keepdims=True)
    return P / P.sum()


KINDS = ["plain", "zeros", "rare entries", "rare states", "independent sources"]


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_method_for_hard_tables(kind):
    for seed in range(40):
        shape = tuple(np.random.default_rng(seed + 1000).integers([3, 2, 2], 6))
        P = uneven(shape, kind, seed)
        result = broja(P)
        check(result, P, gap=1e-8)
        A, B = marginals(P)
        value, gap = general(A, B)
        least = result.unique[0] + result.mutual_information.second
        assert least == pytest.approx(value, abs=1e-10 + gap + result.duality_gap)


@pytest.mark.parametrize("shape", [(3, 2, 3), (4, 4, 4), (5, 3, 2)])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_single_table_takes_the_steps_of_a_stack(shape, zeros):
    tables = draw(shape, 3, seed=21)
    if zeros:
        tables[:, 1, 0] = 0.0
    A, B = marginals(tables)
    with np.errstate(all="ignore"):
        whole = Run(A, B)
        alone = [SingleRun(a, b) for a, b in zip(A, B)]
        for _ in range(6):
            whole.iterate()
            for t, run in enumerate(alone):
                run.iterate()
                np.testing.assert_array_equal(run.R[0], whole.R[t])
                np.testing.assert_array_equal(run.s[0], whole.s[t])
                np.testing.assert_array_equal(run.x, whole.x[t])
    assert whole.gap.max() < 1e-2


def test_jammed_tables_of_a_stack_take_the_steps_of_single_ones(monkeypatch):
    """All steps count as short: each table chooses the longer of two."""
    monkeypatch.setattr(_run, "SHORT", 0.9)
    check_all(np.concatenate([draw((3, 3, 3), 6, seed=22), odd((3, 3, 3), 6, seed=23)]))


@pytest.mark.parametrize("n_classes", [3, 4, 7])
@pytest.mark.parametrize("concentration", [0.3, 1.0, 5.0])
def test_two_states_of_each_source(n_classes, concentration):
    tables = draw((n_classes, 2, 2), 40, seed=24, concentration=concentration)
    A, B = marginals(tables)
    with np.errstate(all="ignore"):
        whole, n_steps = solve_square(A, B, Together)
    assert (n_steps <= STEPS).all()
    good = whole.gap <= 1e-13
    assert good.mean() > 0.8
    for t in range(40):
        with np.errstate(all="ignore"):
            alone, n_alone = solve_square(A[t], B[t], Alone)
        assert n_alone == n_steps[t]
        value, gap = general(A[t], B[t])
        found = union_information(A[t], B[t])
        assert found.duality_gap < 1e-9
        assert found.value == pytest.approx(value, abs=1e-10 + gap)
        if good[t]:
            np.testing.assert_array_equal(alone.coupling, whole.coupling[t])
            assert (alone.lower, alone.upper) == (whole.lower[t], whole.upper[t])
            Q = alone.coupling.reshape(n_classes, 2, 2)
            np.testing.assert_allclose(Q.sum(axis=2), A[t], rtol=1e-14)
            np.testing.assert_allclose(Q.sum(axis=1), B[t], rtol=1e-14)
            assert found.n_iter == n_alone


def test_two_states_and_a_cell_that_is_empty_at_the_optimum():
    tables = draw((3, 2, 2), 200, seed=25)
    A, B = marginals(tables)
    whole = union_informations(A, B)
    empty = whole.coupling.sum(axis=1).min(axis=(1, 2)) < 1e-6
    assert empty.any()
    with np.errstate(all="ignore"):
        bounds, n_steps = solve_square(A, B, Together)
    # The interior-point method takes over.
    assert not (bounds.gap[empty] <= 1e-13).any()
    assert (whole.n_iter[empty] > n_steps[empty]).all()
    assert whole.duality_gap.max() < 1e-12
    for t in np.flatnonzero(empty):
        assert whole.value[t] == pytest.approx(general(A[t], B[t])[0], abs=1e-10)


def test_few_iterations_are_left_to_the_interior_point_method():
    P = dirichlet((3, 2, 2), seed=3)
    assert broja(P, max_iter=STEPS).n_iter <= STEPS
    assert broja(P).duality_gap < 1e-12
