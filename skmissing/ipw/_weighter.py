"""The user's weighter, filled in."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from ..modalities._multimodal_data import MultimodalData
from ._propensity import PropensityWeighter


def make_weighter(
    template: PropensityWeighter | None, X: Any, modalities: Any, required: list[str]
) -> PropensityWeighter:
    """A clone of the user's weighter for one required set.

    Parameters
    ----------
    template : PropensityWeighter or None
        What it leaves open is filled in.
    X : {array, DataFrame, MultimodalData}
        The data.
    modalities : mapping, list or None
        Columns of each modality.
    required : list of str
        Modalities that make a row observed.

    Returns
    -------
    PropensityWeighter
        Not fitted.
    """
    # A fixed seed: otherwise a default fit would not be repeatable at all.
    weighter = (
        PropensityWeighter(random_state=0) if template is None else clone(template)
    )
    # Blocks of a container that no model uses are covariates.
    if weighter.modalities is None and not isinstance(X, MultimodalData):
        weighter.set_params(modalities=modalities)
    if weighter.required is None:
        weighter.set_params(required=list(required))
    return weighter
