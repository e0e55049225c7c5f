"""Recoveries of any kind, as the selector uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from .._utils._random import draw_seed
from ..modalities._multimodal_data import MultimodalData
from ..modalities._row_view import take_rows
from ..modalities._validation import flatten_blocks
from ..recovery import BaseRecovery, RegressionRecovery


class Recoverer:
    """Fills missing blocks with the recovery chosen for each modality.

    Parameters
    ----------
    recovery : transformer, dict of str to transformer, or None
        As in :class:`~skmissing.dymo.DyMoSelector`.
    """

    def __init__(self, recovery: Any) -> None:
        self.recovery = recovery

    def fit(
        self,
        data: MultimodalData,
        used: list[str],
        integers: frozenset[str],
        weight: np.ndarray,
        rng: np.random.RandomState,
    ) -> Recoverer:
        """Fit clones of the recoveries.

        Parameters
        ----------
        data : MultimodalData of n rows
            Training rows.
        used : list of str
            Modalities that some of them have.
        integers : frozenset of str
            Modalities whose model takes integers only.
        weight : ndarray of shape (n,)
            Sample weights.
        rng : RandomState
            Seeds recoveries without a seed of their own.

        Returns
        -------
        self
        """
        # For recoveries that were told of modalities that no row has.
        self.shapes = data.block_shapes
        data = data.select(used)
        chosen = self._chosen(used)
        self.fitted: list[Any] = []
        self.owner: dict[str, int] = {}
        known: dict[int, int] = {}
        for name in used:
            recovery = chosen[name]
            if id(recovery) not in known:
                known[id(recovery)] = len(self.fitted)
                named = getattr(recovery, "modalities", None) is not None
                full = with_hidden(data, self.shapes) if named else data
                self.fitted.append(_fit(recovery, full, weight, rng))
            self.owner[name] = known[id(recovery)]
        # What tokens and counts may be: a recovered one has to be one of them.
        self.ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for m, name in enumerate(used):
            here = np.flatnonzero(data.present[:, m])
            if name in integers and len(here):
                values = take_rows(data[name], here)
                self.ranges[name] = values.min(axis=0), values.max(axis=0)
        return self

    def _chosen(self, names: list[str]) -> dict[str, Any]:
        default = RegressionRecovery()
        if not isinstance(self.recovery, Mapping):
            whole = default if self.recovery is None else self.recovery
            return dict.fromkeys(names, whole)
        return {name: self.recovery.get(name, default) for name in names}

    def fill(
        self, data: MultimodalData, integers: frozenset[str]
    ) -> tuple[MultimodalData, np.ndarray]:
        """Fill missing blocks of rows that have something.

        Parameters
        ----------
        data : MultimodalData of n rows
            The modalities of ``fit``.
        integers : frozenset of str
            Modalities whose model takes integers only.

        Returns
        -------
        filled : MultimodalData of n rows
            ``present`` is True where something usable was recovered, too.
        candidates : ndarray of bool of shape (n, M)
            What was recovered.
        """
        gone = ~data.present
        lacking = np.flatnonzero(gone.any(axis=1))
        candidates = np.zeros(gone.shape, dtype=bool)
        if not len(lacking):
            return data, candidates
        part = data[lacking]
        some = np.asarray(gone.any(axis=0))
        needed = {self.owner[n] for n, g in zip(data.names, some) if g}
        found = {i: _recover(self.fitted[i], part, self.shapes) for i in needed}
        blocks: dict[str, Any] = data.blocks
        for m, name in enumerate(data.names):
            rows = np.flatnonzero(gone[:, m])
            if not len(rows):
                continue
            values = found[self.owner[name]].get(name)
            if values is None or (name in integers and name not in self.ranges):
                continue
            flat = values.reshape(len(values), -1)
            # A block that is missing still, or infinite, is no recovery. NaN in part
            # of one is a missing feature, as it is everywhere.
            usable = ~np.isnan(flat).all(axis=1) & ~np.isinf(flat).any(axis=1)
            block = take_rows(data[name], slice(None))
            if name in integers:
                low, high = self.ranges[name]
                with np.errstate(invalid="ignore"):
                    values = np.clip(np.rint(np.nan_to_num(values)), low, high)
                block = block.copy()
            else:
                # Not the type of the block: it may be that of another form of the data.
                block = block.astype(np.float64)
            block[rows[usable]] = values[usable]
            blocks[name] = block
            candidates[rows[usable], m] = True
        return (
            MultimodalData.unchecked(blocks, data.present | candidates),
            candidates,
        )


def check_recoveries(recovery: Any, names: list[str]) -> None:
    """Refuse what is no recovery, or one for a modality that does not exist.

    Parameters
    ----------
    recovery : transformer, dict of str to transformer, or None
        What the selector was given.
    names : list of str
        Modalities of the training rows.
    """
    for name, one in recovery.items() if isinstance(recovery, Mapping) else ():
        if name not in names:
            raise ValueError(
                f"Got a recovery for the unknown modality {name!r}, expected some of "
                f"{names}."
            )
        if not (hasattr(one, "fit") and hasattr(one, "transform")):
            raise ValueError(
                f"Got the recovery {one!r} for the modality {name!r}, expected a "
                "transformer."
            )


def with_hidden(
    data: MultimodalData, shapes: dict[str, tuple[int, ...]]
) -> MultimodalData:
    """Rows with all of some modalities, those that they do not know hidden.

    Parameters
    ----------
    data : MultimodalData of n rows
        Of some of the modalities.
    shapes : dict of str to tuple of int
        Shape of one row of each, in the order wanted.

    Returns
    -------
    MultimodalData of n rows
    """
    if data.names == list(shapes):
        return data
    own = data.blocks
    blocks = {
        name: own.get(name, np.broadcast_to(np.nan, (len(data), *shape)))
        for name, shape in shapes.items()
    }
    columns = [
        data.present[:, data.names.index(name)]
        if name in own
        else np.zeros(len(data), dtype=bool)
        for name in shapes
    ]
    return MultimodalData.unchecked(blocks, np.stack(columns, axis=1))


def _is_multimodal(recovery: Any) -> bool:
    """Whether a recovery takes blocks; other transformers get one table."""
    if isinstance(recovery, BaseRecovery):
        return True
    if isinstance(recovery, FrozenEstimator):
        return _is_multimodal(recovery.estimator)
    if isinstance(recovery, Pipeline):
        return any(_is_multimodal(step) for _, step in recovery.steps)
    return False


def _fit(
    recovery: Any,
    data: MultimodalData,
    weight: np.ndarray,
    rng: np.random.RandomState,
) -> Any:
    out = clone(recovery)
    seed = draw_seed(rng)
    if "random_state" in out.get_params() and out.get_params()["random_state"] is None:
        out.set_params(random_state=seed)
    X: Any = data if _is_multimodal(out) else flatten_blocks(data, data.names)
    if np.ptp(weight) > 0 and has_fit_parameter(out, "sample_weight"):
        return out.fit(X, None, sample_weight=weight)
    return out.fit(X, None)


def _recover(
    fitted: Any, data: MultimodalData, shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Values of missing blocks, float64, one row for each row that lacks them."""
    bare = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
    if set(getattr(bare, "modality_names_in_", ())) - set(data.names):
        data = with_hidden(data, shapes)
    gone = ~data.present
    if (
        isinstance(bare, BaseRecovery)
        and type(bare).transform is BaseRecovery.transform
    ):
        found = bare.recover(data)
        return {name: found[name] for name in data.names if name in found}
    if _is_multimodal(fitted):
        filled = fitted.transform(data)
        if not isinstance(filled, MultimodalData) or filled.names != data.names:
            raise ValueError(
                f"Got a {type(filled).__name__} from {type(bare).__name__}, expected "
                f"a MultimodalData with the modalities {data.names}."
            )
        out = {}
        for m, name in enumerate(data.names):
            rows = np.flatnonzero(gone[:, m])
            values = take_rows(filled[name], rows).astype(np.float64)
            values[~filled.present[rows, m]] = np.nan
            out[name] = values
        return out
    table = flatten_blocks(data, data.names)
    full = np.asarray(fitted.transform(table), dtype=np.float64)
    if full.shape != table.shape:
        raise ValueError(
            f"Got {full.shape[1]} columns from {type(bare).__name__}, expected the "
            f"{table.shape[1]} that it was given; some imputers keep those without a "
            "value only with keep_empty_features=True."
        )
    out, start = {}, 0
    for m, (name, shape) in enumerate(data.block_shapes.items()):
        size = int(np.prod(shape))
        part = full[:, start : start + size].reshape(len(data), *shape)
        out[name] = part[gone[:, m]]
        start += size
    return out
