"""scikit-learn transformers, one for each modality."""

from __future__ import annotations

from dataclasses import field
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._utils._checks import check_known
from .._utils._named_parts import NamedParts
from .._utils._parameters import stores_parameters
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import _check_feature_names_in
from ._column_values import column_label, dtype_with_nan, feature_labels
from ._multimodal_data import MultimodalData
from ._tags import tag_multimodal
from ._validation import check_multimodal, covariate_frame


@stores_parameters
class ModalityTransformer(
    TransformerMixin,
    NamedParts,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Apply a scikit-learn transformer to each modality, where a row has it.

    The inner transformer is fitted on the rows that have the modality and never sees
    a missing one; missing rows stay missing in the output. Blocks with a shape are
    handed over flat; they get their shape back if they are as wide as before.

    Parameters
    ----------
    transformers : dict of str to transformer, or list of pairs, default=None
        Which transformer treats which modality. Modalities that are not listed pass
        unchanged. The word ``"drop"`` in place of a transformer removes a modality.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    remainder : {"drop", "passthrough"}, default="drop"
        What happens to the covariate columns of a data frame. Kept ones stand after
        the modalities, under their own names; the next estimator then needs
        ``modalities`` to tell them apart, since not all columns have a prefix.

    Attributes
    ----------
    transformers_ : dict of str to fitted transformer
        The fitted transformers by modality name.
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each of them.
    modality_names_out_ : list of str
        Names of the modalities of the output.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.

    Raises
    ------
    ValueError
        In ``fit``, for a name that is no modality or is listed twice, or a modality
        that no row has.

    Notes
    -----
    The output is of the kind of the input: a data frame with columns
    ``modality__feature`` (so that the next estimator finds the modalities by their
    prefix), a :class:`~skmissing.MultimodalData`, or a plain array with the
    modalities side by side. ``set_output`` is not offered, since a MultimodalData
    cannot be wrapped.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skmissing.modalities import ModalityTransformer
    >>> X = pd.DataFrame(
    ...     {"labs__na": [140.0, 138.0, None], "ward__name": ["a", None, "b"]}
    ... )
    >>> onehot = OneHotEncoder(sparse_output=False)
    >>> ModalityTransformer({"ward": onehot}).fit_transform(X)
       labs__na  ward__name_a  ward__name_b
    0     140.0           1.0           0.0
    1     138.0           NaN           NaN
    2       NaN           0.0           1.0
    """

    transformers: dict[str, Any] | list | None = field(default=None, kw_only=False)
    modalities: Any = None
    remainder: str = "drop"

    _parts = "transformers"

    def fit(self, X, y=None) -> ModalityTransformer:
        """Fit each transformer on the rows that have its modality.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The data.
        y : array of shape (n_samples,), default=None
            Handed to the inner transformers.

        Returns
        -------
        self
        """
        self._fit_blocks(X, y, transform=False)
        return self

    def fit_transform(self, X, y=None):
        """Fit to the data and transform it.

        The inner transformers' own ``fit_transform`` is used, which for some, such as
        :class:`sklearn.preprocessing.TargetEncoder`, is not ``fit`` followed by
        ``transform``.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The data.
        y : array of shape (n_samples,), default=None
            Handed to the inner transformers.

        Returns
        -------
        X_out : same kind as X
            Missing rows are NaN (or not present) in the output.
        """
        data, parts = self._fit_blocks(X, y, transform=True)
        return self._assemble(X, data, parts)

    @restore_on_error
    def _fit_blocks(self, X, y, transform: bool) -> tuple:
        """Fit; also the transformed rows of each modality, where asked for."""
        given = self._check_parts()
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        check_known("a transformer for", given, data.names)
        if y is not None:
            y = np.asarray(y)
            if y.ndim == 0 or len(y) != len(data):
                raise ValueError(
                    f"Got y of shape {y.shape}, expected {len(data)} rows as in X."
                )
        fitted: dict[str, Any] = {}
        parts: dict[str, np.ndarray] = {}
        self._inner_columns: dict[str, list[str]] = {}
        self._widths: dict[str, int] = {}
        for name, transformer in given.items():
            if isinstance(transformer, str):
                continue
            here = data.present[:, data.names.index(name)]
            if not here.any():
                raise ValueError(
                    f"Got no row with the modality {name!r}, expected at least one to "
                    "fit its transformer on."
                )
            if isinstance(X, pd.DataFrame) and name in data.feature_names:
                labels = data.feature_names[name]
                self._inner_columns[name] = [s.partition("__")[2] for s in labels]
            table = self._table(data, name, here, X)
            inner, target = clone(transformer), None if y is None else y[here]
            if transform and hasattr(inner, "fit_transform"):
                parts[name] = _dense(inner.fit_transform(table, target))
            else:
                inner.fit(table, target)
            # The width of one row, also of transformers that do not report it.
            self._widths[name] = _dense(inner.transform(table[:1])).shape[1]
            fitted[name] = inner
        self.transformers_ = fitted
        dropped = {name for name, t in given.items() if isinstance(t, str)}
        self.modality_names_out_ = [n for n in data.names if n not in dropped]
        if not self.modality_names_out_:
            raise ValueError(
                "Got 'drop' for every modality, expected at least one to keep."
            )
        return data, parts

    def _check_parts(self) -> dict[str, Any]:
        if self.remainder not in ("drop", "passthrough"):
            raise ValueError(
                f"Got remainder={self.remainder!r}, expected 'drop' or 'passthrough'."
            )
        parts = self._checked_parts("transformer")
        for name, transformer in parts.items():
            if transformer != "drop" and not hasattr(transformer, "transform"):
                raise TypeError(
                    f"Got {transformer!r} for the modality {name!r}, expected a "
                    "transformer or 'drop'."
                )
        return parts

    def _table(self, data: MultimodalData, name: str, rows, X):
        """Rows of a modality as the inner transformer should see them."""
        values = np.asarray(data[name][rows]).reshape(int(rows.sum()), -1)
        columns = self._inner_columns.get(name)
        if columns is None:
            return values
        # A frame, as in fit, whatever the form of X: else the inner transformer warns.
        index = X.index[rows] if isinstance(X, pd.DataFrame) else None
        # Without a copy the rows stay contiguous, as they are in an array: sums come
        # out the same to the last bit.
        table = pd.DataFrame(values, columns=columns, index=index, copy=False)
        return table.infer_objects() if values.dtype == object else table

    def transform(self, X):
        """Transform each modality where it is there.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The data.

        Returns
        -------
        X_out : same kind as X
            Missing rows are NaN (or not present) in the output.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        return self._assemble(X, data, {})

    def _assemble(self, X, data: MultimodalData, parts: dict[str, np.ndarray]):
        """Put transformed and untouched blocks together, as the kind of X."""
        blocks: dict[str, Any] = {}
        names_out: dict[str, list[str]] = {}
        present = data.select(self.modality_names_out_).present.copy()
        for m, name in enumerate(self.modality_names_out_):
            here = data.present[:, data.names.index(name)]
            if name not in self.transformers_:
                blocks[name] = data[name]
                if name in data.feature_names:
                    names_out[name] = data.feature_names[name]
                continue
            names_out[name] = self._feature_names(name)
            if not here.any():
                out = np.full((0, self._widths[name]), np.nan)
            elif name in parts:
                out = parts[name]
            else:
                table = self._table(data, name, here, X)
                out = _dense(self.transformers_[name].transform(table))
            if not here.all():
                part, dtype = out, dtype_with_nan(out.dtype)
                out = np.full((len(data), part.shape[1]), np.nan, dtype=dtype)
                out[here] = part
            # A transformer may keep only features that a row does not have.
            present[:, m] &= ~pd.isna(out).all(axis=1)
            shape = data.block_shapes[name]
            if out.shape[1] == prod(shape):
                # As wide as before, so the shape still means something.
                out = out.reshape(len(data), *shape)
            blocks[name] = out
        return self._like(X, MultimodalData(blocks, present, names_out))

    def _feature_names(self, name: str) -> list[str]:
        inner = self.transformers_[name]
        if hasattr(inner, "get_feature_names_out"):
            return [f"{name}__{label}" for label in inner.get_feature_names_out()]
        return [f"{name}__{i}" for i in range(self._widths[name])]

    def _like(self, X, result: MultimodalData):
        if isinstance(X, MultimodalData):
            return result
        frame = result.to_frame()
        keep = self.remainder == "passthrough"
        rest = covariate_frame(self, X, optional=True) if keep else None
        if rest is not None:
            rest = rest.set_axis([column_label(c) for c in rest.columns], axis=1)
        if isinstance(X, pd.DataFrame):
            frame.index = X.index
            return frame if rest is None else pd.concat([frame, rest], axis=1)
        if rest is not None:
            return np.concatenate([frame.to_numpy(), rest.to_numpy()], axis=1)
        return frame.to_numpy()

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the output columns of a table.

        Parameters
        ----------
        input_features : array of str, default=None
            Checked against the names seen in ``fit``.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        layout = self.column_layout_
        labels: list[str] = []
        table_names: Any = None
        if layout is not None:
            table_names = _check_feature_names_in(self, input_features)
        # Columns without a name of their own are numbered within their modality.
        named = hasattr(self, "feature_names_in_") or input_features is not None
        for name in self.modality_names_out_:
            if name in self.transformers_:
                labels.extend(self._feature_names(name))
            elif name in self.modality_labels_:
                labels.extend(self.modality_labels_[name])
            elif table_names is None or not named:
                size = prod(self.modality_shapes_in_[name])
                labels.extend(f"{name}__{i}" for i in range(size))
            else:
                labels.extend(feature_labels(name, table_names[layout.indices[name]]))
        if layout is not None and self.remainder == "passthrough":
            labels.extend(column_label(table_names[i]) for i in layout.covariates)
        return np.asarray(labels, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tag_multimodal(tags)


def _dense(part) -> np.ndarray:
    return part.toarray() if sparse.issparse(part) else np.asarray(part)
