"""Which modalities make a row observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def resolve_required(required: Any, names: list[str]) -> tuple[list[list[str]], bool]:
    """The required sets.

    Parameters
    ----------
    required : None, str, list of str or list of lists of str
        The parameter; None means all modalities.
    names : list of str
        The modalities.

    Returns
    -------
    sets : list of list of str
        At least one.
    several : bool
        Whether more than one set may be meant, so that outputs have a column for each.
    """
    if required is None:
        return [list(names)], False
    given: Sequence[Any] = [required] if isinstance(required, str) else required
    several = any(not isinstance(r, str) for r in given)
    if several:
        sets = [[s] if isinstance(s, str) else list(s) for s in given]
    else:
        sets = [list(given)]
    for one in sets:
        if not one:
            raise ValueError(
                "Got an empty list in required, expected at least one modality."
            )
        for name in one:
            if name not in names:
                raise ValueError(
                    f"Got the unknown modality {name!r} in required, expected some of "
                    f"{names}."
                )
    return sets, several
