"""Which recovered modalities are fused, with what a fit has learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ._held_out_rows import enough_held_out
from ._judge import Judge, Judged, RememberingJudge, RowJudge
from ._recoverer import Recoverer
from ._selection import Outcome, Policy, join_outcomes, select
from ._statistics_table import Sources, StatisticsTable
from ._subset_model import Encoded, SubsetModel
from ._subset_statistics import FeatureRows, Shrinkage
from ._typicality import Typicality

# Rows recovered and judged at once.
SELECT_ROWS = 1024
# Rows that statistics are taken from, at most: of more, they change by less than what
# rows that are shrunk or held out do to them.
MOST_ROWS, MOST_PER_CLASS = 1024, 50


@dataclass(frozen=True)
class Fusion:
    """A model of some modalities, recoveries of these, and statistics of features."""

    model: SubsetModel
    recoverer: Recoverer
    table: StatisticsTable

    @classmethod
    def fit(
        cls,
        model: SubsetModel,
        recoverer: Recoverer,
        training: LabelledRows,
        held_out: LabelledRows,
        typicality: Typicality,
        rng: np.random.RandomState,
    ) -> Fusion:
        """Statistics of rows that have the modalities of the model."""
        n_classes = len(training.classes)
        most = max(MOST_ROWS, MOST_PER_CLASS * n_classes)
        centers = rows = FeatureRows.of(model, _draw(training, most, rng))
        if enough_held_out(typicality.statistics, len(held_out), n_classes):
            rows = FeatureRows.of(model, _draw(held_out, most, rng))
        shrinkage = Shrinkage(
            n_classes,
            model.distance,
            float(typicality.shrinkage),
            int(typicality.min_rows),
        )
        table = StatisticsTable.fit(shrinkage, Sources(centers, rows), rng)
        return cls(model, recoverer, table)

    def run(
        self, data: MultimodalData, policy: Policy, reports: bool = False
    ) -> Outcome:
        """Select for rows that have any of the modalities in use, some at a time."""
        run = self._run_all if reports else self._run_open
        starts = range(0, len(data), SELECT_ROWS)
        return join_outcomes(
            [run(data[i : i + SELECT_ROWS], policy) for i in starts], SELECT_ROWS
        )

    def _run_all(self, data: MultimodalData, policy: Policy) -> Outcome:
        """With the rewards of all rows."""
        fills = policy.selection != "none"
        return self._prepare(data, fills).select(policy, reports=True)

    def _run_open(self, data: MultimodalData, policy: Policy) -> Outcome:
        """Without a recovery of rows for which no reward can be enough."""
        if policy.selection in ("all", "none"):
            return self._run_all(data, policy)
        present = data.present
        encoded = self.model.encode(data)
        judge = RowJudge(encoded, self.table, policy.temperature, policy.ics)
        is_open = ~present.all(axis=1)
        logits = np.empty((len(data), len(self.table.pooled.prototypes)))
        if not is_open.all():
            logits[~is_open] = judge.logits(np.flatnonzero(~is_open), present[~is_open])
        if not is_open.any():
            return Outcome(logits, present)
        known = judge(np.flatnonzero(is_open), present[is_open])
        logits[is_open] = known.logits
        may = policy.may_accept(known.loss)
        rows = np.flatnonzero(is_open)[may]
        fused = present.copy()
        if len(rows):
            filled, candidates = self.recoverer.fill(data[rows])
            again = self.model.encode_recovered(encoded, rows, filled, candidates)
            judge = RowJudge(again, self.table, policy.temperature, policy.ics)
            known = Judged(*(part[may] for part in known))
            found = select(judge, present[rows], candidates, policy, known=known)
            logits[rows], fused[rows] = found.logits, found.fused
        return Outcome(logits, fused)

    def prepare(self, data: MultimodalData) -> PreparedRows:
        """Rows that are recovered and encoded, for policies to be chosen between."""
        return self._prepare(data, True)

    def _prepare(self, data: MultimodalData, fills: bool) -> PreparedRows:
        present, candidates = data.present, np.zeros_like(data.present)
        if fills:
            data, candidates = self.recoverer.fill(data)
        return PreparedRows(self.model.encode(data), self.table, present, candidates)


class PreparedRows:
    """Rows that are recovered and encoded.

    What is judged for one policy is remembered for others, which differ in what they
    make of it.
    """

    def __init__(
        self,
        encoded: Encoded,
        table: StatisticsTable,
        present: np.ndarray,
        candidates: np.ndarray,
    ) -> None:
        self._encoded, self._table = encoded, table
        self._present, self._candidates = present, candidates
        self._judges: dict[tuple[float, str], Judge] = {}

    def select(
        self, policy: Policy, reports: bool = False, remembers: bool = False
    ) -> Outcome:
        """Select by a policy; with a history, if it is to be reported."""
        key = policy.temperature, policy.ics
        judge: Judge = RowJudge(self._encoded, self._table, *key)
        if remembers:
            judge = self._judges.setdefault(key, RememberingJudge(judge))
        return select(judge, self._present, self._candidates, policy, reports)


def _draw(rows: LabelledRows, most: int, rng: np.random.RandomState) -> LabelledRows:
    """At most so many rows, in their order."""
    if len(rows) <= most:
        return rows
    return rows.take(np.sort(rng.permutation(len(rows))[:most]))
