"""Two bits, a gate, and missingness with known population values."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities import MultimodalData
from ._base import check_parameters, load_descr, pack

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
# Axes of P[x1, x2, y] that a set of modalities sums out.
_SETS: dict[str, tuple[int, ...]] = {"x1": (1,), "x2": (0,), "both": ()}


@check_parameters(
    n_samples=[Interval(Integral, 1, None, closed="left")],
    gate=[StrOptions(set(GATES))],
    mechanism=[StrOptions(set(MECHANISMS))],
    random_state=["random_state"],
)
def make_bitwise(
    n_samples: int = 10000,
    *,
    gate: str = "and",
    mechanism: str = "none",
    return_X_y: bool = False,
    as_frame: bool = False,
    random_state=None,
):
    """Two modalities of one bit each, a gate as label, and x2 missing.

    Every population value is known exactly, for all rows and for the rows that are
    observed, so that a correction for missingness can be compared with the true value.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of rows.
    gate : {"and", "or", "xor"}, default="and"
        The label is ``x1 AND x2``, ``x1 OR x2`` or ``x1 XOR x2``.
    mechanism : {"none", "mcar", "mar", "mnar"}, default="none"
        Probability that x2 is observed: 1; 0.5; ``0.2 + 0.6 * x1``;
        ``0.2 + 0.6 * x2``. The last three hide half of x2.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``x1__0`` and ``x2__0``, target as a
        Series.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, n_samples rows
            Modalities ``"x1"`` and ``"x2"`` with one column of 0.0 and 1.0 each.
        target : ndarray or Series of shape (n_samples,)
            0 or 1.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        complete_data : MultimodalData or DataFrame
            The data before x2 was hidden.
        mask : ndarray of bool of shape (n_samples, 2)
            True where a modality is missing.
        propensity : ndarray of shape (n_samples,)
            True probability that x2 is observed in the row.
        oracle : dict of str to dict of str to float
            Population values under ``"true"`` (all rows) and ``"observed"`` (rows
            with both bits): ``auc_x1``, ``auc_x2`` and ``auc_both`` of the Bayes
            score; ``mi_x1``, ``mi_x2``, ``mi_joint`` and the decomposition
            ``unique_x1``, ``unique_x2``, ``redundant``, ``synergistic`` in bits;
            ``best_log_loss_x1``, ``best_log_loss_x2``, ``best_log_loss_both`` in nats.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns.
        DESCR : str
            Description.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    See Also
    --------
    make_simulation : Continuous modalities with missingness learned from x1.

    Notes
    -----
    The decomposition is that of Bertschinger et al. [2]_, found by a search over the
    one free number that each label leaves.

    References
    ----------
    .. [1] Correcting for missingness in multimodal learning (ICYM2I), ICLR 2026,
       arXiv:2505.16953, bitwise experiment.
    .. [2] N. Bertschinger, J. Rauh, E. Olbrich, J. Jost and N. Ay, Quantifying unique
       information, Entropy 16 (2014), 2161-2183.

    Examples
    --------
    >>> from skmissing.datasets import make_bitwise
    >>> bunch = make_bitwise(1000, gate="xor", mechanism="mar", random_state=0)
    >>> bunch.data
    MultimodalData of 1000 rows, 2 modalities
      x1  (1,)  float64   0.0% missing
      x2  (1,)  float64  52.5% missing
    >>> bunch.oracle["true"]["auc_x2"], bunch.oracle["observed"]["auc_x2"]
    (0.5, 0.8)
    """
    rng = local_random_state(random_state)
    # The published draw order: both bits first, the mask last.
    x1 = rng.uniform(size=n_samples) > 0.5
    x2 = rng.uniform(size=n_samples) > 0.5
    low, gain, which = MECHANISMS[mechanism]
    propensity = low + gain * (x1, x2)[which]
    hidden = rng.uniform(size=n_samples) >= propensity
    mask = np.column_stack([np.zeros(n_samples, dtype=bool), hidden])
    first, second = (bit.astype(np.float64)[:, None] for bit in (x1, x2))
    observed = np.where(hidden[:, None], np.nan, second)
    return pack(
        MultimodalData({"x1": first, "x2": observed}),
        GATES[gate](x1, x2).astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        complete_data=MultimodalData({"x1": first, "x2": second}),
        mask=mask,
        propensity=propensity,
        oracle=_gate_oracle(gate, mechanism),
        DESCR=load_descr("bitwise").format(gate=gate.upper(), mechanism=mechanism),
    )


def _gate_oracle(gate: str, mechanism: str) -> dict[str, dict[str, float]]:
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
        part = table.sum(axis=axes).reshape(-1, 2)
        information[name] = label_entropy + _entropy(part.sum(axis=1)) - _entropy(part)
        out[f"auc_{name}"] = _auc(part)
        out[f"best_log_loss_{name}"] = (label_entropy - information[name]) * np.log(2.0)
    out["mi_x1"], out["mi_x2"] = information["x1"], information["x2"]
    out["mi_joint"] = information["both"]
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
