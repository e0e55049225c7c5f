"""Exact population values for two bits and a gate."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

GATES: dict[str, Any] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}
# P(both observed | bit = 0) and the increase for bit = 1, and which bit decides.
MECHANISMS: dict[str, tuple[float, float, int]] = {
    "none": (1.0, 0.0, 0),
    "mcar": (0.5, 0.0, 0),
    "mar": (0.2, 0.6, 0),
    "mnar": (0.2, 0.6, 1),
}
# Axes of P[x1, x2, y] that a set of modalities keeps.
_SETS = {"x1": (0, 2), "x2": (1, 2), "both": (0, 1, 2)}


def gate_oracle(gate: str, mechanism: str) -> dict[str, dict[str, float]]:
    """Population values of one gate, by enumeration of its four states."""
    low, gain, which = MECHANISMS[mechanism]
    true = np.zeros((2, 2, 2))
    observed = np.zeros((2, 2, 2))
    for bits in product((0, 1), repeat=2):
        state = (*bits, int(GATES[gate](*bits)))
        true[state] = 0.25
        observed[state] = 0.25 * (low + gain * bits[which])
    return {"true": _values(true), "observed": _values(observed / observed.sum())}


def _values(table: np.ndarray) -> dict[str, float]:
    """Everything that P[x1, x2, y] determines."""
    out: dict[str, float] = {}
    label_entropy = _entropy(table.sum(axis=(0, 1)))
    information = {}
    for name, axes in _SETS.items():
        rest = tuple(axis for axis in range(3) if axis not in axes)
        part = table.sum(axis=rest).reshape(-1, 2)
        information[name] = label_entropy + _entropy(part.sum(axis=1)) - _entropy(part)
        out[f"auc_{name}"] = _auc(part)
    out["mi_x1"], out["mi_x2"] = information["x1"], information["x2"]
    out["mi_joint"] = information["both"]
    for name, value in information.items():
        out[f"best_log_loss_{name}"] = (label_entropy - value) * np.log(2.0)
    # Bertschinger et al.: the union information is the least joint information among
    # all distributions with the same pairs (x1, y) and (x2, y).
    union = _union_information(table)
    out["unique_x1"] = union - out["mi_x2"]
    out["unique_x2"] = union - out["mi_x1"]
    out["redundant"] = out["mi_x1"] + out["mi_x2"] - union
    out["synergistic"] = out["mi_joint"] - union
    # Rounding and the search leave values such as -1e-16 where the exact value is 0.
    return {
        name: round(float(value), 12) if abs(value) > 1e-8 else 0.0
        for name, value in out.items()
    }


def _entropy(p: np.ndarray) -> float:
    """Entropy in bits."""
    return -float(xlogy(p, p).sum()) / np.log(2.0)


def _auc(part: np.ndarray) -> float:
    """AUC of the Bayes score; part[s, y] is the joint table of state and label."""
    mass = part.sum(axis=1)
    score = np.divide(part[:, 1], mass, out=np.zeros_like(mass), where=mass > 0)
    difference = score[:, None] - score[None, :]
    # States of equal score count half; rounding must not break their tie.
    wins = np.where(np.abs(difference) < 1e-12, 0.5, difference > 0)
    positive, negative = part[:, 1], part[:, 0]
    return float(positive @ wins @ negative / (positive.sum() * negative.sum()))


def _union_information(table: np.ndarray) -> float:
    """Least I(Y; X1, X2) with both pairwise tables kept.

    For two bits each label leaves one free number, Q(1, 1, y), and the objective is
    convex in both: two nested searches on an interval.
    """
    one = table.sum(axis=1)[1]
    two = table.sum(axis=0)[1]
    label = table.sum(axis=(0, 1))
    low, high = np.maximum(0.0, one + two - label), np.minimum(one, two)
    label_entropy = _entropy(label)

    def information(first: float, second: float) -> float:
        both = np.array([first, second])
        q = np.stack([label - one - two + both, two - both, one - both, both])
        q = np.maximum(q, 0.0)
        return label_entropy + _entropy(q.sum(axis=1)) - _entropy(q)

    def inner(first: float) -> float:
        return _least(lambda second: information(first, second), low[1], high[1])

    return _least(inner, low[0], high[0])


def _least(function, low: float, high: float) -> float:
    """Minimum of a convex function on an interval, its ends included."""
    if high - low < 1e-12:
        return function(low)
    inside = minimize_scalar(
        function, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return min(function(low), function(high), float(inside.fun))
