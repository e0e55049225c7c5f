"""Folds that each get their share of labelled and of observed rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._estimation._folds import assign_folds, observed_rows
from .._estimation._partial_labels import known_labels, label_codes
from .._estimation._rows import check_groups
from .._utils._checks import is_count
from .._utils._random import local_random_state
from .._utils._sklearn_compat import BaseCrossValidator, GroupsConsumerMixin
from ..missingness._read import read_blocks


class ObservedStratifiedKFold(GroupsConsumerMixin, BaseCrossValidator):
    """K folds stratified by label and by what is observed.

    The strata are the labels, split by whether all ``required`` modalities are present,
    and the rows with a missing label. So every fold has rows to train and to score a
    weighted model. Plain ``StratifiedKFold`` raises an error for missing labels, and
    may leave a fold without any complete row.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    required : list of str, default=None
        Modalities that make a row observed. None: all.
    random_state : int, RandomState instance or None, default=None
        Shuffles the rows within each stratum.

    Raises
    ------
    ValueError
        In ``split``, if fewer rows than folds are observed, so that some fold would
        have nothing to score.

    See Also
    --------
    make_ipw_scorer : Scores such folds.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing.ipw import ObservedStratifiedKFold
    >>> X = np.arange(12.0)[:, None]
    >>> X[[0, 3, 6, 9]] = np.nan
    >>> y = np.array([0, 0, 0, 1, 1, 1] * 2, dtype=float)
    >>> y[[1, 7]] = np.nan
    >>> cv = ObservedStratifiedKFold(2, random_state=0)
    >>> for _, test in cv.split(X, y):
    ...     ok = ~np.isnan(X[test, 0]) & ~np.isnan(y[test])
    ...     print(len(test), ok.sum())
    6 3
    6 3
    """

    # Rows without a label are a stratum of their own.
    takes_missing_labels = True

    def __init__(
        self, n_splits: int = 5, *, modalities=None, required=None, random_state=None
    ) -> None:
        if not is_count(n_splits, 2):
            raise ValueError(
                f"Got n_splits={n_splits!r}, expected an integer of at least 2."
            )
        self.n_splits = int(n_splits)
        self.modalities = modalities
        self.required = required
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None) -> int:  # noqa: ARG002
        """Number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
        """
        return self.n_splits

    def split(self, X, y, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of the training and test sets.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The data.
        y : array of shape (n_samples,)
            Labels; NaN, None or ``pandas.NA`` where missing.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together.

        Yields
        ------
        train, test : ndarray of int
            Row numbers.
        """
        data, _ = read_blocks(X, self.modalities, type(self).__name__)
        observed = observed_rows(data, self.required)
        known = known_labels(y, len(data))
        codes = label_codes(y, known)
        usable = observed & known
        if usable.sum() < self.n_splits:
            raise ValueError(
                f"Got {int(usable.sum())} rows with a label and the modalities "
                f"{self.required or data.names}, expected at least {self.n_splits}, "
                "one for each fold."
            )
        rng, groups = (
            local_random_state(self.random_state),
            check_groups(groups, len(data)),
        )
        folds = assign_folds(2 * codes + observed, self.n_splits, rng, groups)
        for k in range(self.n_splits):
            test = folds == k
            if not (usable & test).any():
                raise ValueError(
                    f"Got no row with a label and the modalities "
                    f"{self.required or data.names} in fold {k}, expected at least one "
                    "in each; use fewer folds, or more even groups."
                )
            yield np.flatnonzero(~test), np.flatnonzero(test)
