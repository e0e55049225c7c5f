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
from skmissing.testing._subject import make_blocks

__all__ = ["LINEAR", "draw_mixture", "legend_of", "make_blocks", "terms_of"]

# A cheap classifier of sources, where a test is not about the default ones.
LINEAR = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))


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
