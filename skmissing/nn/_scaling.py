"""Mean and standard deviation of a block, and their use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..modalities._moments import block_moments, kept_shape


@dataclass
class BlockScaler:
    """How the rows of one block become input of a net.

    ``(x - center) * factor``, then ``fill`` for what is NaN. All are float64 and
    broadcast against one row.
    """

    center: np.ndarray
    factor: np.ndarray
    fill: np.ndarray
    # False: floats are only filled.
    scales: bool
    # True: integers go through untouched.
    keeps_integers: bool = False

    def transform(self, name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Scale and fill some rows of a floating point block."""
        # float64 before the subtraction: a time stamp of 1.7e9 seconds has no bits
        # left for its minutes in float32.
        out = values.astype(np.float64)
        if self.scales:
            out -= self.center
            out *= self.factor
        if values.dtype.kind == "f":
            gaps = np.isnan(out)
            if gaps.any():
                out = np.where(gaps, self.fill, out)
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


def fit_scaler(
    block,
    rows: np.ndarray,
    weight: np.ndarray,
    axes: tuple[int, ...],
    scale: bool,
    keeps_integers: bool = False,
) -> BlockScaler:
    """Weighted mean and standard deviation of a block."""
    kept = kept_shape(block.shape[1:], axes)
    identity = BlockScaler(
        np.zeros(kept), np.ones(kept), np.zeros(kept), scale, keeps_integers
    )
    if not scale and block.dtype.kind != "f":
        return identity
    known, mean, deviation = block_moments(block, rows, weight, axes, scale)
    if not scale:
        # Integers with gaps come as floats from a table: same numbers, same input.
        return BlockScaler(
            identity.center, identity.factor, mean, False, keeps_integers
        )
    constant = deviation == 0
    factor = np.where(constant, 1.0, 1.0 / np.where(constant, 1.0, deviation))
    # A feature never seen in training is 0 after scaling, whatever comes later.
    factor = np.where(known, factor, 0.0)
    return BlockScaler(mean, factor, np.zeros(kept), True)


def series_lengths(values: np.ndarray) -> np.ndarray:
    """Time steps before the trailing all-NaN ones."""
    n, n_steps = values.shape[:2]
    if values.dtype.kind != "f":
        return np.full(n, n_steps, dtype=np.int64)
    real = ~np.isnan(values).reshape(n, n_steps, -1).all(axis=2)
    back = np.argmax(real[:, ::-1], axis=1)
    return np.where(real.any(axis=1), n_steps - back, 1).astype(np.int64)
