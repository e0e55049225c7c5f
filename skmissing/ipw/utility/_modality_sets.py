"""Sets of modalities to compare, and folds to compare them on."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from ..._estimation._folds import assign_folds
from .._splitter import ObservedStratifiedKFold

Subset = tuple[str, ...]
# For the models of the outcome where a single split leaves no folds of its own.
OUTCOME_FOLDS = 5


def resolve_subsets(subsets: Any, names: list[str]) -> list[Subset]:
    """The sets, each in the order of the modalities.

    Parameters
    ----------
    subsets : list of lists of str, or None
        The parameter; None means each alone, all but one, and all.
    names : list of str
        The modalities.

    Returns
    -------
    list of tuple of str
    """
    if subsets is None:
        alone = [(name,) for name in names]
        but_one = [tuple(n for n in names if n != name) for name in reversed(names)]
        wanted = [*alone, *but_one, tuple(names)]
        return [s for s in dict.fromkeys(wanted) if s]
    out: list[Subset] = []
    for given in subsets:
        subset = (given,) if isinstance(given, str) else tuple(given)
        unknown = [name for name in subset if name not in names]
        if unknown or not subset or len(set(subset)) < len(subset):
            raise ValueError(
                f"Got {given!r} in subsets, expected distinct names of some of the "
                f"modalities {names}."
            )
        out.append(tuple(name for name in names if name in subset))
    if len(set(out)) < len(out) or not out:
        raise ValueError(f"Got subsets={subsets!r}, expected distinct, non-empty sets.")
    return out


def orient(s: Subset, t: Subset) -> tuple[Subset, Subset]:
    """Baseline first: the smaller set where one holds the other.

    Parameters
    ----------
    s, t : tuple of str
        Two sets.

    Returns
    -------
    baseline, subset : tuple of str
    """
    return (t, s) if set(t) < set(s) else (s, t)


def make_folds(
    cv: Any,
    X: Any,
    y: Any,
    data: Any,
    codes: np.ndarray,
    rng: np.random.RandomState,
    groups: np.ndarray | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Fold in which each row is held out, and what teaches the model of each fold.

    Parameters
    ----------
    cv : int or splitter
        The parameter.
    X, y : object
        As the user gave them.
    data : MultimodalData of n rows
        The data.
    codes : ndarray of int of shape (n,)
        Index of each row's class, -1 where missing.
    rng : RandomState
        Shuffles.
    groups : ndarray of shape (n,) or None
        Rows of one group share a fold.

    Returns
    -------
    folds : ndarray of int of shape (n,)
        -1 for rows that a single split never tests: they may only teach.
    trains : list of ndarray of bool of shape (n,)
        Training rows of each fold; a splitter may leave out more than the fold.
    """
    if isinstance(cv, Integral):
        if cv < 2:
            raise ValueError(f"Got cv={cv!r}, expected at least 2.")
        pattern = np.unique(data.present, axis=0, return_inverse=True)[1].reshape(-1)
        strata = np.unique(
            np.column_stack([codes, pattern]), axis=0, return_inverse=True
        )[1]
        folds = assign_folds(strata.reshape(-1), int(cv), rng, groups)
        return folds, [folds != k for k in range(int(cv))]
    folds = np.full(len(codes), -1)
    splitter = check_cv(cv, codes, classifier=True)
    # Most splitters of scikit-learn refuse missing labels; ours looks for them.
    labels = y if isinstance(splitter, ObservedStratifiedKFold) else codes
    splits = list(splitter.split(X, labels, groups))
    trains = []
    for k, (train, test) in enumerate(splits):
        teaches = np.zeros(len(codes), dtype=bool)
        teaches[train] = True
        trains.append(teaches)
        if teaches[test].any():
            raise ValueError(
                f"Got cv={cv!r} with a row in the training and the test set of a "
                "split, expected disjoint ones."
            )
        if (folds[test] >= 0).any():
            raise ValueError(
                f"Got cv={cv!r} with a row in two test sets, expected a partition."
            )
        folds[test] = k
    if len(splits) > 1 and (folds < 0).any():
        raise ValueError(
            f"Got cv={cv!r} with rows in no test set, expected a partition or a single "
            "split."
        )
    if not (folds < 0).any() and len(splits) == 1:
        raise ValueError(f"Got cv={cv!r} with all rows tested, expected some to train.")
    return folds, trains


def outcome_folds(
    folds: np.ndarray,
    trains: list[np.ndarray],
    rng: np.random.RandomState,
    groups: np.ndarray | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Folds for the models of the outcome, which see scores of tested rows only.

    Parameters
    ----------
    folds : ndarray of int of shape (n,)
        Fold of each row, -1 where it is never tested.
    trains : list of ndarray of bool of shape (n,)
        Training rows of each fold.
    rng : RandomState
        Draws folds where there is a single split.
    groups : ndarray of shape (n,) or None
        Rows of one group share a fold, unless there is a single group.

    Returns
    -------
    folds : ndarray of int of shape (n,)
    trains : list of ndarray of bool of shape (n,)
    """
    if (folds >= 0).all():
        return folds, trains
    out = np.full(len(folds), -1)
    tested = np.flatnonzero(folds >= 0)
    inside, number = None, OUTCOME_FOLDS
    if groups is not None and len(np.unique(groups[tested])) > 1:
        inside = groups[tested]
        number = min(OUTCOME_FOLDS, len(np.unique(inside)))
    strata = np.zeros(len(tested), dtype=int)
    out[tested] = assign_folds(strata, number, rng, inside)
    return out, [(out >= 0) & (out != k) for k in range(number)]
