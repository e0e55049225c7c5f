"""Drivers of missingness: one score per row, from labels, columns or blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target

from ..modalities import MultimodalData
from ..modalities._frames import read_series
from ..modalities._instants import days_of
from ..modalities._moments import block_moments
from ..modalities._row_view import iter_chunks


@dataclass(eq=False, repr=False)
class Driver:
    """A complete variable that missingness may depend on, and its factor or scores."""

    label: str
    data: Any
    weight: Any = None

    def score(self, rng: np.random.RandomState) -> np.ndarray:
        """Score of each row, higher where missingness is more likely."""
        weight = self.weight
        if isinstance(self.data, MultimodalData):
            if isinstance(weight, Mapping):
                raise ValueError(
                    f"Got a mapping for the block {self.label} in depends_on, expected "
                    "a number, or one coefficient per feature."
                )
            coefficients = None if weight is None or np.ndim(weight) == 0 else weight
            values = block_score(self.data, rng, coefficients)
            if coefficients is not None:
                return values
        elif isinstance(weight, Mapping):
            return _level_scores(self.label, self.data, weight)
        elif np.ndim(weight) != 0:
            raise ValueError(
                f"Got an array for {self.label} in depends_on, expected a number or a "
                "mapping from levels to scores."
            )
        else:
            values = _column_score(self.data, rng)
        factor = 1.0 if weight is None else _finite(weight, self.label)
        return factor * _standardise(values, self.label)


def find_drivers(
    depends_on, data: MultimodalData, covariates: pd.DataFrame | None, y
) -> list[Driver]:
    """Look up what missingness depends on."""
    if isinstance(depends_on, Mapping):
        pairs = list(depends_on.items())
    else:
        names = depends_on if isinstance(depends_on, list) else [depends_on]
        pairs = [(name, None) for name in names]
    if not pairs:
        raise ValueError("Got an empty depends_on, expected at least one driver.")
    columns = [] if covariates is None else list(covariates.columns)
    drivers = []
    for name, weight in pairs:
        label = repr(name)
        values: Any
        if name == "y":
            if y is None:
                raise ValueError(
                    "Got depends_on='y' without y, expected the labels as second "
                    "argument."
                )
            values = read_series(y)
        elif name in data.names:
            values = data.select(name)
        elif covariates is not None and (name in columns or f"column{name}" in columns):
            values = covariates[name if name in columns else f"column{name}"]
        else:
            raise ValueError(
                f"Got the unknown driver {label} in depends_on, expected 'y', one of "
                f"the modalities {data.names} or of the covariate columns {columns}."
            )
        is_block = isinstance(values, MultimodalData)
        missing = ~values.present if is_block else np.asarray(pd.isna(values))
        n_missing = int(missing.sum())
        if n_missing:
            raise ValueError(
                f"Got the driver {label} missing in {n_missing} rows, expected a value "
                "in every row."
            )
        drivers.append(Driver(label, values, weight))
    return drivers


def combine(drivers: list[Driver], given: bool, rng: np.random.RandomState):
    """Sum of the scores of all drivers, of standard deviation 1 unless ``given``."""
    total = np.sum([driver.score(rng) for driver in drivers], axis=0)
    if given or len(drivers) == 1:
        return total
    return _standardise(total, " + ".join(driver.label for driver in drivers))


def block_score(
    data: MultimodalData, rng: np.random.RandomState, coefficients=None
) -> np.ndarray:
    """Project the standardised features of a single block on one direction."""
    chosen = data.present[:, 0]
    block = data[data.names[0]]
    width = prod(block.shape[1:])
    if coefficients is None:
        direction = rng.standard_normal(width)
    else:
        direction = np.asarray(coefficients, dtype=np.float64).ravel()
        if len(direction) != width or not np.isfinite(direction).all():
            raise ValueError(
                f"Got {len(direction)} coefficients for the block {data.names[0]!r}, "
                f"expected {width} finite ones, one per feature."
            )
    out = np.zeros(len(block))
    if block.dtype.kind not in "fiub":
        table = pd.DataFrame(np.asarray(block).reshape(len(block), -1)[chosen])
        for j in range(width):
            column = table[j]
            value = np.zeros(len(table))
            known = column.notna().to_numpy()
            if known.any():
                value[known] = _centred(_column_score(column[known], rng))
            out[chosen] += direction[j] * value
        return out
    # Chunk by chunk, so that a block on disk is never read at once.
    moments = block_moments(block, chosen, np.ones(len(block)), ())
    _, mean, sd = (moment.ravel() for moment in moments)
    # A constant feature does not count; rounding leaves it a tiny deviation.
    varies = sd > 1e-12 * np.abs(mean)
    slope = np.where(varies, direction / np.where(varies, sd, 1.0), 0.0)
    for part, values in iter_chunks(block):
        rows = chosen[part]
        flat = values[rows].reshape(-1, width) - mean
        flat[np.isnan(flat)] = 0.0
        out[part][rows] = flat @ slope
    return out


def own_score(data: MultimodalData, m: int, rng: np.random.RandomState) -> np.ndarray:
    """Standardised random projection of the modality's own block (MNAR)."""
    name = data.names[m]
    present = data.present[:, m]
    score = block_score(data.select(name), rng)
    score[present] = _standardise(score[present], repr(name))
    return score


def check_scores(scores, present: np.ndarray) -> np.ndarray:
    """Scores of the user as (n_samples, n_modalities), 0 where a block is missing."""
    try:
        given = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    n, n_modalities = present.shape
    if given.shape not in ((n,), (n, n_modalities)):
        raise ValueError(
            f"Got scores of shape {np.shape(scores)}, expected numbers of shape "
            f"{(n,)} or {(n, n_modalities)}."
        )
    full = np.broadcast_to(given.reshape(n, -1), present.shape)
    if not np.isfinite(full[present]).all():
        raise ValueError(
            "Got scores that are NaN or infinite, expected finite numbers wherever a "
            "block is present."
        )
    return np.where(present, full, 0.0)


def _column_score(values, rng: np.random.RandomState) -> np.ndarray:
    """A numeric column as it is; a random score for each level of any other."""
    column = pd.Series(values)
    days = days_of(column)
    if days is not None:
        return days
    if isinstance(values, pd.Series):
        is_number = pd.api.types.is_numeric_dtype(column) and column.dtype != bool
    else:
        # Labels: whole numbers are classes.
        is_number = type_of_target(np.asarray(values)) == "continuous"
    if is_number:
        return column.to_numpy(dtype=np.float64)
    codes, levels = pd.factorize(column, sort=_sortable(column))
    return rng.standard_normal(len(levels))[codes]


def _sortable(column: pd.Series) -> bool:
    """Whether levels can be ordered, so that scores do not depend on the row order."""
    try:
        sorted(column.unique())
    except TypeError:
        return False
    return True


def _level_scores(label: str, values, scores: Mapping) -> np.ndarray:
    """Scores of the user by level."""
    levels = pd.unique(pd.Series(values))
    lost = [level for level in levels if level not in scores]
    if lost:
        level = lost[0].item() if isinstance(lost[0], np.generic) else lost[0]
        raise ValueError(
            f"Got no score for the level {level!r} of {label} in depends_on, "
            "expected one for each level."
        )
    table = {level: _finite(scores[level], label) for level in levels}
    return pd.Series(values).map(table).to_numpy(dtype=np.float64)


def _finite(value, label: str) -> float:
    """A finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(
            f"Got {value!r} for {label} in depends_on, expected a finite number."
        )
    return number


def _centred(values: np.ndarray) -> np.ndarray:
    """Standardised values; a constant stays 0."""
    sd = values.std()
    values = values - values.mean()
    return values / sd if sd > 0 else values


def _standardise(values: np.ndarray, label: str) -> np.ndarray:
    """Standardised values, refused where they do not vary."""
    if not np.isfinite(values).all():
        raise ValueError(
            f"Got infinite values in the driver {label}, expected finite ones."
        )
    # In any unit: squares must neither overflow nor vanish.
    values = values / (np.abs(values).max(initial=0.0) or 1.0)
    mean, sd = values.mean(), values.std()
    if not sd > 1e-12 * abs(mean):
        raise ValueError(
            f"Got the driver {label} with the same value in every row, expected one "
            "that varies."
        )
    return (values - mean) / sd
