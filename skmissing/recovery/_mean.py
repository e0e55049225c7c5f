"""Recovery by the training mean."""

from __future__ import annotations

from .._utils._parameters import stores_parameters
from ..modalities._multimodal_data import MultimodalData
from ._base import BaseRecovery, Recovered


@stores_parameters
class MeanRecovery(BaseRecovery):
    """Fill a missing modality with its training mean.

    The baseline of every other recovery: its :meth:`score` on the training data is 0.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    means_ : dict of str to ndarray
        Weighted mean of every feature over the training rows that have the modality.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, if no row has any modality.

    See Also
    --------
    RegressionRecovery : Predicts the modality from the others.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmissing.recovery import MeanRecovery
    >>> X = pd.DataFrame({"a__u": [1.0, 3.0], "b__v": [5.0, None]})
    >>> MeanRecovery().fit_transform(X)
       a__u  b__v
    0   1.0   5.0
    1   3.0   5.0
    """

    def _recover(self, data: MultimodalData) -> Recovered:
        n_missing = (~data.present).sum(axis=0)
        return {
            name: self._mean_rows(name, int(n_missing[data.names.index(name)]))
            for name in self.means_
        }
