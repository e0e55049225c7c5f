"""Data sets of the benchmark: functions of a seed to blocks, labels and groups.

All come with the package or with scikit-learn. The two with the word "miniature" in
their description are built like published sets, from digits of 8 by 8 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from ..datasets import (
    load_av_digits,
    load_heart,
    load_mfeat,
    load_support,
    make_bitwise,
    make_xor,
)

# Blocks (a dict, or a MultimodalData where some are missing), labels, groups or None.
Raw = tuple[Any, np.ndarray, np.ndarray | None]
N_ROWS = 2000
# Groups of images: all views of a row are from one group, which is not divided.
N_POOLS = 10
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LETTERS = " abcdefghijklmnopqrstuvwxyz"
TEXT_LENGTH = 8


def av_digits(seed: int) -> Raw:
    """Images and speech of digits, at half their resolution; groups are recordings."""
    bunch = load_av_digits()
    blocks = {}
    for name in bunch.data.names:
        block = bunch.data[name].astype(np.float32)
        blocks[name] = block.reshape(len(block), 1, 14, 2, 14, 2).mean(axis=(3, 5))
    return blocks, bunch.target, bunch.recording


def mfeat(seed: int) -> Raw:
    """Six descriptions of handwritten digits."""
    bunch = load_mfeat()
    return bunch.data, bunch.target, None


def heart(seed: int) -> Raw:
    """Heart disease in four hospitals, with tests that were not made."""
    bunch = load_heart()
    return bunch.data, bunch.target, None


def support(seed: int) -> Raw:
    """Death in hospital of seriously ill patients, with tests that were not made."""
    bunch = load_support()
    return bunch.data, bunch.target, None


def digits_halves(seed: int) -> Raw:
    """Left and right halves of digits."""
    digits = load_digits()
    left, right = digits.images[:, :, :4], digits.images[:, :, 4:]
    blocks = {"left": left.reshape(-1, 32), "right": right.reshape(-1, 32)}
    return blocks, digits.target, None


def polymnist_mini(seed: int) -> Raw:
    """Five handwritings of a digit on five backgrounds: a miniature of PolyMNIST."""
    rng = np.random.default_rng(seed)
    y, pools = _labels_and_pools(rng)
    across, down = np.meshgrid(np.arange(8), np.arange(8))
    blocks = {}
    for m, name in enumerate(("stripes", "checks", "slope", "waves", "noise")):
        images = _draw_images(rng, y, pools)
        shift = rng.integers(8, size=(len(y), 1, 1))
        background = [
            (across + shift) % 4 < 2,
            (across + down + shift) % 2,
            (across + down + shift) % 8 / 8,
            0.5 + 0.5 * np.sin((down + shift) * 1.3),
            rng.random((len(y), 8, 8)),
        ][m]
        # The colours are inverted under the digit.
        view = np.abs(background - images) + 0.25 * rng.normal(size=images.shape)
        blocks[name] = view.reshape(len(y), -1)
    return blocks, y, pools


def mnist_text_mini(seed: int) -> Raw:
    """A digit, a coloured one, its word with letters lost: a miniature of MST."""
    rng = np.random.default_rng(seed)
    y, pools = _labels_and_pools(rng)
    digit = _draw_images(rng, y, pools)
    ink, paper = rng.random((2, len(y), 3, 1, 1))
    shape = _draw_images(rng, y, pools)[:, None]
    colour = paper + (ink - paper) * shape + 0.1 * rng.normal(size=(len(y), 3, 8, 8))
    text = np.zeros((len(y), TEXT_LENGTH, len(LETTERS)))
    for i, label in enumerate(y):
        word = WORDS[label]
        start = rng.integers(TEXT_LENGTH - len(word) + 1)
        padded = word.rjust(start + len(word)).ljust(TEXT_LENGTH)
        for j, letter in enumerate(padded):
            kept = letter if rng.random() < 0.4 else " "
            text[i, j, LETTERS.index(kept)] = 1.0
    blocks = {"digit": digit, "colour": colour, "text": text}
    return {k: v.reshape(len(y), -1) for k, v in blocks.items()}, y, pools


def breast_cancer(seed: int) -> Raw:
    """Means, errors and extremes of the nuclei of a tumour."""
    X, y = load_breast_cancer(return_X_y=True)
    parts = ("mean", "error", "worst")
    return {name: X[:, 10 * k : 10 * k + 10] for k, name in enumerate(parts)}, y, None


def gates(seed: int) -> Raw:
    """AND, OR or XOR of two noisy bits; a third block names the gate."""
    rng = np.random.default_rng(seed)
    y = np.empty(N_ROWS, dtype=int)
    bits = np.empty((N_ROWS, 2))
    gate = rng.integers(3, size=N_ROWS)
    for k, name in enumerate(("and", "or", "xor")):
        rows = gate == k
        bunch = make_bitwise(int(rows.sum()), gate=name, random_state=seed)
        y[rows] = bunch.target
        bits[rows] = np.hstack([bunch.complete_data[n] for n in ("x1", "x2")])
    noisy = bits[:, :, None] + rng.normal(scale=(0.25, 1.0), size=(N_ROWS, 2, 2))
    named = np.eye(3)[gate] + rng.normal(scale=0.25, size=(N_ROWS, 3))
    return {"first": noisy[:, 0], "second": noisy[:, 1], "gate": named}, y, None


def xor(seed: int) -> Raw:
    """Three clusters on the plane whose label is an XOR of the coordinates' signs."""
    X, y = make_xor(N_ROWS, return_X_y=True, random_state=seed)
    return X, y, None


def _labels_and_pools(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Digits of the rows, and the pool that the images of each row are drawn from."""
    return rng.integers(10, size=N_ROWS), rng.integers(N_POOLS, size=N_ROWS)


def _draw_images(rng: np.random.Generator, y, pools) -> np.ndarray:
    """An image of each row's digit from its pool, values from 0 to 1."""
    digits = load_digits()
    out = np.empty((len(y), 8, 8))
    for label in range(10):
        known = np.flatnonzero(digits.target == label)
        for pool in range(N_POOLS):
            rows = np.flatnonzero((y == label) & (pools == pool))
            out[rows] = digits.images[rng.choice(known[pool::N_POOLS], len(rows))] / 16
    return out


DATASETS: dict[str, Callable[[int], Raw]] = {
    function.__name__: function
    for function in (
        av_digits, mfeat, heart, support, digits_halves, polymnist_mini,
        mnist_text_mini, breast_cancer, gates, xor,
    )
}  # fmt: skip
