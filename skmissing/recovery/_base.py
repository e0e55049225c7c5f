"""Base of the transformers that fill missing blocks."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._estimation._rows import (
    LabelledRows,
    check_groups,
    check_weights,
    observed_names,
    warn_unobserved,
)
from .._utils._parameters import stores_parameters
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import _check_feature_names_in, _fit_context
from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning
from ..modalities._frames import read_frame
from ..modalities._layout import prefix_groups
from ..modalities._matching import match_columns
from ..modalities._moments import block_moments
from ..modalities._multimodal_data import MultimodalData
from ..modalities._row_view import take_rows
from ..modalities._table_output import TableOutput
from ..modalities._validation import check_multimodal

Recovered = dict[str, np.ndarray]
# Rows recovered at once: blocks are widened to float64, images among them.
RECOVER_ROWS = 1024


@stores_parameters
class BaseRecovery(TableOutput, TransformerMixin, BaseEstimator):
    """Base of the transformers that fill missing modalities.

    A subclass defines ``_recover(data)``, which returns for each modality the values of
    the rows where it is missing, in their order; a row may be filled from that row
    alone. It may define ``_fit_rows(rows)``, where ``rows`` has ``data``, ``weight`` of
    mean 1, and ``groups``.

    Parameters
    ----------
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.

    Attributes
    ----------
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each modality.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.
    means_ : dict of str to ndarray
        Mean of every feature over the training rows that have the modality.

    Raises
    ------
    ValueError
        In ``fit``, if no row has any modality.

    See Also
    --------
    MeanRecovery : The simplest recovery.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import BaseRecovery
    >>> class ConstantRecovery(BaseRecovery):
    ...     def __init__(self, modalities=None, value=0.0):
    ...         self.modalities = modalities
    ...         self.value = value
    ...
    ...     def _recover(self, data):
    ...         missing = (~data.present).sum(axis=0)
    ...         return {
    ...             name: np.full((n, *data.block_shapes[name]), self.value)
    ...             for name, n in zip(data.names, missing)
    ...         }
    >>> X = MultimodalData({"a": [[1.0], [np.nan]], "b": [[2.0], [3.0]]})
    >>> ConstantRecovery(value=9.0).fit_transform(X)["a"].tolist()
    [[1.0], [9.0]]
    """

    modalities: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "modalities": [dict, list, tuple, None]
    }

    def __init_subclass__(cls, **kwargs) -> None:
        # A MultimodalData cannot be wrapped by set_output.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    # -- for subclasses ----------------------------------------------------------------

    def _fit_rows(self, rows: LabelledRows) -> None:
        """Learn from rows with any pattern, weights of mean 1, without labels."""

    @abstractmethod
    def _recover(self, data: MultimodalData) -> Recovered:
        """Values of missing blocks, float64, for modalities seen in fit."""

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(
        self,
        X,
        y=None,  # noqa: ARG002
        sample_weight=None,
        groups=None,
    ):
        """Learn how the modalities depend on each other.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent; only ratios matter.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together where rows are held out.

        Returns
        -------
        self
        """
        data = check_multimodal(self, X, self.modalities, reset=True)
        weight = check_weights(sample_weight, len(data))
        groups = check_groups(groups, len(data))
        # No labels: all rows are of one class.
        no_labels = np.zeros(len(data), np.int64)
        rows = LabelledRows(data, no_labels, np.zeros(1), weight, groups)
        rows = rows.take(weight > 0).normalised()
        data, weight = rows.data, rows.weight
        observed = observed_names(data)
        warn_unobserved(data.names, observed)
        self.means_: dict[str, np.ndarray] = {}
        self._deviations: dict[str, np.ndarray] = {}
        self._known: dict[str, np.ndarray] = {}
        for name in observed:
            present = data.present[:, data.names.index(name)]
            shape = data.block_shapes[name]
            known, mean, _ = block_moments(data[name], present, weight, (), False)
            # Pixels of a channel, and time steps of a signal, share their unit.
            axes = {3: (1, 2), 2: (0,)}.get(len(shape), ())
            deviation = block_moments(data[name], present, weight, axes)[2]
            self.means_[name], self._known[name] = mean, known
            self._deviations[name] = np.broadcast_to(
                np.where(deviation > 0, deviation, 1.0), shape
            ).copy()
        self._fit_rows(rows)
        return self

    # -- transform ---------------------------------------------------------------------

    def transform(self, X):
        """Fill the missing blocks.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        X_out : same kind as X
            With the columns or modalities of ``fit``. Present blocks and columns that
            belong to no modality are unchanged; missing
            blocks are filled, unless no training row had the modality. Integer blocks
            with missing rows become float64. A recovered series is as long as the
            longest in ``fit``. Rows without any modality are filled with the means,
            with one warning.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        return self._output(X, data)

    def _output(self, X, data: MultimodalData):
        """What is returned for X, in its own form."""
        filled = self._like(read_frame(X), data, self._recover_all(data))
        return self._in_container(filled, X)

    def recover(self, X) -> Recovered:
        """Values of the missing blocks alone.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        dict of str to ndarray of float64 of shape (n_missing, ...)
            For each modality seen in ``fit`` one row for each row of X without it.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        return self._recover_all(data)

    def _recover_all(self, data: MultimodalData) -> Recovered:
        """Values of all missing blocks, some rows at a time."""
        names = list(self.means_)
        self._warn_empty(data)
        parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for start in range(0, len(data), RECOVER_ROWS):
            part = data[start : start + RECOVER_ROWS]
            found = self._recover(part)
            for name in names:
                self._check_recovered(part, name, found[name])
                parts[name].append(found[name])
        return self._pad({name: np.concatenate(parts[name]) for name in names})

    def _warn_empty(self, data: MultimodalData) -> None:
        empty = np.asarray(~data.select(list(self.means_)).present.any(axis=1))
        if empty.any():
            warn_user(
                f"Got {int(empty.sum())} of {len(empty)} rows without a usable "
                "modality; they are filled with the means of the training rows.",
                EmptyRowWarning,
            )

    def _pad(self, found: Recovered) -> Recovered:
        """Steps of a series that no training row has are padding, not a level of 0."""
        for name, values in found.items():
            if values.ndim == 3:
                values[:, ~self._known[name].any(axis=1)] = np.nan
        return found

    def _check_recovered(self, data: MultimodalData, name: str, values) -> None:
        """Refuse one row for all, which NumPy would write into each of them."""
        n_missing = int((~data.present[:, data.names.index(name)]).sum())
        expected = (n_missing, *data.block_shapes[name])
        if np.shape(values) != expected:
            raise ValueError(
                f"Got values of shape {np.shape(values)} from the _recover of "
                f"{type(self).__name__} for the modality {name!r}, expected "
                f"{expected}, a row for each row without it."
            )

    def _like(self, X, data: MultimodalData, found: Recovered):
        """Put recovered values into their places in X."""
        present = data.present.copy()
        blocks: dict[str, Any] = data.blocks
        for name, values in found.items():
            missing = ~data.present[:, data.names.index(name)]
            if not missing.any():
                continue
            old = take_rows(data[name], slice(None))
            kind = old.dtype if old.dtype.kind == "f" else np.dtype(np.float64)
            block = old.astype(kind)
            block[missing] = values
            blocks[name] = block
            present[:, data.names.index(name)] = True
        out = MultimodalData.unchecked(blocks, present, data.feature_names)
        if isinstance(X, MultimodalData):
            return out
        if isinstance(X, pd.DataFrame):
            X = match_columns(self, X)
        places = self._places(X)
        if places is None:
            frame = out.to_frame()
            if isinstance(X, pd.DataFrame):
                frame.index = X.index
                return frame
            return frame.to_numpy()
        if isinstance(X, pd.DataFrame):
            absent = [name for name in out.names if name not in places]
            filled = _fill_frame(X, places, data, out)
            if not absent:
                return filled
            more = out.select(absent).to_frame().set_axis(X.index)
            return pd.concat([filled, more], axis=1)
        array = np.array(X, dtype=object if _holds_text(X) else np.float64)
        for name, columns in places.items():
            missing = ~data.present[:, data.names.index(name)]
            if missing.any() and name in found:
                flat = np.asarray(out[name])[missing].reshape(int(missing.sum()), -1)
                array[np.ix_(missing, columns)] = flat
        return array

    def _places(self, X) -> dict[str, np.ndarray] | None:
        """Columns of X by modality; None if X has no others and follows their order."""
        layout = self.column_layout_
        if layout is None:
            if isinstance(X, pd.DataFrame):
                groups = prefix_groups(X)
                known = [n for n in self.modality_names_in_ if n in groups]
                if known:
                    return {name: np.asarray(groups[name]) for name in known}
            return None
        return layout.indices

    # -- score -------------------------------------------------------------------------

    def score(self, X, y=None) -> float:  # noqa: ARG002
        """Share of the variation of hidden blocks that is recovered.

        Every modality is hidden in turn and recovered from the others.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows that were not in ``fit``, with any pattern.
        y : None
            Ignored.

        Returns
        -------
        float
            The mean over modalities of ``1 - sum((x - x_hat)**2) / sum((x - mean)**2)``
            over the rows that have the modality and some other one (all that have it,
            if there are no such rows), with features (channels of images and series)
            divided by their standard deviation. The training mean scores 0, a perfect
            recovery 1.

        Raises
        ------
        ValueError
            If no row has a modality that was seen in ``fit``.
        """
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        usable = data.present & np.array([n in self.means_ for n in data.names])
        scores = []
        for m, name in enumerate(data.names):
            present = usable[:, m]
            several = present & (usable.sum(axis=1) > 1)
            rows = np.flatnonzero(several if several.any() else present)
            if not len(rows):
                continue
            error = total = 0.0
            for start in range(0, len(rows), RECOVER_ROWS):
                part = data[rows[start : start + RECOVER_ROWS]]
                truth = take_rows(part[name], slice(None)).astype(np.float64)
                guess = self._recover(part.hide(name))[name]
                scale = self._deviations[name]
                # Features missing in the truth, or never seen, do not count.
                seen = ~np.isnan(truth) & self._known[name]
                error += float(np.square((truth - guess) / scale)[seen].sum())
                from_mean = (truth - self.means_[name]) / scale
                total += float(np.square(from_mean)[seen].sum())
            scores.append(1.0 - error / total if total > 0 else float(error == 0.0))
        if not scores:
            raise ValueError(
                "Got no row with a modality that was seen in fit, expected at least "
                "one to hide."
            )
        return float(np.mean(scores))

    # -- helpers for subclasses --------------------------------------------------------

    def _mean_rows(self, name: str, n: int) -> np.ndarray:
        """The training mean, once for each of n rows."""
        mean = self.means_[name]
        return np.broadcast_to(mean, (n, *mean.shape)).copy()

    def _scaled(self, data: MultimodalData, name: str, rows) -> np.ndarray:
        """Flat standardised rows in which a block is present; NaN features are 0."""
        values = take_rows(data[name], rows).astype(np.float64)
        values -= self.means_[name]
        values /= self._deviations[name]
        flat = values.reshape(len(values), -1)
        return np.where(np.isnan(flat), 0.0, flat)

    def _features(self, data: MultimodalData, name: str, rows) -> np.ndarray | None:
        """Which features of present blocks are not NaN; None: all of them.

        All-NaN steps at the end of a series are padding, and count as known.
        """
        values = take_rows(data[name], rows)
        if values.dtype.kind != "f":
            return None
        known = ~np.isnan(values)
        if known.ndim == 3:
            known |= ~known.any(axis=2, keepdims=True)
        return None if known.all() else known.reshape(len(values), -1)

    def _unscaled(self, name: str, flat: np.ndarray) -> np.ndarray:
        """Undo :meth:`_scaled`."""
        mean = self.means_[name]
        return flat.reshape(len(flat), *mean.shape) * self._deviations[name] + mean

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the output columns of a table: those of the input.

        Parameters
        ----------
        input_features : array of str, default=None
            Checked against the names seen in ``fit``.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        if self.column_layout_ is None:
            return np.asarray(
                [
                    label
                    for name in self.modality_names_in_
                    for label in self.modality_labels_.get(
                        name, [f"{name}__{i}" for i in range(self._size(name))]
                    )
                ],
                dtype=object,
            )
        return _check_feature_names_in(self, input_features)

    def _size(self, name: str) -> int:
        """Number of features of a modality."""
        return int(np.prod(self.modality_shapes_in_[name]))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _holds_text(X) -> bool:
    """Whether a table has values that are not numbers."""
    return getattr(np.asarray(X).dtype, "kind", "f") in "OUS"


def _fill_frame(
    X: pd.DataFrame,
    places: dict[str, np.ndarray],
    data: MultimodalData,
    out: MultimodalData,
) -> pd.DataFrame:
    """A copy of a frame with missing blocks filled."""
    frame = X.copy()
    for name, columns in places.items():
        m = data.names.index(name)
        filled = out.present[:, m] & ~data.present[:, m]
        if not filled.any():
            continue
        flat = np.asarray(out[name])[filled].reshape(int(filled.sum()), -1)
        for values, column in zip(flat.T, columns.tolist()):
            old = X.iloc[:, column]
            kind = old.dtype
            if not (isinstance(kind, np.dtype) and kind.kind == "f"):
                kind = np.dtype(np.float64)
            new = old.to_numpy(dtype=kind, na_value=np.nan, copy=True)
            new[filled] = values
            frame.isetitem(column, new)
    return frame
