"""PolyMNIST from files at hand: digits on five backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from _arrays import read_arrays
from _av_mnist import MNIST
from sklearn.utils import Bunch

from skmissing import MultimodalData
from skmissing._utils._random import draw_seed, local_random_state
from skmissing._utils._sklearn_compat import Interval, validate_params

TEXTURES = {
    "images": "pictures (n_pictures, height, width, 3) of uint8, 28 or more on a side",
    "names": "str (n_pictures,)",
}
BACKGROUNDS = ("brick", "coffee", "chelsea", "hubble_deep_field", "rocket")
SIDE = 28
# Pixels above it belong to the digit.
THRESHOLD = 128
# Share of the test images that are for validation, as in the paper.
VALIDATION = 0.3

_DESCR = """\
PolyMNIST: {n_train} training, {n_valid} validation and {n_test} test rows.

Each row has {n_views} pictures of the same digit, one modality each: another
handwriting of it on a random part of {backgrounds},
with the colours inverted under the digit. The views share nothing but the digit.

The data: MNIST by Y. LeCun and C. Cortes, derived from NIST data (CC BY-SA 3.0); for
the backgrounds see their source.
"""


@validate_params(
    {
        "data_home": [str, PathLike],
        "backgrounds": ["array-like"],
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
        "return_X_y": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def build_polymnist(
    data_home: str | PathLike[str],
    *,
    backgrounds: Sequence[str] = BACKGROUNDS,
    n_samples: int | None = 10_000,
    return_X_y: bool = False,
    random_state: Any = 0,
) -> Any:
    """Build PolyMNIST, views of a digit on different backgrounds, from local files.

    Nothing is downloaded: ``data_home`` holds ``mnist.npz`` and ``textures.npz``.

    Parameters
    ----------
    data_home : str or path
        Folder with two files for :func:`numpy.load`. ``mnist.npz``: ``x_train``
        (n, 28, 28) uint8, ``y_train``, ``x_test``, ``y_test``. ``textures.npz``:
        ``images`` (n_pictures, height, width, 3) uint8, and ``names``.
    backgrounds : sequence of str, default=("brick", "coffee", "chelsea", \
"hubble_deep_field", "rocket")
        Names of pictures, one modality each.
    n_samples : int or None, default=10_000
        Training rows, at most as many as training images. None: all.
    return_X_y : bool, default=False
        Return ``(X_train, X_test, y_train, y_test)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=0
        Draws rows, handwritings and crops. The first rows do not depend on
        ``n_samples``.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        X_train, X_valid, X_test : MultimodalData
            One modality for each background, by its name, (3, 28, 28) of uint8;
            nothing is missing. 30 % of the test images are for validation.
        y_train, y_valid, y_test : ndarray of int of shape (n,)
            The digit.
        DESCR : str
            Description, with attribution.
    (X_train, X_test, y_train, y_test) : tuple if ``return_X_y`` is True
        In the order of :func:`sklearn.model_selection.train_test_split`.

    Raises
    ------
    FileNotFoundError
        For a file that is not there.
    ValueError
        For files without some of the arrays or with wrong shapes, unknown backgrounds,
        more rows than images.

    Notes
    -----
    The construction of the MoPoE paper, with other pictures: compare orderings of
    methods with published values, not decimals. Every modality permutes the images of
    a digit anew, so that the handwriting in one view has no information about another.
    """
    mnist = read_arrays(data_home, "mnist.npz", MNIST)
    textures = read_arrays(data_home, "textures.npz", TEXTURES)
    pictures = _pick(textures, list(backgrounds))
    rng = local_random_state(random_state)
    train, test, halves = (local_random_state(draw_seed(rng)) for _ in range(3))
    n_train = len(mnist["y_train"]) if n_samples is None else int(n_samples)
    if n_train > len(mnist["y_train"]):
        raise ValueError(
            f"Got n_samples={n_train}, expected at most {len(mnist['y_train'])}, the "
            "training images."
        )
    out: dict[str, Any] = {}
    out["X_train"], out["y_train"] = _views(
        mnist["x_train"], mnist["y_train"], pictures, n_train, train
    )
    X, y = _views(
        mnist["x_test"], mnist["y_test"], pictures, len(mnist["y_test"]), test
    )
    valid = _stratified(y, halves)
    out["X_valid"], out["y_valid"] = X[valid], y[valid]
    out["X_test"], out["y_test"] = X[~valid], y[~valid]
    if return_X_y:
        return out["X_train"], out["X_test"], out["y_train"], out["y_test"]
    description = _DESCR.format(
        n_train=len(out["y_train"]),
        n_valid=len(out["y_valid"]),
        n_test=len(out["y_test"]),
        n_views=len(pictures),
        backgrounds=", ".join(pictures),
    )
    return Bunch(**out, DESCR=description)


def _pick(
    textures: dict[str, np.ndarray], backgrounds: list[str]
) -> dict[str, np.ndarray]:
    images, names = textures["images"], textures["names"].tolist()
    if images.ndim != 4 or images.shape[3] != 3 or min(images.shape[1:3]) < SIDE:
        raise ValueError(
            f"Got images of shape {images.shape} in textures.npz, expected "
            f"(n_pictures, height, width, 3) with sides of {SIDE} or more."
        )
    if not backgrounds or len(set(backgrounds)) != len(backgrounds):
        raise ValueError(
            f"Got backgrounds={backgrounds}, expected different names of pictures."
        )
    for name in backgrounds:
        if name not in names:
            raise ValueError(
                f"Got the unknown background {name!r}, expected some of {names}."
            )
    return {name: images[names.index(name)] for name in backgrounds}


def _views(
    images: np.ndarray,
    digits: np.ndarray,
    pictures: dict[str, np.ndarray],
    n: int,
    rng: np.random.RandomState,
) -> tuple[MultimodalData, np.ndarray]:
    """Rows in a random order, with a handwriting for each view."""
    rows = rng.permutation(len(digits))[:n]
    y = digits[rows].astype(np.int64)
    blocks = {}
    for name, picture in pictures.items():
        draws = local_random_state(draw_seed(rng))
        chosen = np.empty(n, dtype=np.int64)
        for digit in np.unique(digits):
            here = y == digit
            pool = draws.permutation(np.flatnonzero(digits == digit))
            chosen[here] = pool[: here.sum()]
        # Drawn for all rows there are: the first do not depend on their number.
        spans = np.array(picture.shape[:2]) - SIDE + 1
        corners = draws.randint(0, spans, size=(len(digits), 2))[:n]
        block = _crops(picture, corners)
        inside = images[chosen] > THRESHOLD
        block = np.where(inside[..., None], 255 - block, block)
        blocks[name] = np.ascontiguousarray(block.transpose(0, 3, 1, 2))
    return MultimodalData(blocks), y


def _crops(picture: np.ndarray, corners: np.ndarray) -> np.ndarray:
    side = np.arange(SIDE)
    down = (corners[:, 0, None] + side)[:, :, None]
    right = (corners[:, 1, None] + side)[:, None, :]
    return picture[down, right]


def _stratified(y: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Which rows are for validation: the same share of every digit."""
    out = np.zeros(len(y), dtype=bool)
    for digit in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == digit))
        out[rows[: round(VALIDATION * len(rows))]] = True
    return out
