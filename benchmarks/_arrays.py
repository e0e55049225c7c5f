"""Arrays from files that the user has."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np


def read_arrays(
    data_home: str | PathLike[str], file: str, expected: dict[str, str]
) -> dict[str, np.ndarray]:
    """Arrays of a file, or an error with what is missing."""
    path = Path(data_home) / file
    content = ", ".join(f"{name} ({what})" for name, what in expected.items())
    if not path.is_file():
        raise FileNotFoundError(
            f"Got no file {file} in {str(data_home)!r}, expected one with the arrays "
            f"{content}."
        )
    with np.load(path, allow_pickle=False) as arrays:
        missing = [name for name in expected if name not in arrays.files]
        if missing:
            raise ValueError(
                f"Got {file} with the arrays {arrays.files}, expected {missing[0]!r} "
                f"among them; all of {content}."
            )
        return {name: arrays[name] for name in expected}
