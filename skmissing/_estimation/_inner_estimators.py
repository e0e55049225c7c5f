"""Feeding scikit-learn estimators that know nothing of modalities."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from .._utils._sklearn_compat import BaseSearchCV, GroupsConsumerMixin, own_requests
from ..modalities._multimodal_data import MultimodalData
from ..modalities._tags import is_tagged_multimodal
from ..modalities._validation import flatten_blocks

# Meta-estimators whose ``fit`` passes its keywords on without metadata routing.
FORWARDING = (
    BaseSearchCV, RFE, SelectFromModel, StackingClassifier, StackingRegressor,
    VotingClassifier, VotingRegressor,
)  # fmt: skip


@dataclass(eq=False, repr=False)
class FlatTable:
    """Some blocks as one table, with missing features as an estimator can take them."""

    names: list[str]
    keep_nan: bool

    def fit(self, data: MultimodalData, weight: np.ndarray) -> FlatTable:
        """Learn the weighted mean of every feature."""
        if not self.keep_nan:
            table = flatten_blocks(data, self.names)
            seen = ~np.isnan(table)
            mass = weight @ seen
            total = weight @ np.where(seen, table, 0.0)
            # A feature never seen gets 0: it is constant, so any value would do.
            self.fill_ = np.divide(
                total, mass, out=np.zeros_like(total), where=mass > 0
            )
        return self

    def transform(self, data: MultimodalData) -> np.ndarray:
        """The table."""
        table = flatten_blocks(data, self.names)
        return table if self.keep_nan else np.where(np.isnan(table), self.fill_, table)


def a_row_for_each(model, predicted, n_rows: int) -> np.ndarray:
    """Predictions of an inner estimator; a single row would stand for all of them."""
    out = np.asarray(predicted)
    shape = (n_rows, len(model.classes_))
    if out.shape != shape:
        raise ValueError(
            f"Got predictions of shape {out.shape} from {type(model).__name__} in "
            f"estimator, expected {shape}, a row for each row."
        )
    return out


def accepts_nan(estimator) -> bool:
    """Whether an estimator takes NaN in X, looking through Pipelines."""
    if isinstance(estimator, Pipeline):
        for _, step in _working_steps(estimator):
            if not get_tags(step).input_tags.allow_nan:
                return False
            if "Imputer" in type(step).__name__:
                return True
        return True
    return bool(get_tags(estimator).input_tags.allow_nan)


def takes_multimodal(estimator) -> bool:
    """Whether an estimator is fitted on blocks rather than on a table.

    Looks through Pipelines, searches, calibration, voting and stacking.
    """
    if is_tagged_multimodal(estimator):
        return True
    if isinstance(estimator, Pipeline):
        steps = _working_steps(estimator)
        return bool(steps) and takes_multimodal(steps[0][1])
    inside = _inside(estimator)
    return bool(inside) and all(takes_multimodal(inner) for inner in inside)


def takes_sample_weight(estimator) -> bool:
    """Whether ``fit`` takes sample weights, looking through Pipelines and searches."""
    if isinstance(estimator, Pipeline):
        steps = _working_steps(estimator)
        return bool(steps) and takes_sample_weight(steps[-1][1])
    if has_fit_parameter(estimator, "sample_weight"):
        return True
    kinds = {p.kind for p in signature(estimator.fit).parameters.values()}
    inside = _inside(estimator)
    return (
        bool(inside)
        and Parameter.VAR_KEYWORD in kinds
        and _forwards(estimator)
        and all(takes_sample_weight(inner) for inner in inside)
    )


def _forwards(estimator) -> bool:
    """Whether keywords of ``fit`` reach what is inside.

    Most of scikit-learn's meta-estimators refuse them without metadata routing.
    """
    if get_config()["enable_metadata_routing"]:
        return True
    if type(estimator).__module__.partition(".")[0] != "sklearn":
        return True
    return isinstance(estimator, FORWARDING) and not isinstance(estimator, RFECV)


def _working_steps(pipeline: Pipeline) -> list[tuple[str, Any]]:
    """Name and estimator of every step that does something."""
    return [
        (k, step) for k, step in pipeline.steps if step not in (None, "passthrough")
    ]


def _inside(estimator) -> list[Any]:
    """Estimators that a search, a vote or a stack fits."""
    inner = getattr(estimator, "estimator", None)
    several = getattr(estimator, "estimators", None)
    if inner is not None and hasattr(inner, "fit"):
        return [inner]
    if isinstance(several, list):
        found = [e[1] for e in several if isinstance(e, tuple)]
        return [e for e in found if hasattr(e, "fit")]
    return []


def takes_groups(estimator) -> bool:
    """Whether ``fit`` takes groups, as that of a search over folds of groups does."""
    if has_fit_parameter(estimator, "groups"):
        return True
    if get_config()["enable_metadata_routing"]:
        return bool(estimator.get_metadata_routing().consumes("fit", ["groups"]))
    if isinstance(estimator, Pipeline):
        return any(takes_groups(step) for _, step in _working_steps(estimator))
    if isinstance(estimator, MultiOutputRegressor):
        return takes_groups(estimator.estimator)
    return isinstance(estimator, BaseSearchCV) and isinstance(
        estimator.cv, GroupsConsumerMixin
    )


def clone_seeded(template, seed: int):
    """A clone whose random numbers are settled, where the user has left them open.

    Those of its steps and inner estimators too.
    """
    model = clone(template)
    left_open = [
        name
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    ]
    return model.set_params(**dict.fromkeys(left_open, seed)) if left_open else model


def fit_weighted(
    estimator, X, y: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None
):
    """Fit with sample weights, through Pipelines, with metadata routing on or off.

    Groups are passed to an estimator that takes them.
    """
    given = {} if groups is None else {"groups": groups}
    if not (np.allclose(weight, weight[0], rtol=1e-12, atol=0) and weight[0] == 1.0):
        if not takes_sample_weight(estimator):
            raise TypeError(
                f"Got weights for {type(estimator).__name__}, expected an estimator "
                "whose fit takes sample_weight."
            )
        given = {"sample_weight": weight, **given}
    return estimator.fit(X, y, **fit_options(estimator, given))


def fit_options(estimator, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of weights and groups what ``fit`` takes, by the names that it takes them under.

    Through Pipelines, with metadata routing on or off.
    """
    routing = get_config()["enable_metadata_routing"]
    if isinstance(estimator, Pipeline) and not routing:
        return {
            f"{name}__{key}": value
            for name, step in _working_steps(estimator)
            for key, value in fit_options(step, given).items()
        }
    takes = {"sample_weight": takes_sample_weight, "groups": takes_groups}
    out = {key: value for key, value in given.items() if takes[key](estimator)}
    if routing and "sample_weight" in out:
        _request_weights(estimator)
    return out


def _request_weights(estimator) -> None:
    """Request weights for all inside that take them and have not been asked yet."""
    if isinstance(estimator, Pipeline):
        for _, step in _working_steps(estimator):
            _request_weights(step)
        return
    for inner in _inside(estimator):
        _request_weights(inner)
    for method in ("fit", "score"):
        function = getattr(estimator, method, None)
        if function is None or "sample_weight" not in signature(function).parameters:
            continue
        routing = estimator.get_metadata_routing()
        # Of a meta-estimator this is the part that concerns itself.
        mine = own_requests(routing)
        if mine is None:
            continue
        own = getattr(mine, method)
        setter = getattr(estimator, f"set_{method}_request", None)
        if setter is not None and own.requests.get("sample_weight") is None:
            setter(sample_weight=True)
