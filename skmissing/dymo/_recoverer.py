"""Recoveries of any kind, as the selector uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from .._estimation._inner_estimators import clone_seeded, fit_options
from .._estimation._rows import LabelledRows
from .._utils._checks import check_known
from .._utils._random import draw_seed
from ..modalities._multimodal_data import MultimodalData
from ..modalities._row_view import take_rows
from ..modalities._validation import flatten_blocks
from ..recovery import BaseRecovery, GaussianRecovery


class Filled(NamedTuple):
    """Rows with recovered blocks, and which those are, bool of shape (n, M)."""

    data: MultimodalData
    candidates: np.ndarray


@dataclass
class Recoverer:
    """Fills missing blocks with the recovery chosen for each modality.

    Attributes
    ----------
    fitted : list of fitted transformers
        Each of them once.
    owner : dict of str to int
        Which of them recovers each modality.
    shapes : dict of str to tuple of int
        All modalities of ``fit``: frozen recoveries may know some that no row has.
    ranges : dict of str to pair of ndarray
        What integers may be: a recovered token has to be one that was seen.
    integers : frozenset of str
        Modalities whose model takes integers only.
    """

    fitted: list[Any]
    owner: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    ranges: dict[str, tuple[np.ndarray, np.ndarray]]
    integers: frozenset[str]

    @classmethod
    def fit(
        cls,
        recovery,
        rows: LabelledRows,
        names: list[str],
        integers: frozenset[str],
        rng: np.random.RandomState,
    ) -> Recoverer:
        """Fit clones of the recoveries of some modalities."""
        shapes = rows.data.block_shapes
        data = rows.data.select(names)
        fitted: list[Any] = []
        owner: dict[str, int] = {}
        known: dict[int, int] = {}
        for name, one in _recovery_of_each(recovery, names).items():
            if id(one) not in known:
                known[id(one)] = len(fitted)
                named = getattr(one, "modalities", None) is not None
                full = data.reindex(shapes) if named else data
                fitted.append(_fit(one, replace(rows, data=full), rng))
            owner[name] = known[id(one)]
        ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for m, name in enumerate(names):
            present = np.flatnonzero(data.present[:, m])
            if name in integers and len(present):
                values = take_rows(data[name], present)
                ranges[name] = values.min(axis=0), values.max(axis=0)
        return cls(fitted, owner, shapes, ranges, integers)

    def fill(self, data: MultimodalData) -> Filled:
        """Fill missing blocks of rows that have any."""
        missing = ~data.present
        incomplete = np.flatnonzero(missing.any(axis=1))
        candidates = np.zeros(missing.shape, dtype=bool)
        if not len(incomplete):
            return Filled(data, candidates)
        part = data[incomplete]
        some = np.asarray(missing.any(axis=0))
        needed = {self.owner[n] for n, s in zip(data.names, some) if s}
        found = {i: _recover(self.fitted[i], part, self.shapes) for i in needed}
        blocks: dict[str, Any] = data.blocks
        for m, name in enumerate(data.names):
            rows = np.flatnonzero(missing[:, m])
            if not len(rows):
                continue
            values = found[self.owner[name]].get(name)
            if values is None or (name in self.integers and name not in self.ranges):
                continue
            flat = values.reshape(len(values), -1)
            # A block that is missing still, or infinite, is no recovery. NaN in part
            # of one is a missing feature, as it is everywhere.
            usable = ~np.isnan(flat).all(axis=1) & ~np.isinf(flat).any(axis=1)
            block = take_rows(data[name], slice(None))
            if name in self.integers:
                values = self._round(name, values)
                block = block.copy()
            else:
                # Not the type of the block: it may be that of another form of the data.
                block = block.astype(np.float64)
            block[rows[usable]] = values[usable]
            blocks[name] = block
            candidates[rows[usable], m] = True
        present = data.present | candidates
        return Filled(MultimodalData.unchecked(blocks, present), candidates)

    def _round(self, name: str, values: np.ndarray) -> np.ndarray:
        low, high = self.ranges[name]
        with np.errstate(invalid="ignore"):
            return np.clip(np.rint(np.nan_to_num(values)), low, high)


def _recovery_of_each(recovery, names: list[str]) -> dict[str, Any]:
    default = GaussianRecovery()
    if not isinstance(recovery, Mapping):
        return dict.fromkeys(names, default if recovery is None else recovery)
    return {name: recovery.get(name, default) for name in names}


def check_recoveries(recovery, names: list[str]) -> None:
    """Refuse what is no recovery, or one for a modality that does not exist."""
    given = recovery if isinstance(recovery, Mapping) else {}
    check_known("a recovery for", given, names)
    for name, one in given.items():
        if not (hasattr(one, "fit") and hasattr(one, "transform")):
            raise ValueError(
                f"Got the recovery {one!r} for the modality {name!r}, expected a "
                "transformer."
            )


def _is_multimodal(recovery) -> bool:
    """Whether a recovery takes blocks; other transformers get one table."""
    if isinstance(recovery, BaseRecovery):
        return True
    if isinstance(recovery, FrozenEstimator):
        return _is_multimodal(recovery.estimator)
    if isinstance(recovery, Pipeline):
        return any(_is_multimodal(step) for _, step in recovery.steps)
    return False


def _fit(recovery, rows: LabelledRows, rng: np.random.RandomState):
    """A clone, with a seed if it has none, and the weights and groups it takes."""
    out = clone_seeded(recovery, draw_seed(rng))
    data, given = rows.data, {}
    if np.ptp(rows.weight) > 0:
        given["sample_weight"] = rows.weight
    if rows.groups is not None:
        given["groups"] = rows.groups
    X: Any = data if _is_multimodal(out) else flatten_blocks(data, data.names)
    return out.fit(X, None, **fit_options(out, given))


def _recover(
    fitted, data: MultimodalData, shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Values of missing blocks, float64, one row for each row without the block."""
    bare = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
    if set(getattr(bare, "modality_names_in_", ())) - set(data.names):
        data = data.reindex(shapes)
    if (
        isinstance(bare, BaseRecovery)
        and type(bare).transform is BaseRecovery.transform
    ):
        found = bare.recover(data)
        return {name: found[name] for name in data.names if name in found}
    if _is_multimodal(fitted):
        return _transform_blocks(fitted, data)
    return _transform_table(fitted, data)


def _transform_blocks(fitted, data: MultimodalData) -> dict[str, np.ndarray]:
    filled = fitted.transform(data)
    if not isinstance(filled, MultimodalData) or filled.names != data.names:
        raise ValueError(
            f"Got a {type(filled).__name__} from {_name_of(fitted)}, expected a "
            f"MultimodalData with the modalities {data.names}."
        )
    out = {}
    for m, name in enumerate(data.names):
        rows = np.flatnonzero(~data.present[:, m])
        values = take_rows(filled[name], rows).astype(np.float64)
        values[~filled.present[rows, m]] = np.nan
        out[name] = values
    return out


def _transform_table(fitted, data: MultimodalData) -> dict[str, np.ndarray]:
    table = flatten_blocks(data, data.names)
    full = np.asarray(fitted.transform(table), dtype=np.float64)
    if full.shape != table.shape:
        raise ValueError(
            f"Got {full.shape[1]} columns from {_name_of(fitted)}, expected the "
            f"{table.shape[1]} that it was given; some imputers keep those without a "
            "value only with keep_empty_features=True."
        )
    out, start = {}, 0
    for m, (name, shape) in enumerate(data.block_shapes.items()):
        size = int(np.prod(shape))
        part = full[:, start : start + size].reshape(len(data), *shape)
        out[name] = part[~data.present[:, m]]
        start += size
    return out


def _name_of(fitted) -> str:
    bare = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
    return type(bare).__name__
