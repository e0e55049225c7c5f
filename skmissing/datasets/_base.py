"""What every loader and generator shares."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from itertools import islice
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._utils._sklearn_compat import validate_params
from ..modalities import Modality, MultimodalData


def check_parameters(**constraints) -> Callable:
    """Validate parameters, those that every loader and generator has included."""
    for name in ("return_X_y", "as_frame"):
        constraints[name] = ["boolean"]
    return validate_params(constraints, prefer_skip_nested_validation=True)


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
    columns = iter(frame.columns.tolist())
    for name, shape in data.block_shapes.items():
        own = list(islice(columns, prod(shape)))
        out[name] = own if len(shape) == 1 else Modality(own, shape=shape)
    return out


def pack(
    data: MultimodalData,
    target: np.ndarray,
    *,
    return_X_y: bool,
    as_frame: bool,
    covariates: dict[str, np.ndarray] | None = None,
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
        if "complete_data" in fields:
            fields["complete_data"] = fields["complete_data"].to_frame()
    if return_X_y:
        return X, y
    return Bunch(data=X, target=y, frame=frame, modalities=modalities, **fields)
