"""Recovery from similar rows."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from .._estimation._rows import LabelledRows
from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities._multimodal_data import MultimodalData
from ._base import BaseRecovery, Recovered
from ._donor_index import TIE_DECIMALS, DonorIndex, first_nearest

# Distances at once, 64 MB in float64.
CHUNK = 2**23


@stores_parameters
class NeighborRecovery(BaseRecovery):
    """Fill a missing modality with that of similar training rows.

    Donors are the training rows that have the modality. Rows are compared by the
    modalities that both have.

    Parameters
    ----------
    n_neighbors : int, default=5
        Donors averaged. 1 copies the block of one real row, so that recovered blocks
        are not smoothed.
    weights : {"uniform", "distance"}, default="uniform"
        Whether all donors count the same, or by the inverse of their distance.
    %(parameters)s

    Attributes
    ----------
    means_ : dict of str to ndarray
        Mean of every feature over the training rows that have the modality.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, if no row has any modality.

    See Also
    --------
    RegressionRecovery : Predicts the modality from the others.

    Notes
    -----
    The squared distance of two rows is the mean, over the modalities that both have, of
    the mean squared difference of standardised features: a modality counts the same
    however many features it has. Features that are missing in either row do not count,
    nor do those that are missing in a donor count in the mean of its values; what is
    missing in all neighbours is filled with its training mean. Rows that share no
    modality with any donor get the training mean. Weights of training rows have no
    effect, except that rows of weight 0 count as absent. From 4,096 rows on, rows of at
    most 16 features are found by trees, unless features are missing; the donors are the
    same. A training row transformed again may be its own neighbour; a score needs other
    rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import NeighborRecovery
    >>> X = MultimodalData({"a": [[0.0], [1.0], [9.0]], "b": [[5.0], [7.0], [np.nan]]})
    >>> NeighborRecovery(n_neighbors=1).fit_transform(X)["b"].tolist()
    [[5.0], [7.0], [7.0]]
    """

    n_neighbors: int = 5
    weights: str = "uniform"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weights": [StrOptions({"uniform", "distance"})],
    }

    def _fit_rows(self, rows: LabelledRows) -> None:
        data = rows.data
        self._tables: dict[str, np.ndarray] = {}
        # Known features as 0 and 1, of blocks with missing features.
        self._features_of: dict[str, np.ndarray] = {}
        self._donors = data.select(list(self.means_)).present.copy()
        for m, name in enumerate(self.means_):
            present = self._donors[:, m]
            table = np.zeros((len(data), self._size(name)))
            table[present] = self._scaled(data, name, present)
            self._tables[name] = table
            known = self._features(data, name, present)
            if known is not None:
                self._features_of[name] = np.zeros(table.shape)
                self._features_of[name][present] = known

        # Trees know no missing features.
        tables = list(self._tables.values())
        self._index: DonorIndex | None = None
        if not self._features_of and DonorIndex.serves(tables, self._donors):
            self._index = DonorIndex(tables, self._donors)

    def _recover(self, data: MultimodalData) -> Recovered:
        names = list(self.means_)
        present = data.select(names).present
        out = {n: self._mean_rows(n, int((~p).sum())) for n, p in zip(names, present.T)}
        # Where the values of row i of a modality stand in the output.
        slots = np.cumsum(~present, axis=0) - 1
        incomplete = np.flatnonzero(~present.all(axis=1) & present.any(axis=1))
        if self._index is not None:
            in_trees = self._recover_by_trees(data, incomplete, present, slots, out)
            incomplete = incomplete[~in_trees]
        step = max(CHUNK // len(self._donors), 1)
        for start in range(0, len(incomplete), step):
            rows = incomplete[start : start + step]
            distance = self._distances(data, rows, present[rows])
            for m, name in enumerate(names):
                missing = ~present[rows, m]
                if missing.any():
                    donors = np.flatnonzero(self._donors[:, m])
                    k = min(int(self.n_neighbors), len(donors))
                    nearest, near = first_nearest(distance[missing][:, donors], k)
                    values, found = self._average(name, donors[nearest], near)
                    at = slots[rows[missing], m]
                    out[name][at[found]] = self._unscaled(name, values[found])
        return out

    def _recover_by_trees(
        self,
        data: MultimodalData,
        rows: np.ndarray,
        present: np.ndarray,
        slots: np.ndarray,
        out: Recovered,
    ) -> np.ndarray:
        """Fill rows without missing features; which of the rows these are."""
        index, names = self._index, list(self.means_)
        assert index is not None
        whole = np.ones(len(data), dtype=bool)
        for m, name in enumerate(names):
            having = np.flatnonzero(present[:, m])
            known = self._features(data, name, having)
            if known is not None:
                whole[having] = known.all(axis=1)
        served = whole[rows]
        patterns, member = np.unique(present[rows[served]], axis=0, return_inverse=True)
        for g, has in enumerate(patterns):
            same = rows[served][member.reshape(-1) == g]
            own = [
                self._scaled(data, name, same) if h else np.zeros((0, self._size(name)))
                for name, h in zip(names, has)
            ]
            for m in np.flatnonzero(~has).tolist():
                k = min(int(self.n_neighbors), int(self._donors[:, m].sum()))
                values, found = self._average(names[m], *index.nearest(own, has, m, k))
                at = slots[same, m]
                out[names[m]][at[found]] = self._unscaled(names[m], values[found])
        return served

    def _distances(
        self, data: MultimodalData, rows: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """Squared distances, infinite to rows without a shared modality."""
        total = np.zeros((len(rows), len(self._donors)))
        shared = np.zeros_like(total)
        for m, name in enumerate(self.means_):
            having = present[:, m]
            if not having.any():
                continue
            own, table = self._scaled(data, name, rows[having]), self._tables[name]
            have, known = self._features(data, name, rows[having]), self._features_of
            # Of features that both rows have; the others are 0 in either table.
            square = -2.0 * own @ table.T
            if name in known:
                square += (own * own) @ known[name].T
            else:
                square += (own * own).sum(axis=1)[:, None]
            if have is not None:
                mine = have.astype(np.float64)
                square += mine @ (table * table).T
                count = (
                    mine @ known[name].T if name in known else mine.sum(axis=1)[:, None]
                )
            else:
                square += (table * table).sum(axis=1)
                count = known[name].sum(axis=1) if name in known else table.shape[1]
            both = np.broadcast_to(self._donors[:, m] & (count > 0), square.shape)
            square /= np.maximum(count, 1.0)
            total[having] += np.where(both, square, 0.0)
            shared[having] += both
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.where(shared > 0, total / shared, np.inf)
        return np.round(np.maximum(out, 0.0), TIE_DECIMALS)

    def _average(
        self, name: str, nearest: np.ndarray, near: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the nearest donors (n, k), and which rows have one."""
        k = nearest.shape[1]
        share = np.isfinite(near).astype(np.float64)
        if self.weights == "distance":
            exact = near == 0
            with np.errstate(divide="ignore"):
                share = np.where(
                    exact.any(axis=1, keepdims=True), exact, 1.0 / np.sqrt(near)
                )
        found = share.sum(axis=1) > 0
        share = share / np.where(found, share.sum(axis=1), 1.0)[:, None]
        table = self._tables[name]
        values = np.zeros((len(near), table.shape[1]))
        for j in range(k):
            values += share[:, j : j + 1] * table[nearest[:, j]]
        if name in self._features_of:
            known = self._features_of[name]
            mass = np.zeros_like(values)
            for j in range(k):
                mass += share[:, j : j + 1] * known[nearest[:, j]]
            # Missing in all neighbours: the mean, 0.
            values = np.divide(values, mass, out=np.zeros_like(values), where=mass > 0)
        return values, found
