"""Encoders for columns of any kind."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from .._utils._warn import warn_user
from ..exceptions import UnknownCategoryWarning
from ._layout import shorten
from ._multimodal_data import MultimodalData


def needs_encoding(data: MultimodalData, name: str) -> bool:
    """Whether a block is a table with columns that are no numbers."""
    block = data[name]
    return block.ndim == 2 and block.dtype.kind not in "fiub"


def table_encoder(name: str) -> Any:
    """A transformer that encodes each column of a modality by its kind."""
    try:
        from skrub import StringEncoder, TableVectorizer
    except ImportError as error:
        raise ImportError(
            f"Got 'auto' for the modality {name!r}, whose columns are not all numbers, "
            "expected skrub to be installed, which encodes them: "
            "pip install 'skmissing[skrub]'."
        ) from error
    # The seed is that of a decomposition, which hardly depends on it.
    return TableVectorizer(high_cardinality=StringEncoder(random_state=0))


def encode_known(encoder, table: pd.DataFrame, name: str) -> Any:
    """Encode a table; one warning names the categories that were not there in fit."""
    with warnings.catch_warnings():
        # scikit-learn's has no names, and counts missing values as a category.
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
        out = encoder.transform(table)
    for label, column_encoder in encoder.transformers_.items():
        known = getattr(column_encoder, "categories_", None)
        if known is None:
            continue
        values = table[label].dropna().astype(str)
        values = values[values.str.strip() != ""].unique()
        new = sorted(set(values) - set(map(str, known[0])))
        if new:
            warn_user(
                f"Got the unknown categories {shorten(new)} in the column {label!r} of "
                f"the modality {name!r}, expected those of fit, "
                f"{shorten([k for k in known[0] if not pd.isna(k)])}; they count as "
                "none of them.",
                UnknownCategoryWarning,
            )
    return out


def pass_numbers(encoder, table: pd.DataFrame) -> None:
    """Let the numbers of a table pass as they are, with all their digits."""
    numeric = [
        label
        for label, dtype in table.dtypes.items()
        if isinstance(dtype, np.dtype) and dtype.kind in "fiu"
    ]
    if numeric:
        encoder.set_params(specific_transformers=[("passthrough", numeric)])
