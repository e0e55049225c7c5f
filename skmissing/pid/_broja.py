"""Exact partial information decomposition of a table."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy.special import rel_entr, xlogy

from ..exceptions import UncertifiedWarning
from .solver import union_information, union_informations

LN2 = math.log(2.0)


class MutualInformation(NamedTuple):
    """Information about the target, in bits.

    Attributes
    ----------
    first, second : float or ndarray
        Of each source alone, ``I(Y; X1)`` and ``I(Y; X2)``.
    joint : float or ndarray
        Of both together, ``I(Y; X1, X2)``.
    """

    first: Any
    second: Any
    joint: Any


@dataclass(frozen=True, eq=False)
class BrojaResult:
    """Decomposition returned by :func:`broja`; all informations are in bits.

    Of one table the numbers are floats; of P with leading axes they are arrays with
    these axes.

    Attributes
    ----------
    unique : tuple of two floats or arrays
        Unique information of the first and of the second source.
    redundant : float or ndarray
        Information that both sources have.
    synergistic : float or ndarray
        Information that only both sources together have.
    mutual_information : MutualInformation
        ``first``, ``second`` and ``joint`` information about the target.
    coupling : ndarray of shape (..., K, n1, n2)
        The minimiser ``Q(y, x1, x2)``.
    duality_gap : float or ndarray
        Certified bound on the error of each of the four parts.
    marginal_violation : float or ndarray
        Largest absolute difference between a marginal of ``coupling`` and of P.
    n_iter : int or ndarray
        Iterations of the solver, 0 where the solution is known in closed form.
    """

    unique: tuple[Any, Any]
    redundant: Any
    synergistic: Any
    mutual_information: MutualInformation
    coupling: np.ndarray
    duality_gap: Any
    marginal_violation: Any
    n_iter: Any


def broja(P, *, tol: float = 1e-9, max_iter: int = 200) -> BrojaResult:
    """Decompose the information of two sources about a target exactly.

    Parameters
    ----------
    P : array-like of shape (K, n1, n2) or (..., K, n1, n2)
        Probabilities or counts ``P[y, x1, x2]`` of the target Y and the sources X1 and
        X2: non-negative numbers of any total, normalised in float64. With more than
        three axes, a table for each entry of the leading ones.
    tol : float, default=1e-9
        Largest duality gap in bits that is accepted without a warning. The solver
        goes on to about 1e-13 where rounding lets it, since that costs one or two
        iterations more.
    max_iter : int, default=200
        Largest number of iterations. Most tables take 5 to 20, those of two classes
        hardly ever any.

    Returns
    -------
    BrojaResult
        Has the attributes ``unique``, a pair in the order of the sources,
        ``redundant``, ``synergistic``; ``mutual_information`` with ``first``,
        ``second`` and ``joint``; ``coupling`` of the shape of P, ``duality_gap``,
        ``marginal_violation`` and ``n_iter``. Informations are in bits. With leading
        axes, all numbers are arrays with these axes.

    Raises
    ------
    TypeError
        For a P that is not numeric, or parameters of another type.
    ValueError
        For a P of fewer than three axes or without states, for a table that is all
        zero or has negative, infinite or NaN entries; for parameters out of range.

    Warns
    -----
    skmissing.exceptions.UncertifiedWarning
        If a duality gap stays above ``tol``, with its value.

    Notes
    -----
    The decomposition is the one of Bertschinger, Rauh, Olbrich, Jost and Ay [1]_,
    section 3. Among all couplings with the two marginals that matter,

    .. math::

        \\Delta_P = \\{Q \\ge 0 : Q(y, x_1) = P(y, x_1),\\ Q(y, x_2) = P(y, x_2)\\},
        \\qquad I^* = \\min_{Q \\in \\Delta_P} I_Q(Y; X_1, X_2),

    the parts are :math:`U_1 = I^* - I(Y; X_2)`, :math:`U_2 = I^* - I(Y; X_1)`, :math:`R
    = I(Y; X_1) + I(Y; X_2) - I^*` and :math:`S = I(Y; X_1, X_2) - I^*`. The minimum is
    the information that the two pairs imply, and synergy is the information that only
    the true coupling adds.

    *Dual.* With :math:`A = P(y, x_1)`, :math:`B = P(y, x_2)` and potentials L, M of
    their shapes, Gibbs' inequality in each cell :math:`(i, j)` reads
    :math:`\\sum_y q_y (\\log(q_y / \\sum q) - L_{yi} - M_{yj}) \\ge -g_{ij} \\sum q`,
    where :math:`g_{ij} = \\log \\sum_y \\exp(L_{yi} + M_{yj})`. Summed over the cells,
    every feasible Q and all L, M with :math:`g \\le 0` satisfy

    .. math:: -H_Q(Y | X_1, X_2) \\ge \\sum A L + \\sum B M,

    with equality at the optimum. L and M of any quality are made feasible by
    subtracting :math:`\\max_j g_{ij}` from :math:`L_{\\cdot i}` (or by a division of
    that between the two). The objective of a feasible coupling less this bound is the
    certified ``duality_gap``, which includes an allowance for the rounding of the sums
    in both. The solver is a primal-dual interior-point method on the dual, whose
    multipliers are :math:`Q(x_1, x_2)`.

    *Two classes.* No iteration is needed. The columns of A, sorted by their likelihood
    ratio and summed up, draw a concave curve, those of B another, and their concave
    hull is that of the least informative variable Z that is at least as informative as
    either source. (Blackwell's order has such a least upper bound for two classes; for
    more it need not [2]_.) :math:`I^*` is the information of Z: every coupling is above
    Z, and one in which the sources are made from Z independently is not more
    informative. L and M come from the vertices of the hull, and the gap is rounding.

    *Two states of each source.* With three and more classes, the only free number of a
    class is the mass of its first cell, and Newton's method on these numbers takes 3 to
    10 steps. The matrix of second derivatives is a diagonal less a number, and at the
    optimum the logarithms of :math:`Q(y | x_1, x_2)` are sums of potentials. Where
    a cell is empty there, the interior-point method takes over.

    *Interval.* The parts are computed from the upper bound :math:`I_Q` of :math:`I^*`,
    the information of ``coupling``, after it is moved into the interval
    :math:`[\\max(I_1, I_2), \\min(I_1 + I_2, I_{12})]` that holds :math:`I^*` in
    theory, and to its lower end where that is within the gap, so that a unique
    information that cannot be distinguished from zero is zero. That changes it by less
    than the gap, makes all four parts non-negative, and leaves the identities
    :math:`U_1 + R = I(Y; X_1)`, :math:`U_2 + R = I(Y; X_2)` and
    :math:`U_1 + U_2 + R + S = I(Y; X_1, X_2)` exact. The true parts differ from the
    reported ones by at most the gap.

    *Many tables.* Tables of one shape are solved together, small ones in one run of the
    same method: each step is made for all that are not certified yet, and those that
    do not get there are solved one by one. This saves most of the time of small tables.
    A table has the same result with any companions, to the last place, and alone, to
    2e-15 (its coupling to 1e-15 for two classes, to the last place for more).

    Memory is a few times :math:`8 K^2 n_1 n_2` bytes; for more than two classes the
    time of an iteration grows as :math:`K^3 \\max(n_1, n_2) \\min(n_1, n_2)^2`.

    References
    ----------
    .. [1] N. Bertschinger, J. Rauh, E. Olbrich, J. Jost and N. Ay, "Quantifying unique
       information", Entropy 16 (2014), 2161-2183, section 3.
    .. [2] N. Bertschinger and J. Rauh, "The Blackwell relation defines no lattice",
       IEEE International Symposium on Information Theory (2014), 2479-2483.

    Examples
    --------
    An AND gate of two fair bits:

    >>> import numpy as np
    >>> from skmissing.pid import broja
    >>> P = np.zeros((2, 2, 2))
    >>> for a in (0, 1):
    ...     for b in (0, 1):
    ...         P[a & b, a, b] = 0.25
    >>> result = broja(P)
    >>> round(result.redundant, 6), round(result.synergistic, 6)
    (0.311278, 0.5)
    >>> [round(u, 6) for u in result.unique]
    [0.0, 0.0]
    >>> round(result.mutual_information.joint, 6), result.duality_gap < 1e-9
    (0.811278, True)
    """
    tables = _read_tables(P)
    _check_positive("tol", tol, Real, "number")
    _check_positive("max_iter", max_iter, Integral, "integer")
    options = {"tol": float(tol), "max_iter": int(max_iter)}
    if tables.ndim == 3:
        result = _decompose_table(tables, options)
    else:
        result = _decompose_tables(tables, options)
    _warn_uncertified(result, tol)
    return result


def _decompose_table(table: np.ndarray, options: dict[str, Any]) -> BrojaResult:
    K, n1, n2 = table.shape
    first, second = np.add.reduce(table, 2), np.add.reduce(table, 1)
    least = union_information(first, second, **options)
    # Side by side: fewer calls, which are most of the time of a small table.
    left = _conditional_terms(
        np.concatenate([first, second, table.reshape(K, n1 * n2)], axis=1)
    )
    entropy = shannon_entropy(np.add.reduce(first, 1))
    parts = np.add.reduceat(np.add.reduce(left, 0), [0, n1, n1 + n2]).tolist()
    one, two, joint = (max((entropy + part) / LN2, 0.0) for part in parts)
    value, floor = min(least.value, one + two, joint), max(one, two)
    if value < floor or value - floor <= least.duality_gap <= options["tol"]:
        # Nothing that can be distinguished from zero is unique to the lesser source.
        value = floor
    return BrojaResult(
        unique=(max(value - two, 0.0), max(value - one, 0.0)),
        redundant=max(one + two - value, 0.0),
        synergistic=max(joint - value, 0.0),
        mutual_information=MutualInformation(one, two, joint),
        coupling=least.coupling,
        duality_gap=least.duality_gap,
        marginal_violation=least.marginal_violation,
        n_iter=least.n_iter,
    )


def _decompose_tables(tables: np.ndarray, options: dict[str, Any]) -> BrojaResult:
    """The same for every table of the leading axes."""
    lead, shape = tables.shape[:-3], tables.shape[-3:]
    stack = tables.reshape(math.prod(lead), *shape)
    first, second = stack.sum(axis=3), stack.sum(axis=2)
    least = union_informations(first, second, **options)
    whole = stack.reshape(len(stack), shape[0], shape[1] * shape[2])
    one, two, joint = map(table_informations, (first, second, whole))
    value = np.minimum(np.minimum(least.value, one + two), joint)
    floor = np.maximum(one, two)
    gap = least.duality_gap
    level = (value < floor) | ((value - floor <= gap) & (gap <= options["tol"]))
    value = np.where(level, floor, value)

    def part(values: np.ndarray) -> np.ndarray:
        return np.maximum(values, 0.0).reshape(lead)

    return BrojaResult(
        unique=(part(value - two), part(value - one)),
        redundant=part(one + two - value),
        synergistic=part(joint - value),
        mutual_information=MutualInformation(part(one), part(two), part(joint)),
        coupling=least.coupling.reshape(tables.shape),
        duality_gap=gap.reshape(lead),
        marginal_violation=least.marginal_violation.reshape(lead),
        n_iter=least.n_iter.reshape(lead),
    )


def _warn_uncertified(result: BrojaResult, tol: float) -> None:
    if isinstance(result.duality_gap, float) and result.duality_gap <= tol:
        return
    gap, n_iter = np.ravel(result.duality_gap), np.ravel(result.n_iter)
    wide = np.flatnonzero(~(gap <= tol))
    if not len(wide):
        return
    worst = wide[gap[wide].argmax()]
    some = ""
    if result.coupling.ndim > 3:
        some = f" in {len(wide)} of {len(gap)} tables, the largest"
    warnings.warn(
        f"Got a duality gap of {gap[worst]:.2g} bit after {n_iter[worst]} "
        f"iterations{some}, expected at most tol={tol:g}: the parts are certain to "
        "within the gap only.",
        UncertifiedWarning,
        stacklevel=3,
    )


def table_information(table: np.ndarray) -> float:
    """Mutual information of the two axes of a table (K, n), in bits."""
    entropy = shannon_entropy(table.sum(axis=1))
    return max((entropy + float(_conditional_terms(table).sum())) / LN2, 0.0)


def table_informations(tables: np.ndarray) -> np.ndarray:
    """Mutual information of the last two axes of tables (T, K, n), in bits."""
    p = tables.sum(axis=2)
    terms = rel_entr(tables, tables.sum(axis=1, keepdims=True))
    entropy = -xlogy(p, p).sum(axis=1)
    terms = terms.reshape(len(p), tables.shape[1] * tables.shape[2]).sum(axis=1)
    return np.maximum((entropy + terms) / LN2, 0.0)


def _conditional_terms(table: np.ndarray) -> np.ndarray:
    """Terms of ``-H(Y | X)`` in nats.

    ``H(Y) - H(Y | X)`` loses no more than the last place of ``H(Y)``, whatever the
    number of states.
    """
    return rel_entr(table, np.add.reduce(table, 0))


def shannon_entropy(p: np.ndarray) -> float:
    """Entropy of a few probabilities, in nats."""
    return -math.fsum(x * math.log(x) for x in p.tolist() if x > 0)


def _check_positive(name: str, value, kind: Any, noun: str) -> None:
    if isinstance(value, kind) and not isinstance(value, bool | np.bool_):
        if 0 < value < math.inf:
            return
        error: type[Exception] = ValueError
    else:
        error = TypeError
    raise error(f"Got {name}={value!r}, expected a positive {noun}.")


def _read_tables(P) -> np.ndarray:
    """Check P and return it as probabilities in float64, table by table."""
    array = np.asarray(P)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"Got P of dtype {array.dtype}, expected real numbers.")
    if array.ndim < 3 or 0 in array.shape[-3:]:
        raise ValueError(
            f"Got P with shape {array.shape}, expected three axes, P[y, x1, x2], "
            "after those of several tables, and at least one state of each variable."
        )
    # Sums depend on the order of the numbers in memory.
    tables = array.astype(np.float64, order="C")
    if not tables.size:
        return tables
    smallest, largest = (tables.item(k) for k in (tables.argmin(), tables.argmax()))
    if smallest >= 0 and largest < sys.float_info.max / tables.size:
        total = _totals(tables)
        if total.item(total.argmin()) > 0:
            return tables / total
    if not np.isfinite(tables).all():
        raise ValueError("Got P with NaN or infinite entries, expected finite numbers.")
    if smallest < 0:
        raise ValueError(
            f"Got P with the entry {smallest:g}, expected non-negative numbers."
        )
    top = tables.max(axis=(-3, -2, -1), keepdims=True)
    if not top.all():
        at = tuple(np.argwhere(top[..., 0, 0, 0] == 0)[0].tolist())
        where = f" in the table P{[*at]}" if at else ""
        raise ValueError(f"Got P with zeros only{where}, expected a positive total.")
    # The sum of the largest finite numbers may overflow.
    tables /= top
    return tables / _totals(tables)


def _totals(tables: np.ndarray) -> np.ndarray:
    """Sum of each table, with its axes kept."""
    flat = tables.reshape(*tables.shape[:-3], -1)
    return np.add.reduce(flat, -1)[..., None, None, None]
