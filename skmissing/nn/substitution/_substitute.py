"""Substitutes for missing blocks, for nets that are not given the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..._utils._checks import check_known
from ...modalities._moments import block_moments
from ...modalities._multimodal_data import MultimodalData
from ...modalities._scaling import BlockScaler
from ..encoders._encoder import Encoder

SUBSTITUTES = ("zero", "mean", "noise")
# Fixed draws that stand for all noise at prediction: their mean prediction is that of
# noise to within a quarter of its standard deviation.
N_DRAWS = 16


@dataclass
class Substitute:
    """Inputs that a net gets in place of a missing block.

    Attributes
    ----------
    kind : {"zero", "mean", "noise"}
        What they are.
    values : ndarray of shape (k, *shape)
        One row; for noise :data:`N_DRAWS` draws. In the units of the data.
    center, deviation : ndarray that broadcasts against ``shape``, or None
        Of the noise.
    """

    kind: str
    values: np.ndarray
    center: np.ndarray | None = None
    deviation: np.ndarray | None = None


def resolve_substitutes(substitute, names: list[str]) -> dict[str, str]:
    """Kind of substitute of every modality."""
    if not isinstance(substitute, Mapping):
        return dict.fromkeys(names, str(substitute))
    check_known("a substitute for", substitute, names)
    for name, kind in substitute.items():
        if not (isinstance(kind, str) and kind in SUBSTITUTES):
            raise ValueError(
                f"Got substitute={kind!r} for the modality {name!r}, expected one of "
                f"{list(SUBSTITUTES)}."
            )
    return {name: substitute.get(name, "zero") for name in names}


def make_substitutes(
    kinds: dict[str, str],
    data: MultimodalData,
    weight: np.ndarray,
    encoders: dict[str, Encoder],
    rng: np.random.RandomState,
) -> dict[str, Substitute]:
    """Learn the substitutes of the modalities that training rows have."""
    out = {}
    for m, (name, shape) in enumerate(data.block_shapes.items()):
        here, block, kind = data.present[:, m], data[name], kinds[name]
        # Drawn for every modality, so that none depends on the kinds of others.
        seed = rng.randint(np.iinfo(np.int32).max)
        if not here.any():
            continue
        if kind == "zero":
            dtype = block.dtype if block.dtype.kind != "f" else np.dtype(np.float64)
            out[name] = Substitute(kind, np.zeros((1, *shape), dtype=dtype))
            continue
        as_they_are = encoders[name].keeps_integers and block.dtype.kind != "f"
        if as_they_are or encoders[name].reads_tokens:
            raise ValueError(
                f"Got substitute={kind!r} for the modality {name!r} of integers that "
                "its encoder takes as they are, expected substitute='zero'."
            )
        axes = encoders[name].statistics_axes(shape)
        _, mean, deviation = block_moments(block, here, weight, axes)
        center = np.broadcast_to(mean, shape)[None]
        if kind == "mean":
            out[name] = Substitute(kind, np.array(center))
            continue
        draws = np.random.RandomState(seed).standard_normal((N_DRAWS, *shape))
        out[name] = Substitute(kind, center + draws * deviation, mean, deviation)
    return out


def as_input(
    name: str, substitute: Substitute, scaler: BlockScaler, dtype: np.dtype
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """A substitute in the units of a net's inputs."""
    values = substitute.values
    changes = scaler.row_by_row or scaler.scales or values.dtype.kind == "f"
    if scaler.keeps_integers and not changes:
        return values, None
    values = scaler.transform(name, values, dtype)
    if substitute.deviation is None or substitute.center is None:
        return values, None
    center = scaler.transform(name, substitute.center[None], dtype)[0]
    deviation = substitute.deviation * (scaler.factor if scaler.scales else 1.0)
    if scaler.indicated:
        # Noise has no gaps, so that their indicators stay 0.
        indicators = np.zeros((*deviation.shape[:-1], len(scaler.indicated)))
        deviation = np.concatenate([deviation, indicators], axis=-1)
    return values, (center, deviation.astype(dtype))
