"""What decides about candidates: class scores, confidence and plausibility."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ._statistics_table import StatisticsTable
from ._subset_model import Encoded


class Judged(NamedTuple):
    """Class scores (r, K), negative log-confidence and log-plausibility (r,)."""

    logits: np.ndarray
    loss: np.ndarray
    log_p: np.ndarray


class Judge(Protocol):
    """Judges rows given some of their modalities."""

    def logits(self, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Class scores alone."""

    def __call__(self, rows: np.ndarray, masks: np.ndarray) -> Judged:
        """Judge rows (r,) given modalities (r, M)."""


class RowJudge:
    """Judges rows that are encoded, by the statistics of features."""

    def __init__(
        self, encoded: Encoded, table: StatisticsTable, temperature: float, ics: str
    ) -> None:
        self._encoded, self._table = encoded, table
        self._temperature, self._ics = temperature, ics

    def logits(self, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return self._encoded.fuse(rows, masks).logits

    def __call__(self, rows: np.ndarray, masks: np.ndarray) -> Judged:
        logits, z = self._encoded.fuse(rows, masks)
        found = self._table.score(logits, z, masks, self._temperature, self._ics)
        return Judged(logits, *found)


class RememberingJudge:
    """Judges a row given a set of modalities once, however many policies ask."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._places: dict[bytes, int] = {}
        self._known: Judged | None = None

    def logits(self, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return self(rows, masks).logits

    def __call__(self, rows: np.ndarray, masks: np.ndarray) -> Judged:
        numbers = np.asarray(rows, dtype=np.uint32)[:, None].view(np.uint8)
        table = np.concatenate([numbers, np.packbits(masks, axis=1)], axis=1)
        keys = table.view(f"V{table.shape[1]}")[:, 0].tolist()
        places = self._places
        new = np.array([key not in places for key in keys], dtype=bool)
        if new.any():
            for i in np.flatnonzero(new):
                places[keys[i]] = len(places)
            found = self._judge(np.asarray(rows)[new], masks[new])
            self._known = (
                found
                if self._known is None
                else Judged(*map(np.concatenate, zip(self._known, found)))
            )
        assert self._known is not None
        index = np.array([places[key] for key in keys], dtype=int)
        return Judged(*(part[index] for part in self._known))
