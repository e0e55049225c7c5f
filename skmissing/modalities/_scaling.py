"""Mean and standard deviation of a block, and their use."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ._moments import block_moments, kept_shape
from ._normal_scores import NormalScores, apply_scores, find_heavy_tails
from ._row_view import iter_chunks


@dataclass
class BlockScaler:
    """How the rows of one block become input of a net.

    ``(x - center) * factor``, then ``fill`` for what is NaN. All are float64 and
    broadcast against one row. ``indicated`` are the features (columns of a vector,
    channels of a series) that get another input, 1 where they are NaN.
    """

    center: np.ndarray
    factor: np.ndarray
    fill: np.ndarray
    # False: floats are only filled.
    scales: bool
    # True: integers go through untouched.
    keeps_integers: bool = False
    # Of features with heavy tails, by their place in ``center``: in place of the rest.
    scores: list[tuple[tuple[int, ...], NormalScores]] = field(default_factory=list)
    indicated: tuple[int, ...] = ()

    @property
    def row_by_row(self) -> bool:
        """Whether integers too have to go through :meth:`transform`."""
        return bool(self.scores)

    def input_dtype(self, dtype: np.dtype) -> np.dtype:
        """Type of the input in a net of a type."""
        return dtype

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the input of a row of the block."""
        return (
            (*shape[:-1], shape[-1] + len(self.indicated)) if self.indicated else shape
        )

    def transform(self, name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Scale and fill some rows of a floating point block."""
        # float64 before the subtraction: a time stamp of 1.7e9 seconds has no bits
        # left for its minutes in float32.
        out = values.astype(np.float64)
        if self.scales:
            out -= self.center
            out *= self.factor
            apply_scores(self.scores, values, out, self.center.shape)
        if values.dtype.kind == "f":
            gaps = np.isnan(out)
            if gaps.any():
                out = np.where(gaps, self.fill, out)
            if self.indicated:
                out = np.concatenate([out, self._indicators(values)], axis=-1)
        elif self.indicated:
            more = np.zeros((*out.shape[:-1], len(self.indicated)))
            out = np.concatenate([out, more], axis=-1)
        with np.errstate(over="ignore"):
            cast = out.astype(dtype)
        if not np.isfinite(cast).all():
            raise ValueError(
                f"Got a value of {np.abs(out).max():.3g} (after scaling) in the "
                f"modality {name!r}, expected less than {np.finfo(dtype).max:.3g}, the "
                f"largest {dtype}; dtype='float64' reaches further."
            )
        # Layers multiply and sum values, and some square them.
        limit = np.finfo(dtype).max ** 0.25
        return np.clip(cast, -limit, limit, out=cast)

    def _indicators(self, values: np.ndarray) -> np.ndarray:
        gaps = np.isnan(values)
        if values.ndim == 3:
            # Steps without any value are padding.
            gaps &= ~gaps.all(axis=2, keepdims=True)
        return gaps[..., list(self.indicated)]


def fit_scaler(
    block,
    rows: np.ndarray,
    weight: np.ndarray,
    axes: tuple[int, ...],
    scale: bool | str,
    *,
    keeps_integers: bool = False,
    indicate: float | None = None,
) -> BlockScaler:
    """Weighted mean and deviation of a block; "auto": ranks where tails are heavy.

    ``indicate`` is the share of NaN from which on a feature gets an indicator.
    """
    kept = kept_shape(block.shape[1:], axes)
    identity = BlockScaler(
        np.zeros(kept), np.ones(kept), np.zeros(kept), bool(scale), keeps_integers
    )
    if not scale and block.dtype.kind != "f":
        return identity
    known, mean, deviation = block_moments(block, rows, weight, axes, bool(scale))
    if not scale:
        # Integers with gaps come as floats from a table: same numbers, same input.
        return BlockScaler(
            identity.center, identity.factor, mean, False, keeps_integers
        )
    constant = deviation == 0
    factor = np.where(constant, 1.0, 1.0 / np.where(constant, 1.0, deviation))
    # A feature never seen in training is 0 after scaling, whatever comes later.
    factor = np.where(known, factor, 0.0)
    scores = []
    if scale == "auto":
        scores = find_heavy_tails(block, rows, weight, mean, deviation)
    indicated: tuple[int, ...] = ()
    if indicate is not None and block.dtype.kind == "f" and block.ndim <= 3:
        indicated = find_gaps(block, rows, weight, indicate)
    return BlockScaler(
        mean, factor, np.zeros(kept), True, scores=scores, indicated=indicated
    )


def find_gaps(
    block, rows: np.ndarray, weight: np.ndarray, share: float
) -> tuple[int, ...]:
    """Features of vectors or series with at least a share of NaN."""
    missing, total = np.zeros((2, block.shape[-1]))
    for part, values in iter_chunks(block):
        gaps = np.isnan(values[rows[part]])
        w = weight[part][rows[part]].reshape(-1, *[1] * (gaps.ndim - 1))
        if gaps.ndim == 3:
            w = w * ~gaps.all(axis=2, keepdims=True)
        axes = tuple(range(gaps.ndim - 1))
        missing += (w * gaps).sum(axis=axes)
        total += (w * np.ones_like(gaps)).sum(axis=axes)
    enough = (missing > 0) & (missing >= share * total) & (missing < total)
    return tuple(np.flatnonzero(enough).tolist())


def series_lengths(values: np.ndarray) -> np.ndarray:
    """Time steps before the trailing all-NaN ones."""
    n, n_steps = values.shape[:2]
    if values.dtype.kind != "f":
        return np.full(n, n_steps, dtype=np.int64)
    real = ~np.isnan(values).reshape(n, n_steps, -1).all(axis=2)
    back = np.argmax(real[:, ::-1], axis=1)
    return np.where(real.any(axis=1), n_steps - back, 1).astype(np.int64)
