"""Distributions of scipy, which searches draw parameters from.

The state of one holds text that scipy runs, so that a file has its name and numbers
alone.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import scipy.stats

from ..exceptions import ModelFileError


def take_distribution(frozen) -> dict[str, Any]:
    """Name and numbers of a distribution, such as ``loguniform(1e-4, 1e-1)``."""
    name = frozen.dist.name
    if type(_find(name)) is not type(frozen.dist):
        raise ModelFileError(
            f"Got the distribution {name!r}, expected one of scipy.stats."
        )
    return {"name": name, "args": list(frozen.args), "keywords": frozen.kwds}


def make_distribution(state: dict[str, Any]) -> Any:
    """A distribution of scipy.stats with its numbers."""
    kind, args, keywords = _find(state["name"]), state["args"], state["keywords"]
    numbers = [*args, *keywords.values()]
    if kind is None or not all(map(_is_numeric, numbers)):
        raise ModelFileError(
            "Got an unknown distribution in the file, expected one of scipy.stats "
            "with numbers."
        )
    return kind(*args, **keywords)


def _find(name) -> Any:
    """The distribution of a name; None for all else."""
    kinds = (scipy.stats.rv_continuous, scipy.stats.rv_discrete)
    found = vars(scipy.stats).get(name) if isinstance(name, str) else None
    return found if isinstance(found, kinds) else None


def _is_numeric(value) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub"
    return isinstance(value, Real)
