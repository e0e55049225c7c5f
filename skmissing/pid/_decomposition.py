"""The seven figures of one pair of sources."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ._broja import table_information
from .solver import union_information

# Terms of one pair, in the order of every array of figures.
TERMS = (
    "unique", "unique", "redundant", "synergistic",
    "mutual_information", "mutual_information", "mutual_information",
)  # fmt: skip

# Gap (nats) at which the minimum is good enough for a correction of its bias.
ROUGH_GOAL = 1e-10


@dataclass(frozen=True)
class Parts:
    """Decomposition of one pair, in bits.

    Attributes
    ----------
    raw : ndarray of shape (7,)
        Unique to the first and to the second source, redundant, synergistic;
        information of the first, of the second, of both. As estimated: synergy and the
        joint information may be negative.
    value : ndarray of shape (7,)
        The same with the joint information raised to the smallest one that the
        sources allow, where it was below.
    duality_gap, marginal_violation : float
        Certificate of the solver.
    """

    raw: np.ndarray
    value: np.ndarray
    duality_gap: float
    marginal_violation: float


def decompose(first: np.ndarray, second: np.ndarray, joint: float) -> Parts:
    """Decompose the information in two tables."""
    least = union_information(first, second)
    one, two = table_information(first), table_information(second)
    # The same interval as in broja: rounding may not make a part negative.
    value = max(min(least.value, one + two), one, two)
    own = [max(value - two, 0.0), max(value - one, 0.0), max(one + two - value, 0.0)]
    raised = max(joint, value)
    return Parts(
        raw=np.array([*own, joint - value, one, two, joint]),
        value=np.array([*own, raised - value, one, two, raised]),
        duality_gap=least.duality_gap,
        marginal_violation=least.marginal_violation,
    )


def least_information(first: np.ndarray, second: np.ndarray) -> float:
    """Smallest joint information that two tables allow, to about 1e-10 bit."""
    found = union_information(first, second, goal=ROUGH_GOAL).value
    one, two = table_information(first), table_information(second)
    return max(min(found, one + two), one, two)


def correct(raw: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Figures less the bias of the informations that they are made of."""
    one, two, joint = (raw[:, 4:] - bias[:, :3]).T
    least = raw[:, 0] + raw[:, 5] - bias[:, 3]
    parts = [least - two, least - one, one + two - least, joint - least]
    return np.array([*parts, one, two, joint]).T


def single(information: float) -> Parts:
    """Decompose the information of a source that has no second one beside it."""
    raised = max(information, 0.0)
    raw, value = (
        np.array([x, 0.0, 0.0, 0.0, x, 0.0, x]) for x in (information, raised)
    )
    return Parts(raw, value, 0.0, 0.0)


def share_joint(parts: list[Parts]) -> list[Parts]:
    """Give all pairs the same joint information."""
    joint = max(float(p.value[6]) for p in parts)
    out = []
    for p in parts:
        value = p.value.copy()
        value[3] += joint - value[6]
        value[6] = joint
        out.append(replace(p, value=value))
    return out


def count_table(
    codes: np.ndarray, states: np.ndarray, weight: np.ndarray, n_classes: int
) -> np.ndarray:
    """Weighted shares of class and state."""
    width = int(states.max()) + 1
    table = np.bincount(codes * width + states, weight, minlength=n_classes * width)
    return table.reshape(n_classes, width) / weight.sum()


def first_order_bias(table: np.ndarray, n: float) -> float:
    """Bias of the plug-in information of a table, by Miller and Madow.

    A plug-in entropy over m occupied cells is ``(m - 1) / (2 n)`` nats too low, and
    the information is the entropy of the class plus that of the state less that of
    the pair.
    """
    here = table > 0
    occupied = here.any(axis=1).sum() + here.any(axis=0).sum() - 1
    return float((here.sum() - occupied) / (2.0 * n * np.log(2.0)))
