"""Which recovered modalities are fused, with what a fit has learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ._held_out_rows import enough_held_out
from ._recoverer import Recoverer
from ._selection import Outcome, Policy, join_outcomes, select
from ._statistics_table import Sources, StatisticsTable
from ._subset_model import SubsetModel
from ._subset_statistics import FeatureRows, Shrinkage
from ._typicality import Typicality

# Rows recovered and judged at once.
SELECT_ROWS = 1024


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
        centers = rows = FeatureRows.of(model, training)
        if enough_held_out(typicality.statistics, len(held_out), n_classes):
            rows = FeatureRows.of(model, held_out)
        shrinkage = Shrinkage(
            n_classes,
            model.distance,
            float(typicality.shrinkage),
            int(typicality.min_rows),
        )
        table = StatisticsTable.fit(shrinkage, Sources(centers, rows), rng)
        return cls(model, recoverer, table)

    def run(self, data: MultimodalData, *policies: Policy) -> list[Outcome]:
        """Select for rows that have any of the modalities in use.

        Rows are recovered and encoded once for all policies.
        """
        parts = [
            self._run_part(data[start : start + SELECT_ROWS], policies)
            for start in range(0, len(data), SELECT_ROWS)
        ]
        return [join_outcomes(outcomes, SELECT_ROWS) for outcomes in zip(*parts)]

    def _run_part(
        self, data: MultimodalData, policies: tuple[Policy, ...]
    ) -> list[Outcome]:
        present = data.present
        candidates = np.zeros_like(present)
        if any(policy.selection != "none" for policy in policies):
            data, candidates = self.recoverer.fill(data)
        fuse = self.model.encode(data).fuse
        out = []
        for policy in policies:

            def score(
                logits: np.ndarray,
                z: np.ndarray,
                masks: np.ndarray,
                policy: Policy = policy,
            ) -> tuple[np.ndarray, np.ndarray]:
                return self.table.score(
                    logits, z, masks, policy.temperature, policy.ics
                )

            out.append(select(fuse, score, present, candidates, policy))
        return out
