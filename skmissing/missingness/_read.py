"""X in any of its three forms, for functions that are not estimators."""

from __future__ import annotations

import pandas as pd
from sklearn.base import BaseEstimator

from ..modalities import MultimodalData
from ..modalities._validation import check_multimodal, covariate_frame


def read_blocks(
    X, modalities, caller: str
) -> tuple[MultimodalData, pd.DataFrame | None]:
    """Cut X into blocks, and into covariate columns if it has any."""
    # The checks of X are written for estimators and name the class in their messages.
    reader = type(caller, (BaseEstimator,), {})()
    data = check_multimodal(reader, X, modalities, reset=True, numeric=False)
    return data, covariate_frame(reader, X)
