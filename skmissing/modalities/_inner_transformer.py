"""The transformer of one modality, and how it is fed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from .._utils._errors import same_kind
from .._utils._sklearn_compat import _safe_indexing
from ._auto_transformer import encode_known
from ._multimodal_data import MultimodalData


@dataclass
class InnerTransformer:
    """A transformer with the modality that it is for.

    ``columns`` are the names of its input columns, where they are known.
    """

    name: str
    transformer: Any
    columns: list[str] | None = None
    # Whether the transformer is this package's choice.
    auto: bool = False
    # Columns of the output; known after fit.
    width: int = 0

    def find_columns(self, data: MultimodalData, is_frame: bool) -> None:
        """Names of the input columns, if the transformer gets a frame."""
        needs_frame = looks_at_dtypes(self.transformer)
        if self.name in data.feature_names and (is_frame or needs_frame):
            labels = data.feature_names[self.name]
            self.columns = [label.partition("__")[2] for label in labels]
        elif needs_frame:
            self.columns = [str(i) for i in range(prod(data.block_shapes[self.name]))]

    def rows(self, data: MultimodalData, rows: np.ndarray, index):
        """Some rows of the modality as the transformer should see them."""
        values = np.asarray(data[self.name][rows]).reshape(int(rows.sum()), -1)
        table: Any = values
        if self.columns is not None:
            # A frame, as in fit, whatever the form of X: else the transformer warns.
            # Without a copy the rows stay contiguous, as they are in an array: sums
            # come out the same to the last bit.
            table = pd.DataFrame(values, columns=self.columns, index=index, copy=False)
            table = table.infer_objects() if values.dtype == object else table
        if not takes_one_column(self.transformer):
            return table
        if values.shape[1] != 1:
            raise ValueError(
                f"Got {values.shape[1]} columns in the modality {self.name!r} for "
                f"{_kind(self.transformer)}, which takes one, expected a modality of "
                "one column; a ColumnTransformer has a transformer for each column."
            )
        return table.iloc[:, 0] if isinstance(table, pd.DataFrame) else table[:, 0]

    def fit(self, table, y) -> None:
        """Fit on rows that have the modality."""
        self._named(self.transformer.fit, table, y)
        self._find_width(table)

    def fit_transform(self, table, y) -> np.ndarray:
        """Fit on rows that have the modality and transform them."""
        if not hasattr(self.transformer, "fit_transform"):
            self.fit(table, y)
            return self.transform(table)
        out = self._named(self.transformer.fit_transform, table, y)
        out = self._checked(out, len(table))
        self._find_width(table)
        return out

    def _find_width(self, table) -> None:
        # Two rows tell whether each gets one of its own.
        self.width = self.transform(_safe_indexing(table, slice(0, 2))).shape[1]

    def transform(self, table) -> np.ndarray:
        """One row of features for each row of a table."""
        if self.auto:
            out = self._named(encode_known, self.transformer, table, self.name)
        else:
            out = self._named(self.transformer.transform, table)
        return self._checked(out, len(table))

    def _named(self, method: Callable, *arguments):
        """Call a method; errors name the modality."""
        try:
            return method(*arguments)
        except Warning:
            # Under a filter that makes errors of them.
            raise
        except Exception as error:
            raise same_kind(
                error,
                f"Got {type(error).__name__} from {_kind(self.transformer)} for the "
                f"modality {self.name!r}: {error}",
            ) from error

    def _checked(self, out, n_rows: int) -> np.ndarray:
        """The output as an array with one row for each row of the input."""
        array = out.toarray() if sparse.issparse(out) else np.asarray(out)
        if array.ndim != 2 or len(array) != n_rows:
            raise ValueError(
                f"Got an output of shape {array.shape} from {_kind(self.transformer)} "
                f"for the modality {self.name!r}, expected 2 dimensions with {n_rows} "
                "rows, one for each row that has it."
            )
        return array

    def labels(self) -> list[str]:
        """Names of the output columns; numbers where the transformer has none."""
        names: list[Any] = []
        if hasattr(self.transformer, "get_feature_names_out"):
            try:
                names = list(self.transformer.get_feature_names_out())
            except (AttributeError, NotImplementedError, TypeError, ValueError):
                # Pipelines and unions have the method, whatever their steps have.
                names = []
        if len(names) != self.width:
            names = list(range(self.width))
        return [f"{self.name}__{label}" for label in names]


def _kind(transformer) -> str:
    return type(transformer).__name__


def takes_one_column(transformer) -> bool:
    """Whether a transformer takes one column, as vectorizers of text do.

    ColumnTransformer asks its user, who gives a column name without brackets.
    """
    if isinstance(transformer, Pipeline):
        steps = [s for _, s in transformer.steps if s is not None and _acts(s)]
        return bool(steps) and takes_one_column(steps[0])
    if isinstance(transformer, FeatureUnion):
        parts = [part for _, part in transformer.transformer_list if _acts(part)]
        return bool(parts) and all(map(takes_one_column, parts))
    if hasattr(transformer, "__single_column_transformer__"):
        return True
    tags = _input_tags(transformer)
    return tags is not None and not (tags.two_d_array or tags.three_d_array)


def looks_at_dtypes(transformer) -> bool:
    """Whether a transformer treats columns by their dtype, as those of skrub do."""
    if isinstance(transformer, Pipeline):
        return bool(transformer.steps) and looks_at_dtypes(transformer.steps[0][1])
    return type(transformer).__module__.partition(".")[0] == "skrub"


def _acts(step) -> bool:
    return not isinstance(step, str)


def _input_tags(transformer):
    """Tags of the input; None for an object that scikit-learn does not know."""
    try:
        return get_tags(transformer).input_tags
    except (AttributeError, TypeError, ValueError):
        return None
