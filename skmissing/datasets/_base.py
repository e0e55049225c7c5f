"""What every loader and generator shares."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..modalities import Modality, MultimodalData


def load_arrays(file: str) -> dict[str, np.ndarray]:
    """Read one of the files that ship inside the package."""
    path = resources.files("skmissing.datasets") / "data" / file
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def load_descr(name: str) -> str:
    """Description of a data set."""
    path = resources.files("skmissing.datasets") / "descr" / f"{name}.rst"
    return path.read_text(encoding="utf-8")


def frame_modalities(
    data: MultimodalData, frame: pd.DataFrame
) -> dict[str, list[str] | Modality]:
    """Name the columns of each block of ``data.to_frame()``."""
    out: dict[str, list[str] | Modality] = {}
    start = 0
    for name, shape in data.block_shapes.items():
        stop = start + int(np.prod(shape))
        columns = frame.columns[start:stop].tolist()
        out[name] = columns if len(shape) == 1 else Modality(columns, shape=shape)
        start = stop
    return out


def pack(
    data: MultimodalData,
    target: np.ndarray,
    *,
    return_X_y: bool,
    as_frame: bool,
    covariates: dict[str, np.ndarray] | None = None,
    complete_data: MultimodalData | None = None,
    **fields,
):
    """Give a data set the form that was asked for."""
    X: Any = data
    y: Any = target
    frame = None
    modalities: Any = data.names
    if as_frame:
        X = data.to_frame()
        modalities = frame_modalities(data, X)
        if covariates:
            X = pd.concat([X, pd.DataFrame(covariates)], axis=1)
        y = pd.Series(target, name="target")
        frame = pd.concat([X, y], axis=1)
        if complete_data is not None:
            fields["complete_data"] = complete_data.to_frame()
    elif complete_data is not None:
        fields["complete_data"] = complete_data
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, frame=frame, modalities=modalities, **fields)
