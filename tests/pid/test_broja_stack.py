"""Many tables at once: the same results as one by one, certificates, bad input."""

import itertools
import math

import numpy as np
import pytest

from skmissing.exceptions import UncertifiedWarning
from skmissing.pid import broja
from skmissing.pid._decomposition import Job, decompose, plain_terms
from skmissing.pid.solver import union_information, union_informations
from skmissing.pid.solver._binary import solve_binary
from skmissing.pid.solver._binary_stack import solve_binary_stack
from skmissing.pid.solver._certificate import certify
from skmissing.pid.solver._eliminating_run import EliminatingRun as Eliminating
from skmissing.pid.solver._interior_point import interior_point
from skmissing.pid.solver._single_run import SingleRun
from skmissing.pid.solver._stacked import solve_stack
from skmissing.pid.solver._stacked_bounds import certify_stack, gauge, repair_stack

from .test_broja import check, parts
from .test_broja_laws import DEGENERATE

SHAPES = [(2, 2, 2), (2, 5, 5), (2, 3, 9), (3, 2, 2), (3, 3, 3), (4, 2, 9), (5, 5, 5)]


def draw(shape, n, seed, concentration=1.0):
    rng = np.random.default_rng(seed)
    alpha = np.full(math.prod(shape), concentration)
    return rng.dirichlet(alpha, size=n).reshape(n, *shape)


def counts(shape, n, rows, seed):
    P = draw(shape, 1, seed)[0]
    rng = np.random.default_rng(seed)
    return rng.multinomial(rows, P.ravel(), size=n).reshape(n, *shape)


def odd(shape, n, seed):
    """Counts with empty states and classes, equal posteriors and rare entries."""
    tables = counts(shape, n, 40, seed).astype(float)
    rng = np.random.default_rng(seed)
    tables[::5, :, 0] = 0.0
    tables[1::5, -1] = 0.0
    tables[2::5, :, 1] = 2.0 * tables[2::5, :, 0]
    tables[3::5] *= 10.0 ** -rng.integers(0, 12, size=tables[3::5].shape)
    tables[:, 0, 1, 1] += 1e-3
    return tables


def pick(result, at):
    """Result of one table of several, as if it were alone."""
    numbers = [*result.unique, result.redundant, result.synergistic]
    numbers += [*result.mutual_information, result.duality_gap, result.n_iter]
    return np.array([number[at] for number in numbers])


def alone(P):
    result = broja(P)
    rest = [*result.mutual_information, result.duality_gap, result.n_iter]
    return np.array([*parts(result), *rest]), result.coupling


def check_all(tables):
    result = broja(tables)
    for t, P in enumerate(tables):
        numbers, coupling = alone(P)
        np.testing.assert_allclose(pick(result, t), numbers, atol=2e-15, rtol=0)
        # One kind of sum differs between lists and arrays, for two classes only.
        atol = 1e-15 if len(P) == 2 else 0.0
        np.testing.assert_allclose(result.coupling[t], coupling, atol=atol, rtol=0)
    return result


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("concentration", [0.1, 1.0])
def test_many_tables_are_solved_as_if_alone(shape, concentration):
    result = check_all(draw(shape, 8, seed=1, concentration=concentration))
    assert result.duality_gap.max() < 1e-12
    assert result.marginal_violation.max() < 1e-15


@pytest.mark.parametrize("shape", [(2, 4, 3), (3, 3, 4), (4, 3, 2)])
def test_odd_tables_are_solved_as_if_alone(shape):
    for seed in range(2):
        result = check_all(odd(shape, 10, seed))
        assert result.duality_gap.max() < 1e-9


@pytest.mark.parametrize("shape", [(2, 5, 5), (3, 3, 3)])
def test_neither_order_nor_companions_matter(shape):
    tables = np.concatenate([draw(shape, 20, seed=2), odd(shape, 10, seed=3)])
    whole = broja(tables)
    order = np.random.default_rng(0).permutation(len(tables))
    shuffled, few = broja(tables[order]), broja(tables[:3])
    for t in range(len(tables)):
        np.testing.assert_array_equal(pick(shuffled, t), pick(whole, order[t]))
        np.testing.assert_array_equal(shuffled.coupling[t], whole.coupling[order[t]])
    for t in range(3):
        np.testing.assert_array_equal(pick(few, t), pick(whole, t))
        np.testing.assert_array_equal(few.coupling[t], whole.coupling[t])


@pytest.mark.parametrize("shape", [(2, 4, 3), (3, 4, 3), (1, 2, 2), (3, 1, 4)])
def test_leading_axes_are_kept(shape):
    tables = draw(shape, 6, seed=4).reshape(2, 1, 3, *shape)
    result = broja(tables)
    lead = (2, 1, 3)
    assert result.coupling.shape == tables.shape
    for value in (*result.unique, result.redundant, result.synergistic):
        assert value.shape == lead
    for value in result.mutual_information:
        assert value.shape == lead
    for value in (result.duality_gap, result.marginal_violation, result.n_iter):
        assert value.shape == lead
    assert result.n_iter.dtype.kind == "i"
    for at in itertools.product(*map(range, lead)):
        np.testing.assert_allclose(pick(result, at), alone(tables[at])[0], atol=2e-15)


def test_no_table():
    result = broja(np.zeros((4, 0, 3, 2, 5)))
    assert result.redundant.shape == result.n_iter.shape == (4, 0)
    assert result.coupling.shape == (4, 0, 3, 2, 5)
    assert broja(np.zeros((0, 2, 2, 2))).unique[0].shape == (0,)


def test_tables_have_totals_of_their_own():
    tables = draw((3, 3, 2), 4, seed=5)
    scaled = tables * np.array([1.0, 7.0, 1e-200, 1e300])[:, None, None, None]
    before = scaled.copy()
    one, two = broja(tables), broja(scaled)
    np.testing.assert_array_equal(scaled, before)
    for t in range(4):
        np.testing.assert_allclose(pick(two, t)[:7], pick(one, t)[:7], atol=1e-12)
    huge = broja(np.full((2, 2, 2, 2), 1e308))
    np.testing.assert_array_equal(huge.redundant, 0.0)


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_tables_among_others(name):
    P = DEGENERATE[name]
    others = draw(P.shape, 2, seed=6)
    tables = np.stack([others[0], P / P.sum(), others[1]])
    result = broja(tables)
    check(broja(P), P)
    for t in range(3):
        numbers, _ = alone(tables[t])
        np.testing.assert_allclose(pick(result, t), numbers, atol=2e-15, rtol=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 5, 3), (3, 2, 6)])
def test_agrees_with_the_method_for_one_table(shape, seed):
    tables = draw(shape, 10, seed)
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    B *= (A.sum(axis=2) / B.sum(axis=2))[:, :, None]
    bounds, n_iter = solve_stack(A, B, 1e-13, 200)
    assert bounds.gap.max() <= 1e-13
    assert n_iter.max() <= 16
    for t in range(len(A)):
        first = np.ascontiguousarray(A[t].T)
        other = interior_point(first, B[t], 1e-13, 1e-9, 200).bounds
        assert bounds.upper[t] == pytest.approx(other.upper, abs=2e-13)
        assert bounds.lower[t] <= other.upper + 1e-14
        assert bounds.upper[t] >= other.lower - 1e-14


@pytest.mark.parametrize("shape", [(3, 3, 2), (4, 2, 5)])
def test_bounds_are_those_of_one_table_for_any_potentials(shape):
    K, n1, _ = shape
    rng = np.random.default_rng(0)
    tables = draw(shape, 12, seed=7)
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    AB = np.concatenate([A, B], axis=2)
    x = rng.normal(size=AB.shape) * rng.choice([0.1, 1.0, 4.0], size=(12, 1, 1))
    g = np.log(np.exp(x[:, :, :n1, None] + x[:, :, None, n1:]).sum(axis=1))
    Q = tables * np.exp(0.1 * rng.normal(size=tables.shape))
    found = certify_stack(AB, x, Q.reshape(12, K, -1), g, gauge(AB, n1))
    marginals = np.concatenate(
        [
            found.coupling.reshape(tables.shape).sum(axis=3),
            found.coupling.reshape(tables.shape).sum(axis=2),
        ],
        axis=2,
    )
    np.testing.assert_allclose(marginals, AB, atol=1e-15)
    assert (found.coupling >= 0).all()
    for t in range(12):
        one = certify(A[t].T, B[t], x[t, :, :n1].T, x[t, :, n1:], Q[t].swapaxes(0, 1))
        assert found.lower[t] == pytest.approx(one.lower, abs=1e-13)
        assert found.size[t] == pytest.approx(one.size, abs=1e-13)
        assert found.upper[t] == pytest.approx(one.upper, abs=1e-9)


def test_repair_costs_second_order_only():
    tables = draw((3, 4, 3), 6, seed=8)
    AB = np.concatenate([tables.sum(axis=3), tables.sum(axis=2)], axis=2)
    null = gauge(AB, 4)
    noise = np.random.default_rng(0).normal(size=(6, 3, 12))
    Q = tables.reshape(6, 3, 12)
    for size in (1e-3, 1e-5):
        found = repair_stack(AB, Q * (1.0 + size * noise), 4, null)
        np.testing.assert_allclose(found, Q, atol=10 * size)
        back = found.reshape(tables.shape)
        np.testing.assert_allclose(back.sum(axis=3), tables.sum(axis=3), atol=1e-15)
        np.testing.assert_allclose(back.sum(axis=2), tables.sum(axis=2), atol=1e-15)


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 6, 4), (2, 3, 12)])
def test_two_classes_are_the_closed_form(shape):
    tables = draw(shape, 60, seed=9, concentration=0.5)
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    found = union_informations(A, B)
    assert not found.n_iter.any()
    assert found.duality_gap.max() < 5e-14
    for t in range(60):
        one = solve_binary(A[t].T, (B[t] * (A[t].sum(1) / B[t].sum(1))[:, None]).T)
        np.testing.assert_allclose(
            found.coupling[t], one.bounds.coupling.transpose(1, 0, 2), atol=1e-15
        )


def test_hard_tables_are_left_to_the_method_for_one():
    rng = np.random.default_rng(5)
    tables = np.exp(10.0 * rng.normal(size=(30, 4, 3, 3)))
    tables /= tables.sum(axis=(1, 2, 3), keepdims=True)
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    B *= (A.sum(axis=2) / B.sum(axis=2))[:, :, None]
    with np.errstate(all="raise"):
        bounds, _ = solve_stack(A, B, 1e-13, 200)
    stack = union_informations(A, B)
    # Some need it, and all are certified.
    assert not (bounds.gap <= 1e-13).all()
    assert stack.duality_gap.max() < 1e-9
    for t in range(30):
        one = union_information(A[t], B[t])
        assert stack.value[t] == pytest.approx(one.value, abs=2e-15)
        np.testing.assert_array_equal(stack.coupling[t], one.coupling)


def test_the_warning_counts_the_tables():
    tables = draw((3, 4, 3), 5, seed=10)
    tables[2] = 1.0 / 36.0
    with pytest.warns(UncertifiedWarning, match=r"after 2 iterations in 4 of 5 tables"):
        rough = broja(tables, max_iter=2)
    assert rough.duality_gap[2] <= 1e-9
    assert (rough.n_iter <= 2).all()
    exact = broja(tables)
    error = np.abs(rough.synergistic - exact.synergistic)
    assert (error <= rough.duality_gap).all()


@pytest.mark.parametrize(
    ("P", "message"),
    [
        (np.ones((3, 2, 0, 2)), r"Got P with shape \(3, 2, 0, 2\), expected three"),
        (-np.ones((3, 2, 2, 2)), "Got P with the entry -1, expected non-negative"),
        (np.full((3, 2, 2, 2), np.nan), "Got P with NaN or infinite entries"),
        (
            np.arange(3.0)[::-1, None, None, None] * np.ones((3, 2, 2, 2)),
            r"Got P with zeros only in the table P\[2\], expected a positive total",
        ),
    ],
)
def test_bad_tables(P, message):
    with pytest.raises(ValueError, match=message):
        broja(P)


def test_class_totals_must_agree():
    A = np.array([[[0.5], [0.5]], [[0.5], [0.5]]])
    B = np.array([[[0.2, 0.3], [0.2, 0.3]], [[0.2, 0.2], [0.3, 0.3]]])
    with pytest.raises(ValueError, match="Got A and B with class totals that differ"):
        union_informations(A, B)


def test_terms_of_many_draws_are_those_of_each():
    rng = np.random.default_rng(0)
    pairs = [(("a",), ("b",)), (("c",), ())]
    draws, expected = [], []
    for t in range(12):
        K, n1, n2 = (2, 3, 4) if t % 3 else (3, 2, 2 + t % 2)
        P = rng.dirichlet(np.ones(K * n1 * n2)).reshape(K, n1, n2)
        tables = {("a",): P.sum(axis=2), ("b",): P.sum(axis=1)}
        draws.append([Job(*tables.values(), 0.7), Job(None, None, 0.3)])
        found = [
            decompose(pair, tables, joint) for pair, joint in zip(pairs, (0.7, 0.3))
        ]
        expected.append(np.concatenate([d.plain for d in found]))
    np.testing.assert_allclose(plain_terms(draws), expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 9, 4)])
def test_eliminating_a_source_takes_the_same_steps(shape):
    tables = draw(shape, 1, seed=11)
    tables[:, 1, 0] = 0.0
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    with np.errstate(all="ignore"):
        plain, eliminating = (kind(A[0], B[0]) for kind in (SingleRun, Eliminating))
        for _ in range(5):
            plain.iterate()
            eliminating.iterate()
    assert plain.gap < 1e-2
    np.testing.assert_allclose(eliminating.R, plain.R, rtol=1e-8)
    np.testing.assert_allclose(eliminating.s, plain.s, rtol=1e-8)
    np.testing.assert_allclose(eliminating.p, plain.p, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 20, 10), (5, 10, 20), (7, 12, 15)])
def test_tables_of_more_states(shape):
    for seed in range(2):
        P = draw(shape, 1, seed)[0]
        result = broja(P)
        check(result, P)
        assert result.duality_gap < 1e-12
        assert result.n_iter <= 18
        first = np.ascontiguousarray(P.sum(axis=2).T)
        other = interior_point(first, P.sum(axis=1), 1e-13, 1e-9, 200).bounds
        entropy = -(P.sum(axis=(1, 2)) * np.log(P.sum(axis=(1, 2)))).sum()
        least = result.unique[0] + result.mutual_information.second
        assert least * math.log(2) == pytest.approx(other.upper + entropy, abs=3e-13)


def test_segments_are_split_together_as_one_by_one():
    tables = draw((2, 5, 5), 60, seed=12)
    A, B = tables.sum(axis=3), tables.sum(axis=2)
    B *= (A.sum(axis=2) / B.sum(axis=2))[:, :, None]
    whole = solve_binary_stack(A, B)
    assert np.isfinite(whole.gap).mean() > 0.8
    for t in range(60):
        # One table has too few segments of a size to split them together.
        alone = solve_binary_stack(A[t : t + 1], B[t : t + 1])
        np.testing.assert_array_equal(alone.coupling[0], whole.coupling[t])
