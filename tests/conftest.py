"""Makers of data, and readers of results, that several test files share."""

from __future__ import annotations

import os

# Tests run beside each other: the threads of one would wait for those of another. Read
# when numpy and torch are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import MultimodalData

# A cheap classifier of sources, where a test is not about the default ones.
LINEAR = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))


def make_blocks(
    n: int = 60,
    n_modalities: int = 2,
    missing: float = 0.3,
    seed: int = 0,
    n_classes: int = 3,
    shaped: bool = False,
) -> tuple[MultimodalData, np.ndarray]:
    """Small data with block-wise missingness and no empty row.

    Parameters
    ----------
    n, n_modalities, n_classes : int
        Sizes.
    missing : float
        Chance of a block to be missing.
    seed : int
        Seed.
    shaped : bool
        The first block is a small image, the second a series of different lengths.

    Returns
    -------
    X : MultimodalData
    y : ndarray of int of shape (n,)
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    blocks: dict[str, np.ndarray] = {}
    for m in range(n_modalities):
        shape: tuple[int, ...] = (3 + m,)
        if shaped:
            shape = {0: (1, 6, 6), 1: (7, 2)}.get(m, shape)
        block = rng.normal(size=(n, *shape)) + y.reshape(-1, *[1] * len(shape))
        if shaped and m == 1:
            for i, length in enumerate(rng.integers(2, 8, size=n)):
                block[i, length:] = np.nan
        blocks[f"m{m}"] = block
    mask = rng.random((n, n_modalities)) < missing
    keep = rng.integers(n_modalities, size=n)
    mask[np.arange(n), keep] = False
    return MultimodalData(blocks).hide(mask), y


def draw_mixture(seed: int, n: int = 20000) -> tuple[MultimodalData, np.ndarray]:
    """Two sources whose likelihood ratios are not monotone, and a binary label."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    a = rng.normal(size=n) * np.where(y == 1, 2.4, 1.0)
    two = 1.6 * rng.choice([-1, 1], size=n) + 0.7 * rng.normal(size=n)
    return MultimodalData({"a": a, "b": np.where(y == 1, two, rng.normal(size=n))}), y


def terms_of(pid, column: str = "plain") -> np.ndarray:
    """A column of the table of a decomposition."""
    return pid.to_frame()[column].to_numpy()


def legend_of(display) -> list[str]:
    """Texts in the legend of a display."""
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def labels_of(display) -> list[str]:
    """Texts beside the rows of a display."""
    return [label.get_text() for label in display.ax_.get_yticklabels()]
