"""What the learners of posteriors see of the table of a source."""

from __future__ import annotations

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import SplineTransformer

from ..modalities._normal_scores import NormalScores

# Up to so many different values a column is taken as it is.
FEW_VALUES = 4
# Where cubic pieces of normal scores meet; beyond the last ones they go on straight.
KNOTS = np.linspace(-2.1, 2.1, 7)
N_LANDMARKS = 100
# The smallest deviation that a column of a kernel is divided by: rare levels would
# otherwise be further away than anything else.
LEAST_DEVIATION = 0.3


class View:
    """What a learner sees of a table, here the table as it is.

    It is made from features and weights only, so that all folds share one.
    """

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        """Learn from all used rows."""

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return table


class Filled(View):
    """Missing features get the mean of the known ones."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        seen = ~np.isnan(table)
        mass = weight @ seen
        total = weight @ np.where(seen, table, 0.0)
        # A feature never seen gets 0: it is constant, so any value would do.
        self.fill = np.divide(total, mass, out=np.zeros_like(total), where=mass > 0)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(table), self.fill, table)


class Flagged(Filled):
    """Filled, with an indicator of each feature that is missing in some rows."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        self.gaps = np.isnan(table).any(axis=0)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [super().__call__(table), np.isnan(table[:, self.gaps])], axis=1
        )


class Splines(Flagged):
    """Cubic splines of the normal scores of each feature."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        self.scores: dict[int, NormalScores] = {}
        for j, column in enumerate(table.T):
            known = ~np.isnan(column)
            if len(np.unique(column[known])) > FEW_VALUES:
                self.scores[j] = NormalScores.fit(column[known], weight[known])
        self.bent = np.array([*self.scores], dtype=np.intp)
        if len(self.bent):
            knots = np.repeat(KNOTS[:, None], len(self.bent), axis=1)
            self.basis = SplineTransformer(
                knots=knots, include_bias=False, extrapolation="linear"
            ).fit(knots)

    def scored(self, table: np.ndarray) -> np.ndarray:
        """Normal scores in place of the features that have them, gaps filled."""
        out = super().__call__(table)
        for j, scores in self.scores.items():
            out[:, j] = np.nan_to_num(scores(table[:, j]))
        return out

    def __call__(self, table: np.ndarray) -> np.ndarray:
        out = self.scored(table)
        if not len(self.bent):
            return out
        straight = np.delete(out, self.bent, axis=1)
        return np.concatenate([self.basis.transform(out[:, self.bent]), straight], 1)


class Kernel(Splines):
    """Similarity of the row with a hundred others, by all features together."""

    def __init__(self, table: np.ndarray, weight: np.ndarray) -> None:
        super().__init__(table, weight)
        out = self.scored(table)
        self.mean = np.average(out, axis=0, weights=weight)
        deviation = np.sqrt(np.average((out - self.mean) ** 2, axis=0, weights=weight))
        self.scale = np.maximum(deviation, LEAST_DEVIATION)
        self.map = Nystroem(
            gamma=1.0 / out.shape[1],
            n_components=min(N_LANDMARKS, len(out)),
            random_state=0,
        ).fit((out - self.mean) / self.scale)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return self.map.transform((self.scored(table) - self.mean) / self.scale)
