"""Distributions of scipy, which searches draw parameters from.

The state of one holds text that scipy runs, so that a file has its name and numbers
alone.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import scipy.stats

from ..exceptions import ModelFileError


def take_distribution(frozen) -> dict[str, Any]:
    """Name and numbers of a distribution, such as ``loguniform(1e-4, 1e-1)``."""
    name = frozen.dist.name
    known = _find(name)
    numbers = [*frozen.args, *frozen.kwds.values()]
    same = type(known) is type(frozen.dist)
    same = same and all(isinstance(n, Real) for n in numbers)
    # Others of the same class and name may have other ends.
    if not same or known(*frozen.args, **frozen.kwds).support() != frozen.support():
        raise ModelFileError(
            f"Got the distribution {name!r} with {numbers}, expected one of "
            "scipy.stats with numbers."
        )
    return {"name": name, "args": list(frozen.args), "keywords": frozen.kwds}


def make_distribution(state: dict[str, Any]) -> Any:
    """A distribution of scipy.stats with its numbers."""
    kind, args, keywords = _find(state["name"]), state["args"], state["keywords"]
    numbers = [*args, *keywords.values()]
    if kind is None or not all(isinstance(n, Real) for n in numbers):
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
