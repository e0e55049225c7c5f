"""Recovery by one Gaussian for all modalities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._estimation._rows import LabelledRows
from .._utils._checks import is_count
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import Interval
from ..modalities._multimodal_data import MultimodalData
from ..modalities._row_view import take_rows
from ..modalities._validation import check_multimodal
from ._base import RECOVER_ROWS, BaseRecovery, Recovered
from ._latent_gaussian import LatentGaussian, PatternRows, fit_gaussian
from ._margins import Margins
from ._regression import fit_components

# Rows that the covariance is estimated from: more change it by less than its error.
MOST_ROWS = 50_000


@dataclass
class BlockPart:
    """One modality in the latent vector: its features, or their leading components.

    Of components, ``noise`` is the variance of a standardised feature that they leave.
    """

    margins: Margins
    place: slice
    vectors: np.ndarray | None
    noise: float

    def latent(self, x: np.ndarray) -> np.ndarray:
        """Coordinates of flat rows that have the modality."""
        z = self.margins.score(x)
        return z if self.vectors is None else np.nan_to_num(z) @ self.vectors

    def features(self, z: np.ndarray) -> np.ndarray:
        """Standardised features of coordinates."""
        return z if self.vectors is None else z @ self.vectors.T

    def variances(self, covariance: np.ndarray) -> np.ndarray:
        """Variances of standardised features, given the covariance of coordinates."""
        if self.vectors is None:
            return np.diag(covariance)
        explained = ((self.vectors @ covariance) * self.vectors).sum(axis=1)
        return explained + self.noise


@stores_parameters
class GaussianRecovery(BaseRecovery):
    """Predict a missing modality by one Gaussian for all of them.

    One mean and one covariance are fitted to all training rows by expectation
    maximisation; rows without some modalities, and features that are NaN, take part
    with what they have. A missing modality is then filled with its mean given the rest
    of the row.

    Parameters
    ----------
    n_components : int, default=64
        A modality with more features enters by its leading principal components.
    alpha : float, default=0.05
        Added to the variances, as a multiple of the mean variance in the modality.
    max_iter : int, default=50
        Most steps of expectation maximisation.
    tol : float, default=1e-2
        Steps end when no covariance changes by more than this multiple of the largest.
    random_state : int, RandomState instance or None, default=None
        Source of the draws of :meth:`sample`.
    %(parameters)s

    Attributes
    ----------
    n_iter_ : int
        Steps taken.
    %(attributes)s

    See Also
    --------
    RegressionRecovery : One regression for each set of modalities, of any kind.
    MultimodalVAE : A net with one latent vector for all modalities.

    Notes
    -----
    Features of tables with heavy tails (a value more than 6 standard deviations from
    the mean) are replaced by the normal scores of their ranks, and those with 3 to 12
    values are modelled as cuts of a Gaussian (a Gaussian copula,
    :cite:t:`liu2009nonparanormal`); all others are linear. Recovered values are means
    in the units of the data; those of features with heavy tails do not depend on how
    extreme the outer 1% on either side are. Modalities with more than ``n_components``
    features have a covariance of low rank with a diagonal; there, a NaN feature counts
    as its mean.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import GaussianRecovery
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(300, 3))
    >>> b = a @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(300, 4))
    >>> X = MultimodalData({"a": a, "b": b}).hide({"b": np.arange(300) % 2 == 0})
    >>> recovery = GaussianRecovery().fit(X[:200])
    >>> bool(recovery.score(X[200:]) > 0.6)
    True
    """

    n_components: int = 64
    alpha: float = 0.05
    max_iter: int = 50
    tol: float = 1e-2
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    # -- fit ---------------------------------------------------------------------------

    def _fit_rows(self, rows: LabelledRows) -> None:
        self._seed = draw_seed(local_random_state(self.random_state))
        some = np.flatnonzero(rows.data.present.any(axis=1))
        rows = rows.take(some[:: -(-len(some) // MOST_ROWS)])
        self._parts: dict[str, BlockPart] = {}
        start, ridge, blocks = 0, [], []
        for name in self.means_:
            present = rows.data.present[:, rows.data.names.index(name)]
            block, part = self._fit_part(rows, name, present, start)
            self._parts[name] = part
            width = part.place.stop - part.place.start
            z = np.full((len(rows), width), np.nan)
            z[present] = block
            weight = rows.weight[present]
            known = ~np.isnan(block)
            mass = weight @ known
            square = weight @ np.where(known, block, 0.0) ** 2
            variance = np.divide(square, mass, out=np.zeros(width), where=mass > 0)
            # A constant modality has no scale of its own.
            level = variance.mean() or 1.0
            ridge.append(np.full(width, float(self.alpha) * level))
            blocks.append(z)
            start = part.place.stop
        z = np.concatenate(blocks, axis=1)
        self._gaussian: LatentGaussian
        self._gaussian, self.n_iter_ = fit_gaussian(
            z, rows.weight, np.concatenate(ridge), int(self.max_iter), float(self.tol)
        )

    def _fit_part(
        self, rows: LabelledRows, name: str, present: np.ndarray, start: int
    ) -> tuple[np.ndarray, BlockPart]:
        """The coordinates of the rows that have a modality, and how they are found."""
        shape, weight = rows.data.block_shapes[name], rows.weight[present]
        flat = self._flat(rows.data, name, present)
        margins = Margins.fit(
            flat,
            weight,
            self.means_[name].reshape(-1),
            self._deviations[name].reshape(-1),
            len(shape) == 1,
        )
        part = BlockPart(margins, slice(start, start + flat.shape[1]), None, 0.0)
        z = part.latent(flat)
        if flat.shape[1] > self.n_components:
            z = np.nan_to_num(z)
            vectors = fit_components(z, weight, int(self.n_components)).vectors
            rest = z - z @ vectors @ vectors.T
            noise = float(weight @ (rest * rest).mean(axis=1) / weight.sum())
            place = slice(start, start + vectors.shape[1])
            part = BlockPart(margins, place, vectors, noise)
            z = z @ vectors
        return z, part

    # -- recover -----------------------------------------------------------------------

    def _flat(self, data: MultimodalData, name: str, rows) -> np.ndarray:
        values = take_rows(data[name], rows).astype(np.float64)
        if values.ndim == 3:
            # Steps without any value are padding, and count as their mean.
            padding = np.isnan(values).all(axis=2, keepdims=True)
            values = np.where(padding, self.means_[name], values)
        return values.reshape(len(values), -1)

    def _latent(self, data: MultimodalData) -> np.ndarray:
        """The latent vector of each row, NaN where it is not known."""
        width = len(self._gaussian.mean)
        z = np.full((len(data), width), np.nan)
        for name, part in self._parts.items():
            present = data.present[:, data.names.index(name)]
            if present.any():
                z[present, part.place] = part.latent(self._flat(data, name, present))
        return z

    def _missing(
        self, data: MultimodalData
    ) -> Iterator[tuple[PatternRows, np.ndarray, list[str]]]:
        """Rows by pattern, their filled vectors, and the modalities that they miss."""
        z = self._latent(data)
        names = np.asarray(list(self._parts), dtype=object)
        absent = ~data.select(names.tolist()).present
        for part in self._gaussian.fill(z):
            lost = names[absent[part.rows[0]]].tolist()
            if lost and not part.missing.all():
                yield part, z[part.rows], lost

    def _means(self, data: MultimodalData) -> Recovered:
        """Training means for all missing blocks."""
        return {
            name: self._mean_rows(name, int((~data.present[:, m]).sum()))
            for m, name in enumerate(data.names)
            if name in self._parts
        }

    def _recover(self, data: MultimodalData) -> Recovered:
        out = self._means(data)
        z = self._latent(data)
        known = ~np.isnan(z).all(axis=1)
        absent = {
            name: ~data.present[:, m]
            for m, name in enumerate(data.names)
            if name in self._parts
        }
        # Margins that are not linear need variances, which a pattern of gaps has.
        spread = {
            name: np.zeros((len(z), len(self._parts[name].margins.center)))
            for name, rows in absent.items()
            if self._parts[name].margins.other and rows.any()
        }
        for part in self._gaussian.fill(z):
            place = np.cumsum(part.missing) - 1
            for name, variance in spread.items():
                if absent[name][part.rows[0]]:
                    block = self._parts[name]
                    start, stop = place[block.place][[0, -1]]
                    own = slice(start, stop + 1)
                    covariance = part.covariance[own, own]
                    variance[part.rows] = block.variances(covariance)
        for name, rows in absent.items():
            block, found = self._parts[name], rows & known
            if found.any():
                # Linear margins need none.
                nothing = np.empty((0, 0))
                variance = spread[name][found] if name in spread else nothing
                features = block.features(z[found, block.place])
                values = block.margins.mean(features, variance)
                out[name][known[rows]] = values.reshape(-1, *self.means_[name].shape)
        return out

    def sample(self, X, n_draws: int = 5) -> list:
        """Fill the missing blocks several times, with draws given what a row has.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        n_draws : int, default=5
            Number of draws; the first of more are those of fewer.

        Returns
        -------
        list of same kind as X
            One for each draw.
        """
        check_is_fitted(self)
        if not is_count(n_draws):
            raise ValueError(f"Got n_draws={n_draws!r}, expected a positive integer.")
        data = check_multimodal(self, X, self.modalities, reset=False)
        self._warn_empty(data)
        rng = np.random.RandomState(self._seed)
        out = []
        for _ in range(int(n_draws)):
            chunks = [
                self._draw(data[start : start + RECOVER_ROWS], rng)
                for start in range(0, len(data), RECOVER_ROWS)
            ]
            found = {n: np.concatenate([c[n] for c in chunks]) for n in self._parts}
            out.append(self._like(X, data, self._pad(found)))
        return out

    def _draw(self, data: MultimodalData, rng: np.random.RandomState) -> Recovered:
        """One draw of every missing block."""
        out = self._means(data)
        slots = np.cumsum(~data.present, axis=0) - 1
        for part, z, lost in self._missing(data):
            index = np.flatnonzero(part.missing)
            root = np.linalg.cholesky(part.covariance)
            z[:, index] += rng.standard_normal((len(z), len(index))) @ root.T
            for name in lost:
                block = self._parts[name]
                features = block.features(z[:, block.place])
                if block.noise > 0:
                    noise = rng.standard_normal(features.shape)
                    features = features + np.sqrt(block.noise) * noise
                place = slots[part.rows, data.names.index(name)]
                values = block.margins.value(features)
                out[name][place] = values.reshape(len(z), *self.means_[name].shape)
        return out

    def log_likelihood(self, X) -> np.ndarray:
        """Log density of what each row has.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            In nats, of standardised features, normal scores, and leading components;
            0 for rows without any modality.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        parts = [
            self._gaussian.log_likelihood(
                self._latent(data[start : start + RECOVER_ROWS])
            )
            for start in range(0, len(data), RECOVER_ROWS)
        ]
        return np.concatenate(parts)
