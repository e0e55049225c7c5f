"""Which rows are trained on, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, check_cv

from ..modalities._multimodal_data import MultimodalData
from ._rows import LabelledRows

# For models of scores, where a single split leaves no folds of its own.
OUTCOME_FOLDS = 5


@dataclass(frozen=True)
class Folds:
    """Which fold holds each row out, and which rows its models learn from.

    ``fold`` is -1 where a row is never held out; ``trains`` has one mask for each fold.
    """

    fold: np.ndarray
    trains: list[np.ndarray]

    @property
    def tested(self) -> np.ndarray:
        """Rows that some fold holds out."""
        return self.fold >= 0

    @property
    def numbers(self) -> list[int]:
        """Folds that hold rows out."""
        return [int(k) for k in np.unique(self.fold[self.tested])]

    @property
    def train_on_rest(self) -> bool:
        """Whether the models of each fold learn from all other rows."""
        return all((t == (self.fold != k)).all() for k, t in enumerate(self.trains))

    @classmethod
    def partition(cls, fold: np.ndarray, n_folds: int) -> Folds:
        """Folds whose models learn from all other folds."""
        return cls(fold, [fold != k for k in range(n_folds)])


def assign_folds(
    strata: np.ndarray,
    n_folds: int,
    rng: np.random.RandomState,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Fold of each row, int of shape (n,); strata are dealt out evenly.

    Strata may be of any size. Rows of one group share a fold.
    """
    n = len(strata)
    if groups is None:
        # Dealt out like cards, one stratum after the other: shares differ by one row.
        order = rng.permutation(n)
        order = order[np.argsort(strata[order], kind="stable")]
        folds = np.empty(n, dtype=np.intp)
        folds[order] = np.arange(n) % n_folds
        return folds
    return _assign_groups(strata, n_folds, rng, groups)


def _assign_groups(
    strata: np.ndarray, n_folds: int, rng: np.random.RandomState, groups: np.ndarray
) -> np.ndarray:
    """Folds of whole groups, each with about its share of every stratum.

    The rule of scikit-learn's StratifiedGroupKFold with the variance for its standard
    deviation: the largest group comes first, and goes where it makes shares most even.
    That is a product for each group, a hundredth of the time, and takes any strata.
    """
    names, code = np.unique(groups, return_inverse=True)
    if len(names) < n_folds:
        raise ValueError(
            f"Got {len(names)} groups, expected at least {n_folds}, the number of "
            "folds."
        )
    levels, level = np.unique(strata, return_inverse=True)
    held = np.zeros((len(names), len(levels) + 1))
    np.add.at(held, (code, level), 1.0)
    # As shares of each stratum; the last column is the share of all rows.
    held[:, -1] = held.sum(axis=1)
    size = held[:, -1].copy()
    held /= held.sum(axis=0)
    order = rng.permutation(len(names))
    order = order[np.argsort(-size[order], kind="stable")]
    fold = np.empty(len(names), dtype=np.intp)
    filled = np.zeros((n_folds, held.shape[1]))
    for i, g in enumerate(order):
        # The last groups go to folds that are still empty.
        free = np.flatnonzero(filled[:, -1] == 0)
        if len(order) - i > len(free):
            free = np.arange(n_folds)
        # Adding a group changes the sum of squares by 2 * filled @ held and a constant.
        k = free[int(np.argmin(filled[free] @ held[g]))]
        fold[g] = k
        filled[k] += held[g]
    return fold[code]


def observed_rows(data: MultimodalData, required=None) -> np.ndarray:
    """Rows that have all required modalities; None requires all."""
    names = data.names if required is None else required
    return np.asarray(data.select(list(names)).present.all(axis=1))


def split_validation(
    y: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows for training and for validation, sorted.

    Stratified by class as far as the counts allow; groups stay together.
    """
    n = len(y)
    if groups is not None:
        groups = pd.factorize(groups, use_na_sentinel=False)[0]
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            raise ValueError(
                "Got a single group, expected at least two groups where some of them "
                "are held out, as by early_stopping=True."
            )
        if np.ceil(fraction * n_groups) >= n_groups:
            raise ValueError(
                f"Got validation_fraction={fraction} with {n_groups} groups, expected "
                "a share that leaves groups to train on."
            )
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=rng)
        train, valid = next(splitter.split(np.zeros(n), groups=groups))
        return np.sort(train), np.sort(valid)
    # Every k-th row of a shuffled order sorted by class: counts per class differ from
    # exact shares by less than one, also for classes of one row.
    order = rng.permutation(n)
    order = order[np.argsort(y[order], kind="stable")]
    n_valid = int(np.ceil(fraction * n))
    if n_valid >= n:
        raise ValueError(
            f"Got validation_fraction={fraction} with {n} rows, expected a share that "
            "leaves rows to train on."
        )
    picks = ((np.arange(n_valid) + 0.5) * n / n_valid).astype(int)
    mask = np.zeros(n, dtype=bool)
    mask[order[picks]] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def split_rows(cv, X, y, rows: LabelledRows, rng: np.random.RandomState) -> Folds:
    """Folds of all rows, some without a label: by label and pattern, or by a splitter.

    A splitter with a single split leaves rows untested: they are only trained on.
    """
    n = len(rows)
    if isinstance(cv, Integral):
        if cv < 2:
            raise ValueError(f"Got cv={cv!r}, expected at least 2.")
        both = np.column_stack([rows.y, rows.data.present])
        strata = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
        fold = assign_folds(strata, int(cv), rng, rows.groups)
        return Folds.partition(fold, int(cv))
    splitter = check_cv(cv, rows.y, classifier=True)
    # Most splitters refuse missing labels; ours stratifies by them.
    labels = y if getattr(splitter, "takes_missing_labels", False) else rows.y
    trains, tests = _mask_splits(run_splitter(splitter, X, labels, rows.groups), n)
    tested = tests.any(axis=0)
    if (trains & tests).any():
        raise ValueError(
            f"Got cv={cv!r} with a row in the training and the test set of a split, "
            "expected disjoint ones."
        )
    if len(trains) > 1 and (tests.sum(axis=0) != 1).any():
        raise ValueError(
            f"Got cv={cv!r} with rows in none or several of its test sets, expected a "
            "partition or a single split."
        )
    if len(trains) == 1 and tested.all():
        raise ValueError(f"Got cv={cv!r} with all rows tested, expected some to train.")
    return Folds(np.where(tested, tests.argmax(axis=0), -1), list(trains))


def run_splitter(
    splitter, X, y, groups: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The splits of a user's ``cv``, whose own errors name it."""
    try:
        return list(splitter.split(X, y, groups))
    except ValueError as error:
        n_groups = "no groups" if groups is None else f"{len(np.unique(groups))} groups"
        raise ValueError(
            f"Got cv={splitter!r} that cannot split the {len(y)} rows with {n_groups}: "
            f"{error}"
        ) from error


def _mask_splits(pairs: list[Any], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows of every split, bool of shape (n_splits, n)."""
    trains, tests = np.zeros((2, len(pairs), n), dtype=bool)
    for k, (train, test) in enumerate(pairs):
        trains[k, train] = tests[k, test] = True
    return trains, tests


def split_tested(
    folds: Folds, rng: np.random.RandomState, groups: np.ndarray | None
) -> Folds:
    """Folds of the rows that a single split tests; other folds stay as they are."""
    tested = np.flatnonzero(folds.tested)
    if len(tested) == len(folds.fold):
        return folds
    inside, n_folds = None, OUTCOME_FOLDS
    if groups is not None and len(np.unique(groups[tested])) > 1:
        inside = groups[tested]
        n_folds = min(OUTCOME_FOLDS, len(np.unique(inside)))
    strata, fold = np.zeros(len(tested), dtype=int), np.full(len(folds.fold), -1)
    fold[tested] = assign_folds(strata, n_folds, rng, inside)
    return Folds(fold, [(fold >= 0) & (fold != k) for k in range(n_folds)])


def hold_out(
    rows: LabelledRows, fraction: float, rng: np.random.RandomState
) -> np.ndarray:
    """Validation rows, bool of shape (n,), none of them without any modality."""
    some = np.flatnonzero(rows.data.present.any(axis=1))
    groups = None if rows.groups is None else rows.groups[some]
    _, valid = split_validation(rows.y[some], groups, fraction, rng)
    out = np.zeros(len(rows), dtype=bool)
    out[some[valid]] = True
    return out


def cross_fit_folds(
    cv,
    codes: np.ndarray,
    index: np.ndarray,
    groups: np.ndarray | None,
    data: MultimodalData,
    rng: np.random.RandomState,
) -> Folds:
    """Folds of the used rows, of classes ``codes`` at ``index`` in ``data``.

    An int is stratified by class and splits the used rows; others split all rows of
    ``data``, to which ``groups`` belong. None stands for 5.
    """
    learned = None
    if cv is None or isinstance(cv, Integral):
        n_folds = 5 if cv is None else int(cv)
        if not 2 <= n_folds <= len(index):
            raise ValueError(
                f"Got cv={n_folds} for {len(index)} rows that have all sources and a "
                "label, expected an integer from 2 to their number."
            )
        inside = None if groups is None else groups[index]
        folds = assign_folds(codes, n_folds, rng, inside)
    else:
        # Rows that are not used are a class of their own.
        every = np.full(len(data), -1)
        every[index] = codes
        splitter = check_cv(cv, every)
        splits = run_splitter(splitter, data, every, groups)
        learned, tests = (m[:, index] for m in _mask_splits(splits, len(data)))
        wrong = tests.sum(axis=0) != 1
        if wrong.any():
            raise ValueError(
                f"Got cv={cv!r} with {int(wrong.sum())} rows in none or several of its "
                "test sets, expected each row in exactly one."
            )
        folds = tests.argmax(axis=0)
    shown, folds = np.unique(folds, return_inverse=True)
    if folds.max() == 0:
        raise ValueError(
            f"Got cv={cv!r} with all used rows in one test set, expected at least two."
        )
    if learned is None:
        return Folds.partition(folds, len(shown))
    trains = learned[shown]
    leaks = (trains & (folds == np.arange(len(shown))[:, None])).any()
    if leaks or not trains.any(axis=1).all():
        raise ValueError(
            f"Got cv={cv!r} with a training set that holds "
            f"{'test rows' if leaks else 'none of the used rows'}, expected used rows "
            "other than those of its test set."
        )
    return Folds(folds, list(trains))
