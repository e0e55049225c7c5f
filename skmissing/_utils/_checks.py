"""Checks of single values that several parameters share."""

from __future__ import annotations

from numbers import Integral


def is_count(value, least: int = 1) -> bool:
    """Whether a value is an integer, no bool, and at least so large."""
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    return integer and value >= least
