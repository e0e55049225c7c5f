"""Encoders for columns of any kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

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


def pass_numbers(encoder, table: pd.DataFrame) -> None:
    """Let the numbers of a table pass as they are, with all their digits."""
    numeric = [
        label
        for label, dtype in table.dtypes.items()
        if isinstance(dtype, np.dtype) and dtype.kind in "fiu"
    ]
    if numeric:
        encoder.set_params(specific_transformers=[("passthrough", numeric)])
