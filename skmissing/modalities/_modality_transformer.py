"""scikit-learn transformers, one for each modality."""

from __future__ import annotations

from dataclasses import field
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._utils._checks import check_known
from .._utils._named_parts import NamedParts
from .._utils._parameters import stores_parameters
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import _check_feature_names_in, output_container
from ._auto_transformer import needs_encoding, pass_numbers, table_encoder
from ._column_values import (
    column_label,
    dtype_with_nan,
    feature_labels,
    missing_value,
    numeric_columns,
    text_error,
)
from ._frames import read_frame, read_series
from ._inner_transformer import InnerTransformer
from ._matching import known_columns
from ._multimodal_data import MultimodalData
from ._table_output import TableOutput
from ._tags import tag_multimodal
from ._validation import check_multimodal, covariate_frame

# What may be in the place of a transformer.
WORDS = ("auto", "passthrough", "drop")


@stores_parameters
class ModalityTransformer(
    TableOutput,
    TransformerMixin,
    NamedParts,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Apply a scikit-learn transformer to each modality, in the rows that have it.

    The inner transformer is fitted on the rows that have the modality and never gets a
    missing one; missing rows stay missing in the output. Blocks with a shape are passed
    flat; they get their shape back if they are as wide as before.

    Parameters
    ----------
    transformers : dict of str to transformer, list of pairs or "auto", default=None
        Which transformer treats which modality. Modalities that are not listed pass
        unchanged. In place of a transformer, ``"passthrough"`` leaves a modality
        unchanged, ``"drop"`` removes it, and
        ``"auto"`` encodes each of its columns by its kind: numbers pass, and
        the ``TableVectorizer`` of skrub (``pip install 'skmissing[skrub]'``) encodes
        categories, dates and text. ``"auto"`` alone does so for every modality that is
        a table.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    remainder : {"drop", "passthrough"}, default="drop"
        What happens to the covariate columns of a data frame. Kept ones stand after
        the modalities, under their own names; the next estimator then needs
        ``modalities=output_modalities_`` to tell them apart, since not all columns have
        a prefix.

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
    output_modalities_ : dict of str to list
        Columns of each of them in a transformed table, as the next estimator takes them
        in ``modalities``: names, or positions in an array.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.

    Raises
    ------
    ValueError
        In ``fit``, for a name that is no modality or is listed twice, or a modality
        that no row has; for a transformer that does not return one row for each row.
        Errors of a transformer name its modality.
    ImportError
        For ``"auto"``, if columns have to be encoded and skrub is not installed.

    Notes
    -----
    The output has the type of the input: a data frame with columns
    ``modality__feature`` (so that the next estimator finds the modalities by their
    prefix), a :class:`~skmissing.MultimodalData`, or a plain array with the modalities
    side by side. ``set_output`` asks for another kind of table. Columns whose
    transformer does not name them are numbered.

    Inner transformers are fitted on the rows and y, without sample weights, also where
    they request them by metadata routing.

    Vectorizers of text, and Pipelines that begin with one, get the single column of
    their modality as one dimension. Their tag ``input_tags.two_d_array`` is False;
    a transformer of your own can set it too.

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
        return self._in_container(self._assemble(read_frame(X), data, parts), X)

    @restore_on_error
    def _fit_blocks(self, X, y, transform: bool) -> tuple:
        """Fit; also the transformed rows of each modality, where asked for."""
        given, X = self._check_parts(), read_frame(X)
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        check_known("a transformer for", given, data.names)
        if y is not None:
            y = np.asarray(read_series(y))
            if y.ndim == 0 or len(y) != len(data):
                raise ValueError(
                    f"Got y of shape {y.shape}, expected {len(data)} rows as in X."
                )
        given = self._resolve_words(given, data)
        fitted: dict[str, InnerTransformer] = {}
        parts: dict[str, np.ndarray] = {}
        for name, transformer in given.items():
            if _is_word(transformer, "drop"):
                continue
            here = data.present[:, data.names.index(name)]
            if not here.any():
                raise ValueError(
                    f"Got no row with the modality {name!r}, expected at least one to "
                    "fit its transformer on."
                )
            auto = _is_word(transformer, "auto")
            inner = InnerTransformer(
                name, table_encoder(name) if auto else clone(transformer), auto=auto
            )
            inner.find_columns(data, isinstance(X, pd.DataFrame))
            table = inner.rows(data, here, _index(X, here))
            if auto:
                pass_numbers(inner.transformer, table)
            target = None if y is None else y[here]
            if transform:
                parts[name] = inner.fit_transform(table, target)
            else:
                inner.fit(table, target)
            fitted[name] = inner
        self._inner = fitted
        self._numeric = {
            name: numeric_columns(data[name])
            for name in data.names
            if name not in fitted or fitted[name].auto
        }
        self.transformers_ = {name: inner.transformer for name, inner in fitted.items()}
        dropped = {name for name, t in given.items() if _is_word(t, "drop")}
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
        if isinstance(self.transformers, str):
            if self.transformers != "auto":
                raise ValueError(
                    f"Got transformers={self.transformers!r}, expected 'auto', None, a "
                    "dict or a list of (modality, transformer) pairs."
                )
            return {}
        parts = self._checked_parts("transformer")
        for name, transformer in parts.items():
            named = isinstance(transformer, str) and transformer in WORDS
            if not named and not hasattr(transformer, "transform"):
                raise TypeError(
                    f"Got {transformer!r} for the modality {name!r}, expected a "
                    "transformer, 'auto', 'passthrough' or 'drop'."
                )
        return parts

    def _resolve_words(
        self, given: dict[str, Any], data: MultimodalData
    ) -> dict[str, Any]:
        """Transformers by modality, "drop", and "auto" where an encoder is needed."""
        if isinstance(self.transformers, str):
            given = dict.fromkeys(data.names, "auto")
        return {
            name: transformer
            for name, transformer in given.items()
            if not _is_word(transformer, "passthrough")
            and (not _is_word(transformer, "auto") or needs_encoding(data, name))
        }

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
        self._refuse_text(data)
        return self._in_container(self._assemble(read_frame(X), data, {}), X)

    def _refuse_text(self, data: MultimodalData) -> None:
        """Refuse text in a column of numbers, which nothing would encode."""
        columns = known_columns(self)
        for name, numeric in self._numeric.items():
            block = data[name]
            if block.dtype.kind in "fiub" or block.ndim != 2:
                continue
            here = np.asarray(block)[data.present[:, data.names.index(name)]]
            text = set(numeric) - set(numeric_columns(here))
            for j in sorted(text)[:1]:
                label: Any = data.feature_names.get(name, range(j + 1))[j]
                if self.column_layout_ is not None and columns is not None:
                    label = columns[self.column_layout_.indices[name][j]]
                raise text_error(label, name, here[:, j].astype(object))

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
            inner = self._inner[name]
            names_out[name] = inner.labels()
            if not here.any():
                out = np.full((0, inner.width), np.nan)
            elif name in parts:
                out = parts[name]
            else:
                out = inner.transform(inner.rows(data, here, _index(X, here)))
            if not here.all():
                part, dtype = out, dtype_with_nan(out.dtype)
                out = np.full(
                    (len(data), part.shape[1]), missing_value(dtype), dtype=dtype
                )
                out[here] = part
            # A transformer may keep only features that a row does not have.
            present[:, m] &= ~pd.isna(out).all(axis=1)
            shape = data.block_shapes[name]
            if out.shape[1] == prod(shape):
                # As wide as before, so the shape still means something.
                out = out.reshape(len(data), *shape)
            blocks[name] = out
        return self._like(X, MultimodalData(blocks, present, names_out))

    def _like(self, X, result: MultimodalData):
        """The result as the kind of X, or as the table that was asked for."""
        if isinstance(X, MultimodalData):
            return result
        frame = result.to_frame()
        keep = self.remainder == "passthrough"
        rest = covariate_frame(self, X, optional=None) if keep else None
        if rest is not None:
            rest = rest.set_axis([column_label(c) for c in rest.columns], axis=1)
        container = output_container(self)
        if isinstance(X, pd.DataFrame):
            frame.index = X.index
        elif container == "default":
            parts = [frame] if rest is None else [frame, rest]
            return np.concatenate([part.to_numpy() for part in parts], axis=1)
        if rest is not None:
            frame = pd.concat([frame, rest.set_axis(frame.index)], axis=1)
        if not isinstance(X, pd.DataFrame):
            frame.columns = self.get_feature_names_out()
        return frame

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
        labels = [c for part in self._labels(input_features).values() for c in part]
        layout = self.column_layout_
        if layout is not None and self.remainder == "passthrough":
            names: Any = _check_feature_names_in(self, input_features)
            labels.extend(column_label(names[i]) for i in layout.covariates)
        return np.asarray(labels, dtype=object)

    @property
    def output_modalities_(self) -> dict[str, list[Any]]:
        check_is_fitted(self)
        labels, layout = self._labels(None), self.column_layout_
        frame = hasattr(self, "feature_names_in_") or layout is None
        if frame or layout.labels is not None or output_container(self) != "default":
            return labels
        stops = np.cumsum([len(part) for part in labels.values()]).tolist()
        return {
            name: list(range(stop - len(part), stop))
            for (name, part), stop in zip(labels.items(), stops)
        }

    def _labels(self, input_features) -> dict[str, list[str]]:
        """Names of the output columns of each modality."""
        layout = self.column_layout_
        out: dict[str, list[str]] = {}
        table_names: Any = None
        if layout is not None:
            table_names = _check_feature_names_in(self, input_features)
        # Columns without a name of their own are numbered within their modality.
        named = hasattr(self, "feature_names_in_") or input_features is not None
        for name in self.modality_names_out_:
            if name in self.transformers_:
                out[name] = self._inner[name].labels()
            elif name in self.modality_labels_:
                out[name] = list(self.modality_labels_[name])
            elif table_names is None or not named:
                size = prod(self.modality_shapes_in_[name])
                out[name] = [f"{name}__{i}" for i in range(size)]
            else:
                out[name] = feature_labels(name, table_names[layout.indices[name]])
        return out

    def _shown_parts(self) -> dict[str, Any]:
        if not isinstance(self.transformers, str):
            return super()._shown_parts()
        return getattr(self, "transformers_", {})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tag_multimodal(tags)


def _index(X, rows: np.ndarray):
    return X.index[rows] if isinstance(X, pd.DataFrame) else None


def _is_word(transformer, word: str) -> bool:
    return isinstance(transformer, str) and transformer == word
