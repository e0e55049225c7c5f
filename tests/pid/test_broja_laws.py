"""Invariances of the decomposition, degenerate tables, and the certificate itself."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skmissing._utils._threads import single_thread
from skmissing.pid import broja
from skmissing.pid.solver import union_information
from skmissing.pid.solver._certificate import certify, negative_entropy, repair
from skmissing.pid.solver._interior_point import interior_point
from skmissing.pid.solver._newton import NewtonSystem

from .test_broja import and_, check, dirichlet, gate, information, parts, xor

SHAPES = [(2, 2, 2), (2, 5, 5), (3, 4, 7), (4, 6, 3)]


def tables():
    for shape in SHAPES:
        for concentration in (0.1, 1.0):
            yield dirichlet(shape, concentration, seed=7)
    yield gate(and_, 0.8, 0.5)
    yield gate(xor, 0.3, 0.6)


def same(first, second, atol=1e-12):
    np.testing.assert_allclose(parts(first), parts(second), atol=atol, rtol=0)
    np.testing.assert_allclose(
        first.mutual_information, second.mutual_information, atol=atol, rtol=0
    )


def test_swapping_the_sources_swaps_the_unique_parts():
    for P in tables():
        result, swapped = broja(P), broja(P.transpose(0, 2, 1))
        u1, u2, redundant, synergistic = parts(result)
        expected = [u2, u1, redundant, synergistic]
        np.testing.assert_allclose(parts(swapped), expected, atol=1e-12)
        first, second, joint = result.mutual_information
        np.testing.assert_allclose(
            swapped.mutual_information, [second, first, joint], atol=1e-12
        )


def test_scale_and_type_of_the_entries_change_nothing():
    for P in tables():
        result = broja(P)
        for scale in (3.0, 1e-7, 1e300, 12345.678):
            same(result, broja(P * scale))
    # Their sum is infinite.
    same(broja(np.ones((2, 2, 2))), broja(np.full((2, 2, 2), 1e308)))
    counts = np.random.default_rng(0).integers(0, 9, size=(3, 4, 5))
    result = broja(counts)
    for other in (
        counts.astype(np.float32),
        counts.astype(np.uint8),
        counts.tolist(),
        counts / 7.0,
    ):
        same(result, broja(other))
    same(broja(counts > 3), broja((counts > 3).astype(int)))


def test_the_input_is_left_alone():
    P = dirichlet((3, 4, 5))
    before = P.copy()
    broja(P)
    np.testing.assert_array_equal(P, before)


def test_relabelling_states_changes_nothing():
    rng = np.random.default_rng(0)
    for P in tables():
        result = broja(P)
        order = [rng.permutation(n) for n in P.shape]
        permuted = broja(P[np.ix_(*order)])
        same(result, permuted)


def test_the_coupling_is_given_in_the_order_of_the_states():
    # Others may be as good, but the one that is found does not depend on the order
    # where no points of the two curves lie on one line.
    # With more than two classes the objective is flat near it, hence the square root.
    for shape, tolerance in (((2, 2, 3), 1e-12), ((2, 9, 7), 1e-12), ((3, 2, 4), 1e-5)):
        P = dirichlet(shape, seed=3)
        order = np.ix_(*(np.roll(np.arange(n)[::-1], 1) for n in shape))
        np.testing.assert_allclose(
            broja(P[order]).coupling, broja(P).coupling[order], atol=tolerance
        )


@pytest.mark.parametrize("axis", [1, 2])
def test_splitting_states_of_equal_posterior_changes_nothing(axis):
    rng = np.random.default_rng(1)
    for P in tables():
        # Halves of very different size among them.
        share = 10.0 ** -rng.integers(0, 9, size=P.shape[axis]) * rng.random()
        share = np.expand_dims(share, axis=[a for a in (0, 1, 2) if a != axis])
        split = np.concatenate([P * share, P * (1 - share)], axis=axis)
        result = broja(split)
        same(broja(P), result)
        check(result, split)


def test_almost_equal_posteriors():
    P = dirichlet((3, 4, 5))
    for size in (1e-14, 1e-11, 1e-9, 1e-5):
        noise = 1 + size * np.random.default_rng(2).random(P.shape)
        split = np.concatenate([P, P * noise], axis=1)
        result = broja(split)
        check(result, split)
        np.testing.assert_allclose(parts(result), parts(broja(P)), atol=10 * size)


def test_empty_states_and_classes_change_nothing():
    for P in tables():
        padded = np.zeros([n + 2 for n in P.shape])
        padded[1:-1, 1:-1, 1:-1] = P
        result = broja(padded)
        same(broja(P), result)
        check(result, padded)


def test_merging_states_cannot_raise_information():
    for P in tables():
        if P.shape[1] == 2:
            continue
        merged = np.concatenate([P[:, :1] + P[:, 1:2], P[:, 2:]], axis=1)
        before, after = broja(P), broja(merged)
        least = [r.unique[0] + r.mutual_information.second for r in (before, after)]
        assert least[1] <= least[0] + 1e-12
        assert after.mutual_information.first <= before.mutual_information.first


def test_a_source_that_says_nothing():
    for P in tables():
        constant = P.sum(axis=2, keepdims=True)
        result = broja(constant)
        check(result, constant)
        whole = information(constant)
        np.testing.assert_allclose(parts(result), [whole, 0, 0, 0], atol=1e-12)
        independent = constant * np.array([0.2, 0.3, 0.5])
        same(result, broja(independent))
        flipped = broja(independent.transpose(0, 2, 1))
        np.testing.assert_allclose(parts(flipped), [0, whole, 0, 0], atol=1e-12)
        check(flipped, independent.transpose(0, 2, 1))


def test_a_source_that_copies_the_other():
    for P in tables():
        T = P.sum(axis=2)
        copy = T[:, :, None] * np.eye(T.shape[1])
        result = broja(copy)
        check(result, copy)
        np.testing.assert_allclose(parts(result), [0, 0, information(T), 0], atol=1e-11)


def test_a_source_that_is_a_function_of_the_other():
    rng = np.random.default_rng(3)
    for P in tables():
        T = P.sum(axis=2)
        chosen = np.eye(3)[rng.integers(3, size=T.shape[1])]
        function = T[:, :, None] * chosen
        result = broja(function)
        check(result, function)
        coarse = information(function.sum(axis=1))
        expected = [information(T) - coarse, 0, coarse, 0]
        np.testing.assert_allclose(parts(result), expected, atol=1e-11)


def test_a_source_that_is_a_noisy_version_of_the_other():
    for P in tables():
        T = P.sum(axis=2)
        noisy = T[:, :, None] * dirichlet((T.shape[1], 4)) * T.shape[1]
        noisy /= noisy.sum()
        channel = noisy.sum(axis=0) / noisy.sum(axis=(0, 2))[:, None]
        noisy = T[:, :, None] * channel
        result = broja(noisy)
        check(result, noisy)
        assert result.unique[1] < 1e-11
        assert result.synergistic < 1e-11


def test_independent_pairs_add():
    for one, two in [
        (gate(and_), dirichlet((2, 2, 2), seed=1)),
        (dirichlet((2, 3, 2), seed=2), dirichlet((2, 2, 4), seed=3)),
    ]:
        P = np.einsum("yij,zkl->yzikjl", one, two)
        K, n1, n2 = (a * b for a, b in zip(one.shape, two.shape))
        P = P.reshape(K, n1, n2)
        result = broja(P)
        check(result, P)
        expected = parts(broja(one)) + parts(broja(two))
        np.testing.assert_allclose(parts(result), expected, atol=1e-11)


def blocks():
    P = np.zeros((4, 6, 6))
    P[:2, :3, :3] = dirichlet((2, 3, 3), seed=1)
    P[2:, 3:, 3:] = dirichlet((2, 3, 3), seed=2)
    return P


def scattered(share, seed):
    rng = np.random.default_rng(seed)
    P = rng.random((4, 7, 6)) * (rng.random((4, 7, 6)) < share)
    P[0, 0, 0] = 1.0
    return P


def almost_deterministic(size, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=(6, 5))
    P = rng.random((3, 6, 5)) * (y == np.arange(3)[:, None, None])
    return P + size * rng.random(P.shape)


def almost_a_function(seed):
    """X2 is a function of X1 but for states of next to no mass."""
    rng = np.random.default_rng(seed)
    T = dirichlet((5, 6), seed=seed)
    P = T[:, :, None] * np.eye(6)[rng.integers(2, size=6)]
    return P + 1e-12 * rng.random(P.shape)


def imbalanced(seed):
    rng = np.random.default_rng(seed)
    P = rng.random((4, 6, 5))
    for axis, n in enumerate(P.shape):
        rare = np.expand_dims(
            10.0 ** -rng.integers(0, 12, size=n), [a for a in (0, 1, 2) if a != axis]
        )
        P = P * rare
    return P


DEGENERATE = {
    "one entry": np.ones((1, 1, 1)),
    "one class": dirichlet((1, 4, 5)),
    "one of two classes": dirichlet((1, 4, 5)) * np.array([0, 1])[:, None, None],
    "one state each": np.array([0.2, 0.8]).reshape(2, 1, 1),
    "one state of the first": dirichlet((3, 1, 4)),
    "uniform": np.ones((3, 4, 5)),
    "parity": (np.indices((2, 4, 4)).sum(axis=0) % 2).astype(float),
    "blocks": blocks(),
    **{f"scattered {s}": scattered(0.3, s) for s in range(5)},
    **{f"very scattered {s}": scattered(0.1, s) for s in range(5)},
    **{
        f"almost deterministic, {size:g}": almost_deterministic(size, seed)
        for seed, size in enumerate([0, 1e-6, 1e-9, 1e-12, 1e-15, 1e-20, 1e-300])
    },
    **{f"imbalanced {s}": imbalanced(s) for s in range(5)},
    **{f"almost a function {s}": almost_a_function(s) for s in range(5)},
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_tables(name):
    P = DEGENERATE[name]
    check(broja(P), P)


@pytest.mark.parametrize("name", ["one entry", "one class", "one of two classes"])
def test_a_constant_target_has_no_information(name):
    result = broja(DEGENERATE[name])
    assert not parts(result).any()
    assert result.duality_gap == 0.0


def test_heavy_tails_do_not_jam():
    """Entries over twenty orders of magnitude, where plain steps hit the boundary."""
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(60):
        P = np.exp(10.0 * rng.normal(size=rng.integers(2, 7, size=3)))
        P /= P.sum()
        result = union_information(P.sum(axis=2), P.sum(axis=1))
        missed += result.duality_gap > 1e-9
    assert missed <= 1  # 3 without the steps back to the centre


def test_lower_bound_from_first_principles():
    P = dirichlet((3, 4, 5), seed=4)
    A, B = P.sum(axis=2), P.sum(axis=1)
    found = interior_point(A.T.copy(), B, 1e-13, 1e-9, 100)
    L, M = found.L, found.M
    # Shift every potential of the first source until each cell is feasible.
    total = 0.0
    for i in range(4):
        worst = max(
            math.log(sum(math.exp(L[i, y] + M[y, j]) for y in range(3)))
            for j in range(5)
        )
        total += sum((L[i, y] - worst) * A[y, i] for y in range(3))
    total += sum(M[y, j] * B[y, j] for y in range(3) for j in range(5))
    totals = P.sum(axis=(1, 2))
    lower = (total - sum(p * math.log(p) for p in totals)) / math.log(2)
    result = broja(P)
    least = result.unique[0] + result.mutual_information.second
    assert lower <= least + 1e-14
    assert least - lower < 1e-12


def test_bounds_hold_for_any_potentials_and_any_coupling():
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        P = dirichlet(shape, seed=1)
        A, B = P.sum(axis=2).T.copy(), P.sum(axis=1)
        totals = P.sum(axis=(1, 2))
        entropy = -(totals * np.log2(totals)).sum()
        exact = union_information(A.T, B).value - entropy
        for scale in (0.1, 1.0, 5.0):
            L, M = scale * rng.normal(size=A.shape), scale * rng.normal(size=B.shape)
            Q = rng.random((shape[1], shape[0], shape[2])) ** 8
            bounds = certify(A, B, L, M, Q)
            assert bounds.lower / math.log(2) <= exact + 1e-14
            assert bounds.upper / math.log(2) >= exact - 1e-14
            np.testing.assert_allclose(bounds.coupling.sum(axis=2), A, atol=1e-15)
            np.testing.assert_allclose(bounds.coupling.sum(axis=0), B, atol=1e-15)
            assert (bounds.coupling >= 0).all()
            assert bounds.upper == negative_entropy(bounds.coupling)


def test_repair_costs_second_order_only():
    P = dirichlet((2, 5, 6), seed=1)
    A, B = P.sum(axis=2).T.copy(), P.sum(axis=1)
    found = interior_point(A, B, 1e-13, 1e-9, 100)
    noise = np.random.default_rng(0).normal(size=found.bounds.coupling.shape)
    for size in (1e-3, 1e-4, 1e-5):
        Q = repair(A, B, found.bounds.coupling * (1 + size * noise))
        np.testing.assert_allclose(Q.sum(axis=2), A, atol=1e-15)
        assert negative_entropy(Q) - found.bounds.upper < 10 * size**2 + 1e-15


def test_repair_of_rows_that_are_far_too_small():
    """Factors are limited: what one round may not do, a second one does."""
    for seed in range(3):
        P = dirichlet((2, 4, 3), seed=seed).transpose(1, 0, 2)
        Q = P * np.array([0.02, 0.05, 3.0, 1.0])[:, None, None]
        found = repair(P.sum(axis=2), P.sum(axis=0), Q)
        np.testing.assert_allclose(found, P, atol=1e-15)


def blas_threads():
    return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]


def test_threads_are_restored_and_do_not_matter():
    P = dirichlet((4, 30, 30))
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with single_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError), single_thread():
            raise ZeroDivisionError
        assert blas_threads() == before
        result = broja(P)
        assert blas_threads() == before
        with ThreadPoolExecutor(2) as pool:
            waiting = pool.map(broja, [P] * 6)
            here = [broja(P) for _ in range(3)]
            there = list(waiting)
        assert blas_threads() == before
    with threadpool_limits(limits=1, user_api="blas"):
        here.append(broja(P))
    for other in here:
        np.testing.assert_array_equal(parts(other), parts(result))
        np.testing.assert_array_equal(other.coupling, result.coupling)
    for other in there:
        same(other, result)


@pytest.mark.parametrize(
    ("shape", "concentration"), [((2, 2, 2), 0.1), ((4, 3, 3), 0.03)]
)
def test_small_tables_of_uneven_entries(shape, concentration):
    for seed in range(80):
        P = dirichlet(shape, concentration, seed)
        result = union_information(P.sum(axis=2), P.sum(axis=1))
        assert result.duality_gap < 1e-9


@pytest.mark.parametrize("seed", [1, 126, 295, 329])
def test_steps_do_not_cycle(seed):
    """Steps that trust the linearised constraints too far do, on these tables."""
    P = dirichlet((2, 2, 2), 0.1, seed)
    result = broja(P)
    check(result, P)
    assert result.n_iter < 40


def test_a_breakdown_ends_in_valid_bounds():
    """Entries over a hundred orders of magnitude: certified or said not to be."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        P = np.exp(40.0 * rng.normal(size=rng.integers(2, 7, size=3)))
        P /= P.sum()
        result = union_information(P.sum(axis=2), P.sum(axis=1))
        assert result.marginal_violation < 1e-14
        assert np.isfinite(result.value)
        assert result.duality_gap >= 0
        entries = result.coupling
        assert (entries >= 0).all()
        assert information(entries) == pytest.approx(result.value, abs=1e-12)


def test_a_violation_at_a_rare_state_costs_next_to_nothing():
    P = dirichlet((2, 4, 3), seed=5)
    for axis, rare in [(1, P[:, :1]), (2, P[:, :, :1])]:
        P_rare = np.concatenate([P, 1e-12 * rare], axis=axis)
        A, B = P_rare.sum(axis=2).T.copy(), P_rare.sum(axis=1)
        found = interior_point(A, B, 1e-13, 1e-9, 100)
        L, M = found.L.copy(), found.M.copy()
        (L[-1:] if axis == 1 else M[:, -1:])[...] += 0.3
        bounds = certify(A, B, L, M, found.bounds.coupling)
        assert found.bounds.lower - bounds.lower < 1e-11


def test_newton_system_solves_the_matrix_of_its_definition():
    rng = np.random.default_rng(0)
    n1, K, n2 = 4, 3, 2
    p = rng.dirichlet(np.ones(K), size=(n1, n2)).transpose(0, 2, 1)
    R, s = rng.random((n1, n2)), rng.random((n1, n2))
    matrix = np.zeros((K * (n1 + n2),) * 2)
    for i in range(n1):
        for j in range(n2):
            q = p[i, :, j]
            cell = R[i, j] * (np.diag(q) - np.outer(q, q))
            cell += R[i, j] / s[i, j] * np.outer(q, q)
            # Entries L[i, :] and M[:, j] of the variables.
            place = np.zeros((K, len(matrix)))
            place[range(K), K * i + np.arange(K)] = 1.0
            place[range(K), K * n1 + n2 * np.arange(K) + j] = 1.0
            matrix += place.T @ cell @ place
    solution = rng.normal(size=len(matrix))
    right = matrix @ solution
    system = NewtonSystem(p, R, s, np.ones((K, n2), dtype=bool))
    dL, dM, mean = system.solve(
        right[: K * n1].reshape(n1, K), right[K * n1 :].reshape(K, n2), refine=False
    )
    got = matrix @ np.concatenate([dL.ravel(), dM.ravel()])
    np.testing.assert_allclose(got, right, atol=1e-12)
    expected = (p * (dL[:, :, None] + dM)).sum(axis=1)
    np.testing.assert_allclose(mean, expected, atol=1e-12)
    # The gauge does not drift.
    assert np.abs(np.concatenate([dL.ravel(), dM.ravel()])).max() < 100


def test_attempts_share_the_iterations(monkeypatch):
    monkeypatch.setattr("skmissing.pid.solver._interior_point.PATIENCE", 3)
    P = dirichlet((4, 5, 6))
    A, B = P.sum(axis=2), P.sum(axis=1)
    first = np.ascontiguousarray(A.T)
    assert interior_point(first, B, 1e-13, 1e-9, 200).n_iter == 9
    assert interior_point(first, B, 1e-13, 1e-9, 5).n_iter == 5
    # More iterations never give a worse bound.
    gaps = [interior_point(first, B, 1e-13, 1e-9, n).gap for n in (3, 5, 9)]
    assert gaps == sorted(gaps, reverse=True)
    # Those of a stack count as well.
    assert union_information(A, B, max_iter=5).n_iter == 5
    gaps = [union_information(A, B, max_iter=n).duality_gap for n in (3, 5, 9)]
    assert gaps == sorted(gaps, reverse=True)


def test_the_gap_allows_for_rounding():
    """Sums of n terms are not exact, also where both bounds agree to the last digit."""
    for seed in range(20):
        P = np.random.default_rng(seed).dirichlet(np.ones(12)).reshape(3, 4, 1)
        found = broja(P)
        # The potentials are the logarithms of the posterior here.
        joint = P[:, :, 0]
        entropy = -(joint * np.log(joint / joint.sum(axis=0))).sum()
        allowance = 8 * np.finfo(float).eps * entropy / np.log(2)
        assert 0.999 * allowance <= found.duality_gap < 1e-13
