"""Covariates of more rows than fit in memory, coded chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._estimation._scale import root_mean_square
from ..modalities._multimodal_data import MultimodalData
from ..modalities._normal_scores import FAR, MAX_ROWS, NormalScores
from ._covariate_values import as_levels, as_numbers, holds_objects
from ._covariates import (
    Column,
    CovariateSource,
    CovariateTable,
    column_of_levels,
    level_masses,
    rows_of,
)

# Rows coded at once: each covariate of them stays in the cache.
CHUNK_ROWS = 2**15
# Values of a table from which on it is not held in memory.
MANY_VALUES = 2**25


class _Coded(NamedTuple):
    """A covariate with the mean and deviation of each of its columns."""

    column: Column
    mean: list[float]
    scale: list[float]


@dataclass
class _Number:
    """Moments, range and a sample of a number, of which chunks are added."""

    label: str
    mass: float = 0.0
    # In units of 2 ** exponent, so that no square overflows or vanishes.
    mean: float = 0.0
    squares: float = 0.0
    exponent: int = -10_000
    low: float = np.inf
    high: float = -np.inf
    had_missing: bool = False
    sample: list[np.ndarray] = field(default_factory=list)

    def add(self, x: np.ndarray, weight: np.ndarray, sampled: slice) -> None:
        """Add a chunk, of which some rows are sampled."""
        self.sample.append(x[sampled].copy())
        used, missing = weight > 0, np.isnan(x)
        if missing.any() or not used.all():
            self.had_missing |= bool((missing & used).any())
            x, weight = x[used & ~missing], weight[used & ~missing]
        if not len(x):
            return
        low, high = float(x.min()), float(x.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        exponent = int(np.frexp(max(-low, high))[1])
        if exponent > self.exponent:
            change, self.exponent = self.exponent - exponent, exponent
            self.mean = float(np.ldexp(self.mean, change))
            self.squares = float(np.ldexp(self.squares, 2 * change))
        x, mass = np.ldexp(x, -self.exponent), float(weight.sum())
        mean = float(weight @ x) / mass
        x -= mean
        # Of two parts: each deviates from its own mean, and these from the joint one.
        total, gap = self.mass + mass, mean - self.mean
        self.squares += float(weight @ (x * x)) + gap**2 * self.mass * mass / total
        self.mean += gap * mass / total
        self.mass = total

    def finish(self, total: float, weight: np.ndarray) -> _Coded:
        """The covariate of all rows; ``weight`` are those of the sample."""
        fill = float(np.ldexp(self.mean, self.exponent)) if self.mass else 0.0
        column = Column(self.label, None, fill, self.had_missing)
        spread = np.sqrt(self.squares / np.array([max(self.mass, 1e-300), total]))
        own, scale = np.ldexp(spread, self.exponent).tolist()
        mean, x = fill, np.concatenate(self.sample)
        known = (weight > 0) & ~np.isnan(x)
        far = self.mass and max(self.high - fill, fill - self.low) > FAR * own
        if far and len(np.unique(x[known])) > 2:
            column.scores = NormalScores.fit(x[known], weight[known])
            x = column.scores(np.where(known, x, fill))
            mean = float(weight @ x / weight.sum())
            scale = float(root_mean_square(x - mean, weight))
        return _with_indicator(column, [mean], [scale], 1.0 - self.mass / total)


@dataclass
class _Levels:
    """Weights of the levels of a category, of which chunks are added."""

    label: str
    mass_of: dict[Any, float] = field(default_factory=dict)
    missing: bool = False

    def add(self, values: Any, weight: np.ndarray) -> None:
        """Add a chunk."""
        codes, found = as_levels(self.label, values)
        for level, mass in zip(found, level_masses(codes, weight, len(found))):
            self.mass_of[level] = self.mass_of.get(level, 0.0) + mass
        self.missing |= bool(((weight > 0) & (codes < 0)).any())

    def finish(self, total: float) -> _Coded:
        """The covariate of all rows."""
        column = column_of_levels(self.label, self.mass_of, self.missing)
        share = np.zeros(len(column.levels or []))
        for level, mass in self.mass_of.items():
            if mass > 0:
                share[column.place(level)] += mass / total
        missing = 1.0 - sum(self.mass_of.values()) / total if self.missing else 0.0
        if len(share):
            share[column.place(column.fill)] += missing
        scale = _binary_scale(share)
        return _with_indicator(column, share.tolist(), scale.tolist(), missing)


def _with_indicator(
    column: Column, mean: list[float], scale: list[float], missing: float
) -> _Coded:
    if not column.had_missing:
        return _Coded(column, mean, scale)
    spread = float(_binary_scale(np.array(missing)))
    return _Coded(column, [*mean, missing], [*scale, spread])


def _binary_scale(share: np.ndarray) -> np.ndarray:
    """Deviation of ones and zeros; 0 where all are the same but for rounding."""
    varies = (share > 1e-14) & (share < 1 - 1e-14)
    return np.where(varies, np.sqrt(np.abs(share * (1.0 - share))), 0.0)


@dataclass(frozen=True)
class CovariateReader:
    """Reads the covariates of some rows of X."""

    estimator: Any
    source: CovariateSource
    data: MultimodalData
    X: Any
    y: Any

    def __len__(self) -> int:
        return len(self.data)

    def read(self, rows: slice | np.ndarray) -> list[tuple[str, Any]]:
        """Label and values of every covariate."""
        y = None if self.y is None else self.y[rows]
        X = rows_of(self.X, rows)
        return self.source.take(self.estimator, self.data[rows], X, y)

    def parts(self) -> Iterator[slice]:
        """The rows of each chunk."""
        for start in range(0, len(self), CHUNK_ROWS):
            yield slice(start, min(start + CHUNK_ROWS, len(self)))

    @property
    def is_large(self) -> bool:
        """Whether the covariates of all rows had better not be in memory."""
        if len(self) <= CHUNK_ROWS:
            return False
        found = self.read(slice(0, CHUNK_ROWS))
        if len(self) * len(found) <= MANY_VALUES:
            return False
        # Objects of several kinds in one column are distinguished by all of its rows.
        objects = {a for a, values in found if holds_objects(values)}
        whole = self.source.take(self.estimator, self.data, self.X, None, objects)
        return all(
            pd.api.types.infer_dtype(values, skipna=True) == "string"
            for _, values in whole
        )


def learn_by_chunks(reader: CovariateReader, weight: np.ndarray) -> CovariateTable:
    """Learn columns and their moments in one pass."""
    step = -(-len(reader) // MAX_ROWS)
    found: dict[str, _Number | _Levels] = {}
    for part in reader.parts():
        w, sampled = weight[part], slice(-part.start % step, None, step)
        for label, values in reader.read(part):
            if label not in found:
                is_text = holds_objects(values) or as_numbers(label, values) is None
                found[label] = _Levels(label) if is_text else _Number(label)
            learner = found[label]
            if isinstance(learner, _Levels):
                learner.add(values, w)
            else:
                numbers: Any = as_numbers(label, values)
                learner.add(numbers, w, sampled)
    total, sample = float(weight.sum()), weight[::step]
    coded = [
        c.finish(total) if isinstance(c, _Levels) else c.finish(total, sample)
        for c in found.values()
    ]
    return CovariateTable.of(
        [c.column for c in coded],
        np.array([m for c in coded for m in c.mean]),
        np.array([s for c in coded for s in c.scale]),
    )


@dataclass(frozen=True)
class ChunkedTable:
    """The standardised covariates of all rows, coded whenever they are read."""

    table: CovariateTable
    reader: CovariateReader

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.reader), len(self.table.names_)

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, by their numbers."""
        return self.table.code(self.reader.read(rows), len(rows))[0]

    def chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All rows in their order, without a warning."""
        for part in self.reader.parts():
            covariates = self.reader.read(part)
            yield part, self.table.code(covariates, part.stop - part.start)[0]


def iter_transformed(
    table: CovariateTable, reader: CovariateReader
) -> Iterable[tuple[slice, np.ndarray]]:
    """Coded chunks of rows that are not those of fit, with one warning for all."""
    trouble: dict[str, int] = {}
    for part in reader.parts():
        coded, found = table.code(reader.read(part), part.stop - part.start)
        for label, count in found.items():
            trouble[label] = trouble.get(label, 0) + count
        yield part, coded
    table.warn(trouble)
