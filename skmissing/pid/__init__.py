"""Partial information decomposition: unique, redundant and synergistic parts."""

from ._broja import broja

__all__ = ["broja"]
