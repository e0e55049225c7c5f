"""Recovery by regression on the modalities that are there."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from .._estimation._inner_estimators import fit_weighted, takes_sample_weight
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import HasMethods, Interval
from ..modalities._multimodal_data import MultimodalData
from ._base import BaseRecovery, Recovered
from ._low_rank import Components, Ridge, fit_components, fit_ridge

Pattern = tuple[str, ...]
# NaN features of targets are predicted until they move by less than this, in standard
# deviations, but not more often than this.
TOLERANCE = 1e-4
MOST_REFITS = 200


class RegressionRecovery(BaseRecovery):
    """Predict a missing modality from those that the row has.

    One regression for each modality and each set of others that is met, fitted when it
    is first needed on the training rows that have all of them.

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
        A regression that fewer training rows could be fitted on leaves modalities out
        of its inputs, those first that the fewest rows have. With ``estimator``, a
        feature that fewer of these rows have is filled with its mean.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    random_state : int, RandomState instance or None, default=None
        For regressors that draw random numbers; each gets a seed of its own.

    Attributes
    ----------
    means_ : dict of str to ndarray
        Mean of every feature over the training rows that have the modality.
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each modality.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.

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
    What is filled in is a conditional mean: smoother than real data, and without news
    for a classifier that reads the same row. A NaN feature counts as its mean where
    others are predicted from it, and not at all where it is predicted.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRecovery._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_components: int = 64,
        alpha: float = 0.03,
        min_rows: int = 10,
        modalities: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_components = n_components
        self.alpha = alpha
        self.min_rows = min_rows
        self.modalities = modalities
        self.random_state = random_state

    def _fit_rows(self, data: MultimodalData, weight: np.ndarray) -> None:
        if (
            self.estimator is not None
            and np.ptp(weight) > 0
            and not takes_sample_weight(self.estimator)
        ):
            # Here rather than when a regression is first needed.
            raise TypeError(
                f"Got weights for {type(self.estimator).__name__}, expected an "
                "estimator whose fit takes sample_weight."
            )
        names = list(self.means_)
        self._present = data.select(names).present.copy()
        self._weight = weight
        self._tables: dict[str, np.ndarray] = {}
        self._components: dict[str, Components] = {}
        # Of rows with NaN features: where they stand, their standardised values, and
        # which of them are known.
        self._gappy: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        for m, name in enumerate(names):
            here = self._present[:, m]
            values = self._scaled(data, name, here)
            known = self._features(data, name, here)
            if known is not None:
                gaps = ~known.all(axis=1)
                place = np.full(len(data), -1)
                place[np.flatnonzero(here)[gaps]] = np.arange(gaps.sum())
                self._gappy[name] = place, values[gaps], known[gaps]
            if self.estimator is None:
                part = fit_components(values, weight[here], int(self.n_components))
                self._components[name] = part
                values = part.scores(values)
            self._tables[name] = np.zeros((len(data), values.shape[1]))
            self._tables[name][here] = values
        self._models: dict[tuple[Pattern, str], Any] = {}
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
        values = self._scaled(data, name, rows)
        return self._components[name].scores(values) if self._components else values

    def _inputs(self, kind: np.ndarray, target: int) -> Pattern:
        """Modalities to predict from, as many as training rows allow."""
        chosen: list[int] = np.flatnonzero(kind).tolist()
        while chosen:
            here = self._present[:, [*chosen, target]].all(axis=1)
            if here.sum() >= self.min_rows:
                break
            with_target = self._present[self._present[:, target]].sum(axis=0)
            chosen.remove(min(chosen, key=lambda m: (with_target[m], m)))
        names = list(self.means_)
        return tuple(names[m] for m in chosen)

    def _model(self, inputs: Pattern, target: str) -> Any:
        """The regression of a modality on others, fitted once."""
        key = (inputs, target)
        if key in self._models:
            return self._models[key]
        names = list(self.means_)
        columns = [names.index(name) for name in (*inputs, target)]
        here = np.asarray(self._present[:, columns].all(axis=1))
        x = np.concatenate([self._tables[name][here] for name in inputs], axis=1)
        y, weight = self._tables[target][here], self._weight[here]
        if self.estimator is None:
            model: Any = fit_ridge(x, y, weight, float(self.alpha))
            model = self._refine(model, x, target, here)
        else:
            model = clone(self.estimator)
            # Which regressions were needed before must not matter.
            place = sum(1 << names.index(n) for n in inputs) * len(names) + columns[-1]
            _seed_all(model, np.random.SeedSequence([self._seed, place]))
            model = self._fit_estimator(model, x, target, here)
        self._models[key] = model
        return model

    def _gaps(self, target: str, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of some rows have NaN features, and where they are kept."""
        if target not in self._gappy:
            return np.zeros(int(here.sum()), dtype=bool), np.empty(0, dtype=int)
        place = self._gappy[target][0][here]
        return place >= 0, place[place >= 0]

    def _refine(
        self, model: Ridge, x: np.ndarray, target: str, here: np.ndarray
    ) -> Ridge:
        """Fit again, with NaN features of the target as the model predicts them.

        As means they would pull every coefficient towards 0.
        """
        gaps, place = self._gaps(target, here)
        if not gaps.any():
            return model
        part, weight = self._components[target], self._weight[here]
        _, values, known = self._gappy[target]
        values, known = values[place], known[place]
        y = self._tables[target][here]
        filled = values
        for _ in range(MOST_REFITS):
            before = filled
            guess = part.table(model.predict(x[gaps]))
            filled = np.where(known, values, guess)
            y[gaps] = part.scores(filled)
            model = fit_ridge(x, y, weight, float(self.alpha))
            if np.abs(filled - before).max() < TOLERANCE:
                break
        return model

    def _fit_estimator(
        self, template: Any, x: np.ndarray, target: str, here: np.ndarray
    ) -> ByFeature:
        """One regression for all features that the same rows have."""
        y, weight = self._tables[target][here], self._weight[here]
        known = np.ones(y.shape, dtype=bool)
        gaps, place = self._gaps(target, here)
        if gaps.any():
            known[gaps] = self._gappy[target][2][place]
        patterns, kind = np.unique(known, axis=1, return_inverse=True)
        models = []
        for k, rows in enumerate(patterns.T):
            if rows.sum() < min(self.min_rows, len(rows)):
                # Their mean, 0, has to do.
                continue
            columns = np.flatnonzero(kind.reshape(-1) == k)
            model, part = clone(template), y[np.ix_(rows, columns)]
            tags = get_tags(model).target_tags
            if part.shape[1] > 1 and not tags.multi_output:
                model = MultiOutputRegressor(model)
            elif part.shape[1] == 1 and tags.single_output:
                part = part[:, 0]
            w = weight[rows] / weight[rows].mean()
            models.append((columns, fit_weighted(model, x[rows], part, w)))
        return ByFeature(y.shape[1], models)


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


def _seed_all(estimator: Any, source: np.random.SeedSequence) -> None:
    """Give every ``random_state`` among the parameters that is None a seed."""
    names = sorted(
        name
        for name, value in estimator.get_params().items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    )
    seeds = source.generate_state(len(names)) >> 1
    estimator.set_params(**{name: int(s) for name, s in zip(names, seeds)})
