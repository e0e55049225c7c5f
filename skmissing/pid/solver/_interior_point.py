"""Primal-dual interior-point method for the minimum of the joint information."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._certificate import Solution, cell_softmax, certify
from ._newton import NewtonSystem

# Shares of the way to the boundary, one after the other until a run succeeds. The
# first is the fast one; tables whose entries span ten orders of magnitude may jam
# against the boundary with it, and the others take different paths.
ATTEMPTS = (0.99, 0.9, 0.7)
# Iterations of one attempt. Runs that succeed take 5 to 25, hardly ever more than 40.
PATIENCE = 60
# A primal step below this is tried once more towards the centre.
SHORT = 0.1
# A dual step is halved while a constraint comes out larger by more than this than it
# would be if it were linear: steps that trust the linearisation further can cycle.
CURVATURE = 0.3
# Gap in nats below which steps are refined: rounding is no concern before.
REFINE = 1e-8
# Multiple of the goal below which the sum of R s may belong to a gap that reaches it.
CHANCE = 2.0
# The gap aimed at is not below this share of what the dual residual is worth. Where
# classes are very rare, the residual falls more slowly than the gap could.
RESIDUAL_SHARE = 0.1


class _State(NamedTuple):
    """Potentials, multipliers and slacks, and the softmax of the potentials."""

    L: np.ndarray
    M: np.ndarray
    R: np.ndarray
    s: np.ndarray
    g: np.ndarray
    p: np.ndarray


def interior_point(
    A: np.ndarray, B: np.ndarray, goal: float, tol: float, max_iter: int
) -> Solution:
    """Maximise the dual and recover the coupling.

    An attempt stops at the gap ``goal`` (nats); at ``tol`` no further one is made.

    Maximise ``sum A L + sum B M`` subject to
    ``g(i, j) = logsumexp_y(L[i, y] + M[y, j]) <= 0`` in every cell. The multipliers R
    of the constraints are the marginal ``Q(x1, x2)``, ``p = softmax_y(L + M)`` is
    ``Q(y | x1, x2)``. Slacks ``s`` are variables of their own, with the residual
    ``g + s``: a path that had to keep ``g < 0`` by line search takes many times the
    iterations. The steps are those of Mehrotra's predictor and corrector.
    """
    best, n_iter = None, 0
    for stay in ATTEMPTS:
        found = _attempt(A, B, goal, min(PATIENCE, max_iter - n_iter), stay)
        n_iter += found.n_iter
        if best is None or found.gap < best.gap:
            best = found
        if best.gap <= tol or n_iter >= max_iter:
            break
    assert best is not None
    return best._replace(n_iter=n_iter)


def _attempt(
    A: np.ndarray, B: np.ndarray, goal: float, max_iter: int, stay: float
) -> Solution:
    mass_a, mass_b = A.sum(axis=1), B.sum(axis=0)
    # Cells that no class can reach are no constraints. They stay in the arrays with
    # R = 0 and s = 1, where they add nothing to any sum.
    alive = (A > 0).astype(np.float64) @ (B > 0) > 0
    with np.errstate(divide="ignore"):
        # Naive Bayes, and then down until strictly feasible.
        L = np.log(A / mass_a[:, None])
        M = np.log(B / B.sum(axis=1)[:, None]) - np.log(mass_b)
    g, p = cell_softmax(L, M)
    down = (g.max(axis=1) + 0.1)[:, None]
    L, g = L - down, g - down
    R = np.where(alive, mass_a[:, None] * mass_b, 0.0)
    state = _State(L, M, R, np.where(alive, -g, 1.0), g, p)
    # Cells have the same weight in the barrier as in the start. With equal weights the
    # cells of rare states would have to rise from their own size to that of the others.
    barrier = _Barrier(A, B, alive, R / R.sum(), stay)

    def bounded() -> Solution:
        bounds = certify(A, B, state.L, state.M, state.R[:, None, :] * state.p)
        return Solution(bounds, state.L, state.M, n_iter)

    best: Solution | None = None
    failures = n_iter = 0
    last = np.inf
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for n_iter in range(max_iter + 1):
            product = float((state.R * state.s).sum())
            # The sum of R s is the gap but for residuals. Bounds cost nearly as much
            # as an iteration on small tables: they wait until they have a chance, or
            # until the sum no longer falls fast.
            slow = product > 0.1 * last
            last = product
            if product < CHANCE * goal or (slow and product < 1e4 * goal):
                found = bounded()
                old = np.inf if best is None else best.gap
                if found.gap < old:
                    best = found
                # Rounding ends the progress of some runs before the goal.
                progress = product > 0.1 * old or found.gap < 0.5 * old
                failures = 0 if progress else failures + 1
                if found.gap <= goal or failures == 5:
                    break
            if n_iter == max_iter:
                break
            new = barrier.iterate(state)
            if new is None:
                break
            state = new
            # Where the constraint is really slack, the slack is exact.
            exact = alive & (-state.g > 0.1 * state.s)
            np.copyto(state.s, -state.g, where=exact)
    return (best or bounded())._replace(n_iter=n_iter)


class _Barrier(NamedTuple):
    """Marginals, cells with mass and their weights, and how far a step may reach."""

    A: np.ndarray
    B: np.ndarray
    alive: np.ndarray
    weight: np.ndarray
    stay: float

    def iterate(self, state: _State) -> _State | None:
        """One step of predictor and corrector; None if it breaks down."""
        R, s = state.R, state.s
        try:
            system = NewtonSystem(state.p, R, s, self.B > 0)
        except np.linalg.LinAlgError:
            return None
        # Dead cells have g = -inf, and mean changes of 0 as their p is.
        residual = np.where(self.alive, state.g + s, 0.0)
        load = R * residual
        gap = float((R * s).sum())
        step = _Step(self, state, system, residual, load, gap)
        # Only the order of magnitude of this one matters: it is not refined.
        predicted = step.direction(0.0, refine=False)
        dR, ds = predicted.dR, predicted.ds
        primal, dual = min(1.0, _reach(R, dR)), min(1.0, _reach(s, ds))
        ahead = float(((R + primal * dR) * (s + dual * ds)).sum())
        # Mehrotra's rule for the gap to aim at.
        aim = gap * (ahead / gap) ** 3
        aim = max(aim, RESIDUAL_SHARE * float(np.abs(load).sum()))
        length, new = step.walk(aim * self.weight - dR * ds)
        if length < SHORT:
            # Jammed against the boundary: back to the centre first.
            other, centred = step.walk(gap * self.weight)
            if other > length:
                new = centred
        # Exponents far beyond the range of floats leave nothing to go on from. Entries
        # of L and M are finite or -inf, so that a sum that is NaN has a NaN in it.
        finite = np.isfinite(new.R.sum() + new.s.sum())
        return new if finite and not np.isnan(new.L.sum() + new.M.sum()) else None


class _Direction(NamedTuple):
    """Changes of potentials, multipliers and slacks."""

    dL: np.ndarray
    dM: np.ndarray
    dR: np.ndarray
    ds: np.ndarray


class _Step(NamedTuple):
    """A Newton system with its right-hand sides, from which steps are tried."""

    barrier: _Barrier
    state: _State
    system: NewtonSystem
    residual: np.ndarray
    load: np.ndarray
    gap: float

    def direction(self, product: np.ndarray | float, *, refine: bool) -> _Direction:
        """Step that aims at ``R s = product`` to first order."""
        A, B = self.barrier.A, self.barrier.B
        R, s, p = self.state.R, self.state.s, self.state.p
        right = p * ((product + self.load) / s)[:, None, :]
        dL, dM, mean = self.system.solve(
            A - right.sum(axis=2), B - right.sum(axis=0), refine=refine
        )
        ds = -self.residual - mean
        return _Direction(dL, dM, (product - R * (s + ds)) / s, ds)

    def walk(self, product: np.ndarray) -> tuple[float, _State]:
        """Length of the primal step, and where both steps lead."""
        L, M, R, s, g, p = self.state
        residual = self.residual
        dL, dM, dR, ds = self.direction(product, refine=self.gap < REFINE)
        short_L, short_M = _temper(dL), _temper(dM)
        if short_L is not dL or short_M is not dM:
            dL, dM = short_L, short_M
            ds = -residual - (p * (dL[:, :, None] + dM)).sum(axis=1)
        dual = min(1.0, self.barrier.stay * _reach(s, ds))
        while True:
            new_L, new_M = L + dual * dL, M + dual * dM
            new_g, new_p = cell_softmax(new_L, new_M)
            # The constraints are convex: this is what the linearised ones hide. It is
            # NaN in dead cells.
            error = new_g - (g - dual * (residual + ds))
            if not np.fmax.reduce(error, axis=None) > CURVATURE or dual < SHORT:
                break
            dual *= 0.5
        # Not longer than the dual one: its equations are linearised at the old L, M.
        primal = min(self.barrier.stay * _reach(R, dR), dual)
        new_R, new_s = R + primal * dR, s + dual * ds
        return primal, _State(new_L, new_M, new_R, new_s, new_g, new_p)


def _temper(step: np.ndarray) -> np.ndarray:
    """Limit the change of each potential by itself.

    Mass that is far too small makes the linearised exponential overshoot by orders of
    magnitude; ``1 + log(step)`` is where the exponential itself would be about right.
    Downwards, the limit is 5. Scaling the whole step instead would let one entry of
    negligible mass stop all others.
    """
    if step.max() <= 1.0 and step.min() >= -5.0:
        return step
    up = 1.0 + np.log(np.maximum(step, 1.0))
    return np.where(step > 1.0, up, np.maximum(step, -5.0))


def _reach(x: np.ndarray, dx: np.ndarray) -> float:
    """Largest step that keeps ``x + step dx`` non-negative."""
    # 0 / 0 in dead cells is NaN, which this minimum ignores.
    fall = float(np.fmin.reduce(dx / x, axis=None))
    return -1.0 / fall if fall < 0 else np.inf
