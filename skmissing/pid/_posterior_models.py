"""Held-out posteriors of every source, relative to the class prior."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from .._estimation._folds import Folds
from .._estimation._inner_estimators import takes_multimodal
from .._estimation._number_table import NumberTable
from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ._learners import BlockTemplate, FittedLearner, Learner, Template, candidates
from ._sources import Source, source_name
from ._stacking import Choice, HeldOutScores, Stacked

# Powers of a posterior below this change no probability that matters.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class CombinedModel:
    """A product of powers of posteriors over prior, raised to ``exponent``."""

    parts: list[tuple[float, FittedLearner | CombinedModel]]
    n_classes: int
    exponent: float = 1.0

    def __call__(self, data: MultimodalData) -> np.ndarray:
        """Logarithm of posterior over prior, shape (n, n_classes)."""
        out = np.zeros((len(data), self.n_classes))
        for weight, model in self.parts:
            out += self.exponent * weight * model(data)
        return out


@dataclass
class Member:
    """Held-out posteriors that others are compared and combined with."""

    name: str
    choice: Choice
    learner: Learner | None
    # The model of another source whose posteriors these are.
    inner: SourceModel | None


class SourceModel:
    """Cross-fitted posterior of one source; ``template`` None takes the default.

    The default combines learners of different shape, and the posteriors of ``inside``,
    models of parts of the source: what these have found is then not lost.
    """

    def __init__(
        self,
        template,
        source: Source,
        rows: LabelledRows,
        folds: Folds,
        seed: int,
        inside: list[SourceModel] | None = None,
        *,
        n_jobs: int | None = None,
    ) -> None:
        self.source, self._n_jobs = source, n_jobs
        self._rows, self._scores = rows, HeldOutScores(rows, folds)
        # A classifier of the user's is taken as it is.
        self._plain = template is not None
        self._members = [
            self._hold_out(learner)
            for learner in make_learners(template, source, rows, folds, seed)
        ]
        for model in inside or []:
            name = f"{source_name(model.source)} alone"
            self._members.append(
                Member(name, Choice(model.log_ratio, 0, 1.0), None, model)
            )
        ratios = [member.choice.log_ratio for member in self._members]
        if self._plain:
            n_folds = int(folds.fold.max()) + 1
            self._stacked = Stacked(ratios[0], np.ones((n_folds, 1)), np.ones(1))
        else:
            self._stacked = self._scores.stack(ratios)

    @property
    def log_ratio(self) -> np.ndarray:
        """Logarithm of posterior over prior by models that have not seen the row."""
        return self._stacked.log_ratio

    def _hold_out(self, learner: Learner) -> Member:
        ratios = learner.cross_fit(self._n_jobs)
        if self._plain:
            return Member(learner.name, Choice(ratios[:, 0], 0, 1.0), learner, None)
        return Member(learner.name, self._scores.choose(ratios), learner, None)

    def fit_all(self) -> CombinedModel:
        """Fit on all rows; the model does not keep them."""
        parts: list[tuple[float, Any]] = []
        for member, weight in zip(self._members, self._stacked.overall):
            if weight < LEAST_WEIGHT:
                continue
            if member.learner is not None:
                model: Any = member.learner.fit_all(member.choice.setting)
            elif member.inner is not None:
                model = member.inner.fit_all()
            parts.append((float(weight * member.choice.exponent), model))
        return CombinedModel(parts, len(self._rows.classes))

    def report(self) -> pd.DataFrame:
        """Held-out log-loss of every learner in nats, the best one first."""
        scores = self._scores
        weight = self._stacked.weights.mean(axis=0)
        losses = [scores.loss(member.choice.log_ratio) for member in self._members]
        names = [member.name for member in self._members]
        losses.append(scores.loss(None))
        names.append("class prior")
        frame = pd.DataFrame(
            {"learner": names, "log_loss": [scores.mean(v) for v in losses]}
        )
        frame["weight"] = [*weight, np.nan]
        order = frame["log_loss"].argsort(kind="stable").to_numpy()
        frame = frame.iloc[order].reset_index(drop=True)
        gaps = [losses[b] - losses[a] for a, b in pairwise(order)]
        frame["margin"] = [*map(scores.mean, gaps), np.nan]
        frame["std_error"] = [*map(scores.std_error, gaps), np.nan]
        frame.insert(0, "source", source_name(self.source))
        return frame


def make_learners(
    template, source: Source, rows: LabelledRows, folds: Folds, seed: int
) -> list[Learner]:
    """The learners of a source: clones of the template, or the default ones."""
    encoded = NumberTable(source).fit(rows.data)
    if template is not None and takes_multimodal(template):
        return [BlockTemplate(encoded, rows, folds, seed, template)]
    table = encoded.transform(rows.data)
    if template is not None:
        return [Template(encoded, table, rows, folds, seed, template)]
    shaped = any(len(rows.data.block_shapes[name]) > 1 for name in source)
    found: list[Learner] = [
        kind(encoded, table, rows, folds, seed)
        for kind in candidates(table, len(rows.classes), shaped)
    ]
    if shaped and find_spec("torch") is not None:
        # Imported here: it needs torch, which tables do not.
        from ..baselines import FusionClassifier

        net = FusionClassifier(random_state=seed)
        found.append(BlockTemplate(encoded, rows, folds, seed, net))
    return found
