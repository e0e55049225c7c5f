"""Values, certificates and bad input of broja."""

import dataclasses
import itertools
import math
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize

from skmissing.exceptions import SkmissingWarning, UncertifiedWarning
from skmissing.pid import broja
from skmissing.pid.solver import union_information


def gate(function, p1=0.5, p2=0.5):
    """Table of y = function(x1, x2) of independent bits."""
    P = np.zeros((2, 2, 2))
    for a, b in itertools.product((0, 1), repeat=2):
        P[function(a, b), a, b] += (p1 if a else 1 - p1) * (p2 if b else 1 - p2)
    return P


def table_of(function, n_bits):
    """Table of ``function(*bits) -> (y, x1, x2)``, all bits fair; labels are coded."""
    rows = [function(*bits) for bits in itertools.product((0, 1), repeat=n_bits)]
    codes = [sorted(set(column)) for column in zip(*rows)]
    P = np.zeros([len(c) for c in codes])
    for row in rows:
        P[tuple(c.index(v) for c, v in zip(codes, row))] += 1.0
    return P


def dirichlet(shape, concentration=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(math.prod(shape), concentration)).reshape(shape)


def parts(result):
    return np.array([*result.unique, result.redundant, result.synergistic])


def information(P):
    """I(Y; rest) in bits, from the definition."""
    P = P.reshape(len(P), -1)
    independent = P.sum(axis=1, keepdims=True) * P.sum(axis=0)
    here = P > 0
    return float((P[here] * np.log2(P[here] / independent[here])).sum())


def check(result, P, gap=1e-9):
    """What holds for every result."""
    P = np.asarray(P, dtype=float)
    P = P / P.sum()
    first, second, joint = result.mutual_information
    assert first == pytest.approx(information(P.sum(axis=2)), abs=1e-12)
    assert second == pytest.approx(information(P.sum(axis=1)), abs=1e-12)
    assert joint == pytest.approx(information(P), abs=1e-12)
    assert 0 <= result.duality_gap <= gap
    Q = result.coupling
    assert Q.shape == P.shape
    assert (Q >= 0).all()
    violation = max(
        np.abs(Q.sum(axis=axis) - P.sum(axis=axis)).max() for axis in (1, 2)
    )
    assert result.marginal_violation == pytest.approx(violation, abs=1e-15)
    assert violation < 1e-14
    unique, other, redundant, synergistic = parts(result)
    assert min(unique, other, redundant, synergistic) >= 0
    assert unique + redundant == pytest.approx(first, abs=1e-12)
    assert other + redundant == pytest.approx(second, abs=1e-12)
    total = unique + other + redundant + synergistic
    assert total == pytest.approx(joint, abs=1e-12)
    # The coupling attains the minimum, as far as that is certified.
    assert unique + second <= information(Q) + 1e-12
    assert information(Q) - (unique + second) <= result.duality_gap + 1e-12


def and_(a, b):
    return a & b


def or_(a, b):
    return a | b


def xor(a, b):
    return a ^ b


GATES = [
    (and_, 0.5, 0.5, 0, 0, 0.311278, 0.5),
    (and_, 0.8, 0.5, 0, 0.439036, 0.170951, 0.360964),
    (and_, 0.5, 0.8, 0.439036, 0, 0.170951, 0.360964),
    (or_, 0.5, 0.5, 0, 0, 0.311278, 0.5),
    (or_, 0.8, 0.5, 0.160964, 0, 0.108032, 0.2),
    (or_, 0.5, 0.8, 0, 0.160964, 0.108032, 0.2),
    (xor, 0.5, 0.5, 0, 0, 0, 1),
    (xor, 0.8, 0.5, 0, 0.278072, 0, 0.721928),
    (xor, 0.5, 0.8, 0.278072, 0, 0, 0.721928),
]


@pytest.mark.parametrize(("function", "p1", "p2", "u1", "u2", "r", "s"), GATES)
def test_gates_with_biased_inputs(function, p1, p2, *, u1, u2, r, s):
    P = gate(function, p1, p2)
    result = broja(P)
    check(result, P)
    np.testing.assert_allclose(parts(result), [u1, u2, r, s], atol=1e-6)


MORE_GATES = {
    "unique1": (2, lambda a, b: (a, a, b), 0, 1, 0, 0),
    "redundant": (1, lambda a: (a, a, a), 1, 0, 0, 0),
    "and_unique1": (2, lambda a, b: (a & b, (a, b), b), 0.311278, 0.5, 0, 0),
    "or_unique1": (2, lambda a, b: (a | b, (a, b), b), 0.311278, 0.5, 0, 0),
    "xor_unique1": (2, lambda a, b: (a ^ b, (a, b), b), 0, 1, 0, 0),
    "unq": (2, lambda a, b: ((a, b), a, b), 0, 1, 1, 0),
    "rdnxor": (3, lambda a, b, c: ((a ^ b, c), (a, c), (b, c)), 1, 0, 0, 1),
    "rdnunqxor": (
        5,
        lambda a, b, c, d, e: ((a ^ b, c, d, e), (a, c, d), (b, c, e)),
        1,
        1,
        1,
        1,
    ),
    "xorand": (2, lambda a, b: ((a ^ b, a & b), a, b), 0.5, 0, 0, 1),
}


@pytest.mark.parametrize("name", MORE_GATES)
def test_gates_of_several_bits(name):
    n_bits, function, r, u1, u2, s = MORE_GATES[name]
    P = table_of(function, n_bits)
    result = broja(P)
    check(result, P)
    np.testing.assert_allclose(parts(result), [u1, u2, r, s], atol=1e-6)


REFERENCE = [
    ((2, 2, 2), 0, [0, 0.0126154, 0.0030749, 0.0153771]),
    ((2, 2, 2), 1, [0.1573321, 0, 0.1884029, 0.0694759]),
    ((5, 5, 2), 0, [0.0568488, 0, 0.0188935, 0.2148806]),
    ((5, 5, 2), 1, [0.0767904, 0, 0.0197204, 0.2374615]),
    ((10, 10, 5), 0, [0.0299674, 0.0205303, 0.0260568, 0.3772499]),
    ((10, 10, 5), 1, [0.0187538, 0.0332641, 0.0302514, 0.4336634]),
    ((20, 20, 5), 0, [0.0094174, 0.0098352, 0.0179000, 0.4363014]),
    ((20, 20, 5), 1, [0.0057752, 0.0109965, 0.0156112, 0.4323173]),
]


@pytest.mark.parametrize(("shape", "seed", "expected"), REFERENCE)
def test_values_that_other_solvers_agree_on(shape, seed, expected):
    P = dirichlet(shape, seed=seed).transpose(2, 0, 1)
    result = broja(P)
    check(result, P)
    np.testing.assert_allclose(parts(result), expected, atol=1e-6)


@pytest.mark.parametrize("concentration", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(
    "shape", [(2, 2, 2), (3, 2, 7), (2, 20, 20), (5, 8, 30), (10, 20, 20), (10, 50, 50)]
)
def test_certificates_of_random_tables(shape, concentration):
    for seed in range(1 if math.prod(shape) > 4000 else 4):
        P = dirichlet(shape, concentration, seed)
        result = broja(P)
        check(result, P)
        # Rounding is the only limit, so the accuracy is far beyond the tolerance.
        assert result.duality_gap < 1e-12
        assert result.n_iter <= 16


@pytest.mark.parametrize("seed", range(4))
def test_binary_target_and_many_states(seed):
    P = dirichlet((2, 200, 200), 0.1, seed)
    result = broja(P)
    check(result, P)
    assert result.duality_gap < 1e-12
    assert result.n_iter < 25


@pytest.mark.parametrize(("shape", "rows"), [((6, 5, 3), 60), ((2, 20, 20), 60)])
def test_sparse_counts(shape, rows):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        P = np.zeros(shape, dtype=int)
        np.add.at(P, tuple(rng.integers(n, size=rows) for n in shape), 1)
        check(broja(P), P)


def slow_minimum(P):
    """Smallest joint information by a general solver on the couplings themselves."""
    K, n1, n2 = P.shape
    index = np.arange(P.size).reshape(P.shape)
    sums, targets = [], []
    for y in range(K):
        for i in range(n1):
            sums.append(np.isin(index, index[y, i]).ravel())
            targets.append(P[y, i].sum())
        for j in range(n2 - 1):
            sums.append(np.isin(index, index[y, :, j]).ravel())
            targets.append(P[y, :, j].sum())
    sums = np.array(sums, dtype=float)
    entropy = -(P.sum(axis=(1, 2)) * np.log(P.sum(axis=(1, 2)))).sum()

    def objective(q):
        Q = np.maximum(q.reshape(P.shape), 1e-15)
        ratio = np.log(Q / Q.sum(axis=0))
        return (Q * ratio).sum() + entropy, ratio.ravel()

    independent = (P.sum(axis=2)[:, :, None] * P.sum(axis=1)[:, None, :]) / P.sum(
        axis=(1, 2)
    )[:, None, None]
    found = minimize(
        objective,
        independent.ravel(),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * P.size,
        constraints={
            "type": "eq",
            "fun": lambda q: sums @ q - targets,
            "jac": lambda q: sums,
        },
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    assert np.abs(sums @ found.x - targets).max() < 1e-8
    return found.fun / math.log(2)


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 3, 3), (3, 2, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_a_general_solver_finds_the_same_minimum(shape, seed):
    P = dirichlet(shape, seed=seed)
    result = broja(P)
    least = result.unique[0] + result.mutual_information.second
    assert least == pytest.approx(slow_minimum(P), abs=1e-6)


@pytest.mark.parametrize("max_iter", [1, 2, 4])
def test_too_few_iterations_warn_and_the_gap_still_holds(max_iter):
    for seed in range(3):
        P = dirichlet((3, 6, 5), seed=seed)
        exact = broja(P)
        with pytest.warns(UncertifiedWarning, match="Got a duality gap of .* bit"):
            rough = broja(P, max_iter=max_iter)
        assert rough.n_iter == max_iter
        assert rough.duality_gap > 1e-9
        assert rough.marginal_violation < 1e-14
        error = np.abs(parts(rough) - parts(exact)).max()
        assert error <= rough.duality_gap
        # The bound is of use: not orders of magnitude above the error.
        assert rough.duality_gap < 1.0
        np.testing.assert_allclose(
            parts(rough).sum(), rough.mutual_information.joint, atol=1e-12
        )
    assert issubclass(UncertifiedWarning, SkmissingWarning)


def test_the_tolerance_decides_on_the_warning():
    P = dirichlet((3, 6, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gap = broja(P, max_iter=4).duality_gap
    broja(P, max_iter=4, tol=gap * 1.01)
    with pytest.warns(UncertifiedWarning, match=f"{gap:.2g} bit after 4 iterations"):
        broja(P, max_iter=4, tol=gap * 0.99)


def test_a_tolerance_below_rounding_is_reported():
    with pytest.warns(UncertifiedWarning, match="expected at most tol=1e-30"):
        result = broja(dirichlet((3, 6, 5)), tol=1e-30)
    assert result.duality_gap < 1e-12


def test_result_is_frozen_and_plain():
    result = broja(gate(and_))
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.redundant = 0.0
    for value in (*parts(result), *result.mutual_information, result.duality_gap):
        assert isinstance(float(value), float)
    assert type(result.redundant) is type(result.unique[0]) is float
    assert type(result.n_iter) is int


@pytest.mark.parametrize(
    ("P", "error", "message"),
    [
        (np.ones((2, 2)), ValueError, r"Got P with shape \(2, 2\), expected three"),
        (np.ones((0, 2, 2)), ValueError, r"Got P with shape \(0, 2, 2\), .* at least"),
        (np.zeros((2, 2, 2)), ValueError, "Got P with zeros only, expected"),
        (np.full((2, 2, 2), -1.0), ValueError, "Got P with the entry -1, expected"),
        (np.full((2, 2, 2), np.nan), ValueError, "Got P with NaN or infinite"),
        (np.full((2, 2, 2), np.inf), ValueError, "Got P with NaN or infinite"),
        (np.full((2, 2, 2), "a"), TypeError, "Got P of dtype <U1, expected real"),
        (np.ones((2, 2, 2), dtype=complex), TypeError, "Got P of dtype complex128"),
        (np.ones((2, 2, 2), dtype=object), TypeError, "Got P of dtype object"),
    ],
)
def test_bad_tables(P, error, message):
    with pytest.raises(error, match=message):
        broja(P)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"tol": 0}, ValueError, "Got tol=0, expected a positive number"),
        ({"tol": np.nan}, ValueError, "Got tol=nan, expected a positive"),
        ({"tol": "1"}, TypeError, "Got tol='1', expected a positive"),
        ({"tol": True}, TypeError, "Got tol=True, expected a positive"),
        ({"max_iter": 0}, ValueError, "Got max_iter=0, expected a positive integer"),
        ({"max_iter": 2.0}, TypeError, "Got max_iter=2.0, expected a positive integ"),
    ],
)
def test_bad_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        broja(np.ones((2, 2, 2)), **parameters)


def test_marginals_that_do_not_fit():
    with pytest.raises(ValueError, match="Got A and B with class totals that differ"):
        union_information(np.array([[0.5], [0.5]]), np.array([[0.2, 0.2], [0.3, 0.3]]))


def test_the_violation_is_measured_against_both_marginals():
    P = dirichlet((2, 4, 3))
    A, B = P.sum(axis=2), P.sum(axis=1)
    shift = np.array([[4e-10], [-4e-10]]) / B.shape[1]
    # The class totals of the first table are kept, the second gives in to them.
    for first, second, giving in [(A, B + shift, B), (B + shift, A, A)]:
        result = union_information(first, second)
        expected = 4e-10 * (giving / giving.sum(axis=1, keepdims=True)).max()
        assert result.marginal_violation == pytest.approx(expected, rel=1e-3)
