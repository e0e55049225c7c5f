"""What every loader and generator shares."""

from __future__ import annotations

from importlib import resources
from os import PathLike
from pathlib import Path
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
    **fields: Any,
) -> Any:
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


def read_arrays(
    data_home: str | PathLike[str], file: str, expected: dict[str, str]
) -> dict[str, np.ndarray]:
    """Arrays of a file that the user has, or a sentence that says what it lacks."""
    path = Path(data_home) / file
    content = ", ".join(f"{name} ({what})" for name, what in expected.items())
    if not path.is_file():
        raise FileNotFoundError(
            f"Got no file {file} in {str(data_home)!r}, expected one with the arrays "
            f"{content}."
        )
    with np.load(path, allow_pickle=False) as arrays:
        lacking = [name for name in expected if name not in arrays.files]
        if lacking:
            raise ValueError(
                f"Got {file} with the arrays {arrays.files}, expected {lacking[0]!r} "
                f"among them; all of {content}."
            )
        return {name: arrays[name] for name in expected}
