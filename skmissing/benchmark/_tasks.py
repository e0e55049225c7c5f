"""The protocol: which rows train and test, and what is hidden from them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from ..modalities import MultimodalData
from ..stacking._members import NumericBlocks
from ._datasets import Raw

TEST_SHARE = 0.4
# Enough for nets to learn, and few enough for a thousand fits.
MAX_TRAIN, MAX_TEST = 1200, 800
CONDITIONS = ("as trained", "complete", "one left", "unseen pattern")
# A pattern that is never seen needs others that are.
LEAST_MODALITIES = 3


@dataclass(frozen=True)
class HeldOut:
    """Rows of one test condition."""

    X: MultimodalData
    y: np.ndarray


@dataclass(frozen=True)
class Task:
    """Training rows, and test rows by condition. Labels are indices of classes."""

    X: MultimodalData
    y: np.ndarray
    groups: np.ndarray | None
    tests: dict[str, HeldOut]
    n_classes: int
    seed: int
    unseen: tuple[str, ...]

    def take(self, rows: np.ndarray) -> Task:
        """The same with some of the training rows."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], groups=groups)


def make_task(raw: Raw, mechanism, seed: int, label: str) -> Task:
    """Split, hide and lay out the test conditions; ``label`` tells tasks apart."""
    blocks, target, groups = raw
    data = blocks if isinstance(blocks, MultimodalData) else MultimodalData(blocks)
    classes, y = np.unique(target, return_inverse=True)
    # The split is that of the data set, whatever is hidden.
    train, test = split(y, groups, derive_seed(label.partition("/")[0], seed))
    rows = np.concatenate([train, test])
    own = derive_seed(label, seed)
    is_train = np.arange(len(rows)) < len(train)
    data, y = data[rows], y[rows]
    groups = None if groups is None else np.asarray(groups)[rows]
    data = NumericBlocks(data[is_train])(data)
    hidden = mechanism(data, y, own)
    thin = data.hide(hidden)
    unseen = choose_unseen(data, own)
    has_unseen = np.zeros(len(rows), dtype=bool)
    if unseen.any():
        has_unseen = (np.asarray(thin.present) == unseen).all(axis=1)
    some = np.asarray(thin.present).any(axis=1) & ~has_unseen
    used = is_train & some
    tests = _conditions(data[~is_train], thin[~is_train], some[~is_train], unseen, own)
    names = np.array(data.names)[unseen].tolist()
    return Task(
        X=thin[used],
        y=y[used],
        groups=None if groups is None else groups[used],
        tests={k: HeldOut(X, y[~is_train][at]) for k, (X, at) in tests.items()},
        n_classes=len(classes),
        seed=own,
        unseen=tuple(names),
    )


def derive_seed(label: str, seed: int) -> int:
    """A seed for one use, the same on every machine."""
    return zlib.crc32(f"{label}/{seed}".encode()) % 2**31


def split(y: np.ndarray, groups, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, at most so many; groups are not divided."""
    every = np.arange(len(y))
    if groups is None:
        train, test = train_test_split(
            every, test_size=TEST_SHARE, stratify=y, random_state=seed
        )
    else:
        cut = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
        train, test = next(cut.split(every, y, groups))
    rng = np.random.default_rng(seed)
    return (rng.permutation(train)[:MAX_TRAIN], rng.permutation(test)[:MAX_TEST])


def choose_unseen(data: MultimodalData, seed: int) -> np.ndarray:
    """A random half of the modalities, which no training row has alone."""
    out = np.zeros(data.shape[1], dtype=bool)
    if len(out) >= LEAST_MODALITIES:
        rng = np.random.default_rng(seed)
        out[rng.permutation(len(out))[: (len(out) + 1) // 2]] = True
    return out


def _conditions(
    data: MultimodalData, thin: MultimodalData, some, unseen: np.ndarray, seed: int
) -> dict[str, tuple[MultimodalData, np.ndarray]]:
    """Data and row numbers by test condition; those without rows are left out."""
    present = np.asarray(data.present)
    rng = np.random.default_rng(seed)
    chance = np.where(present, rng.random(present.shape), -1.0)
    others = np.arange(present.shape[1]) != chance.argmax(axis=1)[:, None]
    any_, every = present.any(axis=1), np.ones_like(present)
    layout = {
        "as trained": (thin, some if (np.asarray(thin.present) != present).any() else
                       np.zeros_like(some)),
        "complete": (data, any_),
        "one left": (data.hide(others), any_),
        "unseen pattern": (
            data.hide(every & ~unseen),
            present[:, unseen].all(axis=1) & unseen.any(),
        ),
    }  # fmt: skip
    found = {k: (X, np.flatnonzero(at)) for k, (X, at) in layout.items()}
    return {k: (X[at], at) for k, (X, at) in found.items() if len(at)}
