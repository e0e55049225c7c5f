"""Warnings that point at the user's line."""

from __future__ import annotations

import inspect
import warnings

# What stands between the user and the place that warns.
_INSIDE = ("skmissing", "sklearn", "joblib", "contextlib")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, with the file and line of the first caller outside."""
    level, frame = 1, inspect.currentframe()
    while (
        frame is not None
        and frame.f_back is not None
        and (frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE)
    ):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
