"""From covariates to propensities and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal


class WeighingMixin:
    """What a fitted :class:`PropensityWeighter` and its diagnostics compute with."""

    # Set by the class that inherits.
    modalities: Any
    use_target: bool
    stabilized: bool
    _fitted: list[Any]
    _held_out: list[Any]
    _table: Any
    _source: Any
    _rate: np.ndarray
    _bounds: list[tuple[float, float]]
    _observed: Any

    def _read(
        self, X: Any, y: Any, held_out: bool = False
    ) -> tuple[MultimodalData, np.ndarray]:
        """Blocks and propensities of any rows, by the models of all rows.

        ``held_out`` takes those of ``propensity_`` for rows of fit, where there are
        folds.
        """
        return self._read_all(X, y, held_out)[:2]

    def _read_all(
        self, X: Any, y: Any, held_out: bool, always: bool = False
    ) -> tuple[MultimodalData, np.ndarray, np.ndarray]:
        """Also standardised covariates; with ``always`` where no model needs them."""
        check_is_fitted(self)
        if self.use_target and y is None:
            raise ValueError(
                f"Got y=None for {type(self).__name__}(use_target=True), expected the "
                "labels: the propensity depends on them; call sample_weight(X, y)."
            )
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        target = y if self.use_target else None
        if not always and all(m.model_ is None for m in self._fitted):
            design = np.empty((len(data), 0))
        else:
            design = self._table.transform(
                self._source.take(self, data, X, target), len(data)
            )
        propensity = np.column_stack([m.predict(design) for m in self._fitted])
        if held_out:
            observed = self._observed(data, y)
            for i, known in enumerate(self._held_out):
                known.replace(propensity[:, i], design, observed[:, i])
        return data, propensity, design

    def _held_out_weight(self, X: Any, y: Any) -> np.ndarray:
        """Weights of shape (n, n_sets) that no row has shaped itself."""
        data, propensity = self._read(X, y, held_out=True)
        return self._weights(propensity, self._observed(data, y))

    def _weights(self, propensity: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Weights of rows whose propensities are known, shape (n, n_sets)."""
        out = np.zeros(propensity.shape)
        for i, (low, high) in enumerate(self._bounds):
            p, here = np.clip(propensity[:, i], low, high), observed[:, i]
            never = here & (p <= 0)
            if never.any():
                raise ValueError(
                    f"Got a propensity of exactly 0 for {int(never.sum())} observed "
                    f"rows (the first is row {int(np.flatnonzero(never)[0])}), "
                    "expected positive ones; use a smoother estimator or clip."
                )
            scale = self._rate[i] if self.stabilized else 1.0
            out[here, i] = scale / p[here]
        return out
