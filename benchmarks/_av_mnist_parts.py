"""Principal components of images, and which clip goes with which image."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh

# Rows at once.
CHUNK = 4096


def find_components(
    images: np.ndarray, n_components: Any, variance_kept: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Principal components of pixels."""
    pixels = images.reshape(len(images), -1)
    centre = pixels.mean(axis=0, dtype=np.float64) / 255
    second = np.zeros((pixels.shape[1], pixels.shape[1]))
    for start in range(0, len(pixels), CHUNK):
        part = pixels[start : start + CHUNK] / 255 - centre
        second += part.T @ part
    values, vectors = eigh(second)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    kept = (
        np.cumsum(values) / values.sum() if values.sum() > 0 else np.ones(len(values))
    )
    if variance_kept is not None:
        # The sum falls short of 1 by rounding.
        n = int(np.searchsorted(kept, min(float(variance_kept), kept[-1]))) + 1
    else:
        n = pixels.shape[1] if n_components is None else int(n_components)
    return centre, vectors[:, :n], float(min(kept[n - 1], 1.0))


def reduce_images(
    images: np.ndarray, rows: np.ndarray, centre: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Centred images, reduced to some components."""
    out = np.empty((len(rows), *images.shape[1:]), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        part = images[rows[start : start + CHUNK]]
        pixels = part.reshape(len(part), -1) / 255 - centre
        out[start : start + CHUNK] = ((pixels @ basis) @ basis.T).reshape(part.shape)
    return out


def pair_rows(
    part: str,
    digits: np.ndarray,
    spoken: np.ndarray,
    clips: np.ndarray,
    n: int | None,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Images in a random order, each with a clip of its digit, all clips in turn."""
    n = len(digits) if n is None else int(n)
    if n > len(digits):
        name = "n_pairs" if part == "train" else "n_test_pairs"
        raise ValueError(
            f"Got {name}={n}, expected at most {len(digits)}, the {part} images."
        )
    image = rng.permutation(len(digits))[:n]
    clip = np.empty(n, dtype=np.int64)
    for digit in np.unique(digits):
        pool = clips[spoken[clips] == digit]
        rows = np.flatnonzero(digits[image] == digit)
        order = rng.permutation(len(pool))
        if not len(rows):
            continue
        if not len(pool):
            raise ValueError(
                f"Got no {part} clip of the digit {digit}, expected at least one."
            )
        clip[rows] = pool[order[np.arange(len(rows)) % len(pool)]]
    return image, clip
