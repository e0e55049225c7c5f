"""Any metric of scikit-learn, for the whole population."""

from __future__ import annotations

import multiprocessing
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer, make_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import check_is_fitted

from .._estimation._partial_labels import known_labels, labels_of
from .._estimation._rows import check_weights
from .._estimation._scoring import try_scorer
from .._utils._sklearn_compat import _safe_indexing, accepts_sample_weight, is_scorer
from ._classifier import IPWMultimodalClassifier
from ._propensity import PropensityWeighter

# Per scorer, the weights that the first estimator brought. A dictionary of the process:
# copies of one scorer in several threads, or in several tasks of a worker, share it.
_FIRST_SEEN: dict[str, str] = {}


def make_ipw_scorer(
    metric,
    *,
    propensity: PropensityWeighter | None = None,
    required=None,
    response_method="predict",
):
    """Make a scorer that weights rows by the inverse of their propensity.

    For ``scoring=`` of cross-validation and searches. Rows without the label or a
    required modality have weight 0; the others also represent similar rows.

    Parameters
    ----------
    metric : str or callable
        A scorer name of scikit-learn such as ``"roc_auc"`` or ``"neg_log_loss"``, a
        scorer, or a function ``metric(y_true, y_pred, sample_weight=...)`` where
        greater is better.
    propensity : PropensityWeighter, default=None
        Fitted once on all rows, so that all folds and candidates are scored with the
        same weights. None takes that of the fitted estimator, an
        :class:`~skmissing.IPWMultimodalClassifier`, also as the last step of a Pipeline
        or inside a search. That is refused if candidates differ in it, since their
        scores would not be comparable.
    required : list of str, default=None
        Which required set of ``propensity`` counts. Needed only if it has several;
        otherwise checked against it.
    response_method : str or tuple of str, default="predict"
        What a ``metric`` given as a function takes, as in
        :func:`sklearn.metrics.make_scorer`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)`` -> float; greater is better.

    Raises
    ------
    ValueError
        For an unknown metric, one that takes no weights, or an unknown required set;
        when called, if no row can be scored, or if candidates differ in their
        propensity.
    NotFittedError
        If ``propensity`` is not fitted.

    See Also
    --------
    ObservedStratifiedKFold : Folds that each have rows to score.

    Notes
    -----
    The weighted metric divides by the sum of the weights (Hajek's form), so that the
    scale of the weights does not matter (:cite:t:`icym2i`, weighted evaluation).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmissing import IPWMultimodalClassifier, PropensityWeighter
    >>> from skmissing.datasets import make_bitwise
    >>> from skmissing.ipw import ObservedStratifiedKFold, make_ipw_scorer
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"])
    >>> weighter = PropensityWeighter(random_state=0).fit(X)
    >>> scorer = make_ipw_scorer("roc_auc", propensity=weighter)
    >>> cv = ObservedStratifiedKFold(random_state=0)
    >>> cross_val_score(clf, X, y, cv=cv, scoring=scorer).mean().round(2)
    np.float64(0.84)
    """
    base = resolve_scorer(metric, response_method)
    names = [required] if isinstance(required, str) else required
    names = None if names is None else list(names)
    column = None
    if propensity is not None:
        if not isinstance(propensity, PropensityWeighter):
            raise ValueError(
                f"Got propensity of type {type(propensity).__name__}, expected a "
                "fitted PropensityWeighter."
            )
        try:
            check_is_fitted(propensity)
        except NotFittedError:
            raise NotFittedError(
                "Got a propensity that is not fitted, expected one fitted once on all "
                "rows: PropensityWeighter(...).fit(X, y)."
            ) from None
        column = _find_set(propensity, names)
    return _IPWScorer(base, propensity, names, column, metric)


def resolve_scorer(metric, response_method="predict"):
    """A scorer of scikit-learn that takes weights, by its name or by a function."""
    if isinstance(metric, str):
        scorer = get_scorer(metric)
    elif callable(metric):
        scorer = metric
        if not is_scorer(metric):
            scorer = make_scorer(metric, response_method=response_method)
    else:
        raise ValueError(
            f"Got the metric {metric!r}, expected the name of a scorer, a scorer or a "
            "function."
        )
    if not accepts_sample_weight(scorer):
        raise ValueError(
            f"Got the metric {metric!r}, expected one that takes sample_weight."
        )
    return scorer


def _find_set(weighter: PropensityWeighter, names: list[str] | None) -> int:
    sets = [frozenset(r) for r in weighter.required_]
    if names is None:
        if len(sets) > 1:
            raise ValueError(
                f"Got required=None with a propensity of {len(sets)} required sets, "
                f"expected one of {weighter.required_}."
            )
        return 0
    if frozenset(names) not in sets:
        raise ValueError(
            f"Got required={names}, expected one of the required sets of the "
            f"propensity {weighter.required_}."
        )
    return sets.index(frozenset(names))


@dataclass(eq=False, repr=False)
class _IPWScorer:
    """See :func:`~skmissing.ipw.make_ipw_scorer`."""

    base: Any
    propensity: PropensityWeighter | None
    required: list[str] | None
    column: int | None
    metric: Any = None

    def __post_init__(self) -> None:
        self._key = uuid.uuid4().hex
        self._request: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"make_ipw_scorer({self.base!r}, required={self.required!r})"

    def __call__(self, estimator, X, y, sample_weight=None) -> float:
        weighter, column = self.propensity, self.column
        if weighter is None:
            owner, weighter = _find_owner(estimator)
            self._refuse_differences(owner, weighter)
            column = _find_set(weighter, self.required)
        ipw = weighter.sample_weight(X, y, out_of_fold=True)
        ipw = ipw if ipw.ndim == 1 else ipw[:, column or 0]
        known = known_labels(y, len(ipw))
        weight = ipw * known * check_weights(sample_weight, len(ipw))
        rows = np.flatnonzero(weight > 0)
        if not len(rows):
            raise ValueError(
                f"Got no row with a label and all of {weighter.required_[column or 0]} "
                "among those to score, expected at least one; split with "
                "ObservedStratifiedKFold."
            )
        try:
            return self.base(
                estimator,
                _safe_indexing(X, rows),
                labels_of(y, weight > 0),
                # With mean 1, for metrics that compare sums of weights with rounding.
                sample_weight=weight[rows] / weight[rows].mean(),
            )
        except ValueError:
            # In words of the metric, where it cannot work on these labels at all.
            classes = np.unique(labels_of(y, known))
            try_scorer(self.metric, self.base, classes, parameter="metric")
            raise

    def _refuse_differences(
        self, owner: IPWMultimodalClassifier, weighter: PropensityWeighter
    ) -> None:
        """Candidates with different weights cannot be compared.

        The scorer only ever sees one candidate. Within a process it remembers the
        first. A worker process may see no other, but can tell that the search has set
        a parameter that the weights depend on.
        """
        # Leaves alone, and no generators, whose text holds an address.
        leaves = [
            (name, repr(value))
            for name, value in sorted(weighter.get_params().items())
            if not hasattr(value, "get_params") and not name.endswith("random_state")
        ]
        kind = type(weighter.estimator).__name__
        seen = repr((owner.use_, weighter.required_, kind, leaves))
        first = _FIRST_SEEN.setdefault(self._key, seen)
        in_worker = multiprocessing.parent_process() is not None
        if first != seen or (in_worker and getattr(owner, "_own_weights_set", False)):
            raise ValueError(
                "Got candidates that differ in their propensity or in the modalities "
                "they use, expected the same weights for all: pass propensity= a "
                "PropensityWeighter fitted once on all rows to make_ipw_scorer, or "
                "make a new scorer for each comparison."
            )

    # -- metadata routing ------------------------------------------------------------

    def set_score_request(self, **kwargs) -> _IPWScorer:
        """Ask for ``sample_weight`` under metadata routing."""
        self._request = dict(kwargs)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """What this scorer asks for."""
        request = MetadataRequest(owner=self)
        for param, alias in self._request.items():
            request.score.add_request(param=param, alias=alias)
        return request


def _find_owner(estimator) -> tuple[IPWMultimodalClassifier, PropensityWeighter]:
    """The fitted IPWMultimodalClassifier inside, and its weighter."""
    inner = estimator
    while not isinstance(inner, IPWMultimodalClassifier):
        if isinstance(inner, Pipeline):
            inner = inner.steps[-1][1]
            continue
        deeper = getattr(inner, "best_estimator_", getattr(inner, "estimator_", None))
        if deeper is None:
            raise ValueError(
                f"Got a {type(estimator).__name__} to score with propensity=None, "
                "expected an IPWMultimodalClassifier, or a fitted propensity in "
                "make_ipw_scorer."
            )
        inner = deeper
    weighter = getattr(inner, "propensity_", None)
    if weighter is None:
        raise ValueError(
            "Got an IPWMultimodalClassifier with weighting='none' to score with "
            "propensity=None, expected a fitted propensity in make_ipw_scorer."
        )
    return inner, weighter
