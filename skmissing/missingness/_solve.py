"""Intercepts that make missing rates come out as asked for.

Given the row, blocks are hidden independently with probability
``expit(intercept + score)``, or so under the condition that not every block of the
row is hidden. In both cases the hidden blocks follow an exponential family whose
natural parameters are the intercepts, so rates are gradients of a convex function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from scipy.special import expit, log_expit, logit

# Largest accepted difference between a wanted and a solved rate.
RATE_TOLERANCE = 1e-6


def _solve_intercept(scores: np.ndarray, rate: float) -> float:
    """Find ``a`` with ``mean(expit(a + scores)) == rate``."""
    # At the ends every single term is below, or above, the rate.
    low = logit(rate) - scores.max() - 1.0
    high = logit(rate) - scores.min() + 1.0
    root = brentq(lambda a: expit(a + scores).mean() - rate, low, high, xtol=1e-12)
    return float(root)


def _bounded(eta: np.ndarray) -> np.ndarray:
    """Keep ``1 - expit`` above the smallest float, where quotients of it are taken."""
    return np.clip(eta, -700.0, 700.0)


@dataclass(frozen=True)
class HidingModel:
    """Independent draws of hidden blocks, conditioned in the rows ``constrained``.

    There at least one block is kept. ``log_hide`` (n, n_modalities) has the logarithms
    of the probabilities of hiding before that condition, of which ``intercept``
    (n_modalities,) are parameters.
    """

    intercept: np.ndarray
    log_hide: np.ndarray
    constrained: np.ndarray

    @property
    def log_all(self) -> np.ndarray:
        """Log probability of hiding all of a constrained row, before the condition."""
        return self.log_hide.sum(axis=1)[self.constrained]

    def hidden_probability(self) -> np.ndarray:
        """Marginal probability that each block is hidden."""
        hidden = np.exp(self.log_hide)
        # P(hidden | not all) = p (1 - prod of the others) / (1 - prod of all). The
        # difference of logs keeps its digits where every p is next to 1.
        log_all = self.log_all[:, None]
        others = log_all - self.log_hide[self.constrained]
        hidden[self.constrained] *= np.expm1(others) / np.expm1(log_all)
        return hidden

    def kept_probability(self, index: list[int]) -> np.ndarray:
        """Probability that a row keeps all blocks of some modalities."""
        out = np.prod(-np.expm1(self.log_hide[:, index]), axis=1)
        # A kept block makes the condition true by itself.
        out[self.constrained] /= -np.expm1(self.log_all)
        return out

    def draw(self, uniform: np.ndarray) -> np.ndarray:
        """Draw hidden blocks exactly, one modality after the other."""
        out = np.empty(self.log_hide.shape, dtype=bool)
        # Log probability that this and all later modalities are hidden; of none, 0.
        tail = np.cumsum(self.log_hide[:, ::-1], axis=1)[:, ::-1]
        tail = np.column_stack([tail, np.zeros(len(tail))])
        open_rows = self.constrained.copy()
        for m in range(len(self.intercept)):
            p = np.exp(self.log_hide[:, m])
            # No block kept so far: condition on this or a later one being kept.
            now, later = tail[open_rows, m], tail[open_rows, m + 1]
            with np.errstate(invalid="ignore", divide="ignore"):
                # 0 / 0 only where this and all later ones cannot be kept, which an
                # open row never reaches.
                p[open_rows] *= np.expm1(later) / np.expm1(now)
            out[:, m] = uniform[:, m] < p
            open_rows &= out[:, m]
        return out


def check_feasible(rates: np.ndarray, present: np.ndarray, names: list[str]) -> None:
    """Refuse rates that no draw with one kept block per row can have."""
    n_modalities = len(names)
    if present.all():
        if rates.sum() > n_modalities - 1 + 1e-9:
            raise ValueError(
                f"Got missing rates that sum to {rates.sum():.4g} over {n_modalities} "
                f"modalities, expected at most {n_modalities - 1} with keep_one=True."
            )
        return
    # Rows whose blocks all lie in a set S need one kept block each out of S; by the
    # theorem of max-flow and min-cut these conditions are also sufficient.
    kept = (1.0 - rates) * present.sum(axis=0)
    found, count = np.unique(present, axis=0, return_counts=True)
    # Where a block is never hidden, and where there is none, nothing is needed.
    needs = found.any(axis=1) & ~found[:, rates <= 0].any(axis=1)
    found, count = found[needs], count[needs]
    chosen = _tightest_set(found, count, kept)
    inside = ~found[:, ~chosen].any(axis=1)
    need, have = int(count[inside].sum()), kept[chosen].sum()
    if have < need * (1.0 - 1e-9):
        chosen_names = [name for name, c in zip(names, chosen) if c]
        raise ValueError(
            f"Got missing rates that keep {have:.1f} blocks of {chosen_names}, "
            f"expected at least {need} with keep_one=True, the number of rows that "
            "have no other modality."
        )


def _tightest_set(found: np.ndarray, count: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The modalities of a minimum cut between patterns and the blocks to be kept.

    Patterns send their rows to modalities that they have, which take as many as blocks
    are kept.
    """
    n_patterns, n_modalities = found.shape
    source, sink = n_patterns + n_modalities, n_patterns + n_modalities + 1
    # Flows are integers: the unit is a part of a row, the smallest that 32 bits hold.
    unit = (2**31 - 1) // max(2 * int(count.sum()), 1)
    pattern, modality = np.nonzero(found)
    edges = np.concatenate(
        [
            np.column_stack([pattern, n_patterns + modality, count[pattern] * unit]),
            np.column_stack(
                [np.full(n_patterns, source), np.arange(n_patterns), count * unit]
            ),
            np.column_stack(
                [
                    n_patterns + np.arange(n_modalities),
                    np.full(n_modalities, sink),
                    np.ceil(np.minimum(kept, count.sum()) * unit).astype(np.int64),
                ]
            ),
        ]
    )
    # Older versions of SciPy take no larger indices.
    start, stop, flow = edges.T.astype(np.int32)
    graph = csr_array((flow, (start, stop)), shape=(sink + 1, sink + 1))
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, source, return_predecessors=False)
    return np.isin(n_patterns + np.arange(n_modalities), reached)


def solve_model(
    offsets: np.ndarray, present: np.ndarray, rates: np.ndarray, keep_one: bool
) -> HidingModel:
    """Find the model of given rates, and of scores in units of log odds."""
    intercept = np.where(rates >= 1.0, np.inf, -np.inf)
    solve = np.flatnonzero((rates > 0) & (rates < 1) & present.any(axis=0))
    can_hide = present[:, solve]
    constrained = np.zeros(present.shape[0], dtype=bool)
    if keep_one:
        # A block that is never hidden keeps its row from being empty.
        safe = np.any(present[:, rates <= 0], axis=1)
        constrained = np.any(can_hide, axis=1) & ~safe
    if len(solve) and constrained.any():
        intercept[solve] = _solve_conditioned(
            offsets[:, solve], can_hide, constrained, rates[solve]
        )
    else:
        for m in solve:
            intercept[m] = _solve_intercept(offsets[present[:, m], m], rates[m])
    log_hide = np.zeros(present.shape)
    log_hide[:, rates <= 0] = -np.inf
    log_hide[:, solve] = log_expit(_bounded(intercept[solve] + offsets[:, solve]))
    # What is missing already cannot be kept.
    log_hide[~present] = 0.0
    return HidingModel(intercept, log_hide, constrained)


def _solve_conditioned(
    scores: np.ndarray, can_hide: np.ndarray, constrained: np.ndarray, rates: np.ndarray
) -> np.ndarray:
    """Intercepts whose rates hold after conditioning on one kept block per row."""
    n_have = can_hide.sum(axis=0)
    columns = zip(scores.T, can_hide.T, rates)
    a = np.array([_solve_intercept(s[mine], rate) for s, mine, rate in columns])

    def potential(a: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Convex function whose gradient is the error in the number of hidden blocks.

        Everything is divided by the number of rows that have the block, which makes
        the gradient the error of the rate and the steps independent of n.
        """
        eta = _bounded(a + scores)
        log_hide = np.where(can_hide, log_expit(eta), 0.0)
        model = HidingModel(a, log_hide, constrained)
        hidden = np.where(can_hide, model.hidden_probability(), 0.0)
        value = np.where(can_hide, -log_expit(-eta), 0.0).sum()
        value += np.log(-np.expm1(model.log_all)).sum()
        value -= (rates * n_have) @ a
        gradient = hidden.sum(axis=0) - rates * n_have
        # Second moments: P(j and k hidden | not all) = p_j p_k (1 - rest) / (1 - all).
        second = np.einsum("ij,ik->jk", hidden[~constrained], hidden[~constrained])
        part, total = log_hide[constrained], model.log_all[:, None, None]
        pair = part[:, :, None] + part[:, None, :]
        both = np.exp(pair) * np.expm1(total - pair) / np.expm1(total)
        inside = can_hide[constrained]
        both *= inside[:, :, None] & inside[:, None, :]
        second += both.sum(axis=0)
        np.fill_diagonal(second, hidden.sum(axis=0))
        hessian = second - hidden.T @ hidden
        return float(value) / len(scores), gradient / n_have, hessian / len(scores)

    value, error, hessian = potential(a)
    damping = 1e-6
    for _ in range(500):
        if np.abs(error).max() < RATE_TOLERANCE * 1e-3:
            break
        gradient = error * n_have / len(scores)
        step = np.linalg.solve(hessian + damping * np.eye(len(a)), gradient)
        new = potential(a - step)
        # Near the minimum the value alone does not show an improvement.
        if new[0] < value or np.abs(new[1]).max() < np.abs(error).max():
            a = a - step
            value, error, hessian = new
            damping = max(damping / 10.0, 1e-15)
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    if not np.abs(error).max() < RATE_TOLERANCE:
        raise RuntimeError(
            f"Got rates off by {np.abs(error).max():.2g} after the last iteration, "
            f"expected less than {RATE_TOLERANCE:g}; try a smaller strength."
        )
    return a
