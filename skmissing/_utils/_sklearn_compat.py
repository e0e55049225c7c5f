"""Every name of scikit-learn that is not public, so that a release breaks one file."""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._split import BaseCrossValidator, GroupsConsumerMixin
from sklearn.utils import _safe_indexing
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

__all__ = [
    "BaseCrossValidator",
    "BaseSearchCV",
    "GroupsConsumerMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_BaseComposition",
    "_VisualBlock",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_column_indices",
    "_safe_indexing",
    "accepts_sample_weight",
    "check_matplotlib_support",
    "is_scorer",
    "output_container",
    "own_requests",
    "response_method",
    "scorer_function",
    "validate_params",
]


def is_scorer(metric) -> bool:
    """Whether a metric is a scorer, as ``make_scorer`` makes them."""
    return hasattr(metric, "_score_func")


def accepts_sample_weight(scorer) -> bool:
    """Whether a scorer takes ``sample_weight``."""
    return bool(scorer._accept_sample_weight())  # noqa: SLF001


def scorer_function(scorer):
    """The metric that a scorer computes."""
    return scorer._score_func  # noqa: SLF001


def response_method(scorer):
    """The method whose output a scorer is given; None if there is none."""
    return getattr(scorer, "_response_method", None)


def own_requests(routing):
    """Metadata that an object requests for itself, without those of its parts."""
    return getattr(routing, "_self_request", routing)


def output_container(estimator) -> str:
    """Kind of table that ``set_output`` or the global setting asks for."""
    return str(_get_output_config("transform", estimator)["dense"])
