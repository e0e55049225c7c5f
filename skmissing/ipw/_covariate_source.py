"""Where the covariates stand in X."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._estimation._partial_labels import known_labels, labels_of
from ..modalities._layout import _select_columns
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import covariate_frame
from ._covariates import frame_covariates, iter_covariates


class CovariateSource:
    """Finds the same covariates in every X."""

    def __init__(
        self,
        estimator,
        data: MultimodalData,
        X,
        kept: np.ndarray,
        required: list[list[str]],
        y,
    ) -> None:
        always = data.present[kept].all(axis=0)
        self.blocks: list[str] = []
        self.columns: np.ndarray | None = None
        self.from_table = False
        self.with_target = y is not None
        if estimator.use_target and y is None:
            raise ValueError(
                "Got y=None with use_target=True, expected the labels of all rows."
            )
        if estimator.covariates is None:
            self.blocks = [name for name, a in zip(data.names, always) if a]
            self.from_table = covariate_frame(estimator, X) is not None
        else:
            self._resolve(estimator, data, X)
        ever_missing = {name for name, a in zip(data.names, always) if not a}
        taken = set(self.blocks) | self._owners(estimator)
        for name in data.names:
            if name in taken & ever_missing and any(name in r for r in required):
                raise ValueError(
                    f"Got the modality {name!r} in covariates, expected none that is "
                    "required and missing in some rows: its absence is what is to be "
                    "explained."
                )

    def _resolve(self, estimator, data: MultimodalData, X) -> None:
        given = estimator.covariates
        given = [given] if isinstance(given, str) else given
        if isinstance(given, np.ndarray | pd.Index):
            given = given.tolist()
        rest = given
        if isinstance(given, list | tuple):
            self.blocks = [g for g in given if isinstance(g, str) and g in data.names]
            rest = [g for g in given if not isinstance(g, str) or g not in data.names]
            if not rest:
                return
        if isinstance(X, MultimodalData):
            raise ValueError(
                f"Got covariates={estimator.covariates!r} with a MultimodalData, "
                f"expected names among its blocks {data.names}."
            )
        self.columns = _select_columns(X, "covariates", rest)
        self.from_table = True

    def _owners(self, estimator) -> set[str]:
        """Modalities that the chosen columns belong to."""
        if self.columns is None:
            return set()
        indices = estimator.column_layout_.indices
        return {name for name, i in indices.items() if np.isin(self.columns, i).any()}

    def take(self, estimator, data: MultimodalData, X, y) -> list[tuple[str, Any]]:
        """Label and values of every covariate."""
        out: list[tuple[str, Any]] = []
        if self.from_table:
            out.extend(frame_covariates(self._columns_of(estimator, X)))
        for name in self.blocks:
            out.extend(iter_covariates(data, name))
        if self.with_target:
            known = known_labels(y, len(data))
            if not known.all():
                raise ValueError(
                    f"Got {int((~known).sum())} missing labels with use_target=True, "
                    "expected a label for every row."
                )
            out.append(("target", self._names_of(labels_of(y, known))))
        return out

    def _names_of(self, labels: np.ndarray) -> np.ndarray:
        """Labels as text, by value: 1, 1.0 and True are one label."""
        if not hasattr(self, "classes"):
            self.classes = np.unique(labels)
        out = np.full(len(labels), None, dtype=object)
        for label in self.classes:
            out[labels == label] = str(label)
        # None is an unknown label, which the coding then warns of.
        return out

    def _columns_of(self, estimator, X) -> pd.DataFrame:
        if isinstance(X, MultimodalData) or estimator.column_layout_ is None:
            raise ValueError(
                f"Got a {type(X).__name__} without covariate columns, expected a table "
                "with the columns of fit."
            )
        if self.columns is None:
            frame = covariate_frame(estimator, X)
            assert frame is not None
            return frame
        if isinstance(X, pd.DataFrame):
            labels = estimator.column_layout_.labels
            X = X if labels is None else X.loc[:, labels]
            return X.iloc[:, self.columns]
        array = np.asarray(X)[:, self.columns]
        return pd.DataFrame(array, columns=[f"column{i}" for i in self.columns])
