"""A stack of classifiers whose weights depend on what a row has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._folds import Folds, cross_fit_folds, split_rows
from .._estimation._rows import (
    LabelledRows,
    check_groups,
    check_training_rows,
    check_weights,
    observed_names,
    warn_unobserved,
)
from .._utils._checks import N_JOBS
from .._utils._named_parts import NamedParts
from .._utils._parameters import stores_parameters
from .._utils._progress import Progress
from .._utils._random import draw_seed, local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import Interval, _fit_context
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ._members import (
    FittedMember,
    NumericBlocks,
    default_members,
    fit_member,
    hide_some,
)
from ._pool import HeldOutRatios, PatternPool


@stores_parameters
class PatternStackingClassifier(MultimodalClassifierMixin, NamedParts, BaseEstimator):
    """Stack of classifiers with weights that depend on the modalities of a row.

    Every member is fitted on each training part of a cross-validation. Its held-out
    probabilities for rows with these modalities determine its weight. A prediction is
    the product of the members' probabilities to the power of their weights. The models
    of all folds are kept, and their predictions are averaged.

    It is the estimator to start with: members that fuse modalities early learn
    interactions, uni-modal ones are robust to missing modalities, boosted trees suit
    tables, and the weights show which of them suits the data, modality by modality.

    Parameters
    ----------
    estimators : list of (str, classifier) or dict, default=None
        The members: classifiers of this package, which get the modalities, and any
        others with ``predict_proba``, which get the flat table, with NaN if their tags
        allow it and means else. "drop" leaves a member out. None: boosted trees,
        :class:`~skmissing.baselines.PatternClassifier`,
        :class:`~skmissing.baselines.FusionClassifier` and
        :class:`~skmissing.baselines.UnimodalEnsemble` with their default settings.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    cv : int, splitter or iterable, default=5
        Folds. An int stratifies by label and pattern, and keeps groups together.
        Others must test each row once.
    hidden_weight : float, default=0.2
        Weight of copies of the held-out rows that lack some of their modalities, at
        random. By these the weights know of patterns that no training row shows. 0
        makes no copies.
    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of the rows of each class.
    n_jobs : int, default=None
        Fits at once, by joblib.
    verbose : int, default=0
        1 shows a progress bar of the fits, members times folds.
    random_state : int, RandomState or None, default=None
        Seeds the folds, the copies, and members without a ``random_state`` of their
        own.

    Attributes
    ----------
    estimators_ : dict of str to list of classifiers
        The fits of each member, one for each fold; None for a fold whose training rows
        have a single class.
    weights_ : DataFrame of shape (n_patterns, 1 + n_members)
        Weights of the members by pattern of present modalities, with the number of
        training rows that show it.
    common_weights_ : Series of shape (n_members,)
        Mean weight of each member over the training rows.
    shrinkage_ : float
        Chosen precision of the effects of modalities on weights; infinite where common
        weights predict held-out rows best.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class; predicted for rows without any modality.
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
        In ``fit``, for unusable data, names of members, or folds that do not test each
        row once.
    TypeError
        For a member without ``predict_proba``, or, with sample weights, one that takes
        none.

    See Also
    --------
    skmissing.baselines.PatternClassifier : One model for each pattern.

    Notes
    -----
    With :math:`p_j` the probabilities of member j, :math:`\\pi` the class shares and r
    the modalities that a row has,

    .. math:: \\log p(y | x, r) = \\log \\pi(y) + \\sum_j w_j(r)
        \\log \\frac{p_j(y | x)}{\\pi(y)} + \\text{const},

    .. math:: w_j(r) = a_j + \\sum_{m \\in r} b_{jm} + \\sum_{m \\notin r} c_{jm}
        \\quad (a, b, c \\geq 0).

    The weights minimise the log-loss of held-out rows :cite:p:`wolpert1992stacked`,
    plus ridge penalties: on a, around equal shares, and on b and c, whose strength is
    chosen by the log-loss of folds left out. If patterns do not matter, the weights are
    the same for all. A log-linear pool keeps the calibration of a single member, and
    sharpens or flattens the predictions of members that are under- or overconfident
    :cite:p:`genest1986combining`.

    Text, categories and dates of a modality become numbers first: indicators of the
    levels with at least 10 rows, and days.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skmissing import MultimodalData, PatternStackingClassifier
    >>> from skmissing.baselines import PatternClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(300, 3)),
    ...     "b": y[:, None] + rng.normal(size=(300, 5)),
    ... }).hide({"b": rng.random(300) < 0.5})
    >>> stack = PatternStackingClassifier(
    ...     [("forest", RandomForestClassifier(50)), ("pattern", PatternClassifier())],
    ...     random_state=0,
    ... ).fit(X, y)
    >>> stack.weights_["n_rows"].to_dict()
    {'a': 146, 'a, b': 154}
    >>> stack.predict_proba(X[:2]).shape
    (2, 2)
    """

    estimators: Any = field(default=None, kw_only=False)
    modalities: Any = None
    cv: Any = 5
    hidden_weight: float = 0.2
    class_weight: Any = None
    n_jobs: int | None = None
    verbose: int = 0
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [dict, list, tuple, None],
        "modalities": [dict, list, tuple, None],
        "cv": ["cv_object"],
        "hidden_weight": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, str, None],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }
    _parts: ClassVar[str] = "estimators"
    _part_of: ClassVar[str] = "member"

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y, sample_weight=None, groups=None) -> PatternStackingClassifier:
        """Fit the members on every fold, and the weights on what folds hold out.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The modalities; any may be missing in any row.
        y : array of shape (n_samples,)
            Class labels of any type.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. A row of weight 0 counts as absent.
        groups : array of shape (n_samples,), default=None
            Rows of one group share a fold, here and in members that take groups.

        Returns
        -------
        self
        """
        members = self._members()
        data = check_multimodal(self, X, self.modalities, reset=True, numeric=False)
        rows = check_training_rows(
            self, data, y, sample_weight, groups, self.class_weight
        )
        self._observed = observed_names(rows.data)
        warn_unobserved(data.names, self._observed)
        # Rows without any modality count for the prior alone.
        used = rows.take(np.asarray(rows.data.present.any(axis=1)))
        used = replace(used, data=used.data.select(self._observed))
        rng = local_random_state(self.random_state)
        folds = self._split(data, used, sample_weight, groups, rng)
        if members is None:
            members = default_members(used.data, len(used.classes))
        self._encoder = NumericBlocks(used.data)
        used = replace(used, data=self._encoder(used.data))
        fits = self._fit_members(members, used, folds, rng)
        held_out = self._hold_out(fits, used, folds, rng)
        self._pool = PatternPool(np.log(used.prior)).fit(held_out)
        self._fits = dict(zip(members, zip(*fits)))
        self.classes_, self.class_prior_ = rows.classes, rows.prior
        self.estimators_ = {k: [f.model for f in v] for k, v in self._fits.items()}
        self.shrinkage_ = float(self._pool.shrinkage)
        self._tabulate(used, list(members))
        return self

    def _members(self) -> dict[str, Any] | None:
        """Templates by name; None for the default ones."""
        if self.estimators is None:
            return None
        members = {
            name: member
            for name, member in self._checked_parts("classifier").items()
            if not (isinstance(member, str) and member == "drop")
        }
        if not members:
            raise ValueError(
                f"Got estimators={self.estimators!r}, expected at least one classifier."
            )
        for name, member in members.items():
            if not hasattr(member, "fit") or not hasattr(member, "predict_proba"):
                raise TypeError(
                    f"Got {type(member).__name__} as {name!r} in estimators, expected "
                    "a classifier with predict_proba, or 'drop'."
                )
        return members

    def _split(
        self,
        data: MultimodalData,
        used: LabelledRows,
        sample_weight,
        groups,
        rng: np.random.RandomState,
    ) -> Folds:
        """Folds of the used rows; a splitter of the user's is given all of them."""
        if isinstance(self.cv, Integral):
            return split_rows(min(int(self.cv), len(used)), used.data, None, used, rng)
        n = len(data)
        counts = check_weights(sample_weight, n) > 0
        index = np.flatnonzero(counts & data.present.any(axis=1))
        groups = check_groups(groups, n)
        return cross_fit_folds(self.cv, used.y, index, groups, data, rng)

    def _fit_members(
        self,
        members: dict[str, Any],
        rows: LabelledRows,
        folds: Folds,
        rng: np.random.RandomState,
    ) -> list[list[FittedMember]]:
        """Fits of all members, fold by fold."""
        seeds = [draw_seed(rng) for _ in members]
        results = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(fit_member)(name, template, rows.take(train), rows.prior, seed)
            for train in folds.trains
            for (name, template), seed in zip(members.items(), seeds)
        )
        bar = Progress(self.verbose).over("fits")
        fits = list(bar(results, len(folds.trains) * len(members)))
        starts = range(0, len(fits), len(members))
        return [fits[i : i + len(members)] for i in starts]

    def _hold_out(
        self,
        fits: list[list[FittedMember]],
        rows: LabelledRows,
        folds: Folds,
        rng: np.random.RandomState,
    ) -> HeldOutRatios:
        """What the fits of each fold say of its rows, and of copies that lack some."""
        parts = []
        for k, models in enumerate(fits):
            held = np.flatnonzero(folds.fold == folds.numbers[k])
            for taken, data, share in self._shown(rows.data[held], rng):
                index = held[taken]
                parts.append(
                    HeldOutRatios(
                        np.stack([f.log_ratio(data) for f in models], axis=1),
                        np.asarray(data.present),
                        rows.y[index],
                        share * rows.weight[index],
                        folds.fold[index],
                    )
                )
        columns = (np.concatenate(c) for c in zip(*(vars(p).values() for p in parts)))
        return HeldOutRatios(*columns)

    def _shown(
        self, data: MultimodalData, rng: np.random.RandomState
    ) -> Iterator[tuple[np.ndarray, MultimodalData, float]]:
        """Rows as they are, and copies that lack something, each with a weight."""
        yield np.arange(len(data)), data, 1.0
        several, kept = hide_some(data, rng)
        if self.hidden_weight > 0 and len(several):
            copies = MultimodalData.unchecked(data[several].blocks, kept)
            yield several, copies, self.hidden_weight

    def _tabulate(self, rows: LabelledRows, names: list[str]) -> None:
        present = np.asarray(rows.data.present)
        kinds, member, counts = np.unique(
            present, axis=0, return_inverse=True, return_counts=True
        )
        found = self._pool.weights(kinds)
        labels = [
            ", ".join(n for n, here in zip(rows.data.names, kind) if here)
            for kind in kinds
        ]
        order = np.lexsort((labels, kinds.sum(axis=1)))
        self._weights_of: dict[str, Any] = {
            "members": names,
            "patterns": [labels[i] for i in order],
            "n_rows": counts[order],
            "weights": found[order],
            "mean": np.average(found[member.reshape(-1)], axis=0, weights=rows.weight),
        }

    @property
    def weights_(self) -> pd.DataFrame:
        """Weights of the members by pattern."""
        of = self._weights_of
        index = pd.Index(of["patterns"], name="present")
        table = pd.DataFrame(of["weights"], index, of["members"])
        table.insert(0, "n_rows", of["n_rows"])
        return table

    @property
    def common_weights_(self) -> pd.Series:
        """Mean weight of each member."""
        return pd.Series(self._weights_of["mean"], self._weights_of["members"])

    def _check_rows(self, X) -> MultimodalData:
        data = check_multimodal(self, X, self.modalities, reset=False, numeric=False)
        return data.select(self._observed)

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        return np.asarray(data.present.any(axis=1))

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        numeric = self._encoder(data)
        ratios = [
            np.mean([f.log_ratio(numeric) for f in fits], axis=0)
            for fits in self._fits.values()
        ]
        return self._pool(np.stack(ratios, axis=1), np.asarray(data.present))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Any text is a level.
        tags.input_tags.string = True
        return tags
