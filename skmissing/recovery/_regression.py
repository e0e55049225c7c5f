"""Recovery by regression on the present modalities."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags
from sklearn.utils.extmath import randomized_svd

from .._estimation._inner_estimators import fit_weighted, takes_sample_weight
from .._estimation._rows import LabelledRows
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import HasMethods, Interval
from ..modalities._multimodal_data import MultimodalData
from ._base import BaseRecovery, Recovered

# Beyond this many rows and features an exact decomposition takes minutes.
EXACT_SIZE = 3000


@dataclass
class Components:
    """Leading principal components, orthonormal vectors (n_features, rank)."""

    vectors: np.ndarray

    def scores(self, table: np.ndarray) -> np.ndarray:
        """Coordinates; a block has the same total variance however wide it is."""
        return table @ self.vectors / np.sqrt(len(self.vectors))

    def table(self, scores: np.ndarray) -> np.ndarray:
        """Standardised features from coordinates."""
        return np.sqrt(len(self.vectors)) * scores @ self.vectors.T


def fit_components(table: np.ndarray, weight: np.ndarray, rank: int) -> Components:
    """Principal components about the origin, which is the mean."""
    root = np.sqrt(weight / weight.sum())[:, None] * table
    n, p = root.shape
    k = min(rank, n, p)
    if p <= min(n, EXACT_SIZE):
        vectors = eigh(root.T @ root, subset_by_index=(p - k, p - 1))[1]
    elif n <= EXACT_SIZE:
        values, left = eigh(root @ root.T, subset_by_index=(n - k, n - 1))
        # The rows of a block span fewer dimensions than there are rows.
        some = values > values[-1] * n * np.finfo(np.float64).eps
        if not some.any():
            # A constant block: any direction does.
            return Components(np.eye(p, 1))
        vectors = root.T @ left[:, some] / np.sqrt(values[some])
    else:
        vectors = randomized_svd(root, k, n_iter=7, random_state=0)[2][::-1].T
    return Components(np.ascontiguousarray(vectors[:, ::-1]))


@dataclass
class Ridge:
    """Linear map of p centred inputs to q targets; ``coef`` has shape (p, q)."""

    center: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Targets of shape (n, q)."""
        return (x - self.center) @ self.coef + self.intercept


class RidgeInputs:
    """Inputs of a ridge regression, whose factor serves for any targets.

    The penalty is relative to the variance of x.
    """

    def __init__(self, x: np.ndarray, weight: np.ndarray, alpha: float) -> None:
        self._share = weight / weight.sum()
        self._center = self._share @ x
        centred = x - self._center
        self._weighted = self._share[:, None] * centred
        moments = centred.T @ self._weighted
        mean = np.trace(moments) / len(moments)
        # A constant x predicts nothing: any positive penalty gives the coefficient 0.
        penalty = alpha * (mean if mean > 0 else 1.0)
        self._factor = cho_factor(moments + penalty * np.eye(len(moments)))

    def fit(self, y: np.ndarray) -> Ridge:
        """The regression of targets (n, q)."""
        intercept = self._share @ y
        coef = cho_solve(self._factor, self._weighted.T @ (y - intercept))
        return Ridge(self._center, coef, intercept)


Pattern = tuple[str, ...]
# NaN features of targets are predicted until they move by less than this, in standard
# deviations, but not more often than this.
TOLERANCE = 1e-4
MOST_REFITS = 50


@stores_parameters
class RegressionRecovery(BaseRecovery):
    """Predict a missing modality from those that the row has.

    There is one regression for each modality and each set of other modalities. It is
    fitted when it is first needed, on the training rows that have all of them.

    Parameters
    ----------
    estimator : regressor, default=None
        Predicts all features of a modality from the standardised features of others.
        One that takes a single target is fitted for each feature. None: a ridge
        regression between the leading principal components of the modalities, which
        images of some thousand pixels need.
    n_components : int, default=64
        Principal components of each modality. Only for ``estimator=None``.
    alpha : float, default=0.03
        Ridge penalty as a multiple of the mean variance of the components. Only for
        ``estimator=None``.
    min_rows : int, default=10
        Fewest training rows of a regression. With fewer, modalities are left out of its
        inputs, the rarest first. With ``estimator``, a feature that is known in fewer
        rows is filled with its mean.
    random_state : int, RandomState instance or None, default=None
        For regressors that draw random numbers; each gets a seed of its own.
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
    TypeError
        If sample weights are given and ``estimator`` takes none.

    See Also
    --------
    NeighborRecovery : Fills in blocks of real rows.
    MultimodalVAE : A net, which also draws from what is plausible.

    Notes
    -----
    Recovered values are conditional means: smoother than real data, and without new
    information for a classifier that reads the same row. A NaN feature counts as its
    mean where others are predicted from it, and not at all where it is predicted.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import RegressionRecovery
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(300, 3))
    >>> b = a @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(300, 4))
    >>> X = MultimodalData({"a": a, "b": b}).hide({"b": np.arange(300) % 2 == 0})
    >>> recovery = RegressionRecovery().fit(X[:200])
    >>> bool(recovery.score(X[200:]) > 0.6)
    True
    """

    estimator: Any = field(default=None, kw_only=False)
    n_components: int = 64
    alpha: float = 0.03
    min_rows: int = 10
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def _fit_rows(self, rows: LabelledRows) -> None:
        data, weight = rows.data, rows.weight
        if (
            self.estimator is not None
            and np.ptp(weight) > 0
            and not takes_sample_weight(self.estimator)
        ):
            # In fit rather than when a regression is first needed.
            raise TypeError(
                f"Got weights for {type(self.estimator).__name__}, expected an "
                "estimator whose fit takes sample_weight."
            )
        names = list(self.means_)
        self._present = data.select(names).present.copy()
        self._weight, self._groups = weight, rows.groups
        self._tables: dict[str, np.ndarray] = {}
        self._components: dict[str, Components] = {}
        self._partial: dict[str, PartialRows] = {}
        for m, name in enumerate(names):
            present = self._present[:, m]
            values = self._scaled(data, name, present)
            known = self._features(data, name, present)
            if known is not None:
                gaps = ~known.all(axis=1)
                place = np.full(len(data), -1)
                place[np.flatnonzero(present)[gaps]] = np.arange(gaps.sum())
                self._partial[name] = PartialRows(place, values[gaps], known[gaps])
            if self.estimator is None:
                part = fit_components(values, weight[present], int(self.n_components))
                self._components[name] = part
                values = part.scores(values)
            self._tables[name] = np.zeros((len(data), values.shape[1]))
            self._tables[name][present] = values
        self._models: dict[str, list[tuple[Pattern, Any]]] = {}
        self._seed = draw_seed(local_random_state(self.random_state))

    def _recover(self, data: MultimodalData) -> Recovered:
        names = list(self.means_)
        present = data.select(names).present
        out = {n: self._mean_rows(n, int((~p).sum())) for n, p in zip(names, present.T)}
        slots = np.cumsum(~present, axis=0) - 1
        kinds, member = np.unique(present, axis=0, return_inverse=True)
        for k, kind in enumerate(kinds):
            rows = np.flatnonzero(member.reshape(-1) == k)
            tables = {
                name: self._table(data, name, rows) for name, p in zip(names, kind) if p
            }
            for m in np.flatnonzero(~kind):
                inputs = self._inputs(kind, int(m))
                if not inputs:
                    continue
                model = self._model(inputs, names[m])
                x = np.concatenate([tables[name] for name in inputs], axis=1)
                values = np.asarray(model.predict(x), dtype=np.float64)
                values = values.reshape(len(rows), -1)
                if self.estimator is None:
                    values = self._components[names[m]].table(values)
                out[names[m]][slots[rows, m]] = self._unscaled(names[m], values)
        return out

    def _table(self, data: MultimodalData, name: str, rows: np.ndarray) -> np.ndarray:
        """Inputs of regressions: standardised features, or their components."""
        values = self._scaled(data, name, rows)
        return self._components[name].scores(values) if self._components else values

    def _inputs(self, kind: np.ndarray, target: int) -> Pattern:
        """Modalities to predict from, as many as training rows allow."""
        chosen: list[int] = np.flatnonzero(kind).tolist()
        while chosen:
            n_rows = self._present[:, [*chosen, target]].all(axis=1).sum()
            if n_rows >= self.min_rows:
                break
            with_target = self._present[self._present[:, target]].sum(axis=0)
            chosen.remove(min(chosen, key=lambda m: (with_target[m], m)))
        names = list(self.means_)
        return tuple(names[m] for m in chosen)

    def _model(self, inputs: Pattern, target: str):
        """The regression of a modality on others, fitted once."""
        known = self._models.setdefault(target, [])
        for others, model in known:
            if others == inputs:
                return model
        names = list(self.means_)
        columns = [names.index(name) for name in (*inputs, target)]
        chosen = np.asarray(self._present[:, columns].all(axis=1))
        x = np.concatenate([self._tables[name][chosen] for name in inputs], axis=1)
        if self.estimator is None:
            given = RidgeInputs(x, self._weight[chosen], float(self.alpha))
            model = self._refine(given, x, target, chosen)
        else:
            model = clone(self.estimator)
            # Seeds do not depend on which regressions were needed before.
            place = sum(1 << names.index(n) for n in inputs) * len(names) + columns[-1]
            _seed_all(model, np.random.SeedSequence([self._seed, place]))
            model = self._fit_estimator(model, x, target, chosen)
        known.append((inputs, model))
        return model

    def _gaps(self, target: str, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the chosen rows have NaN features, and where they are kept."""
        if target not in self._partial:
            return np.zeros(int(chosen.sum()), dtype=bool), np.empty(0, dtype=int)
        place = self._partial[target].place[chosen]
        return place >= 0, place[place >= 0]

    def _refine(
        self, given: RidgeInputs, x: np.ndarray, target: str, chosen: np.ndarray
    ) -> Ridge:
        """Fit, and fit again with NaN features of the target as they are predicted.

        As means they would pull every coefficient towards 0.
        """
        gaps, place = self._gaps(target, chosen)
        model = given.fit(self._tables[target][chosen])
        if not gaps.any():
            return model
        part = self._components[target]
        values = self._partial[target].values[place]
        known = self._partial[target].known[place]
        y = self._tables[target][chosen]
        filled = values
        for _ in range(MOST_REFITS):
            before = filled
            guess = part.table(model.predict(x[gaps]))
            filled = np.where(known, values, guess)
            y[gaps] = part.scores(filled)
            model = given.fit(y)
            if np.abs(filled - before).max() < TOLERANCE:
                break
        return model

    def _fit_estimator(
        self, template, x: np.ndarray, target: str, chosen: np.ndarray
    ) -> ByFeature:
        """One regression for all features that the same rows have."""
        y, weight = self._tables[target][chosen], self._weight[chosen]
        known = np.ones(y.shape, dtype=bool)
        gaps, place = self._gaps(target, chosen)
        if gaps.any():
            known[gaps] = self._partial[target].known[place]
        patterns, kind = np.unique(known, axis=1, return_inverse=True)
        models = []
        for k, rows in enumerate(patterns.T):
            if rows.sum() < min(self.min_rows, len(rows)):
                # They are filled with their mean, 0.
                continue
            columns = np.flatnonzero(kind.reshape(-1) == k)
            model, part = clone(template), y[np.ix_(rows, columns)]
            tags = get_tags(model).target_tags
            if part.shape[1] > 1 and not tags.multi_output:
                model = MultiOutputRegressor(model)
            elif part.shape[1] == 1 and tags.single_output:
                part = part[:, 0]
            w = weight[rows] / weight[rows].mean()
            groups = None if self._groups is None else self._groups[chosen][rows]
            model = fit_weighted(model, x[rows], part, w, groups)
            models.append((columns, model))
        return ByFeature(y.shape[1], models)


class PartialRows(NamedTuple):
    """Rows with NaN features: ``place`` (-1 for others) into the other two."""

    place: np.ndarray
    values: np.ndarray
    known: np.ndarray


@dataclass
class ByFeature:
    """Regressions of some features each; 0, the mean, where there is none."""

    n_features: int
    models: list[tuple[np.ndarray, Any]]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Features of shape (n, n_features)."""
        out = np.zeros((len(x), self.n_features))
        for columns, model in self.models:
            found = np.asarray(model.predict(x), dtype=np.float64)
            out[:, columns] = found.reshape(len(x), -1)
        return out


def _seed_all(estimator, source: np.random.SeedSequence) -> None:
    """Give every ``random_state`` among the parameters that is None a seed."""
    names = sorted(
        name
        for name, value in estimator.get_params().items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    )
    seeds = source.generate_state(len(names)) >> 1
    estimator.set_params(**{name: int(s) for name, s in zip(names, seeds)})
