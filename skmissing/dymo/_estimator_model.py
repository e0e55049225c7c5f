"""Another classifier as the model of a selector."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._estimation._inner_estimators import fit_weighted, takes_multimodal
from .._estimation._rows import LabelledRows
from .._utils._random import draw_seed
from ._subset_model import NetModel, SubsetModel, WrappedModel


def fit_estimator(estimator, rows: LabelledRows, rng: np.random.RandomState):
    """A clone of the template that is fitted on the rows, or the frozen one itself."""
    out = clone(estimator)
    if isinstance(out, FrozenEstimator):
        check_is_fitted(out)
        return out
    if not takes_multimodal(out):
        raise TypeError(
            f"Got estimator={estimator!r}, expected a classifier that takes a "
            "MultimodalData, such as those of this package."
        )
    seed = draw_seed(rng)
    if out.get_params().get("random_state", seed) is None:
        out.set_params(random_state=seed)
    rows, labels = rows.normalised(), rows.classes[rows.y]
    return fit_weighted(out, rows.data, labels, rows.weight, rows.groups)


def check_estimator(estimator, rows: LabelledRows) -> None:
    """Refuse a classifier that was fitted on other modalities or classes."""
    names = rows.data.names
    fitted_names = list(getattr(estimator, "modality_names_in_", names))
    if fitted_names != names:
        raise ValueError(
            f"Got an estimator with the modalities {fitted_names}, expected {names}."
        )
    # A rare class may be missing in a split of the rows.
    if not np.isin(rows.classes, estimator.classes_).all():
        raise ValueError(
            f"Got an estimator with the classes "
            f"{np.asarray(estimator.classes_).tolist()}, expected "
            f"{rows.classes.tolist()}."
        )


def model_of(estimator, distance: str, rows: LabelledRows) -> SubsetModel:
    """A fitted classifier as a model of the modalities that some rows have.

    Of a selector it is the net, or the classifier that it wraps: what that selector
    recovers and fuses does not matter.
    """
    theirs = _model_inside(estimator)
    while isinstance(theirs, WrappedModel):
        estimator = theirs.estimator
        theirs = _model_inside(estimator)
    shapes = rows.data.block_shapes
    if not isinstance(theirs, NetModel):
        names = _seen(rows, list(shapes))
        return WrappedModel(
            estimator, names, distance, classes=rows.classes, shapes=shapes
        )
    if theirs.distance != distance:
        raise ValueError(
            f"Got distance={distance!r} with an estimator trained for the distance "
            f"{theirs.distance!r}, expected the same."
        )
    known = theirs.fitted.names
    expected = {name: estimator.modality_shapes_in_[name] for name in known}
    if {name: shapes[name] for name in known} != expected:
        raise ValueError(
            f"Got rows of the shapes {shapes}, expected those that the estimator was "
            f"fitted on, {expected}."
        )
    columns = np.searchsorted(estimator.classes_, rows.classes)
    if theirs.columns is not None:
        columns = theirs.columns[columns]
    names = _seen(rows, known)
    return NetModel(
        theirs.fitted, names, theirs.integers, shapes=expected, columns=columns
    )


def _model_inside(estimator):
    return getattr(getattr(estimator, "fusion_", None), "model", None)


def _seen(rows: LabelledRows, known: list[str]) -> list[str]:
    """Modalities that some row has, of those that a model knows."""
    seen = np.asarray(rows.data.present.any(axis=0))
    names = [name for name, s in zip(rows.data.names, seen) if s and name in known]
    if not names:
        raise ValueError(
            f"Got no row with any of the modalities {known} that the estimator "
            "knows, expected at least one."
        )
    return names
